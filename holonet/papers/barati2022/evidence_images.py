"""What classifiers of images say about energy, robustness and transfer."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from holonet.errors import DataError
from holonet.statistics import (
    Interval,
    mean_interval,
    node_effects,
    pair_correlation,
    paired_difference,
    rank_correlation_interval,
)
from holonet.studies.evidence import Criterion, Evidence
from holonet.studies.results import Result, Results, cells_where

__all__ = [
    "FEWEST_NETWORKS",
    "by_family",
    "energy_helps",
    "energy_robustness",
    "holomorphic_robust",
    "pair_matrices",
    "transfer_data",
    "transfer_distance",
    "transfer_harmonicity",
]

FEWEST_NETWORKS = 12
"""Without which nothing is said about transfer."""

LEVELS = 5  # of clean accuracy, on which families are compared
LEVEL_SPAN = 0.05  # from the best that both families reach downwards


Networks = Mapping[tuple[float, int], Result]
"""(weight, seed) -> the result of a network."""


def by_family(results: Results) -> dict[str, dict[tuple[float, int], Result]]:
    """The networks of the range of weights as family -> (weight, seed) -> result.

    Raises:
        DataError: there are none.
    """
    families: dict[str, dict[tuple[float, int], Result]] = defaultdict(dict)
    for result in cells_where(results, part="energy"):
        families[result["family"]][result["weight"], result["seed"]] = result
    if not families:
        raise DataError("no network of the range of weights is left")
    return families


def _over_weights(networks: Networks, seed: int) -> float:
    """Mean robust accuracy over the positive weights."""
    values = [r["robust"] for (weight, s), r in networks.items() if s == seed and weight > 0]
    return sum(values) / len(values)


def _complete_seeds(networks: Networks) -> list[int]:
    """The seeds with which every weight is there."""
    weights = {weight for weight, _ in networks}
    seeds = {seed for _, seed in networks}
    return sorted(s for s in seeds if all((w, s) in networks for w in weights))


def energy_helps(results: Results) -> Evidence:
    """Mean robust accuracy over positive weights, minus that at weight 0."""
    gained, cost = {}, {}
    for family, networks in by_family(results).items():
        seeds = _complete_seeds(networks)
        without = [networks[0.0, s]["robust"] for s in seeds]
        gained[family] = paired_difference([_over_weights(networks, s) for s in seeds], without)
        strongest = max(weight for weight, _ in networks)
        cost[f"{family}, clean accuracy at weight {strongest:g} minus at 0"] = paired_difference(
            [networks[strongest, s]["clean"] for s in seeds],
            [networks[0.0, s]["clean"] for s in seeds],
        )
    return Evidence([Criterion(gained, "above", factor=100, unit=" points", digits=1)], cost)


def energy_robustness(results: Results) -> Evidence:
    """Rank correlation of log energy with robust accuracy."""
    everything = by_family(results)
    correlations = {
        family: _correlation(list(networks.values())) for family, networks in everything.items()
    }
    pooled = [r for networks in everything.values() for r in networks.values()]
    best = {
        family: max(networks, key=lambda k, of=networks: of[k]["robust"])[0]
        for family, networks in everything.items()
    }
    shown = ", ".join(f"{family} {weight:g}" for family, weight in best.items())
    return Evidence(
        [Criterion(correlations, "below")],
        {"all families": _correlation(pooled)},
        f"All families together: {_correlation(pooled).text(2)}. Weights of the most robust "
        f"network: {shown}.",
    )


def _correlation(networks: Sequence[Result]) -> Interval:
    energies = [math.log(max(r["energy"], 1e-30)) for r in networks]
    return rank_correlation_interval(energies, [r["robust"] for r in networks])


def holomorphic_robust(results: Results) -> Evidence:
    """Against both real families, at equal rule and at equal clean accuracy."""
    everything = by_family(results)
    holomorphic = everything.pop("holomorphic", None)
    if holomorphic is None:
        raise DataError("no holomorphic network is left")
    same_rule, same_clean = {}, {}
    for family, real in everything.items():
        seeds = sorted(set(_complete_seeds(holomorphic)) & set(_complete_seeds(real)))
        same_rule[f"minus {family}, equal rule"] = paired_difference(
            [_over_weights(holomorphic, s) for s in seeds], [_over_weights(real, s) for s in seeds]
        )
        gaps = [_gap_of_fronts(holomorphic, real, s) for s in seeds]
        same_clean[f"minus {family}, equal clean accuracy"] = mean_interval(gaps)
    options: Any = {"factor": 100, "unit": " points", "digits": 1}
    return Evidence(
        [Criterion(same_rule, "above", **options), Criterion(same_clean, "above", **options)]
    )


def _gap_of_fronts(holomorphic: Networks, real: Networks, seed: int) -> float:
    """How much more robust accuracy is to be had at the same clean accuracy, in the mean."""
    families = [[r for (_, s), r in of.items() if s == seed] for of in (holomorphic, real)]
    top = min(max(r["clean"] for r in family) for family in families)
    gaps = []
    for k in range(LEVELS):
        level = top - LEVEL_SPAN * k / (LEVELS - 1)
        best = [max(r["robust"] for r in f if r["clean"] >= level - 1e-12) for f in families]
        gaps.append(best[0] - best[1])
    return sum(gaps) / LEVELS


def pair_matrices(results: Results) -> dict[str, Float[Tensor, "networks networks"]]:
    """Everything about pairs of networks, sources in rows, targets in columns.

    Returns:
        rate; logit_distance, probability_distance, cosine; defect: mean of both;
        defect_difference and energy_difference (of logarithms); shared: whether both saw the same
        half; source and target: how often each network falls to its own attack.

    Raises:
        DataError: there are fewer than `FEWEST_NETWORKS`.
    """
    cells = cells_where(results, part="transfer")
    if not cells or len(cells[0]["networks"]) < FEWEST_NETWORKS:
        count = len(cells[0]["networks"]) if cells else 0
        raise DataError(f"{count} networks are left, and {FEWEST_NETWORKS} are needed")
    (result,) = cells
    networks = result["networks"]
    rate = torch.tensor(result["rates"], dtype=torch.float64)
    own = rate.diagonal()
    defect = torch.tensor([n["defect"] for n in networks], dtype=torch.float64)
    energy = torch.tensor([n["energy"] for n in networks], dtype=torch.float64).log()
    half = torch.tensor([n["half"] for n in networks])
    return {
        "rate": rate,
        **{
            name: torch.tensor(result[name], dtype=torch.float64)
            for name in ("logit_distance", "probability_distance", "cosine")
        },
        "defect": (defect[:, None] + defect) / 2,
        "defect_difference": (defect[:, None] - defect).abs(),
        "energy_difference": (energy[:, None] - energy).abs(),
        "shared": (half[:, None] == half).double(),
        "source": own[:, None].expand_as(rate),
        "target": own.expand_as(rate),
    }


def _transfer(
    predictor: str,
    shown: str,
    side: Literal["above", "below"],
    others: Mapping[str, str],
    also_fixed: str,
    also_shown: str,
) -> Callable[[Results], Evidence]:
    """Evidence on a predictor of the transfer rate, others beside it, and what else is fixed."""

    def evidence(results: Results) -> Evidence:
        """The predictor's correlation with the transfer rate over pairs of networks."""
        pairs = pair_matrices(results)
        rate, controls = pairs["rate"], [pairs["source"], pairs["target"]]
        judged = pair_correlation(pairs[predictor], rate, controls)
        beside = {
            f"{shown}, nothing held fixed": pair_correlation(pairs[predictor], rate),
            f"{shown}, {also_shown} held fixed too": pair_correlation(
                pairs[predictor], rate, [*controls, pairs[also_fixed]]
            ),
            **{
                f"{name}, own attacks held fixed": pair_correlation(pairs[key], rate, controls)
                for key, name in others.items()
            },
        }
        if predictor != "defect":  # a sum of effects of source and target, nothing would be left
            effects = node_effects(len(rate))
            beside[f"{shown}, every effect of source and target taken out"] = pair_correlation(
                pairs[predictor], rate, effects
            )
        text = "; ".join(f"{name}: {interval.text(2)}" for name, interval in beside.items())
        return Evidence(
            [Criterion({f"{shown}, own attacks held fixed": judged}, side)],
            beside,
            f"Beside it: {text}.",
        )

    return evidence


transfer_distance = _transfer(
    "logit_distance",
    "distance of logits",
    "below",
    {"probability_distance": "distance of probabilities", "cosine": "cosine of gradients"},
    "shared",
    "training data",
)
transfer_harmonicity = _transfer(
    "defect",
    "mean harmonic defect of the two",
    "below",
    {
        "defect_difference": "difference of defects",
        "energy_difference": "difference of log energies",
    },
    "logit_distance",
    "distance of logits",
)
transfer_data = _transfer(
    "shared", "same training data", "above", {}, "logit_distance", "distance of logits"
)
