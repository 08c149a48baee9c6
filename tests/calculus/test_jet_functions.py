"""Jets of functions of one variable against mpmath's Taylor coefficients."""

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from cases import each
from holonet.calculus.jet_functions import FUNCTIONS
from holonet.calculus.jets import jet
from holonet.errors import InputTypeError
from holonet.functions import CATALOGUE
from holonet.functions.analytic import with_derivative

C128 = torch.complex128
ORDER = 6
CENTER = 0.4  # where every function of the table is analytic on the disc of radius 0.35

TABLE = {  # rule -> (torch, mpmath)
    "add": (
        lambda z: torch.add(z * z, z, alpha=3) + (z + z) + (1 + z),
        lambda z: z * z + 6 * z + 1,
    ),
    "sub subtract": (
        lambda z: torch.sub(z * z, z, alpha=3) - (z - 5) - z * z * z + (2 - z),
        lambda z: z * z - 5 * z + 7 - z**3,
    ),
    "mul multiply": (lambda z: z * (z * 3) * (2 * z), None),
    "div divide true_divide": (lambda z: (z + 1) / (z * z + 2) / 3 + 2 / z, None),
    "reciprocal": (torch.reciprocal, lambda z: 1 / z),
    "square": (torch.square, lambda z: z * z),
    "pow": (lambda z: z**5 + z**-2 + z**1.5 + z**z + z**0 + 2**z, None),
    "exp": (torch.exp, mpmath.exp),
    "log": (torch.log, mpmath.log),
    "sqrt": (torch.sqrt, mpmath.sqrt),
    "rsqrt": (torch.rsqrt, lambda z: 1 / mpmath.sqrt(z)),
    "sin": (torch.sin, mpmath.sin),
    "cos": (torch.cos, mpmath.cos),
    "sinh": (torch.sinh, mpmath.sinh),
    "cosh": (torch.cosh, mpmath.cosh),
    "tan": (torch.tan, mpmath.tan),
    "tanh": (torch.tanh, mpmath.tanh),
    "asinh arcsinh": (torch.asinh, mpmath.asinh),
    "atan arctan": (torch.atan, mpmath.atan),
    "asin arcsin": (torch.asin, mpmath.asin),
    "acos arccos": (torch.acos, mpmath.acos),
    "acosh arccosh": (lambda z: torch.acosh(z + 2), lambda z: mpmath.acosh(z + 2)),
    "atanh arctanh": (torch.atanh, mpmath.atanh),
    "expm1 special_expm1": (torch.special.expm1, mpmath.expm1),
    "log1p special_log1p": (torch.log1p, lambda z: mpmath.log(1 + z)),
    "sigmoid special_expit": (torch.sigmoid, lambda z: 1 / (1 + mpmath.exp(-z))),
    "silu": (functional.silu, lambda z: z / (1 + mpmath.exp(-z))),
    "with_derivative": (
        lambda z: with_derivative(z, lambda z: torch.exp(z).detach(), torch.exp),
        mpmath.exp,
    ),
}
REAL = {  # that torch has on the real line only
    "softplus": (
        lambda x: functional.softplus(x, 2.0),
        lambda z: mpmath.log(1 + mpmath.exp(2 * z)) / 2,
    ),
    "gelu": (functional.gelu, lambda z: z * (1 + mpmath.erf(z / mpmath.sqrt(2))) / 2),
    "erf special_erf": (torch.special.erf, mpmath.erf),
}


def expected(f, points, direction):
    """Taylor coefficients of t -> f(z + t v) by mpmath, shape (ORDER + 1, points)."""
    with mpmath.workdps(40):
        columns = [mpmath.taylor(along(f, p, direction), 0, ORDER) for p in points]
    return torch.tensor([[complex(c) for c in column] for column in columns], dtype=C128).T


def along(f, point, direction):
    return lambda t: f(point + t * direction)


def check(torch_f, mpmath_f, z, v):
    got = jet(torch_f, z, v, ORDER)
    want = expected(mpmath_f or torch_f, z.tolist(), v[0].item())
    if not z.is_complex():
        assert not got.is_complex()
    torch.testing.assert_close(got.to(C128), want, rtol=1e-10, atol=1e-10)


def test_the_tables_hold_every_rule():
    names = [name for key in (*TABLE, *REAL) for name in key.split()]
    assert sorted(names) == sorted(FUNCTIONS)


@each("name", TABLE)
def test_complex_functions(name):
    z = torch.tensor([CENTER + 0.1j, CENTER - 0.2j], dtype=C128)
    torch_f, mpmath_f = TABLE[name]
    check(torch_f, mpmath_f, z, torch.full_like(z, 0.3 - 0.4j))


