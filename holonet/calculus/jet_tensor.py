"""Tensors that carry a power series along: what every torch function makes of one.

A `Jet` is a tensor whose entries are power series in t, the parameter of a line z + t v. Python
code written for tensors runs on it, and every torch function is looked up by name in the rules of
the line. Functions that only look at the value (comparisons, shapes, constants of the same shape)
see coefficient 0.

Along a complex line only holomorphic functions have a series in t. The real part, the imaginary
part and the modulus have none: they are a `Part`, on which a case may be decided and nothing else
computed, but that linear maps of the two parts, pooling for example, may be put together again.
Along a real line (t real) the parts are series as all else.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import handle_torch_function
from torch.utils._pytree import tree_leaves, tree_map_only

from holonet._types import Entries
from holonet.calculus.series import Coefficient, Series
from holonet.errors import InputTypeError, NotHolomorphicError

__all__ = ["Jet", "Line", "Part", "Rule", "RuleBook", "name_of", "refuse", "terms_of", "value_of"]

Rule = Callable[..., Any]
"""(order, torch function, *its arguments) -> a list of coefficients, a tuple of them, or a Part."""


class RuleBook(dict[str, Rule]):
    """Name of a torch function, without surrounding underscores -> what it does to jets.

    Rules go by name: `torch.mul`, `Tensor.mul` and `*` are all "mul".
    """

    def __call__(self, names: str) -> Callable[[Rule], Rule]:
        """Enter the decorated rule under these names."""

        def enter(rule: Rule) -> Rule:
            self.update(dict.fromkeys(names.split(), rule))
            return rule

        return enter


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOOKS = _names("""
    shape dtype device layout ndim dim size numel nelement len hash element_size is_complex
    is_floating_point requires_grad is_contiguous stride is_cuda is_cpu is_sparse is_nested is_meta
    is_conj is_neg get_device
""")
"""What does not depend on the entries."""

_DECISIONS = _names("""
    eq ne lt le gt ge isfinite isnan isinf isclose allclose equal detach zeros_like ones_like
    full_like empty_like rand_like randn_like new_tensor new_zeros new_ones new_full new_empty
""")
"""What is locally constant, or constant for all that automatic differentiation knows."""

_POOLING = _names("""
    interpolate avg_pool1d avg_pool2d avg_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
""")
"""Real linear maps that torch has for real tensors only."""


@dataclass(frozen=True, eq=False)
class Line:
    """The line that jets run along. Two jets can be combined if they have the very same line.

    Args:
        order: how many coefficients follow the first.
        real: whether t is real.
        rules: name of a torch function -> what it does to jets, as in a `RuleBook`.
    """

    order: int
    real: bool
    rules: Mapping[str, Rule]


class _Traced(Tensor):
    """A tensor without storage that is seen by torch as `value` is, in shape, dtype and device."""

    @staticmethod
    def __new__(cls: type, value: Tensor, *rest: Any) -> Any:
        """A wrapper of the looks of `value`."""
        return Tensor._make_wrapper_subclass(
            cls, value.shape, dtype=value.dtype, device=value.device
        )

    def __init__(self, value: Tensor, *rest: Any) -> None:
        self.value = value

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"{type(self).__name__}({self.value})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Reached only where torch bypasses `__torch_function__`, as its own transforms do."""
        raise refuse(str(func))


def _define_operators(name: str, function: Any) -> None:
    """The operator, its reflection and its refusal in place.

    Those of Tensor take a TypeError, as some of our errors are, for "ask the other operand", and
    Python then says that the types cannot be combined, whatever was wrong.
    """

    def forward(self: Tensor, other: Any) -> Any:
        return handle_torch_function(function, (self, other), self, other)

    def reflected(self: Tensor, other: Any) -> Any:
        return handle_torch_function(function, (self, other), other, self)

    def in_place(self: Tensor, other: Any) -> Any:
        raise refuse(f"{function.__name__}_")

    for prefix, operation in {"": forward, "r": reflected, "i": in_place}.items():
        setattr(_Traced, f"__{prefix}{name}__", operation)


for _name in ("add", "sub", "mul", "truediv", "pow", "matmul"):
    _define_operators(_name, getattr(torch, _name.removeprefix("true")))


class Jet(_Traced):
    """A tensor of power series in t, cut off behind t^order.

    Args:
        value: coefficient 0.
        terms: all coefficients, the first too; those that are not listed are zero.
        line: what it runs along.
    """

    terms: Series
    line: Line

    def __init__(self, value: Entries, terms: Series, line: Line) -> None:
        super().__init__(value)
        self.terms = terms
        self.line = line

    @staticmethod
    def of(terms: Sequence[Coefficient], line: Line) -> "Jet":
        """A jet of these coefficients, broadcast and converted to the looks of the first."""
        value = terms[0]
        rest = (c.to(value.dtype).expand(value.shape) for c in terms[1:])
        return Jet(value, [value, *rest], line)

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name, kwargs = name_of(func), kwargs or {}
        if any(issubclass(kind, Part) for kind in types) and name not in _LOOKS:
            return NotImplemented  # Part refuses or not
        if (plain := _plain(name, func, args, kwargs)) is not None:
            return plain
        line = _common_line((args, kwargs), name)
        rule = line.rules.get(name)
        if rule is None:
            raise refuse(name)
        kwargs = _without_defaults(kwargs)
        if kwargs and not _takes(rule, args, kwargs):
            raise refuse(name, f" with {kwargs}")
        result = rule(line.order, func, *args, **kwargs)
        if isinstance(result, list):
            return Jet.of(result, line)
        return tuple(Jet.of(r, line) for r in result) if isinstance(result, tuple) else result


