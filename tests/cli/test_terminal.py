"""Names in a table are shown as they are, whatever the terminal makes of them."""

import io
import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from holonet.cli.terminal import literal, printable, show


@given(st.text(st.characters(), max_size=20), st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_printable_text_can_be_written_and_obeys_nothing(text: str, encoding: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        shown = printable(text)
        shown.encode(encoding)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]", shown)


@given(st.text(st.sampled_from("[]/b\\:red "), max_size=12))
def test_markup_and_emoji_are_letters(name: str) -> None:
    table = Table(title=literal(f"|{name}|"))
    table.add_column(literal(f"|{name}|"))
    table.add_row(literal(f"|{name}|"))
    with pytest.MonkeyPatch.context() as patch:
        stdout = io.StringIO()
        patch.setattr(sys, "stdout", stdout)
        show(table)
    assert stdout.getvalue().count(f"|{name}|") == 3


def wide_table(name: str = "real relu, linearized@frank-wolfe") -> Table:
    table = Table(title="accuracy")
    table.add_column("network, rule", no_wrap=True)
    for radius in ("0.1", "0.2", "0.3"):
        table.add_column(f"pgd % at {radius}", justify="right")
    table.add_row("complex square, linearized", *["15.00 (10.00 to 20.00)"] * 3)
    table.add_row(name, "1.0", "", "2.0")
    return table


def shown(table: Table, columns: int | None) -> str:
    with pytest.MonkeyPatch.context() as patch:
        stdout = io.StringIO()
        patch.setattr(sys, "stdout", stdout)
        patch.delenv("COLUMNS", raising=False)
        if columns is not None:
            patch.setenv("COLUMNS", str(columns))
        show(table)
    return stdout.getvalue()


@pytest.mark.parametrize("columns", [200, 110, 80, 60, 40, 25])
def test_a_table_fits_the_terminal_and_no_word_is_cut(columns: int) -> None:
    text = shown(wide_table(), columns)
    assert max(map(len, text.splitlines())) <= columns
    words = set(re.split(r"[\s│┃]+", text))
    assert {"linearized@frank-wolfe", "15.00", "(10.00", "20.00)", "complex"} <= words
    assert ("┃" in text) == (columns >= 60)
    assert text.count("pgd % at 0.2:") == (columns == 40)  # an empty cell has no line


def test_names_are_wrapped_only_where_they_must_be() -> None:
    assert "│ real relu, linearized@frank-wolfe │" in shown(wide_table(), 90)
    assert "│ real relu, linearized@frank-wolfe │" not in shown(wide_table(), 60)


def test_a_file_gets_whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", io.StringIO())
    name = f"real {'x' * 100}"
    assert f"│ {name} │" in shown(wide_table(name), None)
