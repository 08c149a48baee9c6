"""Results of the study of the hypothesis without any training, with planted effects or none."""

from typing import Any

import numpy as np

from holonet.studies.hypothesis import Hypothesis
from holonet.studies.hypothesis.settings import ANALYTIC, Member

__all__ = ["SEEDS", "simulated"]

SEEDS = 8
BASES = {"linearized": 0.85, "pgd": 0.82, "standard": 0.3}
_CELLS: dict[int, Any] = {}


def simulated(
    seed: int,
    *,
    analytic: float = 0.0,
    complex_: float = 0.0,
    macs: float = 0.0,
    mixture: float = 0.0,
    measures: float = 0.0,
    transfer: float = 0.0,
    shared: float = 0.02,
    seeds: int = SEEDS,
) -> dict[str, dict[str, Any]]:
    """Results by key of the cell.

    Args:
        seed: of the simulation.
        analytic, complex_, macs, mixture: true differences of robust accuracy; `macs` of complex
            networks minus real ones of as many multiply-adds.
        measures: how far each measure follows the robust accuracy within rules, in units of noise.
        transfer: how far the transfer rate follows the agreement of harmonic parts.
        shared: deviation of what all networks of a seed have in common.
        seeds: of the study.
    """
    rng = np.random.default_rng(seed)
    if seeds not in _CELLS:
        _CELLS[seeds] = Hypothesis(seeds=seeds).cells(False)
    cells = _CELLS[seeds]
    of_seed = rng.normal(0, shared, seeds)
    results: dict[str, dict[str, Any]] = {}
    for cell in cells:
        if not isinstance(cell.settings, Member):
            continue
        member = cell.settings
        network = member.network
        robust = BASES[member.rule] + of_seed[member.seed] + rng.normal(0, 0.01)
        robust += mixture * (network.experts > 1)
        if network.coefficients == "complex":
            robust += complex_ + analytic
        elif network.activation in ANALYTIC:
            robust += analytic + (complex_ - macs if network.match == "macs" else 0.0)
        results[cell.key] = {
            "part": "member",
            "activation": network.activation,
            "coefficients": network.coefficients,
            "match": network.match,
            "hidden": list(network.hidden),
            "experts": network.experts,
            "regions": network.regions,
            "name": network.name,
            "rule": member.rule,
            "seed": member.seed,
            "parameters": 1000,
            "macs": 1000,
            "clean": 0.97,
            "robust": float(robust),
            "alarms": {},
        }
    for cell in cells:
        part = getattr(cell.settings, "part", "")
        if part == "check":
            of = results[cell.needs[0]]
            results[cell.key] = {"part": part, "of": cell.needs[0], "robust": of["robust"] - 0.01}
        if part == "measures":
            results[cell.key] = _measures(results[cell.needs[0]], rng, measures)
        if part == "transfer":
            results[cell.key] = _transfer(len(cell.needs), rng, transfer)
    return results


def _measures(of: dict[str, Any], rng: np.random.Generator, follows: float) -> dict[str, Any]:
    """Rules move all measures and the robust accuracy: the confounder."""
    rule = 3 * BASES[of["rule"]]
    own = follows * (of["robust"] - BASES[of["rule"]]) / 0.02

    def near(sign: int) -> float:
        return float(sign * (rule + own) + rng.normal())

    return {
        "part": "measures",
        "rule": of["rule"],
        "robust": of["robust"],
        "defect": near(-1),
        "energy": near(-1),
        "singularity": near(1),
        "first_order": float(rule + rng.normal()),
    }


def _transfer(count: int, rng: np.random.Generator, follows: float) -> dict[str, Any]:
    """Networks have effects of their own as sources and as targets, and agree by clean answers."""

    def symmetric() -> np.ndarray:
        noise = rng.normal(size=(count, count))
        return (noise + noise.T) / 2**0.5

    clean, own = symmetric(), symmetric()
    each = rng.normal(size=(3, count))
    harmonic = clean + own + each[0] + each[0][:, None]
    rates = clean + follows * own + each[1] + each[2][:, None] + rng.normal(size=(count, count))
    return {
        "part": "transfer",
        "examples": 100,
        "harmonic": harmonic.tolist(),
        "rates": rates.tolist(),
        "answers": clean.tolist(),
        "logits": (clean + 0.3 * symmetric()).tolist(),
        "gradients": (harmonic + 0.3 * symmetric()).tolist(),
    }
