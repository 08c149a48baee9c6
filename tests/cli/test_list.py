"""`holonet list` names what exists."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from holonet.cli.main import app, main
from holonet.cli.settings import FIELDS
from holonet.data import DATASETS
from holonet.functions import CATALOGUE
from offering_package import offer


def test_activations_as_json_are_the_catalogue() -> None:
    result = CliRunner().invoke(app, ["list", "activations", "--json"])
    rows = json.loads(result.stdout)
    assert {r["name"] for r in rows} == set(CATALOGUE)
    assert next(r for r in rows if r["name"] == "tanh")["class"] == "meromorphic"


def test_datasets_as_json() -> None:
    result = CliRunner().invoke(app, ["list", "datasets", "--json"])
    names = [r["name"] for r in json.loads(result.stdout)]
    assert names == [*DATASETS, "<path>.npz", "<folder>/", "<module>:<NAME>"]


def test_table_shows_every_activation() -> None:
    result = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    assert all(name in result.stdout for name in CATALOGUE)


def test_unknown_kind_is_refused() -> None:
    assert CliRunner().invoke(app, ["list", "colors"]).exit_code == 2


@pytest.mark.parametrize(
    "columns", ["40", "80", *(pytest.param(n, marks=pytest.mark.slow) for n in ("60", "200"))]
)
@pytest.mark.parametrize("encoding", ["ascii", pytest.param("utf-8", marks=pytest.mark.slow)])
def test_names_are_never_cut(columns: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stdout)
    monkeypatch.setattr(sys, "argv", ["holonet", "list"])
    with pytest.raises(SystemExit) as stop:
        main()
    stdout.flush()
    text = written.getvalue().decode(encoding)
    assert not stop.value.code
    words = set(re.findall(r"[\w-]+", text))
    assert set(CATALOGUE) | {r.function_class.value for r in CATALOGUE.values()} <= words
    assert "\x1b" not in text


@pytest.mark.parametrize("kind", ["activations", "datasets", "settings", "studies"])
@pytest.mark.parametrize("columns", [48, pytest.param(60, marks=pytest.mark.slow), 80])
def test_no_word_is_cut_at_a_narrow_terminal(kind: str, columns: int) -> None:
    shown = CliRunner().invoke(app, ["list", kind], env={"COLUMNS": str(columns)}).stdout
    lines = shown.splitlines()
    table = [line for line in lines if line.startswith(("│", "┃"))]
    if not table:  # too narrow for one: each row as lines of its own
        rows_of_text = [line for line in lines if not line.startswith("Left out")]
        assert max(map(len, rows_of_text)) <= columns
        return
    assert max(map(len, table)) <= columns
    cells = [cell.strip() for line in table for cell in re.split("[│┃]", line)]
    rows = json.loads(CliRunner().invoke(app, ["list", kind, "--json"]).stdout)
    texts = [str({True: "yes", False: "no"}.get(v, v)) for row in rows for v in row.values()]
    words = {w for text in [*texts, *rows[0]] for w in text.split()}
    assert {w for cell in cells for w in cell.split()} <= words | {kind}
    omitted = [header for header in rows[0] if header not in cells]
    assert not omitted or f"Left out: {', '.join(omitted)}" in " ".join(lines)
    if columns == 80:
        assert set(omitted) <= {"less exact where", "reference"}


@pytest.mark.parametrize("columns", ["60", "80"])
def test_keys_of_settings_are_never_cut(columns: str) -> None:
    shown = CliRunner().invoke(app, ["list", "settings"], env={"COLUMNS": columns}).stdout
    assert set(FIELDS) <= set(re.findall(r"[\w.]+", shown))
    rows = json.loads(CliRunner().invoke(app, ["list", "settings", "--json"]).stdout)
    assert {row["key"] for row in rows} == set(FIELDS)


def test_what_packages_offer_is_listed_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offers = {
        "holonet.datasets": {"waves": "nowhere.data:WAVES"},
        "holonet.studies": {"mine": "nowhere.studies:Mine"},
        "holonet.activations": {"quadratic": "offered_square:RECORD"},
    }
    square = "from holonet.functions import CATALOGUE\nRECORD = CATALOGUE['square']\n"
    offer(tmp_path, monkeypatch, offers, offered_square=square)
    rows = {
        kind: json.loads(CliRunner().invoke(app, ["list", kind, "--json"]).stdout)
        for kind in ("datasets", "studies", "activations")
    }
    for kind, name, place in (
        ("datasets", "waves", "nowhere.data:WAVES"),
        ("studies", "mine", "nowhere.studies:Mine"),
    ):
        assert {"name": name, "what": f"of a package: {place}"} in rows[kind]
    assert {**rows["activations"][1], "name": "quadratic"} in rows["activations"]
