"""z and its conjugate as two independent variables: formulas for d/dzbar and the Laplacian.

The rules hold point by point off the cuts of the functions they are about; `excluded` collects
where those are met, and docs/theory/proofs.md states each rule with its domain.
"""

from collections.abc import Mapping

import sympy

from holonet.errors import NumericalError
from holonet.symbolic.evaluate import evaluate
from holonet.symbolic.formula import Expr, quote
from holonet.symbolic.known_functions import FUNCTIONS

__all__ = [
    "Pairs",
    "UndecidedError",
    "check_constant",
    "dbar_formulas",
    "is_harmonic_tree",
    "is_holomorphic_tree",
    "laplacian_formula",
]

_REAL_ANALYTIC = (sympy.conjugate, sympy.re, sympy.im, sympy.Abs, sympy.sign, sympy.arg)
_LARGEST_EXPANSION, _LARGEST_POWER = 300, 10
_AGREEMENT = sympy.Rational(1, 10**20)


class UndecidedError(Exception):
    """A subterm that these rules cannot treat; the message names it. Never leaves the unit."""


def is_holomorphic_tree(e: Expr) -> bool:
    """Whether every node is a number, a variable, a sum, a product, a power or one of `FUNCTIONS`.

    Then e is holomorphic in all its variables off `excluded_sets(e)`, by the rules for these.
    """
    if e.is_Symbol or not e.free_symbols:
        return True
    known = e.is_Add or e.is_Mul or e.is_Pow or type(e) in FUNCTIONS
    return known and all(is_holomorphic_tree(a) for a in e.args)


def is_harmonic_tree(e: Expr) -> bool:
    """Whether e is a sum of multiples of holomorphic trees, their parts, arguments and log|.|.

    Real and imaginary part, conjugate, argument and log-modulus of a holomorphic function are
    pluriharmonic off `excluded_sets(e)`, and so are sums and constant multiples.
    """
    if is_holomorphic_tree(e) or _is_antiholomorphic_tree(e):
        return True
    if e.is_Add:
        return all(is_harmonic_tree(a) for a in e.args)
    if e.is_Mul:
        varying = [a for a in e.args if a.free_symbols]
        return len(varying) == 1 and is_harmonic_tree(varying[0])
    if isinstance(e, sympy.re | sympy.im | sympy.conjugate):
        return is_harmonic_tree(e.args[0])
    if isinstance(e, sympy.log) and isinstance(e.args[0], sympy.Abs):
        return is_holomorphic_tree(e.args[0].args[0])
    return isinstance(e, sympy.arg) and is_holomorphic_tree(e.args[0])


def _is_antiholomorphic_tree(e: Expr) -> bool:
    """Whether e is a holomorphic tree in the conjugates of its variables."""
    renamed = e.xreplace({sympy.conjugate(z): sympy.Dummy() for z in e.free_symbols})
    return not renamed.free_symbols & e.free_symbols and is_holomorphic_tree(renamed)


