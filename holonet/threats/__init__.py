"""Sets of perturbations: what attacks search, and what certificates enclose."""

from holonet.threats.box import Box, leading_monotone, require_monotone
from holonet.threats.threat_model import Norm, ThreatModel

__all__ = ["Box", "Norm", "ThreatModel", "leading_monotone", "require_monotone"]
