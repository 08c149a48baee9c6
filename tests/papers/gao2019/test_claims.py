"""The claims: which are the paper's own, and which cannot be tested."""

from holonet.papers.gao2019.claims import CLAIMS
from holonet.studies.claims import Standing
from holonet.studies.evidence import Verdict


def test_keys_differ_and_every_claim_says_what_confirms_it() -> None:
    keys = [claim.key for claim in CLAIMS]
    assert len(set(keys)) == len(keys)
    for claim in CLAIMS[:-1]:
        assert "onfirmed if" in claim.test, claim.key


def test_what_the_paper_says_is_kept_apart_from_what_was_added() -> None:
    standing = {claim.key: claim.standing for claim in CLAIMS}
    certain = {key for key, of in standing.items() if of is Standing.CERTAIN}
    assert certain == {
        "surrogate-optimal",
        "any-attacker",
        "near-zero",
        "capacity",
        "asymptotic-width",
    }
    assert standing["complex-lazy"] is Standing.ADDED


def test_asymptotic_widths_are_not_testable() -> None:
    finding = CLAIMS[-1].finding({})
    assert finding.claim == "asymptotic-width"
    assert finding.verdict is Verdict.NOT_TESTABLE


def test_no_claim_is_decided_without_results() -> None:
    assert {claim.finding({}).verdict for claim in CLAIMS} == {Verdict.NOT_TESTABLE}
