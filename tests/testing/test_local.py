"""Local functions: derivatives, class, formula and region are those of the value."""

import dataclasses
import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases import each
from holonet import nn
from holonet.calculus import derivative, fourier_coefficients
from holonet.domains import Disc
from holonet.functions import CATALOGUE, FunctionClass, compose, multiply, polynomial
from holonet.testing.local import IDENTITY, LocalFunction
from holonet.testing.strategies import holomorphic_functions, points_in

# beartype looks at a random item of every sequence that it checks, inside strategies too
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module:Warning")

C128 = torch.complex128
EPS = torch.finfo(C128).eps
FUNCTIONS = holomorphic_functions()


@st.composite
def with_points(draw):
    f = draw(FUNCTIONS)
    return f, draw(points_in(f.region, count=6))


def close(found, expected, scale):
    assert (found - expected).abs().max() <= 1e4 * EPS * float(scale)


@given(case=with_points())
def test_derivatives_are_those_of_forward_mode(case):
    f, z = case
    first, second = derivative(f, z), derivative(f.derivative, z)
    size = f(z).abs().max() + first.abs().max() + second.abs().max()
    close(f.derivative(z), first, size)
    close(f.second_derivative(z), second, size + derivative(f.second_derivative, z).abs().max())


@given(f=FUNCTIONS)
def test_a_function_is_the_integral_of_its_derivative(f):
    """Without autograd: the modes of f' on a circle are those of f, times k / radius."""
    radius = f.region.radius / 2
    modes, slopes = (fourier_coefficients(g, 0, radius) for g in (f, f.derivative))
    k = torch.arange(1, 8)
    close(slopes[32 + k - 1], modes[32 + k] * k / radius, slopes.abs().max() + modes.abs().max())


@given(f=FUNCTIONS)
def test_a_function_is_holomorphic_on_its_region(f):
    """Off-center discs inside, up to 0.99 of the radius: no negative modes."""
    r = f.region.radius
    for center, radius in ((0, 0.99 * r), (0.3j * r, 0.69 * r), (-0.4 * r, 0.5 * r)):
        modes = fourier_coefficients(f, center, radius, samples=1024).abs()
        assert modes[: 512 - 64].max() <= 1e4 * EPS * modes.max()


@given(f=FUNCTIONS)
def test_values_are_moderate(f):
    z = Disc(0, f.region.radius).boundary(64)
    assert f(z).abs().max() < 1e5
    assert f(z).isfinite().all()
    assert f.region.radius >= 1e-3
    assert f.domain == f.region
    assert (f.clearance(0.5 * z) > 0).all()


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(case=with_points())
def test_the_formula_is_the_value(case):
    mpmath, sympy = pytest.importorskip("mpmath"), pytest.importorskip("sympy")
    f, z = case
    formula = sympy.lambdify("z", sympy.sympify(f.formula), "mpmath")
    with mpmath.workdps(30):
        expected = torch.tensor([complex(formula(mpmath.mpc(p))) for p in z.tolist()], dtype=C128)
    close(f(z), expected, 1 + f(z).abs().max())


@given(f=FUNCTIONS)
def test_what_is_real_on_the_real_axis_says_so(f):
    x = torch.linspace(-0.9, 0.9, 7, dtype=C128) * f.region.radius
    if f.real_on_real:
        assert f(x).imag.abs().max() <= 1e3 * EPS * f(x).abs().max()


@given(f=FUNCTIONS, g=FUNCTIONS)
def test_sums_and_products_are_those_of_the_values(f, g):
    z = Disc(0, min(f.region.radius, g.region.radius)).sample(9)
    torch.testing.assert_close((f + g)(z), f(z) + g(z))
    torch.testing.assert_close((f * g)(z), f(z) * g(z))
    assert (f + g).function_class is f.function_class | g.function_class
    assert (f * g).function_class is multiply(f.function_class, g.function_class)
    assert (f + g).region == (f * g).region == Disc(0, min(f.region.radius, g.region.radius))


