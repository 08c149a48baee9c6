"""Measures are exact where the answer is known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holonet.data import DiscMode, RingPotential
from holonet.nn import to_precision
from holonet.papers.barati2022.conditions import CONDITIONS, as_complex, closed_form, planar_model
from holonet.papers.barati2022.planar_measures import (
    harmonic_defect,
    measure_planar,
    profile,
    profile_radii,
)


class Given(nn.Module):
    """A function as a module."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@settings(max_examples=8)
@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(-2, 2))
def test_the_defect_of_a_quadratic(a, b, c) -> None:
    x = torch.rand(5, 2, dtype=torch.float64)
    size = 2 * ((2 * a) ** 2 + 2 * b**2 + (2 * c) ** 2)
    found = harmonic_defect(
        lambda x: a * x[:, :1] ** 2 + b * x[:, :1] * x[:, 1:] + c * x[:, 1:] ** 2, x
    )
    if size > 1e-6:
        assert found == pytest.approx((2 * a + 2 * c) ** 2 / size, abs=1e-9)
    assert 0 <= found <= 1 + 1e-12


def test_a_linear_function_has_no_defect() -> None:
    assert harmonic_defect(lambda x: x[:, :1], torch.rand(4, 2)) == 0.0


@given(st.integers(1, 5))
def test_the_profile_of_a_mode_is_its_power(k) -> None:
    problem = DiscMode(k)
    form = closed_form(problem, CONDITIONS["risk"])
    torch.testing.assert_close(
        torch.tensor(profile(form, problem)).double(), profile_radii(problem) ** k
    )
    other = profile(lambda x: (as_complex(x) ** (k + 1)).real[:, None], problem)
    assert max(map(abs, other)) < 1e-12


def test_the_profile_of_the_ring_rises_from_0_to_1() -> None:
    problem = RingPotential()
    form = closed_form(problem, CONDITIONS["risk"])
    values = profile(lambda x: form(x) + x[:, :1], problem)  # what has mean 0 is not seen
    expected = problem.solution(profile_radii(problem) + 0j)
    torch.testing.assert_close(torch.tensor(values).double(), expected)


@pytest.mark.parametrize("condition", ["energy", "filled"])
def test_the_closed_form_measures_as_itself(condition) -> None:
    problem = DiscMode(2)
    found = measure_planar(
        Given(closed_form(problem, CONDITIONS[condition])), problem, CONDITIONS[condition], 0
    )
    assert found["distance"] < 1e-12
    assert found["excess"] == pytest.approx(0, abs=1e-12)
    assert found["defect"] == found["defect_of_form"]
    assert (found["own_distance"] < 1e-9) == (condition == "energy")
    assert (found["defect"] < 1e-9) == (condition == "energy")
    if condition == "energy":
        share = 1 / (1 + 2 * CONDITIONS[condition].weight)
        assert found["energy_ratio"] == pytest.approx(share**2, rel=0.05)
        assert found["boundary_error"] == pytest.approx((1 - share) / 2**0.5, rel=1e-6)
        assert found["distance_hard"] == pytest.approx(1 - share, rel=1e-3)


@settings(max_examples=3)
@given(st.floats(-3, 3), st.integers(0, 20))
def test_no_function_is_below_the_least_objective(shift, seed) -> None:
    problem, condition = RingPotential(), CONDITIONS["energy"]
    form = closed_form(problem, condition)
    bump = Given(lambda x: form(x) + shift * (x[:, :1] ** 2 + 0.1))
    found = measure_planar(bump, problem, condition, seed)
    assert found["excess"] >= -0.02  # the mean over the domain is over random points
    assert "own_distance" not in found


def test_the_winding_of_a_log_modulus() -> None:
    problem, condition = RingPotential(), CONDITIONS["affine-log-modulus"]
    model = to_precision(planar_model(condition.network, 4, 0), torch.complex128)
    affine = model.net.backbone[-1]
    with torch.no_grad():
        affine.weight.fill_(1 / problem.inner)
        affine.bias.zero_()
    found = measure_planar(model, problem, condition, 0)
    assert found["winding"] == 1
    assert found["distance_hard"] < 1e-9
    with torch.no_grad():
        affine.bias.fill_(100.0)
    assert measure_planar(model, problem, condition, 0)["winding"] == 0
