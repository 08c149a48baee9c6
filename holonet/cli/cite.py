"""`holonet cite`: BibTeX of holonet and of what a run used."""

import inspect
import json
import re
from collections.abc import Mapping
from importlib.metadata import version
from importlib.resources import files
from itertools import pairwise

import typer

from holonet.cli.options import LATEST, JsonFlag, RunArgument
from holonet.cli.terminal import say
from holonet.errors import ConfigError
from holonet.training import Mixture, RunConfig
from holonet.training.config.model import activation_record
from holonet.training.run_folder import CONFIG

__all__ = ["cite", "entries", "references_in"]

OWN = (
    "@software{{holonet, author={{{{The holonet authors}}}}, "
    "title={{holonet: Holomorphic neural networks in PyTorch}}, version={{{version}}}}}"
)


def cite(run: RunArgument = LATEST, as_json: JsonFlag = False) -> None:
    """Print BibTeX of holonet, and of the sources of a run's rule and activation.

    [dim]holonet cite runs/digits > digits.bib[/dim]
    """
    if not (run / CONFIG).exists():
        raise ConfigError(f"{run} holds no run, it has no {CONFIG}: give the folder of a run")
    config = RunConfig.read(run / CONFIG)
    text = _references(config)
    found = {"holonet": OWN.format(version=version("holonet"))}
    found |= {key: entry for key, entry in entries().items() if key in references_in(text)}
    if as_json:
        typer.echo(json.dumps(found))
        return
    for entry in found.values():
        say(entry)


def entries() -> Mapping[str, str]:
    """The bibliography of holonet, by key; an entry is a line."""
    lines = files("holonet").joinpath("references.bib").read_text(encoding="utf-8").splitlines()
    matches = (re.match(r"@\w+\{(\w+),", line) for line in lines)
    return {m.group(1): m.string for m in matches if m is not None}


def references_in(text: str) -> set[str]:
    """The keys of the bibliography that a text names by author and year.

    Example:
        >>> sorted(references_in("Al Azah and Chandler-Wilde 2021; DLMF 7.2(i)"))
        ['alazah2021', 'dlmf']
    """
    words = [re.sub("[^a-z]", "", word.lower()) for word in re.findall(r"[A-Z][\w-]*", text)]
    names = {*words, *map("".join, pairwise(words))}  # of two words, as Al Azah
    found = set()
    for key in entries():
        name, year = re.fullmatch(r"([a-z]+)(\d*)", key).groups()  # type: ignore[union-attr]
        if name in names and year in text:
            found.add(key)
    return found


def _references(config: RunConfig) -> str:
    """What the rule and the activation say of their sources."""
    rule = config.rule.build()
    rules = [part for _, part in rule.parts] if isinstance(rule, Mixture) else [rule]
    texts = [inspect.getdoc(type(each)) or "" for each in rules]
    sources = "\n".join(text.partition("References:")[2].partition("\n\n")[0] for text in texts)
    if not config.model.is_holomorphic:
        return sources
    return f"{sources}\n{activation_record(config.model.activation).reference}"
