"""Every claim has a figure of its effects; tables show what the claim is about."""

import pytest

from holonet.studies.hypothesis import evidence
from holonet.studies.hypothesis.claims import CLAIMS
from simulated_hypothesis import simulated


def test_every_claim_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "PERMUTATIONS", 19)
    monkeypatch.setattr(evidence, "RESAMPLES", 20)
    results = simulated(0)
    sections = {claim.key: claim.section(results) for claim in CLAIMS}
    assert all(section.figure is not None for section in sections.values())
    assert "99.3%" in sections["H3"].caption
    tables = {key: s.table for key, s in sections.items() if s.table is not None}
    assert {key: len(table.rows) for key, table in tables.items()} == {
        "H1a": 27,
        "H1b": 18,
        "H4": 5,
    }
    row = next(r for r in tables["H1a"].rows if r[:2] == ["real relu", "linearized"])
    assert str(row[5]).endswith(" (8)")
    assert row[6] == "1.0"
    assert CLAIMS[0].section({}).figure is None
