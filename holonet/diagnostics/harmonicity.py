"""Whether a function looks holomorphic on data: two numbers, neither of them a proof."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from types import MethodType

import torch
from torch import Tensor, nn

from holonet._types import AnyTensor, ComplexTensor, RealTensor, TensorFunction
from holonet.calculus import Probes, dbar_along, fourier_coefficients, partial_z_along
from holonet.errors import DomainError, InputTypeError
from holonet.nn import to_precision

__all__ = ["HolomorphyCheck", "holomorphy_check"]

TOLERANCE = 1e4 * torch.finfo(torch.float64).eps
REFINED = 8  # times the points, at most, on a circle that seems to show a violation
SMALLEST_VARIATION = 1e-2  # of f on a circle, against its size: below, rounding would show


@dataclass(frozen=True)
class HolomorphyCheck:
    """What two witnesses say of a function near some points.

    Args:
        dbar: largest |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|) over points and random
            directions v; 0 for holomorphic functions, up to 1; NaN where f is not finite.
        negative_modes: largest square root of the energy fraction of negative Fourier modes on
            off-center circles in random complex lines; catches what is holomorphic only piece by
            piece; NaN where f is not finite.
        tolerance: what rounding may leave.
        modes: the coefficients on the circle where `negative_modes` is largest, summed in
            modulus over outputs, modes -samples/2 upward.
    """

    dbar: float
    negative_modes: float
    tolerance: float
    modes: Tensor

    @property
    def passed(self) -> bool:
        """Whether no violation was found; that is evidence, not proof. False if a number is NaN."""
        return self.dbar <= self.tolerance and self.negative_modes <= self.tolerance


def holomorphy_check(
    f: nn.Module | Callable[[Tensor], Tensor],
    z: AnyTensor,
    *,
    radius: float | None = None,
    samples: int = 64,
    seed: int = 0,
) -> HolomorphyCheck:
    """Look for a violation of holomorphy of f near the points z, in complex128.

    Both witnesses are needed: the pointwise one passes everything that is holomorphic piece by
    piece, circles about a center of symmetry pass everything symmetric; the circles here are
    off-center. Where negative modes are found the circle is looked at again with more points,
    lest high modes pass for negative ones by aliasing.

    A module, or the module that a bound method such as `HolomorphicClassifier.holomorphic_map`
    belongs to, is copied and the copy converted to double precision. Any other callable must
    take complex128 points itself.

    Args:
        f: takes a batch of complex points to complex values.
        z: the points, first axis the batch; real ones are lifted.
        radius: of the circles, in the lines' own unit-length direction; None is half the root
            mean square of the points' Euclidean norms, at least 0.5. A pole inside a circle, at
            most 1.5 radius away from a point, is a violation: choose the radius accordingly.
        samples: points on each circle, at first.
        seed: of the directions.

    Law: passes what is holomorphic about the points up to 1.5 radius and finite there; the
        verdict is the same for f and c f.

    Raises:
        DomainError: no points, a radius that is not positive and finite, or below 8 samples.
        InputTypeError: f gives real values: check the map in front of the readout.

    Example:
        >>> holomorphy_check(torch.sin, torch.randn(8, 3)).passed
        True
        >>> holomorphy_check(lambda z: z + 1e-6 * z.conj(), torch.randn(8, 3)).passed
        False
    """
    if not z.numel() or samples < 8 or not (radius is None or 0 < radius < math.inf):
        raise DomainError(
            f"holomorphy_check of points of shape {tuple(z.shape)} with radius={radius}, "
            f"samples={samples}: give at least one point, a positive finite radius or None, and "
            "8 samples or more"
        )
    f = _in_double(f)
    z = z.detach().to(torch.complex128)
    probes = Probes(seed)
    v = probes.like(z)
    with torch.no_grad():
        if not f(z[:1]).is_complex():
            raise InputTypeError(
                "holomorphy of a real-valued function was asked: it is constant if holomorphic. "
                "Check the map in front of the readout, HolomorphicClassifier.holomorphic_map"
            )
        across = _norms(dbar_along(f, z, v))
        along = _norms(partial_z_along(f, z, v))
        total = (across + along).clamp(min=torch.finfo(torch.float64).tiny)
        fractions, spectra = _modes(f, z, probes, radius, samples)
    worst = int(fractions.argmax())  # the first NaN, if there is one
    return HolomorphyCheck(
        dbar=float((across / total).max()),
        negative_modes=float(fractions[worst]),
        tolerance=TOLERANCE,
        modes=spectra[worst],
    )


def _modes(
    f: TensorFunction, z: ComplexTensor, probes: Probes, radius: float | None, samples: int
) -> tuple[RealTensor, list[RealTensor]]:
    """For each point: the amplitude fraction of negative modes, and the modes."""
    direction = probes.like(z)
    direction = direction / math.sqrt(direction[0].numel())  # unit length
    if radius is None:
        radius = max(0.5, 0.5 * float(_norms(z).square().mean().sqrt()))
    center = radius * (0.4 + 0.3j)
    fractions, spectra = [], []
    for point, line in zip(z, direction, strict=True):

        def along_line(t: Tensor, point: Tensor = point, line: Tensor = line) -> Tensor:
            return f(point + t.view(-1, *[1] * point.ndim) * line)

        modes = fourier_coefficients(along_line, center, radius, samples=samples)
        while _negative_fraction(modes) > TOLERANCE and len(modes) < REFINED * samples:
            modes = fourier_coefficients(along_line, center, radius, samples=2 * len(modes))
        fractions.append(_negative_fraction(modes))
        spectra.append(modes.abs().reshape(len(modes), -1).sum(1))
    return torch.tensor(fractions, dtype=torch.float64), spectra


def _negative_fraction(modes: ComplexTensor) -> float:
    """Amplitude of the negative modes over that of all but the mean, or over 1% of all."""
    amplitude = torch.linalg.vector_norm(modes.reshape(len(modes), -1), dim=1)
    middle = len(amplitude) // 2
    negative = torch.linalg.vector_norm(amplitude[:middle])
    varying = torch.hypot(negative, torch.linalg.vector_norm(amplitude[middle + 1 :]))
    size = torch.hypot(varying, amplitude[middle])
    if not size.isfinite():
        return math.nan
    return float(negative / torch.maximum(varying, SMALLEST_VARIATION * size)) if size else 0.0


def _in_double(f: nn.Module | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    if isinstance(f, nn.Module):
        return to_precision(copy.deepcopy(f), torch.complex128)
    if isinstance(f, MethodType) and isinstance(f.__self__, nn.Module):
        return MethodType(f.__func__, to_precision(copy.deepcopy(f.__self__), torch.complex128))
    return f


def _norms(v: Tensor) -> RealTensor:
    """Euclidean length of each example."""
    return torch.linalg.vector_norm(v.reshape(len(v), -1), dim=1)
