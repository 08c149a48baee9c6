"""What a trained network is: holomorphic or not, robust or not, with numbers and intervals."""

from holonet.diagnostics.analyticity import analyticity
from holonet.diagnostics.analyticity_report import Analyticity
from holonet.diagnostics.diagnose import SECTIONS, diagnose
from holonet.diagnostics.diagnosis import Diagnosis, DiagnosisSection
from holonet.diagnostics.evaluation import evaluate_radii, evaluate_robustness
from holonet.diagnostics.first_violation import FirstViolation, first_violation
from holonet.diagnostics.gradient_masking import GradientMaskingCheck, gradient_masking_checks
from holonet.diagnostics.harmonicity import harmonicity
from holonet.diagnostics.harmonicity_report import Harmonicity
from holonet.diagnostics.harmonicity_summary import RadiusSummary, WorstPoint
from holonet.diagnostics.holomorphy import HolomorphyCheck, holomorphy_check
from holonet.diagnostics.minimum_norm import MinimumNorms, minimum_norm_perturbations
from holonet.diagnostics.report import RobustnessReport, merge_alarms
from holonet.diagnostics.robustness import RobustnessPoint, robustness_curve
from holonet.diagnostics.transfer import Rate, TransferMatrix, transfer_matrix
from holonet.diagnostics.untrained import UntrainedTwin, untrained_twin
from holonet.diagnostics.violations_by_module import ModuleViolation, violations_by_module

__all__ = [
    "SECTIONS",
    "Analyticity",
    "Diagnosis",
    "DiagnosisSection",
    "FirstViolation",
    "GradientMaskingCheck",
    "Harmonicity",
    "HolomorphyCheck",
    "MinimumNorms",
    "ModuleViolation",
    "RadiusSummary",
    "Rate",
    "RobustnessPoint",
    "RobustnessReport",
    "TransferMatrix",
    "UntrainedTwin",
    "WorstPoint",
    "analyticity",
    "diagnose",
    "evaluate_radii",
    "evaluate_robustness",
    "first_violation",
    "gradient_masking_checks",
    "harmonicity",
    "holomorphy_check",
    "merge_alarms",
    "minimum_norm_perturbations",
    "robustness_curve",
    "transfer_matrix",
    "untrained_twin",
    "violations_by_module",
]
