"""phi(z) on every backend: values, both modes of derivatives, transforms."""

import dataclasses
import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jvp, vjp, vmap

import fresh_python
from cases import each, some_of
from holonet.calculus import jet
from holonet.functions import CATALOGUE
from holonet.ops import explain, pointwise, use
from holonet.ops.pointwise.function import _RecordFunction, pointwise_of_parts
from holonet.symbolic import from_sympy

TANH, SQUARE = CATALOGUE["tanh"], CATALOGUE["square"]
FORMULA = from_sympy("z/(4 + z**2)")
C128 = torch.complex128
backends = each("backend", ["reference", "compiled"])
some = some_of("record", [TANH, SQUARE, FORMULA], slice(1))


def points(*shape, dtype=C128, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.6 * torch.randn(shape, generator=generator, dtype=dtype)


@pytest.mark.parametrize(
    ("backend", "records"),
    [
        ("reference", [TANH]),
        ("compiled", [TANH]),
        pytest.param("reference", [SQUARE, FORMULA], marks=pytest.mark.slow),
        pytest.param("compiled", [SQUARE, FORMULA], marks=pytest.mark.slow),
    ],
)
def test_gradients_and_gradients_of_gradients(backend, records):
    for record in records:
        check_gradients(backend, record)


def check_gradients(backend, record):
    with use(backend):
        z = points(1, 2).requires_grad_()
        assert explain(record, z).startswith(backend)

        def f(z):
            return pointwise(record, z)

        modes = {"check_forward_ad": True, "check_batched_grad": True}
        assert gradcheck(f, z, **modes, check_batched_forward_grad=True)
        assert gradgradcheck(f, z, check_fwd_over_rev=True, check_rev_over_rev=True)


@pytest.mark.parametrize(
    "record",
    [TANH, *(pytest.param(record, marks=pytest.mark.slow) for record in (SQUARE, FORMULA))],
    ids=lambda record: record.name,
)
def test_derivatives_of_any_order_are_the_records(record):
    z, v = points(4), points(4, seed=1)

    def tower(f):
        def first(z):
            return jvp(f, (z,), (v,))[1]

        def second(z):
            return jvp(first, (z,), (v,))[1]

        return *jvp(second, (z,), (v,)), vjp(first, z)[1](v)[0], vjp(second, z)[1](v)[0]

    def thrice(f):
        x = z.clone().requires_grad_()
        value = f(x)
        for _ in range(3):
            (value,) = torch.autograd.grad(value.abs().square().sum(), x, create_graph=True)
        return (value.detach(),)

    with use("compiled"):
        ours = *tower(lambda z: pointwise(record, z)), *thrice(lambda z: pointwise(record, z))
    theirs = *tower(record.value), *thrice(record.value)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


@some
@each("in_dim", [0, 1, -1])
def test_vmap(record, in_dim):
    z, v = points(3, 4, 2), points(2, seed=1)

    def f(z):
        return pointwise(record, z)

    def push(z, v):
        return jvp(f, (z,), (v,))[1]

    def pull(z):
        return vjp(f, z)[1](torch.ones_like(z))[0]

    with use("compiled"):
        values = vmap(f, in_dims=in_dim, out_dims=in_dim)(z)
        torch.testing.assert_close(values, record.value(z))
        tangents = vmap(vmap(push, in_dims=(0, None)), in_dims=(0, None))(z, v)
        torch.testing.assert_close(tangents, record.derivative(z) * v)
        torch.testing.assert_close(vmap(pull)(z), record.derivative(z).conj())


@given(
    shape=st.lists(st.integers(0, 5), max_size=3),
    dtype=st.sampled_from([torch.complex64, C128]),
    seed=st.integers(0, 99),
)
def test_any_shape(shape, dtype, seed):
    z = points(*shape, dtype=dtype, seed=seed)
    with use("compiled"):
        value = pointwise(TANH, z)
    assert (value.shape, value.dtype) == (z.shape, dtype)
    torch.testing.assert_close(value, torch.tanh(z))


@backends
@some
def test_real_numbers_take_the_real_function_and_no_backend(backend, record, monkeypatch):
    monkeypatch.setitem(inspect.unwrap(pointwise).__globals__, "plan", None)
    x = points(40, 50).real.clone().requires_grad_()
    with use(backend):
        value = pointwise(record, x)
        assert torch.equal(value, record(x))
        torch.testing.assert_close(value, record.value(x + 0j).real)
        assert gradcheck(lambda x: pointwise(record, x), x[:1, :3], check_forward_ad=True)
        assert gradgradcheck(lambda x: pointwise(record, x), x[:1, :3], check_fwd_over_rev=True)


@pytest.mark.parametrize("view", ["conj", "T", "slice", "expand"])
def test_views(view):
    base = points(6, 5)
    z = {
        "conj": base.conj(),
        "T": base.T,
        "slice": base[1::2, 2:],
        "expand": base[:, :1].expand(6, 5),
    }
    with use("compiled"):
        torch.testing.assert_close(pointwise(TANH, z[view]), torch.tanh(z[view]))


def test_training_gradients_are_the_same_on_both_backends():
    w = points(3, 3, dtype=torch.complex64)

    def gradient(backend):
        weight = w.clone().requires_grad_()
        with use(backend):
            pointwise(TANH, points(50, 3, dtype=torch.complex64) @ weight).abs().sum().backward()
        return weight.grad

    torch.testing.assert_close(gradient("compiled"), gradient("reference"))


def test_jets_pass_through():
    z, v = points(3), points(3, seed=1)
    with use("compiled"):
        ours = jet(lambda z: pointwise(TANH, z), z, v, 3)
    for a, b in zip(ours, jet(torch.tanh, z, v, 3), strict=True):
        torch.testing.assert_close(a, b)


COMPILED_MODEL = """
import torch
from holonet.functions import CATALOGUE
from holonet.ops import pointwise, use

z = (0.3 * torch.randn(5, dtype=torch.complex128) + 0.5).requires_grad_()
for record in CATALOGUE.values():
    def model(z):
        return pointwise(record, 2 * z).real.sum()

    with use("compiled"):
        whole = torch.compile(model, backend="eager", fullgraph=True)(z)
    values = whole, model(z)
    torch.testing.assert_close(*values)
    torch.testing.assert_close(*(torch.autograd.grad(v, z)[0] for v in values))
    torch._dynamo.reset()
"""


@pytest.mark.slow  # tests/nn/test_classifier.py compiles a network
def test_a_users_compiled_model_has_no_graph_break():
    # in a process of its own: annotations that are checked break the graph
    done = fresh_python.run("-c", COMPILED_MODEL)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("batched", ["points", "tangents"])
def test_batches_of_points_and_of_tangents(batched):
    """A Jacobian along several tangents, as vmap of jvp; and one tangent at several points."""
    z, v = points(3, 2), points(5, 3, 2, seed=1)

    def along(z, v):
        return jvp(lambda z: pointwise(TANH, z), (z,), (v,))

    with use("compiled"):
        if batched == "tangents":
            value, tangents = vmap(along, in_dims=(None, 0), out_dims=(None, 0))(z, v)
        else:
            value, tangents = vmap(along, in_dims=(0, None))(v, z)
            z, v = v, z
    torch.testing.assert_close(value, TANH.value(z))
    torch.testing.assert_close(tangents, TANH.derivative(z) * v)


@some
@each("order", [1, 2])
def test_a_penalty_on_tangents_trains(record, order):
    weight, z, v = points(3, 3), points(5, 3, seed=1), points(5, 3, seed=2)

    def gradient(backend):
        w = weight.clone().requires_grad_()

        def first(z):
            return jvp(lambda z: pointwise(record, z @ w), (z,), (v,))[1]

        with use(backend):
            out = first(z) if order == 1 else jvp(first, (z,), (v,))[1]
            return torch.autograd.grad(out.abs().square().sum(), w)[0]

    torch.testing.assert_close(gradient("compiled"), gradient("reference"))


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


def test_its_node_of_the_graph_behaves_like_torchs():
    z = points(100).requires_grad_()
    out = pointwise(TANH, z * 1)
    first = torch.autograd.grad(out, z, torch.ones_like(out), retain_graph=True)
    second = torch.autograd.grad(out, z, torch.ones_like(out))
    assert torch.equal(first[0], second[0])
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(out, z, torch.ones_like(out))
    with use("compiled"):
        inner = z * 1
        out = pointwise(TANH, inner)
        inner += 1
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            out.backward(torch.ones_like(out))
        packed = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
            pointwise(TANH, z)
        assert len(packed) == 1
        for quiet in (torch.no_grad(), torch.inference_mode()):
            with quiet:
                assert not pointwise(TANH, z).requires_grad
        with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
            pointwise(TANH, z).real.sum().backward()


def test_the_short_call_is_that_of_torch():
    """Outside of torch.func the arguments are not bound."""
    z, g = points(80).requires_grad_(), points(80, seed=1)
    with use("compiled"):
        short = pointwise(TANH, z)
    bound = _RecordFunction.apply("value", TANH, "compiled", z)
    assert type(short.grad_fn).__name__ == type(bound.grad_fn).__name__
    for a, b in zip(*(torch.autograd.grad(w, z, g) for w in (short, bound)), strict=True):
        assert torch.equal(a, b)


def test_gradients_outside_of_a_finished_transform():
    """What vjp saved are wrappers of a level that has ended."""
    z, v = points(70), points(70, seed=1)
    with use("compiled"):
        value, pull = vjp(lambda z: pointwise(TANH, z), z)
        ours = vjp(lambda v: pull(v)[0], v)[1](value)[0]
        leaked = []
        vjp(lambda z: leaked.append(z) or z, z)
        again = pointwise(TANH, leaked[0])
    torch.testing.assert_close(ours, TANH.derivative(z) * value)
    torch.testing.assert_close(again, torch.tanh(z))


def test_errors_of_the_derivatives_code_arrive():
    def second_derivative(z):
        raise ArithmeticError("no derivative today")

    record = dataclasses.replace(TANH, second_derivative=second_derivative)
    z = points(100).requires_grad_()
    with use("compiled"):
        value = pointwise(record, z).abs().square().sum()
        (gradient,) = torch.autograd.grad(value, z, create_graph=True)
        with pytest.raises(ArithmeticError, match="no derivative today"):
            gradient.abs().sum().backward(create_graph=True)


@backends
@some_of(
    "dtype, name",
    [
        (torch.complex64, "silu"),
        (C128, "square"),
        (C128, "softplus"),
        (torch.complex64, "identity"),
    ],
    slice(2),
)
def test_parts_apart_give_the_same_bits(backend, dtype, name):
    """Also of a rest that is no whole block, of strided parts and where nothing is finite."""
    z = points(3, 51, dtype=dtype)
    z[0, :4] = torch.tensor([complex("inf"), complex("nan+1j"), 0, complex(-200, 3)])
    with use(backend):
        whole = pointwise(CATALOGUE[name], z)
        for given in (z.real, z.imag), (z.real.contiguous(), z.imag.contiguous()):
            real, imag = pointwise_of_parts(CATALOGUE[name], *given)
            for part, right in ((real, whole.real), (imag, whole.imag)):
                assert torch.equal(part.nan_to_num(7.0), right.nan_to_num(7.0))


def test_parts_apart_are_differentiated():
    z = points(200).requires_grad_()
    with use("compiled"):
        real, imag = pointwise_of_parts(TANH, z.real, z.imag)
        (ours,) = torch.autograd.grad(torch.complex(real, imag), z, torch.ones_like(z))
        (theirs,) = torch.autograd.grad(pointwise(TANH, z), z, torch.ones_like(z))
    assert torch.equal(ours, theirs)
