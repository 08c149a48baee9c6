"""Threat models and the attacks that search them."""

from holonet.attacks.apgd import apgd, apgd_targeted
from holonet.attacks.ascent import ascend
from holonet.attacks.gradient import fgsm, pgd
from holonet.attacks.objectives import margin_of
from holonet.attacks.result import Alarm, AlarmKind, AttackResult
from holonet.attacks.square import square
from holonet.attacks.torus import torus
from holonet.attacks.worst_case import ATTACKS, STRONG, Attack, WorstCase, worst_case
from holonet.threats import Box, ThreatModel, leading_monotone

__all__ = [
    "ATTACKS",
    "STRONG",
    "Alarm",
    "AlarmKind",
    "Attack",
    "AttackResult",
    "Box",
    "ThreatModel",
    "WorstCase",
    "apgd",
    "apgd_targeted",
    "ascend",
    "fgsm",
    "leading_monotone",
    "margin_of",
    "pgd",
    "square",
    "torus",
    "worst_case",
]
