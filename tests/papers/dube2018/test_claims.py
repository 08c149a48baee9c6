"""The claims of Dube say where they are from and how they are tested."""

from holonet.papers.dube2018 import CLAIMS
from holonet.studies.claims import Standing


def test_keys_differ_and_nothing_is_empty() -> None:
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS)
    assert all(c.statement and c.source and c.test and c.figure for c in CLAIMS)


def test_sources_say_what_is_reconstructed_and_what_is_added() -> None:
    words = {Standing.RECONSTRUCTED: "reconstructed", Standing.ADDED: "Not "}
    for claim in CLAIMS:
        assert words.get(claim.standing, "") in claim.source


def test_the_certain_claim_is_the_abstract_word_by_word() -> None:
    certain = [claim.key for claim in CLAIMS if claim.standing is Standing.CERTAIN]
    assert certain == ["random-euclidean"]
