"""The entry point: commands that are imported when they are called, one exit code per failure."""

import inspect
import io
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from holonet.cli.refusals import refusal
from holonet.cli.terminal import drop_stdout, printable, reader_is_gone
from holonet.errors import CheckpointError, HolonetError, MissingDependencyError, NumericalError

__all__ = ["app", "main"]

EPILOG = (
    "Exit codes: 0 done; 1 the answer of check is no, or a defect in holonet; 2 wrong usage, "
    "configuration or data, or the system refuses (no space, no rights); 3 the numbers blew up; "
    "4 no usable checkpoint; 5 an optional dependency is missing; 129 the terminal was closed; "
    "130 interrupted; 143 terminated."
)
INTERRUPTED = 128 + signal.SIGINT
ENDED = {INTERRUPTED: "interrupted", 128 + signal.SIGTERM: "terminated"}
if hasattr(signal, "SIGHUP"):  # not on Windows
    ENDED[128 + signal.SIGHUP] = "the terminal was closed"
"""What is said of an end by a signal, by the exit code."""
READER_GONE = 141  # what a shell says of a program that a closed pipe ended

AGAIN = "What was finished is kept: the same command resumes there."
KEPT = {
    "train": "What was finished is kept: once a run has begun, the same command with --resume "
    "resumes at its last checkpoint.",
    "evaluate": AGAIN,
    "attack": AGAIN,
    "certify": AGAIN,
    "compare": AGAIN,
    "demo": AGAIN,
    "diagnose": AGAIN,
    "hypothesis": AGAIN,
    "reproduce": AGAIN,
    "bench": "The cases that were finished are in its file.",
}
"""What an interrupted command leaves, and how to resume."""
AFTER_SIGNAL = {command: hint for command, hint in KEPT.items() if command != "train"}
"""On a signal train itself says which step is kept."""


class _Command(TyperCommand):
    """A command whose context is of the class that typer has commands declare."""

    context_class = typer.Context


class _Lazy(TyperCommand):
    """A command whose callback imports it: the list of commands needs its help line alone."""

    def load(self) -> TyperCommand:
        alone = typer.Typer(add_completion=False, rich_markup_mode="rich")
        function = self.callback()  # type: ignore[misc]
        alone.command(self.name, cls=_Command, help=_unwrapped(function))(function)
        return typer.main.get_command(alone)  # type: ignore[return-value]

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        return self.load().make_context(*args, **kwargs)


def _unwrapped(function: Callable[..., Any]) -> str:
    """The docstring with a line for each paragraph and example: terminals break them anew."""
    return re.sub(r"(?<=\S)\n(?=[^\s\[])", " ", inspect.getdoc(function) or "")


class _Commands(TyperGroup):
    """A reader that closes the pipe early, as `head` does, is no failure."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            if not reader_is_gone():
                raise
            drop_stdout()
            raise typer.Exit(READER_GONE) from None


app = typer.Typer(
    name="holonet",
    cls=_Commands,
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _print_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"holonet {version('holonet')}")
        raise typer.Exit
    return wanted


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Holomorphic neural networks: train them, attack them, look at them."""


def _command(name: str, line: str, load: Callable[[], Any]) -> None:
    app.command(name, cls=_Lazy, help=line)(load)


