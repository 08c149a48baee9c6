"""Margins of layers of squares: exact up to second order, the rest bounded."""

import operator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float64
from torch import Tensor

from holonet.certify.enclosure import Enclosure, Polydisc, Semantics
from holonet.certify.expansion import Expansion, SquareNetwork
from holonet.certify.methods import CHECKED, ByExample
from holonet.certify.network import Network
from holonet.certify.products import by_products
from holonet.certify.saddle import Proof, by_moduli, by_saddle_point

__all__ = ["SECOND_ORDER", "SecondOrder", "lower_bounds"]


@dataclass(frozen=True)
class SecondOrder(ByExample[SquareNetwork]):
    """The polynomial of each margin about the center of the set behind the monotone layers."""

    norms: ClassVar[tuple[str, ...]] = ("Linf", "L2", "polydisc", "complex_ball")

    def read(self, network: Network, image: Enclosure) -> SquareNetwork:
        """Its affine layers and squares."""
        return SquareNetwork(network, image.center.shape[2:], len(image.center))

    def bounds(
        self,
        read: SquareNetwork,
        image: Enclosure,
        label: int,
        others: list[int],
        semantics: Semantics,
    ) -> tuple[Float64[Tensor, "margins"], list[dict[str, Any]]]:
        """Once a margin stays open those behind it are bounded by moduli."""
        ball = image.ball
        if ball is None or isinstance(ball, Polydisc):
            box = Enclosure.between(image.low, image.high)
            center, radius = box.center.flatten(), box.radius.flatten()
            return lower_bounds(read.expand(center, radius, label, others, semantics))
        center = ball.middle.flatten()
        length = ball.length.expand_as(center)
        return lower_bounds(read.expand(center, length, label, others, semantics, in_ball=True))


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
