"""A Monte Carlo mean and its standard error."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Inexact
from torch import Tensor

from holonet.calculus.examples import nonzero

__all__ = ["Estimate"]


@dataclass(frozen=True)
class Estimate:
    """A mean of random draws, with the standard deviation of that mean.

    Args:
        value: the estimate.
        standard_error: how far it lies from the truth in the root mean square, itself estimated
            from the spread of the draws; of the shape of `value`.

    Example:
        >>> Estimate(torch.tensor(1.5), torch.tensor(0.25)).z_score(1.0)
        tensor(2.)
    """

    value: Inexact[Tensor, "*shape"]
    standard_error: Float[Tensor, "*shape"]

    @classmethod
    def from_draws(
        cls, draws: Inexact[Tensor, "count *rest"], size: Inexact[Tensor, "*#rest"] | float = 0.0
    ) -> "Estimate":
        """The mean of two or more independent draws (first axis), rounding in its standard error.

        Args:
            draws: shape (count, *rest).
            size: of the numbers whose difference the draws are, for judging what rounding is.

        Example:
            >>> Estimate.from_draws(torch.tensor([1.0, 3.0])).standard_error
            tensor(1.)
        """
        kept = draws.detach()
        largest = kept.abs().mean(0) + torch.as_tensor(size).detach().abs()
        rounding = torch.finfo(draws.dtype).eps * largest
        unit = nonzero(kept.abs().amax(0))
        spread = (kept / unit).std(0) * unit
        error = torch.hypot(spread / math.sqrt(len(draws)), rounding)
        return cls(draws.mean(0), error)

    def z_score(
        self, reference: Inexact[Tensor, "*reference"] | complex | float | int
    ) -> Inexact[Tensor, "*scores"]:
        """(value - reference) / standard_error: of mean 0 and variance near 1 at the truth.

        0 where both the deviation and the standard error are 0.
        """
        deviation: Tensor = self.value - reference
        return torch.where(deviation == 0, 0, deviation / self.standard_error)
