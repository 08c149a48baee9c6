"""holonet bench at the command line."""

import json

import pytest
from typer.testing import CliRunner

from holonet._provenance import provenance
from holonet.bench import Case, Row, read_rows, write_rows
from holonet.cli import bench as module
from holonet.cli.main import app


@pytest.fixture
def _fast(monkeypatch):
    case = Case("a case", {"holonet": lambda: 1, "torch": lambda: 2}, {"copy": lambda: 3})
    monkeypatch.setattr(module, "SUITES", {"pointwise": lambda quick: iter([case])})
    monkeypatch.setattr(module, "require_green", lambda: "9 passed")


@pytest.mark.usefixtures("_fast")
def test_timings_page_and_table(tmp_path):
    out, page = tmp_path / "b.csv", tmp_path / "b.md"
    rows = [Row("step", "before", "holonet", "contender", "ms", *[1.0] * 6, 5)]
    write_rows(tmp_path / "a.csv", rows, provenance())
    (tmp_path / "mine.csv").write_text("of another kind\n")
    result = CliRunner().invoke(
        app, ["bench", "--quick", "--rounds", "3", "--out", str(out), "--page", str(page)]
    )
    assert result.exit_code == 0, result.output
    assert "a case" in result.output
    assert [row.contender for row in read_rows(out)[0]] == ["holonet", "torch", "copy"]
    assert "| a case | holonet |" in page.read_text()
    assert "| before | holonet |" in page.read_text()


@pytest.mark.usefixtures("_fast")
def test_json(tmp_path):
    out = ["--out", str(tmp_path / "b.csv"), "--json"]
    result = CliRunner().invoke(app, ["bench", "pointwise", "--rounds", "2", *out])
    assert json.loads(result.stdout)["rows"][0]["case"] == "a case"


def test_unknown_suites_are_named():
    result = CliRunner().invoke(app, ["bench", "pointwize"])
    assert "did you mean 'pointwise'" in str(result.exception)
