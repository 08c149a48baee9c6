"""Options read alike by several commands."""

import math
from typing import Annotated

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from holonet.cli.options import NORMS, RULE_NAMES, amount, digits, norm_named, parse_numbers
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


@given(st.floats())
def test_an_amount_is_finite_and_not_negative(value: float) -> None:
    seen: list[float] = []
    app = typer.Typer()

    @app.command()
    def command(weight: Annotated[float, amount("Of it.")] = 1.0) -> None:
        seen.append(weight)

    result = CliRunner().invoke(app, [f"--weight={value!r}"])
    allowed = math.isfinite(value) and value >= 0
    assert (result.exit_code, seen) == ((0, [value]) if allowed else (2, []))


@given(st.floats(min_value=0, allow_infinity=False))
def test_digits_read_back(number: float) -> None:
    assert float(digits(number)) == number
    assert "/" not in digits(number)


def test_norms_are_found_in_any_case() -> None:
    assert [norm_named(norm.swapcase()) for norm in NORMS] == list(NORMS)
    assert norm_named("L0") == "L0"
