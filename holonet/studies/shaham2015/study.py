"""Shaham, Yamada and Negahban (2015): robust optimization against one step, in three norms."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

from holonet._page import Section, Table
from holonet.attacks import ThreatModel
from holonet.data import Dataset, load_dataset
from holonet.statistics import Interval, mean_interval, paired_difference
from holonet.studies.claims import Claim, Finding, judge_all
from holonet.studies.shaham2015.claims import CLAIMS
from holonet.studies.shaham2015.networks import at_32, attacked, network
from holonet.studies.study import Cell, Result, Study
from holonet.training import EmpiricalRisk, TrainConfig, accuracy, fit
from holonet.training.rules import Rule, shaham

__all__ = ["NETS", "RADII", "Shaham2015", "rule_of"]

RADII: Mapping[str, float] = {"Linf": 0.2, "L1": 2.0, "L2": 2.0}
"""The authors' radii, in units of the normalized data."""

NETS: Mapping[str, str] = {"baseline": "", "l_inf": "Linf", "l_1": "L1", "l_2": "L2"}
"""The four networks, and the set that each was trained against."""

ROBUST = [net for net, norm in NETS.items() if norm]
SHOWN = {norm: net for net, norm in NETS.items() if norm}
SEEDS = 5
FULL = {"epochs": 10, "width": 32, "batch_size": 100, "attacked": 2000, "pgd_steps": 40}
QUICK = {"epochs": 12, "width": 8, "batch_size": 50, "attacked": 200, "pgd_steps": 20}


