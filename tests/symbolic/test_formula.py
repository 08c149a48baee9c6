"""Formulas are read exactly, and never run."""

import contextlib

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

import fresh_python
from cases import each
from holonet.errors import ConfigError, HolonetError
from holonet.functions import CATALOGUE
from holonet.symbolic.formula import as_expression, parse_formula, quote

Z = sympy.Symbol("z")


@each("record", CATALOGUE.values(), ids=CATALOGUE)
def test_catalogue_formulas_are_read_as_sympy_reads_them(record):
    assert parse_formula(record.formula) == sympy.sympify(record.formula, rational=True)


@each(
    ("text", "expected"),
    [
        ("0.1*z", Z / 10),
        ("1e-3 + 2.5j", sympy.Rational(1, 1000) + sympy.Rational(5, 2) * sympy.I),
        ("1_000", sympy.Integer(1000)),
        ("+z - -z", 2 * Z),
        ("ln(z) + abs(z)", sympy.log(Z) + sympy.Abs(Z)),
        ("2**-3", sympy.Rational(1, 8)),
        ("E**(I*pi)", sympy.Integer(-1)),
        (" z_1*w2 ", sympy.Symbol("z_1") * sympy.Symbol("w2")),
        ("Max(re(z), 0)", sympy.Max(sympy.re(Z), 0)),
    ],
)
def test_what_is_written_is_what_is_meant(text, expected):
    assert parse_formula(text) == expected


def test_parts_are_left_as_they_are_written():
    expression = parse_formula("re(sqrt(z))")
    assert isinstance(expression, sympy.re)
    assert expression.args == (sympy.sqrt(Z),)
    assert parse_formula("re(2 + I)") == 2


@each(
    "text",
    [
        "__import__('os').system('true')",
        "z.__class__",
        "().__class__",
        "(lambda: 1)()",
        "[z for z in (1, 2)]",
        "exec('1')",
        "f'{z}'",
        "'z'",
        "z[0]",
        "z if z else 1",
        "exp(*z)",
        "exp(x=z)",
        "z := 1",
        "__z",
        "_z",
        "True",
        "None",
        "...",
        "z < 1",
        "not z",
        "~z",
        "z ^ 2",
        "z // 2",
        "z @ z",
        "import os",
        "z; z",
        "",
        "sin",
        "sin(z, z)",
        "Max()",
        "tahn(z)",
        "getattr(z, 'real')",
        "\0",
        "9**9**9",
        "(2**9999)**9999",
        "(1/2)**99999",
        "z**99999",
        "1e999999999",
        "1e-999999999",
        "1/0",
        "0**-1",
        "log(0)",
        "z" * 30_000,
        "(" * 5_000 + "z" + ")" * 5_000,
        "-" * 15_000 + "z",
        "9" * 10_000,
    ],
)
def test_everything_else_is_refused(text):
    with pytest.raises(ConfigError) as raised:
        parse_formula(text)
    assert len(str(raised.value)) < 1000


def test_the_message_quotes_the_formula_the_place_and_the_cause():
    with pytest.raises(ConfigError, match=r"'1 \+ tahn\(z\)'.* character 5.* did you mean .*tanh"):
        parse_formula("1 + tahn(z)")
    with pytest.raises(ConfigError, match=r"'z \+'.* at "):
        parse_formula("z +")


@given(text=st.text(max_size=30) | st.text("z0.1e+-*/() I", max_size=20))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(HolonetError):
        assert isinstance(parse_formula(text), sympy.Expr)


def test_floating_point_numbers_become_the_fractions_they_are():
    e = as_expression(0.1 * Z + 0.5)
    assert e == sympy.Rational(0.1) * Z + sympy.Rational(1, 2)
    assert as_expression(0.5 + 2j) == sympy.Rational(1, 2) + 2 * sympy.I


def test_symbols_lose_harmless_assumptions_only():
    complex_z = sympy.Symbol("z", complex=True)
    assert as_expression(sympy.exp(complex_z)) == sympy.exp(Z)
    assert as_expression(sympy.Dummy("z") ** 2) == Z**2
    for fact in ("real", "positive", "integer", "imaginary"):
        with pytest.raises(ConfigError, match="assumptions"):
            as_expression(sympy.exp(sympy.Symbol("z", **{fact: True})))
    with pytest.raises(ConfigError, match="one name"):
        as_expression(Z + complex_z)


@each(
    "value",
    [
        sympy.Matrix([Z]),
        sympy.true,
        sympy.StrictLessThan(sympy.re(Z), 1),
        None,
        True,
        float("inf"),
        float("nan"),
        sympy.zoo * 1,
        sympy.nan,
        sympy.Symbol("z", commutative=False),
        sympy.MatrixSymbol("A", 2, 2)[0, 0],
        sympy.Lambda(Z, Z),
        object(),
    ],
)
def test_what_is_no_scalar_expression_is_refused(value):
    with pytest.raises(ConfigError):
        as_expression(value)


def test_long_quotes_are_cut():
    assert len(quote("z" * 10_000)) < 250
    assert quote(Z) == "'z'"


def test_without_sympy_the_import_says_what_to_install():
    code = "import sys, holonet; sys.modules['sympy'] = None; import holonet.symbolic"
    done = fresh_python.run("-c", code)
    assert "MissingDependencyError" in done.stderr
    assert "pip install 'holonet[symbolic]'" in done.stderr


@each(
    ("name", "hint"),
    [
        ("e", r"E or exp\(1\)"),
        ("i", "write I"),
        ("j", "write I"),
        ("PI", "write pi"),
        ("\N{GREEK SMALL LETTER PI}", "write pi"),
        *((name, "finite") for name in ("oo", "OO", "zoo", "inf", "INF", "infty", "Infinity")),
        *((name, "finite") for name in ("infinity", "nan", "NaN", "NAN")),
    ],
)
def test_names_that_mean_numbers_are_asked_about(name, hint):
    with pytest.raises(ConfigError, match=hint):
        parse_formula(f"2*z + {name}")
    assert parse_formula("E*I*pi*z").free_symbols == {Z}
    assert as_expression(sympy.Symbol(name)) == sympy.Symbol(name)  # who builds it means it


def test_reading_takes_no_longer_than_it_may():
    deep = "log(" * 14 + "2" + ")" * 14
    assert parse_formula(deep + "*z", time_limit=5).free_symbols == {Z}
    slow = "Max(" + ",".join(f"a{k}" for k in range(400)) + ")"
    with pytest.raises(ConfigError, match=r"time_limit=0.2"):
        parse_formula(slow, time_limit=0.2)


def test_numbers_of_many_digits_are_refused_by_name():
    floats = sympy.Float("1e20000") * Z, Z + sympy.Float("-1e-20000")
    for value in (sympy.Integer(10) ** 5000 * Z, sympy.Rational(1, 10**5000), *floats):
        with pytest.raises(ConfigError, match="bits"):
            as_expression(value)
    assert "too large" in quote(sympy.Integer(10) ** 5000)


def test_powers_are_too_large_before_they_are_taken():
    def power(base, exponent):
        return sympy.Pow(base, exponent, evaluate=False)

    for exponent in (10**8, -(10**8), power(2, 30), power(10, power(10, 10)), 10**400):
        with pytest.raises(ConfigError, match="bits"):
            as_expression(sympy.Mul(Z, power(3, exponent), evaluate=False))
    kept = Z * sympy.Integer(2) ** sympy.Rational(4999, 5000)
    assert as_expression(kept) == kept
    assert "too large" in quote(Z + parse_formula("exp(exp(exp(exp(exp(10)))))"))
