"""Options read alike by several commands."""

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from holonet.cli.options import RULE_NAMES, parse_numbers
from holonet.training import RuleConfig


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_numbers_are_read_back(numbers: list[float]) -> None:
    assert parse_numbers(",".join(map(repr, numbers)), "--eps") == numbers


@pytest.mark.parametrize("text", ["", "0.1,", "0.1;0.2", "tenth"])
def test_other_texts_are_refused_with_the_way_to_write_them(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"--eps 0\.05,0\.1"):
        parse_numbers(text, "--eps")


def test_every_rule_is_named() -> None:
    assert all(RuleConfig.model_validate({"name": name}) for name in RULE_NAMES.split(", "))
    assert {"standard", "linearized"} <= set(RULE_NAMES.split(", "))
