"""phi(z + b) on the floors that a CPU can run, against torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jvp, vmap

from holonet.errors import ShapeError
from holonet.functions import CATALOGUE
from holonet.ops import pointwise, use
from holonet.ops.pointwise import biased

TANH, SQUARE = CATALOGUE["tanh"], CATALOGUE["square"]
C64, C128 = torch.complex64, torch.complex128


def points(*shape, dtype=C128, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.3 * torch.randn(shape, generator=generator, dtype=dtype)


def both(record, z, b, floor):
    """Value and gradients on a floor and in torch."""
    z, b = z.clone().requires_grad_(), b.clone().requires_grad_()
    g = points(*z.shape, dtype=z.dtype, seed=2)
    with use(floor):
        value = pointwise(record, z, b)
        with torch.no_grad():
            assert torch.equal(pointwise(record, z, b), value)
        ours = value, *torch.autograd.grad(value, (z, b), g)
    expected = record.value(z + b)
    theirs = expected, *torch.autograd.grad(expected, (z, b), g)
    for a, e in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-5 if z.dtype is C64 else 1e-12)
    return value


# chunks of 2048 entries: rows that divide one, do not, and are longer
@settings(max_examples=20)
@given(
    shape=st.sampled_from(
        [(0,), (1,), (3, 0), (700, 7), (3, 5, 32), (2, 3000), (5000, 1), (2049,)]
    ),
    dtype=st.sampled_from([C64, C128]),
    record=st.sampled_from([TANH, SQUARE]),
)
def test_values_and_gradients(shape, dtype, record):
    value = both(
        record, points(*shape, dtype=dtype), points(shape[-1], dtype=dtype, seed=1), "compiled"
    )
    assert ("_Biased" in repr(value.grad_fn)) is (record is TANH)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("shape", [(0,), (1,), (70, 7), (3, 500), (2, 1500)])
def test_triton(shape):
    pytest.importorskip("triton", reason="triton exists for Linux only")
    z, b = points(*shape, dtype=C64), points(shape[-1], dtype=C64, seed=1)
    for record in (TANH, SQUARE):
        value = both(record, z, b, "fused")
        assert "_Biased" in repr(value.grad_fn)


def test_gradients_and_gradients_of_gradients():
    z, b = points(2, 3).requires_grad_(), points(3, seed=1).requires_grad_()

    def f(z, b):
        return pointwise(TANH, z, b)

    with use("compiled"):
        assert gradcheck(f, (z, b), check_forward_ad=True, check_batched_grad=True)
        assert gradgradcheck(f, (z, b), check_fwd_over_rev=True)


def test_transforms():
    z, b, v = points(4, 3), points(3, seed=1), points(4, 3, seed=2)
    with use("compiled"):
        along = jvp(lambda z: pointwise(TANH, z, b), (z,), (v,))[1]
        rows = vmap(lambda z: pointwise(TANH, z, b))(z)
    torch.testing.assert_close(along, TANH.derivative(z + b) * v)
    torch.testing.assert_close(rows, torch.tanh(z + b))


def test_views():
    z, b = points(6, 5).mT, points(12, seed=1)[::2].conj()
    with use("compiled"):
        torch.testing.assert_close(pointwise(TANH, z, b), torch.tanh(z + b))


def test_small_tensors_run_as_torch_code(monkeypatch):
    monkeypatch.setattr(biased, "_run", None)
    z, b = points(2, 3), points(3, seed=1)
    assert torch.equal(pointwise(TANH, z, b), torch.tanh(z + b))


@pytest.mark.parametrize(("z", "b"), [((2, 3), (2,)), ((2, 3), (2, 3)), ((), (1,))])
def test_a_bias_of_another_length_says_what_is_needed(z, b):
    with pytest.raises(ShapeError, match="one number for each"):
        pointwise(TANH, points(*z), points(*b))
