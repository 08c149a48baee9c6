"""Jets on both floors of the CPU: values, derivatives of any order, transforms."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jvp, vjp, vmap

from holonet.errors import ShapeError
from holonet.functions import CATALOGUE
from holonet.ops import jet, pointwise, use
from holonet.ops.jet import tangents as module
from holonet.ops.jet.programs import MOST
from holonet.symbolic import from_sympy

TANH, SQUARE = CATALOGUE["tanh"], CATALOGUE["square"]
C64, C128 = torch.complex64, torch.complex128
some = pytest.mark.parametrize("record", [TANH, from_sympy("z/(4 + z**2)")], ids=lambda r: r.name)


def points(*shape, dtype=C128, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.6 * torch.randn(shape, generator=generator, dtype=dtype)


@pytest.fixture
def passes(monkeypatch):
    """The operations that ran, and for how many tangents."""
    seen, run = [], module._run

    def spy(operation, record, floor, z, t, *more):
        seen.append((operation, len(t)))
        return run(operation, record, floor, z, t, *more)

    monkeypatch.setattr(module, "_run", spy)
    return seen


@settings(max_examples=25)
@given(
    count=st.sampled_from([0, 1, MOST, 2 * MOST + 1]),
    shape=st.lists(st.integers(0, 4), max_size=2),
    dtype=st.sampled_from([C64, C128]),
    record=st.sampled_from([TANH, SQUARE]),
)
def test_values_and_gradients_of_any_shape(count, shape, dtype, record):
    z, t = points(*shape, dtype=dtype), points(count, *shape, dtype=dtype, seed=1)
    g, h = points(*shape, dtype=dtype, seed=2), points(count, *shape, dtype=dtype, seed=3)

    def both(floor):
        inputs = z.clone().requires_grad_(), t.clone().requires_grad_()
        with use(floor):
            outputs = jet(record, *inputs)
            return *outputs, *torch.autograd.grad(outputs, inputs, (g, h))

    for ours, expected in zip(both("compiled"), both("reference"), strict=True):
        torch.testing.assert_close(ours, expected)


@some
@pytest.mark.parametrize("count", [1, MOST + 1])
def test_gradients_and_gradients_of_gradients(record, count):
    z, t = points(2).requires_grad_(), points(count, 2, seed=1).requires_grad_()

    def f(z, t):
        return jet(record, z, t)

    with use("compiled"):
        assert gradcheck(f, (z, t), check_forward_ad=True, check_batched_grad=True)
        assert gradgradcheck(f, (z, t), check_fwd_over_rev=True)


@some
def test_many_tangents_of_forward_mode_are_one_jet(record, passes):
    z, v = points(3, 2), points(5, 3, 2, seed=1)
    with use("compiled"):
        value, along = vmap(
            lambda v: jvp(lambda z: pointwise(record, z), (z,), (v,)), out_dims=(None, 0)
        )(v)
    torch.testing.assert_close(value, record.value(z))
    torch.testing.assert_close(along, record.derivative(z) * v)
    assert passes == [("jet", 5)]


@some
def test_a_batch_of_points_with_tangents_of_their_own(record, passes):
    z, v = points(4, 3), points(5, 3, 4, seed=1)
    t = points(2, 3, seed=2)
    with use("compiled"):
        value, along = vmap(lambda z, v: jet(record, z, v), in_dims=(0, 2))(z, v)
        shared = vmap(lambda z: jet(record, z, t), out_dims=(0, 1))(z)
    torch.testing.assert_close(value, record.value(z))
    torch.testing.assert_close(along, record.derivative(z)[:, None] * v.permute(2, 0, 1))
    torch.testing.assert_close(shared[1], record.derivative(z) * t[:, None].expand(2, 4, 3))
    assert passes == [("jet", 5), ("jet", 2)]


def test_no_tangents_and_no_batch():
    z, none = points(3), points(0, 3)
    with use("compiled"):
        value, along = vmap(lambda t: jet(TANH, z, t), out_dims=(None, 0))(points(2, 0, 3))
        assert (value.shape, along.shape) == ((3,), (2, 0, 3))
        assert jet(TANH, z, none)[1].shape == (0, 3)


@some
def test_the_second_order(record, passes):
    z, v, w = points(4), points(4, seed=1), points(4, seed=2)

    def along(f, v):
        return lambda z: jvp(f, (z,), (v,))[1]

    def twice(f):
        return jvp(along(f, v), (z,), (w,))

    with use("compiled"):
        ours = twice(lambda z: pointwise(record, z))
    assert ("push", 1) in passes
    for a, b in zip(ours, twice(record.value), strict=True):
        torch.testing.assert_close(a, b)
    torch.testing.assert_close(ours[1], record.second_derivative(z) * v * w)


@some
def test_a_penalty_on_tangents_trains(record):
    weight, z, v = points(3, 3), points(5, 3, seed=1), points(5, 3, seed=2)

    def gradient(floor, order):
        w = weight.clone().requires_grad_()

        def f(z):
            return pointwise(record, z @ w)

        def first(z):
            return jvp(f, (z,), (v,))[1]

        with use(floor):
            out = first(z) if order == 1 else jvp(first, (z,), (v,))[1]
            return torch.autograd.grad(out.abs().square().sum(), w)[0]

    for order in (1, 2):
        torch.testing.assert_close(gradient("compiled", order), gradient("reference", order))


def test_reverse_over_forward_over_reverse():
    z, v = points(4), points(4, seed=1)

    def hvp(f):
        def pulled(z):
            value, pull = vjp(f, z)
            return pull(value)[0]

        return jvp(pulled, (z,), (v,))[1]

    with use("compiled"):
        ours = hvp(lambda z: pointwise(TANH, z))
    torch.testing.assert_close(ours, hvp(torch.tanh))


@pytest.mark.parametrize("view", ["conj", "transposed", "sliced", "negated"])
def test_views(view):
    base, t = points(5, 6), points(3, 5, 6, seed=1)
    change = {
        "conj": torch.conj,
        "transposed": lambda x: x.mT,
        "sliced": lambda x: x[..., 1::2],
        "negated": torch._neg_view,
    }[view]
    z, t = change(base), change(t)
    with use("compiled"):
        value, along = jet(TANH, z, t)
    torch.testing.assert_close(value, torch.tanh(z))
    torch.testing.assert_close(along, TANH.derivative(z) * t)


def test_small_tensors_run_as_torch_code(passes):
    z = points(3)
    jet(TANH, z, z[None])
    assert passes == []


def test_a_wrong_shape_says_which_is_right():
    with pytest.raises(ShapeError, match=r"\('K', 3\)"):
        jet(TANH, points(3), points(3))


@pytest.mark.parametrize("count", [1, 2 * MOST + 1])
def test_gradients_of_the_second_order_are_one_pass(passes, count):
    tensors = [points(*shape, seed=k) for k, shape in enumerate([(20,), (count, 20)] * 3)]
    *inputs, g, h = tensors

    def gradients(floor):
        z, t, u, s = (x.clone().requires_grad_() for x in inputs)
        with use(floor):
            value, along = jvp(lambda z, t: jet(TANH, z, t), (z, t), (u, s))[1]
            return torch.autograd.grad((value, along), (z, t, u, s), (g, h))

    ours = gradients("compiled")
    assert passes.count(("push_backward", count)) == 1
    torch.testing.assert_close(ours, gradients("reference"))
