"""The Laplacian and the complex Hessian: how far a function is from harmonic or pluriharmonic.

With A_jk = d2u/dz_j dz_k, B_jk = d2u/dzbar_j dzbar_k and the complex Hessian
H_jk = d2u/dz_j dzbar_k, the real-bilinear second derivative is

    D2u[v, w] = v^T A w + v^T H conj(w) + w^T H conj(v) + conj(v)^T B conj(w).

Turning v and w by i changes the signs of A and B and not that of H, which gives the Levi form

    v^T H conj(v) = (D2u[v, v] + D2u[iv, iv]) / 4,    Laplacian = 4 tr H.

Second derivatives are taken forward over forward. torch 2.13 gets these wrong, silently, for
layer_norm, instance_norm, batch_norm in training (pytorch issues 196699 and 196700), det, logdet,
linalg.solve, and for an autograd.Function whose jvp does not switch forward mode on again: write
such layers out in elementary operations.
"""

import math

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor
from torch.nn.functional import one_hot

from holonet._arguments import checked
from holonet._types import (
    AnyTensor,
    ComplexTensor,
    GivenComplexPoints,
    GivenPoints,
    IntTensor,
    Points,
    TensorFunction,
    Values,
)
from holonet.calculus.checks import require_complex, require_count
from holonet.calculus.estimate import Estimate
from holonet.calculus.probes import Probes
from holonet.calculus.wirtinger import second_directional_derivative
from holonet.errors import InputTypeError, ShapeError

__all__ = [
    "complex_hessian",
    "laplacian",
    "laplacian_estimate",
    "laplacian_over_real_part",
    "levi_form",
    "levi_form_polarized",
    "pluriharmonic_defect",
    "second_derivatives",
]

ComplexValues = Complex[Tensor, "batch *out"]
RealValues = Float[Tensor, "batch *out"]
Hessians = Complex[Tensor, "batch *out n n"]
Directions = Inexact[Tensor, "directions batch *event"]


@checked
def laplacian(u: TensorFunction, z: GivenPoints, *, chunk: int = 32) -> Values:
    """The sum of the second derivatives of u over all real coordinates of z, exactly.

    Those are the n coordinates of a real z, and the 2n of a complex z = x + iy: u_xx + u_yy, as
    for Re z^2 = x^2 - y^2, which is harmonic: 2 - 2 = 0. To let only the real parts vary, as data
    do, ask for `laplacian_over_real_part`, which is 2 there.

    Args:
        u: a function of batches, (batch, *event) -> (batch, *out), each example on its own, real-
            or complex-valued.
        z: the points, real or complex.
        chunk: directions taken at a time, as a batch `chunk` times as large; the cost is that of
            four forward passes for every coordinate, the memory that of one chunk.

    Law: 0 for u = Re f with f holomorphic; 4 times the trace of `complex_hessian` for complex z;
        unchanged by rotations of the coordinates.

    Raises:
        InputTypeError: z is neither real floating nor complex.
        ShapeError: z has no batch axis, or u does not give a value for each example.
        ConfigError: `chunk` is below 1.

    Example:
        >>> x = torch.tensor([[1.0, 2.0, 3.0]])
        >>> laplacian(lambda x: (x**2).sum(1), x)  # 2 n
        tensor([6.])
        >>> laplacian(lambda z: (z**2).real.sum(1), x + 0j)  # the real part of z^2 is harmonic
        tensor([0.])
    """
    _require_points(z, "laplacian")
    units = (1, 1j) if z.is_complex() else (1,)
    return _trace(u, z, units, chunk, "laplacian")


