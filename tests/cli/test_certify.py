"""`holonet certify`: certified, attacked and clean accuracy, and a record of each example."""

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from holonet.certify import certify
from holonet.cli.main import app
from holonet.errors import (
    ConfigError,
    HolonetError,
    InputTypeError,
    MissingDependencyError,
    UnknownNameError,
)
from holonet.plots import new_figure
from holonet.threats import ThreatModel
from holonet.training import load_run

QUICK = ["--steps", "3", "--examples", "8", "--eps", "0.02"]


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def certified(folder: Path, *options: str) -> dict[str, Any]:
    result = invoke("certify", str(folder), "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failure(result: Any) -> HolonetError:
    assert isinstance(result.exception, HolonetError), result.output
    return result.exception


def trained(folder: Path, *options: str) -> Path:
    line = [
        "--hidden",
        "16,8",
        "--epochs",
        "8",
        "--train-size",
        "700",
        "--rule",
        "linearized",
        "--eps",
        "0.05",
    ]
    result = invoke("train", "--run-dir", str(folder), *line, *options, "--json")
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "squares"
    return trained(folder, "--coefficients", "real", "--threshold", "shared")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("runs") / "whole", "--activation", "tanh")


@pytest.fixture(autouse=True)
def small_picture(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty picture, quickly drawn, where it is not what a test is about."""
    if "picture" not in request.node.name:
        monkeypatch.setattr("holonet.cli.certify._picture", lambda *_: new_figure(1, 1)[0])


def test_the_numbers_are_those_of_certify_and_of_the_records(squares: Path) -> None:
    found = certified(squares, *QUICK, "--semantics", "exact", "--methods", "intervals,tangents")
    _, data, network = load_run(squares)
    x, y = data.x_test[:8], data.y_test[:8]
    proofs = certify(network, x, y, ThreatModel("Linf", 0.02), ["intervals", "tangents"])
    (row,) = found["curve"]
    assert row["certified"]["correct"] == sum(p.holds for p in proofs)
    lines = (squares / "certificates" / "Linf-0.02.jsonl").read_text().splitlines()
    margins = [json.loads(line)["margin"] for line in lines]
    assert sorted(margins) == pytest.approx(sorted(p.margin for p in proofs), rel=1e-6)
    assert json.loads((squares / "certification.json").read_text()) == found
    assert row["certified"]["interval"][0] <= row["certified"]["accuracy"]


def test_certified_is_at_most_attacked_at_most_clean(squares: Path) -> None:
    found = certified(squares, "--steps", "10", "--examples", "8", "--eps", "0.05,0.02")
    assert found["methods"] == ["intervals", "second_order", "splits"]
    assert found["semantics"] == "executed float32"
    assert [row["eps"] for row in found["curve"]] == [0.02, 0.05]
    for row in found["curve"]:
        counts = [row[name]["correct"] for name in ("certified", "attacked", "clean")]
        assert counts == sorted(counts)
        assert not row["contradictions"]
        assert sum(row["by_method"].values()) == counts[0]
    assert found["curve"][0]["certified"]["correct"] > 0


def test_l2_balls_have_records_of_their_own(squares: Path) -> None:
    found = certified(squares, *QUICK, "--norm", "l2", "--eps", "0.02,0.1")
    assert found["norm"] == "L2"
    assert found["methods"] == ["intervals", "second_order"]
    small, _ = found["curve"]
    box = certified(squares, *QUICK, "--methods", "intervals,second_order")["curve"][0]
    for row in found["curve"]:
        counts = [row[name]["correct"] for name in ("certified", "attacked", "clean")]
        assert counts == sorted(counts)
        assert not row["contradictions"]
    assert small["certified"]["correct"] >= box["certified"]["correct"]
    assert len((squares / "certificates" / "L2-0.1.jsonl").read_text().splitlines()) == 8


def test_radii_are_beside_those_of_the_attack_and_kept(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = [*QUICK, "--radius"]
    found = certified(whole, *options)["radius"]
    assert found["limit"] == 0.02
    assert 0 < found["certified"]["mean"] < found["attacked"]["mean"] <= 0.02
    assert not found["contradictions"]
    lines = (whole / "certificates" / "Linf-radius.jsonl").read_text().splitlines()
    kept = [json.loads(line)["radius"] for line in lines]
    assert sum(kept) / len(kept) == pytest.approx(found["certified"]["mean"])

    def never(model: Any, x: Any, *_: Any, **__: Any) -> Any:
        assert not len(x)
        return torch.zeros(0)

    monkeypatch.setattr("holonet.certify.records.certified_radius", never)
    result = invoke("certify", str(whole), *options)
    assert "Linf radii of 8 examples, up to 0.02" in " ".join(result.stdout.split())
    certified_mean = f"{found['certified']['mean']:.4g}"
    assert certified_mean in result.stdout


def test_other_networks_take_intervals_and_tangents(whole: Path) -> None:
    found = certified(whole, *QUICK, "--eps", "0.001")
    assert found["methods"] == ["intervals", "tangents"]
    assert found["curve"][0]["certified"]["correct"] > 0


def test_a_second_call_takes_what_is_there(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(squares, copy)
    before = certified(copy, *QUICK)

    def never(model: Any, x: Any, *_: Any) -> list[Any]:
        assert not len(x)
        return []

    monkeypatch.setattr("holonet.certify.records.certify", never)
    assert certified(copy, *QUICK)["curve"] == before["curve"]


def test_a_call_that_was_interrupted_keeps_finished_examples(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(squares, copy)
    shutil.rmtree(copy / "certificates", ignore_errors=True)
    import holonet.certify.records as module

    true, calls, options = module.certify, [0], [*QUICK, "--examples", "20"]

    def killed(*arguments: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return true(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "certify", killed)
        assert invoke("certify", str(copy), *options).exit_code != 0
    lines = (copy / "certificates" / "Linf-0.02.jsonl").read_text().splitlines()
    assert 0 < len(lines) < 20
    resumed = certified(copy, *options)
    after = (copy / "certificates" / "Linf-0.02.jsonl").read_text().splitlines()
    assert after[: len(lines)] == lines
    assert len(after) == 20
    fresh = certified(squares, *options)
    assert resumed["curve"][0]["certified"] == fresh["curve"][0]["certified"]


def test_text_has_the_table_and_the_place_of_the_records(squares: Path) -> None:
    result = invoke("certify", str(squares), *QUICK)
    assert result.exit_code == 0, result.output
    for text in ("certified %", "attacked %", "clean %", "executed float32", "certificates"):
        assert text in " ".join(result.stdout.split())


def test_the_picture_is_in_the_run_folder_and_the_text_says_where(squares: Path) -> None:
    path = squares / "certification.png"
    path.unlink(missing_ok=True)
    result = invoke("certify", str(squares), *QUICK)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert f"The picture is {path}." in " ".join(result.stdout.split())


def test_without_matplotlib_there_is_no_picture_and_the_numbers_stay(
    squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise MissingDependencyError("matplotlib", "plots", "Drawing")

    monkeypatch.setattr("holonet.cli.certify._picture", missing)
    result = invoke("certify", str(squares), *QUICK)
    assert result.exit_code == 0
    assert "no picture certification.png" in result.stdout


def test_examples_without_a_bound_are_counted_and_the_layer_is_named(whole: Path) -> None:
    result = invoke("certify", str(whole), *QUICK, "--eps", "0.9")
    assert result.exit_code == 0, result.output
    words = " ".join(result.stdout.split())
    assert "At 0.9 8 of 8 examples have no bound. backbone.2 (Activation): the numbers" in words
    assert "of a singularity or cut." in words


def test_what_is_certified_and_broken_is_an_alarm(
    squares: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from holonet.cli import certify as command

    true = command.certify_recorded

    def wrong(*arguments: Any) -> list[dict[str, Any]]:
        found = true(*arguments)
        return [
            {**r, "certified": True, "key": {**r["key"], "broken": i == 4}}
            for i, r in enumerate(found)
        ]

    monkeypatch.setattr("holonet.cli.certify.certify_recorded", wrong)
    result = invoke("certify", str(squares), *QUICK)
    assert "alarm at 0.02: broken and certified: [4]" in result.stdout


@pytest.mark.parametrize(
    ("options", "kind", "hint"),
    [
        (["--eps", "-0.1"], ConfigError, "eps=-0.1"),
        (["--norm", "L1"], ConfigError, "'Linf' and 'L2'"),
        (
            ["--norm", "l2", "--methods", "splits"],
            ConfigError,
            "choose from intervals, schwarz_pick",
        ),
        (["--methods", "magic"], UnknownNameError, "magic"),
        (["--attack", "pdg"], UnknownNameError, "'pgd'"),
    ],
)
def test_bad_options_are_refused(
    squares: Path, options: list[str], kind: type[HolonetError], hint: str
) -> None:
    error = failure(invoke("certify", str(squares), *options))
    assert isinstance(error, kind)
    assert hint in str(error)


def test_a_method_that_is_not_for_the_network_is_refused(whole: Path) -> None:
    options = [*QUICK, "--methods", "second-order"]
    error = failure(invoke("certify", str(whole), *options))
    assert isinstance(error, InputTypeError)
    assert "tangents and tangent_splits" in str(error)


def test_the_stream_of_torch_is_not_touched(squares: Path) -> None:
    state = torch.get_rng_state()
    certified(squares, *QUICK)
    assert torch.equal(state, torch.get_rng_state())


def test_the_table_fits_80_columns(squares: Path) -> None:
    line = ["certify", str(squares), *QUICK]
    output = CliRunner().invoke(app, line, env={"COLUMNS": "80"}).output
    assert re.search(r"│ +0\.02 │ +[\d.]+ \([\d.]+ to [\d.]+\) │", output), output


def test_the_check_confirms_every_certificate_once(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("flint")
    copy = tmp_path / "copy"
    shutil.copytree(squares, copy)
    options = [*QUICK, "--examples", "6", "--methods", "intervals,second_order", "--check"]
    first = certified(copy, *options)
    (row,) = first["curve"]
    counts = {name: n["confirmed"] for name, n in row["check"]["by_method"].items()}
    assert counts == row["by_method"]
    assert sum(counts.values()) > 0
    assert row["check"]["not_confirmed"] == []
    files = sorted((copy / "certificates" / "files").glob("Linf-0.02-*.npz"))
    assert len(files) == sum(counts.values())
    from holonet.certify import check

    with monkeypatch.context() as patch:
        patch.setattr(check, "confirm", lambda *_: pytest.fail("done again"))
        assert certified(copy, *options)["curve"] == first["curve"]
    shutil.rmtree(copy / "certificates" / "files")
    monkeypatch.setattr(check, "confirm", lambda *_: (False, "planted"))
    result = invoke("certify", str(copy), *options)
    output = " ".join(result.stdout.split())
    assert re.search(r"confirmed at 0.02: \w+ 0 of \d+", output)
    assert re.search(r"alarm at 0.02: \d+ is not confirmed: planted", output)


def test_a_check_that_is_not_for_the_run_is_refused_before_the_attack(
    squares: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("flint")
    monkeypatch.setattr(
        "holonet.cli.certify.evaluate_radii", lambda *_, **__: pytest.fail("attack")
    )
    error = failure(invoke("certify", str(whole), *QUICK, "--check"))
    assert isinstance(error, InputTypeError)
    assert "certify without it" in str(error)
    error = failure(invoke("certify", str(squares), *QUICK, "--check", "--norm", "L2"))
    assert "--norm Linf" in str(error)
    monkeypatch.setitem(sys.modules, "flint", None)
    error = failure(invoke("certify", str(squares), *QUICK, "--check"))
    assert "holonet[check]" in str(error)


@pytest.mark.parametrize("lift", ["complex", pytest.param("pair", marks=pytest.mark.slow)])
def test_complex_data_are_certified_on_a_polydisc_unless_told(tmp_path: Path, lift: str) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = y[:, None] - 1 + 0.1 * (rng.normal(size=(60, 4)) + 1j * rng.normal(size=(60, 4)))
    np.savez(tmp_path / "iq.npz", x=x.astype(np.complex64), y=y)
    line = ["train", "--data", str(tmp_path / "iq.npz"), "--run-dir", str(tmp_path / "run")]
    if lift == "pair":
        line += ["--coefficients", "real", "--lift", "pair", "--activation", "relu"]
    else:
        line += ["--readout", "modulus"]
    line += ["--rule", "standard", "--hidden", "4", "--epochs", "5", "--json"]
    assert invoke(*line).exit_code == 0
    found = certified(tmp_path / "run", *QUICK, "--radius")
    assert found["norm"] == "polydisc"
    assert found["methods"] == ["intervals", "tangents"]
    (row,) = found["curve"]
    assert 0 < row["certified"]["accuracy"] <= row["attacked"]["accuracy"]
    assert not row["contradictions"]
    assert not found["radius"]["contradictions"]
    ball = certified(tmp_path / "run", *QUICK, "--norm", "complex_ball")
    assert ball["curve"][0]["certified"]["accuracy"] >= row["certified"]["accuracy"]
    refused = failure(invoke("certify", str(tmp_path / "run"), "--norm", "L2"))
    assert "norm of real data" in str(refused)
