"""What a trained network is: holomorphic or not, robust or not, with numbers and intervals."""

from holonet.diagnostics.evaluation import evaluate_radii, evaluate_robustness
from holonet.diagnostics.harmonicity import HolomorphyCheck, holomorphy_check
from holonet.diagnostics.intervals import wilson_interval
from holonet.diagnostics.minimal import MinimalDistances, minimal_distances
from holonet.diagnostics.report import RobustnessReport, merge_alarms
from holonet.diagnostics.robustness import RobustnessPoint, robustness_curve
from holonet.diagnostics.sanity import SanityCheck, sanity_list
from holonet.diagnostics.transfer import Rate, TransferMatrix, transfer_matrix

__all__ = [
    "HolomorphyCheck",
    "MinimalDistances",
    "Rate",
    "RobustnessPoint",
    "RobustnessReport",
    "SanityCheck",
    "TransferMatrix",
    "evaluate_radii",
    "evaluate_robustness",
    "holomorphy_check",
    "merge_alarms",
    "minimal_distances",
    "robustness_curve",
    "sanity_list",
    "transfer_matrix",
    "wilson_interval",
]