@checked
def laplacian_over_real_part(
    u: TensorFunction, z: GivenComplexPoints, *, chunk: int = 32
) -> Values:
    """The sum of u_xx over the n real parts of z = x + iy only: over the directions of real data.

    Not the Laplacian on C^n: for Re z^2 = x^2 - y^2 this one is 2, `laplacian` is 0. Where u is
    the real part of a holomorphic f it is Re tr f'', in general not 0: a network that is harmonic
    on C^n is not harmonic as a function of real data.

    Args:
        u: as for `laplacian`.
        z: the points, complex.
        chunk: as for `laplacian`.

    Law: with x -> u(x + iy) for u it is `laplacian` at the real points x.

    Raises:
        InputTypeError: z is not complex.
        ShapeError, ConfigError: as `laplacian`.

    Example:
        >>> z = torch.tensor([[1 + 1j, 2j]])
        >>> laplacian_over_real_part(lambda z: (z**2).real.sum(1), z)  # Re z^2 has u_xx = 2
        tensor([4.])
    """
    require_complex(z, "laplacian_over_real_part", "; at real points ask for laplacian")
    _require_points(z, "laplacian_over_real_part")
    return _trace(u, z, (1,), chunk, "laplacian_over_real_part")


@checked
def laplacian_estimate(
    u: TensorFunction, z: GivenPoints, count: int, probes: Probes | None = None
) -> Estimate:
    """An unbiased estimate of `laplacian` from `count` random directions for each example.

    The mean of D2u[v, v] for real z. For complex z the directions have E[v v^H] = 1 and
    E[v v^T] = 0, of all of D2u[v, v] only 2 v^T H conj(v) is left in the mean, and 2 tr H is half
    the Laplacian: it is the mean of 2 D2u[v, v].

    Where u is nearly pluriharmonic, the mean of 4 `levi_form` over random v is the same number
    with no variance from the part that is pluriharmonic.

    Args:
        u: as for `laplacian`.
        z: the points, real or complex.
        count: directions for each example, at least 2: one tells nothing of its error.
        probes: where they come from; default torch's global generator.

    Law: the mean over probes is `laplacian`; where D2u is diagonal and z is real it is exact.

    Raises:
        InputTypeError: z is neither real floating nor complex.
        ShapeError: z has no batch axis, or u does not give a value for each example.
        ConfigError: `count` is below 2.

    Example:
        >>> found = laplacian_estimate(lambda x: (x**2).sum(1), torch.ones(1, 3), count=2)
        >>> found.value, found.standard_error
        (tensor([6.]), tensor([0.]))

    References:
        Hutchinson (1990).
    """
    _require_points(z, "laplacian_estimate")
    require_count("count", count, 2, "laplacian_estimate")
    probes = Probes() if probes is None else probes
    factor = 2 if z.is_complex() else 1
    directions = (probes.like(z).unsqueeze(0) for _ in range(count))
    draws = factor * torch.cat(
        [second_derivatives(u, z, v, v, "laplacian_estimate") for v in directions]
    )
    value = draws.mean(0)
    spread = torch.linalg.vector_norm(draws - value, dim=0)
    return Estimate(value, spread / math.sqrt(count * (count - 1)))


@checked
def levi_form(u: TensorFunction, z: GivenComplexPoints, v: GivenPoints) -> Values:
    """The sum of (d2u / dz_j dzbar_k) v_j conj(v_k): a quarter of the Laplacian along v C.

    Args:
        u: as for `laplacian`.
        z: the points, complex.
        v: a direction for each of them, of the shape of z.

    Law: real for real u; the same for v and exp(it) v; ||f'(z) v||^2 for u = ||f||^2 with f
        holomorphic, and 0 for u = Re f.

    Raises:
        InputTypeError: z is not complex.
        ShapeError: z has no batch axis, v is not of the shape of z, or u does not give a value
            for each example.

    Example:
        >>> z, v = torch.tensor([[1 + 1j, 2j]]), torch.tensor([[3 + 0j, 4j]])
        >>> levi_form(lambda z: (z * z.conj()).real.sum(1), z, v)  # of |z|^2: |v|^2
        tensor([25.])

    References:
        Levi (1910).
    """
    _require_directions(z, "levi_form", v)
    turned = 1j * v.unsqueeze(0)
    along = second_derivatives(u, z, v.unsqueeze(0), v.unsqueeze(0), "levi_form")
    across = second_derivatives(u, z, turned, turned, "levi_form")
    return (along + across).squeeze(0) / 4


