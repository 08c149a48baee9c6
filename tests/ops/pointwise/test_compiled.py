"""From which size on compiled code runs, and what happens without a compiler."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

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


def test_only_so_many_records_are_remembered(monkeypatch):
    monkeypatch.setattr(compiled, "MOST", 2)
    for _ in range(4):
        record = dataclasses.replace(TANH)
        compiled.least(record, False)
        assert compiled._known[id(record)].record is record
        assert len(compiled._known) <= max(2, len(compiled.small))
    first = next(iter(compiled._known))
    compiled.least(dataclasses.replace(TANH), False)
    assert first not in compiled._known
    assert first not in compiled.small


@pytest.mark.parametrize("backend", ["auto", "compiled"])
def test_threads_use_a_record_for_the_first_time(backend):
    z, ahead = points(128), threading.Barrier(8)
    expected = pointwise(TANH, z)
    for _ in range(4):
        record = dataclasses.replace(TANH)

        def first_use(_, record=record):
            ahead.wait()
            w = z.clone().requires_grad_()
            with use(backend):
                value = pointwise(record, w)
            (gradient,) = torch.autograd.grad(value, w, torch.ones_like(z))
            return value.detach(), gradient

        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(first_use, range(8)))
        for value, gradient in found:
            assert torch.equal(value, expected)
            assert torch.equal(gradient, found[0][1])


def test_without_a_compiler_everything_still_runs(monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("holonet.ops.native._warned", [])
    nodes.forget()
    try:
        with use("compiled"):
            z = points(3).requires_grad_()
            for record in (SQUARE, TANH):
                pointwise(record, z).real.sum().backward()
            torch.testing.assert_close(z.grad, (2 * z + 1 - torch.tanh(z) ** 2).detach().conj())
            assert "no C++ compiler found (no-such-compiler" in explain(SQUARE, z)
            assert "25 to 60 times" in explain(SQUARE, z)
    finally:
        nodes.forget()
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "apt install g++" in warning
