"""`holonet cite`: the sources of a run, from its configuration."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from cases import each
from holonet.cli.cite import entries, references_in
from holonet.cli.main import app
from holonet.errors import ConfigError
from holonet.functions import CATALOGUE
from holonet.training import RuleConfig, RunConfig

ROOT = Path(__file__).parents[2]
RULES = get_args(RuleConfig.model_fields["name"].annotation)


def cited(folder: Path, **sections: dict[str, Any]) -> dict[str, str]:
    (folder / "config.toml").write_text(RunConfig.from_mapping(sections).to_toml())
    result = CliRunner().invoke(app, ["cite", str(folder), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@each(
    ("rule", "activation", "expected"),
    [
        ("standard", "square", set()),
        ("linearized", "square", {"shaham2015", "elsayed2018"}),
        ("analytic", "tanh", {"barati2022", "dlmf"}),
        ("pgd", "silu", {"shaham2015", "madry2018", "wong2020", "elfwing2018"}),
        ("trades", "gelu", {"zhang2019", "hendrycks2016", "dlmf"}),
    ],
)
def test_a_run_cites_its_rule_and_its_activation(
    tmp_path: Path, rule: str, activation: str, expected: set[str]
) -> None:
    found = cited(tmp_path, rule={"name": rule}, model={"activation": activation})
    assert set(found) == {"holonet", *expected}
    assert all(entry == found[key] for key, entry in entries().items() if key in found)


def test_bibtex_on_stdout_is_an_entry_a_line_with_the_title_of_the_citation_file(
    tmp_path: Path,
) -> None:
    cited(tmp_path, model={"coefficients": "real", "activation": "relu"})
    lines = CliRunner().invoke(app, ["cite", str(tmp_path)]).stdout.splitlines()
    assert all(line.startswith("@") for line in lines)
    assert all(line.count("{") == line.count("}") for line in lines)
    title = "holonet: Holomorphic neural networks in PyTorch"
    assert f"title={{{title}}}" in lines[0]
    assert f'title: "{title}"' in (ROOT / "CITATION.cff").read_text()


@each("rule", [rule for rule in RULES if rule != "standard"])
def test_every_rule_but_the_standard_one_has_a_source(tmp_path: Path, rule: str) -> None:
    assert len(cited(tmp_path, rule={"name": rule}, model={"activation": "square"})) > 1


def test_sources_named_by_records_are_in_the_bibliography() -> None:
    for record in CATALOGUE.values():
        named = any(character.isupper() for character in record.reference.split(",")[0])
        if named and "Garnett" not in record.reference:  # a book, cited without a year
            assert references_in(record.reference), record.reference


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["cite", str(tmp_path)])
    assert isinstance(refused.exception, ConfigError)
    with pytest.raises(ConfigError, match="holds no run"):
        raise refused.exception
