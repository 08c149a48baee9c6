"""Laws met by every record of the catalogue, and proof that a false record breaks them."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad
from torch.func import jvp, vjp, vmap

from cases import each
from holonet.functions import CATALOGUE, HolomorphicFunction

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")

# the examples of a profile are for a law: they are spread over its records, each with many points
spread = settings(max_examples=max(2, settings().max_examples // len(CATALOGUE)))
RECORDS = each("record", CATALOGUE.values(), ids=CATALOGUE)
PARTS = each("part", ["value", "derivative", "second_derivative"])
BOTH = each("dtype", [torch.complex64, torch.complex128])
EPS = torch.finfo(torch.complex128).eps
SEEDS = st.integers(0, 2**32)


def with_many_more(zs: list[complex], seed: int) -> Tensor:
    """The points and 200 others: one example is worth many."""
    generator = torch.Generator().manual_seed(seed)
    others = 2 * torch.randn(200, generator=generator, dtype=torch.complex128)
    return torch.cat([torch.tensor(zs, dtype=torch.complex128), others])


POINTS = st.builds(
    with_many_more,
    st.lists(st.complex_numbers(max_magnitude=6), min_size=1, max_size=20),
    SEEDS,
)


def along_one(f, z: Tensor) -> Tensor:
    """The complex derivative by forward mode."""
    return jvp(f, (z,), (torch.ones_like(z),))[1]


def pulled_back(f, z: Tensor) -> Tensor:
    """The conjugate derivative by reverse mode."""
    out, pull, *_ = vjp(f, z)
    return pull(torch.ones_like(out))[0]


def inside(record: HolomorphicFunction, z: Tensor) -> Tensor:
    """Those points that keep a distance from the obstacles."""
    z = z[record.clearance(z) > 1e-3]
    assume(len(z) > 0)
    return z


def close(got: Tensor, expected: Tensor, scale: Tensor, factor: float = 200) -> None:
    """Assert agreement to a multiple of eps times scale."""
    assert got.shape == expected.shape
    error = (got - expected).abs() / (scale + torch.finfo(torch.float64).tiny)
    assert error.max().item() <= factor * EPS, f"{error.max().item() / EPS:.3g} eps"


def check_forward_mode(record: HolomorphicFunction, z: Tensor) -> None:
    f, df, d2f = record.value, record.derivative, record.second_derivative
    d3 = along_one(d2f, z).abs()
    size = f(z).abs() + df(z).abs()  # tanh' = 1 - tanh^2: an error of eps |tanh| is allowed
    close(along_one(f, z), df(z), size + (z * d2f(z)).abs())
    close(along_one(df, z), d2f(z), df(z).abs() + d2f(z).abs() + z.abs() * d3)
    close(
        along_one(lambda z: along_one(f, z), z),
        d2f(z),
        size + d2f(z).abs() + z.abs() * d3,
    )


def check_reverse_mode(record: HolomorphicFunction, z: Tensor) -> None:
    z = z.clone().requires_grad_()
    df = record.derivative(z).detach()
    scale = record(z).abs() + df.abs() + (z * record.second_derivative(z)).abs()
    (of_real,) = torch.autograd.grad(record(z).real.sum(), z)
    (of_imag,) = torch.autograd.grad(record(z).imag.sum(), z)
    close(of_real, df.conj(), scale.detach())
    close(of_imag, 1j * df.conj(), scale.detach())


def check_segment(record: HolomorphicFunction, z: Tensor, angle: float) -> None:
    """f(z + h) - f(z) is the integral of f': continuity, and a derivative without autograd."""
    nodes, weights = np.polynomial.legendre.leggauss(24)
    h = record.clearance(z).clamp(max=2) / 4 * complex(math.cos(angle), math.sin(angle))
    path = z + h * torch.from_numpy((1 + nodes) / 2)[:, None]
    mean = (record.derivative(path) * torch.from_numpy(weights / 2)[:, None]).sum(0)
    scale = record(path).abs().amax(0) + ((1 + path.abs()) * record.derivative(path).abs()).amax(0)
    close(record(z + h) - record(z), h * mean, scale)


