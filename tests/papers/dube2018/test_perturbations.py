"""Norms of perturbations against closed forms."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.optimize import minimize
from torch import Tensor

from few_classes import first_classes
from holonet.attacks import ThreatModel
from holonet.data import load_digits
from holonet.diagnostics import minimum_norm_perturbations
from holonet.papers.dube2018 import perturbations as module
from holonet.papers.dube2018.perturbations import (
    mean_norm,
    run_best_linear,
    run_random,
    run_trained,
)
from holonet.papers.dube2018.settings import Settings, Size, build_network

SMALL = Size(
    dimensions=(16, 256),
    factors=(1, 1.5),
    sides=(8, 12),
    hidden=(8,),
    epochs=3,
    field_epochs=2,
    field_train=400,
    examples=6,
)


def settings(part: str, **values: str) -> Settings:
    return Settings(part, 0, SMALL, "digits", "", **values)


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the steps, with and without three times as many."""
    original = module._distances

    def distances(*arguments: Any, steps: int = 20) -> Tensor:
        return original(*arguments, steps=steps // 4)

    monkeypatch.setattr(module, "_distances", distances)


def test_the_mean_leaves_out_what_is_wrong_already_and_what_was_not_found() -> None:
    assert mean_norm(torch.tensor([0.0, 1.0, 3.0, math.inf])) == 2.0


@pytest.mark.parametrize(
    "families",
    [("complex-square",), pytest.param(("real-relu",), marks=pytest.mark.slow)],
)
def test_random_hyperplanes_have_the_closed_form(
    families: tuple[str, ...], few_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "NETWORKS", families)
    found = run_random(settings("random"))
    expected = math.sqrt(2 / math.pi)
    assert found["n"] == [16, 256]
    assert found["norms"]["real hyperplane"] == pytest.approx([expected] * 2, rel=0.2)
    ratio = found["norms"]["real hyperplane"][1] / found["norms"]["complex hyperplane, C^n"][1]
    assert ratio == pytest.approx(math.sqrt(2), rel=0.1)  # |w| over |Re w|
    assert found["search"]["hyperplane"] < 0.01
    assert all(0 <= found["search"][family] < 0.05 for family in families)
    assert all(0.05 < norm < 5 for family in families for norm in found["norms"][family])


def test_a_longer_search_that_finds_nearer_points_is_a_gain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nearer = torch.tensor([0.5, 3.0, 1.0])
    monkeypatch.setattr(module, "_distances", lambda *_, **__: nearer)
    x = torch.zeros(3, 1)
    plain = torch.tensor([1.0, 2.0, math.inf])
    gain = module._gain(torch.nn.Identity(), x, x, 1.0, plain)
    assert gain == pytest.approx(1 - 2.5 / 3)


def test_the_search_is_tight_for_a_network_with_a_quadric_boundary() -> None:
    """One hidden layer of x^2: the least distance by constrained minimization from many starts."""
    model = build_network("real-square", (4,), 2, (4,), 0).double()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 4, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        y = model(x).argmax(1)
    threat = ThreatModel("L2", 10.0, None)
    found = minimum_norm_perturbations(model, x, y, threat, steps=20, rounds=11).distance

    def gap(point: Any) -> Any:
        """Its value and its gradient."""
        p = torch.tensor(point, dtype=torch.float64).requires_grad_()
        logits = model(p[None])[0]
        (slope,) = torch.autograd.grad(logits[0] - logits[1], p)
        return float((logits[0] - logits[1]).detach()), slope.numpy()

    for example, distance in zip(x, found, strict=True):
        origin = example.numpy()
        least = min(
            result.fun
            for _ in range(6)
            if (
                result := minimize(
                    lambda p, o=origin: (float(((p - o) ** 2).sum()), 2 * (p - o)),
                    origin + torch.randn(4, generator=generator).double().numpy(),
                    jac=True,
                    constraints={
                        "type": "eq",
                        "fun": lambda p: gap(p)[0],
                        "jac": lambda p: gap(p)[1],
                    },
                )
            ).success
        )
        assert float(distance) == pytest.approx(math.sqrt(least), rel=0.02)


@pytest.mark.parametrize("images", [pytest.param("resampled", marks=pytest.mark.slow), "smooth"])
def test_trained_classifiers_have_a_norm_at_each_resolution(
    images: str, tmp_path: Path, few_steps: None
) -> None:
    progress: list[float] = []
    data = first_classes(load_digits().subset(1400, 150), 3)
    found = run_trained(
        settings("trained", family="real-square", images=images), data, tmp_path, progress.append
    )
    assert found["n"] == [64, 144]
    assert progress == [0.5, 1.0]
    for n, norm in zip(found["n"], found["norms"], strict=True):
        assert 0 < norm < 0.5 * math.sqrt(n)
    least = 0.6 if images == "resampled" else 0.4
    assert all(accuracy > least for accuracy in found["accuracy"])
    assert found["search"].keys() == {"real-square"}


def test_the_best_linear_classifier_has_finer_grids_too() -> None:
    found = run_best_linear(settings("best-linear"))
    assert found["n"] == [64, 144, 1024, 2304]
    slopes = {
        name: math.log(norms[-1] / norms[0]) / math.log(2304 / 64) - 0.5
        for name, norms in found["norms"].items()
    }
    assert slopes["smooth"] == pytest.approx(-0.5, abs=0.15)
    assert slopes["rough"] == pytest.approx(0, abs=0.15)
