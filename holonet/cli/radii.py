"""Certified radii beside the distances at which an attack succeeds: for `holonet certify`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from rich.table import Table

from holonet.cli.options import digits
from holonet.cli.terminal import literal
from holonet.diagnostics import MinimumNorms

__all__ = ["TOLERANCE", "compared_radii", "radii_table"]

TOLERANCE = 0.01
"""Relative, of certified radii."""


def compared_radii(certified: Sequence[float], attacked: MinimumNorms) -> dict[str, Any]:
    """Mean and median of both radii and of their ratio, and examples that contradict each other.

    An example without a mistake within the limit of the search counts there with the limit. The
    ratio is of those examples where the attack found one, away from the example itself.

    Args:
        certified: one radius for each example.
        attacked: of the same examples.
    """
    limit = attacked.threat.eps
    radius, distance = torch.tensor(certified).double(), attacked.distance.double().cpu()
    found = distance.isfinite() & (distance > 0)
    ratio = (radius / distance)[found]
    wrong = radius > distance * (1 + 1e-6)  # the distance is rounded
    return {
        "limit": limit,
        "tolerance": TOLERANCE,
        "certified": _summary(radius),
        "attacked": _summary(distance.clamp(max=limit)),
        "ratio": _summary(ratio) | {"examples": len(ratio)},
        "beyond": int(distance.isinf().sum()),
        "contradictions": wrong.nonzero()[:, 0].tolist(),
    }


def radii_table(compared: Mapping[str, Any], norm: str, examples: int) -> Table:
    """Mean and median; the title says what was compared."""
    limit, beyond = digits(compared["limit"]), compared["beyond"]
    title = f"{norm} radii of {examples} examples, up to {limit}"
    note = f"; the attack found nothing up to there for {beyond}" if beyond else ""
    table = Table(title=literal(title + note))
    for header in ("", "certified", "attacked", "ratio"):
        table.add_column(header, justify="right", no_wrap=True)
    for name in ("mean", "median"):
        values = [compared[of][name] for of in ("certified", "attacked", "ratio")]
        table.add_row(name, *("-" if value is None else f"{value:.4g}" for value in values))
    return table


def _summary(values: torch.Tensor) -> dict[str, Any]:
    if not len(values):
        return {"mean": None, "median": None}
    median = values.sort().values[(len(values) - 1) // 2].item()
    return {"mean": math.fsum(values.tolist()) / len(values), "median": median}