_command(
    "train",
    "Train a network and keep everything in a run folder.",
    lambda: import_module("holonet.cli.train").train,
)
_command(
    "evaluate",
    "Clean accuracy, and the worst case over an ensemble of attacks, with Wilson intervals at 95%.",
    lambda: import_module("holonet.cli.evaluate").evaluate,
)
_command(
    "attack",
    "Attack the test set with each attack on its own, and keep its points.",
    lambda: import_module("holonet.cli.attack").attack,
)
_command(
    "info",
    "Tell of a run: network, parameters, rule, data, seed, accuracy, versions and files.",
    lambda: import_module("holonet.cli.info").info,
)
_command(
    "predict",
    "Label examples by a trained network, with probabilities and margins.",
    lambda: import_module("holonet.cli.predict").predict,
)
_command(
    "certify",
    "Prove the class of test examples on whole balls, with Wilson intervals at 95%.",
    lambda: import_module("holonet.cli.certify").certify_run,
)
_command(
    "export",
    "Write a trained network as ONNX, torch.export or safetensors, and compare the file with it.",
    lambda: import_module("holonet.cli.export").export,
)
_command(
    "compare",
    "Every network, with every threshold, under every rule: accuracies, and what a step costs.",
    lambda: import_module("holonet.cli.compare").compare,
)
_command(
    "demo",
    "Train a ReLU network and its holomorphic counterparts, attack and certify them, report.",
    lambda: import_module("holonet.cli.compare").demo,
)
_command(
    "reproduce",
    "Test what a paper claims, or you do, claim by claim, over several seeds; write a report.",
    lambda: import_module("holonet.cli.reproduce").reproduce,
)
_command(
    "hypothesis",
    "Test whether analytic, complex and harmonic networks are more robust; write a report.",
    lambda: import_module("holonet.cli.hypothesis").hypothesis,
)
_command(
    "diagnose",
    "Whether a model is holomorphic or continues, how harmonic, steep and robust it is, and why.",
    lambda: import_module("holonet.cli.diagnose").diagnose,
)
_command(
    "check",
    "Whether a model is holomorphic, or a real one continues holomorphically: an exit code.",
    lambda: import_module("holonet.cli.diagnose").check,
)
_command(
    "audit",
    "Measure which layers of another library are holomorphic, in train and in eval mode.",
    lambda: import_module("holonet.cli.audit").audit,
)
_command(
    "bench",
    "Time operations and training steps against torch and complextorch; measure their memory.",
    lambda: import_module("holonet.cli.bench").bench,
)
_command(
    "cite",
    "Print BibTeX of holonet, and of the sources of a run's rule and activation.",
    lambda: import_module("holonet.cli.cite").cite,
)
_command(
    "list",
    "List the activations, the data sets, the settings of a run, or the studies.",
    lambda: import_module("holonet.cli.list").list_names,
)


def main() -> None:
    """Run the command line; a failure that is no defect of holonet is a line on stderr and a code.

    A signal to end is raised in the command like an interrupt, so that open files are put away.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _signals_raise():
            app()
    except SystemExit as end:  # typer makes one of an interrupt
        if isinstance(end.code, int) and end.code in ENDED:
            _end(end.code, ENDED[end.code], AFTER_SIGNAL)
        raise
    except KeyboardInterrupt:
        _end(INTERRUPTED, "interrupted", AFTER_SIGNAL)
    except HolonetError as error:
        _end(_exit_code(error), f"error: {error}")
    except Exception as error:
        reason = refusal(error)
        if reason is None:
            raise
        _end(2, f"error: {reason}", KEPT)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Signals to end raise SystemExit, while they are not ignored or handled by others."""

    def end(number: int, _: object) -> None:
        sys.exit(128 + number)

    ours = [code - 128 for code in ENDED if code != INTERRUPTED]
    ours = [number for number in ours if signal.getsignal(number) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


def _end(code: int, line: str, hints: Mapping[str, str] = MappingProxyType({})) -> None:
    """Say why, and how to go on where the command has a hint, and exit."""
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    kept = f" {hints[command]}" if command in hints else ""
    stop = "." if kept and not line.endswith(".") else ""
    with suppress(AttributeError, OSError):  # stderr is closed, or a full disk: the code tells
        sys.stderr.write(f"{printable(line)}{stop}{kept}\n")
    sys.exit(code)


def _exit_code(error: HolonetError) -> int:
    codes = {NumericalError: 3, CheckpointError: 4, MissingDependencyError: 5}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), 2)
