"""Entrywise layers on enclosures: samples inside, both dtypes, forms below."""

import pytest
import torch

from cases import each, some_of
from holonet import nn
from holonet.certify import Enclosure, Semantics
from holonet.certify.pointwise import Pointwise, Relu, ThresholdStep
from holonet.certify.rows import Rows
from holonet.certify.step import Trace
from holonet.errors import InputTypeError
from holonet.functions import CATALOGUE, blaschke, moebius, polynomial
from holonet.functions.disc_bounds import _bound

F64 = torch.float64
RECORDS = [r for r in CATALOGUE.values() if _bound(r) is not None]
RECORDS += [polynomial([1, 2j, -0.5]), moebius(1, 0.5j, 0.25, 1), blaschke([0.5, -0.3], 1.0)]


def layers(dtype):
    yield from (nn.Activation(record) for record in RECORDS)
    yield nn.Threshold(20.0, 0.46, dtype=dtype)
    yield nn.Threshold(3.0, 0.1, channels=4, dtype=dtype)
    yield torch.nn.ReLU()


def step_of(layer):
    if isinstance(layer, nn.Threshold):
        return ThresholdStep("layer", layer)
    return Relu("layer") if isinstance(layer, torch.nn.ReLU) else Pointwise("layer", layer)


def box(parts, wide):
    center = torch.randn(parts, 60, 4, dtype=F64)
    least, most = (-3, 4) if wide else (-12, 9)
    radius = 10 ** (most * torch.rand(center.shape, dtype=F64) + least)
    if not wide:
        radius = radius.clamp(max=0.3)
    return Enclosure(center, radius)


def samples(x, count=10):
    share = torch.rand(count, *x.center.shape, dtype=F64)
    share[::2] = share[::2].round()
    return torch.minimum(torch.maximum(x.low + share * (x.high - x.low), x.low), x.high)


def parts_of(value):
    return torch.stack([value.real, value.imag] if value.is_complex() else [value])


@some_of("layer", list(layers(F64)), slice(2, None, 6))
@pytest.mark.parametrize("parts", [1, 2])
def test_samples_lie_inside_and_forms_lie_below_in_double_precision(layer, parts):
    if parts == 2 and not isinstance(layer, nn.Activation):
        return
    step = step_of(layer)
    known = 0
    for wide in (False, True):
        x, trace = box(parts, wide), Trace(Semantics(F64))
        image = step.forward(x, trace)
        known += int(image.radius.isfinite().sum())
        real = parts == 1 and getattr(layer, "takes_real", True)
        shape = (len(image.center), 60, 3, 4)
        value = torch.randn(shape, dtype=F64)
        given = Rows(value, 1e-9 * torch.rand(shape, dtype=F64), *torch.zeros(2, 60, 3).double())
        pulled = step.pull(given, trace)
        for point in samples(x):
            z = point[0] if parts == 1 else torch.complex(*point)
            with torch.no_grad():
                y = parts_of(layer(z if real else z.to(torch.complex128)))
            y = y.nan_to_num(0.0) if wide else y
            inside = image.contains(y) >= 0
            assert (inside | (image.radius > 1e280)).all()
            form = (value * y.unsqueeze(2)).sum((0, 3))
            there = Enclosure(point, torch.zeros_like(point))
            bound = pulled.lower(there)
            assert ((bound <= form) | form.isinf() | form.isnan()).all()
    assert known > 60


@each("layer", list(layers(torch.float32)), ids=str)
@pytest.mark.parametrize("parts", [1, 2])
def test_values_in_single_precision_lie_inside(layer, parts):
    if parts == 2 and not isinstance(layer, nn.Activation):
        return
    step, trace = step_of(layer), Trace(Semantics(torch.float32))
    x = torch.randn(parts, 300, 4)
    image = step.forward(Enclosure(x.double(), torch.zeros(x.shape, dtype=F64)), trace)
    z = x[0] if parts == 1 else torch.complex(*x)
    real = parts == 1 and getattr(layer, "takes_real", True)
    with torch.no_grad():
        y = parts_of(layer(z if real else z.to(torch.complex64))).double()
    inside = image.contains(y) >= 0
    assert (inside | image.radius.isinf()).all()
    if isinstance(layer, nn.Activation):
        assert image.radius.isfinite().float().mean() > 0.5


def test_the_threshold_maps_a_box_exactly_onto_a_box():
    layer = nn.Threshold(30.0, 0.46, dtype=F64)
    low = torch.rand(1, 5, 4, dtype=F64)
    x = Enclosure.between(low, low + 0.2)
    image = ThresholdStep("t", layer).forward(x, Trace(Semantics()))
    with torch.no_grad():
        ends = layer(x.low), layer(x.high)
    assert torch.allclose(image.low, ends[0], atol=1e-14)
    assert torch.allclose(image.high, ends[1], atol=1e-14)


def test_squares_of_rectangles_are_exact():
    x = Enclosure(torch.randn(2, 30, 4, dtype=F64), torch.rand(2, 30, 4, dtype=F64))
    image = Pointwise("s", nn.Square()).forward(x, Trace(Semantics()))
    share = torch.linspace(0, 1, 41, dtype=F64)
    u = x.low[0] + share[:, None, None] * (x.high - x.low)[0]
    v = x.low[1] + share[:, None, None] * (x.high - x.low)[1]
    z = torch.complex(*torch.broadcast_tensors(u[:, None], v[None])).flatten(0, 1) ** 2
    for part, values in enumerate((z.real, z.imag)):
        assert (image.low[part] - values.amin(0)).abs().amax() < 5e-3
        assert (image.high[part] - values.amax(0)).abs().amax() < 5e-3


@each("layer", [nn.Threshold(dtype=F64), torch.nn.ReLU()], ids=str)
def test_real_layers_behind_complex_ones_are_refused(layer):
    with pytest.raises(InputTypeError, match="complex"):
        step_of(layer).forward(box(2, False), Trace(Semantics()))
