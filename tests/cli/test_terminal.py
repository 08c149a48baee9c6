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
        show(table, least=60)
    assert stdout.getvalue().count(f"|{name}|") == 3