@checked
def levi_form_polarized(
    u: TensorFunction, z: GivenComplexPoints, v: GivenPoints, w: GivenPoints
) -> ComplexValues:
    """The sum of (d2u / dz_j dzbar_k) v_j conj(w_k).

    Args:
        u: as for `laplacian`.
        z: the points, complex.
        v, w: two directions for each of them, of the shape of z.

    Law: complex-linear in v, antilinear in w; `levi_form` where v = w; for real u, conjugated
        when v and w change places.

    Raises:
        InputTypeError: z is not complex.
        ShapeError: z has no batch axis, v or w is not of the shape of z, or u does not give a
            value for each example.

    Example:
        >>> z, v = torch.tensor([[1 + 1j, 2j]]), torch.tensor([[3 + 0j, 4j]])
        >>> levi_form_polarized(lambda z: (z * z.conj()).real.sum(1), z, 1j * v, v)
        tensor([0.+25.j])
    """
    _require_directions(z, "levi_form_polarized", v, w)
    even, odd = _levi_parts(u, z, v.unsqueeze(0), w.unsqueeze(0), "levi_form_polarized")
    return (even - 1j * odd).squeeze(0) / 4


@checked
def complex_hessian(u: TensorFunction, z: GivenComplexPoints, *, chunk: int = 32) -> Hessians:
    """The matrices d2u / dz_j dzbar_k, shape (batch, *out, n, n) for n complex coordinates.

    Args:
        u: as for `laplacian`.
        z: the points, complex; the axes after the first are read as one of length n.
        chunk: pairs (j, k) taken at a time; the cost is that of 8 n (n + 1) forward passes.

    Law: Hermitian for real u; positive semidefinite where u is plurisubharmonic; 0 where u is
        pluriharmonic; v^T H conj(w) is `levi_form_polarized`.

    Raises:
        InputTypeError: z is not complex.
        ShapeError, ConfigError: as `laplacian`.

    Example:
        >>> z = torch.tensor([[1 + 1j, 2j]])
        >>> complex_hessian(lambda z: (z[:, 0] * z[:, 1].conj()).real, z)
        tensor([[[0.0000+0.j, 0.5000+0.j],
                 [0.5000+0.j, 0.0000+0.j]]])
    """
    require_complex(z, "complex_hessian", "; at real points there is no complex Hessian")
    _require_points(z, "complex_hessian")
    require_count("chunk", chunk, 1, "complex_hessian")
    n = math.prod(z.shape[1:])
    rows, columns = torch.triu_indices(n, n, device=z.device)
    above, below = [], []
    for j, k in zip(rows.split(chunk), columns.split(chunk), strict=True):
        v, w = _unit_directions(z, j), _unit_directions(z, k)
        even, odd = _levi_parts(u, z, v, w, "complex_hessian")
        above.append((even - 1j * odd) / 4)
        below.append((even + 1j * odd) / 4)
    upper = torch.cat(above)
    hessian = upper.new_zeros(n, n, *upper.shape[1:])
    hessian[columns, rows] = torch.cat(below)
    hessian[rows, columns] = upper
    return hessian.movedim((0, 1), (-2, -1))


@checked
def pluriharmonic_defect(
    u: TensorFunction, z: GivenComplexPoints, *, chunk: int = 32
) -> RealValues:
    """The Frobenius norm of `complex_hessian` at each example, for each output.

    Pluriharmonic means harmonic along every complex line, which is more than harmonic:
    |z_1|^2 - |z_2|^2 is harmonic and has the defect sqrt(2).

    Args:
        u: as for `laplacian`.
        z: the points, complex.
        chunk: as for `complex_hessian`, which sets the cost.

    Law: 0 exactly where u is, locally, the real part of a holomorphic function (for real u), off
        the zeros for u = log|f|; at least |laplacian| / (4 sqrt(n)).

    Raises:
        InputTypeError: z is not complex.
        ShapeError, ConfigError: as `laplacian`.

    Example:
        >>> z = torch.tensor([[1 + 1j, 2j]])
        >>> pluriharmonic_defect(lambda z: (z[:, 0] ** 2 * z[:, 1]).real, z)
        tensor([0.])
    """
    parts = torch.view_as_real(complex_hessian(u, z, chunk=chunk))
    return torch.linalg.vector_norm(parts, dim=(-3, -2, -1))


