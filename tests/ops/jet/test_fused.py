"""Triton's jets, in its interpreter where there is no card, against torch."""

import pytest
import torch

pytest.importorskip("triton", reason="triton exists for Linux only")
from holonet.functions import CATALOGUE
from holonet.ops import jet, use
from holonet.ops.jet import fused, reference
from holonet.ops.jet.programs import MOST, OPERATIONS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def points(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = 0.5 * torch.randn(shape, generator=generator, dtype=torch.complex64) + 0.1
    return z.to(DEVICE)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", ["tanh", "square", "sin", "softplus"])
def test_every_operation(name, operation, monkeypatch):
    for maker in ("empty", "empty_like"):
        plain = getattr(torch, maker)
        monkeypatch.setattr(
            torch, maker, lambda *a, plain=plain, **k: plain(*a, **k).fill_(complex("nan+nanj"))
        )
    record, size, count = CATALOGUE[name], 1030, MOST - 1
    shapes = [(size,), (count, size)] * (len(OPERATIONS[operation]) // 2)
    tensors = [points(*shape, seed=k) for k, shape in enumerate(shapes)]
    kernel = fused.kernels(record, count)[operation]
    found = kernel(*(x for t in tensors for x in (t if t.dim() == 2 else [t])))
    exact = [x.to(torch.complex128) for x in tensors]
    expected = getattr(reference, operation)(record, *exact)
    flat = [*expected[::2], *(x for images in expected[1::2] for x in images)]
    for ours, b in zip(found, flat, strict=True):
        assert ((ours - b).abs() / (1 + b.abs())).max() < 100 * torch.finfo(torch.float32).eps


def test_it_trains():
    z, t = points(40).requires_grad_(), points(MOST + 2, 40, seed=1).requires_grad_()

    def gradients(floor):
        with use(floor):
            value, along = jet(CATALOGUE["tanh"], z, t)
            return torch.autograd.grad(value.abs().sum() + along.abs().square().sum(), (z, t))

    for ours, expected in zip(gradients("fused"), gradients("reference"), strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
