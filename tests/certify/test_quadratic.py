"""Bounds of quadratic forms over the box: never below a corner, never above an attained value."""

import itertools
import math
from fractions import Fraction

import pytest
import torch
from enclosed import F64

from holonet.certify import quadratic
from holonet.certify.quadratic import BALL, CUBE, dual_bound, forms, largest_moduli, loewner

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
        above, below = loewner(matrices), loewner(-matrices)
        slack = 1e-12 * (1 + largest.abs())
        assert above.isfinite().all()
        assert (above >= largest - slack).all()
        assert (below >= least - slack).all()
        assert (largest_moduli(matrices) >= largest - slack).all()


def test_weights_are_exact_for_diagonal_forms_in_fractions():
    for seed in range(5):
        matrices = symmetric(seed)[::5]
        above = loewner(matrices)
        for matrix, bound in zip(matrices, above.tolist(), strict=True):
            exact = exact_form(matrix, torch.ones(6))
            assert Fraction(bound) >= exact
            assert bound <= float(exact) * (1 + 2e-3)


@pytest.mark.parametrize("region", [CUBE, BALL])
def test_entries_that_a_form_does_not_have_cost_nothing(region):
    """Each form has entries of its own, without squares, and one of them has one entry less."""
    matrices = symmetric(0, 20)
    matrices = matrices - torch.diag_embed(matrices.diagonal(dim1=1, dim2=2))
    matrices[0, 2], matrices[0, :, 2] = 0, 0
    wide = torch.zeros(20, 40, 40, dtype=F64)
    for among, matrix in zip(wide, matrices, strict=True):
        places = torch.randperm(40)[:6]
        among[places[:, None], places] = matrix
    found, alone = loewner(wide, region), loewner(matrices, region)
    assert torch.allclose(found, alone, rtol=2e-3)
    if region is CUBE:
        assert (found >= attained(matrices).amax(1)).all()


def looseness():
    """The weights of random forms over their largest values at corners, in the median."""
    matrices = symmetric(0, 200)
    largest = attained(matrices).amax(1).clamp(min=1e-9)
    return (loewner(matrices) / largest).median().item()


def test_weights_are_near_to_the_largest_corner(monkeypatch):
    assert looseness() < 1.05
    norms = quadratic._mixed  # the norms of the rows alone are a fifth above it
    monkeypatch.setattr(quadratic, "_mixed", lambda *args: (None, 0 * norms(*args)[1]))
    assert looseness() > 1.15


def test_every_multiplier_gives_a_sound_bound():
    points = inside()
    for seed in range(4):
        matrices, slopes = symmetric(seed, 20), 3 * torch.randn(20, 6, dtype=F64)
        values = attained(matrices, points) + slopes @ points.T
        for slope, matrix, least in zip(slopes, matrices, values.amin(1).tolist(), strict=True):
            bound, dual = dual_bound(slope, matrix, 3 * torch.rand(6, dtype=F64))
            assert (dual >= 0).all()
            assert bound <= least


@pytest.mark.parametrize("region", [CUBE, BALL])
def test_steps_lead_to_the_least_of_the_relaxation_and_to_its_multipliers(region):
    """There is no gap between them: each is the best."""
    for seed in range(10):
        matrix = symmetric(seed, 1)[0]
        slope, vectors, duals = torch.randn(6, dtype=F64), None, torch.empty(0)
        for _ in range(30):
            vectors, duals = region.relaxed(slope[None], matrix[None], vectors)
        points = vectors[0]
        sizes = points.norm(dim=1)
        assert (sizes if region is CUBE else sizes.norm()[None]).amax() <= 1 + 1e-9
        value = (slope @ points[:, 0] + (points * (matrix @ points)).sum()).item()
        bound, _ = dual_bound(slope, matrix, duals[0], region)
        assert bound <= value <= bound + 1e-4 * matrix.norm(), seed


