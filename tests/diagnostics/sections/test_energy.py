"""Dirichlet energy and spectra of known maps."""

import math

import pytest
import torch
from torch import nn

from holonet.diagnostics.prepared import Settings, prepare
from holonet.diagnostics.sections import energy_section


def linear(weight: torch.Tensor) -> nn.Module:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
    return layer


def test_a_linear_map_has_the_spectrum_of_its_matrix() -> None:
    weight = torch.tensor([[3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    model = prepare(linear(weight), torch.rand(5, 3))
    found = energy_section(model, Settings(baseline=linear(2 * weight), baseline_name="baseline"))
    expected = {
        "energy": 12.5,
        "spectral": 4.0,
        "frobenius": 5.0,
        "stable_rank": 25 / 16,
        "slope_2": 5.0,
        "slope_1": 7.0,
    }
    assert found.numbers is not None
    for name, value in expected.items():
        assert found.numbers[name]["median"] == pytest.approx(value)
    assert found.numbers["energy"]["baseline"] == pytest.approx(50.0)
    assert not found.advice  # it is less steep than what is beside
    assert energy_section(model, Settings(linear(weight / 2), "baseline")).advice


def test_complex_points_have_two_real_coordinates_an_entry() -> None:
    model = prepare(linear(torch.tensor([[3 + 4j]])), torch.randn(4, 1, dtype=torch.cfloat))
    found = energy_section(model, Settings())
    assert found.numbers is not None
    # Re((3 + 4i) z) has the gradient (3, -4)
    assert found.numbers["frobenius"]["median"] == pytest.approx(5.0)
    assert "slope_1" not in found.numbers
    assert math.isfinite(found.numbers["energy"]["interval"][0])


def test_real_and_imaginary_parts_are_coordinates_of_their_own() -> None:
    model = prepare(linear(torch.tensor([[1 + 0j], [1j]])), torch.randn(4, 1, dtype=torch.cfloat))
    found = energy_section(model, Settings())
    assert found.numbers is not None
    # Re z and Re iz = -Im z have orthogonal gradients of length 1
    assert found.numbers["spectral"]["median"] == pytest.approx(1.0)
    assert found.numbers["stable_rank"]["median"] == pytest.approx(2.0)


def test_the_steepest_example_is_named() -> None:
    x = torch.tensor([[0.0], [3.0], [1.0]])
    found = energy_section(prepare(lambda x: x**2, x), Settings())
    assert found.worst == (1, 2, 0)
