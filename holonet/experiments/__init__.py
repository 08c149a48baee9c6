"""Studies that run from one command: papers reproduced, contenders compared, and the demo."""

from holonet.experiments.claims import Claim, Finding, Standing, Verdict, judge, judge_all
from holonet.experiments.comparison import Contender, Outcome, compare, relative_cost
from holonet.experiments.demo import DEMO, run_demo
from holonet.experiments.experiment import Cell, Study, StudyResult, reproduce
from holonet.experiments.protocol import ATTACKERS, Protocol
from holonet.experiments.statistics import (
    Interval,
    bootstrap_interval,
    mean_interval,
    paired_difference,
    rank_correlation,
    rank_correlation_interval,
)

__all__ = [
    "ATTACKERS",
    "DEMO",
    "Cell",
    "Claim",
    "Contender",
    "Finding",
    "Interval",
    "Outcome",
    "Protocol",
    "Standing",
    "Study",
    "StudyResult",
    "Verdict",
    "bootstrap_interval",
    "compare",
    "judge",
    "judge_all",
    "mean_interval",
    "paired_difference",
    "rank_correlation",
    "rank_correlation_interval",
    "relative_cost",
    "reproduce",
    "run_demo",
]
