"""The call without Python in between: when it answers, and that it answers the same."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import grad, jvp, vmap
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from holonet.functions import CATALOGUE
from holonet.ops import pointwise, use
from holonet.ops.pointwise import compiled, entrywise, nodes

TANH = CATALOGUE["tanh"]
LAYOUTS = {
    "dense": lambda z: z,
    "transposed": lambda z: z.T,
    "strided": lambda z: z[:, ::2],
    "offset": lambda z: z.flatten()[1:],
    "conjugated": lambda z: z.conj(),
    "negated": torch._neg_view,
    "expanded": lambda z: z[0].expand(5, *z.shape[1:]),
    "scalar times 64": lambda z: z.flatten()[0].expand(64),
}


def points(*shape, seed=0, dtype=torch.complex128):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def call(record=TANH):
    """The call itself, in both precisions."""
    for dtype in (torch.complex64, torch.complex128):
        assert not isinstance(compiled.kernels(record, dtype), str)
    nodes.prepare(record)
    return nodes.ready[id(record)]


def both(record, z, g):
    """Value and gradient by the call, and by way of Python."""
    for f in (call(record), lambda z: entrywise.pointwise(record, z)):
        leaf = z.detach().requires_grad_()
        value = f(leaf)
        yield value.detach(), *torch.autograd.grad(value, leaf, g)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("slope", ["dense", "expanded", "conjugated", "negated"])
def test_it_is_the_same_to_the_bit(dtype, layout, slope):
    z = LAYOUTS[layout](points(16, 18, dtype=dtype))
    g = points(*z.shape, seed=1, dtype=dtype)
    g = {
        "dense": g,
        "expanded": g.flatten()[0].expand(z.shape),
        "conjugated": g.conj(),
        "negated": torch._neg_view(g),
    }[slope]
    ours, theirs = both(TANH, z, g)
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])


@given(count=st.integers(64, 700), threads=st.integers(1, 2))
def test_every_entry_is_written(count, threads):
    z = points(count)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = call()(torch.cat([z, points(20_000)]))[:count]
        alone = call()(z)
    finally:
        torch.set_num_threads(before)
    torch.testing.assert_close(alone, torch.tanh(z), rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(found, alone, rtol=0, atol=0)


class Watching(TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Subclass(torch.Tensor):
    pass


def test_it_answers_for_plain_tensors_only():
    f, z = call(), points(100)
    assert f(z) is not None
    assert f(torch.nn.Parameter(z)) is not None
    refused = [
        points(63),
        z.real,
        z.as_subclass(Subclass),
        z.to("meta"),
        z.to_sparse(),
        torch._efficientzerotensor(100, dtype=torch.complex128),
        3.0,
    ]
    assert [f(t) for t in refused] == [None] * len(refused)


def test_it_steps_back_where_something_watches():
    f, z, found = call(), points(100), []

    def note(x):
        found.append(f(x))
        return (x * x).real.sum()

    jvp(note, (z,), (z,))
    grad(lambda x: note(torch.complex(x, x)))(z.real)
    vmap(note)(z.expand(2, 100))
    with torch.autograd.forward_ad.dual_level():
        note(torch.autograd.forward_ad.make_dual(z, z))
    with FlopCounterMode(display=False):
        note(z)
    with Watching():
        note(z)
    assert found == [None] * 6


def test_gradients_of_gradients():
    def f(z):
        return pointwise(TANH, z)

    call()
    z = (0.3 * points(64)).requires_grad_()
    assert f(z).grad_fn.name().startswith("PointwiseBackward")
    assert torch.autograd.gradcheck(f, z)
    assert torch.autograd.gradgradcheck(f, z)
    assert torch.autograd.gradcheck(f, z, check_batched_grad=True)


def test_it_is_a_node_like_others():
    f, z = call(), points(100).requires_grad_()
    out = f(z)
    first = torch.autograd.grad(out, z, torch.ones_like(out), retain_graph=True)
    second = torch.autograd.grad(out, z, torch.ones_like(out))
    assert torch.equal(first[0], second[0])
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(out, z, torch.ones_like(out))
    inner = z * 1
    out = f(inner)
    inner += 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward(torch.ones_like(out))
    packed = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: packed.append(t) or t, lambda t: t):
        f(z)
    assert len(packed) == 1
    for quiet in (torch.no_grad(), torch.inference_mode()):
        with quiet:
            assert not f(z).requires_grad
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        f(z).real.sum().backward()


def test_errors_of_the_gradients_code_arrive():
    broken = []

    def derivative(z):
        if broken:
            raise ArithmeticError("no derivative today")
        return TANH.derivative(z)

    record = dataclasses.replace(TANH, name="tanh, at times", derivative=derivative)
    z = points(100).requires_grad_()
    value = call(record)(z)
    broken.append(True)
    with use("reference"), pytest.raises(ArithmeticError, match="no derivative today"):
        torch.autograd.grad(value.real.sum(), z, create_graph=True)


def test_backends_that_are_forced_are_heeded():
    call()
    z = points(100).requires_grad_()
    with use("reference"):
        assert pointwise(TANH, z).grad_fn.name().startswith("TanhBackward")
    for backend in ("auto", "compiled"):
        with use(backend):
            assert pointwise(TANH, z).grad_fn.name().startswith("PointwiseBackward")


def test_without_it_calls_go_through_python(monkeypatch):
    monkeypatch.setattr(nodes, "_maker", lambda: None)
    record = dataclasses.replace(TANH, name="tanh without a node")
    z = points(100).requires_grad_()
    for _ in range(2):
        assert pointwise(record, z).grad_fn.name().startswith("_Plain")


def test_what_cannot_be_compiled_is_told(monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    nodes._maker.cache_clear()
    try:
        with caplog.at_level("INFO", logger="holonet.ops.pointwise.nodes"):
            assert nodes._maker() is None
        assert "no C++ compiler found" in caplog.text
    finally:
        nodes._maker.cache_clear()


def test_a_node_that_computes_wrongly_is_not_used(monkeypatch, caplog):
    record = dataclasses.replace(TANH, name="tanh with a wrong node")
    assert not isinstance(compiled.kernels(record, torch.complex128), str)
    monkeypatch.setattr(nodes, "_maker", lambda: lambda *_: lambda z: z * 2)
    nodes.prepare(record)
    assert id(record) not in nodes.ready
    assert "tanh with a wrong node go through Python" in caplog.text
