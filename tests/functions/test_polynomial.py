"""The polynomial factory."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.errors import DomainError
from holonet.functions import CATALOGUE, FunctionClass, polynomial
from holonet.functions.polynomial import write_number

COEFFICIENTS = st.lists(st.complex_numbers(max_magnitude=10), min_size=1, max_size=7)
NUMBERS = st.complex_numbers(max_magnitude=3)


@given(coefficients=COEFFICIENTS, z=NUMBERS)
def test_value_and_derivatives_are_those_of_numpy(coefficients, z):
    f, p = polynomial(coefficients), np.polynomial.Polynomial(coefficients)
    t = torch.tensor([z], dtype=torch.complex128)
    size = np.polynomial.Polynomial(np.abs(coefficients))
    for got, order in ((f(t), 0), (f.derivative(t), 1), (f.second_derivative(t), 2)):
        bound = 1e-14 * size.deriv(order)(abs(z)).real + 1e-300
        assert abs(got.item() - p.deriv(order)(z)) <= bound


@given(coefficients=COEFFICIENTS, z=NUMBERS)
def test_the_formula_is_the_value(coefficients, z):
    sympy = pytest.importorskip("sympy")
    f = polynomial(coefficients)
    expected = complex(sympy.lambdify("z", sympy.sympify(f.formula), "math")(z))
    size = np.polynomial.Polynomial(np.abs(coefficients))(abs(z)).real
    got = f(torch.tensor([z], dtype=torch.complex128)).item()
    assert abs(got - expected) <= 1e-13 * size + 1e-300


@pytest.mark.parametrize(
    ("coefficients", "function_class", "real", "monotone"),
    [
        ([2], FunctionClass.AFFINE, True, False),
        ([0, 1j], FunctionClass.AFFINE, False, False),
        ([0, 1, 0.0], FunctionClass.AFFINE, True, True),
        ([3, -1], FunctionClass.AFFINE, True, False),
        ([0, 0, 1], FunctionClass.POLYNOMIAL, True, False),
        ((1, 2, 3 - 1e-9j), FunctionClass.POLYNOMIAL, False, False),
        ([-2, 1, 0, 1], FunctionClass.POLYNOMIAL, True, True),
        ([0, -1, 0, 1], FunctionClass.POLYNOMIAL, True, False),
        ([0, 1, 0, 1j], FunctionClass.POLYNOMIAL, False, False),
    ],
)
def test_the_declaration_follows_from_the_coefficients(
    coefficients, function_class, real, monotone
):
    f = polynomial(coefficients)
    assert f.function_class is function_class
    assert f.real_on_real is real
    assert f.monotone is monotone
    assert f.obstacles == ()


@pytest.mark.parametrize("coefficients", [[], [math.nan], [1, math.inf]])
def test_what_is_no_polynomial_is_refused(coefficients):
    with pytest.raises(DomainError, match="at least one coefficient"):
        polynomial(coefficients)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_the_precision_is_kept(dtype):
    z = torch.randn(2, 3, dtype=dtype)
    for name in ("identity", "square", "cube", "polynomial"):
        record = CATALOGUE[name]
        for f in (record.value, record.derivative, record.second_derivative):
            assert f(z).dtype is dtype
            assert f(z).shape == z.shape


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1"), (-0.5, "-1/2"), (0.1, "0.1"), (1j, "(0+1*I)"), (2 - 0.25j, "(2-1/4*I)")],
)
def test_numbers_are_written_for_algebra(number, text):
    assert write_number(complex(number)) == text
