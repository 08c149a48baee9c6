"""The record of a holomorphic function: one object that nn, certify, symbolic and tests read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._types import InexactEntries
from holonet.domains import Domain, Obstacle, Plane, SlitPlane
from holonet.errors import InputTypeError
from holonet.functions.classes import FunctionClass

__all__ = ["HolomorphicFunction", "Singularity", "SingularityKind"]

Entrywise = Callable[[InexactEntries], InexactEntries]

_LOW = (torch.float16, torch.bfloat16)
"""Real numbers that have no complex partner."""


class SingularityKind(Enum):
    """What goes wrong at a singular point."""

    POLE = "pole"
    BRANCH_POINT = "branch point"
    ESSENTIAL = "essential"


@dataclass(frozen=True)
class Singularity:
    """A set of singular points of one kind."""

    where: Obstacle
    kind: SingularityKind = SingularityKind.POLE


@dataclass(frozen=True)
class HolomorphicFunction:
    """A holomorphic function of one variable with everything that is known about it.

    Law: `derivative` and `second_derivative` are those of `value`; `formula` is `value`, written
        for a computer algebra system in the variable z; the real axis maps into itself where
        `real_on_real` says so, `real` is the value there, with its derivatives, and the interval
        [a, b] is mapped onto [f(a), f(b)] where `monotone` says so; off `singularities` and
        `branch_cuts` the function is holomorphic.

    Args:
        name: the key in the catalogue.
        formula: an expression in z, e.g. "z/(1 + exp(-z))".
        value, derivative, second_derivative: entry by entry, complex in and complex out in the
            same dtype; finite wherever the function is, differentiable by torch in both modes
            (a constant derivative may be a constant that autograd does not connect to z).
        function_class: what composition may rely on.
        singularities: poles, branch points and essential singularities.
        branch_cuts: rays that the chosen branch jumps across.
        real_on_real: whether real z of the domain gives a real value.
        monotone: the real axis lies in the domain, and x < y on it implies f(x) < f(y). The
            derivative may be 0 at single points, as that of z^3 is. False where it is not known.
        real: the function of real tensors in real arithmetic, torch's own where there is one. Its
            derivatives are torch's too. None takes the real part of `value` at x + 0i.
        base_point: a well-behaved point about which a network may center its pre-activations.
        reference: where the definition and the facts come from.
        accuracy: where the numerical error is larger than a few eps times scale, if anywhere.
    """

    name: str
    formula: str
    value: Entrywise = field(repr=False)
    derivative: Entrywise = field(repr=False)
    second_derivative: Entrywise = field(repr=False)
    function_class: FunctionClass
    singularities: tuple[Singularity, ...] = ()
    branch_cuts: tuple[Obstacle, ...] = ()
    real_on_real: bool = True
    monotone: bool = False
    base_point: complex = 0j
    reference: str = ""
    accuracy: str = ""
    real: Entrywise | None = field(default=None, repr=False)

    def __call__(self, z: InexactEntries) -> InexactEntries:
        """The value at z: complex at complex z, real at real z.

        Raises:
            InputTypeError: z is real, and real z do not give real values.
        """
        if z.is_complex():
            return self.value(z)
        if not self.real_on_real:
            raise InputTypeError(
                f"{self.name}, {self.formula}, got a real tensor ({z.dtype}, shape "
                f"{tuple(z.shape)}), and its values at real z are complex. Give it complex ones, "
                "z.to(torch.complex64), as nn.HolomorphicClassifier does for its layers"
            )
        if self.real is not None:
            return self.real(z)
        wide = z.float() if z.dtype in _LOW else z
        return self.value(torch.complex(wide, torch.zeros_like(wide))).real.to(z.dtype)

    @property
    def obstacles(self) -> tuple[Obstacle, ...]:
        """All that a point must keep away from: singularities, then branch cuts."""
        return (*(s.where for s in self.singularities), *self.branch_cuts)

    @property
    def domain(self) -> Domain:
        """Where the function is holomorphic: the plane without its obstacles."""
        return SlitPlane(self.obstacles, self.base_point) if self.obstacles else Plane()

    def clearance(self, z: Complex[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Radius of the largest disc about z on which the function is holomorphic."""
        return self.domain.clearance(z)
