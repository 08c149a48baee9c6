"""FrozenNorm: its law, its calibration in order, and that batches never enter it."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet import nn
from holonet.errors import DomainError, InputTypeError, NumericalError, ShapeError

C128 = torch.complex128
LAYOUTS = [((50, 4), -1), ((50, 4, 3), -2), ((50, 4, 2, 3), -3), ((4,), -1)]


def wild(shape, axis):
    """Features of very different means and scales."""
    features = torch.arange(1, 5).view(-1, *[1] * (-axis - 1))
    return features * torch.randn(shape, dtype=C128) + features * (3 - 7j)


@pytest.mark.parametrize(("shape", "axis"), LAYOUTS[:3])
def test_after_calibration_each_feature_is_standard(shape, axis):
    norm, z = nn.FrozenNorm(4, axis, eps=1e-12, dtype=C128), wild(shape, axis)
    assert nn.calibrate(norm, z) is norm
    features = norm(z).movedim(axis, 0).flatten(1)
    torch.testing.assert_close(features.mean(1), torch.zeros(4, dtype=C128), atol=1e-12, rtol=0)
    torch.testing.assert_close(features.abs().square().mean(1), torch.ones(4).double())


@pytest.mark.parametrize(("shape", "axis"), LAYOUTS)
def test_weight_and_bias_act_behind_the_standardization(shape, axis):
    norm, z = nn.FrozenNorm(4, axis, dtype=C128), wild(shape, axis)
    nn.calibrate(norm, wild(LAYOUTS[-axis - 1][0], axis))
    plain = norm(z)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(4, dtype=C128))
        norm.bias.copy_(torch.randn(4, dtype=C128))
    column = (-1,) + (1,) * (-axis - 1)
    expected = plain * norm.weight.view(column) + norm.bias.view(column)
    torch.testing.assert_close(norm(z), expected)


def test_before_calibration_it_is_the_identity():
    z = torch.randn(5, 4, dtype=torch.complex64)
    torch.testing.assert_close(nn.FrozenNorm(4)(z), z)


@given(t=st.complex_numbers(max_magnitude=5), train=st.booleans())
def test_it_is_affine_in_train_and_eval(t, train):
    norm = nn.calibrate(nn.FrozenNorm(4, dtype=C128), wild((50, 4), -1)).train(train)
    before = {k: v.clone() for k, v in norm.state_dict().items()}
    z, w = wild((6, 4), -1), wild((6, 4), -1)
    torch.testing.assert_close(norm(t * z + (1 - t) * w), t * norm(z) + (1 - t) * norm(w))
    torch.testing.assert_close(norm(z)[0], norm(z[:1])[0])  # one example does not see the others
    assert all(torch.equal(v, before[k]) for k, v in norm.state_dict().items())


def test_one_example_alone_measures_itself():
    norm = nn.FrozenNorm(4, dtype=C128)
    z = wild((4,), -1)
    norm.measure(z)
    torch.testing.assert_close(norm.mean, z)
    torch.testing.assert_close(norm.scale, torch.full((4,), 1e-5).double().sqrt())


def test_calibration_goes_through_a_network_in_order():
    net = nn.Sequential(
        nn.Linear(4, 3, dtype=C128),
        nn.FrozenNorm(3, dtype=C128),
        nn.Square(),
        nn.Linear(3, 5, dtype=C128),
        nn.FrozenNorm(5, dtype=C128),
    )
    z = wild((80, 4), -1)
    nn.calibrate(net, z)
    for k in (2, 5):
        features = net[:k](z)
        assert features.mean(0).abs().max() < 1e-9
        torch.testing.assert_close(
            features.abs().square().mean(0),
            torch.ones(features.shape[1]).double(),
            atol=1e-4,
            rtol=0,
        )
    assert not any(m._forward_pre_hooks for m in net.modules())
    assert all(p.grad is None for p in net.parameters())


def test_statistics_are_saved():
    norm = nn.calibrate(nn.FrozenNorm(4), wild((50, 4), -1).to(torch.complex64))
    other = nn.FrozenNorm(4)
    other.load_state_dict(norm.state_dict())
    z = torch.randn(3, 4, dtype=torch.complex64)
    assert torch.equal(other(z), norm(z))


@pytest.mark.parametrize("axis", [0, 1])
def test_a_feature_axis_counted_from_the_front_is_refused(axis):
    with pytest.raises(DomainError, match=rf"feature_axis={axis}.*from the end"):
        nn.FrozenNorm(4, axis)


def test_bad_input_is_refused():
    norm = nn.FrozenNorm(4)
    with pytest.raises(ShapeError, match="4 features"):
        norm(torch.zeros(4, 3, dtype=torch.complex64))
    with pytest.raises(ShapeError, match="4 features"):
        norm.measure(torch.zeros(4, 3, dtype=torch.complex64))
    with pytest.raises(ShapeError, match="empty batch"):
        nn.calibrate(norm, torch.zeros(0, 4, dtype=torch.complex64))
    with pytest.raises(InputTypeError, match="tensor of integers"):
        norm.measure(torch.zeros(3, 4, dtype=torch.int64))
    with pytest.raises(InputTypeError, match=r"FrozenNorm\(dtype=torch.int64\)"):
        nn.FrozenNorm(4, dtype=torch.int64)


def test_real_points_measure_as_complex_ones_do():
    x = 3 * torch.randn(50, 4) + 2
    norms = [nn.FrozenNorm(4, dtype=dtype) for dtype in (torch.complex64, torch.float32)]
    for norm in norms:
        norm.measure(x)
        torch.testing.assert_close(norm(x) + 0j, norm(x + 0j))
    torch.testing.assert_close(norms[0].scale, norms[1].scale)
    torch.testing.assert_close(norms[0].mean.real, norms[1].mean)
    assert norms[1](x).dtype is torch.float32
    assert norms[0](x).dtype is torch.complex64


def test_real_coefficients_take_the_real_part_of_a_complex_mean():
    z = torch.randn(200, 3, dtype=torch.complex128) + (2 + 1j)
    norm = nn.FrozenNorm(3, eps=0, dtype=torch.float64)
    norm.measure(z)
    assert norm.mean.dtype is norm.scale.dtype is torch.float64
    torch.testing.assert_close(norm(z).mean(0).real, torch.zeros(3).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(norm(z).abs().square().mean(0), torch.ones(3).double())
    torch.testing.assert_close(norm(z.conj()), norm(z).conj().resolve_conj())


@pytest.mark.parametrize("eps", [-1.0, torch.nan, torch.inf])
def test_an_eps_that_spoils_a_variance_is_refused(eps):
    with pytest.raises(DomainError, match=f"eps={eps}"):
        nn.FrozenNorm(3, eps=eps)


@pytest.mark.parametrize("size", [1e-35, 1e-20, 1e30])
def test_features_of_any_size_are_normalized(size):
    z = size * torch.randn(50, 3, dtype=torch.complex64)
    norm = nn.FrozenNorm(3, eps=0)
    norm.measure(z)
    assert ((norm(z).abs().square().mean(0) - 1).abs() < 1e-2).all()


@pytest.mark.parametrize("rows", [torch.full((4, 2), math.nan + 0j), torch.ones(4, 2) + 0j])
def test_what_cannot_be_measured_is_refused_and_nothing_changed(rows):
    norm = nn.FrozenNorm(2, eps=0)
    with pytest.raises(NumericalError, match="eps > 0"):
        norm.measure(rows)
    assert torch.equal(norm.scale, torch.ones(2))
