"""From which size on compiled code runs, and what happens without a compiler."""

import pytest
import torch

from holonet.functions import CATALOGUE
from holonet.ops import explain, pointwise, use
from holonet.ops.pointwise import compiled

TANH, SQUARE = CATALOGUE["tanh"], CATALOGUE["square"]


def points(*shape):
    return torch.randn(shape, dtype=torch.complex128)


@pytest.mark.parametrize("name", CATALOGUE)
def test_polynomials_are_left_to_torch_for_longer(name):
    plain = name in {"identity", "square", "cube", "polynomial"}
    expected = compiled.SMALLEST_PLAIN if plain else compiled.SMALLEST
    assert compiled.smallest(CATALOGUE[name]) == expected


def test_kernels_are_compiled_once():
    found = compiled.kernels(TANH, torch.complex64)
    assert not isinstance(found, str)
    assert compiled.kernels(TANH, torch.complex64) is found


def test_without_a_compiler_everything_still_runs(monkeypatch):
    def fail():
        raise RuntimeError("no C++ compiler found")

    monkeypatch.setattr("holonet.ops.native._cache", fail)
    compiled.kernels.cache_clear()
    try:
        with use("compiled"):
            z = points(3).requires_grad_()
            pointwise(SQUARE, z).real.sum().backward()
            torch.testing.assert_close(z.grad, 2 * z.detach().conj())
            assert "no C++ compiler found" in explain(SQUARE, z)
    finally:
        compiled.kernels.cache_clear()
