"""Which formulas are positive, or not negative, at all points: by their structure."""

import sympy

from holonet.symbolic.formula import Expr
from holonet.symbolic.wirtinger import Pairs

__all__ = ["is_nonnegative", "is_positive"]

_POSITIVE_ON_REALS = (sympy.exp, sympy.cosh, sympy.sech, sympy.erfc)


def is_positive(e: Expr, pairs: Pairs) -> bool:
    """Whether e > 0 wherever it is defined, as far as its structure shows.

    Known are exp and cosh of what is real, sums of what is not negative with one positive term,
    products and real powers of positive numbers.
    """
    if not e.free_symbols:
        return bool(e.is_positive)
    if isinstance(e, _POSITIVE_ON_REALS):
        return pairs.is_real(e.args[0])
    if e.is_Pow:
        return is_positive(e.base, pairs) and pairs.is_real(e.exp)
    if e.is_Mul:
        return all(is_positive(a, pairs) for a in e.args)
    if e.is_Add:
        signs = [is_positive(a, pairs) for a in e.args]
        return any(signs) and all(
            s or is_nonnegative(a, pairs) for s, a in zip(signs, e.args, strict=True)
        )
    return False


def is_nonnegative(e: Expr, pairs: Pairs) -> bool:
    """Whether e >= 0 wherever it is defined, as far as its structure shows.

    Known are also moduli, even powers of what is real, and u conj(u).
    """
    if not e.free_symbols:
        return bool(e.is_nonnegative)
    if isinstance(e, sympy.Abs) or is_positive(e, pairs):
        return True
    if e.is_Pow and e.exp.is_Integer and int(e.exp) % 2 == 0 and pairs.is_real(e.base):
        return True
    if e.is_Pow:
        return bool(e.exp.is_real) and is_nonnegative(e.base, pairs)
    if e.is_Mul:
        return _is_nonnegative_product(e, pairs)
    return bool(e.is_Add) and all(is_nonnegative(a, pairs) for a in e.args)


def _is_nonnegative_product(e: Expr, pairs: Pairs) -> bool:
    """Whether every factor is not negative, or stands beside its conjugate."""
    waiting: list[Expr] = []
    for factor in e.args:
        if is_nonnegative(factor, pairs):
            continue
        value, other = pairs.both(factor)
        if other in waiting:
            waiting.remove(other)
        else:
            waiting.append(value)
    return not waiting
