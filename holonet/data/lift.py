"""Lifts of real features to complex ones: where a real data set enters the holomorphic world."""

import math

import torch
from jaxtyping import Complex, Shaped
from torch import Tensor

from holonet._arguments import checked
from holonet._types import RealTensor
from holonet.errors import InputTypeError, ShapeError

__all__ = ["analytic_signal", "embed", "pair", "phase"]


@checked
def embed(x: Shaped[Tensor, "*shape"]) -> Complex[Tensor, "*shape"]:
    """The number x + 0i: the real line in the plane.

    Law: `embed(x).real` is x.

    Raises:
        InputTypeError: x is neither float32 nor float64.

    Example:
        >>> embed(torch.tensor([0.0, 1.0]))
        tensor([0.+0.j, 1.+0.j])
    """
    x = _real(x, "embed")
    return torch.complex(x, torch.zeros_like(x))


@checked
def phase(x: Shaped[Tensor, "*shape"]) -> Complex[Tensor, "*shape"]:
    """exp(i pi x): onto the torus, [0, 1] onto the upper half circle.

    Law: the modulus is 1, and the angle is pi * x for x in [0, 1].

    Raises:
        InputTypeError: x is neither float32 nor float64.

    Example:
        >>> phase(torch.tensor([0.0, 0.5])).angle() / torch.pi
        tensor([0.0000, 0.5000])
    """
    angle = math.pi * _real(x, "phase")
    return torch.complex(angle.cos(), angle.sin())


@checked
def pair(x: Shaped[Tensor, "*batch"]) -> Complex[Tensor, "*half"]:
    """x_0 + i x_1, x_2 + i x_3, ...: adjacent features of the last axis as one number.

    Law: half as many features, none lost: `torch.view_as_real(pair(x)).flatten(-2)` is x.

    Raises:
        InputTypeError: x is neither float32 nor float64.
        ShapeError: the last axis is missing or odd.

    Example:
        >>> pair(torch.tensor([1.0, 2.0, 3.0, 4.0]))
        tensor([1.+2.j, 3.+4.j])
    """
    x = _real(x, "pair")
    if x.ndim == 0 or x.shape[-1] % 2:
        raise ShapeError(
            f"pair of a tensor of shape {tuple(x.shape)}: the last axis must be even; pad it with "
            "torch.nn.functional.pad(x, (0, 1)), or use embed"
        )
    return torch.complex(x[..., 0::2], x[..., 1::2])


@checked
def analytic_signal(x: Shaped[Tensor, "*shape"]) -> Complex[Tensor, "*shape"]:
    """The signal x + i H x along the last axis, H the discrete periodic Hilbert transform.

    Law: the real part is x, and the discrete Fourier transform vanishes at negative frequencies,
        so that the signal is the boundary value of a polynomial in exp(it).

    Raises:
        InputTypeError: x is neither float32 nor float64.
        ShapeError: the last axis is missing or empty.

    Example:
        >>> analytic_signal(torch.tensor([1.0, 0.0, -1.0, 0.0]))  # cos t, becomes exp(it)
        tensor([ 1.+0.j,  0.+1.j, -1.+0.j,  0.-1.j])
    """
    x = _real(x, "analytic_signal")
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ShapeError(
            f"analytic_signal of a tensor of shape {tuple(x.shape)}: the last axis is time and "
            "must have at least one entry"
        )
    n = x.shape[-1]
    weight = torch.zeros(n, dtype=x.dtype, device=x.device)
    weight[: n // 2 + 1] = 2
    weight[0] = 1  # the constant and, for even n, the Nyquist frequency are their own mirror
    if n % 2 == 0:
        weight[n // 2] = 1
    return torch.fft.ifft(torch.fft.fft(x) * weight)


def _real(x: Tensor, lift: str) -> RealTensor:
    """The tensor itself if a lift to complex64 or complex128 is meaningful."""
    if x.dtype not in (torch.float32, torch.float64):
        remedy = "it needs no lift" if x.is_complex() else "convert it with x.float()"
        raise InputTypeError(
            f"{lift} of a {x.dtype} tensor: lifts take float32 (to complex64) or float64 "
            f"(to complex128); {remedy}"
        )
    return x
