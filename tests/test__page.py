"""The records of a page."""

import pytest

from holonet._page import Table
from holonet.errors import ShapeError


def test_a_row_has_a_cell_for_each_header() -> None:
    with pytest.raises(ShapeError, match="row 1 of the table 'c' has 1 cells under 2 headers"):
        Table(headers=["a", "b"], rows=[[1, 2], [3]], caption="c")
