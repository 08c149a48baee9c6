"""What papers claim, tested claim by claim over several seeds."""

from holonet.studies.claims import Claim, Finding, Standing, Verdict, judge, judge_all
from holonet.studies.registry import STUDIES, study_named
from holonet.studies.runner import StudyResult, reproduce
from holonet.studies.study import Cell, Result, Study

__all__ = [
    "STUDIES",
    "Cell",
    "Claim",
    "Finding",
    "Result",
    "Standing",
    "Study",
    "StudyResult",
    "Verdict",
    "judge",
    "judge_all",
    "reproduce",
    "study_named",
]
