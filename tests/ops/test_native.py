"""Compiled code as functions of tensors: threads, views, failures."""

import logging

import pytest
import torch

from holonet.ops.native import CompilationError, compile_programs, readable
from holonet.ops.planar import Program, Sheet


def square(double):
    z = Sheet(double).complex_input("z")
    return Program(["z"], [z.times(z)])


@pytest.fixture(scope="module", params=[False, True], ids=["complex64", "complex128"])
def both(request):
    kernels = compile_programs({"square": square(request.param)}, "squares")
    return square(request.param), kernels, torch.complex128 if request.param else torch.complex64


def test_threads_change_nothing(both):
    _, kernels, dtype = both
    z = torch.randn(50_001, dtype=dtype)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        several = kernels["square"](z)[0]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(several, kernels["square"](z)[0])


def test_lazy_strided_and_misaligned_inputs(both):
    _, kernels, dtype = both
    base = torch.randn(9, 14, dtype=dtype)
    square = kernels["square"]
    for z in (
        base.conj(),
        base.T,
        base[:, 1:],
        base[::2, ::3],
        base.view(-1)[1:],
        base[:, :1].expand(9, 14),
        torch.view_as_complex(torch.view_as_real(base).neg()),
        torch._neg_view(base),
        base.conj().T[2:],
    ):
        torch.testing.assert_close(square(z)[0], z * z)


def test_a_broken_source_is_an_error_that_says_what_and_why(monkeypatch):
    monkeypatch.setattr("holonet.ops.native.emit", lambda programs: "this is no C++")
    with pytest.raises(CompilationError, match=r"squares could not be compiled"):
        compile_programs({"all": square(False)}, "squares")


def test_readable():
    seen = []

    def look(t):
        seen.append(readable(t))
        return t

    torch.vmap(look)(torch.zeros(2, 3))
    assert seen == [False]
    assert readable(torch.zeros(3))
    assert readable(torch.zeros(0))
    assert not readable(torch._efficientzerotensor((3,)))


@pytest.mark.parametrize("slow", [True, False])
def test_a_long_compilation_is_announced(monkeypatch, caplog, slow):
    monkeypatch.setattr("holonet.ops.native.SLOW", -1.0 if slow else 1e9)
    with caplog.at_level(logging.WARNING):
        compile_programs({"square": square(False)}, "squares")
    assert ("compiled squares for this CPU" in caplog.text) is slow
