"""Every study that can be asked for states its claims in full."""

from pathlib import Path

import pytest

from holonet.errors import ConfigError, UnknownNameError
from holonet.papers.registry import STUDIES, study_named
from offering_package import offer


@pytest.mark.parametrize("name", STUDIES)
def test_claims_come_first_and_in_full(name: str) -> None:
    study = study_named(name)
    assert study.name == name
    assert study.claims
    assert len({claim.key for claim in study.claims}) == len(study.claims)
    for claim in study.claims:
        for text in (claim.statement, claim.source, claim.test):
            assert text.endswith((".", ")"))


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("quick", [True, False])
def test_there_are_several_seeds(name: str, quick: bool) -> None:
    cells = study_named(name)().cells(quick)
    assert len({cell.key for cell in cells}) == len(cells)
    seeds = {c.settings.seed for c in cells if hasattr(c.settings, "seed")}
    assert len(seeds) >= 3


def test_near_misses_are_named() -> None:
    with pytest.raises(UnknownNameError, match="shaham2015"):
        study_named("shaham2051")


def test_a_study_of_ones_own_is_a_class_by_its_place() -> None:
    assert study_named("own_studies:Sums").name == "sums"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("own_studies:NoStudy", "is no study: name a subclass of holonet.studies.Study"),
        ("own_studies:positive", "is no study"),
        ("own_studies:Half", r"has no title, run_cell\(\): examples/own_study.py shows"),
        ("own_studies:Nothing", "has no Nothing; it has"),
        ("nowhere/study.py:Mine", "study.py does not exist"),
    ],
)
def test_what_is_no_study_is_said(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        study_named(name)


def test_a_study_of_a_package_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, monkeypatch, {"holonet.studies": {"added": "own_studies:Sums"}})
    assert study_named("added").name == "sums"
    with pytest.raises(UnknownNameError, match="did you mean 'added'"):
        study_named("aded")
