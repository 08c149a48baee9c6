"""Threshold: its law, on real and on complex tensors, and what it refuses."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet import nn
from holonet.errors import DomainError, InputTypeError, ShapeError
from holonet.functions import FunctionClass

slopes = st.floats(0.1, 30)
centers = st.floats(-1, 1)


@given(slope=slopes, center=centers, x=st.floats(-2, 2), y=st.floats(-2, 2))
def test_it_rises_from_0_to_1_and_is_symmetric_about_its_center(slope, center, x, y):
    t = nn.Threshold(slope, center, dtype=torch.float64)
    low, high = t(torch.tensor([min(x, y), max(x, y)], dtype=torch.float64))
    assert 0 <= low <= high <= 1
    left, middle, right = t(torch.tensor([center - x, center, center + x]).double())
    torch.testing.assert_close(left + right, torch.ones(()).double(), rtol=0, atol=1e-6)
    assert abs(middle - 0.5) < 1e-6
    ends = t(torch.tensor([center - 7 / slope, center + 7 / slope]).double())
    torch.testing.assert_close(ends, torch.tensor([0.0, 1.0]).double(), atol=1e-9, rtol=0)


def test_the_slope_at_the_center_is_that_of_the_formula():
    t = nn.Threshold(5.0, 0.3, dtype=torch.float64)
    x = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(t(x).sum(), x)
    assert float(gradient) == pytest.approx(5 / torch.pi**0.5)


@each("dtype", [torch.float32, torch.float64])
@each("channels", [None, 2])
def test_real_input_gives_the_real_part_of_the_continuation(dtype, channels):
    t = nn.Threshold(3.0, channels=channels, dtype=dtype)
    x = torch.randn(5, 2, 3, dtype=dtype)
    assert t(x).dtype == dtype
    continuation = t(x.to(dtype.to_complex()))
    torch.testing.assert_close(continuation.real, t(x))
    assert not continuation.imag.any()


def test_each_channel_has_a_pair_of_its_own():
    t = nn.Threshold(channels=2)
    with torch.no_grad():
        t.log_slope.copy_(torch.tensor([0.0, 1.0]))
        t.center.copy_(torch.tensor([0.1, 0.7]))
    x = torch.rand(3, 2, 4, 4)
    for k in range(2):
        one = nn.Threshold(float(t.log_slope.data[k].exp()), float(t.center.data[k]))
        torch.testing.assert_close(t(x)[:, k], one(x[:, k]))
    assert "channels=2" in repr(t)


def test_slope_and_center_are_learned_and_the_slope_stays_positive():
    t = nn.Threshold()
    x, y = torch.rand(50, 3), (torch.rand(50, 3) > 0.5).float()
    optimizer = torch.optim.SGD(t.parameters(), lr=100.0)
    before = [p.detach().clone() for p in t.parameters()]
    for _ in range(3):
        optimizer.zero_grad()
        (t(x) - y).square().mean().backward()
        optimizer.step()
    assert all(p != old for p, old in zip(t.parameters(), before, strict=True))
    assert t.log_slope.exp() > 0


def test_copies_and_saved_ones_compute_the_same():
    t = nn.Threshold(4.0, 0.2, channels=3)
    x = torch.rand(2, 3)
    other = nn.Threshold(channels=3)
    other.load_state_dict(t.state_dict())
    for twin in (copy.deepcopy(t), pickle.loads(pickle.dumps(t)), other):
        assert torch.equal(twin(x), t(x))


def test_declarations():
    t = nn.Threshold()
    assert t.function_class is FunctionClass.ENTIRE
    assert t.monotone
    assert not nn.Linear(1, 1).monotone
    assert nn.Tanh().monotone
    assert not nn.Square().monotone


def test_real_images_stay_real_up_to_the_first_affine_layer():
    net = nn.HolomorphicClassifier(
        nn.Sequential(nn.Threshold(channels=1), nn.Flatten(), nn.Linear(4, 3))
    )
    assert net.backbone.takes_real
    x = torch.rand(2, 1, 2, 2)
    torch.testing.assert_close(net(x), net(x.to(torch.complex64)))
    real = nn.Sequential(nn.Threshold(), nn.Square(), nn.Linear(4, 3, dtype=torch.float32))
    assert real(torch.rand(2, 4)).dtype == torch.float32


def test_it_stands_in_front_of_a_network_that_is_scaled_on_data():
    net = nn.holomorphic_mlp(4, [6], 3, activation="tanh")
    net.backbone.insert(0, nn.Threshold())
    x = torch.rand(40, 4)
    nn.init.data_dependent_(net, x)
    assert (net.margin(x.to(torch.complex64)) > 0.19).all()


def test_multiply_adds_are_counted():
    net = nn.HolomorphicClassifier(nn.Sequential(nn.Threshold(), nn.Linear(5, 2)))
    assert nn.macs(net, (5,)) == 5 + 4 * 5 * 2
    real = torch.nn.Sequential(nn.Threshold(channels=5), torch.nn.Linear(5, 2))
    assert nn.macs(real, (5,)) == 5 + 5 * 2


@each(
    ("arguments", "error", "match"),
    [
        ({"slope": 0}, DomainError, "slope=0"),
        ({"slope": float("inf")}, DomainError, "slope=inf"),
        ({"center": float("nan")}, DomainError, "center=nan"),
        ({"channels": 0}, DomainError, "channels=0"),
        ({"dtype": torch.complex64}, InputTypeError, "real"),
        ({"dtype": torch.float16}, InputTypeError, "float32"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        nn.Threshold(**arguments)


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="3 channels"):
        nn.Threshold(channels=3)(torch.rand(2, 4))
    with pytest.raises(ShapeError, match="3 channels"):
        nn.Threshold(channels=3)(torch.rand(()))
    for dtype in (torch.float64, torch.complex128):
        with pytest.raises(InputTypeError, match="precision"):
            nn.Threshold()(torch.zeros(2, dtype=dtype))
    with pytest.raises(InputTypeError, match="int64"):
        nn.Threshold()(torch.zeros(2, dtype=torch.int64))
