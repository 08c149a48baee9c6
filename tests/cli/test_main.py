"""The entry point: help that teaches, and exit codes that mean something."""

import runpy
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from holonet.cli.main import app, main
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    HolonetError,
    MissingDependencyError,
    NumericalError,
)

COMMANDS = ["train", "evaluate", "attack", "compare", "demo", "reproduce", "list"]


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