class Part(_Traced):
    """The real part, imaginary part or modulus of a jet along a complex line.

    Args:
        value: the part of coefficient 0.
        kind: "real part", "imaginary part" or "modulus".
        source: the jet.
        maps: linear maps (function, further arguments, options) applied since, in turn.
    """

    kind: str
    source: Jet
    maps: tuple[Any, ...]

    def __init__(self, value: Entries, kind: str, source: Jet, maps: tuple[Any, ...] = ()) -> None:
        super().__init__(value)
        self.kind = kind
        self.source = source
        self.maps = maps

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """A decision on the value, a linear map, or two parts put together."""
        name, kwargs = name_of(func), kwargs or {}
        if (plain := _plain(name, func, args, kwargs)) is not None:
            return plain
        if name in _POOLING and isinstance(part := args[0], Part):
            maps = (*part.maps, (func, args[1:], kwargs))
            return Part(func(part.value, *args[1:], **kwargs), part.kind, part.source, maps)
        if name == "complex" and _belong_together(*args):
            return Jet.of([args[0]._mapped(c) for c in args[0].source.terms], args[0].source.line)
        part = next(p for p in tree_leaves((args, kwargs)) if isinstance(p, Part))
        raise part.misuse(f"torch.{name} of")

    def misuse(self, doing: str = "") -> NotHolomorphicError:
        """The error for `doing` something with this part that is not holomorphic."""
        asked = f"{doing} the {self.kind}".strip()
        return NotHolomorphicError(
            f"jets along a complex line take holomorphic operations only: {asked} is not one. "
            "Stop in front of the readout (of a classifier take its `holomorphic_map`), or take "
            "real z and v"
        )

    def _mapped(self, c: Tensor) -> Tensor:
        real, imag = c.real, c.imag
        for func, args, kwargs in self.maps:
            real, imag = func(real, *args, **kwargs), func(imag, *args, **kwargs)
        return torch.complex(real, imag)


def terms_of(x: Any) -> Series:
    """The coefficients of a jet; a tensor or a number is a constant."""
    return x.terms if isinstance(x, Jet) else [x]


def value_of(x: Any) -> Any:
    """Coefficient 0 of a jet; anything else as it is."""
    return x.value if isinstance(x, Jet) else x


def refuse(name: str, why: str = "") -> InputTypeError:
    """The error for a torch function that jets cannot go through."""
    return InputTypeError(
        f"jets have no rule for {name!r}{why}. Write the function with arithmetic, linear maps and "
        "elementary functions, or tell its derivative with functions.analytic.with_derivative; "
        "nothing is changed in place"
    )


def name_of(func: Any) -> str:
    """The function's name without surrounding underscores; the attribute's if it reads one."""
    name = func.__self__.__name__ if func.__name__ == "__get__" else func.__name__
    return name.strip("_") if name.startswith("__") else name


def _plain(name: str, func: Any, args: Any, kwargs: Any) -> Any:
    """What a function that sees the value alone gives; None if it is not one of those."""
    if name in _LOOKS:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)
    if name in _DECISIONS:
        args, kwargs = tree_map_only(_Traced, lambda x: x.value, (args, kwargs))
        return func(*args, **kwargs)
    return None


def _common_line(arguments: Any, name: str) -> Line:
    lines = [jet.line for jet in tree_leaves(arguments) if isinstance(jet, Jet)]
    if any(line is not lines[0] for line in lines):
        raise refuse(name, " between jets along different lines, which do not nest")
    return lines[0]


def _without_defaults(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The options without those that say to work as usual."""
    usual = {"out": None, "inplace": False, "rounding_mode": None, "approximate": "none"}
    return {k: v for k, v in kwargs.items() if not (k in usual and v == usual[k])}


def _takes(rule: Rule, args: Any, kwargs: dict[str, Any]) -> bool:
    try:
        inspect.signature(rule).bind(0, None, *args, **kwargs)
    except TypeError:
        return False
    return True


def _belong_together(real: Any, imag: Any) -> bool:
    """Whether these are the real and the imaginary part of one jet, mapped alike."""
    return (
        isinstance(real, Part)
        and isinstance(imag, Part)
        and (real.kind, imag.kind) == ("real part", "imaginary part")
        and real.source is imag.source
        and real.maps == imag.maps
    )
