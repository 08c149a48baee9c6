"""Convolutions against torch's, on random arguments, and against four real ones."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn
from torch.nn import functional

from cases import each
from holonet import nn
from holonet.errors import InputTypeError, ShapeError

PAIRS = [
    (nn.Conv1d, tnn.Conv1d, 1),
    (nn.Conv2d, tnn.Conv2d, 2),
    (nn.ConvTranspose2d, tnn.ConvTranspose2d, 2),
]


@pytest.mark.parametrize(("ours", "theirs", "axes"), PAIRS)
@given(
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
    groups=st.sampled_from([1, 2]),
    bias=st.booleans(),
    dtype=st.sampled_from([torch.complex64, torch.complex128]),
)
def test_they_are_torchs(ours, theirs, axes, **arguments):
    arguments["kernel_size"] = arguments.pop("kernel")
    mine, its = ours(2, 4, **arguments), theirs(2, 4, **arguments)
    its.load_state_dict(mine.state_dict())
    mine.load_state_dict(its.state_dict())
    z = torch.randn(3, 2, *(5,) * axes, dtype=arguments["dtype"])
    assert torch.equal(mine(z), its(z))
    assert torch.equal(mine(z[0]), its(z[0]))


@given(
    kernel_size=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    bias=st.booleans(),
    complex_coefficients=st.booleans(),
)
def test_one_channel_has_the_derivatives_of_torchs_convolution(complex_coefficients, **arguments):
    dtype = torch.complex128 if complex_coefficients else torch.float64
    ours, theirs = (kind(1, 4, dtype=dtype, **arguments) for kind in (nn.Conv2d, tnn.Conv2d))
    theirs.load_state_dict(ours.state_dict())
    x, direction = torch.randn(2, 2, 1, 7, 6, dtype=torch.float64)
    results = []
    for layer, input_dtype in ((ours, torch.float64), (theirs, dtype)):

        def energy(z, layer=layer, input_dtype=input_dtype):
            return layer(z.to(input_dtype)).abs().square().sum((1, 2, 3))

        value, backward = torch.func.vjp(energy, x)
        gradient = backward(torch.ones_like(value))[0]
        gradient.pow(3).sum().backward()  # a second derivative in each parameter
        second = torch.func.jvp(torch.func.grad(lambda z, f=energy: f(z).sum()), (x,), (direction,))
        results.append([value, gradient, second[1], *(p.grad for p in layer.parameters())])
    torch.testing.assert_close(*results)


@pytest.mark.parametrize(("ours", "theirs", "axes"), PAIRS)
def test_they_are_four_real_convolutions(ours, theirs, axes):
    del theirs
    layer = ours(2, 3, 2, bias=False, dtype=torch.complex128)
    real = {
        nn.Conv1d: functional.conv1d,
        nn.Conv2d: functional.conv2d,
        nn.ConvTranspose2d: functional.conv_transpose2d,
    }[ours]
    z, w = torch.randn(3, 2, *(5,) * axes, dtype=torch.complex128), layer.weight
    parts = real(z.real, w.real) - real(z.imag, w.imag), real(z.real, w.imag) + real(z.imag, w.real)
    torch.testing.assert_close(layer(z), torch.complex(*parts))


@each("mode", ["zeros", "reflect", "replicate", "circular"])
@each("groups", [1, 2])
@each("bias", [True, False])
def test_real_images_are_lifted_ones(mode, groups, bias):
    layer = nn.Conv2d(
        2, 4, 3, 2, 1, padding_mode=mode, groups=groups, bias=bias, dtype=torch.complex128
    )
    if bias:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(3, 2, 7, 5, dtype=torch.float64)
    torch.testing.assert_close(layer(x), layer(x.to(torch.complex128)))
    torch.testing.assert_close(layer(x[0]), layer(x)[0])


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes(mode):
    arguments = {"padding": 1, "padding_mode": mode, "dtype": torch.complex128}
    ours, theirs = nn.Conv2d(2, 3, 3, **arguments), tnn.Conv2d(2, 3, 3, **arguments)
    theirs.load_state_dict(ours.state_dict())
    z = torch.randn(2, 2, 5, 5, dtype=torch.complex128)
    assert torch.equal(ours(z), theirs(z))


def test_the_transposed_convolution_takes_an_output_size():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2)
    z = torch.randn(1, 1, 4, 4, dtype=torch.cfloat)
    assert layer(z).shape == (1, 1, 9, 9)
    assert layer(z, output_size=[10, 10]).shape == (1, 1, 10, 10)
    for dtype in (torch.cfloat, torch.float32):
        layer = nn.ConvTranspose2d(1, 1, 3, stride=2, dtype=dtype)
        lifted = layer(z.real + 0j, output_size=[10, 10])
        torch.testing.assert_close(layer(z.real, output_size=[10, 10]) + 0j, lifted)


@each("groups", [1, 4])
@each(("ours", "theirs", "axes"), PAIRS)
def test_the_initial_weights_keep_the_signal(ours, theirs, axes, groups):
    del theirs
    layer = ours(80, 120, 3, groups=groups)
    fan_in = 80 // groups * 3**axes
    assert layer.weight.dtype is torch.complex64
    assert not layer.bias.any()
    assert abs(layer.weight.abs().square().mean() * fan_in - 1) < 0.05
    assert abs((layer.weight**2).mean() * fan_in) < 0.05
    z = torch.randn(2, 80, *(20,) * axes, dtype=torch.cfloat)
    inside = layer(z)[..., 3:-3] if axes == 1 else layer(z)[..., 3:-3, 3:-3]
    assert 0.8 < inside.abs().square().mean() < 1.2


@pytest.mark.parametrize(("ours", "theirs", "axes"), PAIRS)
def test_bad_input_is_refused(ours, theirs, axes):
    del theirs
    layer, name = ours(2, 3, 2), ours.__name__
    z = torch.zeros(1, 2, *(5,) * axes, dtype=torch.cfloat)
    with pytest.raises(ShapeError, match=rf"{name} was built for 2 channels"):
        layer(torch.cat([z, z], 1))
    with pytest.raises(ShapeError, match=r"channels"):
        layer(z[0, 0])
    for single in (layer, ours(2, 3, 2, dtype=torch.float32)):
        with pytest.raises(InputTypeError, match=r"float32"):
            single(z.real.double())
        with pytest.raises(InputTypeError, match=r"to_precision.*complex64"):
            single(z.to(torch.complex128))
        with pytest.raises(InputTypeError, match=rf"{name} got a tensor of integers"):
            single(z.real.long())
    with pytest.raises(InputTypeError, match=rf"{name}\(dtype=torch.int64\)"):
        ours(2, 3, 2, dtype=torch.int64)


REAL = [(ours, theirs, axes) for ours, theirs, axes in PAIRS] + [
    (nn.Linear, tnn.Linear, 0),
]


@each(("ours", "theirs", "axes"), REAL)
@each("bias", [True, False])
def test_real_coefficients_at_real_points_are_torchs_own_layer(ours, theirs, axes, bias):
    size = () if axes == 0 else (3,)
    layer, twin = ours(2, 3, *size, bias=bias, dtype=torch.float32), theirs(2, 3, *size, bias=bias)
    twin.load_state_dict(layer.state_dict())
    x = torch.randn(4, 2, *(6,) * axes)
    value = layer(x)
    assert torch.equal(value, twin(x))
    parts = [
        torch.autograd.grad(net(x).square().sum(), list(net.parameters())) for net in (layer, twin)
    ]
    assert all(torch.equal(a, b) for a, b in zip(*parts, strict=True))
    for low in (torch.bfloat16, torch.float16):
        for image in (x, x.to(low)):
            with torch.autocast("cpu", dtype=low):
                assert torch.equal(layer(image), twin(image))
                assert layer(image).dtype is low


@each(("ours", "theirs", "axes"), REAL)
@each("bias", [True, False])
def test_real_coefficients_at_complex_points_are_the_complex_layer(ours, theirs, axes, bias):
    del theirs
    size = () if axes == 0 else (3,)
    layer = ours(2, 3, *size, bias=bias, dtype=torch.float64)
    twin = ours(2, 3, *size, bias=bias, dtype=torch.complex128)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    twin.load_state_dict(layer.state_dict())
    z = torch.randn(4, 2, *(6,) * axes, dtype=torch.complex128)
    torch.testing.assert_close(layer(z), twin(z))
    torch.testing.assert_close(layer(z.conj()), layer(z).conj().resolve_conj())
    v = torch.randn_like(z)
    pair = [torch.func.jvp(f, (z,), (v,))[1] for f in (layer, twin)]
    torch.testing.assert_close(*pair)
    pair = [torch.func.vjp(f, z)[1](f(z))[0] for f in (layer, twin)]
    torch.testing.assert_close(*pair)
    torch.testing.assert_close(torch.func.vmap(layer)(z[:, None]), layer(z)[:, None])
    single, low = ours(2, 3, *size, bias=bias, dtype=torch.float32), z.to(torch.complex64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = single(low)
    assert value.dtype is torch.complex64
    assert (value - single(low)).abs().max() < 0.05 * value.abs().max()


@each("groups", [1, 2])
@each("low", [torch.bfloat16, torch.float16])
@each(
    ("build", "shape"),
    [
        (lambda groups: nn.Linear(4, 4), (3, 4)),
        (lambda groups: nn.Conv1d(4, 4, 3, groups=groups), (3, 4, 9)),
        (lambda groups: nn.Conv2d(4, 4, 3, padding=1, groups=groups), (3, 4, 5, 5)),
    ],
)
def test_real_images_under_autocast(build, shape, low, groups):
    layer, x = build(groups), torch.randn(shape)
    exact = layer(x)
    exact.abs().sum().backward()
    slope = layer.weight.grad.clone()
    for image in (x, x.to(low), x.to(torch.complex64)):  # a real layer in front gives 16 bits
        layer.zero_grad()
        with torch.autocast("cpu", dtype=low):
            value = layer(image)
        assert value.dtype is torch.complex64
        value.abs().sum().backward()
        assert (value - exact).abs().max() < 0.05 * exact.abs().max()
        assert (layer.weight.grad - slope).abs().max() < 0.05 * slope.abs().max()


def test_autocast_leaves_double_precision_alone():
    layer = nn.Conv2d(2, 2, 3, dtype=torch.complex128)
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(x), layer(x))
        torch.testing.assert_close(layer(x), layer(x.to(torch.complex128)))
