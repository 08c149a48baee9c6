"""Bounds of quadratic forms over the box: never below a corner, never above an attained value."""

import itertools
import math
from fractions import Fraction

import pytest
import torch
from enclosed import F64

from holonet.certify import quadratic
from holonet.certify.quadratic import BALL, dual_bound, forms, largest_moduli, loewner

CORNERS = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=6)), dtype=F64)


def symmetric(seed, count=40, n=6):
    torch.manual_seed(seed)
    matrices = torch.randn(count, n, n, dtype=F64)
    matrices[: count // 2] *= torch.rand(count // 2, 1, n, dtype=F64) ** 4
    matrices = matrices + matrices.mT
    matrices[::5] = matrices[::5].square().diagonal(dim1=1, dim2=2).diag_embed()
    return matrices


def attained(matrices, points=CORNERS):
    return torch.einsum("pi,fij,pj->fp", points, matrices, points)


def inside(n=6, count=4000):
    points = 2 * torch.rand(count, n, dtype=F64) - 1
    return torch.cat([points, CORNERS])


def exact_form(matrix, point):
    rows, numbers = matrix.tolist(), [Fraction(v) for v in point.tolist()]
    return sum(
        Fraction(rows[i][j]) * numbers[i] * numbers[j]
        for i in range(len(rows))
        for j in range(len(rows))
    )


def test_forms_are_the_sums_of_squares():
    torch.manual_seed(0)
    weights, columns = torch.randn(3, 9, dtype=F64), torch.randn(6, 9, dtype=F64)
    expected = torch.einsum("fj,ij,kj->fik", weights, columns, columns)
    found = forms(weights, columns)
    assert torch.allclose(found, expected, atol=1e-12)
    assert torch.equal(found, found.mT)


def test_no_corner_is_above_the_moduli_or_the_weights():
    for seed in range(5):
        matrices = symmetric(seed)
        largest, least = attained(matrices).amax(1), -attained(matrices).amin(1)
        above, below = loewner(matrices)
        slack = 1e-12 * (1 + largest.abs())
        assert above.isfinite().all()
        assert (above >= largest - slack).all()
        assert (below >= least - slack).all()
        assert (largest_moduli(matrices) >= largest - slack).all()


def test_weights_are_exact_for_diagonal_forms_in_fractions():
    for seed in range(5):
        matrices = symmetric(seed)[::5]
        above, _ = loewner(matrices)
        for matrix, bound in zip(matrices, above.tolist(), strict=True):
            exact = exact_form(matrix, torch.ones(6))
            assert Fraction(bound) >= exact
            assert bound <= float(exact) * (1 + 1e-6)


def test_the_dual_bound_is_below_every_point_and_near_to_the_least():
    ratios = []
    points = inside()
    for seed in range(4):
        matrices = symmetric(seed, 20)
        slopes = 3 * torch.randn(20, 6, dtype=F64)
        values = attained(matrices, points) + slopes @ points.T
        for slope, matrix, least in zip(slopes, matrices, values.amin(1).tolist(), strict=True):
            bound, dual = dual_bound(slope, matrix)
            assert (dual >= 0).all()
            assert bound <= least
            ratios.append((least - bound) / abs(least))
    assert sorted(ratios)[len(ratios) // 2] < 0.15  # a random form has a duality gap


def test_the_dual_bound_is_exact_for_convex_forms():
    torch.manual_seed(0)
    matrix = torch.eye(6, dtype=F64) + 0.1
    slope = 0.5 * torch.rand(6, dtype=F64)
    least = -(slope @ torch.linalg.solve(matrix, slope)).item() / 4
    assert least - 1e-3 * abs(least) < dual_bound(slope, matrix)[0] <= least


def test_the_dual_bound_stops_when_it_is_enough_or_cannot_be():
    matrix, slope = torch.eye(6, dtype=F64), torch.ones(6, dtype=F64)
    assert dual_bound(slope, matrix, enough=-3.0)[0] > -3.0
    assert dual_bound(slope, -matrix, enough=-1.0)[0] == -math.inf


def test_any_factor_gives_a_sound_bound(monkeypatch):
    """The residual pays for a wrong factor: nothing rests on the library's factorization."""

    def wrong(matrices):
        factor = matrices.tril() + torch.randn_like(matrices) * 0.01
        return factor, torch.zeros(matrices.shape[:-2])

    matrices, points = symmetric(0), inside()
    monkeypatch.setattr(torch.linalg, "cholesky_ex", wrong)
    assert (loewner(matrices)[0] >= attained(matrices).amax(1)).all()
    slope = torch.randn(6, dtype=F64)
    for matrix in matrices:
        least = (attained(matrix[None], points)[0] + points @ slope).min().item()
        assert dual_bound(slope, matrix)[0] <= least


def test_planted_weights_times_nine_tenths_are_refused_by_the_factorization(monkeypatch):
    matrices = symmetric(0)[::5]
    assert loewner(matrices)[0].isfinite().all()
    true = quadratic._weighed
    monkeypatch.setattr(quadratic, "_weighed", lambda m, w: true(m, 0.9 * w))
    above, _ = loewner(matrices)
    assert above.isinf().all()


def test_planted_weights_times_nine_tenths_behind_the_proof_are_found_at_corners(monkeypatch):
    true, matrices = quadratic._weighed, symmetric(0)
    assert (loewner(matrices)[0] >= attained(matrices).amax(1)).all()
    monkeypatch.setattr(quadratic, "_weighed", lambda m, w: 0.9 * true(m, w))
    assert (loewner(matrices)[0] < attained(matrices).amax(1)).any()


def test_planted_negative_entry_of_a_dual_is_found_by_sampling(monkeypatch):
    matrix, slope = torch.eye(6, dtype=F64), 0.1 * torch.ones(6, dtype=F64)
    matrix[0, 0] = 3.0
    least = (attained(matrix[None], inside())[0] + inside() @ slope).min().item()
    dual = torch.zeros(6, dtype=F64)
    dual[0] = -1.0
    bound, _ = quadratic._dual_value(slope, matrix, dual)
    assert bound <= least
    monkeypatch.setattr(quadratic, "_cost", lambda dual, shifted: dual)
    bound, _ = quadratic._dual_value(slope, matrix, dual)
    assert bound > least


def test_planted_dual_without_its_cost_is_found_by_sampling(monkeypatch):
    matrices, slope, points = symmetric(0), torch.randn(6, dtype=F64), inside()
    least = (attained(matrices, points) + points @ slope).amin(1)

    def above():
        bounds = torch.tensor([dual_bound(slope, m)[0] for m in matrices], dtype=F64)
        return int((bounds > least).sum())

    assert above() == 0
    monkeypatch.setattr(quadratic, "_cost", lambda dual, shifted: torch.zeros_like(dual))
    assert above() > 0


def test_planted_lack_of_the_residual_is_found_in_fractions(monkeypatch):
    def worst():
        excess = -math.inf
        for seed in range(20):
            torch.manual_seed(seed)
            root = torch.randn(6, 6, dtype=F64)
            matrix = root @ root.T
            matrix = matrix + matrix.T
            slope = -2 * matrix @ (0.3 * torch.randn(6, dtype=F64)).clamp(-1, 1)
            zero = torch.zeros(6, dtype=F64)
            bound, point = quadratic._dual_value(slope, matrix, zero)
            linear = sum(
                Fraction(a) * Fraction(b)
                for a, b in zip(slope.tolist(), point.tolist(), strict=True)
            )
            excess = max(excess, float(Fraction(bound) - exact_form(matrix, point) - linear))
        return excess

    assert worst() <= 0
    monkeypatch.setattr(quadratic, "_residual", lambda m, f: torch.zeros(len(m), dtype=F64))
    monkeypatch.setattr(quadratic, "UNIT", 0.0)
    monkeypatch.setattr(type(quadratic.EXACT), "gamma", lambda self, terms: 0.0)
    assert worst() > 0


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_forms_that_are_not_finite_are_not_bounded(number):
    matrices = symmetric(0, 2)
    matrices[0, 1, 1] = number
    above, below = loewner(matrices)
    assert above[0] == below[0] == math.inf
    assert above[1] < math.inf


def in_ball(n=6, count=4000):
    points = torch.randn(count, n, dtype=F64)
    points = points / points.norm(dim=1, keepdim=True)
    points[::2] *= torch.rand(count // 2, 1, dtype=F64)
    return points


def test_weights_of_the_ball_are_the_largest_eigenvalues():
    matrices = symmetric(0)
    above, below = loewner(matrices, BALL)
    values = torch.linalg.eigvalsh(matrices)
    assert (above >= attained(matrices, in_ball()).amax(1)).all()
    assert torch.allclose(above, values[:, -1].clamp(min=0), atol=1e-6)
    assert torch.allclose(below, (-values[:, 0]).clamp(min=0), atol=1e-6)


def test_the_dual_bound_of_the_ball_is_below_every_point_and_near_to_the_least():
    for seed, matrix in enumerate(symmetric(3)):
        torch.manual_seed(seed)
        slope = torch.randn(6, dtype=F64) * 10.0 ** (seed % 5 - 2)
        bound, dual = dual_bound(slope, matrix, region=BALL)
        assert dual_is_positive(matrix, dual)
        points = in_ball()
        assert (bound <= points @ slope + attained(matrix[None], points)[0]).all()
        best = -torch.linalg.solve(matrix + dual.diag(), slope) / 2
        best = best / max(1.0, best.norm().item())
        value = (slope @ best + best @ matrix @ best).item()
        assert bound <= value <= bound + 1e-4 * abs(value) + 1e-7 * matrix.norm(), seed


def dual_is_positive(matrix, dual):
    return bool((dual >= 0).all()) and torch.linalg.eigvalsh(matrix + dual.diag())[0] > -1e-12


def test_planted_cube_in_place_of_the_ball_is_seen():
    matrix = -torch.eye(4, dtype=F64)
    assert dual_bound(torch.zeros(4, dtype=F64), matrix, region=BALL)[0] == pytest.approx(-1)
    assert dual_bound(torch.zeros(4, dtype=F64), matrix)[0] == pytest.approx(-4, rel=1e-2)
