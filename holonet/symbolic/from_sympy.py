"""A formula becomes a record: value, derivatives, class, singularities and cuts."""

import dataclasses
import math
from collections.abc import Sequence

import sympy
import torch

from holonet._arguments import checked
from holonet.errors import ConfigError, DomainError, NotHolomorphicError, NumericalError
from holonet.functions import HolomorphicFunction
from holonet.symbolic.deadline import within
from holonet.symbolic.evaluate import value_or_none
from holonet.symbolic.formula import Expr, as_expression, quote, too_long
from holonet.symbolic.known_functions import FUNCTIONS, NOT_HOLOMORPHIC
from holonet.symbolic.preimage import check_not_zero, double
from holonet.symbolic.program import TorchFunction, compile_formula
from holonet.symbolic.singularities import analyze

__all__ = ["from_sympy"]

_Z = sympy.Symbol("z")
_CANDIDATES = (0j, 1 + 0j, -1 + 0j, 1j, -1j, 2 + 0j, -2 + 0j, 2j, -2j, 1 + 1j, 4 + 0j, -4 + 0j)
_REAL_POINTS = (0.31, -0.47, 1.61, -2.27, 5.07, -13.7)
_DIGITS = 30


@checked
def from_sympy(
    expression: Expr | str,
    *,
    name: str | None = None,
    base_point: complex | float | int | None = None,
    time_limit: float | int = 60.0,
) -> HolomorphicFunction:
    """The record of a holomorphic formula in one variable, ready for `nn.Activation`.

    Everything a record holds is derived from the formula: the derivatives by the chain rule on
    Taylor jets, the class, the poles, the branch points and the cuts from the tree. The value is
    then compared with the formula at points of the domain, in 30 digits. The record can be
    pickled and copied.

    The formula is computed as it is written, but that 1/(1 + exp(u)) and log(1 + exp(u)) go
    through sigmoid and softplus, and that Taylor polynomials stand for it about removable
    singularities (sin(z)/z at 0): elsewhere it overflows or cancels where its own terms do.
    Principal branches throughout.

    Where a sum, product or power divides by 0, its Laurent series in exact arithmetic decides
    whether it is holomorphic there. What stays undecided counts as a pole: roots of irreducible
    polynomials of degree 3 and above, and of infinitely many points without a period of the
    formula all but the seven about the first one.

    Args:
        expression: a sympy expression, or a formula such as "z*exp(-z**2)" (read, never run).
        name: the record's name; the formula unless given.
        base_point: a well-behaved point, about which `domain` is sampled; a small number that
            keeps its distance from singularities and cuts unless given.
        time_limit: seconds that all of this may take.

    Law: `value` agrees with e, `derivative` with e.diff(), and `to_sympy(from_sympy(e)) == e` for
        e in z as `parse_formula` gives it: floating-point numbers become the fractions that they
        are, and numbers may be multiplied into sums.

    Raises:
        NotHolomorphicError: a subterm such as conjugate(z) is not holomorphic.
        ConfigError: no variable or several, a text that cannot be read, an unknown function, or
            no answer within the time limit.
        DomainError: a singular set has no closed form that obstacles can describe, or the
            base point lies on one.
        NumericalError: a number in it is out of range, or the record does not agree with the
            formula in double precision.

    Example:
        >>> record = from_sympy("z/(1 + z**2)")
        >>> record.function_class, record.singularities[0].where
        (<FunctionClass.RATIONAL: 'rational'>, PointSet(points=(-1j, 1j)))
    """
    try:
        return within(
            time_limit,
            lambda: _record(expression, name, base_point),
            lambda: too_long(expression, time_limit),
        )
    except RecursionError as error:
        raise ConfigError(
            f"from_sympy({quote(expression)}): the formula is nested too deeply"
        ) from error
    except (OverflowError, MemoryError) as error:
        raise NumericalError(f"from_sympy({quote(expression)}) is out of range: {error}") from error


def _record(
    expression: Expr | str, name: str | None, base_point: complex | float | int | None
) -> HolomorphicFunction:
    """The record, however long it takes."""
    # sympy reads 2*(z + 1)/(z - 5), its own print, as (2*z + 2)/(z - 5): take what is read
    e = as_expression(str(_in_z(as_expression(expression))))
    _check_numbers(e)
    formula = str(e)
    analysis = analyze(e, _Z)
    if analysis.function_class is None:
        raise ConfigError(f"from_sympy: {formula!r} does not depend on z")
    program = compile_formula(e, _Z, dict(analysis.patches))
    record = HolomorphicFunction(
        name=formula if name is None else name,
        formula=formula,
        value=TorchFunction(program),
        derivative=TorchFunction(program, 1),
        second_derivative=TorchFunction(program, 2),
        function_class=analysis.function_class,
        singularities=analysis.singularities,
        branch_cuts=analysis.branch_cuts,
        reference="derived from the formula",
        accuracy="computed as the formula is written, which may overflow or cancel",
    )
    settled = dataclasses.replace(record, base_point=_base_point(record, base_point))
    about = [p.point + 0.9 * p.radius for _, patches in analysis.patches for p in patches]
    _check(settled, e, about)
    return dataclasses.replace(settled, real_on_real=_is_real_on_real(settled, e))


