"""What is proved is true, what is refuted is false, and nothing else is said."""

import cmath
import importlib
import importlib.util
import time
from pathlib import Path

import mpmath
import pytest
import sympy
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cases import each, some_of
from holonet import nn
from holonet.errors import ConfigError
from holonet.functions import CATALOGUE
from holonet.symbolic import Proved, Refuted, Unknown, parse_formula, prove
from holonet.symbolic.known_functions import FUNCTIONS
from holonet.symbolic.zero_test import ZeroTest

Z, W = sympy.symbols("z w")
conj, re, im, Abs = sympy.conjugate, sympy.re, sympy.im, sympy.Abs
RECORDS = each("record", CATALOGUE.values(), ids=CATALOGUE)
SOME_RECORDS = some_of("record", [*CATALOGUE.values()], slice(None, None, 4))


def by_differences(expressions, refuted):
    """The value that a refutation names, by central differences in mpmath."""
    names = list(refuted.witness)
    f = sympy.lambdify([list(map(sympy.Symbol, names))], expressions[refuted.output], "mpmath")
    with mpmath.workdps(150):
        h = mpmath.mpf(10) ** -30
        point = [mpmath.mpc(refuted.witness[name]) for name in names]

        def at(k, step):
            return f([p + step * (j == k) for j, p in enumerate(point)])

        def dbar(k):
            return (at(k, h) - at(k, -h) + 1j * (at(k, 1j * h) - at(k, -1j * h))) / (4 * h)

        def laplacian(k):
            around = at(k, h) + at(k, -h) + at(k, 1j * h) + at(k, -1j * h)
            return (around - 4 * at(k, 0)) / h**2

        if refuted.claim == "holomorphic":
            return complex(dbar(names.index(refuted.variable)))
        return complex(sum(laplacian(k) for k in range(len(names))))


def check(expressions, verdict):
    """A refutation, and a true one."""
    assert isinstance(verdict, Refuted)
    expected = by_differences(expressions, verdict)
    assert abs(verdict.value - expected) <= 1e-8 * abs(expected)
    assert verdict.value != 0


@RECORDS
def test_every_record_is_holomorphic_and_its_parts_harmonic(record):
    verdict = prove(record)
    assert isinstance(verdict, Proved)
    assert verdict.method == "structure"
    assert bool(verdict.off) is bool(record.obstacles)
    for part in ("re", "im"):
        assert prove(f"{part}({record.formula})", "harmonic")
    assert prove(record, "harmonic")


@SOME_RECORDS
def test_every_record_has_the_derivatives_of_its_formula(record):
    z = record.domain.sample(4, generator=torch.Generator().manual_seed(1))
    scale = torch.ones(4).double()
    for k, part in enumerate((record.value, record.derivative, record.second_derivative)):
        f = sympy.lambdify(Z, parse_formula(record.formula).diff(Z, k), "mpmath")
        with mpmath.workdps(40):
            expected = torch.tensor(
                [complex(f(mpmath.mpc(p))) for p in z.tolist()], dtype=torch.complex128
            )
        scale = torch.maximum(scale, expected.abs())
        assert ((part(z) - expected).abs() <= 1e-11 * scale).all()


@SOME_RECORDS
def test_the_conjugate_of_every_record_is_refuted(record):
    e = conj(parse_formula(record.formula))
    check([e], prove(e))
    assert prove(e, "harmonic")


IMPOSTORS = [
    "conjugate(z)",
    "abs(z)",
    "re(z)",
    "z*conjugate(z)",
    "z + 0.000001*conjugate(z)",
    "conjugate(z)/10**40 + exp(z)",
    "tanh(re(z)) + I*tanh(im(z))",
    "z/(1 + abs(z))",
    "sign(z)",
    "(1 + re(z)/abs(z))*z/2",
    "arg(z)",
    "abs(exp(I*z))",
    "Max(re(z), 0) + I*Max(im(z), 0)",
    "Max(abs(z) - 1/64, 0)*z/abs(z)",
    "sqrt(conjugate(z)**2)",
    "exp(conjugate(w)) + z",
    "conjugate(z)*(w - w**2)",
    "log(conjugate(z)*z) + z",
]


@some_of("text", IMPOSTORS, slice(None, None, 3))
def test_impostors_are_refuted_by_a_true_witness(text):
    check([parse_formula(text)], prove(text))


