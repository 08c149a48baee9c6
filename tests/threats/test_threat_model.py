"""The laws of threat sets."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from cases import each
from holonet import nn
from holonet.attacks import ThreatModel
from holonet.errors import ConfigError, InputTypeError, ShapeError
from holonet.functions import CATALOGUE

REAL = ["Linf", "L2", "L1"]
COMPLEX = ["polydisc", "complex_ball"]
NORMS = [*REAL, *COMPLEX]
radii = st.sampled_from([0.0, 1e-6, 0.03, 0.5, 3.0])
boxes = st.sampled_from([None, (0.0, 1.0), (-2.0, 3.0), (-math.inf, math.inf), (0.9, 1.0)])
shapes = st.sampled_from([(3, 5), (2, 1, 3, 4), (4, 1), (1, 784), (0, 3)])
dtypes = st.sampled_from([torch.float32, torch.float64])
seeds = st.integers(0, 2**32)


def threat_of(norm: str, eps: float, bounds: tuple[float, float] | None) -> ThreatModel:
    """With no box for complex data, and with no radius beyond the range in Linf."""
    if norm in COMPLEX or bounds is None:
        return ThreatModel(norm, eps, None)
    limit = bounds[1] - bounds[0] if norm == "Linf" else math.inf
    return ThreatModel(norm, min(eps, limit), bounds)


threats = st.builds(threat_of, st.sampled_from(NORMS), radii, boxes)


def randn(threat: ThreatModel, shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    dtype = dtype.to_complex() if threat.is_complex else dtype
    return torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def examples(threat: ThreatModel, shape: tuple[int, ...], dtype: torch.dtype, seed: int) -> Tensor:
    """Examples in the box, some on its walls; everywhere where there is none."""
    if threat.bounds is None or math.isinf(threat.bounds[0]):
        return randn(threat, shape, dtype, seed) * 100
    generator = torch.Generator().manual_seed(seed)
    low, high = threat.bounds
    corner = torch.rand(shape, generator=generator) < 0.1
    x = low + (high - low) * torch.rand(shape, dtype=dtype, generator=generator)
    return torch.where(corner, high, x).clamp(low, high)


def inner(a: Tensor, b: Tensor) -> Tensor:
    """Re <a, b> of each example, in double precision."""
    a, b = (v.to(torch.complex128).flatten(1) for v in (a, b))
    return (a.conj() * b).real.sum(1)


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds, reach=st.floats(0.0, 100.0))
def test_project(threat, shape, dtype, seed, reach):
    x = examples(threat, shape, dtype, seed)
    before = x.clone()
    far = x + reach * randn(threat, shape, dtype, seed + 1)
    inside = threat.project(far, x)
    assert inside.dtype == x.dtype
    assert bool(threat.contains(inside, x).all())
    again = threat.project(inside, x)
    tolerance = 0.0 if threat.norm == "Linf" else 4 * torch.finfo(dtype).eps
    size = float(x.abs().max()) + threat.eps if x.numel() else 0.0
    torch.testing.assert_close(again, inside, rtol=0, atol=tolerance * size)
    assert torch.equal(x, before)


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds, share=st.floats(0.0, 0.99))
def test_points_of_the_set_are_fixed(threat, shape, dtype, seed, share):
    x = examples(threat, shape, dtype, seed)
    delta = randn(threat, shape, dtype, seed + 1)
    length = threat.distance(x + delta, x).view(-1, *[1] * (x.ndim - 1))
    point = x + delta * share * threat.eps / length
    if threat.bounds is not None:
        point = point.clamp(*threat.bounds)
    close = threat.distance(point, x) <= threat.eps  # rounding may lead outside
    point = torch.where(close.view(length.shape), point, x)
    assert torch.equal(threat.project(point, x), point)
    assert torch.equal(threat.project(x, x), x)


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds, reach=st.floats(0.0, 10.0))
def test_the_projection_is_the_nearest_point(threat, shape, dtype, seed, reach):
    x = examples(threat, shape, dtype, seed)
    far = x + reach * randn(threat, shape, dtype, seed + 1)
    nearest = threat.project(far, x)
    others = [threat.random_point(x, torch.Generator().manual_seed(seed + k)) for k in range(5)]
    others += [x, threat.maximizer(far - nearest, x)]
    for other in others:
        gap = [inner(far - p, far - p).sqrt() for p in (nearest, other)]
        assert bool((gap[0] <= gap[1] * (1 + 1e-5) + 1e-4).all())


def test_a_projection_by_hand() -> None:
    x, far = torch.tensor([[0.9, 0.5]]), torch.tensor([[2.9, 2.5]])
    for norm, expected in [
        ("Linf", [1.0, 0.8]),
        ("L2", [1.0, 0.5 + 0.08**0.5]),  # shortened to 0.3, then cut, it would be [1, 0.712]
        ("L1", [1.0, 0.7]),
    ]:
        torch.testing.assert_close(ThreatModel(norm, 0.3).project(far, x), torch.tensor([expected]))
    z, far = torch.tensor([[0j, 1.0]]), torch.tensor([[3 + 4j, 1.0]])
    for norm in COMPLEX:
        near = ThreatModel(norm, 1.0, None).project(far, z)
        torch.testing.assert_close(near, torch.tensor([[0.6 + 0.8j, 1.0]]))


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds)
def test_random_points_are_in_the_set_and_reproducible(threat, shape, dtype, seed):
    x = examples(threat, shape, dtype, seed)
    points = [threat.random_point(x, torch.Generator().manual_seed(s)) for s in (seed, seed)]
    assert points[0].dtype == x.dtype
    assert bool(threat.contains(points[0], x).all())
    assert torch.equal(*points)


@given(threat=threats, shape=shapes, dtype=dtypes, seed=seeds)
def test_the_maximizer_is_in_the_set_and_largest(threat, shape, dtype, seed):
    x = examples(threat, shape, dtype, seed)
    gradient = randn(threat, shape, dtype, seed + 1)
    best = threat.maximizer(gradient, x)
    assert best.dtype == x.dtype
    assert bool(threat.contains(best, x).all())
    slack = 1e-5 if dtype == torch.float32 else 1e-12
    slack = slack * inner(gradient.abs(), x.abs() + threat.eps)
    for k in range(5):
        other = threat.random_point(x, torch.Generator().manual_seed(seed + k))
        far = threat.project(x + 10.0**k * gradient, x)  # nears the maximizer
        for point in (other, far):
            assert bool((inner(gradient, point - best) <= slack).all())
    if threat.bounds is None:
        step = threat.eps * threat.steepest(gradient)
        torch.testing.assert_close(best, x + step)
        rise = inner(gradient, step)
        torch.testing.assert_close(
            rise, threat.eps * threat.dual_norm(gradient).double(), rtol=1e-5, atol=1e-12
        )


@given(
    norm=st.sampled_from(NORMS), shape=shapes, dtype=dtypes, seed=seeds, log=st.integers(-37, 37)
)
def test_steepest_has_norm_1_and_rises_most(norm, shape, dtype, seed, log):
    threat = ThreatModel(norm, 1.0, None)
    gradient = randn(threat, shape, dtype, seed)
    direction = threat.steepest(gradient * 10.0**log)
    length = threat.distance(direction, torch.zeros_like(direction))
    torch.testing.assert_close(length, torch.ones_like(length))
    best = inner(gradient, direction)
    torch.testing.assert_close(best, threat.dual_norm(gradient).double(), rtol=1e-5, atol=0)
    for k in range(20):
        other = randn(threat, shape, dtype, seed + k + 1)
        rise = inner(gradient, other) / threat.distance(other, torch.zeros_like(other))
        assert bool((rise <= best * (1 + 1e-5)).all())


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_has_no_direction(norm: str) -> None:
    threat = ThreatModel(norm, bounds=None)
    zero = torch.zeros(2, 3, dtype=torch.complex64 if threat.is_complex else torch.float32)
    x = zero + 0.5
    assert torch.equal(threat.steepest(zero), zero)
    assert torch.equal(threat.maximizer(zero, x), x)
    assert not bool(threat.dual_norm(zero).any())


@given(threat=threats, shape=shapes, seed=seeds)
def test_radius_0_leaves_the_example(threat, shape, seed):
    threat = ThreatModel(threat.norm, 0.0, threat.bounds)
    x = examples(threat, shape, torch.float32, seed)
    other = randn(threat, shape, torch.float32, seed + 1)
    assert torch.equal(threat.random_point(x), x)
    assert torch.equal(threat.project(x + other, x), x)
    assert torch.equal(threat.maximizer(other, x), x)


@each("norm", REAL)
@each("bounds", [(0.0, 1.0), (0.1, 0.7), (-1.3, 2.9), (-7.3, 60.1)])
def test_walls_are_reached_exactly(norm: str, bounds: tuple[float, float]) -> None:
    threat = ThreatModel(norm, 0.9 * (bounds[1] - bounds[0]), bounds)
    x = examples(threat, (50, 3), torch.float32, 0)
    gradient = randn(threat, (50, 3), torch.float32, 1)
    low, high = torch.tensor(bounds)
    for point in (threat.maximizer(gradient, x), threat.project(x + 1e3 * gradient, x)):
        near = [(point - wall).abs() < 1e-5 * (high - low) for wall in (low, high)]
        assert all(bool(n.any()) for n in near)
        assert bool((point == low)[near[0]].all())
        assert bool((point == high)[near[1]].all())


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
    for norm, total in [("L1", 0.1), ("L1", 0.1001)]:
        point = x + torch.tensor([[total / 2, -total / 2]])
        assert bool(ThreatModel(norm, 0.1).contains(point, x)) is (total == 0.1)
    z = torch.tensor([[1j, 1.0]])
    for norm, inside in [("polydisc", True), ("complex_ball", False)]:
        point = z + torch.tensor([[0.06 + 0.06j, 0.08j]])
        assert bool(ThreatModel(norm, 0.1, None).contains(point, z)) is inside
    edge = torch.tensor([[1.05, 0.0]])
    assert not ThreatModel("Linf", 0.1).contains(edge, torch.tensor([[1.0, 0.0]]))
    assert ThreatModel("Linf", 0.1, None).contains(edge, torch.tensor([[1.0, 0.0]]))


@pytest.mark.parametrize("eps", [-0.1, math.nan, math.inf])
def test_bad_radii(eps: float) -> None:
    with pytest.raises(ConfigError, match=f"eps={eps}"):
        ThreatModel(eps=eps)


@pytest.mark.parametrize("bounds", [(1.0, 0.0), (0.5, 0.5), (math.nan, 1.0)])
def test_empty_boxes(bounds: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match="lower < upper"):
        ThreatModel(bounds=bounds)


def test_unknown_norms() -> None:
    with pytest.raises(ConfigError, match=r"norm='L7'.*'Linf', 'L2' or 'L1'.*'polydisc'"):
        ThreatModel("L7")


@pytest.mark.parametrize(
    ("eps", "bounds"), [(8.0, (0.0, 1.0)), (1.01, (0.0, 1.0)), (5.0, (-1.0, 3.0))]
)
def test_radii_beyond_the_range_of_the_data(eps: float, bounds: tuple[float, float]) -> None:
    with pytest.raises(ConfigError, match=rf"eps={eps}.*range {bounds[1] - bounds[0]} of the data"):
        ThreatModel("Linf", eps, bounds)
    for norm in ("L2", "L1"):
        ThreatModel(norm, eps, bounds)
    ThreatModel("Linf", eps, None)
    ThreatModel("Linf", bounds[1] - bounds[0], bounds)


@pytest.mark.parametrize("norm", COMPLEX)
def test_complex_data_have_no_box(norm: str) -> None:
    with pytest.raises(ConfigError, match="pass bounds=None"):
        ThreatModel(norm)
    threat = ThreatModel(norm, bounds=None)
    x = torch.zeros(2, 3)
    for call in (threat.project, threat.contains, threat.distance, threat.maximizer):
        with pytest.raises(InputTypeError, match=r"perturbs complex inputs.*'Linf'"):
            call(x, x)


def test_shapes_must_be_those_of_the_examples() -> None:
    x, threat = torch.zeros(2, 3), ThreatModel()
    for call in (threat.project, threat.contains, threat.distance, threat.maximizer):
        with pytest.raises(ShapeError, match=r"\(2, 1\) and \(2, 3\)"):
            call(torch.zeros(2, 1), x)


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


def test_numbers_of_any_kind_become_floats():
    threat = ThreatModel(eps=Fraction(1, 4), bounds=(0, np.float32(1)))  # pyright: ignore[reportArgumentType]
    assert threat == ThreatModel(eps=0.25)
    assert [type(v) for v in (threat.eps, *(threat.bounds or ()))] == [float] * 3


# ---- images under monotone layers


RISING = [name for name, record in CATALOGUE.items() if record.monotone]


def rising_layers(seed, channels):
    """One to three layers, with a change of shape between them."""
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for _ in range(int(torch.randint(1, 4, (), generator=generator))):
        slope, center = (0.2 + 3 * torch.rand(2, channels, generator=generator)).double()
        threshold = nn.Threshold(channels=channels, dtype=torch.float64)
        with torch.no_grad():
            threshold.log_slope.copy_(slope.log())
            threshold.center.copy_(center - 1)
        name = RISING[int(torch.randint(len(RISING), (), generator=generator))]
        layers += [threshold, nn.Activation(name), torch.nn.Identity()]
    return [*layers, nn.Flatten()]


def applied(layers, x):
    for layer in layers:
        x = layer(x)
    return x


@given(seed=seeds, eps=st.floats(0, 0.5), bounded=st.booleans())
def test_the_image_of_a_box_is_exact(seed, eps, bounded):
    layers = rising_layers(seed, 2)
    threat = ThreatModel("Linf", eps, (0.0, 1.0) if bounded else None)
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(3, 2, 2, generator=generator, dtype=torch.float64)
    x[0] = x[0].round()  # at the walls
    box = threat.image(layers, x)
    # corners are attained, each entry by itself
    for sign, corner in ((-1, box.low), (1, box.high)):
        extreme = x + sign * eps
        extreme = extreme.clamp(0, 1) if bounded else extreme
        torch.testing.assert_close(applied(layers, extreme), corner, rtol=1e-14, atol=1e-14)
        assert threat.contains(extreme, x).all()
    # points inside map inside
    inside = torch.stack([threat.random_point(x, generator) for _ in range(20)])
    for point in (*inside, x):
        assert box.contains(applied(layers, point)).all()
    # and each point of the image comes from one: bisection along each entry finds it
    target = box.random_point(generator)
    low, high = threat.maximizer(-torch.ones_like(x), x), threat.maximizer(torch.ones_like(x), x)
    for _ in range(60):
        middle = (low + high) / 2
        below = (applied(layers, middle) < target).view_as(x)
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    torch.testing.assert_close(applied(layers, (low + high) / 2), target, rtol=1e-9, atol=1e-9)
    assert threat.contains((low + high) / 2, x).all()


def test_the_image_is_unequal_about_the_image_of_the_example():
    threat, t = ThreatModel("Linf", 0.3), nn.Threshold()
    x = torch.tensor([[0.0, 0.1, 0.5, 0.9, 1.0]])
    box = threat.image([t], x)
    expected_low = t(torch.tensor([[0.0, 0.0, 0.2, 0.6, 0.7]]))
    expected_high = t(torch.tensor([[0.3, 0.4, 0.8, 1.0, 1.0]]))
    torch.testing.assert_close(box.low, expected_low)
    torch.testing.assert_close(box.high, expected_high)
    assert (box.center - t(x)).abs().max() > 0.05


def test_without_layers_the_image_is_the_set_itself():
    x = torch.tensor([[0.0, 0.4], [1.0, 0.95]])
    box = ThreatModel("Linf", 0.1).image([], x)
    torch.testing.assert_close(box.low, torch.tensor([[0.0, 0.3], [0.9, 0.85]]))
    torch.testing.assert_close(box.high, torch.tensor([[0.1, 0.5], [1.0, 1.0]]))


def test_slope_and_center_get_a_gradient_through_the_image():
    t, x = nn.Threshold(dtype=torch.float64), torch.rand(3, 4, dtype=torch.float64)

    box = ThreatModel("Linf", 0.1).image([t], x)
    for corner, moved in ((box.low, x - 0.1), (box.high, x + 0.1)):
        found = torch.autograd.grad(corner.sum(), list(t.parameters()))
        expected = torch.autograd.grad(t(moved.clamp(0, 1)).sum(), list(t.parameters()))
        torch.testing.assert_close(found, expected)


def test_other_norms_and_other_layers_have_no_box():
    x = torch.rand(2, 4)
    for norm in ("L2", "L1"):
        with pytest.raises(ConfigError, match="only the image of a box is a box"):
            ThreatModel(norm, 0.1).image([], x)
    with pytest.raises(InputTypeError, match="ReLU is not known to be monotone"):
        ThreatModel("Linf", 0.1).image([torch.nn.ReLU()], x)
    with pytest.raises(InputTypeError, match="perturbs real inputs"):
        ThreatModel("Linf", 0.1, None).image([], x.to(torch.complex64))
