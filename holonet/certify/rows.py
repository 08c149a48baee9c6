"""Linear forms pulled back through a network, with their errors."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from holonet._types import Labels
from holonet.certify.enclosure import EXACT, Enclosure, moduli
from holonet.functions.rounding import UNIT, margin

__all__ = ["Rows"]

Coefficients = Float64[Tensor, "parts batch rows *event"]
Bounds = Float64[Tensor, "batch rows"]


@dataclass(frozen=True, eq=False)
class Rows:
    """Lower bounds w . z + k of some functions, linear in the entries of a layer's value z.

    Args:
        value, error: w to within the error, in every entry (parts, batch, rows, *event).
        constant, slack: k to within the slack.
    """

    value: Coefficients
    error: Coefficients
    constant: Bounds
    slack: Bounds

    @classmethod
    def differences(cls, y: Labels, classes: int, batch: int) -> "Rows":
        """z_y - z_k for each class k of each example."""
        unit = torch.eye(classes, dtype=torch.float64)
        value = (unit[y][:, None] - unit[None])[None]
        zeros = torch.zeros(batch, classes, dtype=torch.float64)
        return cls(value, torch.zeros_like(value), zeros, zeros)

    @classmethod
    def entries(cls, shape: torch.Size, index: Int64[Tensor, "rows"], sign: float) -> "Rows":
        """Sign times the entries of these numbers, of a layer's value of this shape."""
        count = shape[0] * math.prod(shape[2:])
        unit = torch.zeros(len(index), count, dtype=torch.float64)
        unit[torch.arange(len(index)), index] = sign
        parts = unit.view(len(index), shape[0], 1, *shape[2:]).transpose(0, 1).transpose(1, 2)
        value = parts.expand(shape[0], shape[1], len(index), *shape[2:])
        zeros = torch.zeros(shape[1], len(index), dtype=torch.float64)
        return cls(value, torch.zeros_like(value), zeros, zeros)

    def plus(self, constant: Bounds, slack: Bounds) -> "Rows":
        """With a constant added that is known to within a slack."""
        total = self.constant + constant
        error = self.slack + slack
        return Rows(self.value, self.error, total, error + margin(total) + margin(error))

    def replaced(
        self,
        value: Float64[Tensor, "parts batch rows *event"],
        offset: Float64[Tensor, "terms batch rows *old"],
        unsure: Float64[Tensor, "old_parts batch rows *old"],
    ) -> "Rows":
        """A form of new coefficients, the sum of offset more and unsure by the sum of unsure."""
        count = EXACT.gamma(2 * offset[0, 0, 0].numel() * len(offset) + 16)
        slack = total(unsure) * (1 + count) + count * total(offset.abs())
        pulled = Rows(value, 4 * UNIT * value.abs(), self.constant, self.slack)
        return pulled.plus(total(offset), slack + margin(slack))

    def beside(self, other: "Rows") -> "Rows":
        """The sum of two forms on the same entries, constants included."""
        value = self.value + other.value
        error = self.error + other.error + UNIT * value.abs()
        rows = Rows(value, error + margin(error), self.constant, self.slack)
        return rows.plus(other.constant, other.slack)

    def lower(self, enclosure: Enclosure) -> Bounds:
        """The least value on the enclosure, rounded down; -infinity where nothing is known."""
        terms = math.prod(self.value.shape[3:]) * len(self.value)
        gamma = EXACT.gamma(terms + 8)
        center, radius = (part.unsqueeze(2) for part in (enclosure.center, enclosure.radius))
        size = self.value.abs()
        unsure = self.error + gamma * size
        spread = total(size * radius + unsure * (center.abs() + radius))
        least = self._least(center, spread, gamma)
        if (ball := enclosure.ball) is None:
            return least
        # (w + e) . (x - m) rises by at most what w and e do
        rise = ball.rise(total(ball.summand(moduli(self.value)[None])), terms)
        rise = rise + ball.rise(total(ball.summand(moduli(self.error)[None])), terms)
        middle = ball.middle.unsqueeze(2)
        spread = rise + total(unsure * middle.abs())
        return torch.maximum(least, self._least(middle, spread, gamma))

    def _least(self, center: Tensor, spread: Bounds, gamma: float) -> Bounds:
        """The value at a center less a spread, rounded down."""
        middle = total(self.value * center)
        least = self.constant + middle - (spread * (1 + gamma) + self.slack)
        least = least - margin(self.constant) - margin(middle) - margin(spread + self.slack)
        return torch.where(least.isnan(), -math.inf, least)


def total(terms: Coefficients) -> Bounds:
    """The sum over parts and entries."""
    return terms.sum(0).flatten(2).sum(2)
