"""From which size on compiled code runs, and what happens without a compiler."""

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from cases import each
from holonet.functions import CATALOGUE
from holonet.functions.elementary import ELEMENTARY
from holonet.ops import explain, pointwise, use
from holonet.ops.pointwise import compiled
from holonet.ops.pointwise.programs import INPUTS

TANH, SQUARE = CATALOGUE["tanh"], CATALOGUE["square"]


def points(*shape):
    return torch.randn(shape, dtype=torch.complex128)


@each("name", CATALOGUE)
def test_thresholds_follow_from_what_torch_does(name):
    if name in {"identity", "square", "cube", "polynomial"}:
        expected = compiled.POLYNOMIAL
    elif name == "reciprocal":
        expected = compiled.QUICK
    elif name in {record.name for record in ELEMENTARY}:
        expected = compiled.SINGLE
    else:
        expected = compiled.COMPOSITE
    record = CATALOGUE[name]
    assert tuple(compiled.threshold(record, grad) for grad in (False, True)) == expected
    assert compiled.is_polynomial(record) is (expected is compiled.POLYNOMIAL)


def test_records_are_known_by_identity():
    first, second = (dataclasses.replace(TANH) for _ in range(2))
    assert compiled.threshold(first, False) == compiled.threshold(second, False)
    assert compiled._known[id(first)].record is first
    assert compiled._known[id(second)].record is second


def test_functions_are_compiled_once_and_in_groups():
    training = compiled.compiled_functions(TANH, "compiled", torch.complex64)
    assert set(training) == {"value", "pull"}
    assert compiled.compiled_functions(TANH, "compiled", torch.complex64, "pull") is training
    assert {name for names in compiled.GROUPS.values() for name in names} == set(INPUTS)
    assert sum(map(len, compiled.GROUPS.values())) == len(INPUTS)


def test_the_number_of_remembered_records_is_limited(monkeypatch):
    monkeypatch.setattr(compiled, "RECORDS", 2)
    compiled._known.clear()
    for _ in range(4):
        record = dataclasses.replace(TANH)
        compiled.threshold(record, False)
        assert compiled._known[id(record)].record is record
        assert len(compiled._known) <= 2
    first = next(iter(compiled._known))
    compiled.threshold(dataclasses.replace(TANH), False)
    assert first not in compiled._known


def test_a_second_derivative_without_translation_leaves_training_compiled():
    record = dataclasses.replace(
        TANH, second_derivative=lambda z: TANH.second_derivative(z.flip(0))
    )
    z = points(100).requires_grad_()
    with use("compiled"):
        assert explain(record, z).startswith("compiled")
        along = torch.func.jvp(lambda z: pointwise(record, z), (z.detach(),), (z.detach(),))[1]
    assert "flip" in compiled.compiled_functions(record, "compiled", z.dtype, "push")
    torch.testing.assert_close(along, (TANH.derivative(z) * z).detach())


@pytest.mark.parametrize("backend", ["auto", "compiled"])
def test_threads_use_a_record_for_the_first_time(backend):
    z, ahead = points(512), threading.Barrier(8)
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
            results = list(pool.map(first_use, range(8)))
        for value, gradient in results:
            assert torch.equal(value, expected)
            assert torch.equal(gradient, results[0][1])


def test_without_a_compiler_everything_still_runs(monkeypatch, caplog):
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr("holonet.ops.native._warned", [])
    compiled._known.clear()
    try:
        with use("compiled"):
            z = points(3).requires_grad_()
            for record in (SQUARE, TANH):
                pointwise(record, z).real.sum().backward()
            torch.testing.assert_close(z.grad, (2 * z + 1 - torch.tanh(z) ** 2).detach().conj())
            assert "no C++ compiler found (no-such-compiler" in explain(SQUARE, z)
            assert "25 to 60 times" in explain(SQUARE, z)
    finally:
        compiled._known.clear()
    (warning,) = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert "apt install g++" in warning
