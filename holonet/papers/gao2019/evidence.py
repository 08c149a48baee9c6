"""What the cells say about each claim: intervals over seeds."""

import math
from collections.abc import Callable, Mapping
from functools import reduce
from operator import getitem
from typing import Any

import numpy as np

from holonet.errors import DataError
from holonet.papers.gao2019.networks import KINDS
from holonet.statistics import Interval, mean_interval, wilson_interval
from holonet.studies.claims import Results
from holonet.studies.evidence import Criterion, Evidence, paired_by_seed

__all__ = [
    "TRAINED",
    "any_attacker",
    "capacity_complex",
    "capacity_polynomial",
    "capacity_ratio",
    "complex_lazy",
    "kernel_definite",
    "kernel_limit",
    "lazy",
    "mean",
    "near_zero",
    "over_seeds",
    "sizes",
    "surrogate_optimal",
    "two_balls",
    "two_balls_free",
]

TRAINED = ("relu", "x^2", "sin x", "sin z")
UNIVERSAL = ("relu", "sin x", "sin z")  # whose width adds to what they can fit
TOLERANCE = 0.05  # of losses, whose value at the start is log 2
ZERO = 0.1  # below which a loss is called near zero
SAME = 0.02  # below which losses are called equal


def over_seeds(results: Results, *path: str, **where: Any) -> dict[int, Any]:
    """What lies at a path in the results, of each seed for which all that is given holds."""
    cells = (r for r in results.values() if all(r.get(k) == v for k, v in where.items()))
    return {r["seed"]: reduce(getitem, path, r) for r in cells}


def mean(results: Results, *path: str, **where: Any) -> Interval:
    """The mean of that over seeds."""
    return mean_interval([*over_seeds(results, *path, **where).values()])


def sizes(results: Results, part: str, name: str) -> list[int]:
    """All widths, or numbers of examples, of a part; at least one.

    Raises:
        DataError: no cell of that part is left.
    """
    values = sorted({r[name] for r in results.values() if r["part"] == part})
    if not values:
        raise DataError(f"no cell of the part {part!r} is left")
    return values


def surrogate_optimal(results: Results) -> Evidence:
    """Training against ten steps, in balls of two radii."""
    gaps = {f"{n}, radius {r}": _gap(results, n, 10, r) for r in ("5", "15") for n in TRAINED}
    return Evidence([Criterion(gaps, "below", TOLERANCE, digits=3)])


def any_attacker(results: Results) -> Evidence:
    """Training on clean points, and against a single step."""
    names = {0: "no attack", 1: "one step"}
    gaps = {
        f"{network}, {name}": _gap(results, network, attack, "15")
        for attack, name in names.items()
        for network in TRAINED
    }
    return Evidence(
        [Criterion(gaps, "below", TOLERANCE, digits=3)],
        remark="A gap far below 0 is what a weak attacker gets: a small loss at its own points.",
    )


def near_zero(results: Results) -> Evidence:
    """Robust loss of the widest networks; beside it that of the narrowest."""
    widths = sizes(results, "training", "width")
    narrowest, widest = (
        {n: mean(results, "robust_loss", str(w), part="wide", network=n) for n in UNIVERSAL}
        for w in (widths[0], widths[-1])
    )
    text = "; ".join(f"{network} {interval.text(3)}" for network, interval in narrowest.items())
    return Evidence(
        [Criterion(widest, "below", ZERO, digits=3)],
        remark=f"Width {widths[-1]}. At width {widths[0]}: {text}.",
    )


def lazy(results: Results) -> Evidence:
    """Exponents in the width: of the weights' movement in the largest ball, of the kernel's."""
    exponents = {}
    for kind, path in {"weights": ("moved", "60"), "kernel": ("kernel_moved", "15")}.items():
        for network in TRAINED:
            where = {"part": "training", "network": network, "attack": 10}
            curves = {
                width: over_seeds(results, *path, width=width, **where)
                for width in sizes(results, "training", "width")
            }
            seeds = set.intersection(*(set(curve) for curve in curves.values()))
            exponents[f"{network}, {kind}"] = mean_interval(
                [_exponent({width: curve[s] for width, curve in curves.items()}) for s in seeds]
            )
    return Evidence([Criterion(exponents, "below", -0.25)])


def kernel_limit(results: Results) -> Evidence:
    """How far the exponents of the distance in the width are from -1/2, over seeds."""
    misses, exponents = {}, {}
    for network in KINDS:
        curves = over_seeds(results, "distance", part="kernel", network=network)
        of = [_exponent(curve) for curve in curves.values()]
        misses[network] = mean_interval([abs(exponent + 0.5) for exponent in of])
        exponents[network] = mean_interval(of)
    text = "; ".join(f"{network} {i.text(2)}" for network, i in exponents.items())
    return Evidence(
        [Criterion(misses, "below", 0.15)], exponents, f"The exponents themselves: {text}."
    )


