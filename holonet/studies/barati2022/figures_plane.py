"""Figures of the problems in the plane."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch

from holonet._page import Section, Table
from holonet.errors import DataError
from holonet.plots import new_figure
from holonet.plots.style import INK, add_legend, color, label_axes
from holonet.statistics import mean_interval
from holonet.studies.barati2022.conditions import CONDITIONS, PROBLEMS, closed_form
from holonet.studies.barati2022.evidence_plane import by_seed
from holonet.studies.barati2022.planar_measures import profile, profile_radii
from holonet.studies.study import Result

__all__ = ["PLANE_FIGURES"]

DASHES = ((0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def _profiles(
    results: Mapping[str, Result],
    problem: str,
    conditions: Mapping[str, str],
    forms: Mapping[str, str],
    ax: Any,
) -> None:
    """Profiles of conditions, each with the range over seeds; closed forms as black lines."""
    radii = profile_radii(PROBLEMS[problem])
    for index, (condition, shown) in enumerate(conditions.items()):
        runs = torch.tensor(list(by_seed(results, condition, "profile")[problem].values()))
        ends = runs.amin(0).tolist(), runs.amax(0).tolist()
        ax.fill_between(radii.tolist(), *ends, color=color(index), alpha=0.2, linewidth=0)
        ax.plot(radii.tolist(), runs.mean(0).tolist(), color=color(index), label=shown)
    for dashes, (condition, shown) in zip(DASHES, forms.items(), strict=False):
        values = profile(closed_form(PROBLEMS[problem], CONDITIONS[condition]), PROBLEMS[problem])
        ax.plot(radii.tolist(), values, color=INK, linestyle=dashes, linewidth=1.2, label=shown)
    mode = "mean over the circle" if problem == "ring" else "amplitude of the mode"
    label_axes(ax, "radius", mode, problem)
    add_legend(ax, loc="best")


def _panels(
    results: Mapping[str, Result],
    conditions: Mapping[str, str],
    forms: Mapping[str, str],
    problems: Sequence[str] | None = None,
) -> Any:
    """One panel of profiles for each problem that all the conditions have."""
    have = [set(by_seed(results, condition, "profile")) for condition in conditions]
    shown = [p for p in problems or PROBLEMS if all(p in some for some in have)]
    if not shown:
        raise DataError("no problem is left to draw")
    figure, axes = new_figure(1 + 3.9 * len(shown), 3.6, columns=len(shown))
    for ax, problem in zip(axes, shown, strict=True):
        _profiles(results, problem, conditions, forms, ax)
    return figure


def _dirichlet_principle(results: Mapping[str, Result]) -> Section:
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


def _risk_on_data(results: Mapping[str, Result]) -> Section:
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


def _holomorphic(results: Mapping[str, Result]) -> Section:
    discs = [problem for problem in PROBLEMS if problem != "ring"]
    return Section(
        title="One complex variable",
        figure=_panels(
            results, {"one-variable": "Re of holomorphic"}, {"risk": "harmonic extension"}, discs
        ),
        caption="No energy was asked for: values on the circle were enough.",
    )


def _ring(results: Mapping[str, Result]) -> Section:
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


def _data_coordinates(results: Mapping[str, Result]) -> Section:
    discs = [problem for problem in PROBLEMS if problem != "ring"]
    conditions = {"two-variables": "holomorphic on C^2", "one-variable": "holomorphic on C"}
    return Section(
        title="Holomorphic in two variables, seen at real points",
        figure=_panels(results, conditions, {"risk": "harmonic extension"}, discs),
        caption="Both fit the circle. Only one variable z = x + iy makes a network harmonic "
        "inside.",
    )


def _table(results: Mapping[str, Result]) -> Table:
    """All conditions in numbers."""
    rows = []
    for condition in CONDITIONS:
        for problem in by_seed(results, condition, "distance"):
            columns = ("distance_hard", "distance", "boundary_error", "energy_ratio", "defect")
            means = [
                mean_interval(
                    list(by_seed(results, condition, quantity)[problem].values())
                ).estimate
                for quantity in columns
            ]
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


PLANE_FIGURES: Mapping[str, Callable[[Mapping[str, Result]], Section]] = MappingProxyType(
    {
        "dirichlet-principle": _dirichlet_principle,
        "risk-on-data": _risk_on_data,
        "holomorphic-harmonic": _holomorphic,
        "ring-real-part": _ring,
        "data-coordinates": _data_coordinates,
    }
)
"""claim -> from the results to its section; DataError where too little is left."""
