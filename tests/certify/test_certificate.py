"""What a certificate says."""

import dataclasses
import math

from enclosed import linf

from holonet.certify import Certificate

PROOF = Certificate(
    label=1,
    threat=linf(0.1),
    margins=(0.5, math.inf, 0.25),
    method="intervals",
    semantics="exact",
    theorem="interval arithmetic",
    hypotheses=(),
    notes=(),
    weights="00",
    example="11",
)


def test_a_certificate_holds_if_the_least_margin_is_positive():
    assert PROOF.holds
    assert PROOF.margin == 0.25
    assert "class 1, by a margin of at least 0.25 (exact semantics)" in PROOF.claim
    for margin in (0.0, -1.0, -math.inf, math.nan):
        open_case = dataclasses.replace(PROOF, margins=(math.inf, 0.25, margin))
        assert not open_case.holds
        assert "nothing is proved" in open_case.claim
