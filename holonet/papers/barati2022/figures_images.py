"""Figures of the classifiers of images."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from holonet._page import Section, Table
from holonet.papers.barati2022 import evidence_images
from holonet.papers.barati2022.evidence_images import by_family, pair_matrices
from holonet.statistics import mean_interval
from holonet.studies.results import Results, cells_where

__all__ = [
    "energy_helps",
    "energy_robustness",
    "holomorphic_robust",
    "transfer_data",
    "transfer_distance",
    "transfer_harmonicity",
]


def energy_helps(results: Results) -> Section:
    """Clean and robust accuracy over the weight."""
    from holonet.plots import new_figure
    from holonet.plots.style import add_legend, color, label_axes, marker

    families = by_family(results)
    figure, (ax,) = new_figure(6.0, 3.9)
    for index, (family, networks) in enumerate(families.items()):
        weights = sorted({weight for weight, _ in networks})
        for quantity, line in (("robust", "-"), ("clean", ":")):
            means = [
                100
                * mean_interval([r[quantity] for (v, _), r in networks.items() if v == w]).estimate
                for w in weights
            ]
            label = f"{family}, {quantity}"
            look: dict[str, Any] = {
                "color": color(index),
                "linestyle": line,
                "marker": marker(index),
            }
            ax.plot(range(len(weights)), means, label=label, markersize=4, **look)
        ax.set_xticks(range(len(weights)), [f"{w:g}" for w in weights])
    label_axes(ax, "weight of the Dirichlet energy", "accuracy (%)")
    add_legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return Section(
        title="The weight of the energy",
        figure=figure,
        caption="Clean and robust accuracy (projected gradient ascent on the margin, l_inf), means "
        "over seeds.",
    )


def energy_robustness(results: Results) -> Section:
    """Robust accuracy over the energy."""
    groups = {
        family: [(r["energy"], 100 * r["robust"]) for r in networks.values()]
        for family, networks in by_family(results).items()
    }
    energy = "Dirichlet energy of the logits on test data"
    return Section(
        title="Energy against robustness",
        figure=_scatter(groups, energy, "robust accuracy (%)", xscale="log"),
        caption="One point for each network.",
    )


def holomorphic_robust(results: Results) -> Section:
    """Robust accuracy over clean accuracy."""
    groups = {
        family: [(100 * r["clean"], 100 * r["robust"]) for r in networks.values()]
        for family, networks in by_family(results).items()
    }
    return Section(
        title="Families of one size",
        figure=_scatter(groups, "clean accuracy (%)", "robust accuracy (%)"),
        caption="One point for each network; up and to the right is better.",
    )


def transfer_distance(results: Results) -> Section:
    """Transfer rates over the distance of logits, and the control."""
    return Section(
        title="Distance of logit functions against transfer",
        figure=_pairs(results, "logit_distance", "distance of the logit functions"),
        caption="One point for each ordered pair of different networks. Pairs that share a network "
        "are not independent.",
        table=_control(results),
    )


def transfer_harmonicity(results: Results) -> Section:
    """Transfer rates over the mean value defect."""
    return Section(
        title="Harmonicity against transfer",
        figure=_pairs(results, "defect", "mean of both mean value defects", xscale="log"),
        caption="One point for each ordered pair of different networks. The defect is over the "
        "real coordinates of the data.",
    )


def transfer_data(results: Results) -> Section:
    """All correlations with their intervals."""
    from holonet.plots import new_figure, plot_intervals

    rows = {}
    for evidence_of in (
        evidence_images.transfer_distance,
        evidence_images.transfer_harmonicity,
        evidence_images.transfer_data,
    ):
        for name, interval in evidence_of(results).intervals.items():
            rows[name] = {"correlation": (interval.estimate, *interval.ends)}
    ax = new_figure(9.5, 1.1 + 0.36 * len(rows))[1][0]
    what = "Spearman's correlation with the rate"
    return Section(
        title="All predictors of transfer",
        figure=plot_intervals(rows, ax=ax, xlabel=what, reference=0),
        caption="Dots are correlations over ordered pairs, bars 95% bootstrap intervals over "
        "networks.",
    )


def _pairs(results: Results, predictor: str, shown: str, xscale: str = "linear") -> Any:
    """Rates against a predictor, pairs of one family apart from the others."""
    pairs = pair_matrices(results)
    (result,) = cells_where(results, part="transfer")
    family = [network["family"] for network in result["networks"]]
    groups: dict[str, list[tuple[float, float]]] = {}
    for i, source in enumerate(family):
        for j, target in enumerate(family):
            if i != j:
                name = f"within {source}" if source == target else "across families"
                point = float(pairs[predictor][i, j]), 100 * float(pairs["rate"][i, j])
                groups.setdefault(name, []).append(point)
    ordered = dict(sorted(groups.items()))
    return _scatter(ordered, shown, "transfer rate (%)", xscale=xscale, size=3)


def _control(results: Results) -> Table:
    """Rates by family and rule of the source, with the control."""
    (result,) = cells_where(results, part="transfer")
    rates = torch.tensor(result["rates"], dtype=torch.float64)
    control = torch.tensor(result["control"], dtype=torch.float64)
    groups: dict[tuple[str, float], list[int]] = {}
    for k, network in enumerate(result["networks"]):
        groups.setdefault((network["family"], network["weight"]), []).append(k)
    rows = []
    for (family, weight), members in groups.items():
        rest = _others(rates, members)
        rows.append(
            [
                family,
                weight,
                f"{100 * float(rates.diagonal()[members].mean()):.1f}",
                f"{100 * float(rest.mean()):.1f}",
                f"{100 * float(_others(rates.mT, members).mean()):.1f}",
                f"{100 * float(control[members].mean()):.1f}",
            ]
        )
    return Table(
        headers=[
            "family",
            "weight",
            "falls to its own %",
            "fools others %",
            "is fooled by others %",
            "control %",
        ],
        rows=rows,
        caption=f"{len(rates)} networks, {result['examples']} examples that all classify "
        f"correctly. Control: random signs of the same size. Alarms: "
        f"{'; '.join(result['alarms']) or 'none'}.",
    )


def _others(rates: Tensor, members: list[int]) -> Tensor:
    """The rows of the members without the diagonal."""
    off = ~torch.eye(len(rates), dtype=torch.bool)
    return rates[members][off[members]]


def _scatter(
    groups: Mapping[str, Sequence[tuple[float, float]]],
    xlabel: str,
    ylabel: str,
    *,
    xscale: str = "linear",
    size: float | int = 5,
) -> Any:
    from holonet.plots import new_figure
    from holonet.plots.style import add_legend, color, label_axes, marker

    figure, (ax,) = new_figure(6.4, 3.9)
    for index, (name, points) in enumerate(groups.items()):
        x, y = zip(*points, strict=True)
        look: dict[str, Any] = {"linestyle": "none", "color": color(index), "marker": marker(index)}
        ax.plot(x, y, label=name, markersize=size, alpha=0.7, **look)
    ax.set_xscale(xscale)
    label_axes(ax, xlabel, ylabel)
    add_legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
