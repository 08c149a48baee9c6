"""W z + b under torch.autocast and without, alone and under an activation."""

from functools import partial

import pytest
import torch
from torch.func import jvp, vmap

import fresh_python
from cases import each
from holonet.calculus import jet
from holonet.functions import CATALOGUE
from holonet.ops import BACKENDS, affine, pointwise, use
from holonet.ops.affine import reference

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
TANH = CATALOGUE["tanh"]
C64, C128 = torch.complex64, torch.complex128
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
low = partial(torch.autocast, DEVICE, dtype=torch.bfloat16)


def tensors(shape=(2, 5, 3), m=4, dtype=C64, seed=0, real=False):
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=generator, dtype=dtype)
    z = draw(shape)
    given = [z.real.contiguous() if real else z, 0.5 * draw(m, shape[-1]), draw(m)]
    return [t.to(DEVICE).requires_grad_() for t in given]


def layer(z, w, b):
    return pointwise(TANH, affine(z, w, b))


def derivatives(function, given):
    """The value, the gradients, and the gradients of their squares."""
    value = function(*given)
    first = torch.autograd.grad(value.abs().square().sum(), given, create_graph=True)
    second = torch.autograd.grad(sum(g.abs().square().sum() for g in first), given)
    plain = torch.autograd.grad(function(*given).abs().square().sum(), given)
    return [value, *first, *second, *plain]


@each("real", [False, True])
@each("backend", BACKENDS)
def test_the_law_on_every_backend(backend, real):
    given = tensors(real=real)
    with use(backend):
        ours = derivatives(layer, given)
    expected = derivatives(lambda z, w, b: torch.tanh(reference.affine(z, w, b)), given)
    for a, e in zip(ours, expected, strict=True):
        assert a.dtype is e.dtype
        torch.testing.assert_close(a, e, rtol=2e-4, atol=2e-5 * e.detach().abs().max().item())


def test_lazy_inputs_have_gradients_too():
    def run(backend):
        z, w, b = (t.detach().mT if t.dim() > 1 else t.detach() for t in tensors((4, 4)))
        leaves = [t.requires_grad_() for t in (z, w, b)]
        with use(backend):
            value = layer(leaves[0].conj(), leaves[1].mH, leaves[2].conj())
        return torch.autograd.grad(value.abs().square().sum(), leaves)

    for a, e in zip(run("fused"), run("reference"), strict=True):
        torch.testing.assert_close(a, e, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_transforms_and_forward_mode(backend):
    z, w, b = (t.detach() for t in tensors())
    along = (torch.ones_like(z), torch.ones_like(w), torch.ones_like(b))
    with use(backend):
        value, tangent = jvp(layer, (z, w, b), along)
        each = vmap(lambda z: layer(z, w, b))(z)
    u = reference.affine(z, w, b)
    du = reference.affine(along[0], w, along[2]) + reference.affine(z, along[1])
    torch.testing.assert_close(value, torch.tanh(u))
    torch.testing.assert_close(each, torch.tanh(u))
    torch.testing.assert_close(tangent, (1 - torch.tanh(u) ** 2) * du, rtol=1e-4, atol=1e-5)


def test_jets_read_the_plain_code():
    z, w, b = (t.detach() for t in tensors())
    with use("fused"), low():
        ours = jet(lambda z: layer(z, w, b), z, z, 2)
    for a, e in zip(
        ours, jet(lambda z: torch.tanh(reference.affine(z, w, b)), z, z, 2), strict=True
    ):
        torch.testing.assert_close(a, e)


@pytest.mark.parametrize("rounded", [False, True])
def test_batched_gradients(rounded):
    z, w, b = tensors()
    with use("fused"), low(enabled=rounded):
        value = layer(z, w, b)
    above = torch.randn(3, *value.shape, dtype=C64, device=DEVICE)
    batched = torch.autograd.grad(value, (z, w, b), above, is_grads_batched=True, retain_graph=True)
    for k in range(3):
        one = torch.autograd.grad(value, (z, w, b), above[k], retain_graph=True)
        for a, e in zip(batched, one, strict=True):
            torch.testing.assert_close(a[k], e, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("real", [False, True])
def test_gradcheck_in_double_precision(real):
    given = tensors((2, 3), 2, C128, real=real)
    assert torch.autograd.gradcheck(layer, given, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(layer, given)


@pytest.mark.parametrize("backend", ["reference", "fused"])
def test_derivatives_in_bfloat16_are_near(backend):
    given = tensors((6, 20), 5)

    def ours(z, w, b):
        with use(backend), low():
            return layer(z, w / 4, b)

    exact = derivatives(lambda z, w, b: torch.tanh(reference.affine(z, w / 4, b)), given)
    for k, (a, e) in enumerate(zip(derivatives(ours, given), exact, strict=True)):
        assert a.dtype is e.dtype
        assert (a - e).norm() < (0.15 if 4 <= k < 7 else 0.05) * e.norm()
        assert (a - e).norm() > 1e-5 * e.norm()


def test_without_autocast_it_is_torchs_product():
    z, w, b = tensors()
    for backend in BACKENDS:
        with use(backend):
            assert torch.equal(affine(z, w, b), torch.nn.functional.linear(z, w, b))
            assert torch.equal(affine(z.real, w, b), reference.affine(z.real, w, b))


COMPILED = """
import torch
from holonet.functions import CATALOGUE
from holonet.ops import affine, pointwise

def run(z, w):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return pointwise(CATALOGUE["tanh"], affine(affine(z, w), w))

z, w = torch.randn(4, 3, dtype=torch.complex64), torch.randn(3, 3, dtype=torch.complex64)
w.requires_grad_()
values = [f(z, w) for f in (torch.compile(run, backend="eager", fullgraph=True), run)]
torch.testing.assert_close(*values)
torch.testing.assert_close(*(torch.autograd.grad(v.real.sum(), w) for v in values))
"""


@pytest.mark.slow  # tests/nn/test_classifier.py compiles a network
def test_a_users_compiler_finds_no_graph_break():
    # in a process of its own: annotations that are checked break the graph
    done = fresh_python.run("-c", COMPILED)
    assert done.returncode == 0, done.stderr
