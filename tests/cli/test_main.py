"""The entry point: help that teaches, and exit codes that mean something."""

import json
import os
import pkgutil
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import holonet
from holonet.cli.main import app, main
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
    "compare",
    "demo",
    "reproduce",
    "audit",
    "bench",
    "list",
]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["holonet", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


@pytest.mark.parametrize("command", COMMANDS)
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

for line in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    sys.argv[1:] = line
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue(), "torch" in sys.modules]))
"""
# all but sympy and mpmath, without which torch's optimizers are not imported
EXTRAS = (
    "matplotlib,jinja2,sklearn,hypothesis,pyautoattack,triton,torchattacks,foolbox,art,"
    "beartype,pytest,mkdocs"
)


def with_the_core_alone(
    folder: Path, *lines: list[str], blocked: str = EXTRAS
) -> list[tuple[int, str, str, bool]]:
    """Exit code, stdout, stderr, and whether torch was imported, of each line in one process."""
    ran = subprocess.run(
        [sys.executable, "-c", CORE_ALONE, blocked],
        input=json.dumps(lines),
        capture_output=True,
        check=False,
        text=True,
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


def test_the_command_works_with_the_core_alone(folder: Path) -> None:
    lines = [
        ["--help"],
        ["--version"],
        *([command, "--help"] for command in COMMANDS),
        ["list"],
        ["list", "datasets"],
        ["train", *SMALL, "--hidden", "4", "--run-dir", "r"],
        ["evaluate", "r", "--attacks", "fgsm", "--no-sanity"],
        ["attack", "r", "--attack", "fgsm", "--json"],
        ["compare", *SMALL, "--hidden", "4", "--steps", "1", "--restarts", "1", "--out", "c"],
        ["audit", "--only", "Dropout2d"],
    ]
    results = with_the_core_alone(folder, *lines)
    assert [code for code, *_ in results] == [0] * len(lines), results
    assert not any(torch_too for *_, torch_too in results[:2])  # 0.2 instead of 2.5 seconds
    evaluated = results[len(lines) - 4][1]
    assert "no picture evaluation.png: Drawing needs" in evaluated


def test_what_is_missing_is_one_line_before_any_work(folder: Path) -> None:
    lines = {
        "train --run-dir m": "scikit-learn, which is not installed: pip install 'holonet[datasets]",
        "demo --data x.npz --out d": "holonet[plots]",
        "reproduce shaham2015 --quick --data x.npz --out s": "holonet[plots]",
        "reproduce barati2022 --quick --data x.npz --out s": "holonet[plots]",
        "compare --data x.npz --attack autoattack --out t": "holonet[attacks]",
        "evaluate r --attacks strong,autoattack": "holonet[attacks]",
        "attack r --attack autoattack": "holonet[attacks]",
        "attack r --attack torchattacks:PGD": "torchattacks",
        "attack r --attack foolbox:LinfPGD": "foolbox",
        "attack r --attack art:FastGradientMethod": "adversarial-robustness-toolbox",
    }
    results = with_the_core_alone(folder, *(line.split() for line in lines))
    for (line, extra), (code, out, err, _) in zip(lines.items(), results, strict=True):
        assert (code, out, err.count("\n")) == (5, "", 1), (line, err)
        assert err.startswith("error: "), line
        assert extra in err, line
    assert not [name for name in "mdst" if (folder / name).exists()]


def test_every_module_but_those_that_draw_is_imported_with_the_core_alone() -> None:
    may = ("holonet.plots", "holonet.experiments.demo_report", "holonet.ops.affine.fused",
           "holonet.experiments.barati2022.figures_", "holonet.testing.strategies")  # fmt: skip
    names = [m.name for m in pkgutil.walk_packages(holonet.__path__, "holonet.", lambda _: None)]
    needed = [n for n in names if not n.startswith(may) and n != "holonet.__main__"]
    blocked = sorted({*EXTRAS.split(",")} - {"pytest"})  # the plugin is pytest's own
    imports = [f"import {name}" for name in needed]
    code = "\n".join(["import sys", f"for n in {blocked}: sys.modules[n] = None", *imports])
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_list_of_commands_has_the_first_line_of_each() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    assert list(group.commands) == COMMANDS
    for command in group.commands.values():
        itself = command.load()
        assert command.help is not None
        assert (itself.help or "").startswith(command.help)
        assert itself.name == command.name
