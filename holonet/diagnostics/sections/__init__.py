"""The sections of a diagnosis: each a function of a prepared model and the settings."""

from holonet.diagnostics.sections.analyticity import analyticity_section
from holonet.diagnostics.sections.energy import energy_section
from holonet.diagnostics.sections.harmonicity import harmonicity_section
from holonet.diagnostics.sections.holomorphy import holomorphy_section
from holonet.diagnostics.sections.robustness import robustness_section
from holonet.diagnostics.sections.slices import slices_section

__all__ = [
    "analyticity_section",
    "energy_section",
    "harmonicity_section",
    "holomorphy_section",
    "robustness_section",
    "slices_section",
]
