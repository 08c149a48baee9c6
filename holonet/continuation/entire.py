"""Which operations are entire in all that depends on the input: a network of them is entire."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from holonet.continuation.linear import LINEAR
from holonet.continuation.operation import Family
from holonet.continuation.pointwise import FUNCTIONS
from holonet.continuation.shapes import SHAPES
from holonet.functions import CATALOGUE

__all__ = ["is_entire"]


def _without(family: Family, names: str) -> set[str]:
    return set(family) - {n for name in names.split() for n in family[name].names}


_ENTIRE = _without(SHAPES, "isfinite") | _without(LINEAR, "linalg_inv") | {"det", "linalg_det"}
_ENTIRE |= {"matrix_exp", "linalg_matrix_exp"}
_ENTIRE |= {
    name
    for row in FUNCTIONS.values()
    for name in row.names
    if any(n in CATALOGUE and CATALOGUE[n].function_class.is_entire for n in row.names)
}
_MORE = """
add sub subtract rsub mul multiply rmul square addcmul lerp neg negative positive
expm1 special_expm1 exp2 special_exp2 erfc special_erfc special_ndtr
dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout feature_dropout
var var_mean batch_norm
"""
_ENTIRE |= set(_MORE.split())


def _by_a_constant(continued: type, numerator: Any, denominator: Any = None, **_: Any) -> bool:
    return not isinstance(denominator, continued)


def _natural(continued: type, base: Any, exponent: Any = None, **_: Any) -> bool:
    return isinstance(exponent, int | float) and exponent >= 0 and float(exponent).is_integer()


def _of_a_positive_number(continued: type, exponent: Any, base: Any = None) -> bool:
    return isinstance(base, int | float) and base > 0


def _by_erf(continued: type, input: Any, approximate: str = "none") -> bool:
    return approximate == "none"


_AT_SOME: Mapping[str, Callable[..., bool]] = MappingProxyType(
    dict.fromkeys(("div", "divide", "true_divide"), _by_a_constant)
    | {"pow": _natural, "float_power": _natural, "rpow": _of_a_positive_number, "gelu": _by_erf}
)


def is_entire(name: str, continued: type, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether an operation of the table is entire in its continued arguments together.

    Args:
        name: of the operation.
        continued: the type of what depends on the input.
        args, kwargs: of the call.
    """
    decide = _AT_SOME.get(name)
    return name in _ENTIRE if decide is None else decide(continued, *args, **kwargs)
