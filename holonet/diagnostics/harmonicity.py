"""Whether a function looks holomorphic on data: two numbers, neither of them a proof."""

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holonet._types import AnyTensor, ComplexTensor, TensorFunction
from holonet.calculus import (
    Probes,
    dbar_along,
    fourier_coefficients,
    negative_mode_fraction,
    partial_z_along,
)
from holonet.errors import InputTypeError
from holonet.nn import to_precision

__all__ = ["HolomorphyCheck", "holomorphy_check"]


@dataclass(frozen=True)
class HolomorphyCheck:
    """What two witnesses say of a function near some points.

    Args:
        dbar: largest |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|) over points and random
            directions v; 0 for holomorphic functions, up to 1.
        negative_modes: largest square root of the energy fraction of negative Fourier modes on
            off-center circles in random complex lines; catches what is holomorphic only piece by
            piece.
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
        """Whether no violation was found; that is evidence, not proof."""
        return max(self.dbar, self.negative_modes) <= self.tolerance


def holomorphy_check(
    f: nn.Module | Callable[[Tensor], Tensor],
    z: AnyTensor,
    *,
    radius: float | None = None,
    samples: int = 64,
    seed: int = 0,
) -> HolomorphyCheck:
    """Look for a violation of holomorphy of f near the points z, in complex128.

    A module is copied and the copy converted to double precision. Both witnesses are needed:
    the pointwise one passes everything that is holomorphic piece by piece, circles about a
    center of symmetry pass everything symmetric; the circles here are off-center.

    Args:
        f: takes a batch of complex points to complex values.
        z: the points, first axis the batch; real ones are lifted.
        radius: of the circles, in the lines' own unit-length direction; None is half the root
            mean square of the points' entries times the square root of their number, at least
            0.5.
        samples: points on each circle; modes above samples/2 are aliased.
        seed: of the directions.

    Raises:
        InputTypeError: f gives real values: check the map in front of the readout.

    Example:
        >>> holomorphy_check(torch.sin, torch.randn(8, 3)).passed
        True
        >>> holomorphy_check(lambda z: z + 1e-6 * z.conj(), torch.randn(8, 3)).passed
        False
    """
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
    worst = int(fractions.argmax())
    return HolomorphyCheck(
        dbar=float((across / total).max()),
        negative_modes=float(fractions[worst]),
        tolerance=1e4 * torch.finfo(torch.float64).eps,
        modes=spectra[worst],
    )


def _modes(
    f: TensorFunction, z: ComplexTensor, probes: Probes, radius: float | None, samples: int
) -> tuple[Tensor, Tensor]:
    """For each point: the amplitude fraction of negative modes, and the modes."""
    direction = probes.like(z)
    direction = direction / math.sqrt(max(direction[0].numel(), 1))  # unit length
    if radius is None:
        radius = max(0.5, 0.5 * float(_norms(z).square().mean().sqrt()))
    fractions, spectra = [], []
    for point, line in zip(z, direction, strict=True):

        def along_line(t: Tensor, point: Tensor = point, line: Tensor = line) -> Tensor:
            return f(point + t.view(-1, *[1] * point.ndim) * line)

        center = radius * (0.4 + 0.3j)
        modes = fourier_coefficients(along_line, center, radius, samples=samples)
        fractions.append(math.sqrt(negative_mode_fraction(modes)))
        spectra.append(modes.abs().flatten(1).sum(1) if modes.ndim > 1 else modes.abs())
    return torch.tensor(fractions), torch.stack(spectra)


def _in_double(f: nn.Module | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    if isinstance(f, nn.Module):
        return to_precision(copy.deepcopy(f), torch.complex128)
    return f


def _norms(v: Tensor) -> Tensor:
    return torch.linalg.vector_norm(v.flatten(1), dim=1)