class Pairs:
    """F and G with F(z, conj z) = e and G(z, conj z) = conj e, for e and its subterms.

    Law: both are holomorphic trees in 2n variables, and the equations hold at every point where
        no argument lies on the cut of its function (`excluded.conditions`).

    `bars` gives every variable z its partner, which stands for conj z. Functions and principal
    powers commute with conjugation off their cuts; |u| is sqrt(u conj u), log|u| half of
    log(u conj u), arg u is Im log u off the cut of log.
    """

    def __init__(self, bars: Mapping[Expr, Expr]) -> None:
        self.bars = bars
        self.known: dict[Expr, tuple[Expr, Expr]] = {z: (z, bar) for z, bar in bars.items()}
        self.real: dict[Expr, bool] = {}

    def both(self, e: Expr) -> tuple[Expr, Expr]:
        """The pair of e, formed at most once.

        Raises:
            UndecidedError: a subterm such as Piecewise is not analytic in the real coordinates.
        """
        if e not in self.known:
            self.known[e] = self.form(e)
        return self.known[e]

    def is_real(self, e: Expr) -> bool:
        """Whether e is real at all points, as far as expansion shows: F is G."""
        if e not in self.real:
            value, other = self.both(e)
            self.real[e] = value == other or _expands_to_zero(value - other)
        return self.real[e]

    def form(self, e: Expr) -> tuple[Expr, Expr]:
        """The pair of e from those of its arguments."""
        if not e.free_symbols:
            return e, _conjugate_of_constant(e)
        if isinstance(e, sympy.log) and isinstance(e.args[0], sympy.Abs):
            u, v = self.both(e.args[0].args[0])
            value = sympy.log(u * v) / 2
            return value, value
        if e.is_Pow and not e.args[0].free_symbols:
            return self.exponential(e)
        if e.is_Add or e.is_Mul or e.is_Pow or type(e) in FUNCTIONS:
            parts = [self.both(a) for a in e.args]
            return e.func(*(p[0] for p in parts)), e.func(*(p[1] for p in parts))
        if isinstance(e, sympy.atan2):
            return self.angle(e)
        if isinstance(e, _REAL_ANALYTIC):
            return self.real_analytic(e, *self.both(e.args[0]))
        raise UndecidedError(f"there is no rule for {quote(e)}")

    def exponential(self, e: Expr) -> tuple[Expr, Expr]:
        """c**u is exp(u log c), entire in u for every c but 0, on the cut of log too."""
        base, exponent = e.args
        logarithm = sympy.log(base)
        check_constant(logarithm)
        u, v = self.both(exponent)
        return base**u, sympy.exp(v * _conjugate_of_constant(logarithm))

    def angle(self, e: Expr) -> tuple[Expr, Expr]:
        """atan2(y, x) of real x and y: the imaginary part of log(x + iy)."""
        if not all(map(self.is_real, e.args)):
            raise UndecidedError(f"{quote(e)} has arguments that are not seen to be real")
        (y, _), (x, _) = map(self.both, e.args)
        log_up, log_down = sympy.log(x + sympy.I * y), sympy.log(x - sympy.I * y)
        value = -sympy.I * log_up / 2 + sympy.I * log_down / 2
        return value, value

    def real_analytic(self, e: Expr, u: Expr, v: Expr) -> tuple[Expr, Expr]:
        """The pair of e, one of `_REAL_ANALYTIC`, from that of its argument."""
        match e:
            case sympy.conjugate():
                return v, u
            case sympy.sign():
                return u / sympy.sqrt(u * v), v / sympy.sqrt(u * v)
            case sympy.re():
                value = u / 2 + v / 2
            case sympy.im():
                value = -sympy.I * u / 2 + sympy.I * v / 2
            case sympy.Abs():
                value = sympy.sqrt(u * v)
            case _:
                value = -sympy.I * sympy.log(u) / 2 + sympy.I * sympy.log(v) / 2
        return value, value


def _expands_to_zero(e: Expr) -> bool:
    """Whether e is 0 once it is multiplied out; large powers are not."""
    if sympy.count_ops(e) > _LARGEST_EXPANSION:
        return False
    if any(p.exp.is_Integer and abs(p.exp) > _LARGEST_POWER for p in e.atoms(sympy.Pow)):
        return False
    return sympy.expand(e) == 0


def check_constant(e: Expr) -> Expr:
    """The value of a formula without variables, on which 50 and 80 digits agree.

    Raises:
        UndecidedError: it has none, or is so small that it may be 0 divided by 0.
    """
    if e.is_Atom and e.is_finite:
        return e
    try:
        rough, fine = (evaluate(e, {}, digits) for digits in (50, 80))
    except NumericalError as error:
        raise UndecidedError(str(error)) from error
    noise = abs(fine) < _AGREEMENT * _AGREEMENT
    if not noise and abs(rough - fine) > _AGREEMENT * abs(fine):
        raise UndecidedError(f"the value of {quote(e)} is not clear")
    return fine


def _conjugate_of_constant(e: Expr) -> Expr:
    """The conjugate, as sympy simplifies it, if the numbers agree that it is one."""
    conjugate = sympy.conjugate(e)
    if e.is_Atom or e.is_real:
        return conjugate
    value, other = check_constant(e), check_constant(conjugate)
    if abs(sympy.conjugate(value) - other) > _AGREEMENT * (1 + abs(value)):
        raise UndecidedError(f"the conjugate of {quote(e)} is not clear")
    return conjugate


def dbar_formulas(formula: Expr, bars: Mapping[Expr, Expr]) -> dict[Expr, Expr]:
    """Variable -> d/dzbar of F, in the variables and their partners."""
    return {z: sympy.diff(formula, bar) for z, bar in bars.items()}


def laplacian_formula(formula: Expr, bars: Mapping[Expr, Expr]) -> Expr:
    """The sum of d^2 F / dx^2 + d^2 F / dy^2 over all variables, 4 d^2 / dz dzbar each."""
    return sympy.Add(*(4 * sympy.diff(formula, bar, z) for z, bar in bars.items()))
