"""What every regularizer is: a penalty on a function at points, as an object or in a loop."""

from abc import ABC, abstractmethod

from torch import Tensor

from holonet._types import AnyTensor, RealTensor, TensorFunction
from holonet.calculus import Probes

__all__ = ["Regularizer", "mean_square_norm"]


class Regularizer(ABC):
    """A map `(f, z) -> non-negative scalar`, differentiable in the parameters of f.

    f takes a batch to a batch, each example on its own; z is real or complex, first axis the
    batch. It is usable alone: `loss = task + penalty(model, x)`.

    Law: non-negative, and zero exactly on the class that the regularizer stands for.
    """

    @abstractmethod
    def value_and_penalty(
        self, f: TensorFunction, z: AnyTensor, probes: Probes | None = None
    ) -> tuple[AnyTensor, RealTensor]:
        """f(z) and the penalty; a rule that needs both saves a forward pass."""

    def __call__(self, f: TensorFunction, z: AnyTensor, probes: Probes | None = None) -> RealTensor:
        """The penalty, averaged over the batch."""
        return self.value_and_penalty(f, z, probes)[1]


def mean_square_norm(v: Tensor) -> RealTensor:
    """Mean over the batch of the squared Euclidean norm of each example."""
    return v.abs().square().sum() / len(v)
