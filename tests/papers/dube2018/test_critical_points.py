"""Critical points of small networks, in their inputs and in their weights."""

import itertools
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.optimize import minimize

from cases import each
from holonet.data import load_digits
from holonet.papers.dube2018 import critical_points as module
from holonet.papers.dube2018.critical_points import (
    INPUT_FAMILIES,
    WEIGHT_FAMILIES,
    run_inputs,
    run_weights,
    weight_loss,
)
from holonet.papers.dube2018.hessians import gradient_and_hessian
from holonet.papers.dube2018.settings import Settings, Size

DIGITS = load_digits().subset(300, 40)


def settings(family: str, starts: int) -> Settings:
    return Settings("", 0, Size(epochs=2, starts=starts), "digits", "", family)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SIDES", (2, 3))
    monkeypatch.setattr(module, "LARGEST_EXACT", 2)
    monkeypatch.setattr(module, "HIDDEN", (4, 4))


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "family",
    [
        pytest.param(family, marks=() if family == "complex-square" else pytest.mark.slow)
        for family in INPUT_FAMILIES
    ],
)
def test_on_complex_inputs_the_index_is_half_and_on_real_ones_it_is_not(
    family: str, tmp_path: Path
) -> None:
    progress: list[float] = []
    found = run_inputs(settings(family, 3), DIGITS, tmp_path, progress.append)
    assert progress == [0.25, 0.5, 0.75, 1.0]
    assert [(s["state"], s["space"], s["dimension"]) for s in found["searches"]] == [
        ("random", "R^n", 4),
        ("random", "C^n", 8),
        ("trained", "R^n", 4),
        ("trained", "C^n", 8),
    ]
    on_c = [k for s in found["searches"] if s["space"] == "C^n" for k in s["indices"]]
    assert len(on_c) >= 3
    assert set(on_c) == {4}
    for s in found["spectra"]:
        gap = abs(s["low"] + s["high"]) / max(-s["low"], s["high"])
        assert (gap < 1e-8) == (s["space"] == "C^n")


@each("family", WEIGHT_FAMILIES)
def test_families_have_weights_of_about_one_number(family: str) -> None:
    assert 34 <= weight_loss(family, DIGITS, 0)[1] <= 38


def test_the_loss_is_cross_entropy_plus_decay() -> None:
    loss, dimension = weight_loss("complex-square", DIGITS, 0)
    zero = torch.zeros(1, dimension, dtype=torch.float64)
    assert float(loss(zero)) == pytest.approx(float(torch.tensor(3.0).log()))
    far = torch.randn(2, dimension, dtype=torch.float64)
    grown = loss(far) - module.DECAY / 2 * far.square().sum(1)
    assert (grown > 0).all()
    assert not torch.isclose(*grown)


def test_complex_weights_have_a_symmetry_for_each_unit() -> None:
    loss, dimension = weight_loss("complex-square", DIGITS, 0)
    theta = 0.5 * torch.randn(dimension, dtype=torch.float64)
    _, complex_hessian = gradient_and_hessian(loss, theta)
    assert complex_hessian.shape == (dimension, dimension)

    z = torch.view_as_complex(theta.unflatten(0, (-1, 2))).clone()
    inner = module.UNITS * 4  # the first layer's weights, then its biases, then the second layer's
    turned = z.clone()
    phase = torch.tensor(0.3j, dtype=torch.complex128).exp()
    turned[:4] *= phase  # all weights into the first unit,
    turned[inner] *= phase  # its bias,
    outer = turned[inner + module.UNITS :][: 3 * module.UNITS].view(3, module.UNITS)
    outer[:, 0] *= phase**-2  # and the weights out of it
    both = torch.stack([torch.view_as_real(z).flatten(), torch.view_as_real(turned).flatten()])
    first, second = loss(both).tolist()
    assert first == pytest.approx(second, rel=1e-12)


@pytest.mark.parametrize("starts", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_starts_near_minima_find_minima_and_each_once(
    starts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNITS", 1)
    found: dict[str, Any] = run_weights(settings("real-tanh", starts), DIGITS, lambda _: None)
    points = found["points"]
    assert found["starts"] == 2 * starts
    near = [p["index"] for p in points if p["origin"] == "near a minimum"]
    assert near
    assert sum(k == 0 for k in near) >= len(near) / 2
    losses = sorted(p["loss"] for p in points)
    assert all(b - a > 1e-7 for a, b in itertools.pairwise(losses))


def test_symmetric_directions_are_no_part_of_the_dimension(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left_out: list[int] = []

    def find(*_: object, symmetries: int) -> None:
        left_out.append(symmetries)

    monkeypatch.setattr(module, "find_critical_point", find)
    monkeypatch.setattr(module, "minimize", partial(minimize, options={"maxiter": 2}))
    found = run_weights(settings("complex-square", 1), DIGITS, lambda _: None)
    assert left_out == [module.UNITS] * 2
    assert found["dimension"] == weight_loss("complex-square", DIGITS, 0)[1] - module.UNITS