def check_circle(record: HolomorphicFunction, z: Tensor) -> None:
    """The negative Fourier modes of f on a circle inside the domain vanish."""
    radius = (record.clearance(z) / 2).clamp(max=1)
    turn = torch.polar(torch.ones(64).double(), torch.arange(64).double() * (2 * math.pi / 64))
    circle = z[:, None] + radius[:, None] * turn
    values = record(circle)
    # mode -m also holds the Taylor coefficient 64 - m, at most 2^(m - 64): look at small m
    negative = torch.fft.fft(values, norm="forward")[:, -12:].abs().amax(1)
    scale = values.abs().amax(1) + (circle * record.derivative(circle)).abs().amax(1)
    close(negative, torch.zeros_like(negative), scale)


def check_real_axis(record: HolomorphicFunction, x: Tensor) -> None:
    z = x.to(torch.complex128)
    z = z[record.clearance(z) > 1e-3]
    real = record(z).imag.abs() <= 10 * EPS * record(z).abs()
    assert bool(real.all()) is record.real_on_real


def check_real(record: HolomorphicFunction, x: Tensor) -> None:
    """At real points the record is the real part at x + 0i, and so are its derivatives."""

    def continued(x: Tensor) -> Tensor:
        return record.value(torch.complex(x, torch.zeros_like(x))).real

    z = x + 0j
    f, df = record.value(z).abs(), record.derivative(z).abs()
    d2f, d3f = record.second_derivative(z).abs(), along_one(record.second_derivative, z).abs()
    # functions of torch that are sums, such as x (1 + erf) / 2, cancel where they are small
    scale = f + x.abs() + df + (1 + x.abs()) * d2f + x.abs() * d3f
    assert record(x).dtype is x.dtype
    for order, derive in enumerate((along_one, pulled_back)):
        ours = [record, lambda x, d=derive: d(record, x), None]
        theirs = [continued, lambda x, d=derive: d(continued, x), None]
        ours[2] = lambda x, d=derive, g=ours[1]: d(g, x)
        theirs[2] = lambda x, d=derive, g=theirs[1]: d(g, x)
        for a, b in zip(ours[order:], theirs[order:], strict=True):
            close(a(x), b(x), scale)


def check_monotone(record: HolomorphicFunction, x: Tensor) -> None:
    """Whether values rise from each point to the next, of a grid of [-6, 6] and others.

    A fall counts where rounding does not explain it, a rise where the points are 0.2 apart.
    """
    grid = torch.linspace(-6, 6, 1201, dtype=torch.float64)
    z = torch.cat([grid, x]).unique().to(torch.complex128)
    values = record(z)
    size = values.abs() + (z * record.derivative(z)).abs() + 1
    falls = bool((values.real.diff() < -20 * EPS * size[1:]).any())
    apart = record(grid[::20].to(torch.complex128)).real.diff()
    on_the_axis = bool((record.clearance(z) > 0).all()) and record.real_on_real
    assert (on_the_axis and not falls and bool((apart > 0).all())) is record.monotone


def check_formula(record: HolomorphicFunction, z: Tensor) -> None:
    mpmath, sympy = pytest.importorskip("mpmath"), pytest.importorskip("sympy")
    expression = sympy.sympify(record.formula)
    assert expression.free_symbols == {sympy.Symbol("z")}
    formula = sympy.lambdify("z", expression, "mpmath")
    with mpmath.workdps(30):
        expected = torch.tensor(
            [complex(formula(mpmath.mpc(p))) for p in z.tolist()], dtype=torch.complex128
        )
    # the floor is mpmath's, whose asinh and atan cancel at tiny arguments
    close(record(z), expected, record(z).abs() + (z * record.derivative(z)).abs() + 1e-20)


@RECORDS
@spread
@given(z=POINTS)
def test_derivatives_are_those_of_forward_mode(record, z):
    check_forward_mode(record, inside(record, z))


@RECORDS
@spread
@given(z=POINTS)
def test_gradients_are_conjugate_derivatives(record, z):
    check_reverse_mode(record, inside(record, z))


@RECORDS
@spread
@given(z=POINTS, angle=st.floats(0, 2 * math.pi))
def test_values_are_integrals_of_the_derivative(record, z, angle):
    check_segment(record, inside(record, z), angle)


@RECORDS
@spread
@given(z=POINTS)
def test_records_are_holomorphic_on_their_domain(record, z):
    check_circle(record, inside(record, z))


@RECORDS
@spread
@given(x=st.lists(st.floats(-6, 6), min_size=1, max_size=20))
def test_the_real_axis_is_declared_truly(record, x):
    check_real_axis(record, torch.tensor([record.base_point.real, *x], dtype=torch.float64))


