"""The algebra of function classes, and its truth on the functions of the catalogue."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.functions import CATALOGUE, FunctionClass, compose, multiply

F = FunctionClass
PAIRS = list(itertools.product(F, repeat=2))
TRIPLES = list(itertools.product(F, repeat=3))


def below(f: FunctionClass, g: FunctionClass) -> bool:
    """Whether every function of class f is one of class g."""
    return f | g is g


def test_sum_is_a_join():
    assert all(f | f is f for f in F)
    assert all(f | g is g | f for f, g in PAIRS)
    assert all((f | g) | h is f | (g | h) for f, g, h in TRIPLES)
    assert all(below(f, f | g) and below(g, f | g) for f, g in PAIRS)


def test_the_order_is_the_documented_one():
    chain = [F.AFFINE, F.POLYNOMIAL, F.RATIONAL, F.MEROMORPHIC, F.HOLOMORPHIC]
    chain += [F.HARMONIC, F.SUBHARMONIC, F.SMOOTH, F.PIECEWISE]
    assert all(below(f, g) for f, g in itertools.pairwise(chain))
    assert below(F.POLYNOMIAL, F.ENTIRE)
    assert below(F.ENTIRE, F.MEROMORPHIC)
    assert not below(F.ENTIRE, F.RATIONAL)
    assert not below(F.RATIONAL, F.ENTIRE)


def test_affine_is_neutral_for_composition_of_holomorphic_classes():
    for f in F:
        if f.is_holomorphic:
            assert compose(F.AFFINE, f) is f
        assert compose(f, F.AFFINE) is f


def test_composition_is_associative():
    for f, g, h in TRIPLES:
        assert compose(compose(f, g), h) is compose(f, compose(g, h))


def test_composition_and_product_are_monotone():
    for f, g, h in TRIPLES:
        if below(f, g):
            assert below(compose(f, h), compose(g, h))
            assert below(compose(h, f), compose(h, g))
            assert below(multiply(f, h), multiply(g, h))


def test_product_is_commutative_and_associative():
    assert all(multiply(f, g) is multiply(g, f) for f, g in PAIRS)
    assert all(multiply(multiply(f, g), h) is multiply(f, multiply(g, h)) for f, g, h in TRIPLES)


def test_holomorphic_classes_are_closed():
    for f, g in PAIRS:
        both = f.is_holomorphic and g.is_holomorphic
        assert (f | g).is_holomorphic is both
        assert multiply(f, g).is_holomorphic is both
        assert compose(f, g).is_holomorphic is both


def test_no_holomorphic_layer_may_follow_a_harmonic_one():
    for f in F:
        if f.is_holomorphic and f is not F.AFFINE:
            assert compose(f, F.HARMONIC) is F.SMOOTH


ENTIRE = [r for r in CATALOGUE.values() if r.function_class.is_entire]
TURN = torch.polar(torch.ones(256).double(), torch.arange(256).double() * (2 * math.pi / 256))
CENTERS = st.lists(st.complex_numbers(max_magnitude=1), min_size=1, max_size=5)


def negative_modes(values: torch.Tensor) -> torch.Tensor:
    return torch.fft.fft(values, norm="forward")[..., -12:].abs().amax(-1)


@each("outer", ENTIRE, ids=lambda r: r.name)
@settings(max_examples=max(2, settings().max_examples // 10))  # each for all inner functions
@given(centers=CENTERS, radius=st.floats(0.01, 0.3))
def test_what_composes_to_entire_is_holomorphic_everywhere(outer, centers, radius):
    eps = torch.finfo(torch.complex128).eps
    circle = torch.tensor(centers, dtype=torch.complex128)[:, None] + radius * TURN
    for inner in ENTIRE:
        assert compose(outer.function_class, inner.function_class).is_entire
        w = inner(circle)
        values, slope = outer(w), outer.derivative(w).abs()
        assert values.isfinite().all()
        scale = values.abs() + slope * (w.abs() + (circle * inner.derivative(circle)).abs())
        assert (negative_modes(values) <= 200 * eps * scale.amax(-1)).all(), inner.name
        product = values * w
        assert multiply(outer.function_class, inner.function_class).is_entire
        scale = scale * w.abs() + values.abs() * (circle * inner.derivative(circle)).abs()
        assert (negative_modes(product) <= 200 * eps * (scale + product.abs()).amax(-1)).all()


@pytest.mark.parametrize(
    ("outer", "inner", "center"),
    [
        ("exp", "reciprocal", 0.1),  # an essential singularity
        ("reciprocal", "sin", 0.1),  # a pole at a zero of the inner function
        ("exp", "tan", 1.5),
        ("tanh", "exp", 0.5 + 1.6j),
        ("log", "sin", 0.1),
    ],
)
def test_what_is_not_entire_is_not_declared_so(outer, inner, center):
    """Each of these has a negative mode on some circle, and no class that promises otherwise."""
    f, g = CATALOGUE[outer], CATALOGUE[inner]
    assert not compose(f.function_class, g.function_class).is_entire
    values = f(g(center + 0.4 * TURN))
    assert negative_modes(values).item() > 1e-6 * values.abs().max().item()
