"""`holonet info`: what a run is of, and what it has."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import typer
from torch import nn

from holonet.cli.options import LATEST, JsonFlag, RunArgument
from holonet.cli.terminal import say
from holonet.errors import CheckpointError, NotHolomorphicError
from holonet.nn import declared_class, real_parameter_count
from holonet.training import ModelConfig, RunConfig, read_journal
from holonet.training.checkpoint import kept_steps
from holonet.training.run_folder import CHECKPOINTS, CONFIG, JOURNAL, WEIGHTS, finished_run

__all__ = ["info"]


def info(run: RunArgument = LATEST, as_json: JsonFlag = False) -> None:
    """Tell of a run: network, parameters, rule, data, seed, accuracy, versions and files.

    [dim]holonet info runs/digits[/dim]
    [dim]holonet info runs/digits --json[/dim]
    """
    facts = _facts(run)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for name, value in facts.items():
        if value is not None:
            say(f"{name.replace('_', ' '):<16}{_text(value)}")


def _facts(folder: Path) -> dict[str, Any]:
    """What config.toml, the weights and the journal say."""
    if (folder / CONFIG).exists() and not (folder / WEIGHTS).exists():
        return _unfinished(folder, RunConfig.read(folder / CONFIG))
    config, network, about = finished_run(folder)
    best = about.get("best")
    last, kept = _last_epoch(folder), _last_epoch(folder, best and best["epoch"])
    return {
        "run": str(folder),
        "finished": True,
        "network": _network(config.model),
        "function_class": _class(network),
        "parameters": f"{real_parameter_count(network)} real numbers",
        "takes": f"{tuple(about['examples']['shape'])}, {about['examples']['classes']} classes",
        "rule": about["identity"]["rule"],
        "data": f"{config.data.name}, fingerprint {about['identity']['data']}",
        "seed": config.train.seed,
        **(
            {"weights": f"of epoch {best['epoch']}, least loss on held-out examples"}
            if best
            else {}
        ),
        "steps": last.get("step"),
        "test_accuracy": kept.get("test_accuracy"),
        "train_seconds": last.get("seconds"),
        "versions": about.get("versions"),
        "files": _files(folder),
    }


def _unfinished(folder: Path, config: RunConfig) -> dict[str, Any]:
    steps = kept_steps(folder / CHECKPOINTS)
    return {
        "run": str(folder),
        "finished": False,
        "network": _network(config.model),
        "rule": repr(config.rule.build()),
        "data": config.data.name,
        "seed": config.train.seed,
        "steps": steps[-1] if steps else 0,
        "next": f"holonet train --resume --run-dir {folder}",
        "files": _files(folder),
    }


def _class(network: nn.Module) -> str | None:
    """The class that is declared; None for somebody's network without declarations."""
    try:
        return declared_class(network).value
    except NotHolomorphicError:
        return None


def _network(model: ModelConfig) -> str:
    if model.module is not None:
        return model.module
    widths = model.hidden if model.family == "mlp" else (*model.channels, *model.dense)
    listed = ", ".join(map(str, widths)) or "none"
    return f"{model.family}, {model.coefficients}, {model.activation}, widths {listed}"


def _last_epoch(folder: Path, number: int | None = None) -> dict[str, Any]:
    """The journal's record of an epoch, the last one unless told; none where it is lost."""
    try:
        records = read_journal(folder / JOURNAL)
    except CheckpointError:
        return {}
    epochs = [r for r in records if r.get("kind") == "epoch" and number in (None, r.get("epoch"))]
    return epochs[-1] if epochs else {}


def _files(folder: Path) -> list[str]:
    """Paths in the folder, without digests and hidden files."""
    paths = (p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return sorted(p.relative_to(folder).as_posix() for p in paths if p.suffix != ".sha256")


def _by_folder(paths: list[str]) -> list[str]:
    """Names of files, and of folders with the number of files inside."""
    counts = Counter(path.partition("/")[0] + "/" * ("/" in path) for path in paths)
    return [f"{name} ({n})" if name.endswith("/") else name for name, n in counts.items()]


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(_by_folder(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
