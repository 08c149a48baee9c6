"""The measurements of one network: ascents on spheres, the landscape, ascents in balls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from holonet._types import Numbers
from holonet.papers.deng2020.ascent import Rule, ascend, ascend_in_ball, on_sphere
from holonet.papers.deng2020.landscape import (
    distinct,
    lipschitz_below,
    local_maximum,
    maximize,
    zoomed_quotients,
)
from holonet.papers.deng2020.networks import BOUNDS, ENTIRE, Inputs, loss_of
from holonet.studies.results import Result

__all__ = [
    "KINDS", "MAIN", "PAPER", "RATIOS", "SCALES", "STEPS", "THRESHOLDS", "TOLERANCES", "WIDTHS",
    "Settings", "Size", "measure", "spheres",
]  # fmt: skip

PAPER = ("real-softplus", "real-tanh")
"""Smooth activations and real coefficients: the paper's own setting."""

SCALES = (0.05, 0.2, 1.0, 5.0, 20.0)
"""Lengths of the input, which are the deviations of the pre-activations."""

RATIOS = (0.1, 0.25, 0.5, 1.0)
"""Perturbation over input; 0.5 but where the ratio is varied."""

WIDTHS = (100, 400, 1600)
"""Hidden units; `Size.units` but where the width is varied."""

TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
MAIN = TOLERANCES.index(1e-3)
"""The tolerance on the sine that decides."""

KINDS = ("normalised", "raw")

STEPS = (0.1, 0.03, 0.2, 1.0)
"""Of both rules. The first decides; the others are run for the paper's own setting."""

THRESHOLDS = (0.01, 0.1, 0.3)
"""Distances, in radii, below which two maxima count as one. The one in the middle decides."""

ARRIVED = 1e-4
"""The tolerance on maxima by L-BFGS and in balls."""

EARLY = 30
"""Steps after which ascents with target 0 are compared."""


UNSEEN = 1000
"""Added to seeds: the claims were written with networks of smaller seeds in view."""


@dataclass(frozen=True)
class Size:
    """Of the experiment: starts of each ascent, the cap of iterations, and the networks."""

    starts: int
    cap: int
    inputs: int = 100
    units: int = 400
    ball_inputs: int = 3
    ball_units: int = 50
    ball_scale: float = 6.0


@dataclass(frozen=True)
class Settings:
    """Of one network and one kind of measurement."""

    part: Literal["ascent", "landscape", "ball"]
    net: str
    seed: int
    size: Size


def measure(settings: Settings) -> Result:
    """One cell."""
    run = {"ascent": _ascent, "landscape": _landscape, "ball": _ball}[settings.part]
    named = {"part": settings.part, "net": settings.net, "seed": settings.seed}
    fresh = replace(settings, seed=settings.seed + UNSEEN)
    return named | {"cap": settings.size.cap} | run(fresh)


def spheres(
    x: Float[Tensor, " inputs"], places: Sequence[tuple[float, float]], starts: int, seed: int
) -> tuple[Inputs, Numbers, Inputs]:
    """Centers, radii and starts: at each place (scale, ratio) the same random directions."""
    generator = torch.Generator().manual_seed(seed + 10**6)
    directions = torch.randn(starts, len(x), generator=generator, dtype=x.dtype)
    scale, ratio = torch.tensor(places, dtype=x.dtype).repeat_interleave(starts, 0).unbind(1)
    radius = scale * ratio
    return scale[:, None] * x, radius, on_sphere(directions.repeat(len(places), 1), radius)


