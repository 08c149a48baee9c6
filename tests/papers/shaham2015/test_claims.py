"""The claims of Shaham et al. say where they are from and how they are tested."""

from holonet.papers.shaham2015 import CLAIMS
from holonet.studies.claims import Standing


def test_keys_differ_and_nothing_is_empty() -> None:
    assert len({claim.key for claim in CLAIMS}) == len(CLAIMS)
    assert all(c.statement and c.source and c.test for c in CLAIMS)


def test_reconstructed_sources_say_so() -> None:
    for claim in CLAIMS:
        if claim.standing is Standing.RECONSTRUCTED:
            assert "reconstructed" in claim.source