@RECORDS
@spread
@given(x=st.lists(st.floats(-60, 60), min_size=1, max_size=20), seed=SEEDS)
def test_at_real_points_a_record_is_its_real_part(record, x, seed):
    others = 2 * torch.randn(200, generator=torch.Generator().manual_seed(seed)).double()
    x = torch.cat([torch.tensor(x, dtype=torch.float64), others])
    check_real(record, x[(record.clearance(x + 0j) > 1e-3) & record.value(x + 0j).isfinite()])


@RECORDS
@spread
@given(x=st.lists(st.floats(-6, 6), max_size=20))
def test_records_are_declared_monotone_where_they_rise_along_the_real_axis(record, x):
    check_monotone(record, torch.tensor(x, dtype=torch.float64))


@RECORDS
@settings(
    spread, max_examples=min(5, spread.max_examples), suppress_health_check=[HealthCheck.too_slow]
)
@given(z=POINTS)
def test_the_formula_is_the_value(record, z):
    check_formula(record, inside(record, z))


@RECORDS
@BOTH
@spread
@given(seed=SEEDS)
def test_domain_samples_have_clearance(record, dtype, seed):
    generator = torch.Generator().manual_seed(seed)
    z = record.domain.sample(20, generator=generator, dtype=dtype)
    assert (record.clearance(z) > 0).all()
    assert record(z).isfinite().all()


@RECORDS
@PARTS
@BOTH
@each("shape", [(), (0,), (3,), (2, 5)])
def test_shape_and_precision_are_kept(record, part, dtype, shape):
    z = record.base_point + 0.1 * torch.randn(shape, dtype=dtype)
    out = getattr(record, part)(z)
    assert out.shape == z.shape
    assert out.dtype is dtype


@RECORDS
@PARTS
def test_arguments_are_left_alone(record, part):
    z = record.base_point + 0.1 * torch.randn(20, dtype=torch.complex128)
    before = z.clone()
    getattr(record, part)(z)
    assert torch.equal(z, before)


# far points at which a careless formula overflows, takes 0 * inf or divides by 0
FAR = {
    "exp": [-1e4 + 1j, -100j],
    "sin": [1e4, 1e4 + 10j],
    "cos": [1e4, 1e4 + 10j],
    "sinh": [1e4j, 10 + 1e4j],
    "cosh": [1e4j, 10 + 1e4j],
    "tan": [1 + 100j, 1 - 100j, 1e4j, 1 - 1e4j],
    "tanh": [100 + 1j, -100 + 1j, 1e4, -1e4 + 1j],
}
EVERYWHERE = [0.5, 100 + 1j, -100 + 1j, 1e4 + 1j, -1e4 + 1j, 1e4]


def every_mode(f, z: Tensor) -> dict[str, Tensor]:
    """Value and derivatives of f at z by every road that torch offers."""
    out = {
        "value": f(z),
        "jvp": along_one(f, z),
        "vjp": pulled_back(f, z),
        "nested jvp": along_one(lambda z: along_one(f, z), z),
        "reverse over forward": pulled_back(lambda z: along_one(f, z), z),
        "forward over reverse": along_one(lambda z: pulled_back(f, z).conj(), z),
        "vmap": vmap(f)(z),
        "vmap of jvp": vmap(lambda a: along_one(f, a))(z),
        "jvp of vmap": along_one(vmap(f), z),
        "vmap of nested jvp": vmap(lambda a: along_one(lambda a: along_one(f, a), a))(z),
    }
    w = z.clone().requires_grad_()
    if f(w).requires_grad:
        (g,) = torch.autograd.grad(f(w).real.sum(), w, create_graph=True)
        out["grad"] = g
        if g.requires_grad:
            (out["double backward"],) = torch.autograd.grad(g.real.square().sum(), w)
    with forward_ad.dual_level():
        tangent = forward_ad.unpack_dual(f(forward_ad.make_dual(z, torch.ones_like(z)))).tangent
        if tangent is not None:
            out["dual numbers"] = tangent
    return out


@pytest.mark.parametrize(
    "dtype", [torch.complex64, pytest.param(torch.complex128, marks=pytest.mark.slow)], ids=str
)
@RECORDS
@PARTS
def test_everything_is_finite_far_out(record, part, dtype):
    z = torch.tensor(FAR.get(record.name, EVERYWHERE), dtype=dtype)
    z = z[record.clearance(z) > 0.1]
    for road, values in every_mode(getattr(record, part), z).items():
        assert values.isfinite().all(), road


