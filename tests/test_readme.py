"""The README does what it says: its Python runs, its commands and files exist."""

import functools
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cases import each
from holonet.cli.main import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands(program: str) -> list[list[str]]:
    indented = re.findall(
        r"^ {4} *(?:\d +)?(\w.*)", README.replace("\\\n", " "), flags=re.MULTILINE
    )
    lines = [line for block in blocks("bash") for line in block.splitlines()] + indented
    split = (shlex.split(line, comments=True) for line in lines)
    return [words[1:] for words in split if words and words[0] == program]


def test_python_blocks_run_in_order() -> None:
    assert len(blocks("python")) == 1
    names: dict[str, object] = {}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)


@functools.cache
def help_of(command: str) -> str:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "300"})
    assert shown.exit_code == 0, shown.output
    return shown.output


@each("words", commands("holonet"), ids=" ".join)
def test_every_option_shown_exists(words: list[str]) -> None:
    shown = help_of(words[0])
    for word in words:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", shown), f"holonet {words[0]} has no {word}"


@pytest.mark.parametrize("words", commands("make"), ids=" ".join)
def test_every_make_target_shown_exists(words: list[str]) -> None:
    assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@each("path", re.findall(r"\]\(([\w/.-]+)", README))
def test_every_linked_file_exists(path: str) -> None:
    assert (ROOT / path).is_file()
