"""Plain words, and paths that exist, in the package, the documents and the names of tests."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
RIDDLES = re.compile(
    r"\binnocent|\bconvict|\bacquit|\bhurry\b|\bgone on with\b|\bso many\b|\bof ours\b"
    r"|\bhas no other\b|\bcaught\b",
    re.IGNORECASE,
)
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("holonet/**/*.md")]
PACKAGE = [*ROOT.glob("holonet/**/*.py"), *ROOT.glob("examples/*.py")]
TESTS = [path for path in ROOT.glob("tests/**/*.py") if path != Path(__file__)]
MADE = {"docs/benchmarks/gpu.csv"}  # by a command, on a machine with a card
PATH = re.compile(
    r"(?<![\w/.~])((?:holonet|tests|docs|examples)/[\w./-]*\w\.(?:py|md|csv|toml|cpp|txt))\b"
)


def riddles(text: str) -> list[str]:
    return [found.group() for found in RIDDLES.finditer(re.sub(r"\s+", " ", text))]


def test_words_are_plain() -> None:
    assert riddles("Nobody innocent was\n  caught, and so\nmany were") == [
        "innocent",
        "caught",
        "so many",
    ]
    faults = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in [*DOCUMENTS, *PACKAGE]
        for word in riddles(path.read_text())
    ]
    assert not faults, "\n".join(faults)


def test_names_of_tests_are_plain() -> None:
    faults = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in TESTS
        for name in re.findall(
            r"^\s*(?:async )?(?:def|class) (\w+)", path.read_text(), re.MULTILINE
        )
        if riddles(name.replace("_", " "))
    ]
    assert not faults, "\n".join(faults)


def paths_named() -> Iterator[tuple[Path, str]]:
    files = [*DOCUMENTS, *PACKAGE, ROOT / "pyproject.toml", ROOT / "Makefile"]
    for file in [*files, ROOT / "tests/mutation/mutate.py", ROOT / "tests/test_architecture.py"]:
        for path in set(PATH.findall(file.read_text())) - MADE:
            yield file, path


def test_every_path_named_exists() -> None:
    named = list(paths_named())
    assert len(named) > 50
    missing = [f"{file.relative_to(ROOT)}: {p}" for file, p in named if not (ROOT / p).exists()]
    assert not missing, "\n".join(missing)
