"""What iterations, maxima and Lipschitz constants say about each claim."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from holonet.errors import DataError
from holonet.papers.deng2020 import measure as m
from holonet.papers.deng2020.networks import NETS
from holonet.statistics import Interval, mean_interval, wilson_interval
from holonet.studies.evidence import Criterion, Evidence, Side
from holonet.studies.results import Result, Results, cells_where, log_slope

__all__ = [
    "AT_1", "COUNTERPARTS", "HOMOGENEOUS", "Means", "analytic_piecewise", "counterparts", "each",
    "homogeneous", "input_scale", "local_maxima", "maximum_principle", "polynomial",
    "regular_landscape", "step_name", "sweeps", "trend",
]  # fmt: skip

COUNTERPARTS = ("real-square", "real-sin", "complex-square", "complex-sin")
HOMOGENEOUS = ("real-square", "complex-square", "real-relu")
ANALYTIC = tuple(net for net in NETS if net != "real-relu")
AT_1 = m.SCALES.index(1.0)

Number = float | int
Quantity = Callable[[Result], float]


@dataclass(frozen=True)
class Means:
    """Quantities by name whose means over seeds should lie on one side of a value."""

    part: str
    nets: Sequence[str]
    quantities: Mapping[str, Quantity]
    side: Side = "above"
    value: Number = 0

    def intervals(self, results: Results) -> dict[str, Interval]:
        """By network and, where it has one, name of the quantity."""
        return {
            ", ".join(filter(None, [net, name])): mean_interval(
                [quantity(result) for result in cells_where(results, part=self.part, net=net)]
            )
            for name, quantity in self.quantities.items()
            for net in self.nets
        }


def each(*tests: Means, beside: Means | None = None) -> Callable[[Results], Evidence]:
    """All tests must be passed."""

    def evidence(results: Results) -> Evidence:
        """The means of all networks, on the sides that are claimed."""
        shown = beside.intervals(results) if beside else {}
        remark = "; ".join(f"{name}: {interval.text(2)}" for name, interval in shown.items())
        criteria = [Criterion(t.intervals(results), t.side, t.value) for t in tests]
        return Evidence(criteria, shown, f"Beside it: {remark}." if shown else "")

    return evidence


def trend(rows: Sequence[Sequence[Number]]) -> float:
    """The share of pairs in which the later row is greater, minus that in which it is less.

    Pairs are of two rows at one column. Numbers that were cut off at one cap are ties with each
    other and greater than the rest, which is what is known of them.

    Example:
        >>> trend([[1, 9], [2, 9], [3, 8]])
        0.16666666666666666
    """
    table = np.asarray(rows, dtype=float)
    first, second = np.triu_indices(len(table), 1)
    return float(np.sign(table[second] - table[first]).mean())


def step_name(kind: str, step: float = m.STEPS[0]) -> str:
    """The key of a rule in the results."""
    return f"{kind} {step:g}"


def sweeps(result: Result) -> dict[str, tuple[Sequence[Number], list[list[int]]]]:
    """By what is varied: its values, and the iterations of all starts at each."""
    by_tolerance = result["steps"][step_name("normalised")]["iterations"]
    return {
        "1 / tolerance": ([1 / t for t in m.TOLERANCES], [rows[AT_1] for rows in by_tolerance]),
        "width": (m.WIDTHS, [run["iterations"][m.MAIN][0] for run in result["widths"]]),
        "ratio": (m.RATIOS, result["ratios"]["iterations"][m.MAIN]),
    }


def _exponent(name: str) -> Quantity:
    """The slope of log median iterations against the log of what is varied."""

    def slope(result: Result) -> float:
        values, rows = sweeps(result)[name]
        medians = [max(1, statistics.median(row)) for row in rows]
        if max(medians) >= result["cap"]:
            raise DataError(f"a median of the iterations lies beyond the cap, {result['cap']}")
        return log_slope(values, medians)

    return slope


def _arrived(kind: str, place: int = AT_1) -> Quantity:
    """The share of starts that came to a verified local maximum within the cap, at a scale."""
    return lambda r: statistics.fmean(r["steps"][step_name(kind)]["maximum"][place])


def _scale_trend(kind: str, step: float = m.STEPS[0]) -> Quantity:
    return lambda r: trend(r["steps"][step_name(kind, step)]["iterations"][m.MAIN])


def _landscape_trend(quantity: Quantity) -> Quantity:
    return lambda r: trend([[quantity(place)] for place in r["places"]])


def _growth(result: Result) -> float:
    """Powers of ten by which quotients of gradients grow on ever shorter pieces, at scale 1."""
    zoomed = result["places"][AT_1]["zoomed"]
    return math.log10(zoomed[-1] / zoomed[0])


local_maxima = each(
    Means("ascent", m.PAPER, {k: _arrived(k) for k in m.KINDS}, "above", 0.9),
    beside=Means(
        "ascent",
        m.PAPER,
        {
            f"{k}, scale {m.SCALES[place]:g}": _arrived(k, place)
            for k in m.KINDS
            for place in (3, 4)
        },
    ),
)
polynomial = each(
    Means("ascent", m.PAPER, {n: _exponent(n) for n in ("1 / tolerance", "width", "ratio")},
          "below", 1)
)  # fmt: skip
regular_landscape = each(
    Means("landscape", m.PAPER, {
        "distinct maxima": _landscape_trend(lambda place: place["distinct"][1]),
        "relative Lipschitz constant": _landscape_trend(lambda place: place["relative"]),
    }),
    beside=Means("landscape", m.PAPER, {
        "Lipschitz constant itself": _landscape_trend(lambda place: place["lipschitz"]),
    }),
)  # fmt: skip
counterparts = each(
    Means("ascent", COUNTERPARTS, {"": _scale_trend("normalised")}),
    beside=Means("ascent", ("real-relu",), {"": _scale_trend("normalised")}),
)
homogeneous = each(
    Means("ascent", HOMOGENEOUS, {"": lambda r: r["apart"]}, "below", 1e-6),
    Means("ascent", [n for n in NETS if n not in HOMOGENEOUS], {"": lambda r: r["apart"]}),
)
analytic_piecewise = each(
    Means("landscape", ANALYTIC, {"": _growth}, "below", math.log10(2)),
    Means("landscape", ("real-relu",), {"": _growth}, "above", 2),
    Means("ascent", ANALYTIC, {"arrived": _arrived("normalised")}, "above", 0.5),
    Means("ascent", ("real-relu",), {"arrived": _arrived("normalised")}, "below", 0.5),
)


def input_scale(kind: str) -> Callable[[Results], Evidence]:
    """Trends of the paper's networks under a rule; beside them those with other steps."""
    others = {f"step {step:g}": _scale_trend(kind, step) for step in m.STEPS[1:]}
    return each(
        Means("ascent", m.PAPER, {"": _scale_trend(kind)}),
        beside=Means("ascent", m.PAPER, others),
    )


def maximum_principle(results: Results) -> Evidence:
    """Ends inside the ball: of complex perturbations none; the real sine network as control."""
    balls = [
        r["complex"] for net in COUNTERPARTS for r in cells_where(results, part="ball", net=net)
    ]
    starts = sum(ball["starts"] for ball in balls)
    if not starts:
        raise DataError("no network with complex perturbations is left")
    inside, concave, edge = (
        wilson_interval(sum(ball[name] for ball in balls), starts)
        for name in ("inside", "concave", "on sphere")
    )
    control = Means(
        *("ball", ("real-sin",)),
        {"real, ends inside": lambda r: r["real"]["inside"] / r["real"]["starts"]},
    )
    none = {"complex, ends inside": inside, "complex, concave starts": concave}
    return Evidence(
        [
            Criterion(none, "below", 0.01, digits=4),
            Criterion({"complex, ends on the sphere": edge}, "above", 0.99, digits=4),
            Criterion(control.intervals(results), "above"),
        ],
        remark=f"The first three are over {starts} starts in {len(balls)} networks, by Wilson.",
    )
