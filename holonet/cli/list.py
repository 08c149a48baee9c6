"""`holonet list`: what there is to choose from."""

import json
import shutil
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from holonet._named_object import installed_objects
from holonet.cli.options import JsonFlag
from holonet.cli.settings import FIELDS, described
from holonet.cli.terminal import least_width, literal, say, show
from holonet.data import DATASETS
from holonet.data.catalogue import GROUP as DATA
from holonet.functions import CATALOGUE, get_function
from holonet.functions.catalogue import GROUP as FUNCTIONS

__all__ = ["Kind", "list_names"]


NOTES = ("less exact where", "reference")
WIDE = 120  # columns that the notes need
SPARED = ("rises", "real", "formula", "default")
"""What a narrow terminal is spared, the first one first."""


FORMS = {
    "<path>.npz": "arrays x_train, y_train, x_test, y_test, or x and y, split by seed; x real or "
    "complex (N, ...), y integers from 0 (N,)",
    "<folder>/": "images of one size, in a subfolder a class, or in train and test with these",
    "<module>:<NAME>": "a holonet.data.DatasetEntry of your own, the working folder first",
}
"""Data sets by their place."""


class Kind(StrEnum):
    """What can be listed."""

    ACTIVATIONS = "activations"
    DATASETS = "datasets"
    SETTINGS = "settings"
    STUDIES = "studies"


def list_names(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = Kind.ACTIVATIONS,
    as_json: JsonFlag = False,
) -> None:
    """List the activations, the data sets, the settings of a run, or the studies.

    An activation is real if it is so on the real axis, and rises if it increases there. The
    settings are the keys of a configuration file: data.name is name in the section [data].
    What installed packages offer is listed too, with its place.

    [dim]holonet list activations[/dim]
    [dim]holonet list datasets --json[/dim]
    [dim]holonet list settings[/dim]
    """
    rows = {
        Kind.ACTIVATIONS: _activations,
        Kind.DATASETS: _datasets,
        Kind.SETTINGS: _settings,
        Kind.STUDIES: _studies,
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
    records = {name: get_function(name) for name in installed_objects(FUNCTIONS)}
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
        for name, record in {**CATALOGUE, **records}.items()
    ]


def _datasets() -> list[dict[str, Any]]:
    rows = {name: entry.description for name, entry in DATASETS.items()}
    return [
        {"name": name, "what": what} for name, what in (rows | _installed(DATA) | FORMS).items()
    ]


def _studies() -> list[dict[str, Any]]:
    from holonet.papers.registry import GROUP, STUDIES

    rows = {name: study.title for name, study in STUDIES.items()}
    return [{"name": name, "what": what} for name, what in (rows | _installed(GROUP)).items()]


def _installed(group: str) -> dict[str, str]:
    """What packages offer, not imported."""
    return {name: f"of a package: {place}" for name, place in installed_objects(group).items()}


def _settings() -> list[dict[str, Any]]:
    rows = [(key, *described(key)) for key in FIELDS]
    return [{"key": key, "default": default, "what": text} for key, text, default in rows]
