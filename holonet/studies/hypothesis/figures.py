"""Figures and tables of the claims."""

from collections.abc import Callable, Mapping

from holonet._page import Section, Table
from holonet.statistics import mean_interval
from holonet.studies.figures import interval_figure
from holonet.studies.hypothesis import evidence
from holonet.studies.hypothesis.evidence import Effects
from holonet.studies.hypothesis.settings import ANALYTIC
from holonet.studies.results import Result, Results, cells_where

__all__ = ["FIGURES"]


Figure = Callable[[Results], Section]
Shown = Callable[[Result], bool]


def _figure(title: str, test: Callable[[Results], Effects], shown: Shown | None = None) -> Figure:
    """All effects, and a table of the networks that are shown."""
    what = "difference in robust accuracy (points)" if shown else "Spearman's rank correlation"
    table = (lambda results: _networks(results, shown)) if shown else None
    return interval_figure(title, what, lambda results: test(results).evidence, table=table)


def _networks(results: Results, shown: Shown) -> Table:
    """Every kind of network under every rule, over seeds."""
    widths = max(r["hidden"] for r in cells_where(results, part="member"))
    kinds: dict[tuple[str, str], list[Result]] = {}
    for result in cells_where(results, part="member", hidden=widths):
        if shown(result):
            kinds.setdefault((result["rule"], result["name"]), []).append(result)
    strong = {r["of"]: r["robust"] for r in cells_where(results, part="check")}
    rows, alarms = [], []
    for (rule, _), own in sorted(kinds.items()):
        clean, robust = (mean_interval([100 * r[k] for r in own]) for k in ("clean", "robust"))
        half = f" ± {robust.high - robust.estimate:.1f}" if robust.is_finite else ""
        keys = (f"{r['name']}-{r['rule']}-seed{r['seed']}" for r in own)
        pairs = zip(own, keys, strict=True)
        gap = [100 * (r["robust"] - strong[key]) for r, key in pairs if key in strong]
        if count := sum(sum(r["alarms"].values()) for r in own):
            alarms.append(f"{_label(own[0])}, {rule} {count}")
        rows.append(
            [
                _label(own[0]),
                rule,
                own[0]["parameters"],
                own[0]["macs"],
                f"{clean.estimate:.1f}",
                f"{robust.estimate:.1f}{half} ({len(own)})",
                f"{gap[0]:.1f}" if gap else None,
            ]
        )
    return Table(
        ["network", "rule", "weights", "macs", "clean %", "robust % (seeds)", "gap"],
        rows,
        "Weights: real parameters. Macs: real multiply-adds of one image. Robust accuracy with the "
        "half width of its 95% interval over seeds, and their number. Gap: points that Auto-PGD on "
        "three losses and Square break in addition, seed 0. Examples with an alarm of gradient "
        f"masking: {'; '.join(alarms) or 'none'}.",
    )


def _label(result: Result) -> str:
    mixed = f", {result['experts']} {result['regions']}" if result["experts"] > 1 else ""
    macs = ", macs" if result["match"] == "macs" else ""
    return f"{result['coefficients']} {result['activation']}{macs}{mixed}"


def _single(result: Result) -> bool:
    return result["experts"] == 1 and result["rule"] == "linearized"


FIGURES: Mapping[str, Figure] = {
    "H1a": _figure(
        "Analytic against piecewise activations",
        evidence.analytic_activations,
        lambda r: r["coefficients"] == "real" and r["match"] == "parameters" and r["experts"] == 1,
    ),
    "H1b": _figure(
        "Complex against real coefficients",
        evidence.complex_coefficients,
        lambda r: _single(r) and r["activation"] in ANALYTIC,
    ),
    "H2-defect": _figure("Harmonicity and robustness", evidence.population("defect", -1)),
    "H2-energy": _figure("Dirichlet energy and robustness", evidence.population("energy", -1)),
    "H2-singularity": _figure(
        "Complex singularities and robustness", evidence.population("singularity", 1)
    ),
    "H3": _figure("Harmonic parts and transfer", evidence.harmonic_transfer),
    "H4": _figure(
        "One network or four experts",
        evidence.mixtures,
        lambda r: (
            r["experts"] > 1
            or (_single(r) and r["activation"] == "square" and r["match"] == "parameters")
        ),
    ),
}
"""By claim."""
