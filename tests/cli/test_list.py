"""`holonet list` names what exists."""

import json

from typer.testing import CliRunner

from holonet.cli.main import app
from holonet.data import DATASETS
from holonet.functions import CATALOGUE


def test_activations_as_json_are_the_catalogue() -> None:
    result = CliRunner().invoke(app, ["list", "activations", "--json"])
    rows = json.loads(result.stdout)
    assert {r["name"] for r in rows} == set(CATALOGUE)
    assert next(r for r in rows if r["name"] == "tanh")["class"] == "meromorphic"


def test_datasets_as_json() -> None:
    result = CliRunner().invoke(app, ["list", "datasets", "--json"])
    assert {r["name"] for r in json.loads(result.stdout)} == set(DATASETS)


def test_table_shows_every_activation() -> None:
    result = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert all(name in result.stdout for name in CATALOGUE)


def test_unknown_kind_is_refused() -> None:
    assert CliRunner().invoke(app, ["list", "colors"]).exit_code == 2
