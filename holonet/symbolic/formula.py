"""From a user's formula to a sympy expression that is safe, exact and in plain complex symbols."""

import ast
import difflib
import math
from typing import TYPE_CHECKING, Any

import sympy

from holonet._arguments import checked
from holonet.errors import ConfigError
from holonet.symbolic.deadline import within

if TYPE_CHECKING:
    Expr = Any  # sympy declares the arguments of an expression as Basic, with no arithmetic
else:
    from sympy import Expr

__all__ = ["Expr", "as_expression", "parse_formula", "quote", "too_long"]

_LONGEST = 20_000
_MOST_BITS = 10_000
_LARGEST_EXPONENT = 400
_DEEPEST = 3
"""Functions of numbers of this depth are left as they are written: sympy's evaluation takes time
that grows exponentially."""

_NAMES = {"pi": sympy.pi, "E": sympy.E, "I": sympy.I}
_FUNCTIONS = {
    name: getattr(sympy, name)
    for name in (
        *("exp", "log", "sqrt", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan"),
        *("sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh"),
        *("erf", "erfc", "erfi"),
        *("conjugate", "re", "im", "Abs", "arg", "sign", "Heaviside", "Max", "Min"),
    )
} | {"abs": sympy.Abs, "ln": sympy.log}
_ANOTHER = "call a variable something else"
_NUMBERS = {
    "e": f"write E or exp(1) for 2.718..., exp(z) for powers of it, or {_ANOTHER}",
    **dict.fromkeys(("i", "j", "J"), f"write I for the square root of -1, or {_ANOTHER}"),
    **dict.fromkeys(
        ("Pi", "PI", "\N{GREEK SMALL LETTER PI}"), f"write pi for 3.14159..., or {_ANOTHER}"
    ),
}
"""Names that are taken for no variables, and what to write instead."""
_NOT_FINITE = ("oo", "zoo", "inf", "infty", "infinity", "nan")
"""More of them, in upper and lower case."""
_KEPT = (sympy.re, sympy.im, sympy.Abs, sympy.arg, sympy.sign)
"""Left as they are written: sympy would expand re(sqrt(z)) into roots and angles."""


@checked
def parse_formula(text: str, *, time_limit: float | int = 10.0) -> Expr:
    """The expression that a formula in Python's notation stands for.

    The text is read, never run: numbers, names, + - * / **, brackets and the known functions are
    all it may hold. Numbers are exact ("0.1" is 1/10), `I`, `pi` and `E` are the constants, and
    any other name is a complex variable, but for names that usually mean a number (`i`, `e`,
    `oo`, `nan` and the like), which are refused.

    Args:
        time_limit: seconds that sympy may take to evaluate the numbers in it.

    Raises:
        ConfigError: the text is not such a formula (the message quotes it and the place), or it
            takes too long.

    Example:
        >>> parse_formula("z*exp(-z**2) + 0.5")
        z*exp(-z**2) + 1/2
    """
    return within(time_limit, lambda: _parsed(text), lambda: too_long(text, time_limit))


def too_long(formula: object, time_limit: float | int) -> ConfigError:
    """The error for a formula that takes longer than it may."""
    return ConfigError(
        f"{quote(formula)} takes longer than time_limit={time_limit} s: write its numbers more "
        "simply, or give it more time"
    )


def _parsed(text: str) -> Expr:
    if len(text) > _LONGEST:
        raise ConfigError(
            f"a formula of {len(text)} characters, starting {text[:40]!r}: at most {_LONGEST} "
            "are read. Build a large expression with sympy itself"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ConfigError(
            f"the formula {quote(text)} cannot be read: {error.msg} at "
            f"{f'character {error.offset}' if error.offset else 'its end'}. "
            "Write it in Python's notation, for example 'z*exp(-z**2)/(1 + z**2)'"
        ) from None
    except (ValueError, MemoryError, RecursionError) as error:
        raise ConfigError(f"the formula {quote(text)} cannot be read: {error}") from None
    try:
        return as_expression(_Reader(text.strip()).read(tree.body))
    except RecursionError:
        raise ConfigError(
            f"the formula {quote(text)} is nested too deeply: build it with sympy itself"
        ) from None
    except (ArithmeticError, MemoryError) as error:
        raise ConfigError(f"the numbers in {quote(text)} are out of range: {error}") from None


class _Reader:
    """Turns the syntax tree of one formula into sympy, node by node."""

    def __init__(self, text: str) -> None:
        self.text = text

    def read(self, node: ast.expr) -> Expr:
        match node:
            case ast.Constant(value=bool()):
                raise self.fault(node, "True and False are not numbers")
            case ast.Constant(value=int()):
                return sympy.Integer(node.value)
            case ast.Constant(value=float()):
                return self.decimal(node)
            case ast.Constant(value=complex()):
                return self.decimal(node) * sympy.I
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp(op=ast.UAdd()):
                return self.read(node.operand)
            case ast.UnaryOp(op=ast.USub()):
                return -self.read(node.operand)
            case ast.BinOp():
                return self.operation(node)
            case ast.Call(func=ast.Name(id=name), keywords=[]):
                return self.call(name, node)
        raise self.fault(
            node, "only numbers, variables, + - * / ** and known functions may stand here"
        )

    def decimal(self, node: ast.Constant) -> Expr:
        written = ast.get_source_segment(self.text, node) or repr(node.value)
        digits = written.lower().rstrip("j").replace("_", "")
        exponent = digits.partition("e")[2] or "0"
        if abs(int(exponent)) > _LARGEST_EXPONENT:
            raise self.fault(node, f"powers of ten go up to {_LARGEST_EXPONENT}")
        return sympy.Rational(digits)

    def name(self, node: ast.Name) -> Expr:
        if node.id.startswith("_"):
            raise self.fault(node, "a variable starts with a letter")
        if node.id in _FUNCTIONS:
            raise self.fault(node, f"{node.id} is a function and needs an argument, {node.id}(z)")
        if node.id in _NUMBERS:
            raise self.fault(node, f"{node.id} usually means a number: {_NUMBERS[node.id]}")
        if node.id.lower() in _NOT_FINITE:
            finite = f"formulas hold finite numbers only; {_ANOTHER}"
            raise self.fault(node, f"{node.id} usually means no finite number: {finite}")
        return _NAMES.get(node.id) or sympy.Symbol(node.id)

    def operation(self, node: ast.BinOp) -> Expr:
        left, right = self.read(node.left), self.read(node.right)
        match node.op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                if right == 0:
                    raise self.fault(node, "division by 0")
                return left / right
            case ast.Pow():
                return self.power(node, left, right)
        raise self.fault(node, "write powers as ** and use only + - * /")

    def power(self, node: ast.BinOp, base: Expr, exponent: Expr) -> Expr:
        """base**exponent, unless it would be a number of a million digits."""
        if base.is_zero and exponent.is_negative:
            raise self.fault(node, "division by 0")
        if exponent.is_Rational and abs(exponent) > _MOST_BITS:
            raise self.fault(node, f"the exponent is larger than {_MOST_BITS}")
        if base.is_Rational and exponent.is_Rational:
            bits = max(base.p.bit_length(), base.q.bit_length(), 1)
            if bits * abs(exponent) > _MOST_BITS:
                raise self.fault(node, f"this number has more than {_MOST_BITS} bits")
        return base**exponent

    def call(self, name: str, node: ast.Call) -> Expr:
        function = _FUNCTIONS.get(name)
        if function is None:
            near = difflib.get_close_matches(name, _FUNCTIONS, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}? " if near else ""
            raise self.fault(node, f"no function {name}: {hint}Known: {', '.join(_FUNCTIONS)}")
        arguments = [self.read(argument) for argument in node.args]
        if len(arguments) != 1 and not (arguments and function in (sympy.Max, sympy.Min)):
            raise self.fault(node, f"{name} takes one argument and got {len(arguments)}")
        try:
            if _depth(arguments[0]) >= _DEEPEST or (
                function in _KEPT and arguments[0].free_symbols
            ):
                return function(*arguments, evaluate=False)
            return function(*arguments)
        except (TypeError, ValueError) as error:
            raise self.fault(node, str(error)) from error

    def fault(self, node: ast.expr, cause: str) -> ConfigError:
        """The error for this part of the formula."""
        part = ast.get_source_segment(self.text, node) or ""
        return ConfigError(
            f"the formula {quote(self.text)} cannot be read at character {node.col_offset + 1}, "
            f"{quote(part)}: {cause}"
        )


def _depth(e: Expr) -> int:
    """How many functions of numbers stand inside of each other; 0 if there is a variable."""
    if e.free_symbols or not e.args:
        return 0
    return max(map(_depth, e.args)) + (not (e.is_Add or e.is_Mul or e.is_Pow))


def as_expression(value: Any) -> Expr:
    """A scalar expression, exact and in plain complex symbols, of what a user gave.

    Floating-point numbers become the fractions that they are in binary.

    Raises:
        ConfigError: it is no scalar expression, has an infinite part, or symbols that are
            assumed real (or otherwise special), for which sympy drops conjugates.
    """
    if isinstance(value, str):
        return _parsed(value)
    if type(value) in (int, float, complex) and math.isfinite(abs(value)):
        value = sympy.sympify(value)
    scalar = isinstance(value, Expr) and not isinstance(value, sympy.Lambda)
    if not scalar or value.is_commutative is False:
        raise ConfigError(
            f"{quote(value)} ({type(value).__name__}) is no scalar expression: give a sympy "
            "expression or a formula such as 'z*exp(-z**2)'"
        )
    infinite = value.atoms(
        type(sympy.nan), type(sympy.zoo), type(sympy.oo), type(-sympy.oo), sympy.AccumBounds
    )
    if infinite:
        raise ConfigError(f"{quote(value)} contains {infinite.pop()}, which is not finite")
    nodes: Any = sympy.postorder_traversal(value)  # the innermost numbers first
    if any(_bits(number) > _MOST_BITS for number in nodes if _is_rational(number)):
        raise ConfigError(f"a number in the formula has more than {_MOST_BITS} bits")
    plain: dict[sympy.Symbol, sympy.Symbol] = {}
    for symbol in value.free_symbols:
        if not isinstance(symbol, sympy.Symbol):
            raise ConfigError(f"{quote(value)} has a variable {symbol} that is no sympy.Symbol")
        if not symbol.assumptions0.keys() <= {"commutative", "complex", "finite", "infinite"}:
            raise ConfigError(
                f"{quote(value)} has a variable {symbol} with assumptions, and sympy may have "
                f"dropped conjugates because of them: use sympy.Symbol('{symbol.name}')"
            )
        plain[symbol] = sympy.Symbol(symbol.name)
    if len(set(plain.values())) < len(plain):
        raise ConfigError(
            f"{quote(value)} has several variables of one name among {sorted(map(str, plain))}: "
            "give each its own"
        )
    exact = {number: sympy.Rational(number) for number in value.atoms(sympy.Float)}
    renamed = {old: new for old, new in plain.items() if old != new}
    return value.xreplace({**renamed, **exact})  # the rest is not evaluated again


def _is_rational(e: Any) -> bool:
    """Whether it is a rational number, or a power of one that is not taken yet."""
    if e.is_Pow:
        return e.base.is_Rational and e.exp.is_number and bool(e.exp.is_rational)
    return e.is_Rational or e.is_Float


def _bits(number: Any) -> Any:
    """How many bits numerator and denominator have at most."""
    if number.is_Pow:
        return _bits(number.base) * abs(number.exp)
    if number.is_Float:
        _, _, exponent, bits = number._mpf_
        return bits + abs(exponent)
    return max(number.p.bit_length(), number.q.bit_length())


def quote(value: object) -> str:
    """A value for an error message, cut where it is long.

    Example:
        >>> quote("z" * 500)[-10:]
        "zzzzzz...'"
    """
    try:
        text = str(value)
    except (ArithmeticError, ValueError, RecursionError):  # thousands of digits, or of brackets
        text = f"a {type(value).__name__} too large to print"
    return repr(text if len(text) <= 200 else text[:200] + "...")
