"""`holonet list`: what there is to choose from."""

import json
import shutil
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from holonet.cli.options import JsonFlag
from holonet.cli.settings import FIELDS, described
from holonet.cli.terminal import least_width, literal, say, show
from holonet.data import DATASETS
from holonet.functions import CATALOGUE

__all__ = ["Kind", "list_names"]


NOTES = ("less exact where", "reference")
WIDE = 120  # columns that the notes need
SPARED = ("rises", "real", "formula", "default")
"""What a narrow terminal is spared, the first one first."""


class Kind(StrEnum):
    """What can be listed."""

    ACTIVATIONS = "activations"
    DATASETS = "datasets"
    SETTINGS = "settings"


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.ACTIVATIONS,
    as_json: JsonFlag = False,
) -> None:
    """List the activations, the data sets, or the settings of a run.

    An activation is real if it is so on the real axis, and rises if it increases there. The
    settings are the keys of a configuration file: data.name is name in the section [data].

    [dim]holonet list activations[/dim]
    [dim]holonet list datasets --json[/dim]
    [dim]holonet list settings[/dim]
    """
    rows = {
        Kind.ACTIVATIONS: _activations,
        Kind.DATASETS: _datasets,
        Kind.SETTINGS: _settings,
    }[kind]()
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    columns = shutil.get_terminal_size().columns
    headers = [header for header in rows[0] if columns >= WIDE or header not in NOTES]
    table = _table(kind, rows, headers)
    for header in SPARED:
        if least_width(table) > columns and header in headers:
            headers.remove(header)
            table = _table(kind, rows, headers)
    show(table)
    omitted = [header for header in rows[0] if header not in headers]
    if omitted:
        say(f"Left out: {', '.join(omitted)}. See --json, or a terminal of {WIDE} columns.")


def _table(kind: Kind, rows: list[dict[str, Any]], headers: list[str]) -> Table:
    table = Table(title=kind.value)
    for header in headers:
        table.add_column(header, no_wrap=header in ("name", "class", "key"), overflow="fold")
    words = {True: "yes", False: "no"}
    for row in rows:
        table.add_row(*(literal(words.get(row[h], row[h])) for h in headers))
    return table


def _activations() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "formula": record.formula,
            "class": record.function_class.value,
            "real": record.real_on_real,
            "rises": record.monotone,
            "less exact where": record.accuracy,
            "reference": record.reference,
        }
        for name, record in CATALOGUE.items()
    ]


def _datasets() -> list[dict[str, Any]]:
    return [{"name": name, "what": entry.description} for name, entry in DATASETS.items()]


def _settings() -> list[dict[str, Any]]:
    rows = [(key, *described(key)) for key in FIELDS]
    return [{"key": key, "default": default, "what": text} for key, text, default in rows]