def _trace(
    u: TensorFunction, z: Tensor, units: tuple[complex | int, ...], chunk: int, asked: str
) -> AnyTensor:
    """The sum of D2u[v, v] over the coordinate directions times each of the units."""
    require_count("chunk", chunk, 1, asked)
    indices = torch.arange(math.prod(z.shape[1:]), device=z.device)
    sums = []
    for unit in units:
        for some in indices.split(chunk):
            v = unit * _unit_directions(z, some)
            sums.append(second_derivatives(u, z, v, v, asked).sum(0))
    return torch.stack(sums).sum(0)


def _unit_directions(z: AnyTensor, indices: IntTensor) -> AnyTensor:
    """The coordinate directions of these indices, each for the whole batch: (k, batch, *event)."""
    event = z.shape[1:]
    rows = one_hot(indices, math.prod(event)).to(z.dtype)
    return rows.view(-1, 1, *event).expand(-1, len(z), *event)


def _levi_parts(
    u: TensorFunction, z: ComplexTensor, v: ComplexTensor, w: ComplexTensor, asked: str
) -> tuple[AnyTensor, AnyTensor]:
    """2 (v^T H conj(w) + w^T H conj(v)) and 2i (v^T H conj(w) - w^T H conj(v))."""
    even = second_derivatives(u, z, v, w, asked) + second_derivatives(u, z, 1j * v, 1j * w, asked)
    odd = second_derivatives(u, z, 1j * v, w, asked) - second_derivatives(u, z, v, 1j * w, asked)
    return even, odd


def second_derivatives(
    u: TensorFunction, z: Points, v: Directions, w: Directions, asked: str
) -> Inexact[Tensor, "directions batch *out"]:
    """D2u(z)[v_i, w_i] for stacks of directions, in one forward pass over forward.

    Args:
        u: as for `laplacian`.
        z: the points.
        v, w: the directions, several for each point.
        asked: what they are for, which opens the message.

    Raises:
        ShapeError: u does not give a value for each example.
    """
    points, v_flat, w_flat = (t.expand(v.shape).flatten(0, 1).contiguous() for t in (z, v, w))
    value, second = second_directional_derivative(u, points, v_flat, w_flat)
    if value.shape[:1] != points.shape[:1]:
        raise ShapeError(
            f"{asked} of a function that gives values of shape {tuple(value.shape)} at a batch of "
            f"{len(points)} points: it must take a batch to a batch, one value for each example; "
            "sum over the other axes only, as in lambda z: u(z).sum(1)"
        )
    return second.unflatten(0, v.shape[:2])


def _require_points(z: Tensor, asked: str) -> None:
    if not (z.is_floating_point() or z.is_complex()):
        raise InputTypeError(
            f"{asked} at {z.dtype} points: real floating or complex ones are needed, "
            "z.to(torch.float64) casts them"
        )
    if z.ndim == 0 or math.prod(z.shape[1:]) == 0:
        raise ShapeError(
            f"{asked} at points of shape {tuple(z.shape)}: the first axis is the batch, and an "
            "example has at least one coordinate; z.unsqueeze(0) makes a batch of one example"
        )


def _require_directions(z: Tensor, asked: str, *directions: Tensor) -> None:
    require_complex(z, asked, "; along a real direction there is no Levi form")
    _require_points(z, asked)
    for v in directions:
        if v.shape != z.shape:
            raise ShapeError(
                f"{asked} along directions of shape {tuple(v.shape)} at points of shape "
                f"{tuple(z.shape)}: one direction for each point is needed; v.expand_as(z) gives "
                "all examples the same"
            )
