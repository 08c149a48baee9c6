"""Options that several commands have, and how they are read."""

import math
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from holonet.threats import Norm
from holonet.training import RuleConfig

__all__ = [
    "LARGEST_SEED",
    "LATEST",
    "NORMS",
    "RULE_NAMES",
    "DataOption",
    "EpsOption",
    "ExamplesOption",
    "JsonFlag",
    "NormOption",
    "OtherDataFlag",
    "ProcessesOption",
    "QueriesOption",
    "RestartsOption",
    "RootOption",
    "RunArgument",
    "RunOption",
    "SeedOption",
    "StepsOption",
    "amount",
    "count",
    "digits",
    "given",
    "norm_named",
    "parse_numbers",
    "seed_option",
    "typed_command",
]

RULE_NAMES = ", ".join(get_args(RuleConfig.model_fields["name"].annotation))
"""The training rules, for a line of help."""

NORMS: tuple[str, ...] = get_args(Norm)
LARGEST_SEED = 2**63 - 1


def count(text: str) -> Any:
    """An option that counts something: at least 1."""
    return typer.Option(help=text, min=1, metavar="INTEGER")


def seed_option(text: str) -> Any:
    """An option for a seed, from 0 to what a generator of torch takes."""
    return typer.Option(help=text, min=0, max=LARGEST_SEED, metavar="INTEGER")


def amount(text: str) -> Any:
    """An option for a finite number that is not negative, such as a radius or a weight."""
    return typer.Option(help=text, callback=_require_amount, metavar="NUMBER")


def _require_amount(value: float | None) -> float | None:
    if value is None or (math.isfinite(value) and value >= 0):
        return value
    raise typer.BadParameter(f"{value} is not a finite number of at least 0.")


def norm_named(text: str) -> str:
    """The norm as it is spelled, whatever the case it is typed in.

    Example:
        >>> norm_named("linf"), norm_named("Polydisc")
        ('Linf', 'polydisc')
    """
    return next((norm for norm in NORMS if norm.lower() == text.lower()), text)


JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of text.")]
LATEST = Path("runs/latest")
RunOption = Annotated[Path, typer.Option(help="Folder of the run.")]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run.")]
DataOption = Annotated[
    str | None,
    typer.Option(help="Data set by name, a .npz file or a folder of images; the run's if absent."),
]
RootOption = Annotated[Path | None, typer.Option(help="Folder of the data set's files.")]
OtherDataFlag = Annotated[
    bool,
    typer.Option("--other-data", help="The run's data may be others than those it was trained on."),
]
EpsOption = Annotated[float, amount("Radius of the attack.")]
NormOption = Annotated[
    str | None,
    typer.Option(
        help=f"{', '.join(NORMS)}; Linf, for complex data polydisc, if absent.",
        callback=lambda text: None if text is None else norm_named(text),
        show_default=False,
    ),
]
StepsOption = Annotated[int | None, count("Steps of gradient ascent.")]
RestartsOption = Annotated[int | None, count("Random starts.")]
QueriesOption = Annotated[int | None, count("Queries of random search.")]
ExamplesOption = Annotated[int, count("Number of attacked test examples, the first ones.")]
ProcessesOption = Annotated[
    int | None, count("How many processes work at once; one each core if not given.")
]
SeedOption = Annotated[int, seed_option("Of the attacks.")]


def digits(number: float) -> str:
    """The shortest text that reads back as this number: no two share a name.

    Example:
        >>> digits(0.1), digits(0.1000001), digits(2.0)
        ('0.1', '0.1000001', '2')
    """
    number += 0.0  # no negative zero
    short = f"{number:g}"
    return short if float(short) == number else repr(float(number))


def given(ctx: typer.Context, options: Iterable[str]) -> list[str]:
    """Those options of a command that were typed, not left at their default."""
    sources = {name: ctx.get_parameter_source(name) for name in options}
    return [name for name, at in sources.items() if at and at.name == "COMMANDLINE"]


def typed_command(ctx: typer.Context, without: Iterable[str] = ("out", "as_json")) -> str:
    """The command with the options that were typed, to be typed again."""
    own = ctx.command_path.removeprefix(ctx.find_root().command_path)  # "python -m holonet" too
    words = ["holonet", *own.split()]
    typed = set(given(ctx, ctx.params)) - set(without)
    for parameter in ctx.command.params:
        if parameter.name in typed:
            value = ctx.params[parameter.name]
            if parameter.param_type_name == "argument":
                words.append(str(value))
            elif isinstance(value, bool):
                words.append((parameter.opts if value else parameter.secondary_opts)[0])
            else:
                values = value if isinstance(value, list) else [value]
                words += [word for one in values for word in (parameter.opts[0], str(one))]
    return shlex.join(words)


def parse_numbers(text: str, option: str) -> list[float]:
    """The numbers in a list with commas.

    Raises:
        BadParameter: naming the option and showing how it is written.

    Example:
        >>> parse_numbers("0.05,0.1", "--eps")
        [0.05, 0.1]
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a list of numbers: write {option} 0.05,0.1"
        ) from None
