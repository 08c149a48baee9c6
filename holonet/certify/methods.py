"""The methods that bound margins, from the cheapest to the sharpest."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from holonet._types import Labels
from holonet.certify.enclosure import Enclosure, Semantics
from holonet.certify.network import Network
from holonet.certify.radial import Radial
from holonet.certify.rows import Rows
from holonet.certify.step import Note, Trace
from holonet.errors import DomainError, ShapeError

__all__ = [
    "CHECKED",
    "INTERVALS",
    "TANGENTS",
    "Bounds",
    "ByExample",
    "LinearForms",
    "Method",
    "may_overflow",
]

Bounds = tuple[Float64[Tensor, "batch classes"], list[Note], list[Mapping[int, Any]]]
Read = TypeVar("Read")
"""A network as a method reads it."""


@dataclass(frozen=True)
class Method(ABC):
    """A way to bound margins from below.

    Args:
        name: for the certificate.
        theorem: that makes it a bound.
        hypotheses: what is checked on the way.
    """

    norms: ClassVar[tuple[str, ...]] = ("Linf",)
    """Of the threats that the method knows."""

    name: str
    theorem: str
    hypotheses: tuple[str, ...]

    @abstractmethod
    def margins(
        self, network: Network, enclosure: Enclosure, y: Labels, semantics: Semantics
    ) -> Bounds:
        """Lower bounds of z_y - z_k on the enclosure, for each class k, notes, and witnesses.

        A witness has for each class what an independent check needs, nothing where it needs none.

        Raises:
            DomainError: there is no such class.
            InputTypeError: the method is not for this network; the message names the layer.
            ShapeError: the values of the network are no real logits (batch, classes).
        """

    def enclose(
        self,
        network: Network,
        enclosure: Enclosure,
        y: Labels,
        semantics: Semantics,
        sharpen: bool = False,
    ) -> tuple[Enclosure, Trace]:
        """As `Network.enclose`, for logits of these classes alone."""
        logits, trace = network.enclose(enclosure, semantics, sharpen)
        if logits.is_complex or logits.center.ndim != 3:
            raise ShapeError(
                "certificates need real logits (batch, classes): end the network with a linear "
                "layer, and with nn.RealPart where it is complex"
            )
        if logits.center.shape[2] < 2:
            raise ShapeError(
                "certificates compare two classes or more, and the network has one logit: a "
                "network of two classes needs a last layer with two rows"
            )
        if len(y) and not 0 <= int(y.min()) <= int(y.max()) < logits.center.shape[2]:
            raise DomainError(
                f"labels from {int(y.min())} to {int(y.max())} of a model with "
                f"{logits.center.shape[2]} classes"
            )
        return logits, trace


@dataclass(frozen=True)
class LinearForms(Method):
    """Forms of the margins, pulled back through the layers as far as a method does.

    Args:
        to_front: whether forms are pulled to the image of the set in front of the first layer that
            is not monotone; otherwise through the affine layers at the end alone.
    """

    norms: ClassVar[tuple[str, ...]] = ("Linf", "L2", "polydisc", "complex_ball")

    to_front: bool

    def margins(
        self, network: Network, enclosure: Enclosure, y: Labels, semantics: Semantics
    ) -> Bounds:
        """Of one form for each margin."""
        margins, _, trace = self.with_rows(network, enclosure, y, semantics)
        return margins, trace.notes, [{}] * len(y)

    def with_rows(
        self, network: Network, enclosure: Enclosure, y: Labels, semantics: Semantics
    ) -> tuple[Float64[Tensor, "batch classes"], Rows, Trace]:
        """The margins, and the forms that they are the least values of."""
        logits, trace = self.enclose(network, enclosure, y, semantics, sharpen=self.to_front)
        rows = Rows.differences(y, logits.center.shape[2], len(y))
        stop = network.front if self.to_front else network.tail
        rows = network.pulled(rows, len(network.steps), stop, trace)
        reached = trace.inputs[network.steps[stop]] if stop < len(network.steps) else logits
        margins = rows.lower(reached)
        last = network.steps[-1] if network.steps else None
        # log 0 is no overflow: it is the logit of no class
        values = trace.inputs[last] if isinstance(last, Radial) else logits
        return margins.masked_fill(may_overflow(values, semantics), -math.inf), rows, trace


@dataclass(frozen=True)
class ByExample(Method, Generic[Read]):
    """A method that looks at one example after the other, on the image behind monotone layers."""

    @abstractmethod
    def read(self, network: Network, image: Enclosure) -> Read:
        """The network behind its monotone layers.

        Raises:
            InputTypeError: the method is not for this network; the message names the layer.
        """

    @abstractmethod
    def bounds(
        self, read: Read, image: Enclosure, label: int, others: list[int], semantics: Semantics
    ) -> tuple[Float64[Tensor, "margins"], list[dict[str, Any]]]:
        """Lower bounds of the margins over other classes of one example, and a witness of each."""

    def margins(
        self, network: Network, enclosure: Enclosure, y: Labels, semantics: Semantics
    ) -> Bounds:
        """Example by example; -infinity where a value may be infinite."""
        logits, trace = self.enclose(network, enclosure, y, semantics)
        front = network.steps[network.front :]
        image = trace.inputs[front[0]] if front else logits
        read = self.read(network, image)
        witnesses: list[Mapping[int, Any]] = [{} for _ in range(len(y))]
        margins = torch.full((len(y), logits.center.shape[2]), -math.inf, dtype=torch.float64)
        finite = image.radius.isfinite().all(0).flatten(1).all(1)
        known = finite & ~may_overflow(logits, semantics)[:, 0]
        for i in known.nonzero()[:, 0]:
            others = [k for k in range(margins.shape[1]) if k != y[i]]
            found, proofs = self.bounds(read, image.at(i[None]), int(y[i]), others, semantics)
            margins[i, others] = found
            witnesses[i] = dict(zip(others, proofs, strict=True))
        return margins, trace.notes, witnesses


def may_overflow(values: Enclosure, semantics: Semantics) -> Bool[Tensor, "batch 1"]:
    """Examples of which execution may give infinite numbers."""
    if semantics.dtype is None:
        return torch.zeros(values.radius.shape[1], 1, dtype=torch.bool)
    return ~values.radius.isfinite().all(0).flatten(1).all(1, keepdim=True)


CHECKED = (
    "every layer is of a known type, and its weights are finite",
    "the set, cut with the bounds of the data, is enclosed outward",
)

INTERVALS = LinearForms(
    "intervals",
    "interval arithmetic by midpoint and radius (Rump 1999), rounded outward by a-priori error "
    "bounds (Higham 2002, 3.1); margins through the affine layers at the end as linear forms",
    CHECKED,
    to_front=False,
)

TANGENTS = LinearForms(
    "tangents",
    "linear relaxations of every activation between a line below and a line above, substituted "
    "backwards (Zhang et al. 2018), rounded outward; pre-activations in the same way",
    (*CHECKED, "second derivatives are bounded on the pre-activations"),
    to_front=True,
)
