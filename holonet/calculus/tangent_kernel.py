"""The neural tangent kernel of real and complex networks: how a gradient step moves the outputs.

Let f(x) be the outputs of a network at parameters w, and J(x) = df(x)/dw, complex derivatives
where w is complex. A loss L of the outputs has the gradient g = dL/dRe f + i dL/dIm f, and torch's
gradient in w is J^H g where f is holomorphic in w. A gradient step of rate r thus moves the outputs
by -r K g to first order, with

    K(x, y) = J(x) J(y)^H,

a Hermitian form. J^T in the place of J^H would be the wrong form: it is neither Hermitian nor
positive. The readout u = Re f has a real g, hence the real kernel Re K(x, y).

A real-valued network with complex w has two real coordinates for each entry of w, and
K(x, y) = sum of du(x)/dp du(y)/dp over all of them; that is Re K of the network below its readout.
A complex-valued network with real w has J(x) J(y)^H too, the continuation of its real kernel:
holomorphic in x, antiholomorphic in y. Its step moves the outputs by -r (K g + J J^T conj(g)) / 2.
"""

import torch
from jaxtyping import Float, Inexact
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import GivenEntries, GivenPoints
from holonet.calculus.checks import evaluate
from holonet.calculus.wirtinger import pullback
from holonet.errors import ConfigError, InputTypeError

__all__ = ["tangent_kernel"]

ROUNDING = 1e4  # times epsilon: what rounding may leave of a derivative that is 0


@checked
def tangent_kernel(
    model: nn.Module, x: GivenPoints, y: GivenEntries | None = None
) -> Inexact[Tensor, "rows columns"]:
    """The empirical kernel J(x) J(y)^H over the parameters that require a gradient, exactly.

    Its rows are the outputs at x, example by example, its columns those at y; it is complex where
    the outputs are. The cost is a backward pass for each output and example (two where outputs
    are complex), the memory that of both Jacobians: for few examples.

    Args:
        model: maps a batch to outputs, each example by itself.
        x: points.
        y: other points; x if None.

    Law: Hermitian and positive semidefinite for y = x; K(y, x) = K(x, y)^H; the kernel of Re f is
        Re K where all parameters are complex.

    Raises:
        ConfigError: no parameter requires a gradient.
        InputTypeError: complex outputs that are not holomorphic in the complex parameters.
        NumericalError, ShapeError: outputs that are not finite, or not one for each example.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> tangent_kernel(model, torch.tensor([[3.0, 4.0], [1.0, 0.0]]))
        tensor([[25.,  3.],
                [ 3.,  1.]])

    References:
        Jacot, Gabriel and Hongler (2018).
    """
    jacobian = _jacobian(model, x)
    other = jacobian if y is None else _jacobian(model, y)
    return jacobian @ other.mH


def _jacobian(model: nn.Module, x: Tensor) -> Inexact[Tensor, "outputs coordinates"]:
    """df/dw of complex outputs, the real derivatives of real ones in all real coordinates."""
    trainable = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not trainable:
        raise ConfigError("tangent_kernel: no parameter of the model requires a gradient")

    def outputs(coordinates: Tensor) -> Tensor:
        parameters = _unpacked(coordinates, trainable)

        def network(points: Tensor) -> Tensor:
            return torch.func.functional_call(model, parameters, (points,))

        return evaluate(network, x, "tangent_kernel").flatten()

    coordinates = torch.cat([_real(p).flatten() for p in trainable.values()])
    values, backward = pullback(outputs, coordinates)
    units = torch.eye(len(values), dtype=values.dtype, device=values.device)
    rows = torch.stack([backward(unit) for unit in units])
    if not values.is_complex():
        return rows
    rows = torch.complex(rows, torch.stack([backward(1j * unit) for unit in units]))
    return _complex_derivatives(rows, trainable)


def _real(parameter: Tensor) -> Tensor:
    return torch.view_as_real(parameter) if parameter.is_complex() else parameter


def _unpacked(coordinates: Float[Tensor, " n"], like: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parameters of the shapes and dtypes of others, from their real coordinates."""
    parts = coordinates.split([_real(p).numel() for p in like.values()])
    made = {}
    for (name, p), part in zip(like.items(), parts, strict=True):
        real = part.to(p.dtype.to_real()).view(_real(p).shape)
        made[name] = torch.view_as_complex(real) if p.is_complex() else real
    return made


def _complex_derivatives(rows: Tensor, like: dict[str, Tensor]) -> Tensor:
    """d/dw = (d/dRe w - i d/dIm w) / 2 for complex parameters, d/dw for real ones."""
    columns, sizes = [], [_real(p).numel() for p in like.values()]
    for p, part in zip(like.values(), rows.split(sizes, 1), strict=True):
        if not p.is_complex():
            columns.append(part)
            continue
        along, across = part[:, ::2], part[:, 1::2]
        defect, rounding = (along + 1j * across).abs().max(), torch.finfo(p.dtype).eps
        if defect > ROUNDING * rounding * part.abs().max():
            raise InputTypeError(
                "tangent_kernel: complex outputs that are not holomorphic in the complex "
                "parameters have no Hermitian kernel that describes a gradient step: ask for that "
                "of a real readout, nn.Sequential(model, nn.RealPart())"
            )
        columns.append((along - 1j * across) / 2)
    return torch.cat(columns, 1)
