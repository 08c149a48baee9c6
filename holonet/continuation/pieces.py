"""Operations without a continuation: what is made of pieces, and the piece at the base point.

Each is analytic on pieces that meet in kinks. The rules here continue the piece that is active at
the base point, where the model itself decides, and note the values whose zeros are the kinks.
"""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Inexact
from torch import Tensor

from holonet._types import ComplexEntries
from holonet.continuation.operation import Family, Refusal
from holonet.continuation.tensor import Continued

__all__ = ["FROZEN", "HAS_CORNERS", "PIECES", "SMOOTH", "at_base", "chosen", "joined", "value_of"]

PIECES = Family("Made of pieces", holomorphic=False)

SMOOTH = "GELU, SiLU, Softplus and Tanh of torch.nn are analytic"
FROZEN = "extend(model, pieces='frozen') continues the piece at a real base point"
HAS_CORNERS = "is made of pieces, which meet in a kink"

Branch = Callable[[Tensor], Any]


def joined(x: Continued, value: Inexact[Tensor, "*out"], base: Float[Tensor, "*out"]) -> Continued:
    """A value and its base, of the call that x belongs to."""
    return Continued(value.to(x.value.dtype), base, x.run)


def at_base(x: Any) -> Any:
    """The real value at the base point; anything else as it is."""
    return x.base if isinstance(x, Continued) else x


def value_of(x: Any) -> Any:
    """The complex value; anything else as it is."""
    return x.value if isinstance(x, Continued) else x


def _split(
    x: Continued, func: Any, args: Any, kwargs: Any, places: tuple[float, ...], branches: Branch
) -> Continued:
    """The branch that each entry is on: `branches` gives the values for the base point's region."""
    for place in places:
        x.run.note(x.value - place)
    with torch.no_grad():
        base = func(x.base, *args, **kwargs)
    return joined(x, branches(x.value), base)


def chosen(
    low: Bool[Tensor, "*shape"], below: Any, above: Any, z: ComplexEntries
) -> ComplexEntries:
    """`below` where the mask is true, else `above`, each a number or complex."""
    return torch.where(low, torch.zeros_like(z) + below, torch.zeros_like(z) + above)


def _rectifier(names: str, places: tuple[float, ...], branch: Callable[..., Tensor]) -> None:
    """An activation with kinks at fixed places."""

    def rule(func: Any, input: Continued, *args: Any, **kwargs: Any) -> Continued:
        branches = lambda z: branch(z, input.base, *args, **kwargs)  # noqa: E731
        return _split(input, func, args, kwargs, places, branches)

    PIECES.enter(names, HAS_CORNERS, f"{SMOOTH}; {FROZEN}", rule)


def _elu(
    z: Tensor, base: Tensor, alpha: Any = 1.0, scale: Any = 1.0, input_scale: Any = 1.0
) -> Any:
    low = base <= 0
    left = torch.expm1(torch.where(low, z, 0) * input_scale)
    return torch.where(low, left * alpha, z) * scale


def _celu(z: Tensor, base: Tensor, alpha: float | int = 1.0) -> Tensor:
    return _elu(z, base, alpha, 1.0, 1 / alpha)


_SELU = (1.6732632423543772848170429916717, 1.0507009873554804934193349852946)


def _between(
    z: Tensor, base: Tensor, low: Any, high: Any, inside: Tensor, left: Any, right: Any
) -> Any:
    """`inside` between low and high, `left` below and `right` above."""
    return chosen(base <= low, left, chosen(base >= high, right, inside, z), z)


