"""Real arithmetic on the two parts of a complex number, written once for every device.

An expression is a graph of real operations. Equal operations of a sheet are one node, so common
subexpressions are shared, and only what an output needs is ever emitted.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "Expression",
    "Planar",
    "Program",
    "Real",
    "Sheet",
    "in_order",
    "plus",
    "product",
]

_FOLD = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "neg": lambda a: -a,
    "abs": abs,
}
_COMMUTATIVE = {"add", "mul", "and", "or"}


def _operator(op: str) -> Callable[["Real", "Expression"], "Real"]:
    return lambda self, other: self.sheet.apply(op, self, other)


def _reflected(op: str) -> Callable[["Real", "Expression"], "Real"]:
    return lambda self, other: self.sheet.apply(op, other, self)


@dataclass(eq=False)
class Real:
    """A node: an operation on earlier nodes, an input, or a constant."""

    sheet: "Sheet" = field(repr=False)
    op: str
    args: tuple["Real", ...] = ()
    value: float | str | None = None

    __add__ = _operator("add")
    __radd__ = _reflected("add")
    __sub__ = _operator("sub")
    __rsub__ = _reflected("sub")
    __mul__ = _operator("mul")
    __rmul__ = _reflected("mul")
    __truediv__ = _operator("div")
    __rtruediv__ = _reflected("div")
    __lt__ = _operator("lt")
    __le__ = _operator("le")
    __gt__ = _reflected("lt")
    __ge__ = _reflected("le")
    __and__ = _operator("and")

    def __neg__(self) -> "Real":
        return self.sheet.apply("neg", self)

    def __abs__(self) -> "Real":
        return self.sheet.apply("abs", self)

    def where(self, yes: "Expression", no: "Expression") -> "Real":
        """`yes` where this condition holds, else `no`."""
        return self.sheet.apply("where", self, yes, no)

    def map(self, op: str, *others: "Expression") -> "Real":
        """A named function, such as "exp" or "atan2", of this and the others."""
        return self.sheet.apply(op, self, *others)

    def is_constant(self, value: float | int) -> bool:
        """Whether this is that number, known when the expression is written."""
        return self.op == "constant" and self.value == value


Expression = Real | float | int


class Sheet:
    """Where nodes are written: equal ones once, constants folded.

    Args:
        double: whether the parts are in double precision.
    """

    def __init__(self, double: bool = False) -> None:
        self.double = double
        self._nodes: dict[tuple, Real] = {}

    def constant(self, value: float | int) -> Real:
        """A number. Zeros of both signs and NaN are told apart."""
        value = float(value)
        key = ("constant", math.copysign(1.0, value), str(value))
        return self._nodes.setdefault(key, Real(self, "constant", (), value))

    def input(self, name: str) -> Real:
        """A real number read from memory."""
        return self._nodes.setdefault(("input", name), Real(self, "input", (), name))

    def complex_input(self, name: str) -> "Planar":
        """A complex number read from memory."""
        return Planar(self.input(f"{name}_re"), self.input(f"{name}_im"))

    def apply(self, op: str, *operands: Expression) -> Real:
        """The node of an operation."""
        args = tuple(a if isinstance(a, Real) else self.constant(a) for a in operands)
        if op in _FOLD and all(a.op == "constant" for a in args):
            return self.constant(_FOLD[op](*(a.value for a in args)))
        ids = map(id, args)
        key = (op, *(sorted(ids) if op in _COMMUTATIVE else ids))
        return self._nodes.setdefault(key, Real(self, op, args))


class Planar(NamedTuple):
    """A complex number as its parts; a factor's part known to be 0 costs nothing, nor one of 1.

    So a known real factor has no imaginary part, rather than one of 0 that would make NaN of an
    infinite part and change the signs of zeros: in records such factors stand in `parts.scaled`.
    """

    re: Real
    im: Real

    @property
    def is_real(self) -> bool:
        """Whether the imaginary part is known to be 0."""
        return self.im.is_constant(0)

    @property
    def is_imaginary(self) -> bool:
        """Whether the real part is known to be 0, and the imaginary part not."""
        return self.re.is_constant(0) and not self.is_real

    def conj(self) -> "Planar":
        """The conjugate."""
        return self if self.is_real else Planar(self.re, -self.im)

    def times_i(self) -> "Planar":
        """I times this number."""
        return Planar(-self.im, self.re)

    def scale(self, factor: Real) -> "Planar":
        """A real multiple."""
        return Planar(product(factor, self.re), product(factor, self.im))

    def plus(self, other: "Planar") -> "Planar":
        """The sum, with the zeros that torch has: a part of -0.0 plus 0.0 is 0.0."""
        return Planar(_sum(self.re, other.re), _sum(self.im, other.im))

    def negative(self) -> "Planar":
        """-1 times this number."""
        return Planar(-self.re, self.im if self.is_real else -self.im)

    def minus(self, other: "Planar") -> "Planar":
        """The difference, with the zeros that torch has."""
        return Planar(_sum(self.re, -other.re), _sum(self.im, -other.im))

    def times(self, other: "Planar") -> "Planar":
        """The product, as torch forms it: no scaling against overflow."""
        if self.is_real:
            return other.scale(self.re)
        if other.is_real:
            return self.scale(other.re)
        if self.is_imaginary:
            return other.scale(self.im).times_i()
        if other.is_imaginary:
            return self.scale(other.im).times_i()
        a, b = self
        c, d = other
        return Planar(a * c - b * d, a * d + b * c)


@dataclass(frozen=True)
class Program:
    """Complex outputs computed entry by entry from complex inputs of one sheet.

    Args:
        inputs: names, in the order of the arguments.
        outputs: what is computed.
    """

    inputs: Sequence[str]
    outputs: Sequence[Planar]

    @property
    def double(self) -> bool:
        """Whether in double precision."""
        return self.outputs[0].re.sheet.double


def plus(a: Real, b: Real) -> Real:
    """The sum; a term known to be 0 costs nothing."""
    return b if a.is_constant(0) else a if b.is_constant(0) else a + b


def _sum(a: Real, b: Real) -> Real:
    """The sum; a term known to be -0.0 changes nothing, where 0.0 changes -0.0."""
    for first, second in ((a, b), (b, a)):
        if first.op == "constant" and str(first.value) == "-0.0":
            return second
    return a + b


def product(a: Real, b: Real) -> Real:
    """The product; a factor known to be 0, 1 or -1 costs nothing."""
    for first, second in ((a, b), (b, a)):
        if first.is_constant(0) or second.is_constant(1):
            return first
        if first.is_constant(-1):
            return -second
    return a * b


def in_order(outputs: Sequence[Real]) -> Iterator[Real]:
    """Every node that the outputs need, arguments first."""
    visited: set[int] = set()
    stack = [(node, False) for node in reversed(outputs)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif id(node) not in visited:
            visited.add(id(node))
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args) if id(a) not in visited)
