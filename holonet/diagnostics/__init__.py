"""What a trained network is: holomorphic or not, robust or not, with numbers and intervals."""

from holonet.diagnostics.harmonicity import HolomorphyCheck, holomorphy_check
from holonet.diagnostics.intervals import wilson_interval
from holonet.diagnostics.robustness import RobustnessPoint, robustness_curve

__all__ = [
    "HolomorphyCheck",
    "RobustnessPoint",
    "holomorphy_check",
    "robustness_curve",
    "wilson_interval",
]
