"""Every known is what sympy says it is, with its derivatives, zeros and obstacles."""

import pickle

import mpmath
import pytest
import sympy
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cases import each
from holonet.calculus import dbar, derivative
from holonet.symbolic.known_functions import FUNCTIONS, NOT_HOLOMORPHIC

C128 = torch.complex128
EACH = each(("function", "known"), FUNCTIONS.items(), ids=[f.__name__ for f in FUNCTIONS])
Z = sympy.Symbol("z")


def exact(expression, z):
    formula = sympy.lambdify(Z, expression, "mpmath")
    with mpmath.workdps(30):
        return torch.tensor([complex(formula(mpmath.mpc(p))) for p in z.tolist()], dtype=C128)


@EACH
@settings(max_examples=2)
@given(z=st.lists(st.complex_numbers(max_magnitude=4), min_size=1, max_size=4))
def test_value_and_derivatives_are_sympys(function, known, z):
    z = torch.tensor(z, dtype=C128)
    z = z[known.record.clearance(z) > 0.05]
    assume(len(z) > 0)
    expression = function(Z)
    record = known.record
    scale = 1.0
    for part in (record.value, record.derivative, record.second_derivative):
        expected = exact(expression, z)
        scale = torch.maximum(expected.abs(), torch.as_tensor(scale))
        assert ((part(z) - expected).abs() <= 1e-11 * scale).all()
        expression = expression.diff(Z)


@EACH
def test_autograd_agrees_on_all_sides(function, known):
    z = torch.tensor([1.3 + 0.7j, -1.3 + 0.7j, -1.3 - 0.7j, 1.3 - 0.7j, 0.2 - 0.4j], dtype=C128)
    record = known.record
    for f, df in (
        (record.value, record.derivative),
        (record.derivative, record.second_derivative),
    ):
        torch.testing.assert_close(derivative(f, z), df(z), rtol=1e-11, atol=1e-11)
        assert dbar(f, z).abs().max() < 1e-11
        w = z.clone().requires_grad_()
        (grad,) = torch.autograd.grad(f(w).real.sum(), w)
        torch.testing.assert_close(grad, df(z).conj(), rtol=1e-11, atol=1e-11)


@EACH
def test_obstacles_and_zeros_are_where_they_are_declared(function, known):
    """Obstacles: off them the circle modes vanish, tested by the laws; here the zeros."""
    for place in known.zeros or ():
        points = getattr(place, "points", None) or (
            place.offset + place.period,
            place.offset - 3 * place.period,
        )
        assert known.record.value(torch.tensor(points, dtype=C128)).abs().max() < 1e-7
    if known.zeros == ():
        z = torch.randn(200, dtype=C128) * 3
        z = z[known.record.clearance(z) > 0]
        assert (known.record.value(z).abs() > 0).all()


@EACH
@each("dtype", [torch.complex64, C128])
def test_known_functions_commute_with_conjugation_and_keep_the_precision(function, known, dtype):
    z = torch.tensor([0.4 + 0.9j, -0.7 + 0.3j, 1.5 - 0.2j], dtype=dtype)
    for part in (known.record.value, known.record.derivative, known.record.second_derivative):
        out = part(z)
        assert out.dtype is dtype
        torch.testing.assert_close(part(z.conj().resolve_conj()), out.conj().resolve_conj())


@pytest.mark.parametrize("function", [sympy.sech, sympy.csch, sympy.coth])
def test_hyperbolic_reciprocals_are_finite_far_out(function):
    for dtype in (torch.complex64, C128):
        z = torch.tensor([1e4 + 1j, -1e4 + 1j, 100 + 1j, -100 + 1j], dtype=dtype)
        record = FUNCTIONS[function].record
        for part in (record.value, record.derivative, record.second_derivative):
            assert part(z).isfinite().all()


def test_known_functions_are_holomorphic():
    for other in (Z, Z + 1, Z**2, sympy.conjugate(Z), sympy.Abs(Z)):
        assert type(other) not in FUNCTIONS
    assert not set(FUNCTIONS) & set(NOT_HOLOMORPHIC)


@EACH
def test_the_records_can_be_pickled(function, known):
    del function
    twin = pickle.loads(pickle.dumps(known.record))
    assert twin == known.record
    z = torch.tensor([0.3 + 0.4j], dtype=C128)
    assert torch.equal(twin.second_derivative(z), known.record.second_derivative(z))