@RECORDS
def test_all_roads_lead_to_the_same_derivative(record):
    z = record.base_point + 0.3 * torch.randn(6, dtype=torch.complex128)
    roads = every_mode(record.value, z)
    first, second = record.derivative(z), record.second_derivative(z)
    for road in ("jvp", "vmap of jvp", "jvp of vmap", "dual numbers"):
        torch.testing.assert_close(roads[road], first, rtol=1e-12, atol=1e-12)
    for road in ("vjp", "grad"):
        torch.testing.assert_close(roads[road], first.conj(), rtol=1e-12, atol=1e-12)
    for road in ("nested jvp", "vmap of nested jvp"):
        torch.testing.assert_close(roads[road], second, rtol=1e-12, atol=1e-12)
    for road in ("reverse over forward", "forward over reverse"):
        got = roads[road].conj() if road.startswith("reverse") else roads[road]
        torch.testing.assert_close(got, second, rtol=1e-12, atol=1e-12)


@RECORDS
@each("part", ["derivative", "second_derivative"])
def test_a_false_derivative_is_noticed(record, part):
    true = getattr(record, part)
    false = dataclasses.replace(record, **{part: lambda z: true(z) * (1 + 1e-9) + 1e-9})
    z = record.base_point + 0.3 * torch.randn(6, dtype=torch.complex128)
    check_forward_mode(record, z)
    with pytest.raises(AssertionError, match="eps"):
        check_forward_mode(false, z)


def test_a_derivative_false_in_all_modes_is_noticed():
    tanh = CATALOGUE["tanh"]
    false = dataclasses.replace(tanh, derivative=lambda z: tanh.derivative(z) + 1e-9 * z)
    z = torch.tensor([0.3 + 0.2j], dtype=torch.complex128)
    check_segment(tanh, z, 0.5)
    with pytest.raises(AssertionError, match="eps"):
        check_segment(false, z, 0.5)


OBSTRUCTED = [r for r in CATALOGUE.values() if r.obstacles]


@each("record", OBSTRUCTED, ids=lambda r: r.name)
def test_a_hidden_singularity_or_cut_is_noticed(record):
    """Forget one declared set after the other: a circle about a point of it sees it."""
    for forgotten in record.branch_cuts or [s.where for s in record.singularities]:
        plain = dataclasses.replace(record, singularities=(), branch_cuts=())
        directions = torch.polar(
            torch.full((64,), 9.0).double(), torch.linspace(0, 6.2, 64).double()
        )
        z = record.base_point + torch.linspace(0, 1, 200).double()[:, None] * directions
        near = z[(forgotten.distance(z) < 0.5) & (forgotten.distance(z) > 0.2)][::50]
        with pytest.raises(AssertionError, match="eps"):
            check_circle(plain, near)


def test_a_false_real_axis_is_noticed():
    false = dataclasses.replace(CATALOGUE["tanh"], real_on_real=False)
    with pytest.raises(AssertionError):
        check_real_axis(false, torch.linspace(-1, 1, 9).double())


@RECORDS
def test_a_false_real_function_is_noticed(record):
    true, x = record, record.base_point.real + 0.3 * torch.randn(6, dtype=torch.float64)
    check_real(record, x)
    for false in (lambda x: true(x) * (1 + 1e-9) + 1e-9, lambda x: true(x.detach()) + 0 * x):
        with pytest.raises(AssertionError, match="eps"):
            check_real(dataclasses.replace(record, real=false), x)


@RECORDS
def test_a_false_declaration_of_a_rise_is_noticed(record):
    false = dataclasses.replace(record, monotone=not record.monotone)
    with pytest.raises(AssertionError):
        check_monotone(false, torch.zeros(1).double())


def test_a_false_formula_is_noticed():
    false = dataclasses.replace(CATALOGUE["tanh"], formula="tan(z)")
    with pytest.raises(AssertionError, match="eps"):
        check_formula(false, torch.tensor([0.4 + 0.1j], dtype=torch.complex128))


def test_a_conjugate_is_noticed():
    false = dataclasses.replace(CATALOGUE["sin"], value=lambda z: torch.sin(z.conj()))
    with pytest.raises(AssertionError, match="eps"):
        check_circle(false, torch.tensor([0.4 + 0.1j], dtype=torch.complex128))