@each(
    "text",
    [
        "abs(z)",
        "re(z)**2",
        "re(z)*re(w) + im(w)**2",
        "log(1 + abs(z)**2)",
        "exp(re(z))",
        "re(sin(z))*re(z)",
        "sqrt(z*conjugate(z))",
        "arg(z)**2",
    ],
)
def test_what_is_not_harmonic_is_refuted_by_a_true_witness(text):
    check([parse_formula(text)], prove(text, "harmonic"))


@each(
    ("text", "method"),
    [
        ("re(z) + I*im(z)", "differentiation"),
        ("abs(z)**2/conjugate(z)", "differentiation"),
        ("log(abs(z)) + I*arg(z)", "differentiation"),
        ("sin(re(z))*cosh(im(z)) + I*cos(re(z))*sinh(im(z))", "differentiation"),
        ("z*conjugate(z) - abs(z)**2", "differentiation"),
        ("(re(z)**2 + im(z)**2)/conjugate(z)", "simplification"),
        ("exp(2*I*im(z))*(cosh(2*re(z)) + sinh(2*re(z))) + w", "differentiation"),
    ],
)
def test_what_is_holomorphic_in_disguise_is_proved(text, method):
    verdict = prove(text, time_limit=60)
    assert isinstance(verdict, Proved), verdict
    assert verdict.method == method


@pytest.mark.parametrize("text", ["re(z)*im(z)", "re(z)**2 - re(w)**2", "re(z)/abs(z)**2"])
def test_what_is_harmonic_in_disguise_is_proved(text):
    assert prove(text, "harmonic", time_limit=60)
    check([parse_formula(text)], prove(text))


def test_pluriharmonic_is_more_than_harmonic():
    assert prove("re(z)**2 - re(w)**2", "harmonic")
    assert isinstance(prove("re(z)**2", "harmonic"), Refuted)


CASES = [
    sympy.Piecewise((Z, re(Z) > 0), (Z**2, True)),
    Z * sympy.Heaviside(re(Z)),
    sympy.Piecewise((Z, Abs(Z) > 1), (0, True)),
]


@each("e", [*CASES, sympy.floor(Z), sympy.gamma(Z), sympy.Function("f")(Z)], ids=str)
@each("claim", ["holomorphic", "harmonic"])
def test_what_is_not_decided_is_unknown(e, claim):
    verdict = prove(e, claim)
    assert isinstance(verdict, Unknown)
    assert verdict.reason


def test_a_false_case_is_refuted():
    e = sympy.Piecewise((conj(Z), re(Z) > 0), (Z, True))
    check([e], prove(e))


def test_the_time_limit_holds():
    slow = parse_formula("z")
    for k in range(8):
        slow = sympy.sin(slow * Abs(Z + k) + k) + slow
    hidden = conj(Z) * (sympy.sin(Z) ** 2 + sympy.cos(Z) ** 2 - 1)  # needs a simplification
    for e, limit in ((hidden, 1e-3), (sympy.sin(slow), 1e-9)):
        start = time.monotonic()
        verdict = prove(e, time_limit=limit)
        assert time.monotonic() - start < 6
        assert isinstance(verdict, Unknown)
        assert "time limit" in verdict.reason
    assert isinstance(prove(hidden, time_limit=60), Proved)


@pytest.mark.parametrize("answer", [ZeroTest.OPEN, ZeroTest.TIMEOUT])
def test_without_a_simplification_there_is_no_proof(answer, monkeypatch):
    module = importlib.import_module("holonet.symbolic.prove")
    monkeypatch.setattr(module, "is_zero", lambda expressions, seconds: answer)
    verdict = prove("(re(z)**2 + im(z)**2)/conjugate(z)")
    assert isinstance(verdict, Unknown)
    assert ("time limit" in verdict.reason) is (answer is ZeroTest.TIMEOUT)


def test_numbers_out_of_range_are_no_evidence():
    e = sympy.Abs(Z)
    for _ in range(6):
        e = sympy.exp(e)
    verdict = prove(e)
    assert isinstance(verdict, Unknown)
    assert "out of range" in verdict.reason