def _ascent(settings: Settings) -> dict[str, Any]:
    """Over scales, ratios and widths, with other steps, and with target 0."""
    net, seed, size = settings.net, settings.seed, settings.size
    scales, ratios = [(scale, 0.5) for scale in SCALES], [(1.0, ratio) for ratio in RATIOS]
    few, main = max(2, size.starts // 4), Rule("normalised", STEPS[0])

    def run(
        rule: Rule, places: list[tuple[float, float]], starts: int, units: int = size.units
    ) -> dict[str, Any]:
        loss, x = loss_of(net, seed, size.inputs, units)
        center, radius, delta = spheres(x, places, starts, seed)
        found = ascend(loss, center, radius, delta, rule, tolerances=TOLERANCES, cap=size.cap)
        maxima = local_maximum(loss, center, found.delta, TOLERANCES[MAIN])
        shape = (len(places), starts)
        return {
            "iterations": found.iterations.view(-1, *shape).tolist(),
            "movement": found.movement.view(shape).tolist(),
            "maximum": maxima.view(shape).tolist(),
        }

    loss, x = loss_of(net, seed, size.inputs, size.units)
    center, radius, delta = spheres(x, scales, few, seed)
    homogeneous = replace(loss, target=0.0)
    early = ascend(homogeneous, center, radius, delta, main, tolerances=(0.0,), cap=EARLY).delta
    directions = (early / radius[:, None]).view(len(scales), few, -1)
    return {
        "steps": {
            f"{kind} {step:g}": run(Rule(kind, step), scales, few if k else size.starts)
            for kind in KINDS
            for k, step in enumerate(STEPS if net in PAPER else STEPS[:1])
        },
        "ratios": run(main, ratios, size.starts),
        "widths": [run(main, [(1.0, 0.5)], size.starts, units) for units in WIDTHS],
        "apart": float(directions.diff(dim=0).norm(dim=2).mean()),
    }


def _landscape(settings: Settings) -> dict[str, Any]:
    """Maxima by L-BFGS and Lipschitz constants over scales; no step rule is in it."""
    size = settings.size
    loss, x = loss_of(settings.net, settings.seed, size.inputs, size.units)
    smooth = loss.activation in BOUNDS
    places = []
    for scale in SCALES:
        center, radius, delta = spheres(x, [(scale, 0.5)], size.starts, settings.seed)
        ends = maximize(loss, center, delta) if smooth else delta
        maxima = ends[local_maximum(loss, center, ends, ARRIVED) & smooth]
        below = max(float(lipschitz_below(loss, center, d).max()) for d in (delta, ends))
        slope = float(loss.gradient(center + delta).norm(dim=1).mean())
        places.append(
            {
                "verified": len(maxima),
                "distinct": [distinct(maxima, threshold) for threshold in THRESHOLDS],
                "lipschitz": below,
                "bound": float(loss.lipschitz_bound(center, radius).max()) if smooth else None,
                "relative": below * float(radius[0]) / slope,
                "zoomed": zoomed_quotients(loss, center[:1], delta[:1], delta[1:2]).tolist(),
            }
        )
    return {"places": places}


def _ball(settings: Settings) -> dict[str, Any]:
    """Ends of ascents in the ball of real and, of entire networks, complex perturbations."""
    size, seed = settings.size, settings.seed
    loss, x = loss_of(settings.net, seed, size.ball_inputs, size.ball_units)
    losses = {"real": loss} | ({"complex": loss.continued()} if loss.activation in ENTIRE else {})
    counts = {}
    for name, one in losses.items():
        dimension = one.weights.shape[1]
        place = functional.pad(x, (0, dimension - len(x))), [(size.ball_scale, 0.5)]
        center, radius, delta = spheres(*place, 4 * size.starts, seed)
        generator = torch.Generator().manual_seed(seed)
        uniform = torch.rand(len(delta), generator=generator, dtype=x.dtype) ** (1 / dimension)
        start = uniform[:, None] * delta
        end = ascend_in_ball(one, center, radius, start, steps=4 * size.cap)
        slopes = [one.gradient(center + d).norm(dim=1) for d in (start, end)]
        tops = [torch.linalg.eigvalsh(one.hessian(center + d))[:, -1] for d in (start, end)]
        inside = end.norm(dim=1) < (1 - 1e-6) * radius
        counts[name] = {
            "starts": len(delta),
            "on sphere": int((~inside).sum()),
            "inside": int((inside & (slopes[1] <= ARRIVED * slopes[0]) & (tops[1] < 0)).sum()),
            "concave": int((tops[0] < 0).sum()),
        }
    return counts
