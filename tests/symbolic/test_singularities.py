"""Class, singularities and cuts read off the tree, against the catalogue and by circles."""

import pytest
import sympy
import torch

from cases import each, some_of
from holonet.domains import PeriodicPoints, PointSet, Ray
from holonet.errors import ConfigError, DomainError
from holonet.functions import CATALOGUE, FunctionClass, SingularityKind
from holonet.symbolic.from_sympy import from_sympy
from holonet.symbolic.singularities import analyze

F = FunctionClass
Z = sympy.Symbol("z")


def analysis(text):
    return analyze(sympy.sympify(text, rational=True), Z)


@each("record", CATALOGUE.values(), ids=CATALOGUE)
def test_the_catalogue_is_found_again(record):
    found = analysis(record.formula)
    assert found.function_class is record.function_class
    assert [s.kind for s in found.singularities] == [s.kind for s in record.singularities]
    z = 5 * torch.randn(200, dtype=torch.complex128)
    for mine, theirs in zip(
        (*(s.where for s in found.singularities), *found.branch_cuts),
        record.obstacles,
        strict=True,
    ):
        torch.testing.assert_close(mine.distance(z), theirs.distance(z))


@each(
    ("text", "expected"),
    [
        ("3", None),
        ("2*z + 1", F.AFFINE),
        ("z*(z + 1) - z**2", F.AFFINE),
        ("z**2*(z + 1)", F.POLYNOMIAL),
        ("z/(z + 1)", F.RATIONAL),
        ("(z + 1/z)**3", F.RATIONAL),
        ("z*exp(-z**2) + 4", F.ENTIRE),
        ("sin(exp(z))", F.ENTIRE),
        ("2**z", F.ENTIRE),
        ("exp(z)/z", F.MEROMORPHIC),
        ("tanh(z)**2 + z", F.MEROMORPHIC),
        ("exp(1/z)", F.HOLOMORPHIC),
        ("exp(tan(z))", F.HOLOMORPHIC),
        ("sqrt(z) + z", F.HOLOMORPHIC),
        ("z**z", F.HOLOMORPHIC),
    ],
)
def test_classes(text, expected):
    assert analysis(text).function_class is expected


def test_sets_and_kinds():
    assert analysis("1/(z - 2) + 1/(z - 2)**2").singularities[0].where == PointSet((2 + 0j,))
    assert analysis("exp(1/(z - 2))").singularities[0].kind is SingularityKind.ESSENTIAL
    assert analysis("sin(tan(2*z))").singularities[0].kind is SingularityKind.ESSENTIAL
    tan = analysis("tan(2*z)").singularities[0].where
    assert isinstance(tan, PeriodicPoints)
    assert tan.distance(torch.tensor(torch.pi / 4 + 0j)) < 1e-6
    root = analysis("(1 - z)**(1/3)")
    assert root.singularities[0].where == PointSet((1 + 0j,))
    assert root.branch_cuts == (Ray(1 + 0j, 1 + 0j),)
    assert len(analysis("asinh(z) + asinh(z)**2 + asinh(2*z)").branch_cuts) == 4


@some_of(
    "text",
    [
        "1/(z**2*(z - 1)**3)",
        "z/sqrt(1 + z**2)",
        "log(z**2)",
        "log(2 + 3*exp(z/2))",
        "acosh(2*z + I)",
        "atanh(I*z - 1)",
        "1/(cos(z) + 2)",
        "cot(z)*sech(z/2)",
        "csch(z) + coth(2*z) + sec(z) + csc(3*z)",
        "z**(1/3) + (1 - z)**(2/3)",
        "(z + 1)**z",
        "1/(log(z) - 0)",
        "exp(1/z)*asin(z/2)",
    ],
    slice(None, None, 4),
)
def test_off_the_sets_the_function_is_holomorphic(text):
    """Circles off the declared sets have no negative Fourier modes; across them some have."""
    record = from_sympy(sympy.sympify(text, rational=True))
    turn = torch.polar(torch.ones(128).double(), torch.arange(128).double() * (torch.pi / 64))

    def negative(z, radius):
        values = record(z[:, None] + radius[:, None] * turn)
        modes = torch.fft.fft(values, norm="forward")[:, -12:].abs().amax(1)
        return modes / values.abs().amax(1)

    z = 5 * torch.randn(1500, dtype=torch.complex128)
    clearance = record.clearance(z)
    kept = clearance > 1e-2
    radius = (clearance[kept] / 2).clamp(max=0.5)
    assert negative(z[kept], radius).max() < 1e-9
    near = (clearance > 0.02) & (clearance < 0.3)
    assert negative(z[near], clearance[near] * 1.5).max() > 1e-6


@each(
    ("text", "subterm"),
    [
        ("tanh(z**2) + 1", "tanh(z**2)"),
        ("z + tan(1/z)", "tan(1/z)"),
        ("log(1 + z**3)", "z**3 + 1"),
        ("sqrt(sin(z))", "sin(z)"),
        ("1/erf(z)", "erf(z)"),
        ("1/(z + exp(z))", "z + exp(z)"),
        ("log(log(z))", "log(z)"),
        ("sqrt(z**2 - 1)", "z**2 - 1"),
    ],
)
def test_what_cannot_be_worked_out_is_named(text, subterm):
    with pytest.raises(DomainError, match="by hand") as raised:
        analysis(text)
    assert repr(subterm) in str(raised.value)


def test_unknown_functions_are_named():
    with pytest.raises(ConfigError, match=r"gamma\(z\)"):
        analyze(sympy.gamma(Z), Z)