@given(f=FUNCTIONS, name=st.sampled_from(sorted(CATALOGUE)))
def test_a_composition_keeps_half_the_clearance(f, name):
    outer = CATALOGUE[name]
    whole = f.then(outer)
    assert whole.function_class is compose(outer.function_class, f.function_class)
    assert whole.region.radius <= f.region.radius
    z = Disc(0, whole.region.radius).sample(20)
    zero = torch.zeros(1, dtype=C128)
    shifts = [
        torch.zeros(1, dtype=C128),
        *(c / 8 for c in _grid(outer.base_point - f(zero).item())),
    ]
    gaps = [(outer(f(z) + c) - whole(z)).abs().max() for c in shifts]
    shift = shifts[gaps.index(min(gaps))]
    assert min(gaps) <= 1e-9 * whole(z).abs().max() + 1e-12
    middle = f(zero) + shift
    room = min(2.0, float(outer.clearance(middle)) / 2)
    assert (f(z) + shift - middle).abs().max() <= room * (1 + 1e-6)


def _grid(gap):
    """The multiple of 1/8 that is nearest to a gap, as eighths."""
    return [torch.tensor([complex(round(8 * gap.real), round(8 * gap.imag))], dtype=C128)]


@each(
    ("function", "formula", "radius"),
    [
        (IDENTITY, "z", 1),
        (IDENTITY.then(CATALOGUE["exp"]), "exp(z)", 1),
        (IDENTITY.then(CATALOGUE["log"]), "log(z + 1)", 0.5),
        (IDENTITY.then(CATALOGUE["reciprocal"]), "1/(z + 1)", 0.5),
        (IDENTITY.then(CATALOGUE["tanh"]), "tanh(z)", 0.5),
        (IDENTITY.then(polynomial([4, 1])).then(CATALOGUE["exp"]), "exp(4*1 + z + -4)", 1),
        (IDENTITY.then(CATALOGUE["square"]).then(CATALOGUE["sin"]), "sin(z**2)", 1),
        (IDENTITY.then(CATALOGUE["sin"]) * IDENTITY, "sin(z)*z", 1),
        ((IDENTITY + IDENTITY) * IDENTITY, "(z + z)*z", 1),
        (IDENTITY * IDENTITY + IDENTITY, "z*z + z", 1),
    ],
)
def test_formulas_and_regions_of_the_simple(function, formula, radius):
    assert function.formula == formula
    assert function.region == Disc(0, radius)


def test_the_region_excludes_what_is_singular():
    """1/(1 - z^2 ...): the radius is less than the distance to the nearest pole, known here."""
    f = IDENTITY.then(polynomial([1, 1, 1])).then(CATALOGUE["reciprocal"])
    assert f.region.radius < abs(complex(-0.5, math.sqrt(3) / 2))
    g = (IDENTITY + IDENTITY + IDENTITY).then(CATALOGUE["log"])
    assert g.region.radius < 1 / 3


def test_a_complex_shift_is_not_real_on_the_real_axis():
    about_3i = dataclasses.replace(CATALOGUE["exp"], base_point=3j)
    assert IDENTITY.then(CATALOGUE["exp"]).real_on_real
    assert IDENTITY.then(about_3i).formula == "exp(z + (0+3*I))"
    assert not IDENTITY.then(about_3i).real_on_real


def test_the_identity_is_the_catalogues():
    z = torch.tensor([1j, 2.0], dtype=C128)
    for part in ("value", "derivative", "second_derivative"):
        assert torch.equal(getattr(IDENTITY, part)(z), getattr(CATALOGUE["identity"], part)(z))
    assert IDENTITY.function_class is CATALOGUE["identity"].function_class is FunctionClass.AFFINE


def test_an_activation_can_be_made_of_one():
    f = IDENTITY.then(CATALOGUE["tanh"]).then(CATALOGUE["exp"])
    layer = nn.Activation(f)
    z = f.region.sample(5)
    torch.testing.assert_close(layer(z), torch.exp(torch.tanh(z)))
    torch.testing.assert_close(layer.margin(z), f.region.clearance(z))
    assert layer.function_class is FunctionClass.HOLOMORPHIC
    assert repr(f) == "<exp(tanh(z)), holomorphic, |z| < 0.5>"
    assert isinstance(f, LocalFunction)
