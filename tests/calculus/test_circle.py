"""Grids, modes and doubling on circles."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.calculus.circle import (
    FEWEST_SAMPLES,
    MOST_SAMPLES,
    circle_center,
    counts,
    harmonic_series,
    modes_of,
    modes_on_circle,
    powers,
    settled,
    unit_circle,
)
from holonet.errors import ConfigError, NumericalError, ShapeError

C64, C128 = torch.complex64, torch.complex128
seeds = st.integers(0, 2**32)


def point(z):
    return torch.tensor(z, dtype=C128)


def randn(seed, *shape):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=C128)


def test_centers_take_the_dtype_that_is_there():
    assert circle_center(1, 1.0, "asked").dtype == C128
    assert circle_center(1j, 1.0, "asked", like=torch.zeros(2, dtype=C64)).dtype == C64
    assert circle_center(point(1j), 1.0, "asked", like=torch.zeros(2, dtype=C64)).dtype == C128
    assert circle_center(torch.tensor(2.0), 1.0, "asked").dtype == C64
    assert complex(circle_center(torch.tensor(2.0), 1.0, "asked")) == 2


def test_bad_circles():
    with pytest.raises(ConfigError, match="asked: radius=0"):
        circle_center(1, 0, "asked")
    with pytest.raises(ConfigError, match="asked: center="):
        circle_center(math.inf, 1, "asked")
    with pytest.raises(ShapeError, match=r"asked: the center has shape \(1,\)"):
        circle_center(point([1]), 1, "asked")


@each("dtype", [C64, C128])
@each("count", [1, 5, 8])
def test_the_unit_circle(count, dtype):
    unit = unit_circle(count, 0.25, torch.zeros((), dtype=dtype))
    assert unit.dtype == dtype
    turn = torch.full((count,), 2 * math.pi / 4, dtype=torch.float64)
    expected = torch.polar(torch.ones_like(turn), turn)
    torch.testing.assert_close(unit**count, expected.to(dtype))
    assert float(unit[0].angle()) == pytest.approx(math.pi / 2 / count)
    if count > 1:
        assert float((unit[1] / unit[0]).angle()) == pytest.approx(2 * math.pi / count)


def test_counts_double_or_are_given():
    assert list(counts(None, 16, 100, "asked")) == [16, 32, 64]
    assert list(counts(None, FEWEST_SAMPLES, MOST_SAMPLES, "asked"))[-1] == MOST_SAMPLES
    assert list(counts(7, 16, 100, "asked")) == [7]
    for bad in (0, -1):
        with pytest.raises(ConfigError, match=f"asked: samples={bad}"):
            counts(bad, 16, 100, "asked")


@given(seed=seeds, count=st.integers(1, 40), turn=st.floats(0, 1))
def test_modes_and_series_are_inverse_on_any_grid(seed, count, turn):
    half = modes_of(count) - 1
    upper, lower = randn(seed, half + 1, 2), randn(seed + 1, half, 2)
    unit = unit_circle(count, turn, point(0))
    values = harmonic_series(unit, upper, lower)
    found = modes_on_circle(unit, values.reshape(count, 1, 2))
    torch.testing.assert_close(found[0], upper, rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1], lower, rtol=0, atol=1e-12)


def test_the_series_by_hand():
    w = point([0.5, 2j, 0])
    found = harmonic_series(w, point([[1], [10], [100]]), point([[2j], [3j]]))
    expected = 1 + 10 * w + 100 * w**2 + 2j * w.conj() + 3j * w.conj() ** 2
    torch.testing.assert_close(found[:, 0], expected)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_powers(count):
    w = point([0, 0.5, -1j])
    assert powers(w, count).shape == (3, count)
    for k in range(count):
        torch.testing.assert_close(powers(w, count)[:, k], w**k)


def test_what_never_settles():
    def quadrature(unit, values):
        return torch.tensor(float(len(unit))), torch.tensor(1.0)

    with pytest.raises(NumericalError, match=r"asked over .* 4096 samples: .*changes by 2.0e\+03"):
        settled(quadrature, torch.exp, point(0), 1.0, None, "asked")
    assert float(settled(quadrature, torch.exp, point(0), 1.0, 5, "asked")) == 5


def test_nan_never_settles():
    def quadrature(unit, values):
        return torch.tensor(math.nan), torch.tensor(1.0)

    with pytest.raises(NumericalError, match="changes by nan"):
        settled(quadrature, torch.exp, point(0), 1.0, None, "asked")


def test_settled_hands_real_values_on_and_turns_its_grids():
    seen = []

    def quadrature(unit, values):
        seen.append((unit, values))
        return values.mean(0), values.abs().mean(0)

    found = settled(quadrature, torch.real, point(2), 1.0, None, "asked", fewest=4)
    assert found.dtype == torch.float64
    assert float(found) == pytest.approx(2)
    assert [len(unit) for unit, _ in seen] == [4, 8]
    for unit, values in seen:
        torch.testing.assert_close(values, 2 + unit.real)
        torch.testing.assert_close(unit.abs(), torch.ones_like(unit.real))
    turns = [float(unit[0].angle()) * len(unit) / (2 * math.pi) for unit, _ in seen]
    assert turns == pytest.approx([(math.sqrt(5) - 1) / 2] * 2)
