"""A record or a small network becomes formulas, its weights exact fractions."""

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
import torch
from torch import Tensor
from torch import nn as tnn
from torch.nn.modules import module as _of_all

from holonet import nn
from holonet._arguments import checked
from holonet.errors import ConfigError, NumericalError, ShapeError
from holonet.functions import HolomorphicFunction
from holonet.nn.modes import evaluating
from holonet.symbolic.formula import Expr, parse_formula

__all__ = ["MAX_OPERATIONS", "to_sympy"]

MAX_OPERATIONS = 20_000
"""Where `to_sympy` stops: larger expressions are of no use to a computer algebra system."""


@checked
def to_sympy(
    subject: HolomorphicFunction | tnn.Module,
    *,
    variable: str = "z",
    shape: tuple[int, ...] | None = None,
) -> Expr | sympy.Matrix:
    """The formula of a record, or the column of formulas of a network's outputs.

    The formula of a record is in the variable z, those of a network in z_0, ..., z_(n-1), the
    entries of one complex example in the order of memory. Weights are the fractions that they
    are in binary, so that what is proved is proved of the network as it is stored (and of exact
    arithmetic). Readouts become re, im, Abs and
    log(Abs), not evaluated further.

    Known are Linear, Activation (any record), Sequential, Residual, Product, Flatten, FrozenNorm,
    Threshold, the readouts, HolomorphicClassifier, and torch's Linear, Identity, Flatten and
    Sequential; these very layers, not subclasses with another `forward`.

    Args:
        subject: a record or a module.
        variable: what to call the variable, or the variables' stem.
        shape: of one example, without the batch axis. Unless given, it is read off the first
            layer that has a size, and is one entry if none has.

    Raises:
        ConfigError: a layer is not known, or the formulas would hold more than 20,000 operations.
        ShapeError: the shape does not fit the network.
        NumericalError: a weight is infinite or nan.

    Example:
        >>> from holonet.functions import CATALOGUE
        >>> to_sympy(CATALOGUE["sigmoid"])
        1/(1 + exp(-z))
        >>> to_sympy(nn.Sequential(nn.Square(), nn.RealPart()), variable="w")
        Matrix([[re(w_0**2)]])
    """
    if isinstance(subject, HolomorphicFunction):
        return parse_formula(subject.formula).xreplace({_Z: sympy.Symbol(variable)})
    shape = _shape_of(subject) if shape is None else shape
    count = int(np.prod(shape, dtype=int))
    entries = _array([sympy.Symbol(f"{variable}_{k}") for k in range(count)])
    with evaluating(subject):  # reading a spectral norm in train mode would change it
        outputs = _apply(subject, entries.reshape(shape))
    return sympy.Matrix(outputs.ravel().tolist())


_Z = sympy.Symbol("z")
Rule = Callable[[Any, np.ndarray], np.ndarray]


def _array(entries: list[Expr]) -> np.ndarray:
    array = np.empty(len(entries), dtype=object)
    array[:] = entries
    return array


def _shape_of(module: tnn.Module) -> tuple[int, ...]:
    for layer in module.modules():
        if isinstance(layer, tnn.Linear):
            return (layer.in_features,)
        if isinstance(layer, nn.FrozenNorm) and layer.feature_axis == -1:
            return (layer.num_features,)
    return (1,)


def _apply(module: tnn.Module, z: np.ndarray) -> np.ndarray:
    """The outputs of one layer, by the rule of its `forward`."""
    rule = _RULES.get(type(module).forward)
    if rule is None:
        known = ", ".join(sorted({f.__qualname__.split(".")[0] for f in _RULES}))
        raise ConfigError(
            f"to_sympy has no rule for {type(module).__name__}. Known layers: {known}. Convert "
            "the known part of the network, or write the layer as one of these"
        )
    own = module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    if own or _of_all._global_forward_hooks or _of_all._global_forward_pre_hooks:
        raise ConfigError(
            f"this {type(module).__name__} has forward hooks (its own or those of all modules) "
            "or a forward of its own, of which to_sympy knows no formula: take them off, or write "
            "the layer as one that it knows "
            "(old weight and spectral norms and pruning are hooks; those of "
            "torch.nn.utils.parametrizations are none, nor is a layer after prune.remove)"
        )
    return rule(module, z)


def _each(function: Callable[[Expr], Expr]) -> Rule:
    """The rule of a readout: a function of every entry."""
    return lambda module, z: _map(function, z)


def _map(function: Callable[[Expr], Expr], z: np.ndarray) -> np.ndarray:
    return _array([function(e) for e in z.ravel()]).reshape(z.shape)


def _linear(module: tnn.Linear, z: np.ndarray) -> np.ndarray:
    if z.ndim == 0 or z.shape[-1] != module.in_features:
        raise ShapeError(
            f"{type(module).__name__} was built for {module.in_features} features and got an "
            f"example of shape {z.shape}: give to_sympy the shape of one example, shape=(...)"
        )
    inside = sum(1 + int(sympy.count_ops(e)) for e in z.ravel())
    _limit(module.out_features * inside)
    result = z @ _numbers(module.weight).T
    return result if module.bias is None else result + _numbers(module.bias)


