"""Pictures and reports: phase portraits, spectra, curves and one self-contained HTML page."""

from holonet.errors import MissingDependencyError

try:
    import jinja2 as _jinja2  # noqa: F401
    import matplotlib as _matplotlib  # noqa: F401
except ImportError as missing:
    raise MissingDependencyError(missing.name or "matplotlib", "plots", "Drawing") from missing

from holonet.plots.attacks import (
    plot_certification,
    plot_distances,
    plot_evaluation,
    plot_examples,
    plot_transfer,
)
from holonet.plots.curves import plot_robustness, plot_training
from holonet.plots.intervals import plot_intervals
from holonet.plots.phase_portrait import complex_line, phase_colors, phase_portrait
from holonet.plots.reports import Report, Section, Table, render_report, write_report
from holonet.plots.spectra import plot_modes
from holonet.plots.style import PALETTE, new_figure

__all__ = [
    "PALETTE",
    "Report",
    "Section",
    "Table",
    "complex_line",
    "new_figure",
    "phase_colors",
    "phase_portrait",
    "plot_certification",
    "plot_distances",
    "plot_evaluation",
    "plot_examples",
    "plot_intervals",
    "plot_modes",
    "plot_robustness",
    "plot_training",
    "plot_transfer",
    "render_report",
    "write_report",
]
