"""The derivative of planar expressions, for what records do not tell: their third derivative."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from holonet.ops.planar import Planar, Real, in_order, plus, product

__all__ = ["derivative"]


def derivative(w: Planar, z: Planar) -> Planar:
    """dw/dz of a holomorphic w, as the rate at which its parts change along the real axis.

    Where parts of an expression meet (`where`, `abs`, `maximum`) it is the derivative from one of
    the sides, of which holomorphic expressions have one and the same.

    Args:
        w: an expression in z.
        z: an input of the sheet.

    Example:
        >>> from holonet.ops.planar import Sheet
        >>> z = Sheet().complex_input("z")
        >>> derivative(z.times(z), z).re == z.re + z.re
        True
    """
    sheet = z.re.sheet
    zero = sheet.constant(0.0)
    rates: dict[int, Real] = {id(z.re): sheet.constant(1.0)}
    for node in in_order(w):
        if id(node) in rates:
            continue
        moving = [rates.get(id(a), zero) for a in node.args]
        if node.op in _FLAT or all(rate.is_constant(0) for rate in moving):
            rates[id(node)] = zero
        else:
            rates[id(node)] = _RULES[node.op](node, moving)
    return Planar(*(rates.get(id(part), zero) for part in w))


def _sign(a: Real) -> Real:
    """Both zeros count as positive, as they do where expressions branch at 0."""
    return (a < 0).where(-1.0, 1.0)


def _angle(node: Real, rates: list[Real]) -> Real:
    """(x dy - y dx) / (x^2 + y^2), where neither square can overflow."""
    y, x = node.args
    large = abs(x).map("maximum", abs(y))
    a, b = x / large, y / large
    return plus(product(rates[0], a), -product(rates[1], b)) / (large * (a * a + b * b))


def _choose(condition: Real, yes: Real, no: Real) -> Real:
    return yes if yes is no else condition.where(yes, no)


Rule = Callable[[Real, list[Real]], Real]

_FLAT = {"ceil", "trunc", "le", "lt", "and", "or"}
_RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "abs": lambda n, r: product(r[0], _sign(n.args[0])),
        "add": lambda n, r: plus(*r),
        "atan2": _angle,
        "copysign": lambda n, r: product(r[0], _sign(n.args[0]) * _sign(n.args[1])),
        "cos": lambda n, r: -product(r[0], n.args[0].map("sin")),
        "div": lambda n, r: plus(r[0], -product(r[1], n)) / n.args[1],
        "exp": lambda n, r: product(r[0], n),
        "expm1": lambda n, r: product(r[0], n + 1),
        "log": lambda n, r: r[0] / n.args[0],
        "log1p": lambda n, r: r[0] / (1 + n.args[0]),
        "maximum": lambda n, r: _choose(n.args[1] <= n.args[0], *r),
        "minimum": lambda n, r: _choose(n.args[0] < n.args[1], *r),  # of two equal ones the other
        "mul": lambda n, r: plus(product(r[0], n.args[1]), product(r[1], n.args[0])),
        "neg": lambda n, r: -r[0],
        "sin": lambda n, r: product(r[0], n.args[0].map("cos")),
        "sqrt": lambda n, r: r[0] / (2 * n),
        "sub": lambda n, r: plus(r[0], -r[1]),
        "where": lambda n, r: _choose(n.args[0], r[1], r[2]),
    }
)
"""Operation -> (its node, the rates of its arguments) -> its rate."""