def _limit(operations: int) -> None:
    if operations > MAX_OPERATIONS:
        raise ConfigError(
            f"the formulas of this network would hold about {operations} operations, more than "
            f"{MAX_OPERATIONS}: narrow it, or convert a part of it"
        )


def _activation(module: nn.Activation, z: np.ndarray) -> np.ndarray:
    formula = to_sympy(module.function)
    uses = sum(node == _Z for node in sympy.preorder_traversal(formula))
    _limit(sum((1 + int(sympy.count_ops(e))) * uses for e in z.ravel()))
    return _map(lambda e: formula.xreplace({_Z: e}), z)


def _sequential(module: tnn.Sequential, z: np.ndarray) -> np.ndarray:
    for layer in module:
        z = _apply(layer, z)
    return z


def _residual(module: nn.Residual, z: np.ndarray) -> np.ndarray:
    change = _apply(module.body, z)
    if change.shape != z.shape:
        raise ShapeError(
            f"the body of this Residual takes the shape {z.shape} to {change.shape}: "
            "give to_sympy the shape of one example, shape=(...)"
        )
    return z + change


def _product(module: nn.Product, z: np.ndarray) -> np.ndarray:
    return functools.reduce(operator.mul, (_apply(branch, z) for branch in module.branches))


def _flatten(module: tnn.Flatten, z: np.ndarray) -> np.ndarray:
    meta = torch.empty((1, *z.shape), device="meta")
    return z.reshape(tuple(tnn.Flatten.forward(module, meta).shape[1:]))


def _frozen_norm(module: nn.FrozenNorm, z: np.ndarray) -> np.ndarray:
    if z.ndim < -module.feature_axis or z.shape[module.feature_axis] != module.num_features:
        raise ShapeError(
            f"FrozenNorm was built for {module.num_features} features (axis "
            f"{module.feature_axis}) and got an example of shape {z.shape}: give to_sympy the "
            "shape of one example, shape=(...)"
        )
    weight, bias = _numbers(module.weight), _numbers(module.bias)
    mean, scale = _numbers(module.mean), _numbers(module.scale)
    gain = weight / scale
    column = (-1,) + (1,) * (-module.feature_axis - 1)
    return z * gain.reshape(column) + (bias - gain * mean).reshape(column)


def _threshold(module: nn.Threshold, z: np.ndarray) -> np.ndarray:
    if module.channels is not None and z.shape[:1] != (module.channels,):
        raise ShapeError(
            f"Threshold was built for {module.channels} channels and got an example of shape "
            f"{z.shape}: give to_sympy the shape of one example, shape=(...)"
        )
    column = () if module.channels is None else (-1,) + (1,) * (z.ndim - 1)
    slope, center = (_numbers(t).reshape(column) for t in (module.log_slope.exp(), module.center))
    return _map(lambda e: (1 + sympy.erf(e)) / 2, slope * (z - center))


def _classifier(module: nn.HolomorphicClassifier, z: np.ndarray) -> np.ndarray:
    return _apply(module.readout, _apply(module.backbone, z))


def _log_modulus(module: nn.LogModulus, z: np.ndarray) -> np.ndarray:
    eps = sympy.Rational(module.eps)
    if eps == 0:
        return _map(lambda e: sympy.log(sympy.Abs(e, evaluate=False)), z)
    return _map(lambda e: sympy.log(sympy.Abs(e, evaluate=False) ** 2 + eps**2) / 2, z)


def _numbers(tensor: Tensor) -> np.ndarray:
    """The entries as exact complex fractions."""
    values = tensor.detach().resolve_conj().resolve_neg().cpu()
    if not values.isfinite().all():
        raise NumericalError(
            f"a tensor of shape {tuple(values.shape)} in this network holds infinity or nan: "
            "a formula needs finite weights"
        )
    entries = [
        sympy.Rational(v.real) + sympy.I * sympy.Rational(v.imag)
        for v in map(complex, values.flatten().tolist())
    ]
    return _array(entries).reshape(tuple(values.shape))


_RULES: dict[Callable[..., Tensor], Rule] = {
    tnn.Identity.forward: lambda module, z: z,
    tnn.Linear.forward: _linear,
    nn.Linear.forward: _linear,
    nn.Activation.forward: _activation,
    tnn.Sequential.forward: _sequential,
    nn.Sequential.forward: _sequential,
    nn.Residual.forward: _residual,
    nn.Product.forward: _product,
    tnn.Flatten.forward: _flatten,
    nn.Flatten.forward: _flatten,
    nn.FrozenNorm.forward: _frozen_norm,
    nn.Threshold.forward: _threshold,
    nn.HolomorphicClassifier.forward: _classifier,
    nn.RealPart.forward: _each(functools.partial(sympy.re, evaluate=False)),
    nn.ImagPart.forward: _each(functools.partial(sympy.im, evaluate=False)),
    nn.Modulus.forward: _each(functools.partial(sympy.Abs, evaluate=False)),
    nn.LogModulus.forward: _log_modulus,
}
