"""What the problems in the plane say about harmonic hypotheses."""

from collections import defaultdict
from typing import Any

from holonet.errors import DataError
from holonet.statistics import Interval, mean_interval
from holonet.studies.evidence import Criterion, Evidence, paired_by_seed
from holonet.studies.results import Results, cells_where

__all__ = [
    "HARMONIC",
    "NEAR",
    "by_seed",
    "data_coordinates",
    "dirichlet_principle",
    "holomorphic_harmonic",
    "mean_of",
    "ring_real_part",
    "risk_on_data",
]

NEAR = 0.1
"""Of the solution's spread: what counts as near the closed form."""

HARMONIC = 1e-3
"""The harmonic defect that counts as none."""


def by_seed(results: Results, condition: str, quantity: str) -> dict[str, dict[int, Any]]:
    """The quantity as problem -> seed -> value, over all networks of a condition that have it.

    Raises:
        DataError: there are none.
    """
    values: dict[str, dict[int, Any]] = defaultdict(dict)
    for result in cells_where(results, part="planar", condition=condition):
        if quantity in result:
            values[result["problem"]][result["seed"]] = result[quantity]
    if not values:
        raise DataError(f"no network of the condition {condition!r} is left")
    return values


def mean_of(results: Results, condition: str, quantity: str, problem: str) -> Interval:
    """The mean of the quantity over seeds."""
    return mean_interval(list(by_seed(results, condition, quantity)[problem].values()))


def _means(
    results: Results,
    condition: str,
    quantity: str,
    shown: str,
    disc_only: bool = False,
) -> dict[str, Interval]:
    """'problem, shown' -> the mean over seeds."""
    return {
        f"{problem}, {shown}": mean_of(results, condition, quantity, problem)
        for problem in by_seed(results, condition, quantity)
        if not disc_only or problem.startswith("disc")
    }


def dirichlet_principle(results: Results) -> Evidence:
    """Distance from the minimizer's closed form, and the gain over the risk alone."""
    risk = by_seed(results, "risk", "distance_hard")
    energy = by_seed(results, "energy", "distance")
    gained = {}
    for problem in energy:
        gained[f"{problem}, risk alone minus with energy"] = paired_by_seed(
            risk[problem], energy[problem]
        )
    return Evidence(
        [
            Criterion(_means(results, "energy", "distance", "distance"), "below", NEAR),
            Criterion(gained, "above"),
        ],
        {
            **_means(results, "energy", "excess", "objective over its least value, minus 1"),
            **_means(results, "energy", "defect", "harmonic defect with energy"),
            **_means(results, "risk", "defect", "harmonic defect under the risk alone"),
        },
    )


def risk_on_data(results: Results) -> Evidence:
    """Distance from the harmonic function with the network's boundary values."""
    to_form = _means(results, "filled", "distance", "distance from the closed form")
    text = "; ".join(f"{name} {interval.text(2)}" for name, interval in to_form.items())
    return Evidence(
        [
            Criterion(
                _means(results, "filled", "own_distance", "distance from harmonic"), "below", NEAR
            )
        ],
        to_form,
        f"The minimizer has a closed form, which is not harmonic: {text}.",
    )


def holomorphic_harmonic(results: Results) -> Evidence:
    """Distance from the harmonic extension, and the harmonic defect, on discs."""
    distance = _means(results, "one-variable", "distance_hard", "distance", disc_only=True)
    defect = _means(results, "one-variable", "defect", "harmonic defect", disc_only=True)
    return Evidence(
        [
            Criterion(distance, "below", NEAR, digits=6),
            Criterion(defect, "below", HARMONIC, digits=6),
        ]
    )


def ring_real_part(results: Results) -> Evidence:
    """Distance from the harmonic extension on the ring; beside it what log-modulus reaches."""
    missed = mean_of(results, "one-variable", "boundary_error", "ring")
    windings = sorted(by_seed(results, "log-modulus", "winding")["ring"].values())
    affine = _means(results, "affine-log-modulus", "distance_hard", "log-modulus of an affine map")
    deep = _means(results, "log-modulus", "energy_ratio", "log-modulus network, energy ratio")
    distance = mean_of(results, "one-variable", "distance_hard", "ring")
    return Evidence(
        [Criterion({"distance": distance}, "below", NEAR)],
        {"boundary error (theory: at least 0.5)": missed, **affine, **deep},
        f"On the boundary {missed.text(3)} is missed in root mean square, where theory says at "
        f"least 0.5. Read off as log-modulus, an affine map comes within "
        f"{next(iter(affine.values())).text(2)}; deep networks of z^2 wind "
        f"{', '.join(map(str, sorted(set(windings))))} times about 0 and cannot unwind, which "
        f"costs {next(iter(deep.values())).text(1)} times the least energy.",
    )


def data_coordinates(results: Results) -> Evidence:
    """Harmonic defect in the two real coordinates."""
    missed = _means(results, "two-variables", "boundary_error", "boundary error")
    distance = _means(results, "two-variables", "distance_hard", "distance")
    return Evidence(
        [
            Criterion(
                _means(results, "two-variables", "defect", "harmonic defect"),
                "below",
                HARMONIC,
                digits=4,
            )
        ],
        {**missed, **distance},
        "The boundary values are met and the inside is not: "
        + "; ".join(f"{name} {interval.text(2)}" for name, interval in distance.items())
        + ".",
    )