class Shaham2015(Study):
    """The authors' network and steps: a baseline and three robust networks, attacked by all.

    The quick run has a quarter of the channels, on at most 2000 training images. The full run has
    the authors' network, rate, momentum, L2 penalty and batches on all of the data, but 10 epochs
    unless told: their 120, with 4 networks and 5 seeds, are days of work for two cores.

    References:
        Shaham, Yamada and Negahban (2015).
    """

    name: ClassVar[str] = "shaham2015"
    title: ClassVar[str] = "Robust optimization against one step (Shaham, Yamada, Negahban 2015)"
    claims: ClassVar[tuple[Claim, ...]] = CLAIMS
    notes: ClassVar[tuple[str, ...]] = (
        "The intervals are over seeds of weights and batches, on one training and one test set: "
        "they say nothing about other data.",
        "Three or six intervals stand behind one verdict, each at 95%, and all must agree.",
        "The authors train 120 epochs with a rate that falls by a quarter; here the number of "
        "epochs is among the settings and the rate is constant.",
        "On the bundled digits, 8x8 enlarged to 32x32, the radii of MNIST are not the same threat.",
        "Attacks give upper bounds on robust accuracy, never guarantees.",
    )

    def cells(self, quick: bool) -> Sequence[Cell]:
        """One for each seed and network, the baseline first, whose examples the others see."""
        data = _raw(self.data, quick)
        common: dict[str, Any] = {
            **(QUICK if quick else FULL),
            "lr": 1e-2,
            "momentum": 0.9,
            "weight_decay": 1e-3,
            "radii": dict(RADII),
            "data": data.name,
            "fingerprint": data.fingerprint(),
            "train": len(data.x_train),
            "test": len(data.x_test),
            "quick": quick,
        }
        if self.epochs is not None:
            common["epochs"] = self.epochs
        return [
            Cell(f"{net}-seed{seed}", {"net": net, "seed": seed, **common})
            for seed in range(self.seeds or SEEDS)
            for net in NETS
        ]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """Train one network, attack it, and show it the baseline's examples."""
        settings = cell.settings
        net, seed = settings["net"], settings["seed"]
        data = at_32(_raw(self.data, settings["quick"]))
        train = TrainConfig(
            epochs=settings["epochs"],
            batch_size=settings["batch_size"],
            lr=settings["lr"],
            clip=math.inf,
            optimizer="sgd",
            momentum=settings["momentum"],
            weight_decay=settings["weight_decay"],
            schedule="constant",
            seed=seed,
        )
        model = network(settings["width"], data.num_classes, seed)
        baseline = model
        if NETS[net]:  # before the training, which is in vain where the baseline failed
            baseline = network(settings["width"], data.num_classes, seed)
            own = folder.parent / f"baseline-seed{seed}"
            fit(baseline, data, rule_of(""), train, run_dir=own, resume=True)  # reads it back
        total = train.epochs * -(-len(data.x_train) // train.batch_size)
        records = fit(
            model,
            data,
            rule_of(NETS[net]),
            train,
            run_dir=folder,
            resume=True,
            on_step=lambda step: on_progress(0.8 * step / total),
        )
        return {
            "net": net,
            "seed": seed,
            "clean": accuracy(model, data.x_test, data.y_test),
            "train_loss": records[-1]["train_loss"],
            "train_seconds": records[-1]["seconds"],
            **attacked(
                model,
                baseline,
                data.subset(test=min(settings["attacked"], len(data.x_test))),
                {norm: _threat(norm) for norm in RADII},
                steps=settings["pgd_steps"],
                seed=seed,
            ),
        }

    def conclude(self, results: Mapping[str, Result]) -> Sequence[Finding]:
        """Paired differences over seeds, each claim on its own."""
        findings = []
        for key, intervals in _differences(results).items():
            claimed = "below" if key == "local-stability" else "above"
            verdict, text = judge_all(intervals, claimed, factor=100, unit=" points")
            numbers: dict[str, Any] = {k: asdict(interval) for k, interval in intervals.items()}
            if key == "survives-pgd":
                gaps = {net: _overstatement(results, net) for net in ROBUST}
                numbers |= {f"{net}, one step minus PGD": asdict(gaps[net]) for net in ROBUST}
                shown = (
                    f"{net} {gap.scaled(100).text(unit=' points')}" for net, gap in gaps.items()
                )
                text += f" What one step leaves and PGD breaks: {'; '.join(shown)}."
                numbers["alarms"] = {net: _alarms(results, net) for net in NETS}
                raised = [f"{net} {a}" for net, a in numbers["alarms"].items() if a]
                text += f" PGD's alarms, by examples: {'; '.join(raised) or 'none'}."
            findings.append(Finding(key, verdict, numbers, text))
        return findings

    def figures(self, results: Mapping[str, Result]) -> Mapping[str, Section]:
        """Differences from the baseline with their intervals, and all accuracies in a table."""
        from holonet.plots import plot_intervals

        found = {}
        for key, intervals in _differences(results).items():
            title, what = FIGURES[key]
            points = {name: interval.scaled(100) for name, interval in intervals.items()}
            rows = {name: {what: (i.estimate, i.low, i.high)} for name, i in points.items()}
            found[key] = Section(
                title=title,
                figure=plot_intervals(rows, xlabel=f"{what}, minus the baseline's", reference=0),
                caption="Dots are means over seeds of paired differences, bars 95% intervals "
                "(Student).",
                table=_table(results, TABLES[key]) if key in TABLES else None,
            )
        return found


FIGURES = {
    "trained-attack": ("The attack trained against", "accuracy (points)"),
    "other-attacks": ("The attacks of the other sets", "accuracy (points)"),
    "existing-examples": ("Examples made for the baseline", "accuracy (points)"),
    "clean-accuracy": ("Accuracy without attack", "accuracy (points)"),
    "local-stability": ("How far the probabilities move", "total variation (points)"),
    "survives-pgd": ("Many steps instead of one", "accuracy under PGD (points)"),
}
"""Title and quantity of each claim's figure."""

TABLES = {"other-attacks": "one_step", "survives-pgd": "pgd"}
SHOWN_KIND = {"one_step": "one step", "pgd": "one step and PGD, the worse of both"}


def _raw(data: Dataset | None, quick: bool) -> Dataset:
    data = load_dataset("digits") if data is None else data
    if not quick:
        return data
    return data.subset(train=min(2000, len(data.x_train)), test=min(500, len(data.x_test)))


def rule_of(norm: str) -> Rule:
    """The rule of the network that is trained against a norm; "" is the baseline's."""
    return shaham(_threat(norm)) if norm else EmpiricalRisk()


def _threat(norm: str) -> ThreatModel:
    return ThreatModel(norm, RADII[norm], None)


def _of(results: Mapping[str, Result], net: str) -> dict[int, Result]:
    """The results of one network by seed."""
    return {r["seed"]: r for r in results.values() if r["net"] == net}


def _gain(results: Mapping[str, Result], net: str, quantity: str, norm: str = "") -> Interval:
    """A robust network minus the baseline, over the seeds that both finished."""
    mine, theirs = _of(results, net), _of(results, "baseline")
    seeds = sorted(mine.keys() & theirs.keys())

    def values(of: Mapping[int, Result]) -> list[float]:
        return [of[seed][quantity][norm] if norm else of[seed][quantity] for seed in seeds]

    return paired_difference(values(mine), values(theirs))


def _differences(results: Mapping[str, Result]) -> dict[str, dict[str, Interval]]:
    """What each claim is judged by."""

    def own(quantity: str) -> dict[str, Interval]:
        return {net: _gain(results, net, quantity, NETS[net]) for net in ROBUST}

    return {
        "trained-attack": own("one_step"),
        "other-attacks": {
            f"{net} under {SHOWN[norm]}": _gain(results, net, "one_step", norm)
            for net in ROBUST
            for norm in RADII
            if norm != NETS[net]
        },
        "existing-examples": own("existing"),
        "clean-accuracy": {net: _gain(results, net, "clean") for net in ROBUST},
        "local-stability": own("change"),
        "survives-pgd": own("pgd"),
    }


def _overstatement(results: Mapping[str, Result], net: str) -> Interval:
    """What withstands the network's own one step and not PGD."""
    norm = NETS[net]
    return mean_interval([r["one_step"][norm] - r["pgd"][norm] for r in _of(results, net).values()])


def _alarms(results: Mapping[str, Result], net: str) -> dict[str, int]:
    """For how many examples PGD doubted itself, over seeds and sets."""
    total: Counter[str] = Counter()
    for result in _of(results, net).values():
        total.update(result["alarms"])
    return dict(total)


def _table(results: Mapping[str, Result], kind: str) -> Table:
    """Every network under every attack of a kind, mean over seeds."""
    rows = []
    for net in NETS:
        own = list(_of(results, net).values())
        cells = [_mean([r["clean"] for r in own])]
        cells += [_mean([r[kind][norm] for r in own]) for norm in RADII]
        rows.append([net, *cells])
    return Table(
        headers=["network", "clean %", *(f"{SHOWN[norm]} %" for norm in RADII)],
        rows=rows,
        caption=f"Accuracy under {SHOWN_KIND[kind]}, mean over seeds with the half width of its "
        "95% interval.",
    )


def _mean(fractions: Sequence[float]) -> str | None:
    """The mean in percent; None where every cell failed."""
    if not fractions:
        return None
    interval = mean_interval([100 * fraction for fraction in fractions])
    half = f" ± {interval.high - interval.estimate:.1f}" if interval.is_finite else ""
    return f"{interval.estimate:.1f}{half}"
