"""Chains of affine layers: the composed map, its transpose, and its rounding."""

import pytest
import torch
from enclosed import C128, F64
from torch import nn as tnn

from holonet import nn
from holonet.certify import EXACT, Semantics, read
from holonet.certify.chain import MERGE, SPREAD, Chain
from holonet.errors import InputTypeError


def chain(*layers, shape):
    model = tnn.Sequential(*layers)
    return model, Chain(read(model).steps, torch.Size(shape))


def layers():
    torch.manual_seed(0)
    norm = nn.FrozenNorm(3, feature_axis=-3, dtype=F64)
    norm.mean.normal_()
    return (
        nn.Conv2d(2, 3, 3, padding=1, dtype=F64),
        norm,
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 5, dtype=F64),
    )


def test_linear_and_bias_are_the_composed_layers():
    model, composed = chain(*layers(), shape=(2, 4, 4))
    x = torch.randn(6, 32, dtype=F64)
    with torch.no_grad():
        expected = model(x.view(6, 2, 4, 4))
    assert torch.allclose(composed.linear(x) + composed.bias, expected, atol=1e-12)


def test_the_transpose_has_the_same_inner_products():
    _, composed = chain(*layers(), shape=(2, 4, 4))
    x, v = torch.randn(6, 32, dtype=F64), torch.randn(6, 5, dtype=F64)
    left = (composed.linear(x) * v).sum(1)
    assert torch.allclose(left, (x * composed.transposed(v)).sum(1), atol=1e-12)


def complex_layers():
    torch.manual_seed(0)
    return (
        nn.Conv2d(2, 3, 3, padding=1, dtype=C128),
        nn.FrozenNorm(3, feature_axis=-3, dtype=C128),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(12, 5, dtype=C128),
    )


@pytest.mark.parametrize("part", [nn.RealPart(), nn.ImagPart(), tnn.Identity()], ids=str)
def test_complex_layers_are_real_maps_of_both_parts(part):
    model, composed = chain(*complex_layers(), part, shape=(2, 4, 4))
    x = torch.randn(6, 32, dtype=F64)
    with torch.no_grad():
        value = model(x.view(6, 2, 4, 4).to(C128))
    expected = torch.cat([value.real, value.imag], 1) if value.is_complex() else value
    assert torch.allclose(composed.linear(x) + composed.bias, expected, atol=1e-12)
    v = torch.randn_like(expected)
    left = (composed.linear(x) * v).sum(1)
    assert torch.allclose(left, (x * composed.transposed(v)).sum(1), atol=1e-12)


def test_complex_squares_are_three_real_ones():
    steps = read(nn.Linear(4, 3, dtype=C128)).steps
    spread = Chain([*steps, SPREAD], torch.Size((4,)))
    merged = Chain([MERGE], spread.shape, 3)
    x = torch.randn(6, 4, dtype=F64)
    squares = merged.linear((spread.linear(x) + spread.bias).square())
    bias = torch.complex(steps[0].bias[0], steps[0].bias[1])
    z = (x.to(C128) @ torch.complex(*steps[0].weight).T + bias).square()
    assert torch.allclose(squares, torch.cat([z.real, z.imag], 1), atol=1e-12)


def test_moduli_bound_every_entry():
    _, composed = chain(*layers(), shape=(2, 4, 4))
    x = torch.randn(6, 32, dtype=F64)
    assert (composed.linear(x).abs() <= composed.linear(x.abs(), moduli=True) + 1e-12).all()
    assert (composed.bias.abs() <= composed.bias_size + 1e-15).all()


def test_executed_float32_is_within_the_error():
    torch.manual_seed(0)
    model, composed = chain(
        nn.Linear(300, 40, dtype=torch.float32), nn.Linear(40, 5, dtype=torch.float32), shape=(300,)
    )
    x = 10 * torch.randn(50, 300)
    exact = composed.linear(x.double()) + composed.bias
    with torch.no_grad():
        distance = (model(x).double() - exact).abs().amax(0)
    error = composed.error(x.double().abs().amax(0), Semantics(torch.float32))
    assert (distance <= error).all()
    assert (composed.error(x.double().abs().amax(0), EXACT) < 1e-6 * error).all()
    assert (error < 1e-3 * exact.abs().amax(0)).any()


def test_weights_that_are_flushed_to_zero_behind_large_values_are_within_the_error():
    model, _ = chain(
        nn.Linear(4, 4, dtype=torch.float32), nn.Linear(4, 1, dtype=torch.float32), shape=(4,)
    )
    model[0].weight.data.fill_(1e6)
    model[1].weight.data.fill_(1.1e-38)
    for layer in model:
        layer.bias.data.zero_()
    composed = Chain(read(model).steps, torch.Size((4,)))
    x = torch.ones(4, dtype=F64)
    exact = composed.linear(x[None])[0] + composed.bias  # an execution may return 0
    assert (exact.abs() <= composed.error(x, Semantics(torch.float32))).all()


def test_executed_complex_convolutions_are_within_the_error():
    torch.manual_seed(0)
    model, composed = chain(
        nn.Conv2d(4, 8, 3, dtype=torch.complex64),
        nn.Conv2d(8, 2, 2, dtype=torch.complex64),
        nn.RealPart(),
        shape=(4, 6, 6),
    )
    x = 10 * torch.randn(50, 144)
    exact = composed.linear(x.double()) + composed.bias
    with torch.no_grad():
        value = model(x.view(50, 4, 6, 6).to(torch.complex64)).flatten(1)
    distance = (value.double() - exact).abs().amax(0)
    error = composed.error(x.double().abs().amax(0), Semantics(torch.float32))
    assert (distance <= error).all()
    assert (error < 1e-2 * exact.abs().amax(0)).any()


def test_a_chain_of_no_steps_is_the_identity():
    _, composed = chain(shape=(3,))
    x = torch.rand(2, 3, dtype=F64)
    assert torch.equal(composed.linear(x), x)
    assert torch.equal(composed.transposed(x), x)


@pytest.mark.parametrize("layer", [nn.Residual(tnn.Identity()), nn.Square()], ids=str)
def test_other_layers_are_refused_by_name(layer):
    with pytest.raises(InputTypeError, match=r"0 .*not affine"):
        chain(layer, shape=(3,))
