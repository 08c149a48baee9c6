"""Generated C++ against the expressions it was generated from."""

import pytest
import torch
from torch._inductor import config

from cases import each
from holonet.ops.cpp import emit
from holonet.ops.evaluate import OPERATIONS, evaluate
from holonet.ops.native import compile_programs
from holonet.ops.planar import Planar, Program, Sheet, in_order

SIZES = [0, 1, 3, 7, 8, 9, 31, 2048, 2049, 40_001]


def every_operation(double):
    """Two outputs, of two inputs, that use all operations at least once."""
    sheet = Sheet(double)
    z, w = sheet.complex_input("z"), sheet.complex_input("w")
    a, b = z
    c, d = w
    unary = ("ceil", "cos", "exp", "expm1", "log1p", "sin", "trunc")
    total = a - a
    for k, op in enumerate(unary, start=1):
        total = total + k * abs(b).map(op)
    total = total + (1 + abs(c)).map("log") + (c * c).map("sqrt") + b.map("atan2", d)
    choice = ((a < b) & (c <= d)).map("or", a < -1)
    other = choice.where(a.map("maximum", c), b.map("minimum", d)) - (-c).map("copysign", a)
    return Program(["z", "w"], [Planar(total, other / (1 + abs(d))), z.times(w)])


@pytest.fixture(scope="module", params=[False, True], ids=["complex64", "complex128"])
def both(request):
    program = every_operation(request.param)
    square = Sheet(request.param)
    z = square.complex_input("z")
    kernels = compile_programs({"all": program, "square": Program(["z"], [z.times(z)])}, "a test")
    dtype = torch.complex128 if request.param else torch.complex64
    return program, kernels, dtype


def test_the_example_holds_every_operation(both):
    program, _, _ = both
    nodes = in_order([part for output in program.outputs for part in output])
    assert {n.op for n in nodes} - {"input", "constant"} == set(OPERATIONS)


@each("size", SIZES)
def test_it_computes_what_the_expression_says(both, size):
    program, kernels, dtype = both
    z, w = torch.randn(2, size, dtype=dtype)
    for ours, expected in zip(
        kernels["all"](z, w), evaluate(program.outputs, {"z": z, "w": w}), strict=True
    ):
        torch.testing.assert_close(ours, expected)
    assert torch.equal(kernels["square"](z)[0], kernels["square"](z.clone())[0])


def test_undefined_and_infinite_entries_stay_where_they_are(both):
    _, kernels, dtype = both
    z = torch.ones(21, dtype=dtype)
    z[4], z[17] = complex(float("nan"), 1), complex(float("inf"), 0)
    (value,) = kernels["square"](z)
    assert value.isfinite().tolist() == z.isfinite().tolist()


POINTS = [0.0, -0.0, 1e-30, 0.3, -0.8, 1.6, -3.2, 11.0, -45.0, 87.0, 8e3, -9e3, 1e7]


FUNCTIONS = ["sin", "cos", "exp", "expm1", "log", "log1p", "atan2"]


@pytest.fixture(scope="module", params=[None, 256, 1], ids=["widest", "256 bits", "no vectors"])
def functions(request):
    programs = {}
    for op in FUNCTIONS:
        x, y = Sheet().complex_input("z")
        parts = (x.map(op, y), y.map(op, x)) if op == "atan2" else (x.map(op), y.map(op))
        programs[op] = Program(["z"], [Planar(*parts)])
    with config.patch({"cpp.simdlen": request.param}):
        return compile_programs(programs, "functions")


@each("op", FUNCTIONS)
def test_vector_functions_are_within_two_units_in_the_last_place(functions, op):
    kernel = functions[op]
    scales = torch.logspace(-5, 4, 40)
    grid = torch.complex(*torch.randn(2, 40, 500)) * scales[:, None]
    z = torch.cat(
        [grid.flatten(), torch.cartesian_prod(*[torch.tensor(POINTS)] * 2).to(torch.cfloat) @ SUM]
    )
    value = torch.view_as_real(kernel(z)[0]).double()
    w = torch.view_as_real(z).double()
    exact = getattr(torch, op)(w, *([w.flip(-1)] if op == "atan2" else []))
    normal = (exact.abs() > 1e-35) & (exact.abs() < 3e38)
    unit = torch.finfo(torch.float32).eps * exact.abs()
    assert ((value - exact).abs() <= 2 * unit)[normal].all()
    assert ((value - exact).abs() < 1e-35)[exact.abs() <= 1e-35].all()
    beyond = exact.abs() >= 3.5e38
    assert torch.equal(value[beyond], exact[beyond].sign() * torch.inf)
    assert torch.equal(value.isnan(), exact.isnan())


SUM = torch.tensor([1, 1j])


@each("op", ["sin", "cos", "log", "log1p"])
def test_no_number_depends_on_its_neighbours(functions, op):
    kernel = functions[op]
    alone = torch.complex(*(0.1 + torch.rand(2, 997)))
    far = torch.arange(997) % 11 == 5
    among = torch.where(
        far, torch.tensor([1e6 + 3e4j, -1 + 0j, torch.nan])[torch.arange(997) % 3], alone
    )
    assert torch.equal(kernel(among)[0][~far], kernel(alone)[0][~far])
    assert not torch.equal(kernel(among)[0][far], kernel(alone)[0][far])


def test_the_source_names_each_function():
    source = emit({"first": every_operation(False), "second": every_operation(False)})
    assert source.count('extern "C"') == 2
    assert "holonet_value_apart" in emit({"value": every_operation(False)})
    assert "using T = float;" in source
