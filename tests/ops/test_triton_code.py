"""Triton's kernels: their text, and their numbers, in the interpreter where there is no card."""

import inspect
import linecache
import math
import sys
from importlib import _bootstrap_external

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import fresh_python
from holonet._optional import is_installed
from holonet.functions import CATALOGUE
from holonet.ops import explain, pointwise, triton_code, use
from holonet.ops.evaluate import OPERATIONS, evaluate
from holonet.ops.planar import Planar, Program, Sheet, in_order
from holonet.ops.pointwise import compiled, reference
from holonet.ops.pointwise.programs import INPUTS
from holonet.ops.triton_code import _CALLS, _INFIX, CIRCULAR, helpers, load, statements

# entries outside of the tensor are computed too, and dropped; numpy warns of what it meets there
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
needs_triton = pytest.mark.skipif(not is_installed("triton"), reason="triton exists for Linux only")
TANH = CATALOGUE["tanh"]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def test_every_operation_has_its_code():
    assert {*_CALLS, *_INFIX, *CIRCULAR} == set(OPERATIONS)
    compile(helpers(), "helpers", "exec")


def test_constants_are_spread_over_a_block():
    z = Sheet().complex_input("z")
    out = Planar(z.re * z.im, z.re.sheet.constant(math.inf))
    lines, parts = statements([out])
    assert lines == ["v2 = z_re * z_im"]
    assert parts == [("v2", "tl.full((BLOCK,), float('inf'), tl.float32)")]


def test_shared_nodes_are_written_once():
    z = Sheet().complex_input("z")
    lines, _ = statements([z.times(z), z.times(z).plus(z)])
    assert len(set(lines)) == len(lines)
    assert len({line.split(" = ")[1] for line in lines}) == len(lines)


def test_sine_and_cosine_of_an_angle_are_one_call():
    z = Sheet().complex_input("z")
    lines, parts = statements([Planar(z.re.map("cos"), z.re.map("sin"))])
    assert lines == ["sin1, cos1 = sincos(z_re)"]
    assert parts == [("cos1", "sin1")]


def test_a_text_becomes_a_module_whose_source_can_be_read():
    module = load("def double(x):\n    return 2 * x\n")
    assert module.double(21) == 42
    linecache.checkcache()  # as tracebacks do: what is stale is dropped
    assert inspect.getsource(module.double) == "def double(x):\n    return 2 * x\n"