def test_deep_formulas_are_unknown_and_limits_may_be_infinite():
    deep = Z
    for _ in range(3000):
        deep = sympy.sin(deep, evaluate=False)
    for subject in (deep, [Z, deep], sympy.Abs(deep, evaluate=False)):
        verdict = prove(subject)
        assert isinstance(verdict, Unknown)
        assert "deep" in verdict.reason
    assert prove("conjugate(z)*(sin(z)**2 + cos(z)**2 - 1)", time_limit=float("inf"))


def test_large_formulas_are_unknown():
    verdict = prove(sympy.Add(*((Abs(Z) + k) ** sympy.Rational(k, 7) for k in range(900))))
    assert isinstance(verdict, Unknown)
    assert "operations" in verdict.reason


def network():
    return nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Residual(nn.Linear(2, 2)), nn.Linear(2, 2))


def test_networks_are_holomorphic_and_their_real_parts_harmonic():
    net = network()
    verdict = prove(net)
    assert isinstance(verdict, Proved)
    assert len(verdict.off) == 2
    assert prove(nn.HolomorphicClassifier(net), "harmonic")


@pytest.mark.slow
def test_other_readouts_of_networks_are_harmonic():
    for readout in (nn.RealPart(), nn.ImagPart(), nn.LogModulus()):
        assert prove(nn.Sequential(*network(), readout), "harmonic")


def test_a_value_that_no_double_holds_is_no_witness():
    assert isinstance(prove("1e-400*conjugate(z)"), Unknown)
    verdict = prove("z**999*conjugate(z)**1000 + re(z)**500")  # in range at other points
    assert isinstance(verdict, Refuted)
    assert cmath.isfinite(verdict.value)


@some_of(
    ("readout", "claim"),
    [
        (nn.RealPart(), "holomorphic"),
        (nn.ImagPart(), "holomorphic"),
        (nn.LogModulus(), "holomorphic"),
        (nn.Modulus(), "holomorphic"),
        (nn.Modulus(), "harmonic"),
        (nn.LogModulus(0.5), "harmonic"),
    ],
    slice(None, None, 4),
)
def test_networks_behind_readouts_are_refuted(readout, claim):
    from holonet.symbolic import to_sympy

    net = nn.Sequential(nn.Linear(2, 1), nn.Sin(), readout)
    check(list(to_sympy(net)), prove(net, claim, time_limit=60))


def test_networks_without_a_formula_are_unknown():
    for net in (nn.Linear(300, 300), torch.nn.ReLU()):
        assert isinstance(prove(net), Unknown)


def test_several_outputs_are_judged_together():
    assert prove([Z, sympy.exp(W), sympy.tan(Z)]).off == ("z in pi/2 + pi*k",)
    verdict = prove(sympy.Matrix([Z, CASES[0], conj(Z) * W]))
    assert isinstance(verdict, Refuted)
    assert verdict.output == 2
    assert isinstance(prove([Z, CASES[0], W]), Unknown)


def test_a_witness_has_a_value_that_is_not_0_in_double_precision():
    verdict = prove("erfc(exp(sqrt(2 + z + conjugate(z) + abs(z + asin(2)) + abs(z))))")
    assert isinstance(verdict, Refuted)
    assert abs(verdict.value) > 1e-308


def test_the_seed_chooses_the_witness():
    first, again, other = (prove("abs(z)", seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (("z", "analytic"), "analytic"),
        (("z +",), "cannot be read"),
        (([],), "at least one"),
        ((sympy.exp(sympy.Symbol("x", real=True)),), "assumptions"),
    ],
)
def test_bad_questions_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        prove(*arguments)
    with pytest.raises(ConfigError, match="time_limit"):
        prove("z", time_limit=0)


numbers = st.sampled_from([2, -3, sympy.Rational(1, 2), sympy.I, sympy.pi])
leaves = st.sampled_from([Z, W]) | numbers.map(lambda c: c * Z + 1)
functions = st.sampled_from(list(FUNCTIONS))


def grow(trees):
    return st.one_of(
        st.builds(lambda u, v: u + v, trees, trees),
        st.builds(lambda u, v: u * v, trees, trees),
        st.builds(lambda f, u: f(u / 3), functions, trees),
        st.builds(lambda u: 1 / (u + 5), trees),
        st.builds(lambda u: sympy.sqrt(u + 7), trees),
    )


trees = st.recursive(leaves, grow, max_leaves=4)
small_trees = st.recursive(leaves, grow, max_leaves=2)


@given(e=trees)
def test_trees_of_holomorphic_functions_are_proved(e):
    assert prove(e)


