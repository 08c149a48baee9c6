"""The entry point: the commands, and one exit code for each kind of failure."""

import sys

import typer

from holonet.cli.attack import attack
from holonet.cli.audit import audit
from holonet.cli.bench import bench
from holonet.cli.compare import compare, demo
from holonet.cli.evaluate import evaluate
from holonet.cli.list import list_names
from holonet.cli.reproduce import reproduce
from holonet.cli.train import train
from holonet.errors import CheckpointError, HolonetError, MissingDependencyError, NumericalError

__all__ = ["app", "main"]

EPILOG = (
    "Exit codes: 0 done; 1 a defect in holonet; 2 wrong usage, configuration or data; "
    "3 the numbers blew up; 4 no usable checkpoint; 5 an optional dependency is missing; "
    "130 interrupted."
)

app = typer.Typer(
    name="holonet",
    help="Holomorphic neural networks: train them, attack them, look at them.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("train")(train)
app.command("evaluate")(evaluate)
app.command("attack")(attack)
app.command("compare")(compare)
app.command("demo")(demo)
app.command("reproduce")(reproduce)
app.command("audit")(audit)
app.command("bench")(bench)
app.command("list")(list_names)


def main() -> None:
    """Run the command line; errors of ours are one line on stderr and an exit code."""
    try:
        app()
    except HolonetError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(_exit_code(error))


def _exit_code(error: HolonetError) -> int:
    codes = {NumericalError: 3, CheckpointError: 4, MissingDependencyError: 5}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 2)
