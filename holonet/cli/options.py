"""What several commands take and read alike."""

from typing import Annotated, get_args

import typer

from holonet.training import RuleConfig

__all__ = ["RULE_NAMES", "JsonFlag", "OtherDataFlag", "parse_numbers"]

RULE_NAMES = ", ".join(get_args(RuleConfig.model_fields["name"].annotation))
"""The training rules, for a line of help."""

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of text.")]

OtherDataFlag = Annotated[
    bool,
    typer.Option("--other-data", help="The run's data may be others than those it was trained on."),
]


def parse_numbers(text: str, option: str) -> list[float]:
    """The numbers in a list with commas.

    Raises:
        BadParameter: naming the option and showing how it is written.

    Example:
        >>> parse_numbers("0.05,0.1", "--eps")
        [0.05, 0.1]
    """
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a list of numbers: write {option} 0.05,0.1"
        ) from None
