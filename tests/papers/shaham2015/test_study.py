"""The study of Shaham et al.: verdicts from made-up numbers, and a tiny run."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import holonet.papers.shaham2015.study as module
from holonet.data import load_digits
from holonet.errors import NumericalError
from holonet.papers.shaham2015.claims import CLAIMS
from holonet.papers.shaham2015.evidence import NETS, RADII
from holonet.papers.shaham2015.study import Shaham2015
from holonet.studies.evidence import Verdict
from holonet.studies.runner import StudyResult, reproduce
from holonet.training import load_weights
from holonet.training.rules import RobustOptimization

SMALL = load_digits().subset(train=100, test=20)
ROBUST = [net for net in NETS if net != "baseline"]
KEYS = [claim.key for claim in CLAIMS]


def study(**options: Any) -> Shaham2015:
    return Shaham2015(SMALL, **({"seeds": 2, "epochs": 2} | options))


@pytest.fixture(scope="module", autouse=True)
def size() -> Iterator[None]:
    """A narrow network, and few steps of attacks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUICK", module.Size(12, 4, batch_size=50, attacked=10, pgd_steps=4))
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    return reproduce(study(), tmp_path_factory.mktemp("shaham"), quick=True)


def test_cells_differ_in_the_network_and_the_seed_alone() -> None:
    cells = study(seeds=3).cells(True)
    assert len({cell.key for cell in cells}) == 12
    common = [replace(cell.settings, net="", seed=0) for cell in cells]
    assert all(settings == common[0] for settings in common)
    assert common[0].size.epochs == 2
    assert common[0].fingerprint == SMALL.fingerprint()


def test_the_full_run_has_the_authors_settings() -> None:
    settings = Shaham2015().cells(False)[0].settings
    assert (settings.size.width, settings.size.batch_size) == (32, 100)
    assert (settings.lr, settings.momentum, settings.weight_decay) == (0.01, 0.9, 1e-3)
    assert settings.radii == {"Linf": 0.2, "L1": 2.0, "L2": 2.0}
    assert len({cell.settings.seed for cell in Shaham2015().cells(False)}) >= 5


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder and the results of the networks of one seed, without a report."""
    folder, runs = tmp_path_factory.mktemp("seed"), study(seeds=1)
    return folder, {
        cell.settings.net: runs.run_cell(cell, folder / cell.key, lambda _: None)
        for cell in runs.cells(True)
    }


def test_pgd_leaves_no_more_than_one_step(one_seed: tuple[Path, dict[str, Any]]) -> None:
    results = one_seed[1]
    for net, result in results.items():
        assert (result["net"], result["seed"]) == (net, 0)
        for norm in RADII:
            assert result["pgd"][norm] <= result["one_step"][norm]
    assert results["baseline"]["existing"] == results["baseline"]["one_step"]


@pytest.mark.slow
def test_a_tiny_run_answers_every_claim(done: StudyResult) -> None:
    assert [f.claim for f in done.findings] == KEYS
    assert set(done.results) == {f"{net}-seed{seed}" for net in NETS for seed in (0, 1)}
    for result in done.results.values():
        for norm in RADII:
            assert result["pgd"][norm] <= result["one_step"][norm]
    baseline = done.results["baseline-seed0"]
    assert baseline["existing"] == baseline["one_step"]
    html = done.report.read_text()
    assert html.count("<img") == len(KEYS)
    assert "± " in html


def test_networks_of_one_seed_start_alike_and_end_apart(
    one_seed: tuple[Path, dict[str, Any]],
) -> None:
    def first_layer(net: str) -> torch.Tensor:
        model = module.network(4, 10, 0)
        load_weights(one_seed[0] / f"{net}-seed0" / "model.safetensors", model)
        return model[0].get_parameter("weight").detach()

    ends = [first_layer(net) for net in NETS]
    for k, end in enumerate(ends):
        assert not any(torch.equal(end, other) for other in ends[:k])


@pytest.mark.slow
def test_a_run_killed_in_training_ends_as_the_one_that_was_not(
    done: StudyResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Kill(BaseException):
        pass

    original, calls, steps = module.fit, [], []

    def fit(*arguments: Any, on_step: Any = None, **options: Any) -> Any:
        if on_step is None:  # the baseline is read back
            return original(*arguments, **options)
        calls.append(options["run_dir"].name)

        def stop(step: int) -> None:
            steps.append(step)
            on_step(step)
            if len(calls) == 3 and step == 3:
                raise Kill

        return original(*arguments, on_step=stop, **options)

    monkeypatch.setattr(module, "fit", fit)
    with pytest.raises(Kill):
        reproduce(study(), tmp_path, quick=True)
    assert (tmp_path / "cells" / "l_1-seed0" / "checkpoints").is_dir()
    steps.clear()
    resumed = reproduce(study(), tmp_path, quick=True)
    assert calls[3] == "l_1-seed0"
    assert steps[0] == 3  # from the end of the first epoch
    for key, result in done.results.items():
        mine = resumed.results[key]
        assert {k: v for k, v in mine.items() if k != "train_seconds"} == {
            k: v for k, v in result.items() if k != "train_seconds"
        }


def test_where_the_baseline_fails_its_seed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = module.fit, []

    def fit(*arguments: Any, **options: Any) -> Any:
        calls.append(options["run_dir"].name)
        if calls[-1] == "baseline-seed1":
            raise NumericalError("NaN")
        return original(*arguments, **options)

    shares = {q: dict.fromkeys(RADII, 0.5) for q in ("one_step", "pgd", "existing", "change")}
    monkeypatch.setattr(module, "attacked", lambda *_, **__: {**shares, "alarms": {}})
    monkeypatch.setattr(module, "fit", fit)
    found = reproduce(study(epochs=1), tmp_path, quick=True)
    assert set(found.failed) == {f"{net}-seed1" for net in NETS}
    assert "l_inf-seed1" not in calls
    assert {f.verdict for f in found.findings} == {Verdict.NOT_TESTABLE}


def test_the_training_steps_are_the_authors() -> None:
    """l_inf: r sign(g). l_2: r g / |g|. l_1: the one entry of largest |g| moves by r."""
    model = module.network(4, 10, 0)
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(3, 1, 32, 32, generator=generator), torch.tensor([1, 2, 3])
    point = x.clone().requires_grad_()
    loss = torch.nn.functional.cross_entropy(model(point), y)
    (g,) = torch.autograd.grad(loss, point)
    size = g.flatten(1).abs()
    largest = torch.zeros_like(size).scatter(1, size.argmax(1, keepdim=True), 1.0)
    expected = {
        "Linf": 0.2 * g.sign(),
        "L2": 2 * g / torch.linalg.vector_norm(g, dim=(1, 2, 3), keepdim=True),
        "L1": 2 * g.sign() * largest.view_as(g),
    }
    for norm, step in expected.items():
        rule = module.rule_of(norm)
        assert isinstance(rule, RobustOptimization)
        torch.testing.assert_close(rule.perturb(model, x, y) - x, step, rtol=1e-4, atol=1e-6)
