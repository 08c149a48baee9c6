"""Compiled code as functions of tensors: threads, views, failures."""

import shutil

import pytest
import torch

from holonet.errors import NumericalError
from holonet.ops import cache
from holonet.ops.compiler import CompilationError, _key
from holonet.ops.cpp import emit
from holonet.ops.native import POINTS, _require_agreement, compile_programs, has_storage
from holonet.ops.planar import Program, Sheet


def square(double):
    z = Sheet(double).complex_input("z")
    return Program(["z"], [z.times(z)])


@pytest.fixture(scope="module", params=[False, True], ids=["complex64", "complex128"])
def both(request):
    functions = compile_programs({"square": square(request.param)}, "squares")
    return square(request.param), functions, torch.complex128 if request.param else torch.complex64


def test_threads_change_nothing(both):
    _, functions, dtype = both
    z = torch.randn(50_001, dtype=dtype)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        several = functions["square"](z)[0]
    finally:
        torch.set_num_threads(before)
    assert torch.equal(several, functions["square"](z)[0])


def test_lazy_strided_and_misaligned_inputs(both):
    _, functions, dtype = both
    base = torch.randn(9, 14, dtype=dtype)
    square = functions["square"]
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
    with pytest.raises(CompilationError, match=r"squares could not be compiled: .*error:"):
        compile_programs({"all": square(False)}, "squares")


def test_another_library_in_its_place_is_replaced(tmp_path, monkeypatch, caplog):
    """Whole, with its digest, and with the right names: only its numbers are others."""
    z = Sheet().complex_input("z")
    programs = [{"f": Program(["z"], [w])} for w in (z.times(z), z.plus(z))]
    for each in programs:
        compile_programs(each, "f")
    places = [_key(emit(each), ())[:32] for each in programs]
    whole = (cache.folder() / places[0] / "library.so").read_bytes()
    monkeypatch.setattr("holonet.ops.compiler._build", lambda *_: whole)
    shutil.copytree(cache.folder() / places[1], tmp_path / "compiled" / places[0])
    (tmp_path / "compiled").chmod(0o700)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setattr("holonet.ops.compiler._libraries", {})
    w = torch.randn(100, dtype=torch.complex64)
    torch.testing.assert_close(compile_programs(programs[0], "f")["f"](w)[0], w * w)
    assert "a library of f is refused: f gives" in caplog.text
    assert (tmp_path / "compiled" / places[0] / "again.so").read_bytes() == whole


def test_functions_that_compute_wrongly_are_refused():
    z = Sheet().complex_input("z")
    programs = {"f": Program(["z"], [z.times(z)])}

    def off_by(difference, where):
        return {"f": lambda w: [w * w + difference * (torch.arange(len(w)) == where)]}

    _require_agreement(off_by(0.0, 0), programs)
    _require_agreement(off_by(1e-5, 0), programs)
    for where in range(POINTS):
        with pytest.raises(NumericalError, match="where torch's code gives"):
            _require_agreement(off_by(0.2, where), programs)


def test_has_storage():
    answers = []

    def look(t):
        answers.append(has_storage(t))
        return t

    torch.vmap(look)(torch.zeros(2, 3))
    assert answers == [False]
    assert has_storage(torch.zeros(3))
    assert has_storage(torch.zeros(0))
    assert not has_storage(torch._efficientzerotensor((3,)))