@each("name", [*TABLE, *REAL])
def test_real_functions(name):
    x = torch.tensor([CENTER, CENTER + 0.1], dtype=torch.float64)
    torch_f, mpmath_f = {**TABLE, **REAL}[name]
    check(torch_f, mpmath_f, x, torch.full_like(x, -0.7))


@given(record=st.sampled_from([*CATALOGUE.values()]), seed=st.integers(0, 2**32))
def test_every_record_agrees_with_its_derivatives(record, seed):
    generator = torch.Generator().manual_seed(seed)
    z = record.domain.sample(5, generator=generator)
    z = z[(record.clearance(z) > 0.05) & (z.abs() < 6)]
    v = torch.randn(z.shape, generator=generator, dtype=C128)
    got = jet(record, z, v, 2)
    want = torch.stack(
        [record(z), record.derivative(z) * v, record.second_derivative(z) * v * v / 2]
    )
    scale = 1 + want.abs().amax(0)
    assert ((got - want).abs() <= 1e-11 * scale).all()
    # the derivative's own jet holds the higher coefficients
    higher, slope = jet(record, z, v, 7), jet(record.derivative, z, v, 6)
    k = torch.arange(1, 8)[:, None]
    gap = (higher[1:] - slope * v / k).abs()
    assert (gap <= 1e-9 * (1e-3 + higher[1:].abs() + higher.abs().amax(0))).all()


@each("record", CATALOGUE.values(), ids=CATALOGUE)
def test_every_record_agrees_with_its_formula(record):
    sympy = pytest.importorskip("sympy")
    formula = sympy.lambdify("z", sympy.sympify(record.formula), "mpmath")
    z = torch.tensor([record.base_point + 0.3 - 0.2j], dtype=C128)
    check(record, formula, z, torch.full_like(z, 0.5 + 0.3j))


@each("name", ["tanh", "sigmoid", "silu", "softplus"])
@each("dtype", [torch.complex64, C128])
def test_coefficients_are_finite_far_out(name, dtype):
    z = torch.tensor([100 + 1j, -100 + 1j, 1e4 + 1j, -1e4 - 1j], dtype=dtype)
    found = jet(CATALOGUE[name], z, torch.ones_like(z), 4)
    assert found.isfinite().all()
    assert found[2:].abs().max() < 1e-30


def test_tanh_keeps_its_relative_accuracy_near_its_limits():
    x = torch.tensor([20 + 0.3j], dtype=C128)
    got = jet(torch.tanh, x, torch.ones_like(x), 3)[1:]
    e = 2 * torch.exp(-2 * x)  # tanh ~ 1 - e
    want = torch.stack([2 * e, -2 * e, 4 / 3 * e])
    torch.testing.assert_close(got, want, rtol=1e-13, atol=0)


def test_natural_powers_are_right_at_zero():
    z = torch.zeros(2, dtype=C128)
    for n in range(6):
        expected = torch.zeros(6, 2, dtype=C128)
        expected[n] = 1
        for exponent in (n, float(n)):
            power = jet(lambda z, p=exponent: z**p, z, torch.ones_like(z), 5)
            assert torch.equal(power, expected)


def test_powers_with_tensors():
    z = torch.tensor([0.5 + 0.2j, 0.3 - 0.1j], dtype=C128)
    v, p = torch.ones_like(z), torch.tensor([0.5, -1.5 + 1j], dtype=C128)
    rows = [jet(lambda z, q=q: z**q, z, v, 4)[:, i] for i, q in enumerate(p.tolist())]
    torch.testing.assert_close(jet(lambda z: z**p, z, v, 4), torch.stack(rows, 1))
    rows = [jet(lambda z, q=q: q**z, z, v, 4)[:, i] for i, q in enumerate(p.tolist())]
    torch.testing.assert_close(jet(lambda z: p**z, z, v, 4), torch.stack(rows, 1))


def test_a_constant_derivative_is_a_tensor():
    z = torch.tensor([0.5j], dtype=C128)
    found = jet(
        lambda z: with_derivative(z, lambda z: 3 * z, lambda z: torch.full_like(z, 3)),
        z * z,
        torch.ones_like(z),
        3,
    )
    assert found.squeeze(1).tolist() == [-0.75, 3, 0, 0]


@pytest.mark.parametrize(
    ("f", "match"),
    [
        (lambda x: torch.div(x, x, rounding_mode="floor"), "div.*floor"),
        (lambda x: functional.gelu(x, approximate="tanh"), "gelu.*tanh"),
        (lambda x: functional.silu(x, inplace=True), "silu.*inplace"),
        (lambda x: torch.lgamma(x), "lgamma.*with_derivative"),
    ],
)
def test_what_has_no_rule_is_refused(f, match):
    x = torch.tensor([0.5], dtype=torch.float64)
    with pytest.raises(InputTypeError, match=match):
        jet(f, x, x, 2)
