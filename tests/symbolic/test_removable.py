"""Removable singularities: found, computed as well as other points, and no others found."""

import functools

import mpmath
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import jvp

from cases import each, some_of
from holonet.domains import PeriodicPoints, PointSet
from holonet.functions import FunctionClass
from holonet.ops.evaluate import evaluate
from holonet.ops.planar import Sheet
from holonet.ops.tracing import trace
from holonet.symbolic import from_sympy, parse_formula
from holonet.symbolic.removable import _least_order

F = FunctionClass
Z = sympy.Symbol("z")
C64, C128 = torch.complex64, torch.complex128
PI = torch.pi
STEPS = (0, 1e-8, -1e-4j, 1e-2, 0.1 + 0.1j)

WHOLE = [
    ("sin(z)/z", F.ENTIRE, 0),
    ("tanh(z)/z", F.MEROMORPHIC, 0),
    ("(exp(z) - 1)/z", F.ENTIRE, 0),
    ("(1 - cos(z))/z**2", F.ENTIRE, 0),
    ("(z - sin(z))/z**3", F.ENTIRE, 0),
    ("log(1 + z)/z", F.HOLOMORPHIC, 0),
    ("(z**2 - 1)/(z - 1)", F.AFFINE, 1),
    ("(z**6 - 1)/(z**3 - 1)", F.POLYNOMIAL, 1),
    ("(z**2 + 1)/((z - I)*(z + 2))", F.RATIONAL, 1j),
    ("1/(1 + 1/z)", F.RATIONAL, 0),
    ("sin(z - 1)/(z - 1)", F.ENTIRE, 1),
    ("cos(z)/(z - pi/2)", F.ENTIRE, PI / 2),
    ("exp(sin(z)/z)", F.ENTIRE, 0),
    ("1/(1 + exp(sin(z)/z - 1))*(z - z)+ (sin(z)/z)**2", F.ENTIRE, 0),
    ("sin(z)/z + (exp(2*z) - 1)/z", F.ENTIRE, 0),
    ("exp(z)/z - 1/z", F.ENTIRE, 0),
    ("sin(5*z)/z", F.ENTIRE, 0),
    ("1/z - 1/tan(z)", F.MEROMORPHIC, 0),
    ("1/z - 1/sin(z)", F.MEROMORPHIC, 0),
    ("sinh(z)/sin(z)", F.MEROMORPHIC, 0),
    ("z/(exp(z) - 1)", F.MEROMORPHIC, 0),
    ("z*(z - pi)/sin(z)", F.MEROMORPHIC, PI),
    ("sin(z)/sin(2*z)", F.MEROMORPHIC, 3 * PI),
    ("sin(2*z)/sin(z)", F.ENTIRE, -5 * PI),
    ("(exp(z) - 1)/(exp(2*z) - 1)", F.MEROMORPHIC, -4j * PI),
    ("erf(z)/z + asin(z)/z", F.HOLOMORPHIC, 0),
]


@functools.cache
def coefficients(e, point):
    """The Taylor coefficients by contour integrals in 40 digits."""
    f = sympy.lambdify(Z, e, "mpmath")
    with mpmath.workdps(40):
        n, r = 48, mpmath.mpf(3) / 8
        turns = [mpmath.expjpi(mpmath.mpf(2) * k / n) for k in range(n)]
        values = [f(point + r * turn) for turn in turns]
        return [
            sum(v * turn**-k for v, turn in zip(values, turns, strict=True)) / n / r**k
            for k in range(24)
        ]


def check(record, e, exact, point, dtype):
    """The value and both derivatives about the point, to a few eps times their scale."""
    with mpmath.workdps(40):
        series = coefficients(e, mpmath.mpmathify(exact.evalf(40)))
        z = torch.tensor([point + step for step in STEPS], dtype=dtype)
        for k, part in enumerate((record.value, record.derivative, record.second_derivative)):
            got = part(z)
            assert got.dtype is dtype
            for w, value in zip(z.tolist(), got.tolist(), strict=True):
                t = mpmath.mpmathify(w) - mpmath.mpmathify(exact.evalf(40))
                derived = series
                for _ in range(k):
                    derived = [n * c for n, c in enumerate(derived)][1:]
                expected = complex(mpmath.polyval(derived[::-1], t))
                terms = (abs(c) * 0.2**n for n, c in enumerate(derived))
                scale = sum(terms) * (1 + abs(point)) + 1e-20
                assert abs(value - expected) <= 30 * torch.finfo(dtype).eps * float(scale), (k, w)


