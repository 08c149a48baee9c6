"""Records read as planar expressions against the records themselves."""

import contextlib
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.utils import _python_dispatch

from cases import each, some_of
from holonet.functions import CATALOGUE, HolomorphicFunction
from holonet.ops import tracing
from holonet.ops.evaluate import evaluate
from holonet.ops.planar import Sheet
from holonet.ops.tracing import UntranslatableError, count_operations, trace
from holonet.symbolic import from_sympy

RECORDS = {
    **CATALOGUE,
    "formula": from_sympy("z*exp(-z**2)/(4 + z**2) + asin(z/9)"),
    "powers": from_sympy("(z + 3)**(3/2) - 1/(5 + z)**3 + acosh(z + 20)"),
    "heads": from_sympy("tan(z/5) + acos(z/40) + log(1 + exp(z/4)) + atanh(z/50) + 1/cosh(z/9)"),
}
SMALLEST = {torch.complex64: 1e-30, torch.complex128: 1e-290}
LARGEST = {torch.complex64: 1e37, torch.complex128: 1e300}


def parts(record: HolomorphicFunction):
    return record.value, record.derivative, record.second_derivative


KINDS = [*itertools.product(RECORDS, [torch.complex64, torch.complex128], [0, 1, 2])]


@some_of(("name", "dtype", "order"), KINDS, slice(None, None, 11))
def test_the_expression_is_as_accurate_as_the_record(name, dtype, order):
    record = RECORDS[name]
    clouds = [r * torch.randn(200, dtype=torch.complex128) for r in (1e-3, 0.3, 1, 3, 20)]
    z = torch.cat(clouds).to(dtype)
    z = z[record.clearance(z) > 1e-2]
    function = parts(record)[order]
    sheet = Sheet(double=dtype == torch.complex128)
    (ours,) = evaluate([trace(function, sheet.complex_input("z"))], {"z": z})

    w = z.to(torch.complex128)
    exact = function(w)
    slope = (*parts(record)[1:], _third(record))[order](w)
    scale = torch.maximum(exact.abs(), (w * slope).abs())
    usual = exact.isfinite() & (scale > SMALLEST[dtype]) & (scale < LARGEST[dtype])
    assert usual.any() or not exact.any()
    error = (ours - exact).abs()[usual] / (torch.finfo(dtype).eps * scale[usual])
    its = (function(z) - exact).abs()[usual] / (torch.finfo(dtype).eps * scale[usual])
    # in double precision the record is its own reference, off by as much
    assert not usual.any() or error.max() <= 12 * (order + 1) + 2 * its.max()


def _third(record):
    def derivative(z):
        z = z.detach().requires_grad_()
        second = record.second_derivative(z)
        if not second.requires_grad:
            return torch.zeros_like(z)
        (gradient,) = torch.autograd.grad(second.real.sum(), z)
        return gradient.conj()

    return derivative


@each(
    ("function", "words"),
    [
        (lambda z: z.cumsum(0), "cumsum"),
        (lambda z: torch.special.digamma(z.real) + z, "digamma"),
        (lambda z: z[0], "indexing"),
        (lambda z: z + torch.arange(2), "several constants"),
        (lambda z: z.real > 0, "condition"),
        (lambda z: torch.acosh(z.real) + z, "acosh"),
        (lambda z: z * z if (z.abs() > 1).any() else z, "depends on the values"),
        (lambda z: z * z.abs().max().item(), "depends on the values"),
        (lambda z: torch.from_numpy(z.numpy() ** 2), "several constants"),
        (lambda z: z * torch.tensor(z.tolist()), "several constants"),
        (lambda z: z.clone().mul_(2), "in place"),
        (lambda z: torch.zeros(2, dtype=z.dtype).add_(z), "in place"),
        (lambda z: (z, z), "no tensor"),
        (lambda z: z.nothing_like_that(), "cannot be followed"),
    ],
)
def test_what_cannot_be_read_is_named(function, words):
    with pytest.raises(UntranslatableError, match=words):
        trace(function, Sheet().complex_input("z"))


@each("name", ["atan", "cosh", "log1p", "reciprocal", "sinh", "tan", "tanh"])
def test_real_functions_of_a_real_part(name):
    def function(z):
        return torch.complex(getattr(torch, name)(z.real.abs()), z.imag)

    z = torch.randn(50, dtype=torch.complex128)
    (ours,) = evaluate([trace(function, Sheet(True).complex_input("z"))], {"z": z})
    torch.testing.assert_close(ours, function(z), rtol=1e-13, atol=1e-14)


def test_tracing_may_be_nested():
    def function(z):
        trace(torch.tanh, Sheet().complex_input("z"))
        return z * z

    assert trace(function, Sheet().complex_input("z")).im.op == "add"


def test_threads_read_at_once_and_leave_torch_as_it_was():
    patched = [nn.Module.__call__, nn.Module.__getattr__]
    ahead = threading.Barrier(8)

    def read(_):
        ahead.wait()
        return trace(torch.exp, Sheet().complex_input("z")).re.op

    for _ in range(3):
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(read, range(8))) == ["mul"] * 8
    assert [nn.Module.__call__, nn.Module.__getattr__] == patched
    assert not _python_dispatch.is_in_torch_dispatch_mode()


def test_constants_may_depend_on_the_precision():
    def function(z):
        return z * torch.finfo(z.dtype).eps

    for double, eps in ((False, 2.0**-23), (True, 2.0**-52)):
        sheet = Sheet(double)
        assert trace(function, sheet.complex_input("z")).re.args[0].value == eps


@pytest.mark.parametrize("function", [torch.tanh, lambda z: z.item()])
def test_no_mode_outlives_the_function(function, monkeypatch):
    """It would be freed when the thread ends, which aborts a process that ends at that moment."""
    modes = []

    def counting(run):
        try:
            return run()
        finally:
            modes.extend(_python_dispatch._get_current_dispatch_mode_stack())

    monkeypatch.setattr(tracing, "in_new_thread", counting)
    with contextlib.suppress(UntranslatableError):
        count_operations(function)
    assert modes == []
