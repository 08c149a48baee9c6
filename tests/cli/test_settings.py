"""Options made from the fields of the configuration."""

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from holonet.cli.settings import FIELDS, NAMES, configured, described, require_used, takes_settings
from holonet.errors import ConfigError
from holonet.training import RuleConfig, RunConfig, TrainConfig


def application(**options: Any) -> tuple[typer.Typer, list[dict[str, str]]]:
    """A command with settings, and what it was given."""
    calls: list[dict[str, str]] = []
    app = typer.Typer()

    @app.command()
    @takes_settings(**options)
    def command(flag: bool = False, *, settings: dict[str, str]) -> None:
        calls.append(settings)

    return app, calls


def test_every_setting_is_an_option_with_help_and_default() -> None:
    app, calls = application()
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    line: list[str] = []
    typed: dict[str, str] = {}
    for key, field in FIELDS.items():
        name = NAMES.get(key, key.split(".")[1].replace("_", "-"))
        assert re.search(rf"--{name} ", shown), key
        assert field.description, key
        text = {"rule.bounds": "none", "model.hidden": "3"}.get(key, described(key)[1])
        line += [f"--{name}", text]
        typed[key] = text
        if text != "none" or key.endswith("bounds"):
            configured(RunConfig(), {key: text})
    assert CliRunner().invoke(app, line).exit_code == 0
    assert calls == [typed]
    assert len(FIELDS) == 69


def test_defaults_as_they_are_typed_are_the_defaults() -> None:
    typed = {key: described(key)[1] for key in FIELDS}
    assert configured(RunConfig(), typed) == RunConfig()


def test_any_setting_is_reached_by_its_key() -> None:
    app, calls = application()
    line = ["--set", "rule.bounds=none", "--set", "train.lr=0.5", "--epochs", "3"]
    assert CliRunner().invoke(app, line).exit_code == 0
    run = configured(RunConfig(), calls[0])
    assert run == RunConfig(rule=RuleConfig(bounds="none"), train=TrainConfig(lr=0.5, epochs=3))
    for bad in ("rule.bounds", "bounds=none"):
        assert isinstance(CliRunner().invoke(app, ["--set", bad]).exception, ConfigError)


def test_some_settings_may_be_options_and_others_not() -> None:
    app, _ = application(only=("data.name",))
    assert CliRunner().invoke(app, ["--data", "x"]).exit_code == 0
    assert CliRunner().invoke(app, ["--epochs", "1"]).exit_code == 2
    assert CliRunner().invoke(app, ["--set", "train.epochs=1"]).exit_code == 2
    app, calls = application(names={"rule.eps": "train-eps"}, without=("model.match",))
    assert CliRunner().invoke(app, ["--match", "macs"]).exit_code == 2
    assert CliRunner().invoke(app, ["--train-eps", "0.2"]).exit_code == 0
    assert calls == [{"rule.eps": "0.2"}]
    refused = CliRunner().invoke(app, ["--set", "model.match=macs"])
    assert "an option of its own" in str(refused.exception)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("rule.norm", "linf", "Linf"),
        ("rule.bounds", "NONE", "none"),
        ("rule.bounds", "-1,2", (-1.0, 2.0)),
        ("rule.probes", "exact", "exact"),
        ("rule.probes", "3", 3),
        ("model.hidden", "8,4", (8, 4)),
        ("model.hidden", "", ()),
        ("model.gain", "data", "data"),
        ("model.gain", "0.5", 0.5),
        ("data.train", "none", None),
        ("data.train", "7", 7),
        ("train.clip", "inf", float("inf")),
    ],
)
def test_texts_are_read(key: str, text: str, value: object) -> None:
    section, name = key.split(".")
    assert getattr(getattr(configured(RunConfig(), {key: text}), section), name) == value


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("train.epoch", "3", "unknown key train.epoch, did you mean epochs"),
        ("rul.eps", "3", "unknown key rul, did you mean rule"),
        ("train.epochs", "x", "options: train.epochs = 'x': "),
        ("rule.norm", "L7", "rule.norm = 'L7'"),
    ],
)
def test_faults_name_the_key(key: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        configured(RunConfig(), {key: text})


def test_what_no_run_uses_is_refused() -> None:
    standard = RunConfig(rule=RuleConfig(name="standard"))
    with pytest.raises(ConfigError, match=r"rule\.beta changes nothing with rule\.name"):
        require_used(["rule.beta"], [standard])
    require_used(["rule.beta"], [standard, RunConfig(rule=RuleConfig(name="trades"))])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--rule ", ["standard", "pgd", "analytic", "linearized"]),
        ("--data ph", ["photographs"]),
        ("--activation ta", ["tan", "tanh"]),
        ("--lif", ["--lift"]),
    ],
)
def test_a_shell_completes_options_and_choices(words: str, expected: list[str]) -> None:
    app, _ = application()
    line = f"command {words}"
    env = {
        "_COMMAND_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }
    result = CliRunner().invoke(app, env=env, prog_name="command", complete_var="_COMMAND_COMPLETE")
    assert set(expected) <= set(result.output.split())
    assert not words.startswith("--data") or result.output.split() == expected