def is_a_point_like_others(text, function_class, point):
    e = parse_formula(text)
    record = from_sympy(e)
    assert record.function_class is function_class
    assert record.clearance(torch.tensor(point, dtype=C128)) > 0.5
    exact = sympy.nsimplify(point / PI) * sympy.pi if abs(point) > 1 else sympy.sympify(point)
    exact = exact.xreplace({n: sympy.Rational(str(n)) for n in exact.atoms(sympy.Float)})
    for dtype in (C64, C128):
        check(record, e, exact, point, dtype)


FEW = ("log(1 + z)/z", "(z**2 + 1)/((z - I)*(z + 2))", "sin(2*z)/sin(z)")
"""Points that are 0 and others, exact ones and multiples of pi."""


@each(("text", "function_class", "point"), [case for case in WHOLE if case[0] in FEW])
def test_a_removable_singularity_is_a_point_like_others(text, function_class, point):
    is_a_point_like_others(text, function_class, point)


@pytest.mark.slow
@each(("text", "function_class", "point"), [case for case in WHOLE if case[0] not in FEW])
def test_more_removable_singularities_are_points_like_others(text, function_class, point):
    is_a_point_like_others(text, function_class, point)


@pytest.mark.parametrize("step", [12, pytest.param(6, marks=pytest.mark.slow)])
def test_the_derivatives_of_torch_stay_finite_and_right(step):
    for text, _, point in WHOLE[::step]:
        record = from_sympy(text)
        z = torch.tensor([point + step for step in (*STEPS, 1.9)], dtype=C128)
        w = z.clone().requires_grad_()
        (pulled,) = torch.autograd.grad(record(w).real.sum(), w)
        scale = record.derivative(z).abs() + record.second_derivative(z).abs() + record(z).abs()
        assert ((pulled - record.derivative(z).conj()).abs() <= 1e-9 * scale).all()
        pushed = jvp(record.derivative, (z,), (torch.ones_like(z),))[1]
        assert ((pushed - record.second_derivative(z)).abs() <= 1e-8 * scale).all()


@some_of(
    "text",
    [
        "sin(z)/z*(erf(z + sqrt(2)) - log(2))*atan(z + I/3)*exp(sinh(z*pi + E))",
        "z/(log(z + pi/2)*asin(5*z/3))",
        "(exp(z) - 1)/z + 2**(z*cosh(5*z/3 - E)*erf(z + sqrt(2)))",
        "1/z - 1/sin(z) + exp(sin(z + 2)*erf(z + sqrt(2))*cosh(3*z + pi))",
    ],
    slice(2, 3),
)
def test_parts_that_have_no_pole_do_not_stand_in_the_way(text):
    """The exact coefficients of these become large, and none of them matters."""
    record = from_sympy(text)
    assert record.clearance(torch.tensor(0j)) > 0.5
    assert record(torch.tensor([0j], dtype=C128)).isfinite().all()


def test_an_order_that_is_not_known_yet_is_no_bound():
    e = parse_formula("z**10/(sin(z) - z + z**3/6)**4")  # a pole of order 10
    for terms in (2, 4, 8, 16):
        assert _least_order(e, Z, sympy.Integer(0), terms) <= -10
    assert _least_order(e * Z**10, Z, sympy.Integer(0), 16) == 0


def test_far_from_the_point_the_polynomial_does_not_overflow_into_gradients():
    record = from_sympy("log(1 + z)/z")
    z = torch.tensor([1e30 + 1e30j], dtype=C64, requires_grad=True)
    (pulled,) = torch.autograd.grad(record(z).abs().sum(), z)
    assert pulled.isfinite().all()


