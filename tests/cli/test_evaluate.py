"""`holonet evaluate`: the worst case, whether to believe it, and what stays in the run folder."""

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import holonet.cli.evaluate as command
from holonet.attacks import ThreatModel
from holonet.attacks.worst_case import ATTACKS, worst_case
from holonet.cli.main import app
from holonet.diagnostics import RobustnessReport
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    HolonetError,
    UnknownNameError,
)
from holonet.plots import new_figure
from holonet.training import load_run

QUICK = ["--attack", "pgd", "--steps", "3", "--restarts", "1", "--no-sanity"]


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def evaluated(folder: Path, *options: str) -> dict[str, Any]:
    result = invoke("evaluate", str(folder), "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failure(result: Any) -> HolonetError:
    assert isinstance(result.exception, HolonetError), result.output
    return result.exception


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "one"
    small = [
        "--train-size",
        "400",
        "--test-size",
        "30",
        "--hidden",
        "8",
        "--epochs",
        "8",
        "--batch-size",
        "50",
    ]
    assert invoke("train", "--run-dir", str(folder), *small, "--json").exit_code == 0
    return folder


@pytest.fixture(scope="module")
def behind_threshold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "threshold"
    options = "--threshold shared --coefficients real --hidden 8 --epochs 4 --train-size 400"
    assert invoke("train", "--run-dir", str(folder), *options.split(), "--json").exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def small_picture(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty picture, quickly drawn, where `evaluation.png` is not what a test is about."""
    if "pictures" not in request.fixturenames:
        monkeypatch.setattr("holonet.cli.evaluate._picture", lambda *_: new_figure(1, 1)[0])


@pytest.fixture
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sanity list and the distances with few steps, where they only have to be there."""
    for name, few in (
        ("gradient_masking_checks", {"steps": 4, "queries": 50}),
        ("minimum_norm_perturbations", {"steps": 4, "rounds": 3}),
    ):
        whole = getattr(command, name)
        monkeypatch.setattr(command, name, partial(whole, **few))


@pytest.fixture
def pictures() -> None:
    """Asks for pictures as users see them."""


@pytest.mark.usefixtures("forked_processes")
@pytest.mark.parametrize(
    "attack", ["pgd", *(pytest.param(a, marks=pytest.mark.slow) for a in ("strong", "autoattack"))]
)
def test_text_json_and_folder_say_that_attacks_search_the_image_box(
    behind_threshold: Path, attack: str
) -> None:
    if attack == "autoattack":
        pytest.importorskip("pyautoattack")
    where = "the image box of Threshold"
    eps = "0.9" if attack == "autoattack" else "0.1"  # its first attack leaves nothing to others
    options = ["--attack", attack, "--eps", eps, "--examples", "12", "--no-sanity"]
    options += ["--steps", "3"] if attack != "autoattack" else []
    options += ["--queries", "20"] if attack == "strong" else []
    found = evaluated(behind_threshold, *options)
    assert found["curve"][0]["correct"] > 0
    for part in ("curve", "reports"):
        assert [entry["searched_in"] for entry in found[part]] == ["", where]
    assert json.loads((behind_threshold / "evaluation.json").read_text()) == found
    saved = RobustnessReport.load(behind_threshold / "evaluation" / f"Linf-{eps}.npz")
    assert saved.searched_in == where
    text = invoke("evaluate", str(behind_threshold), *options).stdout
    assert f"Attacked in the box [0, 1]. Searched in {where}." in " ".join(text.split())


def test_attacks_of_a_network_without_a_threshold_are_said_to_stay_in_the_box(
    finished: Path,
) -> None:
    text = invoke("evaluate", str(finished), *QUICK).stdout
    assert "Attacked in the box [0, 1]." in text
    assert "Searched" not in text


@pytest.mark.usefixtures("pictures")
def test_a_curve_is_printed_and_kept(finished: Path) -> None:
    found = evaluated(finished, "--eps", "0.1,0.05", *QUICK)
    curve = found["curve"]
    assert [p["eps"] for p in curve] == [0.0, 0.05, 0.1]
    assert curve[0]["accuracy"] >= curve[1]["accuracy"] >= curve[2]["accuracy"]
    assert curve[0]["interval"][0] <= curve[0]["accuracy"] <= curve[0]["interval"][1]
    assert json.loads((finished / "evaluation.json").read_text()) == found
    assert found["attack"] == {
        "norm": "Linf",
        "bounds": [0.0, 1.0],
        "attacks": ["pgd"],
        "steps": 3,
        "restarts": 1,
        "queries": None,
        "seed": 0,
    }
    assert found["provenance"]["torch"]
    assert (finished / "evaluation.png").read_bytes().startswith(b"\x89PNG")


def test_the_numbers_are_those_of_the_attack(finished: Path) -> None:
    found = evaluated(finished, "--eps", "0.1", "--examples", "20", "--norm", "L2", *QUICK)
    _, data, network = load_run(finished)
    x, y = data.x_test[:20], data.y_test[:20]
    right = network(x).argmax(1) == y
    pgd = {"pgd": partial(ATTACKS["pgd"], steps=3, restarts=1)}
    attacked = worst_case(network, x, y, ThreatModel("L2", 0.1), pgd, seed=0)
    assert found["curve"][0]["correct"] == int(right.sum())
    assert found["curve"][1]["correct"] == int((~attacked.success).sum())
    report = RobustnessReport.load(finished / "evaluation" / "L2-0.1.npz")
    assert report.robust.correct == found["curve"][1]["correct"]
    assert report.threat.contains(report.x_adv, x).all()


@pytest.mark.usefixtures("short_searches")
def test_the_ensemble_and_the_sanity_list_by_default(finished: Path) -> None:
    found = evaluated(
        finished, "--examples", "8", "--steps", "4", "--queries", "50", "--eps", "0.05"
    )
    assert found["attack"]["attacks"] == ["apgd-ce", "apgd-dlr", "apgd-t", "square"]
    names = [check["name"] for check in found["sanity"]]
    assert names[0] == "deterministic"
    assert len(names) == 7
    after = found["reports"][1]["after"]
    left = [after[name]["correct"] for name in found["attack"]["attacks"]]
    assert left == sorted(left, reverse=True)
    assert left[-1] == found["curve"][1]["correct"]


@pytest.mark.usefixtures("short_searches")
def test_text_has_a_table_and_what_failed(finished: Path) -> None:
    options = ["--steps", "2", "--restarts", "1", "--examples", "10", "--attack", "pgd,fgsm"]
    result = invoke("evaluate", str(finished), *options, "--distances")
    assert result.exit_code == 0, result.output
    for text in (
        "95% interval",
        "accuracy % left",
        "Sanity at Linf 0.1",
        "deterministic",
        "median",
    ):
        assert text in result.stdout
    assert "attacking" not in result.stdout  # the bars are on stderr


def test_distances_agree_with_the_curve(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = partial(command.minimum_norm_perturbations, targets=3, steps=10, rounds=6)
    monkeypatch.setattr(command, "minimum_norm_perturbations", shorter)
    found = evaluated(finished, "--eps", "0.2", "--distances", *QUICK)
    distances = found["distances"]["distance"]
    assert len(distances) == 30
    assert sum(d == 0 for d in distances) == 30 - found["curve"][0]["correct"]
    left = sum(d is None or d > 0.2 for d in distances)
    assert left <= found["curve"][1]["correct"] + 1


def test_a_second_call_goes_on_with_what_is_there(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    before = evaluated(copy, *QUICK)

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("holonet.diagnostics.evaluation.worst_case", never)
    assert evaluated(copy, *QUICK) == before


def test_radius_0_alone_is_the_clean_accuracy(finished: Path) -> None:
    found = evaluated(finished, "--eps", "0", "--distances")
    assert [p["eps"] for p in found["curve"]] == [0.0]
    assert found["sanity"] == []
    assert found["distances"] is None


def test_without_matplotlib_the_numbers_stay(
    finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from holonet.errors import MissingDependencyError

    def missing(*_: object, **__: object) -> None:
        raise MissingDependencyError("matplotlib", "plots", "Drawing")

    monkeypatch.setattr("holonet.cli.evaluate._picture", missing)
    result = invoke("evaluate", str(finished), *QUICK)
    assert result.exit_code == 0
    assert "no picture evaluation.png" in result.stdout


@pytest.mark.parametrize(
    ("options", "kind", "hint"),
    [
        (["--eps", "-0.1"], ConfigError, "eps=-0.1"),
        (["--norm", "L7"], ConfigError, "L7"),
        (["--attack", "pdg"], UnknownNameError, "'pgd'"),
        (["--attack", "cleverhans:PGD"], UnknownNameError, "torchattacks:<name>"),
    ],
)
def test_bad_attacks_are_refused(
    finished: Path, options: list[str], kind: type[HolonetError], hint: str
) -> None:
    error = failure(invoke("evaluate", str(finished), *options))
    assert isinstance(error, kind)
    assert hint in str(error)


def test_a_folder_without_a_run(tmp_path: Path) -> None:
    error = failure(invoke("evaluate", str(tmp_path)))
    assert isinstance(error, ConfigError)
    assert f"{tmp_path} holds no run" in str(error)


def test_damaged_weights(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    assert isinstance(failure(invoke("evaluate", str(copy))), CheckpointError)


def test_the_stream_of_torch_is_not_touched(finished: Path) -> None:
    state = torch.get_rng_state()
    evaluated(finished, *QUICK)
    assert torch.equal(state, torch.get_rng_state())


def test_other_data_are_refused_unless_they_are_meant(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    config = (run / "config.toml").read_text()
    (run / "config.toml").write_text(config.replace("test = 30", "test = 31"))
    error = failure(invoke("evaluate", str(run), *QUICK))
    assert isinstance(error, DataError)
    assert "data.test: 30 and 31" in str(error)
    found = evaluated(run, "--eps", "0", "--other-data", *QUICK)
    assert found["curve"][0]["examples"] == 31


def test_two_radii_that_look_alike_have_two_files(finished: Path, tmp_path: Path) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    result = invoke("evaluate", str(run), "--eps", "0.1,0.1000001", "--norm", "linf", *QUICK)
    assert result.exit_code == 0, result.output
    names = {file.name for file in (run / "evaluation").glob("Linf-0.1*.npz")}
    assert names == {"Linf-0.1.npz", "Linf-0.1000001.npz"}
    assert "Attacked in the box [0, 1]." in result.output
