"""Threat models and the attacks that search them."""

from holonet.attacks.alarms import black_box_alarm
from holonet.attacks.apgd import apgd, apgd_targeted
from holonet.attacks.ascent import ascend
from holonet.attacks.ensemble import ATTACKS, STRONG, Attack, EnsembleResult, worst_case
from holonet.attacks.gradient import fgsm, pgd
from holonet.attacks.objectives import margin_of
from holonet.attacks.result import Alarm, AlarmKind, AttackResult
from holonet.attacks.square import square
from holonet.attacks.threat import ThreatModel
from holonet.attacks.torus import torus

__all__ = [
    "ATTACKS",
    "STRONG",
    "Alarm",
    "AlarmKind",
    "Attack",
    "AttackResult",
    "EnsembleResult",
    "ThreatModel",
    "apgd",
    "apgd_targeted",
    "ascend",
    "black_box_alarm",
    "fgsm",
    "margin_of",
    "pgd",
    "square",
    "torus",
    "worst_case",
]
