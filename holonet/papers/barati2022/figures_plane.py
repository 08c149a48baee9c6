"""Figures of the problems in the plane."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from holonet._page import Section, Table
from holonet.errors import DataError
from holonet.papers.barati2022.conditions import CONDITIONS, PROBLEMS, closed_form
from holonet.papers.barati2022.evidence_plane import by_seed, mean_of
from holonet.papers.barati2022.planar_measures import profile, profile_radii
from holonet.studies.results import Results

__all__ = [
    "data_coordinates",
    "dirichlet_principle",
    "holomorphic_harmonic",
    "ring_real_part",
    "risk_on_data",
]

DISCS = [problem for problem in PROBLEMS if problem != "ring"]
DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def _profiles(
    results: Results,
    problem: str,
    conditions: Mapping[str, str],
    forms: Mapping[str, str],
    ax: Any,
) -> None:
    """Profiles of conditions, each with the range over seeds; closed forms as black lines."""
    from holonet.plots.style import INK, add_legend, color, label_axes, line_style, marker

    radii = profile_radii(PROBLEMS[problem]).tolist()
    for index, (condition, shown) in enumerate(conditions.items()):
        runs = torch.tensor(list(by_seed(results, condition, "profile")[problem].values()))
        ends = runs.amin(0).tolist(), runs.amax(0).tolist()
        ax.fill_between(radii, *ends, color=color(index), alpha=0.2, linewidth=0)
        dots = {"marker": marker(index), "markevery": (3 * index, 8), "markersize": 5}
        ax.plot(radii, runs.mean(0).tolist(), label=shown, **line_style(index), **dots)
    for dashes, (condition, shown) in zip(DASHES, forms.items(), strict=False):
        values = profile(closed_form(PROBLEMS[problem], CONDITIONS[condition]), PROBLEMS[problem])
        ax.plot(radii, values, color=INK, linestyle=dashes, linewidth=1.2, label=shown)
    mode = "mean over the circle" if problem == "ring" else "amplitude of the mode"
    label_axes(ax, "radius", mode, problem)
    add_legend(ax, loc="best")


def _panels(
    results: Results,
    conditions: Mapping[str, str],
    forms: Mapping[str, str],
    problems: Sequence[str] | None = None,
) -> Any:
    """One panel of profiles for each problem that all the conditions have."""
    from holonet.plots import new_figure

    have = [set(by_seed(results, condition, "profile")) for condition in conditions]
    shown = [p for p in problems or PROBLEMS if all(p in some for some in have)]
    if not shown:
        raise DataError("no problem is left to draw")
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    figure, axes = new_figure(1 + 3.9 * columns, 3.6 * rows, rows=rows, columns=columns)
    for ax, problem in zip(axes, shown, strict=False):
        _profiles(results, problem, conditions, forms, ax)
    for ax in axes[len(shown) :]:
        ax.remove()
    return figure


def dirichlet_principle(results: Results) -> Section:
    """Profiles with and without the energy, and all conditions in a table."""
    return Section(
        title="Risk on the boundary, energy inside",
        figure=_panels(
            results,
            {"energy": "risk + energy", "risk": "risk alone"},
            {"energy": "minimizer, closed form", "risk": "harmonic extension"},
        ),
        caption="How much of the boundary values a network carries inwards; the bands are the "
        "range over seeds.",
        table=_table(results),
    )


def risk_on_data(results: Results) -> Section:
    """Profiles where risk and energy are taken at the same points."""
    return Section(
        title="Risk and energy at the same points",
        figure=_panels(
            results,
            {"filled": "risk + energy all over"},
            {"filled": "minimizer, closed form", "risk": "what is to be fit"},
        ),
        caption="The minimizer gives up some of what it should fit, most of it near the rim: it is "
        "not harmonic although what it fits is.",
    )


def holomorphic_harmonic(results: Results) -> Section:
    """Profiles on discs."""
    return Section(
        title="One complex variable",
        figure=_panels(
            results, {"one-variable": "Re of holomorphic"}, {"risk": "harmonic extension"}, DISCS
        ),
        caption="Trained without the energy: values on the circle were enough.",
    )


def ring_real_part(results: Results) -> Section:
    """Profiles on the ring, of real parts and of log-moduli."""
    return Section(
        title="A ring, where the real part is not enough",
        figure=_panels(
            results,
            {
                "one-variable": "Re of holomorphic",
                "affine-log-modulus": "log|affine|",
                "log-modulus": "log|deep z^2|",
            },
            {"risk": "harmonic extension"},
            ["ring"],
        ),
        caption="The mean of the real part over a circle does not depend on the radius, so it "
        "cannot rise from 0 to 1. A log-modulus rises like the winding number times log r.",
    )


def data_coordinates(results: Results) -> Section:
    """Profiles of networks of two variables and of one."""
    conditions = {"two-variables": "holomorphic on C^2", "one-variable": "holomorphic on C"}
    return Section(
        title="Holomorphic in two variables, seen at real points",
        figure=_panels(results, conditions, {"risk": "harmonic extension"}, DISCS),
        caption="Both fit the circle. Only one variable z = x + iy makes a network harmonic "
        "inside.",
    )


def _table(results: Results) -> Table:
    """All conditions in numbers."""
    rows = []
    for condition in CONDITIONS:
        for problem in by_seed(results, condition, "distance"):
            columns = ("distance_hard", "distance", "boundary_error", "energy_ratio", "defect")
            means = [mean_of(results, condition, q, problem).estimate for q in columns]
            rows.append([condition, problem, *means])
    return Table(
        headers=[
            "condition",
            "problem",
            "from harmonic extension",
            "from own minimizer",
            "boundary error",
            "energy / least",
            "harmonic defect",
        ],
        rows=rows,
        caption="Means over seeds; distances are over the spread of the closed form.",
    )
