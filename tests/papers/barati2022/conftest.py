"""Made-up results of the study of Barati et al., with known answers."""

import itertools

import pytest


def _planar(condition, problem, seed, **values):
    """One cell of the plane."""
    base = {
        "distance": 0.03,
        "distance_hard": 0.03,
        "own_distance": 0.02,
        "boundary_error": 0.5,
        "energy_ratio": 1.0,
        "excess": 0.01,
        "defect": 1e-6,
        "defect_of_form": 0.0,
        "winding": 4,
        "profile": [0.01 * k for k in range(33)],
    }
    named = {"part": "planar", "condition": condition, "problem": problem, "seed": seed}
    return {**named, **base, **values}


def _plane(seeds=3, problems=("disc-2", "ring"), **by_arm):
    """All cells of the plane; values by condition, as numbers or functions of the seed."""
    from holonet.papers.barati2022.conditions import CONDITIONS, PROBLEMS

    found = {}
    for condition, seed in itertools.product(CONDITIONS, range(seeds)):
        for problem in set(CONDITIONS[condition].problems) & set(problems):
            values = {
                k: v(seed) if callable(v) else v
                for k, v in by_arm.get(condition.replace("-", "_"), {}).items()
            }
            found[f"{problem}-{condition}-{seed}"] = _planar(condition, problem, seed, **values)
    assert all(p in PROBLEMS for p in problems)
    return found


def _energies(robust, clean=lambda family, weight: 0.95, seeds=4, weights=(0.0, 0.1, 1.0)):
    """All cells of the range of weights; accuracies as functions of family and weight."""
    return {
        f"{family}-{weight}-{seed}": {
            "part": "energy",
            "family": family,
            "weight": weight,
            "seed": seed,
            "clean": clean(family, weight) + 0.001 * seed,
            "robust": robust(family, weight) + 0.001 * seed,
            "energy": 10.0 / (0.01 + weight) + 0.001 * seed,
            "defect": 1e-3,
        }
        for family in ("holomorphic", "relu", "softplus")
        for weight in weights
        for seed in range(seeds)
    }


def _transfers(rate, count=14, seed=0):
    """The transfer cell; `rate` is made from (distance, defect of both, same half)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    distance = torch.cdist(places, places)
    defect = torch.rand(count, generator=generator, dtype=torch.float64) + 0.1
    half = torch.arange(count) % 2
    rates = rate(distance, (defect[:, None] + defect) / 2, (half[:, None] == half).double())
    rates = rates + 0.05 * torch.randn(count, count, generator=generator, dtype=torch.float64)
    own = torch.rand(count, generator=generator, dtype=torch.float64)
    rates = rates - torch.diag(rates.diagonal()) + torch.diag(own)
    return {
        "transfer": {
            "part": "transfer",
            "networks": [
                {
                    "key": f"n{k}",
                    "family": ("holomorphic", "relu")[k % 2],
                    "weight": 0.0,
                    "half": int(half[k]),
                    "seed": k,
                    "clean": 0.9,
                    "energy": float(1 + k),
                    "defect": float(defect[k]),
                }
                for k in range(count)
            ],
            "examples": 100,
            "rates": rates.tolist(),
            "control": [0.01] * count,
            "cosine": (1 - distance).tolist(),
            "alarms": [],
            "logit_distance": distance.tolist(),
            "probability_distance": distance.tolist(),
        }
    }


@pytest.fixture(scope="session")
def plane():
    """Makes the cells of the plane."""
    return _plane


@pytest.fixture(scope="session")
def energies():
    """Makes the cells of the range of weights."""
    return _energies


@pytest.fixture(scope="session")
def transfers():
    """Makes the transfer cell."""
    return _transfers
