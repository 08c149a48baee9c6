"""Records made from formulas: right, complete, trainable and portable."""

import copy
import dataclasses
import pickle

import mpmath
import pytest
import sympy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases import each, some_of
from holonet import nn
from holonet.domains import PointSet
from holonet.errors import ConfigError, DomainError, NotHolomorphicError, NumericalError
from holonet.functions import CATALOGUE, FunctionClass
from holonet.symbolic import from_sympy, parse_formula, to_sympy
from holonet.symbolic.from_sympy import _REAL_POINTS, _check

C128 = torch.complex128
Z = sympy.Symbol("z")

numbers = st.sampled_from([1, 2, -3, sympy.Rational(1, 2), sympy.I, 1 + sympy.I, sympy.pi])
heads = st.sampled_from(
    [sympy.exp, sympy.sin, sympy.cos, sympy.sinh, sympy.cosh, sympy.erf, lambda u: u**2]
)


def grow(trees):
    return st.one_of(
        st.builds(lambda u, v: u + v, trees, trees),
        st.builds(lambda u, v: u * v, trees, trees),
        st.builds(lambda f, u: f(u / 2), heads, trees),
        st.builds(lambda u: u / (Z - 5), trees),
        st.builds(lambda f, c: f(c * Z / 4), st.sampled_from([sympy.tanh, sympy.atan]), numbers),
    )


trees = st.recursive(st.just(Z) | numbers.map(lambda c: c * Z + c), grow, max_leaves=3)


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(e=trees)
def test_the_record_of_a_random_formula_is_the_formula(e):
    if e.free_symbols != {Z}:
        with pytest.raises(ConfigError):
            from_sympy(e)
        return
    record = from_sympy(e)
    assert to_sympy(record) == parse_formula(str(e))
    assert to_sympy(from_sympy(to_sympy(record))) == to_sympy(record)
    z = torch.tensor([0.3 + 0.2j, -0.7 + 0.4j], dtype=C128)
    z = z[record.clearance(z) > 0.05]
    formulas = sympy.lambdify(Z, [e, e.diff(Z), e.diff(Z, 2)], "mpmath")
    with mpmath.workdps(30):
        rows = [[complex(v) for v in formulas(mpmath.mpc(p))] for p in z.tolist()]
    scale = torch.ones(len(z)).double()
    for k, part in enumerate((record.value, record.derivative, record.second_derivative)):
        expected = torch.tensor([row[k] for row in rows], dtype=C128)
        scale = torch.maximum(scale, expected.abs())
        assert ((part(z) - expected).abs() <= 1e-9 * scale).all()


@some_of("record", [*CATALOGUE.values()], slice(None, None, 4))
def test_to_sympy_inverts_from_sympy(record):
    e = sympy.sympify(record.formula, rational=True)
    twin = from_sympy(e)
    assert to_sympy(twin) == e
    z = record.domain.sample(20)
    for part in ("value", "derivative", "second_derivative"):
        torch.testing.assert_close(getattr(twin, part)(z), getattr(record, part)(z))


def test_what_a_record_says():
    record = from_sympy("w/(1 + w**2)", name="bump")
    assert record.name == "bump"
    assert record.formula == "z/(z**2 + 1)"
    assert record.function_class is FunctionClass.RATIONAL
    assert record.singularities[0].where == PointSet((-1j, 1j))
    assert record.real_on_real
    assert record.base_point == 0
    assert from_sympy("exp(z)").name == "exp(z)"


@each(
    ("text", "real"),
    [
        ("I*z", False),
        ("(z - I)*(z + I)", True),
        ("z + I*exp(z)", False),
        ("I*sqrt(-z)", False),
        ("sqrt(1 - z) + log(z)", True),
        ("2**z", True),
        ("(-2)**z", False),
    ],
)
def test_the_real_axis(text, real):
    assert from_sympy(text).real_on_real is real


def test_one_real_value_does_not_make_a_function_real():
    """Every point that is looked at counts, though the others be real."""
    for x in _REAL_POINTS:
        assert not from_sympy(Z + sympy.I * (Z - sympy.Rational(x))).real_on_real


@pytest.mark.parametrize(
    ("text", "point"),
    [("log(z)", 1), ("z", 0), ("1/z", 1), ("1/((z - 1)*z*(z + 1))", 1j), ("sqrt(-z)", -1)],
)
def test_the_base_point_keeps_its_distance(text, point):
    record = from_sympy(text)
    assert record.base_point == point
    assert record.clearance(torch.tensor(record.base_point)) >= 0.5


def test_a_base_point_of_ones_own():
    assert from_sympy("log(z)", base_point=3).base_point == 3
    with pytest.raises(DomainError, match="base point"):
        from_sympy("1/(z - 2)", base_point=2)
    with pytest.raises(DomainError, match="base point"):
        from_sympy("log(z)", base_point=-1)


