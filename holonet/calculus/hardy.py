"""Fourier modes of functions on circles: holomorphic functions have no negative ones."""

import math

import torch

from holonet._types import ComplexTensor, TensorFunction

__all__ = ["fourier_coefficients", "negative_mode_fraction"]


def fourier_coefficients(
    f: TensorFunction,
    center: complex | float | int,
    radius: float | int,
    *,
    samples: int = 64,
) -> ComplexTensor:
    """Fourier coefficients of t -> f(center + radius exp(it)), shape (samples, *rest).

    Mode k, from -samples//2 up to (samples-1)//2, stands at index k + samples//2. Where f is
    holomorphic on the closed disc the mode k >= 0 is radius^k times the Taylor coefficient, up
    to aliasing by the modes k + j samples, and the negative modes vanish.

    Args:
        f: takes complex128 points of shape (samples,) to values of shape (samples, *rest).
        center, radius: the circle.
        samples: points on it.

    Law: Parseval: the squared moduli sum to the mean of |f|^2 over the points.

    Example:
        >>> modes = fourier_coefficients(torch.square, center=1, radius=2, samples=8)
        >>> modes[4:].real.round().tolist()  # (1 + 2w)^2 = 1 + 4w + 4w^2
        [1.0, 4.0, 4.0, 0.0]
    """
    angle = torch.arange(samples, dtype=torch.float64) * (2 * math.pi / samples)
    values = f(center + radius * torch.polar(torch.ones_like(angle), angle))
    return torch.fft.fftshift(torch.fft.fft(values, dim=0, norm="forward"), dim=0)


def negative_mode_fraction(coefficients: ComplexTensor) -> float:
    """Energy of the negative modes over that of all modes but the mean; 0 for holomorphic f.

    Args:
        coefficients: as `fourier_coefficients` returns them; further axes are summed over.

    Example:
        >>> modes = fourier_coefficients(torch.conj, center=1, radius=2)
        >>> round(negative_mode_fraction(modes), 12)
        1.0
    """
    energy = coefficients.abs().square().unsqueeze(-1).flatten(1).sum(1)
    middle = len(energy) // 2
    varying = energy.sum() - energy[middle]
    return float(energy[:middle].sum() / varying) if varying > 0 else 0.0