def kernel_definite(*networks: str) -> Callable[[Results], Evidence]:
    """Share of positive eigenvalues at more points than quadratic forms have dimensions."""

    def read(results: Results) -> Evidence:
        ranks = {n: mean(results, "rank", part="kernel", network=n) for n in networks}
        return Evidence([Criterion(ranks, "above", 0.999, digits=3)])

    return read


def complex_lazy(results: Results) -> Evidence:
    """Absolute differences in robust loss between sin z and sin x, in balls of two radii."""
    where = {"part": "training", "width": sizes(results, "training", "width")[-1], "attack": 10}
    differences = {}
    for radius in ("5", "15"):
        z, x = (
            over_seeds(results, "robust", radius, network=network, **where)
            for network in ("sin z", "sin x")
        )
        differences[f"radius {radius}"] = mean_interval([abs(z[s] - x[s]) for s in z if s in x])
    z, x = (
        mean(results, "kernel_moved", "15", network=network, **where).text(2)
        for network in ("sin z", "sin x")
    )
    return Evidence(
        [Criterion(differences, "below", SAME, digits=3)],
        remark=f"Relative movement of the kernel at radius 15: sin z {z}, sin x {x}.",
    )


def capacity_ratio(results: Results) -> Evidence:
    """Doublings of width between a standard and a robust fit."""
    counts, of = sizes(results, "capacity", "examples"), {}
    for n in counts:
        for network in UNIVERSAL:
            where = {"part": "capacity", "network": network, "examples": n}
            of[f"{network}, {n} examples"] = paired_by_seed(
                _logarithms(results, "robust", **where), _logarithms(results, "standard", **where)
            )
    most = {name: i for name, i in of.items() if f" {counts[-1]} " in name}
    factors = "; ".join(f"{name} {2**interval.estimate:.1f}" for name, interval in of.items())
    return Evidence([Criterion(most, "above", unit=" doublings")], remark=f"As factors: {factors}.")


def capacity_polynomial(results: Results) -> Evidence:
    """Seeds on which some width of x^2 fits balls around more points than it has dimensions."""
    where = {"network": "x^2", "examples": sizes(results, "capacity", "examples")[-1]}
    cap = sizes(results, "capacity", "cap")[-1]
    widths = over_seeds(results, "robust", part="capacity", **where).values()
    share = wilson_interval(sum(width <= cap for width in widths), len(widths))
    return Evidence([Criterion({"share of seeds": share}, "above", 0.5)])


def capacity_complex(results: Results) -> Evidence:
    """Doublings of real parameters from sin x to sin z, for a robust fit."""
    of = {}
    for n in sizes(results, "capacity", "examples"):
        z, x = (
            _logarithms(results, "robust", part="capacity", network=network, examples=n)
            for network in ("sin z", "sin x")
        )
        # a complex weight is two real parameters
        of[f"{n} examples"] = paired_by_seed({seed: 1 + value for seed, value in z.items()}, x)
    return Evidence([Criterion(of, "below", unit=" doublings")])


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


def _gap(results: Results, network: str, attack: int, radius: str) -> Interval:
    """Least surrogate loss minus the lower bound of the optimum, from the ten-step attack's run."""
    width = sizes(results, "training", "width")[-1]
    where = {"part": "training", "network": network, "width": width}
    return paired_by_seed(
        over_seeds(results, "surrogate", radius, attack=attack, **where),
        over_seeds(results, "lower", radius, attack=10, **where),
    )


def _logarithms(results: Results, name: str, **where: Any) -> dict[int, float]:
    return {seed: math.log2(width) for seed, width in over_seeds(results, name, **where).items()}


def _exponent(curve: Mapping[Any, float]) -> float:
    """The slope of the logarithm over that of the width."""
    if min(curve.values()) <= 0:
        raise DataError(f"an exponent needs positive numbers, and there are {dict(curve)}")
    widths = np.log([int(width) for width in curve])
    return float(np.polyfit(widths, np.log([*curve.values()]), 1)[0])


def _balls(results: Results) -> dict[str, Any]:
    if "balls" not in results:
        raise DataError("the cell of the two balls failed")
    return {f"d = {d}": r for d, r in results["balls"]["dimensions"].items()}


def _exact(value: float, count: int) -> Interval:
    return Interval(value, value, value, count, "exact")
