"""Two balls that shatter d points: a closed form, and the best pairs found by optimization.

A classifier that is robust on two points with different labels is constant on the ball around each.
If for every labelling s of the basis vectors e_1, ..., e_d there are two points whose balls of
radius rho times half of their distance hold the vectors with the label 1 and with -1, classifiers
that are robust on any two points have a VC dimension of at least d. Points c s and -c s with
c = 1 / (d (1 - rho^2)) have such balls exactly for rho >= sqrt(1 - 1/d): the square of the
distance of e_j from s_j c s is 1 - 2 c + c^2 d, to be compared with rho^2 c^2 d.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

__all__ = ["TwoBalls", "holds", "least_ratio_antipodal", "least_ratio_free", "two_balls"]

Labels = Float[np.ndarray, " d"]
Point = Float[np.ndarray, " coordinates"]


@dataclass(frozen=True)
class TwoBalls:
    """Dimensions, and how far from the threshold both of its sides are looked at."""

    dimensions: tuple[int, ...] = tuple(range(2, 9))
    margin: float = 1e-3
    starts: int = 8
    seed: int = 0


def two_balls(settings: TwoBalls) -> dict[str, Any]:
    """For each dimension, what the construction and what optimization realizes."""
    generator = np.random.default_rng(settings.seed)
    result = {}
    for d in settings.dimensions:
        threshold = math.sqrt(1 - 1 / d)
        labellings = [np.array(s, dtype=float) for s in itertools.product((-1, 1), repeat=d)]
        sides = {"below": threshold - settings.margin, "above": threshold + settings.margin}
        antipodal = [least_ratio_antipodal(s) for s in labellings]
        # labellings with as many positive entries differ by a permutation, s and -s by a swap
        free = [
            least_ratio_free(np.where(np.arange(d) < k, 1.0, -1.0), settings.starts, generator)
            for k in range(1, d // 2 + 1)
        ]
        result[str(d)] = {
            "labellings": len(labellings),
            **{side: sum(holds(s, rho) for s in labellings) for side, rho in sides.items()},
            "threshold": threshold,
            "antipodal_error": max(abs(ratio - threshold) for ratio in antipodal),
            "free": max(free),
        }
    return {"dimensions": result}


def holds(labels: Labels, ratio: float) -> bool:
    """Whether the two balls of the closed form hold the basis vectors with their labels."""
    d = len(labels)
    center = labels / (d * (1 - ratio**2))
    distances = np.linalg.norm(np.eye(d) - labels[:, None] * center, axis=1)
    return bool((distances <= ratio * np.linalg.norm(center)).all())


def least_ratio_antipodal(labels: Labels) -> float:
    """The least ratio of any balls around p and -p that realize the labels.

    With u = p / |p|^2 the square of the ratio is 1 + max_j (|u|^2 - 2 s_j u_j): a convex program.
    """
    from scipy.optimize import minimize

    d = len(labels)
    found = minimize(
        lambda v: v[d],
        np.append(0.1 * labels, 1.0),
        jac=lambda v: np.eye(d + 1)[d],
        constraints={
            "type": "ineq",
            "fun": lambda v: v[d] - v[:d] @ v[:d] + 2 * labels * v[:d],
            "jac": lambda v: np.hstack([2 * np.diag(labels) - 2 * v[:d], np.ones((d, 1))]),
        },
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return math.sqrt(max(0.0, 1 + found.x[d]))


def least_ratio_free(labels: Labels, starts: int, generator: np.random.Generator) -> float:
    """The least ratio of balls around any two points, by descent from several starts."""
    from scipy.optimize import minimize

    d = len(labels)

    def room(v: Point) -> Float[np.ndarray, " d"]:
        """Of each basis vector in its ball, for v = (p, q, radius)."""
        centers = np.where(labels[:, None] > 0, v[:d], v[d:-1])
        return v[-1] ** 2 - ((np.eye(d) - centers) ** 2).sum(1)

    def ratio(v: Point) -> float:
        return 2 * v[-1] / np.linalg.norm(v[:d] - v[d:-1])

    best = math.inf
    for _ in range(starts):
        centers = (1 + generator.random()) * np.outer((1, -1), labels) / d
        start = np.append(centers + 0.1 * generator.standard_normal((2, d)), 2.0)
        found = minimize(
            ratio,
            start,
            bounds=[(None, None)] * (2 * d) + [(0, None)],
            constraints={"type": "ineq", "fun": room},
            method="SLSQP",
            options={"ftol": 1e-12, "maxiter": 1000},
        )
        if room(found.x).min() > -1e-9:
            best = min(best, float(ratio(found.x)))
    return best
