"""Whether a function looks holomorphic on data: three numbers, none of them a proof."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from holonet._arguments import checked
from holonet._subject import Subject, map_of
from holonet._types import Points, TensorFunction
from holonet.calculus import Probes, holomorphy_witnesses
from holonet.calculus.checks import require_count

__all__ = ["HolomorphyCheck", "holomorphy_check"]


@dataclass(frozen=True)
class HolomorphyCheck:
    """What three witnesses say of a function near some points, each at its worst point.

    Args:
        dbar: |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|) for random directions v; 0 for
            holomorphic functions, up to 1.
        negative_modes: amplitude fraction of negative Fourier modes on off-center circles in
            random complex lines; catches what is holomorphic only piece by piece.
        derivative: disagreement of autograd's derivatives with Cauchy's integral; catches a
            backward or forward rule that is wrong.
        tolerance: what rounding may leave.
        modes: the coefficients on the circle where `negative_modes` is largest, summed in
            modulus over outputs, modes -samples/2 upward.

    A number is NaN where f was not finite, or no circle could be resolved.
    """

    dbar: float
    negative_modes: float
    derivative: float
    tolerance: float
    modes: Float[Tensor, " samples"]

    @property
    def passed(self) -> bool:
        """Whether no violation was found; that is evidence, not proof. False if a number is NaN."""
        return all(number <= self.tolerance for number in self._numbers)

    @property
    def _numbers(self) -> tuple[float, float, float]:
        return self.dbar, self.negative_modes, self.derivative

    def __str__(self) -> str:
        verdict = "no violation of holomorphy found" if self.passed else "undecided"
        if any(number > self.tolerance for number in self._numbers):
            verdict = "not holomorphic"
        witnesses = ("dbar", "negative modes", "derivative against Cauchy's integral")
        numbers = (f"{name} {n:.1e}" for name, n in zip(witnesses, self._numbers, strict=True))
        return f"{verdict}: {', '.join(numbers)} (limit {self.tolerance:.1e})"


@checked
def holomorphy_check(
    f: TensorFunction,
    z: Points,
    *,
    radius: float | None = None,
    samples: int = 64,
    seed: int = 0,
) -> HolomorphyCheck:
    """Look for a violation of holomorphy of f near the points z, in complex128.

    It is the look at a trained model on its data: as it is, with the parameters and in the mode
    that it has. `testing.assert_holomorphic` also perturbs parameters and changes modes. A module,
    or the module that a bound method such as `HolomorphicClassifier.holomorphic_map` belongs to,
    is copied and the copy converted to double precision. Any other callable must take complex128
    points itself.

    Args:
        f: takes a batch of complex points to complex values. A `HolomorphicClassifier` stands for
            the map in front of its readout.
        z: the points, first axis the batch; real ones are lifted.
        radius: of the circles, in the lines' own unit-length direction; None is half the root
            mean square of the points' Euclidean norms, at least 0.5. A pole inside a circle, at
            most 1.5 radius away from a point, is a violation: choose the radius accordingly.
        samples: points on each circle, at first.
        seed: of the directions.

    Law: passes what is holomorphic about the points up to 1.5 radius and finite there; the
        verdict is the same for f and c f.

    Raises:
        DomainError: there are no points.
        ConfigError: a radius that is not positive and finite, or below 8 samples.
        InputTypeError: f takes real points, or gives real values: check the map in front of the
            readout.

    Example:
        >>> holomorphy_check(torch.sin, torch.randn(8, 3)).passed
        True
        >>> holomorphy_check(lambda z: z + 1e-6 * z.conj(), torch.randn(8, 3)).passed
        False
    """
    require_count("samples", samples, 8, "holomorphy_check")
    subject = Subject(map_of(f), z, radius=radius)
    subject.require_complex_input()
    z = subject.z
    v = Probes(seed).like(z) / math.sqrt(z[0].numel())
    found = holomorphy_witnesses(subject.f, z, v, radius=subject.radius, samples=samples)
    negative = torch.where(found.decided, found.negative_modes, math.nan)
    worst = int(negative.argmax())  # the first NaN, if there is one
    modes = found.modes.coefficients[:, worst]
    return HolomorphyCheck(
        dbar=float(found.dbar.max()),
        negative_modes=float(negative[worst]),
        derivative=float(found.derivative.max()),
        tolerance=found.tolerance,
        modes=modes.abs().reshape(len(modes), -1).sum(1),
    )
