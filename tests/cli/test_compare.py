"""`holonet demo` and `holonet compare` on small data."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from holonet.cli.main import app
from holonet.data import load_digits
from holonet.errors import ConfigError, RunExistsError
from holonet.experiments import demo
from holonet.experiments.protocol import Protocol
from holonet.plots import new_figure
from holonet.training import RunConfig, accuracy, load_run


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "small.npz"
    digits = load_digits().subset(train=100, test=20)
    np.savez(
        path,
        x_train=digits.x_train.numpy(),
        y_train=digits.y_train.numpy(),
        x_test=digits.x_test.numpy(),
        y_test=digits.y_test.numpy(),
    )
    return path


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def empty_pictures(monkeypatch: pytest.MonkeyPatch, module: str, *names: str) -> None:
    """Quickly drawn, where they are not what a test is about."""
    for name in names:
        what = f"holonet.experiments.{module}.{name}"
        monkeypatch.setattr(what, lambda *_, **__: new_figure(1, 1)[0])


@pytest.mark.parametrize("drawn", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_demo_writes_one_self_contained_report(
    drawn: bool, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not drawn:
        pictures = ("phase_portrait", "plot_modes", "plot_robustness", "plot_training")
        empty_pictures(monkeypatch, "demo_report", *pictures)
    monkeypatch.setattr(demo, "Protocol", lambda: Protocol(steps=2, restarts=1))
    monkeypatch.setattr(demo, "PROVED", 3)
    result = invoke("demo", "--data", str(small), "--epochs", "2", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert str((tmp_path / "report.html").resolve()) in result.stdout.replace("\n", "")
    assert "Certified, attacked and clean accuracy at l_inf" in " ".join(result.stdout.split())
    html = (tmp_path / "report.html").read_text()
    for part in (
        "Robust accuracy against",
        "Training",
        "logit difference on a complex line",
        "Is the trained network holomorphic?",
        "What is proved",
        "Methods: intervals, tangents, and second_order for squares",
    ):
        assert part in html
    # its notes say that the last two sections are of one network
    assert html.index("What is proved") < html.index("logit difference on a complex line")
    assert html.count("<img") == 4
    assert 'src="http' not in html
    again = invoke("demo", "--data", str(small), "--epochs", "2", "--out", str(tmp_path))
    assert isinstance(again.exception, RunExistsError)


def test_compare_keeps_six_contenders_of_equal_size(small: Path, tmp_path: Path) -> None:
    arguments = [
        "compare", "--data", str(small), "--hidden", "8", "--epochs", "1", "--steps", "2",
        "--restarts", "1", "--out", str(tmp_path), "--seeds", "2", "--json",
    ]  # fmt: skip
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert len(rows) == 12
    assert {r["label"] for r in rows} == {
        f"{network}, {rule}"
        for network in ("complex square", "real square", "real relu")
        for rule in ("linearized", "standard")
    }
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == rows
    assert {r["seed"] for r in rows} == {0, 1}
    sizes = {r["parameters"] for r in rows}
    assert max(sizes) / min(sizes) < 1.1
    for row in rows:  # each is a run like any other
        _, data, model = load_run(row["folder"])
        assert accuracy(model, data.x_test, data.y_test) == row["clean"]


def test_compare_shows_a_column_for_each_radius_and_the_step_over_the_standard_one(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    arguments = [
        "compare", "--data", str(small), "--hidden", "8", "--epochs", "1", "--steps", "1",
        "--restarts", "1", "--networks", "real-sin", "--eps", "0.1,0.05", "--out", str(tmp_path),
    ]  # fmt: skip
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    for part in ("pgd % at 0.1", "pgd % at 0.05", "training s", "step / standard"):
        assert part in result.stdout
    assert "real sin, linearized" in result.stdout
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img") == 1  # a picture for each network
    for option in ("holonet compare ", "--networks real-sin", "--eps 0.1,0.05"):
        assert option in page
    assert "--out" not in page
    assert "Wilson" in page
    run = RunConfig.read(tmp_path / "real-sin-linearized-seed0" / "config.toml")
    assert run.rule.eps == 0.1  # the first radius
    assert (run.model.coefficients, run.model.activation) == ("real", "sin")
    assert run.model.match == "parameters"
    alone = invoke(*arguments, "--rules", "linearized")
    assert "training s" in alone.stdout
    assert "standard" not in alone.stdout


def test_thresholds_multiply_the_rows(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_pictures(monkeypatch, "comparison_report", "plot_robustness")
    arguments = [
        "compare", "--data", str(small), "--hidden", "8", "--epochs", "1", "--steps", "1",
        "--restarts", "1", "--networks", "real-square,complex-square", "--rules", "linearized",
        "--thresholds", "none,shared", "--at", "center", "--out", str(tmp_path), "--json",
    ]  # fmt: skip
    rows = json.loads(invoke(*arguments).stdout)
    assert [row["label"] for row in rows] == [
        f"{network} square{behind}, linearized"
        for network in ("real", "complex")
        for behind in ("", ", shared threshold")
    ]
    thresholds = [
        RunConfig.read(Path(row["folder"]) / "config.toml").model.threshold for row in rows
    ]
    assert thresholds == ["none", "shared"] * 2
    places = ["", "the image box of Threshold"]
    assert [row["searched_in"] for row in rows] == [{"0.0": "", "0.1": p} for p in places] * 2
    text = " ".join(invoke(*arguments[:-1]).stdout.split())
    assert "Searched in the image box of Threshold: real square, shared threshold" in text


def test_differences_to_a_reference_row_are_paired_over_seeds(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty_pictures(monkeypatch, "comparison_report", "plot_robustness")
    monkeypatch.setenv("COLUMNS", "200")
    arguments = [
        "compare", "--data", str(small), "--hidden", "8", "--epochs", "1", "--steps", "1",
        "--restarts", "1", "--networks", "real-square", "--rules",
        "linearized@data,linearized@center", "--seeds", "2", "--holdout", "30",
        "--out", str(tmp_path),
    ]  # fmt: skip
    result = invoke(*arguments, "--reference", "real square, linearized@data")
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    clean = {(row["label"], row["seed"]): row["clean"] for row in rows}
    center, data = "real square, linearized@center", "real square, linearized@data"
    difference = 50 * sum(clean[center, seed] - clean[data, seed] for seed in (0, 1))
    table = result.stdout.split("points above real square, linearized@data")[1]
    assert f"{difference:+.2f}" in table.split(center)[1]
    run = RunConfig.read(tmp_path / "real-square-linearized-center-seed0" / "config.toml")
    assert (run.rule.name, run.rule.at, run.data.holdout) == ("linearized", "center", 30)
    unknown = invoke(*arguments, "--reference", "real square")
    assert isinstance(unknown.exception, ConfigError)
    assert "the rows are real square, linearized@data; real" in str(unknown.exception)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("--rules standard,pgd --weight 1", "rule.weight changes nothing"),
        ("--networks real-relu --gain 2", "model.activation = 'relu'"),
        ("--networks complex-sin --match macs", "model.coefficients = 'complex'"),
        ("--rules standard --train-eps 0.2", "rule.eps changes nothing"),
        ("--attack strong --steps 3", "--steps changes nothing"),
        ("--data-root .", "data.name = 'digits'"),
    ],
)
def test_an_option_that_changes_nothing_anywhere_is_refused(
    options: str, reason: str, tmp_path: Path
) -> None:
    result = invoke("compare", "--out", str(tmp_path / "c"), *options.split())
    assert isinstance(result.exception, ConfigError), result.output
    assert reason in str(result.exception)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--schedule", "lin", "'linear' or 'cosine'"),
        ("--networks", "unreal", "--networks unreal: write COEFFICIENTS-ACTIVATION"),
        ("--networks", "unreal-sin", "did you mean 'real'"),
        ("--networks", "real-sin,complex-relu", "relu is piecewise"),
        ("--networks", "real-sin,complex-tahn", "did you mean 'tan' or 'tanh'"),
        ("--match", "size", "'parameters' or 'macs'"),
        ("--thresholds", "none,one", "'shared' or 'channel'"),
        ("--rules", "linearized@centre", "did you mean 'center'"),
        ("--rules", "pgd@center", "only linearized takes @"),
        ("--eps", "0.1,-1", r"eps=-1\.0"),
        ("--warm-up", "2", "warm_up = '2'"),
    ],
)
def test_a_bad_option_is_a_holonet_error(
    tmp_path: Path, option: str, value: str, message: str
) -> None:
    result = invoke("compare", "--out", str(tmp_path), option, value)
    assert isinstance(result.exception, ConfigError)
    assert re.search(message, str(result.exception))
