"""The table of operations; python tests/continuation/test_table.py writes the page made of it."""

from pathlib import Path

from holonet.continuation import OPERATIONS, operations_table

PAGE = Path(__file__).parents[2] / "docs" / "continuation.md"
MARK = "<!-- made by python tests/continuation/test_table.py -->\n\n"


def test_page_has_the_table() -> None:
    assert PAGE.read_text().split(MARK)[1] == operations_table()


def test_every_operation_says_what_is_computed_or_why_it_is_not() -> None:
    for name, row in OPERATIONS.items():
        assert name in row.names
        assert row.formula, name
        assert row.rule or not row.holomorphic, name
        assert row.remark or row.holomorphic, name
        assert name[0] != "_"
        assert name[-1] != "_"


def test_no_name_stands_in_two_rows() -> None:
    rows = dict.fromkeys(OPERATIONS.values())
    names = [name for row in rows for name in row.names]
    assert sorted(names) == sorted(OPERATIONS)


def test_example_of_the_page_runs() -> None:
    exec(PAGE.read_text().split("```python\n")[1].split("```")[0], {})


if __name__ == "__main__":
    PAGE.write_text(PAGE.read_text().split(MARK)[0] + MARK + operations_table())
