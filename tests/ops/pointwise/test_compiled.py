"""From which size on compiled code runs, and what happens without a compiler."""

import dataclasses

import pytest
import torch

from holonet.functions import CATALOGUE
from holonet.ops import explain, pointwise, use
from holonet.ops.pointwise import compiled, nodes

TANH, SQUARE = CATALOGUE["tanh"], CATALOGUE["square"]


def points(*shape):
    return torch.randn(shape, dtype=torch.complex128)


@pytest.mark.parametrize("name", CATALOGUE)
def test_thresholds_follow_from_what_torch_does(name):
    if name in {"identity", "square", "cube", "polynomial"}:
        expected = compiled.POLYNOMIAL
    elif name == "reciprocal":
        expected = compiled.QUICK
    else:
        expected = compiled.OTHER
    record = CATALOGUE[name]
    assert tuple(compiled.least(record, derived) for derived in (False, True)) == expected
    assert compiled.is_polynomial(record) is (expected is compiled.POLYNOMIAL)


def test_records_are_known_by_identity():
    first, second = (dataclasses.replace(TANH) for _ in range(2))
    assert compiled.least(first, False) == compiled.least(second, False)
    assert compiled._known[id(first)].record is first
    assert compiled._known[id(second)].record is second


def test_kernels_are_compiled_once():
    found = compiled.kernels(TANH, torch.complex64)
    assert not isinstance(found, str)
    assert compiled.kernels(TANH, torch.complex64) is found


def test_without_a_compiler_everything_still_runs(monkeypatch):
    def fail():
        raise RuntimeError("no C++ compiler found")

    monkeypatch.setattr("holonet.ops.native._cache", fail)
    nodes.forget()
    try:
        with use("compiled"):
            z = points(3).requires_grad_()
            pointwise(SQUARE, z).real.sum().backward()
            torch.testing.assert_close(z.grad, 2 * z.detach().conj())
            assert "no C++ compiler found" in explain(SQUARE, z)
    finally:
        nodes.forget()
