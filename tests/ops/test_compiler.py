"""Libraries: kept, verified, compiled again; compilers that are missing, fail or hang."""

import logging
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from holonet._files import digest_path, write_with_digest
from holonet.ops import cache, compiler
from holonet.ops.compiler import CompilationError, load

SOURCE = 'extern "C" int answer() { return 42; }'
OTHER = 'extern "C" int answer() { return 41; }'


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder with both libraries, from which none is loaded again."""
    path = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.VARIABLE, str(path))
        patch.setattr(compiler, "_libraries", {})
        assert load(SOURCE, "a test").answer() == 42
        assert load(OTHER, "another test").answer() == 41
    return path


@pytest.fixture
def place(kept, tmp_path, monkeypatch):
    """A copy of that folder, as another process finds it; and where the library is in it."""
    shutil.copytree(kept, tmp_path / "copy", dirs_exist_ok=True)
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "copy"))
    monkeypatch.setattr(compiler, "_libraries", {})
    return cache.folder() / compiler._key(SOURCE, ())[:32]


@pytest.fixture
def builds(monkeypatch):
    """How often a compiler was called."""
    made, build = [], compiler._build
    monkeypatch.setattr(compiler, "_build", lambda *a: made.append(a) or build(*a))
    return made


def is_accepted(library):
    if library.answer() != 42:
        raise ArithmeticError(f"answers {library.answer()}")


def test_a_library_is_kept(place, builds):
    assert load(SOURCE, "a test").answer() == 42
    assert load(SOURCE, "a test") is load(SOURCE, "a test")
    assert not builds


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def flip(path, bit):
    content = bytearray(path.read_bytes())
    content[(bit // 8) % len(content)] ^= 1 << bit % 8
    path.write_bytes(content)


DAMAGES = {
    "empty": lambda path: cut(path, 0),
    "one page": lambda path: cut(path, 4096),
    "two pages": lambda path: cut(path, 8192),
    "one byte": lambda path: cut(path, -1),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"0"),
    "gone": lambda path: path.unlink(),
    "no digest": lambda path: digest_path(path).unlink(),
    "digest cut": lambda path: cut(digest_path(path), 20),
    "digest flipped": lambda path: flip(digest_path(path), 17),
    "of another": lambda path: path.write_bytes(b"\x7fELF" + 9000 * b"1"),
    **{f"bit {bit}": lambda path, bit=bit: flip(path, bit) for bit in range(5, 80_000, 9973)},
}


TELLING = ("empty", "one byte", "no digest", "digest flipped", "bit 5")


@pytest.mark.parametrize(
    "damage",
    [
        *TELLING,
        *(pytest.param(d, marks=pytest.mark.slow) for d in DAMAGES if d not in TELLING),
    ],
)
def test_what_is_damaged_is_compiled_again(place, builds, damage):
    DAMAGES[damage](place / "library.so")
    assert load(SOURCE, "a test", accept=is_accepted).answer() == 42
    assert len(builds) == 1
    assert compiler._is_whole(place / "library.so")


def test_links_and_pipes_are_not_read(place, builds, tmp_path):
    path = place / "library.so"
    shutil.move(path, tmp_path / "elsewhere.so")
    path.symlink_to(tmp_path / "elsewhere.so")
    assert load(SOURCE, "a test").answer() == 42
    assert not path.is_symlink()
    compiler._libraries.clear()
    path.unlink()
    os.mkfifo(path)
    assert load(SOURCE, "a test").answer() == 42
    assert len(builds) == 2


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="there are no owners")
def test_a_planted_library_is_not_loaded(place, builds, monkeypatch):
    """In a folder of another user, with the right name and a digest."""
    planted = (cache.folder() / compiler._key(OTHER, ())[:32] / "library.so").read_bytes()
    write_with_digest(place / "library.so", planted)
    if os.getuid() == 0:
        for path in (place.parent, place, *place.iterdir()):
            os.chown(path, 65534, 65534)
    else:
        mine = os.getuid() + 1
        monkeypatch.setattr(os, "getuid", lambda: mine)
    cache._temporary.cache_clear()
    try:
        if os.getuid() == 0:
            assert load(SOURCE, "a test").answer() == 42
            assert len(builds) == 1
        else:  # everything is another's, the temporary folder too
            with pytest.raises(CompilationError, match="belongs to"):
                load(SOURCE, "a test")
    finally:
        cache._temporary.cache_clear()


def test_what_is_not_accepted_is_compiled_again_once(place, builds, caplog):
    write_with_digest(
        place / "library.so",
        (cache.folder() / compiler._key(OTHER, ())[:32] / "library.so").read_bytes(),
    )
    assert load(SOURCE, "a test", accept=is_accepted).answer() == 42
    assert len(builds) == 1
    assert "a library of a test is refused: answers 41" in caplog.text


def test_what_is_never_accepted_is_an_error(place, builds):
    def refuse(library):
        library.no_such_symbol  # noqa: B018

    with pytest.raises(CompilationError, match=r"a test could not be compiled: .*no_such_symbol"):
        load(SOURCE, "a test", accept=refuse)
    assert len(builds) == 1
    assert not list(place.glob("*.so"))


def test_threads_compile_once(tmp_path, monkeypatch, builds):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setattr(compiler, "_libraries", {})
    ahead = threading.Barrier(4)

    def answer(_):
        ahead.wait()
        return load(SOURCE, "a test").answer()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(answer, range(4))) == [42] * 4
    assert len(builds) == 1


def test_the_name_depends_on_all_that_a_library_does(monkeypatch):
    names = {compiler._key(SOURCE, ()), compiler._key(OTHER, ()), compiler._key(SOURCE, ("-O1",))}
    for name, value in {
        "_compiler": lambda: "/another/compiler",
        "_version": lambda compiler: "another version",
        "_processor": lambda: "another processor",
        "FLAGS": ("-another",),
    }.items():
        with monkeypatch.context() as patch:
            if name == "_compiler":
                patch.setattr(compiler, "_version", lambda compiler: "the same")
            patch.setattr(compiler, name, value)
            names.add(compiler._key(SOURCE, ()))
    assert len(names) == 7


def script(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.skipif(os.name == "nt", reason="no shell scripts")
@pytest.mark.parametrize("hangs", ["--version", "compiling"])
def test_a_compiler_that_hangs_is_ended(tmp_path, monkeypatch, hangs):
    answers = "" if hangs == "--version" else '[ "$1" = --version ] && echo g++ 99 && exit'
    monkeypatch.setenv("CXX", script(tmp_path / "slow", f"{answers}\nsleep 61 & wait"))
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setattr(compiler, "LIMIT", 0.3)
    monkeypatch.setattr(compiler, "ANSWER", 0.3 if hangs == "--version" else 20.0)
    monkeypatch.setattr(compiler, "_hung", set())
    monkeypatch.setattr(
        compiler, "_commands", lambda flags: iter([([compiler._compiler()], "library.so")])
    )
    start = time.monotonic()
    for words in (r"did not end within 0 s", "is not started again"):
        with pytest.raises(CompilationError, match=words):
            load(SOURCE, "a test")
    assert time.monotonic() - start < 20
    compiler._version.cache_clear()


def test_a_compiler_that_fails_is_quoted(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    with pytest.raises(CompilationError, match=r"nonsense could not be compiled: .*error:"):
        load("nonsense", "nonsense")
    assert not list(tmp_path.rglob("*.so"))


def test_a_compiler_that_is_missing_is_named(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(CompilationError, match=r"no-such-compiler is not in PATH\): install"):
        load(SOURCE, "a test")
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CompilationError, match=r"g\+\+, clang\+\+, c\+\+ are not in PATH"):
        load(SOURCE, "a test")


def test_a_compilation_is_announced_before_it_starts(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    monkeypatch.setattr(compiler, "_libraries", {})
    announced, build = [], compiler._build
    monkeypatch.setattr(compiler, "_build", lambda *a: announced.append(caplog.text) or build(*a))
    with caplog.at_level(logging.WARNING):
        load(SOURCE, "squares")
        assert "compiling squares for this CPU" in announced[0]
        caplog.clear()
        compiler._libraries.clear()
        load(SOURCE, "squares")  # from disk
    assert caplog.text == ""
