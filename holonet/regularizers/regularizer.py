"""What every regularizer is: a penalty on a function at points, as an object or in a loop."""

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from holonet._arguments import checked
from holonet._types import Points, Scalar, TensorFunction, Values
from holonet.calculus import Probes
from holonet.calculus.estimate import Estimate
from holonet.calculus.examples import square_norms
from holonet.errors import ConfigError
from holonet.nn.modes import running_statistics

__all__ = ["Regularizer", "batch_mean", "mean_square_norm"]


@checked
class Regularizer(ABC):
    """A map `(f, z) -> scalar`, differentiable in the parameters of f.

    f takes a batch to a batch, each example on its own; z is real or complex, first axis the
    batch. It is usable alone: `loss = task + penalty(model, x)`.

    Law: in the mean over probes non-negative, and zero exactly on the class that the regularizer
        stands for.
    """

    @abstractmethod
    def value_and_penalty(
        self, f: TensorFunction, z: Points, probes: Probes | None = None
    ) -> tuple[Values, Scalar]:
        """f(z) and the penalty; a rule that needs both saves a forward pass."""

    def __call__(self, f: TensorFunction, z: Points, probes: Probes | None = None) -> Scalar:
        """The penalty, averaged over the batch; batch norm shows its running statistics."""
        with running_statistics(f):
            return self._penalty(f, z, probes)

    def _penalty(self, f: TensorFunction, z: Points, probes: Probes | None) -> Scalar:
        return self.value_and_penalty(f, z, probes)[1]

    def estimate(
        self, f: TensorFunction, z: Points, count: int, probes: Probes | None = None
    ) -> Estimate:
        """The penalty as a number with its standard error, from `count` draws of the probes.

        The error is that of the probes at these points; what other points would give is not in
        it. One call of the penalty has the standard deviation standard_error * sqrt(count).

        Args:
            f, z: as for the penalty; the result is detached from the parameters of f.
            count: how often the penalty is drawn, at least 2.
            probes: where the draws come from; default torch's global generator.

        Raises:
            ConfigError: `count` is below 2.
        """
        if count < 2:
            raise ConfigError(
                f"{type(self).__name__}.estimate(count={count}): at least 2 draws are needed, "
                "since the standard error comes from their spread"
            )
        probes = Probes() if probes is None else probes
        draws = torch.stack([self(f, z, probes).detach() for _ in range(count)])
        return Estimate(draws.mean(), draws.std() / math.sqrt(count))


def mean_square_norm(v: Points) -> Scalar:
    """Mean over the batch of the squared Euclidean norm of each example; 0 for no examples."""
    return batch_mean(square_norms(v))


def batch_mean(numbers: Float[Tensor, "*shape"]) -> Scalar:
    """The mean over all entries; 0 where there are none, as a sum over no examples is.

    Example:
        >>> batch_mean(torch.tensor([1.0, 2.0])), batch_mean(torch.zeros(0))
        (tensor(1.5000), tensor(0.))
    """
    return numbers.sum() / max(numbers.numel(), 1)