@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow])
@given(f=functions, u=small_trees, v=small_trees, planted=st.sampled_from([conj, re, im, Abs]))
def test_a_planted_conjugate_is_never_proved(f, u, v, planted):
    """f(u + conj z) + v depends on conj z, whatever u and v are: f is not constant."""
    e = f((u.subs(W, 1) + planted(Z)) / 3) + v.subs(W, 2)
    verdict = prove(e)
    if isinstance(verdict, Refuted):
        check([e], verdict)
    else:
        assert isinstance(verdict, Unknown)
        assert "out of range" in verdict.reason


def test_the_time_limit_covers_reading():
    slow = "Max(" + ",".join(f"re(a{k})" for k in range(400)) + ")"
    began = time.monotonic()
    answer = prove(slow, time_limit=0.2)
    assert isinstance(answer, Unknown)
    assert "time limit of 0.2 s" in answer.reason
    assert time.monotonic() - began < 5


NOT_PROVED = [
    ("conjugate(z)*arg(-z*conjugate(z))", "holomorphic"),
    ("conjugate(z)*arg(re(z))", "holomorphic"),
    ("arg(-Abs(z))*Abs(z)**2", "harmonic"),
    ("im(sqrt(-z*conjugate(z)))", "holomorphic"),
    ("im(asin(2 + z*conjugate(z)))", "holomorphic"),
    ("conjugate(z)*im(log(-exp(re(z))))", "holomorphic"),
    ("conjugate(z)*im(acosh(-Abs(z)))", "holomorphic"),
    ("conjugate(z)*re(atanh(1 + Abs(z)))", "holomorphic"),
    ("conjugate(z)*im((re(z))**(1/3))", "holomorphic"),
    ("conjugate(z)*im(atan(I*re(z)))", "holomorphic"),
    ("1/(sin(z)**2 + cos(z)**2 - 1)", "holomorphic"),
    ("conjugate(z)/(re(z) - (z + conjugate(z))/2)", "holomorphic"),
    ("1/(re(z) - (z + conjugate(z))/2)", "harmonic"),
    ("z/(sqrt(z**2) - z)", "holomorphic"),
    ("z/(sqrt(z**2) + z)", "holomorphic"),
    ("z/(log(exp(z)) - z)", "holomorphic"),
    ("z/(log(exp(z)) - z + 20*I*pi)", "holomorphic"),
    ("log(Abs(re(z)) - re(z))", "holomorphic"),
    ("z + 1/(sin(1)**2 + cos(1)**2 - 1)", "holomorphic"),
    ("arg(z)*0 + sign(z*conjugate(z) - Abs(z)**2)", "holomorphic"),
    ("z/((log(exp(z)) - z)/z + 6*pi*I/z)", "holomorphic"),
    ("1/((z**9)**(1/9) - z*exp(8*pi*I/9))", "holomorphic"),
    ("acosh((sin(1)**2 + cos(1)**2)**z)", "holomorphic"),
    ("log((atanh(tanh(z)) - z)*conjugate(z)) + csch(z)", "harmonic"),
    ("log((sin(1)**2 + cos(1)**2 - 1)*z)", "holomorphic"),
    ("acosh(1 + (sin(1)**2 + cos(1)**2 - 1)*z)", "harmonic"),
    ("conjugate(z)*(I + sqrt(-sin(1 + I)**2 - cos(1 + I)**2))", "holomorphic"),
]


@some_of(("text", "claim"), NOT_PROVED, slice(None, None, 4))
def test_what_does_not_hold_almost_everywhere_is_not_proved(text, claim):
    verdict = prove(text, claim)
    assert not verdict
    if isinstance(verdict, Refuted):
        assert verdict.value != 0


@each(
    "text",
    [
        "re(asin(2 + z*conjugate(z)))",
        "z + sqrt(-z*conjugate(z)) + conjugate(sqrt(-z*conjugate(z)))",
        "z + re(log(-Abs(z))) - log(Abs(z))",
        "z + Abs(arg(-Abs(z)**2))",
        "z + conjugate(z)*sign(sin(1)**2 + cos(1)**2 - 1)",
        "z + conjugate(z)*(log((1 - I*sqrt(3))**3) - log(8) - I*pi)",
    ],
)
def test_what_holds_on_a_cut_is_not_refuted(text):
    assert not isinstance(prove(text), Refuted)


