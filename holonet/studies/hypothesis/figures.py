"""Figures and tables of the claims."""

from collections.abc import Callable, Mapping
from typing import Any

from holonet._page import Section, Table
from holonet.statistics import mean_interval
from holonet.studies.hypothesis import evidence
from holonet.studies.hypothesis.evidence import Effects, members
from holonet.studies.hypothesis.settings import ANALYTIC
from holonet.studies.results import Results

__all__ = ["FIGURES"]


def _section(
    title: str,
    test: Callable[[Results], Effects],
    factor: int = 1,
    shown: Callable[[Mapping[str, Any]], bool] | None = None,
) -> Callable[[Results], Section]:
    """A figure of all effects, and a table of the networks that are shown."""
    xlabel = "Spearman's rank correlation" if factor == 1 else "robust accuracy (points)"
    level = 100 * (1 - evidence.CORRECTED)

    def draw(results: Results) -> Section:
        from holonet.plots import plot_intervals

        found = test(results)
        intervals = {**{n: e.interval for n, e in found.tested.items()}, **found.beside}
        rows = {
            name: {xlabel: (factor * i.estimate, factor * i.low, factor * i.high)}
            for name, i in intervals.items()
            if i.is_finite
        }
        return Section(
            title=title,
            figure=plot_intervals(rows, xlabel=xlabel, reference=0),
            caption=f"Bars of what decides ({', '.join(found.tested)}) are intervals at "
            f"{level:.1f}%, all others at 95%.",
            table=None if shown is None else _networks(results, shown),
        )

    return draw


def _networks(results: Results, shown: Callable[[Mapping[str, Any]], bool]) -> Table:
    """Every kind of network under every rule, over seeds."""
    widths = max(r["hidden"] for r in members(results))
    kinds: dict[tuple[str, str], list[Any]] = {}
    for result in members(results, hidden=widths):
        if shown(result):
            kinds.setdefault((result["rule"], result["name"]), []).append(result)
    strong = {r["of"]: r["robust"] for r in results.values() if r.get("part") == "check"}
    rows = []
    for (rule, _), own in sorted(kinds.items()):
        clean, robust = (mean_interval([100 * r[k] for r in own]) for k in ("clean", "robust"))
        half = f" ± {robust.high - robust.estimate:.1f}" if robust.is_finite else ""
        gap = [100 * (r["robust"] - strong[key]) for r in own if (key := _key(r)) in strong]
        alarms = sum(sum(r["alarms"].values()) for r in own)
        rows.append(
            [
                _label(own[0]),
                rule,
                len(own),
                own[0]["parameters"],
                own[0]["macs"],
                f"{clean.estimate:.1f}",
                f"{robust.estimate:.1f}{half}",
                f"{gap[0]:.1f}" if gap else None,
                alarms,
            ]
        )
    return Table(
        ["network", "rule", "seeds", "weights", "macs", "clean %", "robust %", "gap", "alarms"],
        rows,
        "Weights: real parameters. Macs: real multiply-adds of one image. Robust accuracy with the "
        "half width of its 95% interval over seeds. Gap: points that Auto-PGD on three losses and "
        "Square break in addition, seed 0. Alarms: examples with an alarm of gradient masking.",
    )


def _label(result: Mapping[str, Any]) -> str:
    mixed = f", {result['experts']} {result['regions']}" if result["experts"] > 1 else ""
    macs = ", macs" if result["match"] == "macs" else ""
    return f"{result['coefficients']} {result['activation']}{macs}{mixed}"


def _key(result: Mapping[str, Any]) -> str:
    return f"{result['name']}-{result['rule']}-seed{result['seed']}"


def _single(result: Mapping[str, Any]) -> bool:
    return result["experts"] == 1 and result["rule"] == "linearized"


FIGURES: Mapping[str, Callable[[Results], Section]] = {
    "H1a": _section(
        "Analytic against piecewise activations",
        evidence.analytic_activations,
        100,
        lambda r: r["coefficients"] == "real" and r["match"] == "parameters" and r["experts"] == 1,
    ),
    "H1b": _section(
        "Complex against real coefficients",
        evidence.complex_coefficients,
        100,
        lambda r: _single(r) and r["activation"] in ANALYTIC,
    ),
    "H2-defect": _section("Harmonicity and robustness", evidence.population("defect", -1)),
    "H2-energy": _section("Dirichlet energy and robustness", evidence.population("energy", -1)),
    "H2-singularity": _section(
        "Complex singularities and robustness", evidence.population("singularity", 1)
    ),
    "H3": _section("Harmonic parts and transfer", evidence.harmonic_transfer),
    "H4": _section(
        "One network or four experts",
        evidence.mixtures,
        100,
        lambda r: (
            r["experts"] > 1
            or (_single(r) and r["activation"] == "square" and r["match"] == "parameters")
        ),
    ),
}
"""By claim."""
