"""Certified radii: proved, nearly the largest, and near to the attack's on nearly linear sets."""

import math

import pytest
import torch
from enclosed import F64, l2, linf, networks, quartics
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet import nn
from holonet.certify import Semantics, certified_radius, certify
from holonet.diagnostics import minimum_norm_perturbations
from holonet.errors import ConfigError, DomainError, ShapeError, UnknownNameError
from holonet.threats import ThreatModel


def holds(model, x, y, norm, radius, methods, semantics):
    (proof,) = certify(model, x[None], y[None], ThreatModel(norm, radius), methods, semantics)
    return proof.holds


@pytest.mark.parametrize(
    ("name", "norm"),
    [
        ("complex square", "L2"),
        ("relu", "Linf"),
        pytest.param("complex square", "Linf", marks=pytest.mark.slow),
        pytest.param("relu", "L2", marks=pytest.mark.slow),
        pytest.param("torch's convolution", "Linf", marks=pytest.mark.slow),
        pytest.param("torch's convolution", "L2", marks=pytest.mark.slow),
    ],
)
def test_the_class_is_proved_at_the_radius_and_not_far_above(name, norm):
    torch.manual_seed(0)
    model, shape = networks(single=True)[name]
    x, single = torch.rand(4, *shape), Semantics(torch.float32)
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % 3
    limit = ThreatModel(norm, 0.05)
    methods = ["intervals", "tangents"]
    radii = certified_radius(model, x, y, limit, methods, single, tolerance=0.1)
    assert radii[0] == 0
    assert ((radii > 0) & (radii <= limit.eps))[1:].all()
    for point, label, radius in zip(x[1:], y[1:], radii[1:].tolist(), strict=True):
        assert holds(model, point, label, norm, radius, methods, single)
        above = radius / 0.89
        assert radius == limit.eps or not holds(model, point, label, norm, above, methods, single)


@given(seed=st.integers(0, 2**32), limit=st.floats(1e-6, 1e3), tolerance=st.floats(1e-4, 0.5))
@settings(max_examples=2)
def test_radii_of_affine_networks_are_margins_over_dual_norms(seed, limit, tolerance):
    torch.manual_seed(seed)
    model = nn.Linear(3, 4, dtype=F64)
    x, y = torch.randn(6, 3, dtype=F64), torch.arange(6) % 4
    for norm, order in (("Linf", 1), ("L2", 2)):
        found = certified_radius(model, x, y, ThreatModel(norm, limit, None), tolerance=tolerance)
        with torch.no_grad():
            gaps = model(x).gather(1, y[:, None]) - model(x)
            slopes = (model.weight[y][:, None] - model.weight).norm(p=order, dim=2)
            distance = (gaps / slopes).nan_to_num(math.inf).amin(1)
        expected = distance.clamp(0, limit)
        expected = expected.masked_fill(expected < 2e-9 * limit, 0.0)
        assert (found <= expected).all()
        assert (found >= (1 - tolerance) * expected - 1e-12).all()


@pytest.mark.parametrize(
    ("method", "count"),
    [("second_order", 1)]
    + [pytest.param(k, 2, marks=pytest.mark.slow) for k in ("second_order", "tangents")],
)
def test_near_the_boundary_the_radius_is_that_of_the_attack(method, count):
    torch.manual_seed(0)
    tangents = method == "tangents"
    model, shape = networks()["complex square"] if tangents else quartics()["dense"]
    x = torch.rand(4, *shape, dtype=F64)
    y = model(x).argmax(1)
    quick = {"targets": 2, "steps": 6, "rounds": 3}
    far = minimum_norm_perturbations(model, x, y, linf(0.5), **quick)
    ratios = []
    for distance in (0.03, 0.003):
        rows = ((far.distance > 0.03) & far.distance.isfinite()).nonzero()[:count, 0]
        share = distance / far.distance[rows, None]
        near = far.x_adv[rows] + share * (x[rows] - far.x_adv[rows])
        limit = linf(2 * distance)
        attacked = minimum_norm_perturbations(model, near, y[rows], limit, **quick).distance
        radii = certified_radius(model, near, y[rows], limit, [method], tolerance=0.02)
        assert (radii <= attacked).all()
        ratios.append((radii / attacked).amin().item())
    assert len(rows) == count
    assert ratios[0] < ratios[1] + 0.02  # which is the tolerance
    assert ratios[1] > 0.93


def test_a_radius_does_not_depend_on_the_batch_and_more_methods_make_it_no_smaller():
    torch.manual_seed(0)
    model, shape = networks()["real square"]
    x = torch.rand(7, *shape, dtype=F64)[4:]
    y = model(x).argmax(1)
    done = []
    first, both = (
        certified_radius(model, x, y, linf(0.3), methods, batch_size=size, on_examples=done.append)
        for methods, size in ((["intervals"], 2), (["intervals", "tangents"], 128))
    )
    assert done == [2, 1, 3]
    assert torch.allclose(first, certified_radius(model, x, y, linf(0.3)), rtol=1e-9)
    assert (both >= 0.99 * first).all()
    assert (both > 1.05 * first).any()


def test_no_examples_have_no_radii():
    model, shape = networks()["relu"]
    x, y = torch.rand(0, *shape, dtype=F64), torch.zeros(0, dtype=torch.int64)
    assert certified_radius(model, x, y, linf(0.1)).shape == (0,)


@each(
    ("change", "error", "match"),
    [
        ({"threat": linf(0.0)}, ConfigError, "up to 0.0"),
        ({"tolerance": 0.0}, ConfigError, "tolerance=0.0"),
        ({"tolerance": 1.0}, ConfigError, "tolerance=1.0"),
        ({"batch_size": 0}, ConfigError, "batch_size=0"),
        ({"threat": l2(0.1), "methods": ["splits"]}, ConfigError, "'L2'"),
        ({"methods": ["magic"]}, UnknownNameError, "magic"),
        ({"y": torch.tensor([0, 1])}, ShapeError, "2 labels"),
        ({"y": torch.tensor([7])}, DomainError, "classes"),
        ({"x": torch.full((1, 4), 2.0, dtype=F64)}, DomainError, "outside"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_words(change, error, match):
    x, y = torch.full((1, 4), 0.5, dtype=F64), torch.tensor([0])
    given = {"model": networks()["relu"][0], "x": x, "y": y, "threat": linf(0.1)}
    with pytest.raises(error, match=match):
        certified_radius(**(given | change))
