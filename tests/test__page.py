"""The records of a page."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet._page import CITATION, Table, numbers_csv, strict_json
from holonet.errors import ShapeError


def test_a_row_has_a_cell_for_each_header() -> None:
    with pytest.raises(ShapeError, match="row 1 of the table 'c' has 1 cells under 2 headers"):
        Table(headers=["a", "b"], rows=[[1, 2], [3]], caption="c")


def test_the_citation_is_that_of_the_citation_file() -> None:
    file = (Path(__file__).parents[1] / "CITATION.cff").read_text()
    (title,) = re.findall(r"^title: \"(.*)\"$", file, re.M)
    (version,) = re.findall(r"^version: (.*)$", file, re.M)
    (author,) = re.findall(r"^  - name: (.*)$", file, re.M)
    for text in (f"title={{{title}}}", f"version={{{version}}}", f"author={{{{{author}}}}}"):
        assert text in CITATION


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
trees = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=4), trees, max_size=3))
def test_strict_json_is_json_and_nulls_what_is_not_finite(value: dict[str, Any]) -> None:
    strict = strict_json(value)
    assert json.loads(json.dumps(strict, allow_nan=False)) == strict
    loose = json.loads(json.dumps(value), parse_constant=lambda name: None)
    assert strict == loose


def test_every_leaf_of_a_cell_is_a_line() -> None:
    cells = {"a, b": {"x": [1, {"y": "t"}]}, "c": {"x": None}}
    rows = list(csv.reader(io.StringIO(numbers_csv(cells))))
    assert rows[1:] == [["a, b", "x.0", "1"], ["a, b", "x.1.y", "t"], ["c", "x", ""]]
