"""Training rules: what a model is asked to make small on a batch."""

from holonet.training.rules.analytic import AnalyticRule
from holonet.training.rules.interval import IntervalRule
from holonet.training.rules.linearized import LinearizedRobustOptimization, first_order_loss
from holonet.training.rules.mixture import Mixture
from holonet.training.rules.risk import EmpiricalRisk
from holonet.training.rules.robust import (
    InnerSolver,
    RobustOptimization,
    fgsm_rs,
    shaham,
)
from holonet.training.rules.rule import Penalty, PenaltyTarget, Rule
from holonet.training.rules.schedule import CosineRamp, LinearRamp, Schedule, Weight
from holonet.training.rules.trades import Trades

__all__ = [
    "AnalyticRule",
    "CosineRamp",
    "EmpiricalRisk",
    "InnerSolver",
    "IntervalRule",
    "LinearRamp",
    "LinearizedRobustOptimization",
    "Mixture",
    "Penalty",
    "PenaltyTarget",
    "RobustOptimization",
    "Rule",
    "Schedule",
    "Trades",
    "Weight",
    "fgsm_rs",
    "first_order_loss",
    "shaham",
]
