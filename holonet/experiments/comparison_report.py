"""The page of a comparison: accuracies, differences, and a curve for every row."""

from collections.abc import Mapping, Sequence
from typing import Any

from holonet._page import Cell, Report, Section, Table
from holonet.experiments.comparison import Outcome
from holonet.experiments.protocol import Protocol
from holonet.experiments.tables import labels_of, norm_in_words, places_searched
from holonet.plots import plot_robustness
from holonet.plots.attacks import curve_of

__all__ = ["comparison_report"]

ATTACKS = {"pgd": "PGD", "strong": "holonet's ensemble", "autoattack": "AutoAttack"}


def comparison_report(
    outcomes: Sequence[Outcome],
    protocol: Protocol,
    accuracies: Table,
    differences: Sequence[Table],
    facts: Mapping[str, Cell],
) -> Report:
    """The report.

    Args:
        outcomes: of `compare`.
        protocol: the attack on all.
        accuracies: of `accuracy_table`, the headline.
        differences: of `difference_table` and `pairs_table`, as far as there are some.
        facts: command, data, versions.
    """
    networks = dict.fromkeys(label.rsplit(", ", 1)[0] for label in labels_of(outcomes))
    sections = [Section("Differences", table=table) for table in differences]
    eps, norm = max(protocol.eps), norm_in_words(protocol.threat.norm)
    means = {label: _mean(outcomes, label, eps) for label in labels_of(outcomes)}
    best = max(means, key=means.__getitem__)
    return Report(
        title="Networks and training rules compared",
        summary=f"Under {ATTACKS[protocol.attack]} with radius {eps:g} ({norm}) {best} keeps most "
        f"of the {outcomes[0].curve[0].examples} attacked test examples: {means[best]:.1%}, the "
        f"mean over seeds. All networks were trained by one schedule.",
        headline=accuracies,
        sections=[*sections, *(_section(outcomes, network, protocol) for network in networks)],
        notes=[
            *places_searched(outcomes),
            "Accuracy under an attack is an upper bound on robust accuracy, not a guarantee.",
            "Times of training are those of this machine, with all that ran beside.",
        ],
        facts=facts,
        numbers={
            "facts": dict(facts),
            "cells": {f"{o.label}, seed {o.seed}": o.to_json() for o in outcomes},
        },
    )


def _section(outcomes: Sequence[Outcome], network: str, protocol: Protocol) -> Section:
    curves = {
        rule: _curve([o for o in outcomes if o.label == f"{network}, {rule}"])
        for rule in dict.fromkeys(
            o.label.rsplit(", ", 1)[1] for o in outcomes if o.label.rsplit(", ", 1)[0] == network
        )
    }
    norm = norm_in_words(protocol.threat.norm)
    return Section(
        title=network,
        figure=plot_robustness(protocol.eps, curves, xlabel=f"eps ({norm})"),
        caption=f"Accuracy under {ATTACKS[protocol.attack]} against its radius. The band of one "
        "seed is Wilson's interval at 95%, that of several the range of their accuracies.",
    )


def _curve(own: Sequence[Outcome]) -> tuple[Any, Any, Any]:
    if len(own) == 1:
        return curve_of(own[0].curve)
    columns = list(zip(*([p.accuracy for p in o.curve] for o in own), strict=True))
    means = [sum(column) / len(column) for column in columns]
    return means, [min(column) for column in columns], [max(column) for column in columns]


def _mean(outcomes: Sequence[Outcome], label: str, eps: float) -> float:
    own = [o.at(eps).accuracy for o in outcomes if o.label == label]
    return sum(own) / len(own)