@pytest.mark.parametrize("dtype", [C64, pytest.param(C128, marks=pytest.mark.slow)])
@pytest.mark.parametrize("text", ["exp(sin(z)/z)", "1/tan(z)"])
def test_compiled_code_follows(text, dtype):
    record = from_sympy(text)
    z = torch.tensor([0.01, *STEPS[3:], 2 + 1j, PI / 2, -9.5 * PI + 1e-3j], dtype=dtype)
    for part in (record.value, record.second_derivative):
        planar = trace(part, Sheet(double=dtype is C128).complex_input("z"))
        (ours,) = evaluate([planar], {"z": z})
        torch.testing.assert_close(ours, part(z), rtol=100 * torch.finfo(dtype).eps, atol=1e-6)


@some_of(
    ("text", "where"),
    [
        ("cos(z)/z", PointSet((0j,))),
        ("sin(z)/z**2", PointSet((0j,))),
        ("sin(z)/(z*(z - 1))", PointSet((1 + 0j,))),
        ("sin(z + 10**(-60))/z", PointSet((0j,))),
        ("(z**6 - 4)/(z**3 - 2) + sin(z)/z", None),
        ("sinh(z)/sin(z)", PeriodicPoints(0j, PI + 0j, (0,))),
        ("1/tan(z)", PeriodicPoints(0j, PI + 0j)),
        ("z/tanh(z) + 1/sinh(2*z)", PeriodicPoints(0j, 0.5j * PI)),
        ("1/sech(z + 1) + tan(z)", PeriodicPoints(PI / 2 + 0j, PI + 0j)),
    ],
    slice(None, None, 3),
)
def test_what_is_a_pole_or_undecided_is_declared(text, where):
    record = from_sympy(text)
    assert not record.function_class.is_entire
    places = [s.where for s in record.singularities]
    assert len(places) == len(set(places)) > 0
    if where is not None:
        assert where in places


def test_zeros_known_to_30_digits_are_not_looked_at_in_exact_arithmetic():
    """It would take minutes, for nothing: they stay poles."""
    record = from_sympy("tanh((1 - 2*I)*z) + 1/(cosh(z/2) - exp(z/4))", time_limit=30)
    assert len(record.singularities) == 5


functions = st.sampled_from(
    [sympy.exp, sympy.sin, sympy.cosh, sympy.erf, sympy.atan, lambda u: sympy.log(u + 3)]
)


quotients = given(
    f=functions,
    g=st.sampled_from([sympy.Integer(1), sympy.exp(Z), sympy.cos(Z) + 3, 1 / (Z - 7)]),
    slope=st.sampled_from([1, sympy.Rational(1, 2), sympy.Rational(-3, 5), 1 + sympy.I / 3]),
    point=st.sampled_from([0, sympy.Rational(1, 2), -1, sympy.I / 2, sympy.pi / 3]),
    order=st.integers(1, 3),
    short=st.integers(0, 1),
)


def check_quotient(f, g, slope, point, order, short):
    """What is left of a function without its Taylor polynomial, by that power, and by one more."""
    whole = f(slope * Z)
    taylor = sum(
        whole.diff(Z, k).subs(Z, point) / sympy.factorial(k) * (Z - point) ** k
        for k in range(order)
    )
    if whole.diff(Z, order).subs(Z, point) == 0:
        short = 0
    e = parse_formula(str((whole - taylor) * g / (Z - point) ** (order + short)))
    record = from_sympy(e)
    at = complex(point)
    distance = record.clearance(torch.tensor(at, dtype=C128))
    if short:
        assert distance < 1e-9
        assert not record.function_class.is_entire
    else:
        assert distance > 0.5
        check(record, e, sympy.sympify(point), at, C128)
        check(record, e, sympy.sympify(point), at, C64)


@settings(max_examples=2, deadline=None)
@quotients
def test_random_quotients(f, g, slope, point, order, short):
    check_quotient(f, g, slope, point, order, short)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@quotients
def test_more_random_quotients(f, g, slope, point, order, short):
    check_quotient(f, g, slope, point, order, short)
