"""What papers claim, tested claim by claim over several seeds."""

from holonet.studies.claims import Claim, Standing
from holonet.studies.evidence import Criterion, Evidence, Finding, Verdict, judge, paired_by_seed
from holonet.studies.results import Result, Results
from holonet.studies.runner import StudyResult, reproduce
from holonet.studies.study import Cell, Study

__all__ = [
    "Cell",
    "Claim",
    "Criterion",
    "Evidence",
    "Finding",
    "Result",
    "Results",
    "Standing",
    "Study",
    "StudyResult",
    "Verdict",
    "judge",
    "paired_by_seed",
    "reproduce",
]