@each(
    ("expression", "subterm"),
    [
        (Z + sympy.conjugate(Z), "conjugate(z)"),
        (sympy.exp(sympy.Abs(Z)), "Abs(z)"),
        (sympy.re(Z) + sympy.I * sympy.im(Z), "(z)"),
        (Z * sympy.arg(Z), "arg(z)"),
        (sympy.sign(Z), "sign(z)"),
        (Z * sympy.Heaviside(sympy.re(Z)), "Heaviside(re(z))"),
        (sympy.Max(sympy.re(Z), 0), "Max(0, re(z))"),
        (sympy.Piecewise((Z, sympy.re(Z) > 0), (0, True)), "Piecewise"),
        (sympy.floor(Z), "floor(z)"),
        ("z*abs(z)", "Abs(z)"),
        ("tanh(im(z))", "im(z)"),
    ],
)
def test_what_is_not_holomorphic_is_named(expression, subterm):
    with pytest.raises(NotHolomorphicError) as raised:
        from_sympy(expression)
    assert f"{subterm}" in str(raised.value).split(": ", 1)[1]


def test_variables_are_counted():
    with pytest.raises(ConfigError, match=r"has w, z: .*subs\(w, 2\)"):
        from_sympy("z*w")
    with pytest.raises(ConfigError, match="polynomial"):
        from_sympy("3")
    with pytest.raises(ConfigError, match=r"gamma\(z\)"):
        from_sympy(sympy.gamma(Z))
    with pytest.raises(ConfigError, match="no rule"):
        from_sympy(sympy.Function("f")(Z))


def test_a_record_that_disagrees_with_its_formula_is_noticed():
    record = from_sympy("z*exp(z)")
    _check(record, Z * sympy.exp(Z))
    with pytest.raises(NumericalError, match="rewrite"):
        _check(record, Z * sympy.exp(Z) * sympy.Rational(1000001, 1000000))
    with pytest.raises(NumericalError):
        from_sympy("(z + 10**9)**2 - 10**18 - 2*10**9*z")


def test_an_activation_trains_and_travels():
    torch.manual_seed(0)
    layer = nn.Activation(from_sympy("z*exp(-z**2)"))
    assert layer.function_class is FunctionClass.ENTIRE
    net = nn.HolomorphicClassifier(nn.Sequential(nn.Linear(3, 8), layer, nn.Linear(8, 2)))
    x, y = torch.randn(32, 3), torch.randint(0, 2, (32,))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    for twin in (pickle.loads(pickle.dumps(net)), copy.deepcopy(net)):
        assert torch.equal(twin(x), net(x))
        assert twin.backbone[1].function == layer.function


def test_records_can_be_pickled():
    record = from_sympy("1/(1 + exp(-z)) + sqrt(z + 3)")
    twin = pickle.loads(pickle.dumps(record))
    assert twin == record
    assert dataclasses.asdict(twin)["formula"] == record.formula


@pytest.mark.parametrize(
    "text",
    [
        "sin(exp(exp(30)))*z",
        "(1 + sqrt(2) + sqrt(3))**500*z*10**300",
        "atan(tan(exp(exp(exp(5)))))*z",
        "exp(" * 30 + "2" + ")" * 30 + "*z",
        "z*2**9000",
    ],
)
def test_numbers_out_of_range_are_refused_at_once(text):
    with pytest.raises((NumericalError, ConfigError)):
        from_sympy(text, time_limit=5)


ONE = sympy.sin(1) ** 2 + sympy.cos(1) ** 2


@some_of(
    "e",
    [
        sympy.log((ONE - 1) * Z),
        1 / ((ONE - 1) * Z),
        Z ** (ONE - 1),
        sum(c * Z**2 for c in (*ONE.args, -1)) + Z,
        1 / (sum(c * Z**2 for c in (*ONE.args, -1)) + Z),
        "1/(z*(z + 1) - z**2 - z)",
        "z/(sin(z)**2 + cos(z)**2 - 1)",
        "1/(tan(z) - sin(z)/cos(z))",
    ],
    slice(None, None, 3),
)
def test_what_is_0_in_disguise_is_no_factor_and_no_denominator(e):
    with pytest.raises((NumericalError, DomainError), match=r"\b0\b"):
        from_sympy(e)


@pytest.mark.slow
def test_polynomials_that_sympy_cannot_divide_are_refused():
    third = sympy.exp(sympy.I * sympy.pi / 3)
    with pytest.raises(DomainError, match="by hand"):
        from_sympy(1 / sympy.expand((Z - third) ** 2 * (Z + 2)))


def test_numbers_on_cuts_are_on_their_principal_side():
    whole = sympy.sin(1 + sympy.I) ** 2 + sympy.cos(1 + sympy.I) ** 2
    record = from_sympy(Z * sympy.sqrt(-whole) + sympy.log((1 - sympy.sqrt(3) * sympy.I) ** 3 / 8))
    at_1 = record(torch.ones(1, dtype=C128)).item()
    assert abs(at_1 - 1j - 1j * torch.pi) < 1e-14


@some_of("text", ["z**10000", "(z + 1)**100", "(z + 1)**1000"], slice(2))
def test_large_powers_are_taken(text):
    record = from_sympy(text)
    assert record.function_class is FunctionClass.POLYNOMIAL
    assert record(torch.tensor([0.5j], dtype=C128)).isfinite().all()


def test_the_time_is_limited():
    with pytest.raises(ConfigError, match=r"time_limit=0\.3"):
        from_sympy("1/(z**97 + z + 1)", time_limit=0.3)


def test_formulas_nested_too_deeply_are_refused():
    deep = sympy.Symbol("z")
    for _ in range(3000):
        deep = sympy.sin(deep, evaluate=False)
    with pytest.raises(ConfigError, match="deep"):
        from_sympy(deep)
