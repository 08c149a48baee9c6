"""The claims: each has its evidence, and says what is reconstructed."""

from holonet.papers.barati2022 import (
    evidence_images,
    evidence_plane,
    figures_images,
    figures_plane,
)
from holonet.papers.barati2022.claims import CLAIMS
from holonet.studies.claims import Standing


def test_every_claim_has_its_evidence_but_one() -> None:
    keys = [claim.key for claim in CLAIMS]
    assert len(keys) == len(set(keys))
    assert [claim.key for claim in CLAIMS if claim.figure is None] == ["theorems"]
    for claim in CLAIMS[:-1]:
        name = claim.key.replace("-", "_")
        assert claim.evidence in [getattr(m, name, 0) for m in (evidence_plane, evidence_images)]
        assert claim.figure in [getattr(m, name, 0) for m in (figures_plane, figures_images)]


def test_what_is_reconstructed_says_so() -> None:
    for claim in CLAIMS:
        said = claim.source.lower()
        match claim.standing:
            case Standing.RECONSTRUCTED:
                assert "reconstructed" in said
            case Standing.ADDED:
                assert "not in the abstract" in said
            case Standing.CERTAIN:
                assert claim.key == "theorems"


def test_every_test_says_when_it_confirms() -> None:
    for claim in CLAIMS:
        assert ("Confirmed if" in claim.test) == (claim.key != "theorems")
