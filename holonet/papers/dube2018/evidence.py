"""Slopes over resolution, and shares of minima and of saddles, as evidence."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from holonet.errors import DataError
from holonet.papers.dube2018.matrices import ORDERS, positive_probability
from holonet.statistics import Interval, bootstrap_interval, mean_interval, wilson_interval
from holonet.studies.evidence import Criterion, Evidence
from holonet.studies.results import Result, Results, cells_where

__all__ = [
    "RATE", "best_linear", "cells_of", "holomorphic_index", "input_points", "matrices",
    "norm_table", "pairs", "rate", "real_inputs", "weight_points", "weights",
]  # fmt: skip

RATE = -0.45
"""The slope of log norm over log n that counts as 1/sqrt(n) lies below it."""

MANY = 20  # seeds from which on the bootstrap's interval is long enough

NormTable = dict[str, tuple[list[int], list[list[float]]]]
"""Name -> n, and the mean Euclidean norms at each n, a row for each seed."""

Points = dict[str, list[tuple[int, int]]]
"""Name -> (index, dimension) of each critical point."""


def cells_of(results: Results, part: str, images: str = "", **wanted: str) -> list[Result]:
    """The results of a part of the study, on these images if any are given.

    Raises:
        DataError: there are none.
    """
    wanted |= {"images": images} if images else {}
    if not (cells := cells_where(results, part=part, **wanted)):
        raise DataError(f"no result of the part {part!r} is left")
    return cells


def norm_table(results: Results, part: str, images: str = "") -> NormTable:
    """The measured norms of a part by condition, family or spectrum."""
    table: NormTable = {}
    for cell in cells_of(results, part, images):
        named = {cell["family"]: cell["norms"]} if part == "trained" else cell["norms"]
        for name, norms in named.items():
            table.setdefault(name, (cell["n"], []))[1].append(norms)
    return table


def _slopes(table: NormTable, *, rms: bool = True, bootstrap: bool = False) -> dict[str, Interval]:
    """The mean over seeds of the slope of log norm over log n, by name.

    The interval is Student's; the bootstrap's over seeds where it is wanted or seeds are many.
    """
    intervals = {}
    for name, (n, rows) in table.items():
        slopes = np.polyfit(np.log(n), (np.log(rows) - rms * np.log(n) / 2).T, 1)[0]
        intervals[name] = mean_interval(slopes.tolist())
        if len(slopes) >= MANY or (bootstrap and len(slopes) > 1):
            intervals[name] = bootstrap_interval(lambda s: s.mean((-2, -1)), slopes[:, None])
    return intervals


def rate(part: str, *kinds: str, rms: bool = True) -> Callable[[Results], Evidence]:
    """Slopes of a part, on each kind of images; how tight the search was."""

    def evidence(results: Results) -> Evidence:
        slopes, beside, remarks = {}, {}, []
        for images in kinds or ("",):
            table, shown = norm_table(results, part, images), f", {images}" * bool(images)
            slopes |= {f"{k}{shown}": i for k, i in _slopes(table, rms=rms).items()}
            boot = _slopes(table, rms=rms, bootstrap=True)
            beside |= {f"{k}{shown}, bootstrap over seeds": i for k, i in boot.items()}
            remarks.append(_search(cells_of(results, part, images), images or part))
        return Evidence([Criterion(slopes, "below", RATE)], beside, " ".join(remarks))

    return evidence


def _search(cells: Sequence[Result], title: str) -> str:
    """What a longer search gains, and how far the search is from the closed form."""
    values: dict[str, list[float]] = {}
    for cell in cells:
        for name, value in cell["search"].items():
            values.setdefault(name, []).append(100 * value)
    errors = values.pop("hyperplane", [])
    gains = {name: mean_interval(gain) for name, gain in values.items()}
    closed = f" Largest error against the closed form: {max(errors):.2f}%." if errors else ""
    missing = sum(sum(cell.get("missing", [])) for cell in cells)
    lost = f" Perturbations not found: {missing}." if missing else ""
    return f"Percent that three times the steps gain, {_listed(title, gains)}{closed}{lost}"


def _listed(title: str, intervals: Mapping[str, Interval]) -> str:
    return f"{title}: {'; '.join(f'{name} {i.text(2)}' for name, i in intervals.items())}."


def best_linear(results: Results) -> Evidence:
    """RMS slopes of the best linear classifier: near 0 on rough fields, near -1/2 on smooth."""
    slopes = _slopes(norm_table(results, "best-linear"))
    tests = []
    for name, low, high in (("rough", -0.1, 0.1), ("smooth", -0.6, -0.4)):
        tests.append(Criterion({f"{name}, above {low}": slopes[name]}, "above", low))
        tests.append(Criterion({f"{name}, below {high}": slopes[name]}, "below", high))
    return Evidence(tests)


def matrices(results: Results) -> Evidence:
    """Minima among minima and saddles of each order; beside it what is positive definite."""
    shares, positive, exact = {}, {}, []
    for n in ORDERS[1:]:
        counts = np.sum([cell["counts"][str(n)] for cell in cells_of(results, "matrices")], 0)
        minima, total = int(counts[0]), int(counts.sum())
        shares[f"n = {n}"] = wilson_interval(minima, total - int(counts[-1]))
        p = positive[f"positive definite, n = {n}"] = wilson_interval(minima, total)
        inside = "inside" if p.low <= positive_probability(n) <= p.high else "outside"
        ends = f"{p.estimate:.2g} ({p.low:.2g} to {p.high:.2g})"
        exact.append(f"n = {n}: {ends}, exactly {positive_probability(n):.3g}, {inside}")
    remark = f"Positive definite: {'; '.join(exact)}."
    return Evidence([Criterion(shares, "below", 0.5, digits=4)], positive, remark)


def input_points(results: Results, space: str) -> Points:
    """All critical points in the input, by family."""
    points: Points = {}
    for cell in cells_of(results, "inputs"):
        for s in cell["searches"]:
            indices = s["indices"] if s["space"] == space else []
            points.setdefault(cell["family"], []).extend((k, s["dimension"]) for k in indices)
    return points


def weight_points(results: Results, origin: str) -> Points:
    """All critical points in the weights from starts of this origin, by family."""
    points: Points = {}
    for cell in cells_of(results, "weights"):
        own = [(p["index"], cell["dimension"]) for p in cell["points"] if p["origin"] == origin]
        points.setdefault(cell["family"], []).extend(own)
    return points


def _shares(points: Points, *, of_minima: bool) -> dict[str, Interval]:
    """Minima among minima and saddles, or points of half the index among all."""
    shares = {}
    for name, found in points.items():
        chosen = (
            [k == 0 for k, d in found if k < d] if of_minima else [2 * k == d for k, d in found]
        )
        if not chosen:
            raise DataError(f"no critical point of {name} is left")
        shares[f"{name}, {len(chosen)} points"] = wilson_interval(sum(chosen), len(chosen))
    return shares


def weights(results: Results) -> Evidence:
    """Minima among critical points met from random starts; beside it from starts near minima."""
    shares = _shares(weight_points(results, "random"), of_minima=True)
    control = _shares(weight_points(results, "near a minimum"), of_minima=True)
    beside = {f"near minima: {name}": share for name, share in control.items()}
    return Evidence([Criterion(shares, "below", 0.5)], beside, _listed("Near minima", control))


def real_inputs(results: Results) -> Evidence:
    """Minima among critical points on R^n."""
    shares = _shares(input_points(results, "R^n"), of_minima=True)
    return Evidence([Criterion(shares, "below", 0.5)])


def holomorphic_index(results: Results) -> Evidence:
    """Points of index n on C^n; beside it those of index d/2 on R^d."""
    shares = _shares(input_points(results, "C^n"), of_minima=False)
    control = _shares(input_points(results, "R^n"), of_minima=False)
    beside = {f"R^d: {name}": share for name, share in control.items()}
    remark = _listed("Control, index d/2 on R^d", control)
    return Evidence([Criterion(shares, "above", 0.9)], beside, remark)


def pairs(results: Results) -> Evidence:
    """Log10 of |lowest + highest| eigenvalue over the larger one; beside it that on R^n."""
    logs: dict[str, dict[str, list[float]]] = {"C^n": {}, "R^n": {}}
    for cell in cells_of(results, "inputs"):
        for s in cell["spectra"]:
            gap = abs(s["low"] + s["high"]) / max(abs(s["low"]), abs(s["high"]))
            logs[s["space"]].setdefault(cell["family"], []).append(math.log10(max(gap, 1e-17)))
    on = {space: {f: mean_interval(v) for f, v in own.items()} for space, own in logs.items()}
    beside = {f"R^n: {family}": i for family, i in on["R^n"].items()}
    remark = _listed("Control on R^n", on["R^n"])
    return Evidence([Criterion(on["C^n"], "below", -6, digits=1)], beside, remark)
