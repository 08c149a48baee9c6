"""`holonet hypothesis`: its options reach the study, and wrong ones are refused before any work."""

from typing import Any

import pytest
from typer.testing import CliRunner

import holonet.cli.hypothesis as module
from holonet.cli.main import app
from holonet.cli.options import typed_command
from holonet.errors import ConfigError, DataError, UnknownNameError


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["hypothesis", *arguments])


def test_options_reach_the_study(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Any] = []

    def run(ctx: Any, study: Any, out: Any, **how: Any) -> None:
        runs.append((study, how, typed_command(ctx)))

    monkeypatch.setattr(module, "run", run)
    options = ["--claims", "H1a,H2", "--attack", "strong", "--eps", "0.2", "--lr", "0.003"]
    options += ["--activations", "square,relu", "--no-controls"]
    done = invoke(*options, "--seeds", "4", "--epochs", "3", "--quick", "--processes", "2")
    assert done.exit_code == 0, done.output
    ((study, how, command),) = runs
    assert "--activations square,relu --no-controls --attack strong" in command
    assert study.chosen == ("H1a", "H2-defect", "H2-energy", "H2-singularity")
    assert (study.attack, study.eps, study.lr) == ("strong", 0.2, 0.003)
    assert (study.activations, study.controls) == (("square", "relu"), False)
    assert (study.seeds, study.epochs, study.data.name) == (4, 3, "digits")
    assert how == {"quick": True, "processes": 2, "as_json": False}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--claims", "H9"], UnknownNameError),
        (["--seeds", "1"], ConfigError),
        (["--attack", "none"], ConfigError),
        (["--data", "mnist"], DataError),
    ],
)
def test_wrong_usage_is_a_holonet_error(arguments: list[str], error: type[Exception]) -> None:
    assert isinstance(invoke(*arguments).exception, error)
