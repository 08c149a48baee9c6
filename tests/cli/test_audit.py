"""`holonet audit` prints what the audit finds."""

import importlib
import json
from pathlib import Path
from typing import Any

import typer
from torch import Tensor, nn
from typer.testing import CliRunner

from holonet.audit import LayerSpec
from holonet.cli.audit import audit
from holonet.errors import UnknownNameError
from holonet.functions import FunctionClass
from holonet.nn import declare
from holonet.nn.module import DECLARATIONS

module = importlib.import_module("holonet.audit.measure")


class Conjugate(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.conj()


app = typer.Typer()
app.command("audit")(audit)


def invoke(*arguments: str, columns: int = 100) -> Any:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(columns)})


def test_the_table_shows_every_layer_with_verdict_and_numbers() -> None:
    result = invoke("complextorch", "--only", "relu")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert max(map(len, lines)) <= 100
    (line,) = (x.split() for x in lines if x.strip().startswith("zLeakyReLU "))
    assert "piecewise" in line
    (line,) = (x.split() for x in lines if x.strip().startswith("CReLU "))
    assert "0.5" in line
    assert line[1:3] == ["both", "o"]
    assert " ".join(line).endswith("not holomorphic piecewise")
    assert "o: overwrites its input" in result.stdout
    (line,) = (x.split() for x in lines if x.strip().startswith("GTReLU "))
    assert line[1:3] == ["both", "d"]
    assert "d: central differences" in result.stdout
    assert "holomorphic on each piece" in result.stdout
    assert "Not what they were known to be: none." in result.stdout
    assert "Not what holonet.nn declares them to be: none." in result.stdout


def test_the_table_fits_a_terminal_of_80_columns() -> None:
    table, _, _ = invoke("complextorch", "--only", "relu", columns=80).stdout.partition("|dbar|: ")
    lines = table.splitlines()
    assert max(map(len, lines)) <= 80
    (line,) = (x.split() for x in lines if x.strip().startswith("CReLU "))
    assert " ".join(line) == "CReLU both o 0.5 0.5 0.56 0 not holomorphic piecewise"


def test_both_modes_are_shown_and_what_could_be_declared() -> None:
    result = invoke("complextorch", "--only", "dropout")
    assert "4 no violation" not in result.stdout
    assert "3 no violation found, 1 holomorphic in eval only." in result.stdout
    assert result.stdout.count("train") == 4
    assert "no container takes them: Dropout1d, Dropout2d, Dropout3d." in result.stdout


def test_json_on_stdout_and_in_a_file(tmp_path: Path) -> None:
    out = tmp_path / "audit.json"
    result = invoke("complextorch", "--only", "zrelu", "--json", "--out", str(out), "--seed", "3")
    record = json.loads(result.stdout)
    assert json.loads(out.read_text()) == record
    assert record["seed"] == 3
    assert [row["label"] for row in record["rows"]] == ["zReLU"]
    assert record["verdicts"] == {"piecewise": 1}
    rows = module.audit(module.package_specs("complextorch", "zrelu"), seed=3)
    expected = module.as_record(rows, package="complextorch", seed=3)
    assert record == json.loads(json.dumps(expected))
    shown = invoke("complextorch", "--only", "zrelu", "--out", str(out)).stdout
    assert f"The rows are in {out}." in shown.replace("\n", "")


def test_disagreements_and_failures_are_shown_with_numbers(monkeypatch) -> None:
    class Broken(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            raise RuntimeError("[it] broke")

    specs = (
        LayerSpec("Conjugate", "Conjugate", Conjugate, (2,)),
        LayerSpec("Broken", "Broken", Broken, (2,)),
    )
    monkeypatch.setattr(module, "PACKAGES", {"complextorch": specs})
    result = invoke("complextorch")
    assert result.exit_code == 0, result.output
    assert "(known: no" in result.stdout
    assert "Not what they were known to be: 2." in result.stdout
    assert "both: max |dbar| 1, dbar 1, negative modes 1" in result.stdout
    assert "RuntimeError: [it] broke" in result.stdout
    assert "44 further classes are not audited" in result.stdout


def test_refuted_declarations_are_shown(monkeypatch) -> None:
    monkeypatch.setitem(DECLARATIONS, Conjugate, None)
    declare(Conjugate, FunctionClass.AFFINE)
    spec = LayerSpec("Conjugate", "Conjugate", Conjugate, (2,))
    monkeypatch.setattr(module, "PACKAGES", {"complextorch": (spec,)})
    result = invoke("complextorch")
    assert "affine, refuted" in result.stdout
    assert "Not what holonet.nn declares them to be: 1." in result.stdout


def test_unknown_packages_are_refused_with_the_known_ones() -> None:
    result = invoke("torchcvnn")
    assert isinstance(result.exception, UnknownNameError)
    assert "Known: complextorch" in str(result.exception)


def test_unknown_layers_are_refused() -> None:
    result = invoke("complextorch", "--only", "nothing like that")
    assert isinstance(result.exception, UnknownNameError)
