"""`holonet list`: what there is to choose from."""

import json
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from holonet.cli.options import JsonFlag
from holonet.data import DATASETS
from holonet.functions import CATALOGUE

__all__ = ["Kind", "list_names"]


class Kind(StrEnum):
    """What can be listed."""

    ACTIVATIONS = "activations"
    DATASETS = "datasets"


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.ACTIVATIONS,
    as_json: JsonFlag = False,
) -> None:
    """List the activations (class, formula, where they are less exact) or the data sets.

    [dim]holonet list activations[/dim]
    [dim]holonet list datasets --json[/dim]
    """
    rows = _activations() if kind is Kind.ACTIVATIONS else _datasets()
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    table = Table(title=kind.value)
    for header in rows[0]:
        table.add_column(header)
    for row in rows:
        table.add_row(*(str(v) for v in row.values()))
    Console().print(table)


def _activations() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "formula": record.formula,
            "class": record.function_class.value,
            "real on the real axis": record.real_on_real,
            "less exact where": record.accuracy,
            "reference": record.reference,
        }
        for name, record in CATALOGUE.items()
    ]


def _datasets() -> list[dict[str, Any]]:
    return [{"name": name, "what": entry.description} for name, entry in DATASETS.items()]