def test_a_proof_names_every_place_where_the_function_jumps():
    for text, claim in (("log(Abs(z)) + I*arg(z)", "holomorphic"), ("arg(z)", "harmonic")):
        verdict = prove(text, claim)
        assert verdict.off == ("z in (-oo, 0]",)
        assert verdict.excludes({"z": -1})
        assert verdict.excludes({"z": 0})
        assert not verdict.excludes({"z": -1 + 1e-9j})
    angle = prove(sympy.log(Abs(Z)) + sympy.I * sympy.atan2(im(Z), re(Z)))
    assert angle.excludes({"z": -2})
    assert not angle.excludes({"z": 2})


def test_what_is_entire_is_proved_everywhere():
    for text in (
        "(-1)**z",
        "(-2)**(z*w)",
        "exp(z) + asin(2)*z",
        "sqrt(1 + exp(z + conjugate(z)))*0",
    ):
        assert prove(text).off == ()


def test_arguments_that_are_positive_are_on_no_cut():
    for text in ("log(1 + z*conjugate(z))", "arg(exp(re(z)))", "acosh(2 + Abs(z)**2)"):
        verdict = prove(f"z + {text} - conjugate({text})")
        assert isinstance(verdict, Proved)
        assert not verdict.excludes({"z": -3}), verdict.off


def test_differences_that_disagree_stop_a_proof_and_a_refutation(monkeypatch):
    module = importlib.import_module("holonet.symbolic.prove")

    def wrong(e, at, claim, deadline):
        return {str(v): 0.25 + 0j for v in at} | {"": 0.25 + 0j}, 1.0

    monkeypatch.setattr(module, "differences", wrong)
    for text in ("abs(z)", "abs(z)**2/conjugate(z)"):
        verdict = prove(text)
        assert isinstance(verdict, Unknown), verdict


@pytest.mark.parametrize("error", [TypeError("Invalid NaN comparison"), RecursionError()])
def test_what_sympy_fails_on_is_unknown(monkeypatch, error):
    module = importlib.import_module("holonet.symbolic.prove")

    def fail(*arguments):
        raise error

    monkeypatch.setattr(module, "dbar_formulas", fail)
    verdict = prove("abs(z)")
    assert isinstance(verdict, Unknown)
    assert type(error).__name__ in verdict.reason


@pytest.mark.parametrize("claim", ["holomorphic", "harmonic"])
def test_formulas_that_divide_by_nothing_are_unknown(claim):
    zero = re(Z) - (Z + conj(Z)) / 2
    for e in (conj(Z) / zero, sympy.log(zero), zero**zero, sympy.arg(zero, evaluate=False) * Z):
        assert not prove(e, claim)


def oracle():
    """The generator of random formulas and the oracle of tests/benchmarks."""
    path = Path(__file__).parents[1] / "benchmarks" / "false_proofs.py"
    spec = importlib.util.spec_from_file_location("false_proofs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ALL = {"Proved", "Refuted", "Unknown"}


@pytest.mark.parametrize(
    ("first", "end", "verdicts"),
    [
        (0, 5, set()),
        pytest.param(0, 16, ALL, marks=pytest.mark.slow),
        *(pytest.param(k, k + 40, ALL, marks=pytest.mark.slow) for k in (16, 56, 96)),
    ],
)
def test_verdicts_on_random_formulas_are_true(first, end, verdicts):
    """Against values of mpmath; the command asks for as many formulas as one likes."""
    false_proofs = oracle()
    records = [false_proofs.examine((2026, k, 10.0)) for k in range(first, end)]
    assert [r for r in records if r["fault"]] == []
    assert [r for r in records if r["verdict"] == "unread" and "Config" not in r["reason"]] == []
    assert {r["verdict"] for r in records} >= verdicts


def test_random_holomorphic_formulas_are_proved():
    false_proofs = oracle()
    for k in range(40):
        tree = false_proofs.Grower(f"holomorphic/{k}").holomorphic(2)
        verdict = prove(false_proofs.text(tree))
        assert isinstance(verdict, Proved), (false_proofs.text(tree), verdict)


@each("name", ["nan", "oo", "inf", "zoo", "e", "i"])
def test_names_that_mean_numbers_are_no_variables(name):
    with pytest.raises(ConfigError):
        prove(f"z + {name}")
