"""Differences between the robust networks and the baseline, as evidence and as figures."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from holonet._page import Table
from holonet.statistics import Interval, mean_interval
from holonet.studies.evidence import Criterion, Evidence, Side, paired_by_seed
from holonet.studies.results import Results, by_seed, cells_where

__all__ = [
    "NETS", "RADII", "accuracies", "clean", "each_lies", "other_sets", "own_set", "survives_pgd",
]  # fmt: skip

RADII: Mapping[str, float] = {"Linf": 0.2, "L1": 2.0, "L2": 2.0}
"""The authors' radii, in units of the normalized data."""

NETS: Mapping[str, str] = {"baseline": "", "l_inf": "Linf", "l_1": "L1", "l_2": "L2"}
"""The four networks, and the set that each was trained against."""

ROBUST = [net for net, norm in NETS.items() if norm]
NET_OF = {norm: net for net, norm in NETS.items() if norm}
ATTACKS = {"one_step": "one step", "pgd": "one step and PGD, the worse of both"}

Gains = Callable[[Results], dict[str, Interval]]


def own_set(quantity: str) -> Gains:
    """Each robust network minus the baseline, in the network's own set."""
    return lambda results: {net: _gain(results, net, quantity, NETS[net]) for net in ROBUST}


def other_sets(results: Results) -> dict[str, Interval]:
    """Each robust network minus the baseline under one step, in the other two sets."""
    return {
        f"{net} under {NET_OF[norm]}": _gain(results, net, "one_step", norm)
        for net in ROBUST
        for norm in RADII
        if norm != NETS[net]
    }


def clean(results: Results) -> dict[str, Interval]:
    """Each robust network minus the baseline, without attack."""
    return {net: _gain(results, net, "clean") for net in ROBUST}


def each_lies(gains: Gains, side: Side = "above") -> Callable[[Results], Evidence]:
    """All differences must lie on one side of 0."""
    return lambda results: Evidence([_points(gains(results), side)])


def survives_pgd(results: Results) -> Evidence:
    """Accuracy under PGD; beside it what one step leaves and PGD breaks, and PGD's alarms."""
    gaps = {f"{net}, one step minus PGD": _overstatement(results, net) for net in ROBUST}
    gap_texts = (f"{name}: {gap.scaled(100).text(unit=' points')}" for name, gap in gaps.items())
    alarms = [f"{net} {a}" for net in NETS if (a := _alarms(results, net))]
    return Evidence(
        [_points(own_set("pgd")(results), "above")],
        gaps,
        f"Beside it: {'; '.join(gap_texts)}. PGD's alarms, by examples: "
        f"{'; '.join(alarms) or 'none'}.",
    )


def _points(intervals: Mapping[str, Interval], side: Side) -> Criterion:
    return Criterion(intervals, side, factor=100, unit=" points", digits=1)


def _gain(results: Results, net: str, *quantity: str) -> Interval:
    """A robust network minus the baseline, over the seeds that both finished."""
    return paired_by_seed(*(by_seed(results, *quantity, net=n) for n in (net, "baseline")))


def _overstatement(results: Results, net: str) -> Interval:
    """What withstands the network's own one step and not PGD."""
    norm = NETS[net]
    return mean_interval(
        [r["one_step"][norm] - r["pgd"][norm] for r in cells_where(results, net=net)]
    )


def _alarms(results: Results, net: str) -> dict[str, int]:
    """The number of examples with each alarm of PGD, over seeds and sets."""
    total: Counter[str] = Counter()
    for result in cells_where(results, net=net):
        total.update(result["alarms"])
    return dict(total)


def accuracies(attack: str) -> Callable[[Results], Table]:
    """Every network under every attack of a kind, mean over seeds."""

    def table(results: Results) -> Table:
        rows = []
        for net in NETS:
            paths = [("clean",), *((attack, norm) for norm in RADII)]
            columns = (by_seed(results, *path, net=net) for path in paths)
            rows.append([net, *(_mean([*column.values()]) for column in columns)])
        return Table(
            headers=["network", "clean %", *(f"{NET_OF[norm]} %" for norm in RADII)],
            rows=rows,
            caption=f"Accuracy under {ATTACKS[attack]}, mean over seeds with the half width of its "
            "95% interval.",
        )

    return table


def _mean(fractions: Sequence[float]) -> str | None:
    """The mean in percent; None where every cell failed."""
    if not fractions:
        return None
    interval = mean_interval([100 * fraction for fraction in fractions])
    half = f" ± {interval.high - interval.estimate:.1f}" if interval.is_finite else ""
    return f"{interval.estimate:.1f}{half}"
