"""The text of Triton kernels: what each node becomes, and that the text can be loaded."""

import inspect
import linecache
import math
import os
import subprocess
import sys
from importlib import _bootstrap_external

import pytest

from holonet.ops.evaluate import OPERATIONS
from holonet.ops.planar import Planar, Sheet
from holonet.ops.triton_code import _CALLS, _INFIX, CIRCULAR, helpers, load, statements


def test_every_operation_has_its_code():
    assert {*_CALLS, *_INFIX, *CIRCULAR} == set(OPERATIONS)
    compile(helpers(), "helpers", "exec")


def test_constants_are_spread_and_inputs_renamed():
    z = Sheet().complex_input("z")
    out = Planar(z.re * z.im, z.re.sheet.constant(math.inf))
    lines, parts = statements([out], "(8, 4)", {"z_re": "u_re", "z_im": "b"})
    assert lines == ["v2 = u_re * b"]
    assert parts == [("v2", "tl.full((8, 4), float('inf'), tl.float32)")]


def test_shared_nodes_are_written_once():
    z = Sheet().complex_input("z")
    lines, _ = statements([z.times(z), z.times(z).plus(z)], "(8,)")
    assert len(set(lines)) == len(lines)
    assert len({line.split(" = ")[1] for line in lines}) == len(lines)


def test_sine_and_cosine_of_an_angle_are_one_call():
    z = Sheet().complex_input("z")
    lines, parts = statements([Planar(z.re.map("cos"), z.re.map("sin"))], "(8,)")
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
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from holonet.functions import CATALOGUE
from holonet.ops.affine import fused
from holonet.ops.jet.programs import programs as jets
from holonet.ops.pointwise.programs import BIASED, INPUTS, program
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
        ptx = compiled(getattr(module, name), pointers, ("count", "period"), {"BLOCK": 1024})
        parts = [part for output in made.outputs for part in output]
        circular = any(node.op in CIRCULAR for node in in_order(parts))
        assert circular or ".f64" not in ptx, f"{name} computes in double precision"


for record in CATALOGUE.values():
    entrywise({"value": program("value", record, double=False)})
entrywise({op: program(op, TANH, double=False) for op in INPUTS})
entrywise(jets(TANH, 4, double=False))
entrywise({op: program(op, TANH, double=False, biased=True) for op in BIASED})

layer = load(fused.source(program("value", TANH, double=False))).layer
strides = ("z_row", "z_step", "w_row", "w_step", "b_step")
for precision, products in (("ieee", 4), ("tf32", 3), ("bf16", 3), ("bf16", 4)):
    compiled(
        layer,
        ("z_ptr", "w_ptr", "b_ptr", "out_ptr", "u_ptr"),
        ("rows", "columns", "depth", *strides),
        {"PRECISION": precision, "PRODUCTS": products, "BIAS": True, "KEEP": True, "WIDEN": False}
        | {"ROWS": 32, "COLUMNS": 32, "DEPTH": 32},
    )
"""


def test_kernels_compile_for_hopper_in_single_precision():
    pytest.importorskip("triton")
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr[-2000:]
