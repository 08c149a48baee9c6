"""Particular sums, products and compositions of function classes."""

import pytest

from cases import each
from holonet.functions import FunctionClass as F
from holonet.functions import compose, multiply


def test_the_holomorphic_classes():
    holomorphic = {f for f in F if f.is_holomorphic}
    assert holomorphic == {
        F.AFFINE,
        F.POLYNOMIAL,
        F.RATIONAL,
        F.ENTIRE,
        F.MEROMORPHIC,
        F.HOLOMORPHIC,
    }
    assert {f for f in F if f.is_entire} == {F.AFFINE, F.POLYNOMIAL, F.ENTIRE}


@each(
    ("f", "g", "total"),
    [
        (F.AFFINE, F.POLYNOMIAL, F.POLYNOMIAL),
        (F.RATIONAL, F.ENTIRE, F.MEROMORPHIC),
        (F.POLYNOMIAL, F.ENTIRE, F.ENTIRE),
        (F.MEROMORPHIC, F.HOLOMORPHIC, F.HOLOMORPHIC),
        (F.ENTIRE, F.HARMONIC, F.HARMONIC),
        (F.HARMONIC, F.SUBHARMONIC, F.SUBHARMONIC),
        (F.SUBHARMONIC, F.SMOOTH, F.SMOOTH),
        (F.ENTIRE, F.PIECEWISE, F.PIECEWISE),
    ],
)
def test_sums(f, g, total):
    assert f | g is total


@pytest.mark.parametrize(
    ("f", "g", "product"),
    [
        (F.AFFINE, F.AFFINE, F.POLYNOMIAL),
        (F.AFFINE, F.RATIONAL, F.RATIONAL),
        (F.RATIONAL, F.ENTIRE, F.MEROMORPHIC),
        (F.HARMONIC, F.AFFINE, F.SMOOTH),  # Re(z) * Re(z) is not harmonic
        (F.HARMONIC, F.PIECEWISE, F.PIECEWISE),
    ],
)
def test_products(f, g, product):
    assert multiply(f, g) is product
    assert multiply(g, f) is product


@each(
    ("outer", "inner", "composed"),
    [
        (F.ENTIRE, F.ENTIRE, F.ENTIRE),
        (F.RATIONAL, F.RATIONAL, F.RATIONAL),
        (F.RATIONAL, F.MEROMORPHIC, F.MEROMORPHIC),
        (F.RATIONAL, F.ENTIRE, F.MEROMORPHIC),
        (F.POLYNOMIAL, F.RATIONAL, F.RATIONAL),
        (F.POLYNOMIAL, F.AFFINE, F.POLYNOMIAL),
        (F.MEROMORPHIC, F.ENTIRE, F.MEROMORPHIC),
        (F.MEROMORPHIC, F.MEROMORPHIC, F.HOLOMORPHIC),
        (F.ENTIRE, F.RATIONAL, F.HOLOMORPHIC),
        (F.ENTIRE, F.HOLOMORPHIC, F.HOLOMORPHIC),
        (F.HARMONIC, F.HOLOMORPHIC, F.HARMONIC),
        (F.SUBHARMONIC, F.ENTIRE, F.SUBHARMONIC),
        (F.AFFINE, F.HARMONIC, F.HARMONIC),
        (F.AFFINE, F.SUBHARMONIC, F.SMOOTH),
        (F.POLYNOMIAL, F.HARMONIC, F.SMOOTH),
        (F.ENTIRE, F.PIECEWISE, F.PIECEWISE),
        (F.PIECEWISE, F.ENTIRE, F.PIECEWISE),
    ],
)
def test_compositions(outer, inner, composed):
    assert compose(outer, inner) is composed
