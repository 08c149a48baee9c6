"""The text of Triton kernels: what each node becomes, and that the text can be loaded."""

import math

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


def test_a_text_becomes_a_module_where_the_cache_is(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    assert load("answer = 42").answer == 42
    (file,) = tmp_path.iterdir()
    file.write_text("answer = 0")  # damaged: written again
    assert load("answer = 42").answer == 42