def test_any_factor_gives_a_sound_bound(monkeypatch):
    """The residual pays for a wrong factor: nothing rests on the library's factorization."""

    def wrong(matrices):
        factor = matrices.tril() + torch.randn_like(matrices) * 0.01
        return factor, torch.zeros(matrices.shape[:-2])

    matrices, points = symmetric(0), inside()
    monkeypatch.setattr(torch.linalg, "cholesky_ex", wrong)
    assert (loewner(matrices) >= attained(matrices).amax(1)).all()
    slope = torch.randn(6, dtype=F64)
    for matrix in matrices:
        least = (attained(matrix[None], points)[0] + points @ slope).min().item()
        assert dual_bound(slope, matrix, torch.ones(6, dtype=F64))[0] <= least


def test_planted_weights_times_nine_tenths_are_refused_by_the_factorization(monkeypatch):
    matrices = symmetric(0)[::5]
    assert loewner(matrices).isfinite().all()
    true = quadratic._weighed
    monkeypatch.setattr(quadratic, "_weighed", lambda m, w: true(m, 0.9 * w))
    assert loewner(matrices).isinf().all()


def test_planted_weights_times_nine_tenths_behind_the_proof_are_found_at_corners(monkeypatch):
    true, matrices = quadratic._weighed, symmetric(0)
    assert (loewner(matrices) >= attained(matrices).amax(1)).all()
    monkeypatch.setattr(quadratic, "_weighed", lambda m, w: 0.9 * true(m, w))
    assert (loewner(matrices) < attained(matrices).amax(1)).any()


def test_planted_negative_entry_of_a_dual_is_found_by_sampling(monkeypatch):
    matrix, slope = torch.eye(6, dtype=F64), 0.1 * torch.ones(6, dtype=F64)
    matrix[0, 0] = 3.0
    least = (attained(matrix[None], inside())[0] + inside() @ slope).min().item()
    dual = torch.zeros(6, dtype=F64)
    dual[0] = -1.0
    assert quadratic._dual_value(slope, matrix, dual) <= least
    monkeypatch.setattr(quadratic, "_cost", lambda dual, shifted: dual)
    assert quadratic._dual_value(slope, matrix, dual) > least


def test_planted_dual_without_its_cost_is_found_by_sampling(monkeypatch):
    matrices, slope, points = symmetric(0), torch.randn(6, dtype=F64), inside()
    least = (attained(matrices, points) + points @ slope).amin(1)

    def above():
        one = torch.ones(6, dtype=F64)
        bounds = torch.tensor([dual_bound(slope, m, one)[0] for m in matrices], dtype=F64)
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
            bound = quadratic._dual_value(slope, matrix, zero)
            point = -torch.linalg.solve(matrix, slope) / 2
            linear = sum(
                Fraction(a) * Fraction(b)
                for a, b in zip(slope.tolist(), point.tolist(), strict=True)
            )
            excess = max(excess, float(Fraction(bound) - exact_form(matrix, point) - linear))
        return excess

    assert worst() <= 0
    monkeypatch.setattr(quadratic, "residual", lambda m, f: torch.zeros(len(m), dtype=F64))
    monkeypatch.setattr(quadratic, "UNIT", 0.0)
    monkeypatch.setattr(type(quadratic.EXACT), "gamma", lambda self, terms: 0.0)
    assert worst() > 0


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_forms_that_are_not_finite_are_not_bounded(number):
    matrices = symmetric(0, 2)
    matrices[0, 1, 1] = number
    for bounds in (loewner(matrices), loewner(-matrices)):
        assert bounds[0] == math.inf
        assert bounds[1] < math.inf


def in_ball(n=6, count=4000):
    points = torch.randn(count, n, dtype=F64)
    points = points / points.norm(dim=1, keepdim=True)
    points[::2] *= torch.rand(count // 2, 1, dtype=F64)
    return points


def test_weights_of_the_ball_are_the_largest_eigenvalues():
    matrices = symmetric(0)
    above, below = loewner(matrices, BALL), loewner(-matrices, BALL)
    values = torch.linalg.eigvalsh(matrices)
    assert (above >= attained(matrices, in_ball()).amax(1)).all()
    assert torch.allclose(above, values[:, -1].clamp(min=0), atol=2e-3)
    assert torch.allclose(below, (-values[:, 0]).clamp(min=0), atol=2e-3)
