"""What the cells say about each claim: intervals over seeds."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from holonet.errors import DataError
from holonet.papers.gao2019.networks import KINDS
from holonet.statistics import Interval, mean_interval, wilson_interval
from holonet.studies.evidence import Criterion, Evidence, paired_by_seed
from holonet.studies.results import Results, by_seed, log_slope, mean_of

__all__ = [
    "TRAINED", "any_attacker", "capacity_complex", "capacity_polynomial", "capacity_ratio",
    "complex_lazy", "kernel_definite", "kernel_limit", "lazy", "near_zero", "sizes",
    "surrogate_optimal", "two_balls", "two_balls_free",
]  # fmt: skip

Test = Callable[[Results], Evidence]

TRAINED = ("relu", "x^2", "sin x", "sin z")
UNIVERSAL = ("relu", "sin x", "sin z")  # whose width adds to what they can fit
SINES = ("sin z", "sin x")
TOLERANCE = 0.05  # of losses, whose value at the start is log 2
ZERO = 0.1  # below which a loss is called near zero
SAME = 0.02  # below which losses are called equal


def sizes(results: Results, part: str, name: str) -> list[int]:
    """All widths, or numbers of examples, of a part; at least one.

    Raises:
        DataError: no cell of that part is left.
    """
    values = sorted({r[name] for r in results.values() if r["part"] == part})
    if not values:
        raise DataError(f"no cell of the part {part!r} is left")
    return values


def _surrogate(runs: Mapping[str, tuple[int, str]], remark: str = "") -> Test:
    """Least surrogate loss minus the lower bound of the optimum, of the widest networks.

    Args:
        runs: name -> steps of the attack, radius; the bound is from the ten-step attack's run.
        remark: for a reader.
    """

    def evidence(results: Results) -> Evidence:
        """Gaps of each network, by its runs."""
        where = {"part": "training", "width": sizes(results, "training", "width")[-1]}
        gaps = {
            f"{network}, {name}": paired_by_seed(
                by_seed(results, "surrogate", radius, network=network, attack=attack, **where),
                by_seed(results, "lower", radius, network=network, attack=10, **where),
            )
            for name, (attack, radius) in runs.items()
            for network in TRAINED
        }
        return Evidence([Criterion(gaps, "below", TOLERANCE, digits=3)], remark=remark)

    return evidence


surrogate_optimal = _surrogate({"radius 5": (10, "5"), "radius 15": (10, "15")})
any_attacker = _surrogate(
    {"no attack": (0, "15"), "one step": (1, "15")},
    "A gap far below 0 is what a weak attacker gets: a small loss at its own points.",
)


def near_zero(results: Results) -> Evidence:
    """Robust loss of the widest networks; beside it that of the narrowest."""
    widths = sizes(results, "training", "width")
    narrowest, widest = (
        {n: mean_of(results, "robust_loss", str(w), part="wide", network=n) for n in UNIVERSAL}
        for w in (widths[0], widths[-1])
    )
    text = "; ".join(f"{network} {interval.text(3)}" for network, interval in narrowest.items())
    return Evidence(
        [Criterion(widest, "below", ZERO, digits=3)],
        remark=f"Width {widths[-1]}. At width {widths[0]}: {text}.",
    )


def lazy(results: Results) -> Evidence:
    """Exponents in the width: of the weights' movement in the largest ball, of the kernel's."""
    widths, exponents = sizes(results, "training", "width"), {}
    for kind, path in {"weights": ("moved", "60"), "kernel": ("kernel_moved", "15")}.items():
        for network in TRAINED:
            where = {"part": "training", "network": network, "attack": 10}
            curves = [by_seed(results, *path, width=width, **where) for width in widths]
            exponents[f"{network}, {kind}"] = mean_interval(
                [
                    log_slope(widths, [curve[seed] for curve in curves])
                    for seed in set.intersection(*map(set, curves))
                ]
            )
    return Evidence([Criterion(exponents, "below", -0.25)])


def kernel_limit(results: Results) -> Evidence:
    """How far the exponents of the distance in the width are from -1/2, over seeds."""
    misses, exponents = {}, {}
    for network in KINDS:
        curves = by_seed(results, "distance", part="kernel", network=network).values()
        own = [log_slope([*map(int, curve)], [*curve.values()]) for curve in curves]
        misses[network] = mean_interval([abs(exponent + 0.5) for exponent in own])
        exponents[network] = mean_interval(own)
    text = "; ".join(f"{network} {i.text(2)}" for network, i in exponents.items())
    return Evidence(
        [Criterion(misses, "below", 0.15)], exponents, f"The exponents themselves: {text}."
    )


def kernel_definite(*networks: str) -> Test:
    """Share of positive eigenvalues at more points than quadratic forms have dimensions."""

    def evidence(results: Results) -> Evidence:
        ranks = {n: mean_of(results, "rank", part="kernel", network=n) for n in networks}
        return Evidence([Criterion(ranks, "above", 0.999, digits=3)])

    return evidence


def complex_lazy(results: Results) -> Evidence:
    """Absolute differences in robust loss between sin z and sin x, in balls of two radii."""
    where = {"part": "training", "width": sizes(results, "training", "width")[-1], "attack": 10}
    differences = {}
    for radius in ("5", "15"):
        z, x = (by_seed(results, "robust", radius, network=n, **where) for n in SINES)
        differences[f"radius {radius}"] = mean_interval([abs(z[s] - x[s]) for s in z if s in x])
    z, x = (mean_of(results, "kernel_moved", "15", network=n, **where).text(2) for n in SINES)
    return Evidence(
        [Criterion(differences, "below", SAME, digits=3)],
        remark=f"Relative movement of the kernel at radius 15: sin z {z}, sin x {x}.",
    )


def capacity_ratio(results: Results) -> Evidence:
    """Doublings of width between a standard and a robust fit."""
    counts = sizes(results, "capacity", "examples")
    doublings = {
        f"{network}, {n} examples": paired_by_seed(
            *(_logarithms(results, fit, network, n) for fit in ("robust", "standard"))
        )
        for n in counts
        for network in UNIVERSAL
    }
    most = {name: i for name, i in doublings.items() if f" {counts[-1]} " in name}
    factors = "; ".join(f"{name} {2**i.estimate:.1f}" for name, i in doublings.items())
    return Evidence([Criterion(most, "above", unit=" doublings")], remark=f"As factors: {factors}.")


def capacity_polynomial(results: Results) -> Evidence:
    """Seeds on which some width of x^2 fits balls around more points than it has dimensions."""
    where = {"network": "x^2", "examples": sizes(results, "capacity", "examples")[-1]}
    cap = sizes(results, "capacity", "cap")[-1]
    widths = by_seed(results, "robust", part="capacity", **where).values()
    share = wilson_interval(sum(width <= cap for width in widths), len(widths))
    return Evidence([Criterion({"share of seeds": share}, "above", 0.5)])


def capacity_complex(results: Results) -> Evidence:
    """Doublings of real parameters from sin x to sin z, for a robust fit."""
    doublings = {}
    for n in sizes(results, "capacity", "examples"):
        z, x = (_logarithms(results, "robust", network, n) for network in SINES)
        # a complex weight is two real parameters
        doublings[f"{n} examples"] = paired_by_seed({s: 1 + v for s, v in z.items()}, x)
    return Evidence([Criterion(doublings, "below", unit=" doublings")])


def _logarithms(results: Results, fit: str, network: str, examples: int) -> dict[int, float]:
    """Of the smallest width, to base 2."""
    widths = by_seed(results, fit, part="capacity", network=network, examples=examples)
    return {seed: math.log2(width) for seed, width in widths.items()}


def two_balls(results: Results) -> Evidence:
    """Labellings realized on both sides of the threshold, and the optimizer's own threshold."""
    of = _balls(results).values()
    count = sum(r["labellings"] for r in of)
    above, below = (_exact(sum(r[side] for r in of) / count, count) for side in ("above", "below"))
    error = _exact(max(r["antipodal_error"] for r in of), count)
    return Evidence(
        [
            Criterion({"share realized above the threshold": above}, "above", 0.999),
            Criterion({"share realized below": below}, "below", 0.001),
            Criterion({"largest distance of the program": error}, "below", 1e-6, digits=12),
        ],
        remark=f"{count} labellings of d = 2 to 8. Nothing is random: the intervals are points.",
    )


def two_balls_free(results: Results) -> Evidence:
    """The least ratio of any pair of balls minus the threshold of the construction."""
    gains = {d: _exact(r["free"] - r["threshold"], 1) for d, r in _balls(results).items()}
    return Evidence([Criterion(gains, "above", -1e-6, digits=4)])


def _balls(results: Results) -> dict[str, Any]:
    if "balls" not in results:
        raise DataError("the cell of the two balls failed")
    return {f"d = {d}": r for d, r in results["balls"]["dimensions"].items()}


def _exact(value: float, count: int) -> Interval:
    return Interval(value, value, value, count, "exact")
