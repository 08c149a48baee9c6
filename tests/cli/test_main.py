"""The entry point: help that teaches, and exit codes that mean something."""

import errno
import itertools
import json
import os
import pkgutil
import runpy
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import fresh_python
import holonet
from cases import each
from holonet.cli.main import app, main
from holonet.cli.terminal import printable
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    HolonetError,
    MissingDependencyError,
    NumericalError,
)

COMMANDS = [
    "train",
    "evaluate",
    "attack",
    "info",
    "predict",
    "certify",
    "export",
    "compare",
    "demo",
    "reproduce",
    "hypothesis",
    "diagnose",
    "check",
    "audit",
    "bench",
    "cite",
    "list",
]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["holonet", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@each("command", COMMANDS)
def test_help_explains_and_shows_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"holonet {command}" in result.output.split("Usage")[1]
    assert "--json" in result.output


def test_no_command_shows_the_help(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    run(monkeypatch)
    shown = capsys.readouterr()
    assert all(command in shown.out + shown.err for command in COMMANDS)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (HolonetError("x"), 2),
        (ConfigError("x"), 2),
        (DataError("x"), 2),
        (NumericalError("x"), 3),
        (CheckpointError("x"), 4),
        (MissingDependencyError("matplotlib", "plots", "Drawing"), 5),
    ],
)
def test_each_kind_of_failure_has_its_code(
    monkeypatch: pytest.MonkeyPatch, capsys: Any, error: HolonetError, code: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("holonet.cli.main.app", fail)
    assert run(monkeypatch) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_wrong_usage_is_code_2(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "train", "--no-such-option") == 2
    assert run(monkeypatch, "no-such-command") == 2


def test_the_package_runs_as_the_command(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.delitem(sys.modules, "holonet.__main__", raising=False)
    # runpy would keep what the tests' import hook made of the module as its bytecode, for everybody
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "argv", ["holonet", "list", "--help"])
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("holonet", run_name="__main__")
    assert not stop.value.code
    assert "holonet list" in capsys.readouterr().out


CORE_ALONE = """
import contextlib, io, json, sys

for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None  # is found by nobody
from holonet.__main__ import main

for hidden, line in json.load(sys.stdin):
    sys.modules.update(dict.fromkeys(filter(None, [hidden])))
    out, err = io.StringIO(), io.StringIO()
    sys.argv[1:] = line
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
    sys.modules.pop(hidden, None)
"""
# all but sympy and mpmath, without which torch's optimizers are not imported
EXTRAS = (
    "matplotlib,jinja2,sklearn,hypothesis,pyautoattack,triton,torchattacks,foolbox,art,"
    "onnx,onnxruntime,onnxscript,beartype,pytest,mkdocs"
)


def with_the_core_alone(
    folder: Path, *lines: list[str], blocked: str = EXTRAS, hidden: Sequence[str] = ()
) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each line, all in one process.

    Blocked packages are found by no line, and each of the hidden ones not by its own line.
    """
    ran = fresh_python.run(
        "-c",
        CORE_ALONE,
        blocked,
        input=json.dumps([*itertools.zip_longest(hidden, lines, fillvalue="")]),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(holonet.__file__).parents[1])},
    )
    assert ran.returncode == 0, ran.stderr
    return [tuple(json.loads(line)) for line in ran.stdout.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With small data, x.npz."""
    folder = tmp_path_factory.mktemp("command")
    y = np.arange(60) % 3
    np.savez(folder / "x.npz", x=np.eye(3, dtype=np.float32)[y], y=y)
    return folder


SMALL = ["--data", "x.npz", "--epochs", "1"]
WORKS = [
    ["--help"],
    ["--version"],
    *([command, "--help"] for command in COMMANDS),
    ["list"],
    ["list", "datasets"],
    ["train", *SMALL, "--hidden", "4", "--run-dir", "r"],
    ["evaluate", "r", "--attack", "fgsm", "--no-sanity"],
    ["attack", "r", "--attack", "fgsm", "--json"],
    ["certify", "r", "--attack", "fgsm", "--json"],
    [
        *["compare", *SMALL, "--hidden", "4", "--steps", "1", "--restarts", "1", "--out", "c"],
        *["--networks", "complex-square,real-relu", "--rules", "linearized"],
    ],
    ["audit", "--only", "Dropout2d"],
]
MISSES = {
    "train --run-dir m": "scikit-learn, which is not installed: pip install 'holonet[datasets]",
    "demo --data x.npz --out d": "holonet[plots]",
    "reproduce shaham2015 --quick --data x.npz --out s": "holonet[plots]",
    "reproduce barati2022 --quick --data x.npz --out s": "holonet[plots]",
    "compare --data x.npz --attack autoattack --out t": "holonet[attacks]",
    "evaluate r --attack strong,autoattack": "holonet[attacks]",
    "attack r --attack autoattack": "holonet[attacks]",
    "attack r --attack torchattacks:PGD": "torchattacks",
    "attack r --attack foolbox:LinfPGD": "foolbox",
    "attack r --attack art:FastGradientMethod": "adversarial-robustness-toolbox",
}
"""Lines that need what is not installed, and what they name."""


@pytest.fixture(scope="module")
def with_the_core(folder: Path) -> list[tuple[int, str, str]]:
    """Of the lines that work, then of those that miss something."""
    return with_the_core_alone(folder, *WORKS, *(line.split() for line in MISSES))


def test_the_command_works_with_the_core_alone(with_the_core: list[tuple[int, str, str]]) -> None:
    results = with_the_core[: len(WORKS)]
    assert [code for code, *_ in results] == [0] * len(WORKS), results
    evaluated = results[len(WORKS) - 5][1]
    assert "no picture evaluation.png: Drawing needs" in evaluated


def test_what_is_missing_is_one_line_before_any_work(
    folder: Path, with_the_core: list[tuple[int, str, str]]
) -> None:
    results = with_the_core[len(WORKS) :]
    for (line, extra), (code, out, err) in zip(MISSES.items(), results, strict=True):
        assert (code, out, err.count("\n")) == (5, "", 1), (line, err)
        assert err.startswith("error: "), line
        assert extra in err, line
    assert not [name for name in "mdst" if (folder / name).exists()]


def test_the_command_without_its_extra_is_one_line(folder: Path) -> None:
    train = ["train", *SMALL, "--run-dir", "n"]
    table = [
        ("typer", "cli", ["--help"]),
        ("rich", "cli", ["--version"]),
        ("pydantic", "cli", train),
        ("tomli_w", "train", train),
        ("lightning_fabric", "train", [*train, "--devices", "2", "--accelerator", "cpu"]),
    ]
    packages, extras, lines = zip(*table, strict=True)
    results = [
        with_the_core_alone(folder, line, blocked=package)[0] for package, _, line in table[:2]
    ]  # the last three are asked for one after the other, in one process
    results += with_the_core_alone(folder, *lines[2:], blocked="art", hidden=packages[2:])
    for package, extra, (code, out, err) in zip(packages, extras, results, strict=True):
        assert (code, err.count("\n")) == (5, 1), (package, err)
        assert f"pip install 'holonet[{extra}]'" in err
        assert not out or package == "lightning_fabric"


COMMAND = ("typer", "rich", "pydantic", "pydantic_core", "tomli_w", "lightning_fabric")
UNITS = ("attacks", "calculus", "data", "diagnostics", "domains", "functions", "nn", "ops",
         "regularizers")  # fmt: skip


def test_the_library_is_imported_without_the_packages_of_command_and_training() -> None:
    blocked = sorted({*EXTRAS.split(","), *COMMAND} - {"pytest"})
    code = [
        "import sys",
        f"for n in {blocked}: sys.modules[n] = None",
        *(f"import holonet.{unit}" for unit in UNITS),
        "from holonet import nn",
        "import torch",
        "nn.HolomorphicClassifier(nn.Linear(3, 2))(torch.rand(1, 3)).sum().backward()",
        "try:\n    import holonet.training",
        "except ImportError as error:\n    assert 'holonet[train]' in str(error)",
        "else:\n    raise AssertionError",
    ]
    done = fresh_python.run("-c", "\n".join(code))
    assert done.returncode == 0, done.stderr


def test_every_module_but_those_that_draw_is_imported_with_the_core_alone() -> None:
    may = ("holonet.plots", "holonet.experiments.demo_report",
           "holonet.experiments.comparison_report", "holonet.testing.strategies",
           "holonet.interop.sklearn", "holonet.certify.check")  # fmt: skip
    names = [m.name for m in pkgutil.walk_packages(holonet.__path__, "holonet.", lambda _: None)]
    needed = [n for n in names if not n.startswith(may) and n != "holonet.__main__"]
    blocked = sorted({*EXTRAS.split(",")} - {"pytest"})  # the plugin is pytest's own
    imports = [f"import {name}" for name in needed]
    code = "\n".join(["import sys", f"for n in {blocked}: sys.modules[n] = None", *imports])
    done = fresh_python.run("-c", code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_help_breaks_lines_only_between_paragraphs_and_before_examples(name: str) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    lines = group.commands[name].load().help.split("\n")
    for above, line in itertools.pairwise(lines):
        assert not (above and line) or line.startswith("[dim]")


def test_a_command_on_a_run_takes_the_latest_where_none_is_named() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    runs = {
        name: option.required
        for name, command in group.commands.items()
        for option in command.load().params
        if option.metavar == "RUN"
    }
    assert set(runs) >= {"evaluate", "attack", "certify", "info", "predict", "export", "cite"}
    assert not any(runs.values()), runs


def test_the_list_of_commands_has_the_first_line_of_each() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert list(group.commands) == COMMANDS
    for command in group.commands.values():
        itself = command.load()
        assert command.help is not None
        assert (itself.help or "").startswith(command.help)
        assert itself.name == command.name


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("holonet pre", "predict"),
        ("holonet export runs --t", "--to"),
        ("holonet list set", "settings"),
    ],
)
def test_a_shell_completes_commands_options_and_choices(words: str, expected: str) -> None:
    environment = {
        **os.environ,
        "_HOLONET_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    code = "from holonet.cli.main import app; app(prog_name='holonet')"
    ran = fresh_python.run("-c", code, env=environment)
    assert ran.stdout.split() == [expected], ran.stderr


def test_the_help_and_the_version_import_nothing_heavy() -> None:
    code = (
        "import contextlib, io, sys\nfrom holonet.__main__ import main\nfor word in ('--help',"
        "'--version'):\n  sys.argv[1:] = [word]\n  with contextlib.suppress(SystemExit),"
        " contextlib.redirect_stdout(io.StringIO()): main()\n"
        "print([m for m in ('torch', 'numpy', 'scipy', 'pydantic', 'sklearn') if m in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def said(monkeypatch: pytest.MonkeyPatch, capsys: Any, *arguments: str) -> tuple[int, str]:
    """The exit code and the one line on stderr."""
    capsys.readouterr()
    code = run(monkeypatch, *arguments)
    line = capsys.readouterr().err
    assert line.count("\n") == 1, line
    return code, line


@pytest.fixture(scope="module")
def finished(folder: Path) -> Path:
    """A run in the folder with the data."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert CliRunner().invoke(app, ["train", *TINY, "--run-dir", "done"]).exit_code == 0
    (folder / "file").write_text("in the way")
    return folder


TINY = [*SMALL, "--hidden", "4"]
LINES = {
    "train": ["train", *TINY, "--run-dir", "OUT", "--json"],
    "resume": ["train", "--resume", "--run-dir", "OUT", "--json"],
    "evaluate": ["evaluate", "OUT", "--attack", "fgsm", "--no-sanity", "--json"],
    "attack": ["attack", "OUT", "--attack", "fgsm", "--json"],
    "certify": ["certify", "OUT", "--attack", "fgsm", "--json"],
    "compare": [
        *["compare", "--steps", "1", "--restarts", "1", "--networks", "complex-square"],
        *["--rules", "standard", *TINY, "--out", "OUT", "--json"],
    ],
    "audit": ["audit", "--only", "Dropout2d", "--out", "OUT/a.json", "--json"],
}
"""Each command that writes, quick."""


@pytest.mark.parametrize(
    ("step", "most"),
    [
        ("replace", 2),
        *(pytest.param(step, 100, marks=pytest.mark.slow) for step in ("fsync", "replace")),
    ],
)
@pytest.mark.parametrize("command", LINES)
def test_a_write_that_the_system_refuses_is_one_line(
    command: str, step: str, most: int, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Whichever of the writes it is: each in turn, the first ones or until none is refused."""
    monkeypatch.chdir(finished)
    real = getattr(os, step)
    for refused in range(1, most + 1):
        out = f"{command}-{step}-{most}-{refused}"
        if command in ("evaluate", "attack", "certify", "resume"):
            shutil.copytree("done", out)
        calls = itertools.count(1)

        def fails(
            *arguments: Any, calls: Iterator[int] = calls, refused: int = refused, **named: Any
        ) -> Any:
            if next(calls) == refused:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*arguments, **named)

        with monkeypatch.context() as patch:
            patch.setattr(os, step, fails)
            line = [word.replace("OUT", out) for word in LINES[command]]
            patch.setattr(sys, "argv", ["holonet", *line])
            try:
                main()
            except SystemExit as stop:
                code = stop.code
            else:
                break  # typer would have ended with a code
        err = capsys.readouterr().err
        if not code:
            break
        assert (code, err.count("\n")) == (2, 1), err
        assert err.startswith(f"error: {out}"), err
        assert "no space left on device: free some space" in err
        assert ("What was finished is kept" in err) == (command != "audit")
    assert refused > 1, "nothing was written"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("train --run-dir file/r", "file is a file, and a folder is needed there"),
        ("train --run-dir file", "file is a file"),
        (f"train --run-dir {'n' * 300}", "file name too long: take a shorter name"),
        ("train --config file/c.toml", "file/c.toml"),
        ("train --config .", "."),
        ("train --data file", "file"),
        ("evaluate file", "file"),
        ("compare --out file/c", "file is a file, and a folder is needed there"),
        ("demo --out file/d", "file is a file, and a folder is needed there"),
        ("reproduce shaham2015 --quick --out file/s", "file is a file"),
        ("audit --only Dropout2d --out file/a.json", "file is a file"),
        ("audit --only Dropout2d --out done", "done: is not a regular file"),
        ("bench memory --quick --out file/b.csv", "file is a file"),
        ("bench memory --quick --out done", "done: is not a regular file"),
    ],
)
def test_a_path_that_cannot_be_is_one_line(
    line: str, words: str, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(finished)
    data = ["--data", "x.npz", "--epochs", "1"]
    words_of_data = data if line.split(maxsplit=1)[0] in ("compare", "demo", "reproduce") else []
    extra = TINY if line.startswith("train --run") else words_of_data
    code, err = said(monkeypatch, capsys, *line.split(), *extra)
    assert code == 2, err
    assert words in err
    assert err.startswith("error: ")


SIGNALS = [
    (signal.SIGINT, 130, "interrupted"),
    (signal.SIGTERM, 143, "terminated"),
    (signal.SIGHUP, 129, "the terminal was closed"),
]
WORK = [
    ("train --data x.npz --run-dir i", "train.fit", "go on with holonet train --resume"),
    ("evaluate done", "evaluate.evaluate_radii", "the same command resumes"),
    ("attack done", "attack.evaluate_robustness", "the same command resumes"),
    ("certify done", "certify.evaluate_radii", "the same command resumes"),
    ("compare --data x.npz", "compare.run_comparison", "the same command resumes"),
    ("demo --data x.npz", "compare.run_demo", "the same command resumes"),
]


@pytest.mark.parametrize(
    ("number", "code", "word", "command", "where", "hint"),
    [
        pytest.param(*one, *work, marks=[] if (k - n) % 3 == 0 else pytest.mark.slow)
        for k, work in enumerate(WORK)
        for n, one in enumerate(SIGNALS)
    ],
)
def test_a_signal_ends_the_command_with_how_to_go_on(
    number: signal.Signals, code: int, word: str, command: str, where: str, hint: str,
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any,
) -> None:  # fmt: skip
    monkeypatch.chdir(finished)
    put_away = []

    def work(*_: object, **__: object) -> None:
        try:
            signal.raise_signal(number)
        finally:
            put_away.append(True)

    monkeypatch.setattr(f"holonet.cli.{where}", work)
    if number == signal.SIGINT:  # a shell ignores it for what it starts in the background
        signal.signal(number, signal.default_int_handler)
    before = signal.getsignal(number)
    shutil.rmtree("i", ignore_errors=True)
    got = run(monkeypatch, *command.split())
    err = capsys.readouterr().err
    assert (got, put_away) == (code, [True])
    assert err.count("\n") == (2 if command.startswith("train") else 1)
    assert word in err
    assert hint in err
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("package", ["typer", "torch"])
def test_an_interrupt_during_an_import_is_one_line(package: str) -> None:
    code = (
        "import sys\nclass Key:\n  def find_spec(self, name, *_):\n"
        f"    if name == {package!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Key())\nsys.argv[1:] = ['list']\n"
        "from holonet.__main__ import main\nmain()"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (130, "", "interrupted\n")


def test_a_reader_that_has_seen_enough_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as closed, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", closed)
        assert run(patch, "list", "--json") == 141
        assert run(patch, "list") == 0  # nothing is left to flush into the pipe
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("closed", [False, True])
def test_the_code_tells_where_nobody_can_read(
    closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "argv", ["holonet", "evaluate", "/nowhere"])
    if closed:
        monkeypatch.setattr(sys, "stderr", None)
    else:
        monkeypatch.setattr(sys.stderr, "write", full)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: x")]
)
def test_memory_that_is_not_there_is_one_line(
    error: Exception, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.chdir(finished)
    monkeypatch.setattr("holonet.cli.evaluate.evaluate_radii", fail)
    code, err = said(monkeypatch, capsys, "evaluate", "done")
    assert (code, "not enough memory" in err) == (2, True)


def test_a_defect_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("holonet.cli.main.app", fail)
    with pytest.raises(ZeroDivisionError):
        main()


def numeric_options() -> list[tuple[str, str, str]]:
    """Command, option and type of every option that takes a number."""
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    found = []
    for name, lazy in group.commands.items():
        hints = get_type_hints(lazy.callback())
        for parameter in lazy.load().params:
            kinds = {hints.get(parameter.name or ""), *get_args(hints.get(parameter.name or ""))}
            number = parameter.metavar in ("INTEGER", "NUMBER")
            if number or (kinds & {int, float} and bool not in kinds):
                whole = parameter.metavar == "INTEGER" or int in kinds
                found.append((name, parameter.opts[0], "int" if whole else "float"))
    return found


ARGUMENTS = {
    "evaluate": ["done"],
    "attack": ["done"],
    "certify": ["done"],
    "reproduce": ["shaham2015"],
}


@pytest.mark.parametrize("everywhere", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_there_is_no_number_without_a_bound(
    everywhere: bool, finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A negative count is a slice to Python; NaN passes every comparison.

    Each name of an option is given one of these, in turn; everywhere, all of them are given to
    every option of every command.
    """
    monkeypatch.chdir(finished)
    options = numeric_options()
    assert len(options) > 60
    taken, known = [], set()
    for command, option, kind in options:
        bad = ["-1", "-9" * 12, "nan", "inf"] if kind == "float" else ["-1", "-5", "1" * 25]
        if option == "--clip":
            bad.remove("inf")  # no limit
        if kind == "int" and not option.endswith(("seed", "residual")):
            bad[2:] = ["0"]  # how many is too many is not for the command to say
        if not everywhere:
            bad = [] if option in known else [bad[len(known) % len(bad)]]
        known.add(option)
        for value in bad:
            code = run(monkeypatch, command, *ARGUMENTS.get(command, []), f"{option}={value}")
            err = capsys.readouterr().err
            named = any(word.rstrip("s") in err for word in option.strip("-").split("-"))
            if code != 2 or not named:
                taken.append((command, option, value, code, err))
    assert not taken


GENTLE = ["--epochs", "60", "--batch-size", "256", "--lr", "0.003", "--rule", "analytic"]
HOSTILE = ["a[/b]", "[red]x", "cost$_5^$", "\x1b[31mred", ":smile:", os.fsdecode(b"\xff"), "b\\"]


@pytest.mark.parametrize(
    "names",
    [["".join(HOSTILE)], pytest.param(HOSTILE, marks=pytest.mark.slow)],
    ids=["in one", "each"],
)
def test_names_of_folders_are_no_markup_no_formula_and_no_orders_to_the_terminal(
    names: list[str], finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(finished)
    monkeypatch.setattr("holonet.cli.attack.COLUMNS", 1)
    shutil.rmtree("good", ignore_errors=True)
    assert not run(monkeypatch, "train", *TINY[:2], *GENTLE, "--run-dir", "good")
    for name in names:
        shutil.copytree("good", name)
        shown = printable(name)
        monkeypatch.setenv("COLUMNS", "200")
        assert not run(monkeypatch, "attack", name, "--attack", "fgsm", "--transfer", "good")
        capsys.readouterr()
        assert not run(monkeypatch, "evaluate", name, "--attack", "fgsm", "--no-sanity")
        out = capsys.readouterr().out
        assert f"The picture is {shown}/evaluation.png" in out
        assert "\x1b[31m" not in out
        assert (finished / name / "attacks" / "Linf-0.1" / "transfer.png").exists()
