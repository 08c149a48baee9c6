"""Affine layers: exact images, transposes that are not conjugates, and errors."""

import pytest
import torch
from torch import nn as tnn

from cases import each, some_of
from holonet import nn
from holonet.certify import EXACT, Enclosure, Semantics
from holonet.certify.affine import Affine, convolution, linear, mean_pooling, normalizer
from holonet.certify.enclosure import Ball, Polydisc
from holonet.certify.rows import Rows
from holonet.certify.step import Trace
from holonet.errors import InputTypeError

F64, C128 = torch.float64, torch.complex128


def norm(dtype, axis=-1):
    layer = nn.FrozenNorm(4, feature_axis=axis, dtype=dtype)
    for tensor in (layer.weight, layer.bias, layer.mean):
        torch.nn.init.normal_(tensor)
    layer.scale.uniform_(0.5, 2)
    return layer


def cases():
    for dtype in (F64, C128):
        yield from (
            (nn.Linear(4, 3, dtype=dtype), linear, (4,)),
            (nn.Linear(4, 3, bias=False, dtype=dtype), linear, (4,)),
            (norm(dtype), normalizer, (4,)),
            (norm(dtype, -3), normalizer, (4, 3, 2)),
            (nn.Conv2d(2, 4, 3, 2, 1, dtype=dtype), convolution, (2, 6, 5)),
            (nn.Conv2d(2, 4, 2, dilation=2, groups=2, dtype=dtype), convolution, (2, 6, 5)),
        )
    yield tnn.Conv2d(2, 3, (2, 3), bias=False).double(), convolution, (2, 4, 5)
    yield nn.AvgPool2d(2), mean_pooling, (3, 4, 6)
    yield tnn.AvgPool2d(3, 2, 1), mean_pooling, (3, 5, 5)


CASES = list(cases())


def value(layer, parts):
    """The layer's value on points given by parts, as parts."""
    with torch.no_grad():
        z = parts[0] if len(parts) == 1 else torch.complex(*parts)
        image = layer(z)
    return torch.stack([image.real, image.imag] if image.is_complex() else [image])


def box(shape, parts):
    center = torch.randn(parts, 2, *shape, dtype=F64)
    return Enclosure(center, torch.rand(center.shape, dtype=F64))


@some_of(("layer", "make", "shape"), CASES, slice(None, None, 2))
@pytest.mark.parametrize("parts", [1, 2])
def test_samples_lie_inside_and_corners_reach_the_ends(layer, make, shape, parts):
    if parts == 2 and not isinstance(layer, nn.HolomorphicModule):
        return  # real layers of torch take real numbers alone
    if getattr(layer, "bias", None) is not None:
        torch.nn.init.normal_(layer.bias)
    step, x, trace = make("layer", layer), box(shape, parts), Trace(Semantics(F64))
    image = step.forward(x, trace)
    for _ in range(40):
        share = 2 * torch.rand(x.center.shape, dtype=F64) - 1
        points = x.center + share.sign() * x.radius if torch.rand(()) < 0.5 else share
        points = torch.minimum(torch.maximum(points, x.low), x.high)
        assert (image.contains(value(layer, points)) >= 0).all()
    # the corner of one entry of the value, found with a form
    target = torch.zeros(len(image.center), 2, 1, *image.center.shape[2:], dtype=F64)
    target[-1, :, 0].flatten(1)[:, 0] = 1
    numbers = torch.zeros(2, 1, dtype=F64)
    pulled = step.pull(Rows(target, torch.zeros_like(target), numbers, numbers), trace)
    corner = x.center - pulled.value[:, :, 0].sign() * x.radius
    least = value(layer, corner)[-1].flatten(1)[:, 0]
    end = image.low[-1].flatten(1)[:, 0]
    assert torch.allclose(least, end, rtol=1e-12, atol=1e-12)
    assert torch.allclose(pulled.lower(x)[:, 0], least, rtol=1e-12, atol=1e-12)
    assert (pulled.lower(x)[:, 0] <= least).all()


@each(("layer", "make", "shape"), CASES, ids=str)
def test_execution_in_float32_in_any_order_lies_inside(layer, make, shape):
    single = nn.to_precision(layer, torch.complex64)
    step, trace = make("layer", single), Trace(Semantics(torch.float32))
    points = torch.randn(1, 2, *shape)
    x = Enclosure(points.double(), torch.zeros(1, 2, *shape, dtype=F64))
    image = step.forward(x, trace)
    assert (image.contains(value(single, points).double()) >= 0).all()
    exact = step.forward(x, Trace(EXACT))
    assert (image.radius > 10 * exact.radius).all()
    nn.to_precision(layer, C128)


@each(
    "layer",
    [
        nn.Conv2d(1, 1, 3, padding="same", dtype=F64),
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular", dtype=F64),
    ],
    ids=str,
)
def test_other_paddings_are_refused(layer):
    with pytest.raises(InputTypeError, match="zero padding"):
        convolution("layer", layer)


@each("options", [{"ceil_mode": True}, {"count_include_pad": False}, {"divisor_override": 3}])
def test_other_poolings_are_refused(options):
    with pytest.raises(InputTypeError, match="ceil_mode"):
        mean_pooling("layer", tnn.AvgPool2d(2, **options))


