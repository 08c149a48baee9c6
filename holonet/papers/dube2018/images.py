"""Images at several resolutions: resampled ones, and random fields with detail at every scale."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn.functional import interpolate

from holonet._types import Numbers
from holonet.data import Dataset
from holonet.errors import DataError

__all__ = ["EXPONENTS", "best_linear_distances", "random_fields", "resampled"]

EXPONENTS: Mapping[str, float] = {"rough": 1.0, "smooth": 2.0}
"""Amplitudes fall as |k|^-exponent: 1 is that of natural images."""

SIGNAL = 0.3  # of the template, in standard deviations of the noise, at every frequency
REFERENCE = 32  # side of the grid on which the noise has the standard deviation
CONTRAST = 0.3  # which is about that of images in [0, 1]
FINEST = 256  # side of the grid on which a template is drawn

Grid = Float[Tensor, "side side"]
ComplexGrid = Complex[Tensor, "*batch side side"]


def resampled(data: Dataset, side: int) -> Dataset:
    """The images at another resolution, by bicubic interpolation with antialiasing.

    Raises:
        DataError: the data are not real square images.
    """
    shape = data.feature_shape
    if data.is_complex or len(shape) != 3 or shape[1] != shape[2]:
        raise DataError(
            f"{data.name!r} has features {shape}{' (complex)' if data.is_complex else ''}: this "
            "study resamples real square images (channels, n, n), digits or mnist for example"
        )
    splits = {
        name: interpolate(getattr(data, name), (side, side), mode="bicubic", antialias=True)
        for name in ("x_train", "x_test")
    }
    return replace(data, **splits)


def random_fields(side: int, exponent: float | int, seed: int, train: int, test: int) -> Dataset:
    """Two classes of Gaussian fields on the unit square, mean -T and T, sampled at side x side.

    T is a fixed field of the seed, and the noise has the same spectrum. A finer grid adds the
    frequencies that it can hold to the same T: each tells as much about the class as any other.

    Law: T on a coarse grid has the Fourier coefficients of T on a finer one; the noise has standard
        deviation CONTRAST on the grid of side 32.

    Args:
        side: even, at most 256.
        exponent: of the amplitudes |k|^-exponent.
        seed: of T and, with the side, of the noise.
        train, test: number of examples.
    """
    generator = torch.Generator().manual_seed(1000 * (seed + 1) + side)
    y = torch.arange(train + test) % 2
    amplitudes = _amplitudes(side, exponent)
    noise = torch.randn(train + test, side, side, generator=generator, dtype=torch.complex64)
    signal = SIGNAL * (2 * y - 1)[:, None, None] * _template(side, seed)
    scale = CONTRAST / _amplitudes(REFERENCE, exponent).square().sum().sqrt()
    x = scale * _field((noise + signal) * amplitudes)[:, None]
    return Dataset(x[:train], y[:train], x[train:], y[train:], num_classes=2, name="fields")


def best_linear_distances(side: int, exponent: float | int, seed: int, count: int) -> Numbers:
    """Distances of fields to the boundary <w, x> = 0 of the best linear classifier.

    With the covariance C of the noise w is C^-1 T. 0 for misclassified fields.
    """
    data = random_fields(side, exponent, seed, 2, count)
    amplitudes = _amplitudes(side, exponent)
    inverse = torch.where(amplitudes > 0, 1 / amplitudes.clamp(min=1e-9), 0.0)
    w = _field(_template(side, seed) * inverse).flatten()
    margins = (2 * data.y_test - 1) * (data.x_test.flatten(1) @ w)
    return margins.clamp(min=0) / torch.linalg.vector_norm(w)


def _amplitudes(side: int, exponent: float | int) -> Grid:
    """|k|^-exponent; 0 for the mean, and for frequencies that the grid confuses with others."""
    k = torch.fft.fftfreq(side) * side
    square = k[:, None] ** 2 + k**2
    amplitudes = torch.where(square > 0, square.clamp(min=1) ** (-exponent / 2), 0.0)
    amplitudes[side // 2] = amplitudes[:, side // 2] = 0
    return amplitudes


def _template(side: int, seed: int) -> ComplexGrid:
    """Standard coefficients of T: those of the finest grid at the frequencies of this one."""
    generator = torch.Generator().manual_seed(seed)
    finest = torch.randn(FINEST, FINEST, generator=generator, dtype=torch.complex64)
    k = (torch.fft.fftfreq(side) * side).long()
    return finest[k][:, k]


def _field(coefficients: ComplexGrid) -> Float[Tensor, "*batch side side"]:
    """The real field of these coefficients; sqrt(2) keeps the variance of complex normals."""
    return 2**0.5 * torch.fft.ifft2(coefficients, norm="forward").real