def test_code_planted_in_a_shared_folder_is_not_run(tmp_path, monkeypatch):
    """Unchecked bytecode beside a file is run by an import without a look at the file."""
    text = "answer = 42\n"
    name = load(text).__name__
    for variable in ("TMPDIR", "TRITON_CACHE_DIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    planted = compile("answer = 'planted'", name, "exec")
    bytecode = _bootstrap_external._code_to_hash_pyc(planted, b"12345678", False)
    (tmp_path / "__pycache__").mkdir()
    for file in (f"{name}.pyc", f"__pycache__/{name}.{sys.implementation.cache_tag}.pyc"):
        (tmp_path / file).write_bytes(bytecode)
    (tmp_path / f"{name}.py").write_text("answer = 'planted'\n")
    before = sorted(tmp_path.rglob("*"))
    assert load(text).answer == 42
    assert sorted(tmp_path.rglob("*")) == before


# compiled for a card that need not be there: the interpreter takes more than the compiler
PROGRAM = """
import sys
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from holonet.functions import CATALOGUE
from holonet.ops.pointwise.programs import INPUTS, program
from holonet.ops.planar import in_order
from holonet.ops.triton_code import CIRCULAR, load, source

HOPPER = GPUTarget("cuda", 90, 32)
TANH = CATALOGUE["tanh"]


def compiled(kernel, pointers, numbers, constants):
    signature = dict.fromkeys(pointers, "*fp32") | dict.fromkeys(numbers, "i64")
    signature |= dict.fromkeys(constants, "constexpr")
    return triton.compile(ASTSource(kernel, signature, constants), target=HOPPER).asm["ptx"]


def entrywise(programs):
    module = load(source(programs))
    for name, made in programs.items():
        pointers = [f"{z}_ptr" for z in made.inputs]
        pointers += [f"out{k}_ptr" for k in range(len(made.outputs))]
        ptx = compiled(getattr(module, name), pointers, ("count",), {"BLOCK": 1024})
        parts = [part for output in made.outputs for part in output]
        circular = any(node.op in CIRCULAR for node in in_order(parts))
        assert circular or ".f64" not in ptx, f"{name} computes in double precision"


step = int(sys.argv[1])
for record in [*CATALOGUE.values()][::-step]:
    entrywise({"value": program("value", record, double=False)})
operations = INPUTS if step == 1 else ["pull_backward"]
entrywise({op: program(op, TANH, double=False) for op in operations})
"""


@pytest.mark.parametrize("step", [8, pytest.param(1, marks=pytest.mark.slow)])
def test_kernels_compile_for_hopper_in_single_precision(step):
    pytest.importorskip("triton")
    done = fresh_python.run("-c", PROGRAM, str(step))
    assert done.returncode == 0, done.stderr[-2000:]


def generated(record, operation):
    """An operation of a record as Triton's kernel."""
    return compiled.compiled_functions(record, "fused", torch.complex64, operation)[operation]


def points(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    z = 0.5 * torch.randn(shape, generator=generator, dtype=torch.complex64) + 0.1
    return z.to(DEVICE)


def poisoned(monkeypatch):
    """Fresh memory holds NaN, so what is not written shows."""
    empty_like = torch.empty_like
    monkeypatch.setattr(torch, "empty_like", lambda t: empty_like(t).fill_(complex("nan+nanj")))


@pytest.fixture
def poisoned_memory(monkeypatch):
    poisoned(monkeypatch)


# the two others also give what push and pull do
OPERATED = [
    (name, operation)
    for name in CATALOGUE
    for operation in ("value", "push_backward", "pull_backward", "bend_backward")
]


@needs_triton
@pytest.mark.usefixtures("poisoned_memory")
@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
def test_every_record(step):
    for name, operation in OPERATED[::step]:  # the operations in turn
        is_as_the_reference(name, operation)


def is_as_the_reference(name, operation):
    record = CATALOGUE[name]
    z = points(300) + record.base_point
    z = z[record.clearance(z.cpu()).to(DEVICE) > 0.1]
    others = points(3, len(z), seed=1)
    inputs = [z, *others][: len(INPUTS[operation])]
    ours = generated(record, operation)(*inputs)
    expected = getattr(reference, operation)(record, *(t.to(torch.complex128) for t in inputs))
    expected = expected if isinstance(expected, tuple) else (expected,)
    for a, b in zip(ours, expected, strict=True):
        error = (a - b).abs() / (1 + b.abs())
        assert error.max() < 100 * torch.finfo(torch.float32).eps


def all_operations():
    sheet = Sheet()
    z, w = sheet.complex_input("z"), sheet.complex_input("w")
    (a, b), (c, d) = z, w
    total = a - a
    for k, op in enumerate(("ceil", "cos", "exp", "expm1", "log1p", "sin", "trunc"), 1):
        total = total + k * abs(b).map(op)
    total = total + (1 + abs(c)).map("log") + (c * c).map("sqrt") + b.map("atan2", d)
    choice = ((a < b) & (c <= d)).map("or", a < -1)
    other = choice.where(a.map("maximum", c), b.map("minimum", d)) - (-c).map("copysign", a)
    return Program(["z", "w"], [Planar(total, other / (1 + abs(d)))])


@needs_triton
@settings(max_examples=5)
@given(size=st.sampled_from([0, 1, 2, 31, 1023, 1024, 1025, 3000]), seed=st.integers(0, 99))
def test_every_operation_and_ragged_sizes(size, seed):
    program = all_operations()
    nodes = in_order([part for output in program.outputs for part in output])
    assert {n.op for n in nodes} - {"input", "constant"} == set(OPERATIONS)
    (kernel,) = triton_code.compile_programs({"everything": program}).values()
    z, w = 3 * points(2, size, seed=seed)
    (ours,) = kernel(z, w)
    (expected,) = evaluate(program.outputs, {"z": z, "w": w})
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


@needs_triton
@pytest.mark.parametrize("op", ["expm1", "log1p", "atan2"])
def test_functions_are_within_a_few_units_in_the_last_place(op):
    sheet = Sheet()
    x, y = sheet.complex_input("z")
    parts = (x.map(op, y), y.map(op, x)) if op == "atan2" else (x.map(op), y.map(op))
    (kernel,) = triton_code.compile_programs({"one": Program(["z"], [Planar(*parts)])}).values()
    scales = torch.logspace(-6, 1 if op == "expm1" else 6, 30)[:, None]
    z = (torch.complex(*torch.randn(2, 30, 200)) * scales).flatten()
    if op == "log1p":
        z = torch.complex(z.real.abs() - 0.75 * (z.real.abs() < 1), z.imag.abs()).contiguous()
    (value,) = kernel(z.to(DEVICE))
    w = torch.view_as_real(z).double()
    exact = getattr(torch, op)(w, *([w.flip(-1)] if op == "atan2" else []))
    error = (torch.view_as_real(value.cpu()).double() - exact).abs() / exact.abs()
    assert error.nan_to_num(0.0).max() < 4 * torch.finfo(torch.float32).eps


@needs_triton
@pytest.mark.parametrize("largest", [3, 6], ids=["near", "far"])
def test_sine_and_cosine_near_and_far(largest):
    x, y = Sheet().complex_input("z")
    parts = Planar(x.map("sin"), y.map("cos"))
    (kernel,) = triton_code.compile_programs({"one": Program(["z"], [parts])}).values()
    scales = torch.logspace(-6, largest, 30)[:, None]
    z = (torch.complex(*torch.randn(2, 30, 200)) * scales).flatten()
    z[7], z[-3] = complex(float("inf"), 0.0), complex(0.0, float("nan"))
    value = kernel(z.to(DEVICE))[0].cpu()
    x, y = z.real.double(), z.imag.double()
    eps = torch.finfo(torch.float32).eps
    usual = z.isfinite()
    errors = value.real - x.sin(), value.imag - y.cos()
    for error, scale in zip(errors, (x.abs().clamp(max=1.0), 1 + 0 * y), strict=True):
        assert (error.abs() <= 2 * eps * (scale + x.abs() * 1e-4))[usual].all()
    assert value.real[7].isnan()
    assert value.imag[-3].isnan()


@needs_triton
def test_strided_lazy_and_broadcast_inputs(monkeypatch):
    poisoned(monkeypatch)
    base = points(9, 14)
    (pull, value) = (generated(TANH, name) for name in ("pull", "value"))
    for z in (
        base.conj(),
        base.T,
        base[:, 1:],
        base[::2, ::3],
        base.view(-1)[1:],
        base[:, :1].expand(9, 14),
        torch._neg_view(base),
    ):
        torch.testing.assert_close(value(z)[0], torch.tanh(z), rtol=1e-5, atol=1e-6)
        expected = reference.pull(TANH, z, z)
        torch.testing.assert_close(pull(z, z)[0], expected, rtol=1e-5, atol=1e-6)


@needs_triton
def test_undefined_and_infinite_entries():
    z = points(5)
    z[1], z[3] = complex("nan"), complex("inf")
    (ours,) = generated(CATALOGUE["square"], "value")(z)
    assert ours.isfinite().tolist() == z.isfinite().tolist()


@needs_triton
def test_offsets_are_wide_enough_for_two_gigabytes():
    far = 1 << 21  # block number whose first part is number 2^32
    (line,) = {
        line.strip()
        for line in triton_code.source({"value": all_operations()}).splitlines()
        if line.strip().startswith("parts = ")
    }
    line = line.replace("tl.program_id(0)", f"(tl.program_id(0) + {far})")
    kernel = triton_code.load(
        f"import triton\nimport triton.language as tl\n\n\n@triton.jit\n"
        f"def where(out_ptr, BLOCK: tl.constexpr):\n    {line}\n"
        f"    tl.store(out_ptr + tl.arange(0, 2 * BLOCK), parts)\n"
    ).where
    found = torch.zeros(2048, dtype=torch.int64, device=DEVICE)
    kernel[(1,)](found, BLOCK=1024)
    assert torch.equal(found.cpu(), 2 * far * 1024 + torch.arange(2048))


@needs_triton
def test_gradients_of_gradients_are_torchs():
    z = points(40, seed=2).requires_grad_()
    with use("fused"):
        assert explain(TANH, z).startswith("fused")
        first = torch.autograd.grad(pointwise(TANH, z).abs().square().sum(), z, create_graph=True)
        second = torch.autograd.grad(first[0].abs().square().sum(), z)
    expected = torch.autograd.grad(torch.tanh(z).abs().square().sum(), z, create_graph=True)
    torch.testing.assert_close(first, expected, rtol=1e-4, atol=1e-5)
    twice = torch.autograd.grad(expected[0].abs().square().sum(), z)
    torch.testing.assert_close(second, twice, rtol=1e-4, atol=1e-4)


@needs_triton
def test_explain_says_that_triton_is_in_single_precision():
    with use("fused"):
        assert "single precision" in explain(TANH, points(3).to(torch.complex128))
