"""Gaps and shares on spheres against known answers, and planted errors that these reveal."""

import importlib
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cases import each
from holonet.calculus import mean_value_gap, sphere_deviation
from holonet.errors import ConfigError, InputTypeError, ShapeError

module = importlib.import_module("holonet.calculus.sphere")
seeds = st.integers(0, 2**32)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def share_of_quadratic(hessian: Tensor) -> float:
    """On spheres the trace gives L/2n, and the rest the mean square |H0|^2 / 2n(n+2), over r^4."""
    n = len(hessian)
    trace = float(hessian.trace())
    rest = float((hessian - trace / n * torch.eye(n, dtype=hessian.dtype)).square().sum())
    return (trace / (2 * n)) ** 2 / ((trace / (2 * n)) ** 2 + rest / (2 * n * (n + 2)))


def known_answers(seed: int, n: int) -> None:
    """A quadratic beside an affine function a thousand times as large."""
    hessian, slope, x = normal(seed, n, n), 1e3 * normal(seed + 1, n), normal(seed + 2, 3, n)
    hessian = hessian + hessian.T + torch.eye(n, dtype=torch.float64)

    def u(x: Tensor) -> Tensor:
        return torch.einsum("bi,ij,bj->b", x, hessian, x) / 2 + x @ slope + 7

    found = sphere_deviation(u, x, [0.1, 0.5], count=40, generator=generator(seed))
    gap = hessian.trace() / (2 * n) * torch.tensor([[0.1], [0.5]], dtype=torch.float64) ** 2
    error = 6 * found.gap.standard_error + 1e-9
    assert bool((found.gap.value - gap).abs().le(error).all())
    share = share_of_quadratic(hessian)
    error = 6 * found.share.standard_error + 1e-6
    assert bool((found.share.value - share).abs().le(error).all())
    assert bool(found.share.standard_error.lt(0.4 * share + 0.04).all())
    assert not found.affine.any()


@settings(max_examples=4)
@given(seed=seeds, n=st.sampled_from([2, 3, 40]))
def test_quadratics_have_the_share_of_their_trace(seed, n):
    known_answers(seed, n)


def test_an_estimator_without_the_affine_fit_fails_the_known_answers(monkeypatch) -> None:
    original = module._frame

    def planted(u, z, radii, center, slope, *rest):
        gaps, squares, slopes, *extremes = original(u, z, radii, center, 0 * slope, *rest)
        return (gaps, squares, 0 * slopes, *extremes)

    monkeypatch.setattr(module, "_frame", planted)
    with pytest.raises(AssertionError):
        known_answers(0, 3)


def test_a_wrong_number_of_coordinates_fails_the_known_answers(monkeypatch) -> None:
    original = module._frame
    monkeypatch.setattr(module, "_frame", lambda *a: original(*a[:4], 0 * a[4], *a[5:]))
    known_answers(0, 3)  # the fit alone is enough
    monkeypatch.setattr(module, "dimensions", lambda z: z[0].numel() + 1)
    with pytest.raises(AssertionError):
        known_answers(0, 3)


@each("n", [2, 40])
def test_harmonic_functions_have_neither_gap_nor_share(n: int) -> None:
    def u(x: Tensor) -> Tensor:
        a, b = x[:, 0], x[:, 1]
        return torch.stack([a**3 - 3 * a * b**2, a.exp() * b.sin()], 1)

    found = sphere_deviation(u, normal(0, 5, n), [0.1, 0.4], count=50, generator=generator())
    assert bool((found.gap.value.abs() <= 6 * found.gap.standard_error).all())
    assert bool((found.share.value.abs() <= 6 * found.share.standard_error + 1e-9).all())
    assert not found.extreme_inside.any()
    assert float(found.share.standard_error.max()) < (1e-4 if n == 2 else 0.05)


@each("n", [1, 3, 50])
def test_affine_functions_are_affine_to_rounding_and_have_no_share(n: int) -> None:
    slope = normal(0, n)
    found = sphere_deviation(lambda x: 1e3 + x @ slope, normal(1, 4, n), [1e-3, 1.0])
    assert bool(found.affine.all())
    assert bool(found.share.value.isnan().all())
    assert not found.extreme_inside.any()


def test_the_square_of_the_distance_is_not_harmonic_at_all() -> None:
    x = normal(0, 4, 3, dtype=torch.complex128)
    found = sphere_deviation(lambda z: (z.abs() ** 2).sum(1), x, [0.3])
    assert found.gap.value == pytest.approx(0.09, abs=1e-12)
    assert found.share.value == pytest.approx(1.0, abs=1e-9)
    middle = sphere_deviation(lambda z: (z.abs() ** 2).sum(1), 0 * x, [0.3, 0.6])
    assert bool(middle.extreme_inside.all())  # the least value is at the center


def test_gaps_are_those_of_the_mean_value() -> None:
    x = normal(0, 4, 3)
    found = sphere_deviation(lambda x: x.sin().prod(1), x, [0.5], generator=generator())
    gap = mean_value_gap(lambda x: x.sin().prod(1), x, 0.5, generator=generator())
    torch.testing.assert_close(found.gap.value[0], gap.value)


def test_a_kink_has_a_gap_though_its_laplacian_is_0() -> None:
    x = torch.tensor([[0.05, 0.0], [2.0, 0.0]], dtype=torch.float64)
    found = sphere_deviation(lambda x: x[:, 0].abs(), x, [0.01, 0.5], count=50)
    assert found.affine.tolist() == [[True, True], [False, True]]
    assert float(found.gap.value[1, 0]) > 10 * float(found.gap.standard_error[1, 0])
    assert 0.2 < float(found.share.value[1, 0]) < 1


@pytest.mark.slow
def test_errors_are_as_large_as_the_deviations() -> None:
    """The mean of z^2 over many seeds is near 1, for the share of a function with all degrees."""
    x = torch.zeros(1, 40, dtype=torch.float64)
    a = normal(0, 40) / math.sqrt(40)

    def u(x: Tensor) -> Tensor:
        return (x @ a).exp() + x[:, 0] ** 2

    def share(seed: int, count: int):
        return sphere_deviation(u, x, [1.0], count=count, generator=generator(seed)).share

    truth = share(0, 400).value
    scores = torch.cat([share(seed, 16).z_score(truth).flatten() for seed in range(1, 25)])
    assert 0.4 < float(scores.square().mean()) < 2.5


def test_bad_arguments_are_refused() -> None:
    x = normal(0, 2, 3)
    for radii, count, message in (
        ([0.2, 0.1], 8, "must increase"),
        ([0.0], 8, "radius=0"),
        ([], 8, "number of radii"),
        ([0.1], 2, "count=2"),
    ):
        with pytest.raises(ConfigError, match=message):
            sphere_deviation(lambda x: x.sum(1), x, radii, count=count)
    with pytest.raises(InputTypeError, match="complex-valued"):
        sphere_deviation(lambda x: x.sum(1) + 0j, x, [0.1])
    with pytest.raises(ShapeError, match="batch"):
        sphere_deviation(lambda x: x, torch.zeros((), dtype=torch.float64), [0.1])
