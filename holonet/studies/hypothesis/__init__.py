"""The analytic-framework hypothesis: whether analytic, harmonic, complex networks are robust."""

from holonet.studies.hypothesis.claims import CLAIMS, chosen_claims
from holonet.studies.hypothesis.study import Hypothesis

__all__ = ["CLAIMS", "Hypothesis", "chosen_claims"]
