"""Readouts by the modulus on enclosures: values inside of them, forms below."""

import pytest
import torch

from holonet.certify import Enclosure, Semantics, read
from holonet.certify.rows import Rows
from holonet.certify.step import Trace
from holonet.nn import LogModulus, Modulus

F64 = torch.float64
READOUTS = [Modulus(), LogModulus(), LogModulus(0.3), LogModulus(1e-20)]


def enclosures(parts, count=400):
    """Centers at all distances from 0, and radii from far below them to above."""
    center = torch.randn(parts, count, 1, dtype=F64) * 10.0 ** torch.randint(-6, 3, (count, 1))
    radius = torch.rand(parts, count, 1, dtype=F64) * center.abs().amax(0)
    return Enclosure(center, radius * 10.0 ** torch.randint(-9, 1, (count, 1)))


def points_in(enclosure, dtype=F64):
    """Corners, edges and the inside."""
    share = 2 * torch.rand(60, *enclosure.center.shape, dtype=F64) - 1
    share[:20] = share[:20].sign()
    share[20:40, :1] = share[20:40, :1].sign()
    ends = enclosure.low.to(dtype), enclosure.high.to(dtype)
    for share_of in share:
        point = (enclosure.center + share_of * enclosure.radius).to(dtype)
        yield torch.minimum(torch.maximum(point, ends[0]), ends[1])


def value(layer, point):
    return layer(torch.complex(*point) if len(point) == 2 else point[0])


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("layer", READOUTS, ids=str)
def test_values_are_inside_and_forms_below(layer, parts):
    (step,) = read(layer).steps
    enclosure, trace = enclosures(parts), Trace(Semantics())
    image = step.forward(enclosure, trace)
    forms = {
        sign: step.pull(Rows.entries(image.center.shape, torch.arange(1), sign), trace)
        for sign in (1.0, -1.0)
    }
    nearest = torch.full((2, 400), torch.inf, dtype=F64)
    for point in points_in(enclosure):
        exact = value(layer, point)
        assert (image.contains(exact[None]) >= 0).all()
        for i, (sign, form) in enumerate(forms.items()):
            room = (sign * exact - form.lower(Enclosure(point, torch.zeros_like(point))))[:, 0]
            assert (room >= 0).all()
            nearest[i] = nearest[i].minimum(room)
    size = enclosure.center.abs().amax(0)[:, 0]
    small = enclosure.radius.amax(0)[:, 0] < 1e-6 * size
    assert (nearest[:, small] < 1e-9 * (1 + size[small])).all()


@pytest.mark.parametrize("layer", READOUTS, ids=str)
def test_values_that_float32_returns_are_inside(layer):
    (step,) = read(layer).steps
    single = Semantics(torch.float32)
    enclosure = enclosures(2)
    image = step.forward(enclosure, Trace(single))
    for point in points_in(enclosure, torch.float32):
        inside = (enclosure.contains(point.double()) >= 0).all(0)
        room = image.contains(value(layer, point)[None].double())[0]
        assert (room[inside] >= 0).all()
