"""Threat models and the attacks that search them."""

from holonet.attacks.gradient import AttackResult, margin_of, pgd
from holonet.attacks.threat import ThreatModel

__all__ = ["AttackResult", "ThreatModel", "margin_of", "pgd"]
