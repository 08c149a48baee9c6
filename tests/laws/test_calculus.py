"""The laws of complex analysis, on random compositions: what docs/theory states, checked here."""

import math

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from holonet.calculus import (
    cauchy_formula,
    circle_mean,
    contour_integral,
    dbar,
    dbar_along,
    directional_derivative,
    fourier_coefficients,
    levi_form,
    partial_z,
    taylor_coefficients,
    winding_number,
)
from holonet.domains import Disc
from holonet.functions import CATALOGUE, FunctionClass, blaschke, compose, polynomial
from holonet.testing import COEFFICIENTS, random_network
from holonet.testing.strategies import holomorphic_functions

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

FUNCTIONS = holomorphic_functions()
SEEDS = st.integers(0, 2**32)
SHARES = st.floats(0.05, 0.6)  # of the radius of a region
EPS = torch.finfo(torch.float64).eps
laws = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
costly = settings(laws, max_examples=3 * laws.max_examples // 10)  # slow to differentiate
of_networks = settings(laws, max_examples=max(20, laws.max_examples // 10))  # slow to build


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(
        *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.complex128
    )


def points(f, seed: int, count: int = 6, share: float = 0.6) -> Tensor:
    """Points of the region of f, up to a share of its radius from 0."""
    z = normal(seed, count)
    return share * float(f.domain.radius) * z / (1 + z.abs())


def close(got: Tensor, expected: Tensor, scale: Tensor | float, factor: float = 1e4) -> None:
    """Assert agreement to a multiple of eps times scale."""
    error = ((got - expected).abs() / (torch.as_tensor(scale) + 1e-300)).max().item()
    assert error <= factor * EPS, f"{error / EPS:.3g} eps"


def size(f, seed: int) -> float:
    """The largest |f| on the circle at 0.9 of the region, and 1."""
    circle = 0.9 * Disc(0, float(f.domain.radius)).boundary(64)
    return 1 + f(circle).abs().max().item()


def real_smooth(f, g):
    """f + conj(g), neither holomorphic nor antiholomorphic."""
    return lambda z: f(z) + g(z).conj()


# ------------------------------------------------------------------ Wirtinger calculus


@laws
@given(f=FUNCTIONS, g=FUNCTIONS, seed=SEEDS)
def test_wirtinger_derivatives_of_sums_with_conjugates(f, g, seed):
    """d/dz (f + conj g) = f', d/dzbar (f + conj g) = conj(g')."""
    small = f if f.domain.radius < g.domain.radius else g
    z = points(small, seed)
    df, dg = f.derivative(z) + 0 * z, g.derivative(z) + 0 * z
    scale = 1 + df.abs() + dg.abs()
    close(partial_z(real_smooth(f, g), z), df, scale)
    close(dbar(real_smooth(f, g), z), dg.conj(), scale)


@costly
@given(f=FUNCTIONS, g=FUNCTIONS, seed=SEEDS, quotient=st.booleans())
def test_product_and_quotient_rules(f, g, seed, quotient):
    """D(ab) = Da b + a Db, D(a/b) = (Da b - a Db)/b^2 for D = d/dz and d/dzbar."""
    small = f if f.domain.radius < g.domain.radius else g
    z = points(small, seed)
    a, b = real_smooth(f, g), real_smooth(g, lambda z: f(z) / 2)
    if quotient:
        assume(bool((b(z).abs() > 1e-2).all()))
    for derivative in (partial_z, dbar):
        da, db = derivative(a, z), derivative(b, z)
        if quotient:
            got = derivative(lambda z: a(z) / b(z), z)
            expected = (da * b(z) - a(z) * db) / b(z) ** 2
            scale = (da * b(z)).abs() + (a(z) * db).abs()
            scale = (1 + scale) / b(z).abs() ** 2
        else:
            got = derivative(lambda z: a(z) * b(z), z)
            expected = da * b(z) + a(z) * db
            scale = 1 + (da * b(z)).abs() + (a(z) * db).abs()
        close(got, expected, scale)


@costly
@given(f=FUNCTIONS, g=FUNCTIONS, seed=SEEDS)
def test_chain_rule(f, g, seed):
    """With w = g: d/dz f(g) = f_w g_z + f_wbar conj(g_zbar), and likewise for d/dzbar."""
    z = points(g, seed)

    def outer(w: Tensor) -> Tensor:  # entire, with both derivatives
        return w * w.conj() + (w / 4).sin() - w.conj().square() / 8

    inner = real_smooth(g, lambda z: z / 3)
    assume(bool((inner(z).abs() < 20).all()))
    w = inner(z)
    f_w, f_wbar = partial_z(outer, w), dbar(outer, w)
    g_z, g_zbar = partial_z(inner, z), dbar(inner, z)
    scale = 1 + (f_w.abs() + f_wbar.abs()) * (g_z.abs() + g_zbar.abs())
    got = partial_z(lambda z: outer(inner(z)), z)
    close(got, f_w * g_z + f_wbar * g_zbar.conj(), scale)
    got = dbar(lambda z: outer(inner(z)), z)
    close(got, f_w * g_zbar + f_wbar * g_z.conj(), scale)


@laws
@given(f=FUNCTIONS, seed=SEEDS)
def test_holomorphic_maps_are_conformal(f, seed):
    """Df keeps oriented angles where f' is not 0, and stretches all directions by |f'|."""
    z = points(f, seed)
    slope = f.derivative(z) + 0 * z
    assume(bool((slope.abs() > 1e-6).all()))
    v, w = normal(seed + 1, 2, 6)
    dv, dw = directional_derivative(f, z, v)[1], directional_derivative(f, z, w)[1]
    scale = slope.abs() ** 2 * v.abs() * w.abs() + (1 + slope.abs()) * EPS
    close(dv * dw.conj(), slope.abs() ** 2 * v * w.conj(), scale, factor=1e6)
    assert ((dv * dw.conj() / (v * w.conj())).angle().abs() < 1e-6).all()


# ------------------------------------------------------------------ integrals


@laws
@given(f=FUNCTIONS, share=SHARES, seed=SEEDS)
def test_cauchys_theorem(f, share, seed):
    """The integral over a circle in the region is 0, and that of the conjugate is not."""
    r = float(f.domain.radius)
    center = complex(points(f, seed, 1, 0.3)[0])
    scale = size(f, seed) * share * r
    close(contour_integral(f, center, share * r, samples=512), torch.zeros(()), scale)
    area = math.pi * (share * r) ** 2
    got = contour_integral(torch.conj, center, share * r)
    assert abs(complex(got) - 2j * area) <= 1e-12 * (area + share * r * abs(center))


@laws
@given(f=FUNCTIONS, share=SHARES, seed=SEEDS, order=st.integers(0, 2))
def test_cauchys_formula(f, share, seed, order):
    """Values on a circle give value and derivatives inside."""
    r = share * float(f.domain.radius)
    z = 0.7 * r * normal(seed, 5).sgn() * torch.rand(5, dtype=torch.float64)
    expected = (f.value, f.derivative, f.second_derivative)[order](z) + 0 * z
    # as many samples, since f may be less exact than its dtype: log(1 + z^3) about 0
    got = cauchy_formula(f, z, 0, r, samples=512, order=order)
    close(got, expected, size(f, seed) / r**order + expected.abs(), factor=1e6)


@laws
@given(f=FUNCTIONS, share=SHARES, seed=SEEDS)
def test_mean_value_property(f, share, seed):
    """The mean over a circle is the value at its center, for f and for its parts."""
    z = points(f, seed, 3, 0.3)
    r = share * float(f.domain.radius)
    scale = size(f, seed)
    close(circle_mean(f, z, torch.ones_like(z), r, samples=128), f(z), scale)
    mean = circle_mean(lambda z: f(z).imag, z, torch.ones_like(z), r, samples=128)
    close(mean, f(z).imag, scale)


@laws
@given(f=FUNCTIONS, share=SHARES, seed=SEEDS)
def test_maximum_principle(f, share, seed):
    """In a disc Re f lies between its least and its largest value on the circle."""
    r = share * float(f.domain.radius)
    inside = f(0.98 * r * normal(seed, 40).tanh().sgn() * torch.rand(40).double().sqrt()).real
    circle = f(Disc(0, r).boundary(256)).real
    # between two of the 256 points the function may go on by half the derivative's step
    slack = 1e-9 * size(f, seed) + (circle.amax() - circle.amin()) * 5e-2
    assert inside.max() <= circle.max() + slack
    assert inside.min() >= circle.min() - slack


@laws
@given(f=FUNCTIONS, share=SHARES, seed=SEEDS)
def test_parseval(f, share, seed):
    """Mean |f|^2 over a circle = sum |a_k|^2 r^2k, and no mode is negative."""
    r = share * float(f.domain.radius)
    modes = fourier_coefficients(f, 0, r, samples=256)
    circle = f(r * torch.polar(*_turns(256)))
    energy = circle.abs().square().mean()
    close(modes.abs().square().sum(), energy, 1e-30 + energy)
    taylor = taylor_coefficients(f, 0, r)
    powers = r ** torch.arange(len(taylor.values), dtype=torch.float64)
    close((taylor.values.abs() * powers).square().sum(), energy, size(f, seed) ** 2)
    negative = modes[:128].abs().square().sum()
    assert negative <= (1e4 * EPS * size(f, seed)) ** 2


def _turns(count: int) -> tuple[Tensor, Tensor]:
    angle = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    return torch.ones_like(angle), angle


@laws
@given(f=FUNCTIONS, share=SHARES, seed=SEEDS, w=st.complex_numbers(max_magnitude=3))
def test_argument_principle(f, share, seed, w):
    """The winding number of f - w about a circle counts the zeros in it: never negative."""
    r = share * float(f.domain.radius)
    circle = f(Disc(0, r).boundary(512))
    step = (circle - circle.roll(1)).abs().max()
    assume(float((circle - w).abs().min()) > 2 * float(step) + 1e-6 * size(f, seed))
    count = winding_number(lambda z: f(z) - w, 0, r)
    assert count >= 0
    inside = f(r * (torch.rand(200).double().sqrt() * normal(seed, 200).sgn()))
    if count == 0:  # then 1/(f - w) is holomorphic: w is not taken, and the minimum is outside
        least = (inside - w).abs().min()
        assert least >= (circle - w).abs().min() * 0.9


# ------------------------------------------------------------------ growth


@laws
@given(f=FUNCTIONS, share=st.floats(0.3, 0.9))
def test_cauchys_inequalities(f, share):
    """|a_k| <= max |f| / r^k on every circle: what is bounded everywhere is constant."""
    r = share * float(f.domain.radius)
    largest = f(Disc(0, r).boundary(256)).abs().max() * (1 + 1e-2) + 1e-30
    taylor = taylor_coefficients(f, 0, 0.3 * float(f.domain.radius))
    k = torch.arange(len(taylor.values), dtype=torch.float64)
    assert (taylor.values.abs() <= largest / r**k + 100 * taylor.error).all()


@laws
@given(
    coefficients=st.lists(
        st.complex_numbers(min_magnitude=0.1, max_magnitude=10), min_size=1, max_size=6
    ),
    radius=st.floats(0.1, 5),
    ratio=st.floats(1, 4),
)
def test_polynomial_growth(coefficients, radius, ratio):
    """M(R) <= (R/r)^degree M(r) (Bernstein), and a degree cannot be undercut far out."""
    p = polynomial(coefficients)
    degree = len(coefficients) - 1

    def largest(r: float) -> float:
        return p(Disc(0, r).boundary(512)).abs().max().item()

    assert largest(ratio * radius) <= ratio**degree * largest(radius) * (1 + 1e-2)
    growth = math.log2(largest(2e6) / largest(1e6))
    assert growth == pytest.approx(degree, abs=1e-3)


@laws
@given(
    zeros=st.lists(st.complex_numbers(max_magnitude=0.95), min_size=1, max_size=4),
    turn=st.floats(0, 2 * math.pi),
    seed=SEEDS,
    shrink=st.floats(0.1, 1),
)
def test_schwarz_pick(zeros, turn, seed, shrink):
    """A self-map of the disc has |f'| (1 - |z|^2) <= 1 - |f|^2, with equality for one zero."""
    product = blaschke(zeros, turn)
    z = normal(seed, 20)
    z = 0.95 * z / (1 + z.abs())
    stretch = (product.derivative(z) * shrink).abs() * (1 - z.abs() ** 2)
    room = 1 - (shrink * product(z)).abs() ** 2
    assert (stretch <= room * (1 + 1e-9) + 1e-12).all()
    if len(zeros) == 1:
        stretch = product.derivative(z).abs() * (1 - z.abs() ** 2)
        close(stretch, 1 - product(z).abs() ** 2, torch.ones(20), factor=1e5)


# ------------------------------------------------------------------ symmetry, classes


@laws
@given(f=FUNCTIONS, seed=SEEDS)
def test_schwarz_reflection(f, seed):
    """f(conj z) = conj f(z) where f is real on the real line."""
    assume(f.real_on_real)
    z = points(f, seed)
    assume(bool((f(z.real + 0j).imag.abs() <= 1e-12 * (1 + f(z.real + 0j).abs())).all()))
    close(f(z.conj().resolve_conj()), f(z).conj(), size(f, seed))


@laws
@given(
    outer=st.lists(st.integers(-3, 3), min_size=2, max_size=4),
    inner=st.lists(st.integers(-3, 3), min_size=2, max_size=4),
)
def test_compositions_of_polynomials_are_polynomials_of_the_product_degree(outer, inner):
    """POLYNOMIAL of POLYNOMIAL: the coefficients end at deg f deg g."""
    assume(outer[-1] and inner[-1])
    f, g = polynomial(outer), polynomial(inner)
    found = compose(f.function_class, g.function_class)
    assert found in (FunctionClass.POLYNOMIAL, FunctionClass.AFFINE)
    degree = (len(outer) - 1) * (len(inner) - 1)
    assert (found is FunctionClass.AFFINE) is (degree == 1)
    taylor = taylor_coefficients(lambda z: f(g(z)), 0, 1)
    assert (taylor.values[degree + 1 :].abs() <= 1e4 * taylor.error[degree + 1 :]).all()
    assert taylor.values[degree].abs() > 1e3 * taylor.error[degree]


@costly
@given(f=FUNCTIONS, seed=SEEDS)
def test_composed_classes_hold_numerically(f, seed):
    """Re f is harmonic, |f|^2 and log(1 + |f|^2) subharmonic, (Re f)^2 in general not harmonic."""
    z = points(f, seed)
    v = torch.ones_like(z)
    slope = f.derivative(z) + 0 * z
    scale = 1 + slope.abs() ** 2 + (f.second_derivative(z) + 0 * z).abs() * (1 + f(z).abs())
    close(levi_form(lambda z: f(z).real, z, v), torch.zeros(6), scale)
    close(levi_form(lambda z: _square(f(z)), z, v), slope.abs() ** 2, scale)
    assert (levi_form(lambda z: _square(f(z)).log1p(), z, v) >= -1e-9 * scale).all()
    close(levi_form(lambda z: f(z).real ** 2, z, v), slope.abs() ** 2 / 2, scale)


def _square(w: Tensor) -> Tensor:
    return w.real**2 + w.imag**2


# ------------------------------------------------------------------ networks


def network(seed: int, activation: str, real: bool = False):
    """A network C^3 -> C^2 with two hidden layers, as a function, and points for it."""
    record = CATALOGUE[activation]
    a, b, c = normal(seed, 3, 4) / 4, normal(seed + 1, 4, 4) / 4, normal(seed + 2, 4, 2)
    if real:
        a, b, c = a.real + 0j, b.real + 0j, c.real + 0j
    z = normal(seed + 3, 5, 3) / 2

    def f(z: Tensor) -> Tensor:
        hidden = record(record.base_point + (z @ a).div(4))
        hidden = record(record.base_point + (hidden @ b).div(8))
        return hidden @ c

    return f, z


ENTIRE = st.sampled_from(["square", "exp", "sin", "cos", "sinh", "cosh", "erf", "gelu", "cube"])


@laws
@given(seed=SEEDS, activation=ENTIRE)
def test_networks_are_holomorphic_in_several_variables(seed, activation):
    """df/dzbar = 0, Re f is pluriharmonic, and |f|^2 has the Levi form |f' v|^2."""
    f, z = network(seed, activation)
    v = normal(seed + 4, 5, 3)
    tangent = directional_derivative(f, z, v)[1]
    scale = 1 + tangent.abs().square() + f(z).abs()
    close(dbar_along(f, z, v), torch.zeros(5, 2), scale)
    close(levi_form(lambda z: f(z).real, z, v), torch.zeros(5, 2), scale)
    close(levi_form(lambda z: _square(f(z)), z, v), tangent.abs().square(), scale)


@laws
@given(seed=SEEDS, activation=ENTIRE)
def test_networks_with_real_parameters_are_symmetric(seed, activation):
    """Schwarz reflection: f(conj z) = conj f(z), so real points have real values."""
    f, z = network(seed, activation, real=True)
    close(f(z.conj().resolve_conj()), f(z).conj(), 1 + f(z).abs())
    close(f(z.real + 0j).imag, torch.zeros(5, 2), 1 + f(z).abs())


NETWORKS = st.builds(
    lambda seed, depth, coefficients: random_network(
        seed, depth=depth, coefficients=coefficients, dtype=torch.complex128
    ),
    SEEDS,
    st.integers(1, 4),
    st.sampled_from(COEFFICIENTS),
)


@of_networks
@given(case=NETWORKS)
def test_networks_at_real_points_are_their_continuation_there(case):
    """module(x) = module(x + 0i), for complex, real and mixed coefficients."""
    network, z = case
    x = z.real.clone()
    inside = (network.margin(x) > 0.05) & (network.margin(z) > 0.05)
    value, lifted = network(x), network(x + 0j)
    inside &= (value + lifted).isfinite().all(1)  # points off the given ones may overflow
    assume(bool(inside.any()))
    value, lifted = value[inside], lifted[inside]
    has_complex = any(p.is_complex() for p in network.parameters())
    assert value.is_complex() == has_complex
    close(value, lifted, 1 + lifted.abs().max(), 1e6)


@of_networks
@given(case=NETWORKS)
def test_networks_with_real_coefficients_reflect(case):
    """Schwarz reflection, of what real arithmetic continues; complex coefficients break it."""
    network, z = case
    value, reflected = network(z), network(z.conj())
    if any(p.is_complex() for p in network.parameters()):
        finite = reflected.isfinite()  # reflected points may meet singularities
        assume(bool(finite.any()))
        assert (reflected - value.conj())[finite].abs().amax() > 1e-6
    else:
        close(reflected, value.conj(), 1 + value.abs().max(), 1e6)
