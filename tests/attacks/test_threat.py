"""The laws of threat sets."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from holonet.attacks import ThreatModel
from holonet.errors import DomainError, InputTypeError

NORMS = ["Linf", "L2"]
radii = st.sampled_from([0.0, 1e-6, 0.03, 0.5, 3.0])
boxes = st.sampled_from([None, (0.0, 1.0), (-2.0, 3.0), (-math.inf, math.inf), (0.9, 1.0)])
threats = st.builds(ThreatModel, st.sampled_from(NORMS), radii, boxes)
shapes = st.sampled_from([(3, 5), (2, 1, 3, 4), (4, 1), (1, 784), (0, 3)])
dtypes = st.sampled_from([torch.float32, torch.float64])
seeds = st.integers(0, 2**32)


def examples(threat: ThreatModel, shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    """Examples in the box; everywhere where there is none."""
    generator = torch.Generator().manual_seed(seed)
    if threat.bounds is None or math.isinf(threat.bounds[0]):
        return torch.randn(shape, dtype=dtype, generator=generator) * 100
    low, high = threat.bounds
    corner = torch.rand(shape, generator=generator) < 0.1
    x = low + (high - low) * torch.rand(shape, dtype=dtype, generator=generator)
    return torch.where(corner, high, x).clamp(low, high)


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds, reach=st.floats(0.0, 100.0))
def test_project(threat, shape, dtype, seed, reach):
    x = examples(threat, shape, dtype, seed)
    before = x.clone()
    far = x + reach * torch.randn(shape, dtype=dtype)
    inside = threat.project(far, x)
    assert inside.dtype == dtype
    assert bool(threat.contains(inside, x).all())
    again = threat.project(inside, x)
    tolerance = 0.0 if threat.norm == "Linf" else 4 * torch.finfo(dtype).eps
    size = float(x.abs().max()) + threat.eps if x.numel() else 0.0
    torch.testing.assert_close(again, inside, rtol=0, atol=tolerance * size)
    assert torch.equal(x, before)


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds, share=st.floats(0.0, 0.99))
def test_points_of_the_set_are_fixed(threat, shape, dtype, seed, share):
    x = examples(threat, shape, dtype, seed)
    delta = torch.randn(shape, dtype=dtype)
    order = math.inf if threat.norm == "Linf" else 2
    length = torch.linalg.vector_norm(delta.flatten(1), order, dim=1)
    delta = delta * share * threat.eps / length.view(-1, *[1] * (x.ndim - 1))
    point = x + delta
    if threat.bounds is not None:
        point = point.clamp(*threat.bounds)
    point = torch.where((point - x).abs() <= threat.eps, point, x)  # rounding may lead outside
    assert torch.equal(threat.project(point, x), point) or threat.norm == "L2"
    torch.testing.assert_close(threat.project(point, x), point, rtol=1e-6, atol=0)
    assert torch.equal(threat.project(x, x), x)


@given(shape=shapes, dtype=dtypes, seed=seeds, eps=radii, reach=st.floats(0.0, 10.0))
def test_l2_projection_is_the_nearest_point(shape, dtype, seed, eps, reach):
    threat = ThreatModel("L2", eps, None)
    x = examples(threat, shape, dtype, seed)
    far = x + reach * torch.randn(shape, dtype=dtype)
    nearest = threat.project(far, x)
    for k in range(5):
        other = threat.random_point(x, torch.Generator().manual_seed(seed + k))
        gap = [(far - p).double().flatten(1).norm(dim=1) for p in (nearest, other)]
        assert bool((gap[0] <= gap[1] * (1 + 1e-5) + 1e-4).all())


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds)
def test_random_points_are_in_the_set_and_reproducible(threat, shape, dtype, seed):
    x = examples(threat, shape, dtype, seed)
    points = [threat.random_point(x, torch.Generator().manual_seed(s)) for s in (seed, seed)]
    assert points[0].dtype == dtype
    assert bool(threat.contains(points[0], x).all())
    assert torch.equal(*points)


@pytest.mark.parametrize("norm", NORMS)
def test_random_points_are_uniform_in_the_ball(norm: str) -> None:
    threat, x = ThreatModel(norm, 2.0, None), torch.zeros(20000, 3, dtype=torch.float64)
    points = threat.random_point(x, torch.Generator().manual_seed(0))
    order = math.inf if norm == "Linf" else 2
    length = torch.linalg.vector_norm(points, order, dim=1) / 2.0
    for share in (0.3, 0.6, 0.9):  # of a ball in 3 dimensions, share^3 has such a norm or less
        assert float((length <= share).double().mean()) == pytest.approx(share**3, abs=0.015)
    assert float(points.mean(0).abs().max()) < 0.05


@given(
    norm=st.sampled_from(NORMS), shape=shapes, dtype=dtypes, seed=seeds, log=st.integers(-37, 37)
)
def test_steepest_has_norm_1_and_rises_most(norm, shape, dtype, seed, log):
    threat = ThreatModel(norm, 1.0, None)
    gradient = torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))
    direction = threat.steepest(gradient * 10.0**log)
    order = math.inf if norm == "Linf" else 2
    length = torch.linalg.vector_norm(direction.flatten(1), order, dim=1)
    torch.testing.assert_close(length, torch.ones_like(length))
    best = (direction * gradient).flatten(1).sum(1)
    others = torch.randn(200, *shape, dtype=dtype).flatten(2)
    others = others / torch.linalg.vector_norm(others, order, dim=2, keepdim=True)
    rises = (others * gradient.flatten(1)).sum(2)
    assert bool((rises <= best * (1 + 1e-5)).all())


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_has_no_direction(norm: str) -> None:
    zero = torch.zeros(2, 3)
    assert torch.equal(ThreatModel(norm).steepest(zero), zero)


@given(threat=threats, shape=shapes, seed=seeds)
def test_radius_0_leaves_the_example(threat, shape, seed):
    threat = ThreatModel(threat.norm, 0.0, threat.bounds)
    x = examples(threat, shape, torch.float32, seed)
    assert torch.equal(threat.random_point(x), x)
    assert torch.equal(threat.project(x + torch.randn(shape), x), x)


def test_contains_says_no() -> None:
    x = torch.tensor([[0.5, 0.5]])
    for norm, point, inside in [
        ("Linf", [0.6, 0.4], True),
        ("Linf", [0.6001, 0.5], False),
        ("L2", [0.6, 0.5], True),
        ("L2", [0.6, 0.4], False),
        ("L2", [math.nan, 0.5], False),
    ]:
        assert bool(ThreatModel(norm, 0.1).contains(torch.tensor([point]), x)) is inside
    edge = torch.tensor([[1.05, 0.0]])
    assert not ThreatModel("Linf", 0.1).contains(edge, torch.tensor([[1.0, 0.0]]))
    assert ThreatModel("Linf", 0.1, None).contains(edge, torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize("eps", [-0.1, math.nan, math.inf])
def test_bad_radii(eps: float) -> None:
    with pytest.raises(DomainError, match=f"eps={eps}"):
        ThreatModel(eps=eps)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.5, 0.5), (math.nan, 1.0)])
def test_empty_boxes(bounds: tuple[float, float]) -> None:
    with pytest.raises(DomainError, match="lower < upper"):
        ThreatModel(bounds=bounds)


def test_unknown_norms() -> None:
    with pytest.raises(DomainError, match=r"norm='L7'.*'Linf' or 'L2'"):
        ThreatModel("L7")


@pytest.mark.parametrize(
    ("x", "hint"),
    [
        (torch.zeros(2, 3, dtype=torch.complex64), "in front of the lift"),
        (torch.zeros(2, 3, dtype=torch.uint8), r"x\.float\(\) / 255"),
    ],
)
def test_only_real_floating_point_is_perturbed(x: Tensor, hint: str) -> None:
    threat = ThreatModel()
    calls: list[Any] = [threat.project, threat.contains, lambda x, _: threat.random_point(x)]
    for call in calls:
        with pytest.raises(InputTypeError, match=hint):
            call(x, x)
