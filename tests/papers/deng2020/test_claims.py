"""The claims of Deng et al. say where they are from and how they are tested."""

from holonet.papers.deng2020 import CLAIMS
from holonet.studies.claims import Standing


def test_keys_differ_and_nothing_is_empty() -> None:
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS)
    assert all(c.statement and c.source and c.test and c.figure for c in CLAIMS)


def test_sources_say_what_is_reconstructed() -> None:
    for claim in CLAIMS:
        if claim.standing is Standing.ADDED:
            assert claim.source.startswith("Not in the paper")
        else:
            assert "reconstructed" in claim.source
