"""Two real channels and one complex function: the same map, read both ways."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.calculus import dbar_along, directional_derivative, partial_z_along
from holonet.calculus.channels import channels_from_complex, complex_from_channels
from holonet.errors import InputTypeError, ShapeError

C128 = torch.complex128
seeds = st.integers(0, 2**32)


def randn(seed, *shape, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@given(seed=seeds)
def test_a_real_matrix_splits_into_a_linear_and_an_antilinear_part(seed):
    """[[P, Q], [R, S]] is z -> (P + S + i(R - Q))/2 z + (P - S + i(R + Q))/2 conj(z)."""
    blocks = randn(seed, 2, 2, 3, 4)  # 4 complex inputs, 3 complex outputs
    (p, q), (r, s) = blocks
    matrix = torch.cat([torch.cat([p, q], 1), torch.cat([r, s], 1)])
    f = complex_from_channels(lambda x: x @ matrix.mT)
    z, v = randn(seed + 1, 2, 5, 4, dtype=C128)
    linear, antilinear = torch.complex(p + s, r - q) / 2, torch.complex(p - s, r + q) / 2
    torch.testing.assert_close(f(z), z @ linear.mT + z.conj() @ antilinear.mT)
    torch.testing.assert_close(partial_z_along(f, z, v), v @ linear.mT)
    torch.testing.assert_close(dbar_along(f, z, v), v.conj() @ antilinear.mT)


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2])
@settings(max_examples=5)
@given(seed=seeds)
def test_the_two_readings_are_inverse(seed, axis):
    def real(x):
        return x.sin() * x.roll(1, axis) + x.flip(axis)

    def whole(z):
        return z * z.conj().roll(1, axis) + z**2

    x, z = randn(seed, 4, 6, 2), randn(seed, 4, 6, 2, dtype=C128)
    assert torch.equal(channels_from_complex(complex_from_channels(real, axis), axis)(x), real(x))
    again = complex_from_channels(channels_from_complex(whole, axis), axis)
    torch.testing.assert_close(again(z), whole(z), rtol=1e-14, atol=0)


def test_real_parts_come_first():
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    seen = []

    def f(z):
        seen.append(z)
        return 1j * z

    assert channels_from_complex(f)(x).tolist() == [[-3.0, -4.0, 1.0, 2.0]]
    assert seen[0].tolist() == [[1 + 3j, 2 + 4j]]
    doubled = complex_from_channels(lambda x: x * torch.tensor([1.0, 1.0, 2.0, 2.0]))
    assert doubled(seen[0]).tolist() == [[1 + 6j, 2 + 8j]]


def test_a_convolutional_network_in_two_channels():
    """It is a complex function of half the channels, and its derivative is the real one."""
    cnn = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, 3), torch.nn.Tanh(), torch.nn.Conv2d(6, 2, 2)
    ).double()
    f = complex_from_channels(cnn)
    z, v = randn(0, 2, 5, 2, 4, 4, dtype=C128)
    value, tangent = directional_derivative(f, z, v)
    assert value.shape == (5, 1, 1, 1)
    x, w = (torch.cat([t.real, t.imag], 1) for t in (z, v))
    expected, along = directional_derivative(cnn, x, w)
    torch.testing.assert_close(torch.cat([value.real, value.imag], 1), expected)
    torch.testing.assert_close(torch.cat([tangent.real, tangent.imag], 1), along)
    assert (dbar_along(f, z, v).abs() > 1e-4).all()


def test_parameters_are_reached():
    weight = randn(0, 4, 4).requires_grad_()
    z = randn(1, 3, 2, dtype=C128)
    f = complex_from_channels(lambda x: (x @ weight).tanh())
    value = f(z)
    (value.real + value.imag).sum().backward()
    assert weight.grad is not None
    assert (weight.grad != 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept_and_lazy_conjugates_are_resolved(dtype):
    z = randn(0, 3, 2, dtype=dtype.to_complex()).conj()
    assert torch.equal(complex_from_channels(lambda x: x)(z), z)
    assert channels_from_complex(torch.conj)(randn(0, 3, 4, dtype=dtype)).dtype is dtype


def test_no_channels_at_all():
    z = randn(0, 3, 0, dtype=C128)
    assert complex_from_channels(lambda x: x)(z).shape == (3, 0)


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_must_exist(axis):
    z = randn(0, 3, 2, dtype=C128)
    with pytest.raises(ShapeError, match=f"points z have shape .* no axis {axis}"):
        complex_from_channels(torch.sin, axis)(z)
    with pytest.raises(ShapeError, match=f"points x have shape .* no axis {axis}"):
        channels_from_complex(torch.sin, axis)(z.real)


def test_values_must_keep_the_axis():
    z = randn(0, 3, 2, dtype=C128)
    with pytest.raises(ShapeError, match=r"values of f have shape .* no axis 1"):
        complex_from_channels(lambda x: x.sum(1))(z)
    with pytest.raises(ShapeError, match=r"values of f have shape .* no axis 1"):
        channels_from_complex(lambda z: z.sum(1))(z.real)


def test_odd_numbers_of_channels_are_refused():
    with pytest.raises(ShapeError, match=r"points x have .* 5 channels on axis 1"):
        channels_from_complex(torch.sin)(randn(0, 2, 5))
    with pytest.raises(ShapeError, match=r"values of f have .* 3 channels on axis 1"):
        complex_from_channels(lambda x: x[:, :3])(randn(0, 2, 2, dtype=C128))


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64])
def test_real_points_are_not_lifted_behind_ones_back(dtype):
    with pytest.raises(InputTypeError, match=r"points z are real .* Lift points"):
        complex_from_channels(torch.sin)(torch.ones(2, 4, dtype=dtype))


@pytest.mark.parametrize("dtype", [C128, torch.int64, torch.bfloat16])
def test_channels_are_real_numbers_in_single_or_double_precision(dtype):
    with pytest.raises(InputTypeError, match=f"points x are {dtype}"):
        channels_from_complex(torch.sin)(torch.ones(2, 4, dtype=dtype))
    with pytest.raises(InputTypeError, match=f"values of f are {dtype}"):
        complex_from_channels(lambda x: x.to(dtype))(randn(0, 2, 2, dtype=torch.complex64))


def test_real_values_of_a_complex_function_are_refused():
    with pytest.raises(InputTypeError, match="in front of the readout"):
        channels_from_complex(torch.abs)(randn(0, 2, 4))
