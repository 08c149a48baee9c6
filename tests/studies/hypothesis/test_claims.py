"""Every claim has a test, and the number that is corrected for is theirs."""

import pytest

from holonet.errors import ConfigError, DataError, UnknownNameError
from holonet.studies.hypothesis.claims import CLAIMS, TESTS, chosen_claims
from holonet.studies.hypothesis.evidence import CLAIMS_STATED


def test_the_correction_is_for_all_claims_that_are_stated() -> None:
    assert [claim.key for claim in CLAIMS] == list(TESTS)
    assert len(CLAIMS) == CLAIMS_STATED


def test_claims_are_chosen_by_name_and_group() -> None:
    assert chosen_claims(None) == tuple(TESTS)
    assert chosen_claims("H4, H1a") == ("H1a", "H4")
    assert chosen_claims("H2") == ("H2-defect", "H2-energy", "H2-singularity")
    with pytest.raises(UnknownNameError, match="H1a"):
        chosen_claims("H1")
    with pytest.raises(ConfigError, match="no claim"):
        chosen_claims(",")


def test_no_claim_is_judged_without_the_others() -> None:
    with pytest.raises(DataError, match="together"):
        CLAIMS[0].evidence({})