_rectifier("relu", (0.0,), lambda z, b: torch.where(b > 0, z, 0))
_rectifier(
    "leaky_relu",
    (0.0,),
    lambda z, b, slope=0.01, **o: torch.where(b > 0, z, z * o.get("negative_slope", slope)),
)
_rectifier("relu6", (0.0, 6.0), lambda z, b: _between(z, b, 0, 6, z, 0, 6))
_rectifier("elu", (0.0,), _elu)
_rectifier("celu", (0.0,), _celu)
_rectifier("selu", (0.0,), lambda z, b: _elu(z, b, *_SELU))
_rectifier("hardsigmoid", (-3.0, 3.0), lambda z, b: _between(z, b, -3, 3, z * (1 / 6) + 0.5, 0, 1))
_rectifier(
    "hardswish", (-3.0, 3.0), lambda z, b: _between(z, b, -3, 3, z * (z * (1 / 6) + 0.5), 0, z)
)
_rectifier("abs absolute", (0.0,), lambda z, b: torch.where(b < 0, -z, z))
_rectifier("softsign", (0.0,), lambda z, b: z * torch.reciprocal(1 + torch.where(b < 0, -z, z)))


@PIECES("prelu", HAS_CORNERS, f"{SMOOTH}; {FROZEN}")
def _prelu(func: Any, input: Continued, weight: Tensor) -> Continued:
    def branches(z: Tensor) -> Tensor:
        slope = weight.reshape(-1, *[1] * (z.ndim - 2)) if z.ndim > 1 else weight
        return torch.where(input.base > 0, z, z * slope)

    return _split(input, func, (weight,), {}, (0.0,), branches)


@PIECES("rrelu", HAS_CORNERS, f"{SMOOTH}; {FROZEN}, in eval mode")
def _rrelu(
    func: Any,
    input: Continued,
    lower: float | int = 1 / 8,
    upper: float | int = 1 / 3,
    training: bool = False,
) -> Continued:
    if training:
        raise Refusal("torch.rrelu draws slopes in train mode. Call model.eval() first")
    slope = (lower + upper) / 2
    return _split(
        input,
        func,
        (lower, upper, False),
        {},
        (0.0,),
        lambda z: torch.where(input.base > 0, z, z * slope),
    )


@PIECES("hardshrink softshrink", HAS_CORNERS, f"{SMOOTH}; {FROZEN}")
def _shrink(func: Any, input: Continued, lambd: float | int = 0.5) -> Continued:
    shift = lambd if "soft" in func.__name__ else 0.0
    return _split(
        input,
        func,
        (lambd,),
        {},
        (-lambd, lambd),
        lambda z: _between(z, input.base, -lambd, lambd, 0 * z, z + shift, z - shift),
    )


@PIECES("threshold", HAS_CORNERS, f"{SMOOTH}; {FROZEN}")
def _threshold(func: Any, input: Continued, threshold: float, value: float) -> Continued:
    return _split(
        input,
        func,
        (threshold, value),
        {},
        (threshold,),
        lambda z: chosen(input.base > threshold, z, value, z),
    )


@PIECES("clamp clip clamp_min clamp_max hardtanh", HAS_CORNERS, f"{SMOOTH}; {FROZEN}")
def _clamp(func: Any, input: Continued, *args: Any, **kwargs: Any) -> Continued:
    name = func.__name__.split(".")[0].strip("_")
    bounds = dict(zip(_BOUNDS[name], args, strict=False))
    bounds |= {k.removesuffix("_val"): v for k, v in kwargs.items()}
    if name == "hardtanh":
        bounds = {"min": -1.0, "max": 1.0, **bounds}
    low, high = bounds.get("min"), bounds.get("max")
    value, base = input.value, input.base
    for bound, beyond in ((low, torch.lt), (high, torch.gt)):
        if bound is not None:
            input.run.note(input.value - value_of(bound))
            value = chosen(beyond(base, at_base(bound)), value_of(bound), value, value)
            base = torch.where(beyond(base, at_base(bound)), at_base(bound), base)
    return joined(input, value, base)


_BOUNDS = {
    "clamp": ("min", "max"),
    "clip": ("min", "max"),
    "clamp_min": ("min",),
    "clamp_max": ("max",),
    "hardtanh": ("min", "max"),
}
