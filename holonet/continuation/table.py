"""The one table of operations: continuation and documentation are made of it."""

from collections.abc import Mapping
from types import MappingProxyType

from holonet.continuation.attention import ATTENTION
from holonet.continuation.linear import LINEAR
from holonet.continuation.normalization import NORMALIZATION
from holonet.continuation.operation import Operation
from holonet.continuation.order import ORDER
from holonet.continuation.pieces import PIECES
from holonet.continuation.pointwise import ARITHMETIC, FUNCTIONS
from holonet.continuation.recurrent import RECURRENT
from holonet.continuation.refused import REFUSED
from holonet.continuation.shapes import SHAPES
from holonet.continuation.statistics import STATISTICS

__all__ = ["OPERATIONS", "operations_table"]

_FAMILIES = (
    LINEAR,
    ARITHMETIC,
    FUNCTIONS,
    STATISTICS,
    NORMALIZATION,
    ATTENTION,
    RECURRENT,
    SHAPES,
    PIECES,
    ORDER,
    REFUSED,
)

OPERATIONS: Mapping[str, Operation] = MappingProxyType(
    {name: row for family in reversed(_FAMILIES) for name, row in family.items()}
)
"""Name of a torch function, without "_" at either end -> what is known of it, read-only."""


def operations_table() -> str:
    """The table in Markdown, family by family.

    Example:
        >>> operations_table().splitlines()[0]
        '## Linear maps and products'
    """
    lines: list[str] = []
    for family in _FAMILIES:
        columns = ("continuation", "where") if family.holomorphic else ("reason", "instead")
        lines += [f"## {family.title}", "", f"| operations | {columns[0]} | {columns[1]} |"]
        lines += ["|---|---|---|"]
        rows = dict.fromkeys(family.values())
        for row in rows:
            cells = (" ".join(f"`{name}`" for name in row.names), row.formula, row.remark)
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)