def test_the_three_products_of_a_complex_convolution_lie_inside(monkeypatch):
    layer = nn.Conv2d(1, 2, 1, dtype=torch.complex64)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1000.1 + 1.3e-3j, 1000.3 + 1e-3j]).view(2, 1, 1, 1))
        layer.bias.copy_(torch.tensor([1.0 + 1e-3j, 0]))
    points = torch.tensor([999.7, 1.7e-3]).view(2, 1, 1, 1, 1)
    exact = value(nn.to_precision(layer, C128), points.double())
    executed = value(nn.to_precision(layer, torch.complex64), points).double()
    error = (executed - exact).abs().amax()
    assert error > 1e-4  # four products have an error of 1e-6 in the imaginary part
    step, trace = convolution("layer", layer), Trace(Semantics(torch.float32))
    x = Enclosure(points.double(), torch.zeros(points.shape, dtype=F64))
    image = step.forward(x, trace)
    assert (image.contains(executed) >= 0).all()
    assert image.radius.amax() < 10
    for index in range(4):
        rows = Rows.entries(image.center.shape, torch.tensor([index]), 1.0)
        form = step.pull(rows, trace)
        assert form.lower(x).item() <= executed.transpose(0, 1).flatten()[index]
        form = step.pull(Rows.entries(image.center.shape, torch.tensor([index]), -1.0), trace)
        assert form.lower(x).item() <= -executed.transpose(0, 1).flatten()[index]
    monkeypatch.setattr(Affine, "_mixing", lambda *_: 0.0)  # planted: as if four were formed
    assert (step.forward(x, trace).contains(executed) < 0).any()


def by_fourier(x, weight):
    """A convolution by transforms, whose errors are those of the largest entry."""
    size = [a + b - 1 for a, b in zip(x.shape[2:], weight.shape[2:], strict=True)]
    product = torch.fft.rfft2(x, size)[:, None] * torch.fft.rfft2(weight, size).conj()
    whole = torch.fft.irfft2(product.sum(2), size)
    return whole[..., : x.shape[2] - weight.shape[2] + 1, : x.shape[3] - weight.shape[3] + 1]


def test_convolutions_of_torch_form_plain_sums_and_no_transforms():
    """An entry far larger than others shows it: it is out of reach of most values."""
    for batch, channels, size in ((1, 1, 3), (2, 16, 3), (16, 16, 3), (16, 3, 5)):
        x, weight = 1e-3 * torch.rand(batch, channels, 12, 12), torch.randn(8, channels, size, size)
        x[:, :, 3, 3] = 1e6
        exact = tnn.functional.conv2d(x.double(), weight.double())
        scale = tnn.functional.conv2d(x.double(), weight.double().abs())
        bound = Semantics(torch.float32).gamma(channels * size * size) * scale
        executed = tnn.functional.conv2d(x, weight).double()
        assert ((executed - exact).abs() <= bound).all()
        assert ((by_fourier(x, weight).double() - exact).abs() > bound).any()
        assert torch.allclose(by_fourier(x, weight).double(), exact, atol=10.0)


@pytest.mark.parametrize(
    ("kind", "parts"), [(Ball, 1), (Ball, 2), (Polydisc, 2)], ids=["real", "complex", "polydisc"]
)
@some_of(("layer", "make", "shape"), CASES, slice(None, None, 4))
def test_the_image_of_a_ball_holds_it_and_is_reached_in_every_entry(
    layer, make, shape, kind, parts
):
    if parts == 2 and not isinstance(layer, nn.HolomorphicModule):
        return  # real layers of torch take real numbers alone
    torch.manual_seed(1)
    if getattr(layer, "bias", None) is not None:
        torch.nn.init.normal_(layer.bias)
    step, trace = make("layer", layer), Trace(Semantics(F64))
    length = torch.tensor([0.7, 1e-6], dtype=F64)
    middle = torch.randn(parts, 2, *shape, dtype=F64)
    each = length.view(1, 2, *[1] * len(shape))
    image = step.forward(Enclosure(middle, each.expand(middle.shape), kind(middle, length)), trace)
    assert image.ball is None

    def unit(step):
        """The farthest points in these directions (parts, batch, *event)."""
        size = step.square().sum(0, keepdim=True)
        size = size if kind is Polydisc else size.flatten(2).sum(2).view(each.shape)
        return step / size.sqrt().clamp(min=1e-30)

    for _ in range(20):
        points = middle + each * unit(torch.randn(middle.shape, dtype=F64))
        assert (image.contains(value(layer, points)) >= 0).all()
    entries = Rows.entries(image.center.shape, torch.arange(image.center[:, 0].numel()), 1.0)
    form = step.pull(entries, trace)
    ends = image.low.transpose(0, 1).flatten(1)
    lower = form.lower(trace.inputs[step])
    for k in range(form.value.shape[2]):
        lowest = middle - each * unit(form.value[:, :, k])
        least = value(layer, lowest).transpose(0, 1).flatten(1)[:, k]
        assert torch.allclose(least, ends[:, k], rtol=1e-11, atol=1e-11)
        assert torch.allclose(least, lower[:, k], rtol=1e-11, atol=1e-11)
        assert (torch.maximum(ends[:, k], lower[:, k]) <= least).all()
