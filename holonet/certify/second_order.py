"""Margins of layers of squares: exact up to second order, the rest bounded."""

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet._types import Labels
from holonet.certify.enclosure import Enclosure, Polydisc, Semantics
from holonet.certify.expansion import Expansion, SquareNetwork
from holonet.certify.methods import CHECKED, Bounds, Method, may_overflow
from holonet.certify.network import Network
from holonet.certify.products import by_products
from holonet.certify.saddle import Proof, by_moduli, by_saddle_point

__all__ = ["SECOND_ORDER", "SecondOrder", "lower_bounds"]


@dataclass(frozen=True)
class SecondOrder(Method):
    """The polynomial of each margin about the center of the set behind the monotone layers."""

    norms: ClassVar[tuple[str, ...]] = ("Linf", "L2", "polydisc", "complex_ball")

    def margins(
        self, network: Network, enclosure: Enclosure, y: Labels, semantics: Semantics
    ) -> Bounds:
        """Example by example; once a margin stays open those behind it are bounded by moduli."""
        logits, trace = self.enclose(network, enclosure, y, semantics)
        front = network.steps[network.front :]
        box = trace.inputs[front[0]] if front else logits
        squares = SquareNetwork(network, box.center.shape[2:], len(box.center))
        witnesses: list[Mapping[int, Any]] = [{} for _ in range(len(y))]
        margins = torch.full((len(y), logits.center.shape[2]), -math.inf, dtype=torch.float64)
        finite = box.radius.isfinite().all(0).flatten(1).all(1)
        known = finite & ~may_overflow(logits, semantics)[:, 0]
        for i in known.nonzero()[:, 0].tolist():
            label = int(y[i])
            others = [k for k in range(margins.shape[1]) if k != label]
            low, high = box.low[:, i].flatten(), box.high[:, i].flatten()
            if (ball := box.ball) is None or isinstance(ball, Polydisc):
                found, proofs = self.bounds(squares, low, high, label, others, semantics)
            else:
                center = ball.middle[:, i].flatten()
                length = ball.length[i].expand_as(center)
                inside = squares.expand(center, length, label, others, semantics, in_ball=True)
                found, proofs = lower_bounds(inside)
            margins[i, others] = found
            witnesses[i] = dict(zip(others, proofs, strict=True))
        return margins, trace.notes, witnesses

    def bounds(
        self,
        squares: SquareNetwork,
        low: Float64[Tensor, "entries"],
        high: Float64[Tensor, "entries"],
        label: int,
        others: list[int],
        semantics: Semantics,
    ) -> tuple[Float64[Tensor, "margins"], list[dict[str, Any]]]:
        """Lower bounds of margins over other classes on a box, and a witness of each."""
        box = Enclosure.between(low[None, None], high[None, None])
        expansion = squares.expand(box.center[0, 0], box.radius[0, 0], label, others, semantics)
        return lower_bounds(expansion)


SECOND_ORDER = SecondOrder(
    "second_order",
    "each margin is a polynomial: linear and quadratic part exact, the quadratic one bounded by "
    "moduli or by a diagonal dual point, parts of higher order by Loewner bounds of the units "
    "behind the first layer of squares and (u + h)^2 >= (1 - n) u^2 - (1 / n - 1) h^2, or by "
    "multipliers of products of two entries",
    (
        *CHECKED,
        "all layers behind the monotone ones are affine maps and layers of squares",
        "each positive definite matrix is proved to be so by the residual of a Cholesky factor",
    ),
)


def lower_bounds(
    expansion: Expansion,
) -> tuple[Float64[Tensor, "margins"], list[dict[str, Any]]]:
    """Lower bounds of all margins of an expansion, and what proves them.

    A witness names the free entries, the share and the offset of each unit behind the first layer
    of squares, layer by layer, the dual point, which is empty where moduli were enough, and the
    multipliers of products, which are empty where these were not needed.

    Moduli come first. From the least margin on, those that they leave open are bounded by saddle
    points, and by products if these are not enough, until one stays open.
    """
    best, proofs = by_moduli(expansion)
    for k in best.argsort().tolist():
        if best[k] > 0 or expansion.constant[k] <= 0:
            continue
        found = by_saddle_point(expansion, k)
        if found[0] <= 0:
            found = max(found, by_products(expansion, k, found[1]), key=operator.itemgetter(0))
        if found[0] > best[k]:
            best[k], proofs[k] = found
        if best[k] <= 0:
            break
    return best, [_witness(expansion, proof) for proof in proofs]


def _witness(expansion: Expansion, proof: Proof) -> dict[str, Any]:
    units = torch.stack([proof.shares, proof.offsets], 1)
    return {
        "free": expansion.free.tolist(),
        "units": [layer.numpy().tolist() for layer in expansion.by_layer(units)],  # torch's is slow
        "dual": proof.dual.tolist(),
        "products": proof.products.tolist(),
    }