def _in_z(e: Expr) -> Expr:
    """The formula in z, after a look at what may not stand in it."""
    for node in sympy.preorder_traversal(e):
        if isinstance(node, NOT_HOLOMORPHIC):
            raise NotHolomorphicError(
                f"from_sympy({quote(e)}): {quote(node)} is not holomorphic. Take it out, or use it "
                "as a readout behind the holomorphic part (nn.RealPart, nn.Modulus); "
                "symbolic.prove tells whether the whole is holomorphic after all"
            )
    variables = sorted(e.free_symbols, key=str)
    if len(variables) != 1:
        listed = ", ".join(map(str, variables)) or "none"
        raise ConfigError(
            f"from_sympy({quote(e)}) needs a formula in one variable and has {listed}: "
            + (
                f"put in numbers for the others, for example expression.subs({variables[0]}, 2)"
                if variables
                else "for a constant use functions.polynomial([c])"
            )
        )
    for node in sympy.preorder_traversal(e):
        if not (
            node.is_Atom or node.is_Add or node.is_Mul or node.is_Pow or type(node) in FUNCTIONS
        ):
            raise ConfigError(
                f"from_sympy({quote(e)}): no rule for {quote(node)}. Known functions: "
                f"{', '.join(sorted(f.__name__ for f in FUNCTIONS))}, sums, products and powers"
            )
    return e.xreplace({variables[0]: _Z})


def _check_numbers(e: Expr) -> None:
    """Whether double precision holds the numbers of a formula, before sympy reasons about them.

    Raises:
        NumericalError: a number is out of range, or a factor or exponent that is not written as 0
            cannot be told from it.
    """
    for part in e.args:
        if part.free_symbols:
            _check_numbers(part)
        else:
            double(part)
            if e.is_Mul or e.is_Pow:
                check_not_zero(part, e)


def _base_point(record: HolomorphicFunction, requested: complex | float | int | None) -> complex:
    """The point asked for, or the first small one that keeps a distance of 1/2."""
    points = _CANDIDATES if requested is None else (complex(requested),)
    z = torch.tensor(points, dtype=torch.complex128)
    clearance = torch.where(record(z).isfinite(), record.clearance(z), 0.0)
    if requested is None:
        free = (clearance >= 0.5).nonzero().flatten()
        best = int(free[0]) if len(free) else int(clearance.argmax())
    else:
        best = 0
    if clearance[best] <= 0:
        raise DomainError(
            f"the base point {points[best]} of {quote(record.formula)} lies on a singularity or "
            "cut, or the value there is not finite: give base_point=, a point where the function "
            "is well-behaved"
        )
    return points[best]


def _exact(e: Expr, z: complex) -> complex | None:
    """The value of the formula, None where it is out of reach."""
    at = sympy.Rational(z.real) + sympy.I * sympy.Rational(z.imag)
    return value_or_none(e, {_Z: at}, _DIGITS)


def _check(record: HolomorphicFunction, e: Expr, also: Sequence[complex] = ()) -> None:
    """Compare value and formula at points about the base point, and at others."""
    generator = torch.Generator().manual_seed(0)
    z = record.domain.sample(4, generator=generator)
    z = torch.cat([z, torch.tensor(also, dtype=z.dtype)])
    scale = record(z).abs() + (z * record.derivative(z)).abs() + 1
    for point, got, size in zip(z.tolist(), record(z).tolist(), scale.tolist(), strict=True):
        expected = _exact(e, point)
        if expected is None:
            continue
        error = math.hypot((got - expected).real, (got - expected).imag)  # where abs may overflow
        if not error <= 1e-8 * size:
            raise NumericalError(
                f"the record of {quote(record.formula)} gives {got} at {point}, where the formula "
                f"is {expected}: rewrite the formula so that its terms stay in range"
            )


def _is_real_on_real(record: HolomorphicFunction, e: Expr) -> bool:
    """Whether the formula is real at real points of the domain, to 30 digits."""
    z = torch.tensor(_REAL_POINTS, dtype=torch.complex128)
    points = z[record.clearance(z) > 1e-3].tolist()
    values = (_exact(e, point) for point in points)
    return all(abs(v.imag) <= 1e-20 * abs(v) for v in values if v is not None)
