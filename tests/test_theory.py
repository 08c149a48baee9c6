"""Every law in docs/theory names a test, and the test exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
PAGES = sorted((ROOT / "docs" / "theory").glob("*.md"))


def functions(path: Path) -> set[str]:
    return {n.name for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.FunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_tests_exist(page: Path) -> None:
    named = NAMED.findall(page.read_text())
    assert named, f"{page.name} names no test"
    missing = [f"{p}::{name}" for p, name in named if name not in functions(ROOT / p)]
    assert not missing, missing


def test_every_law_of_the_calculus_is_stated() -> None:
    stated = {name for page in PAGES for _, name in NAMED.findall(page.read_text())}
    laws = {n for n in functions(ROOT / "tests/laws/test_calculus.py") if n.startswith("test_")}
    assert laws <= stated, sorted(laws - stated)
