"""The derivative of planar expressions against torch's, for every record."""

import pytest
import torch

from cases import some_of
from holonet.functions import CATALOGUE
from holonet.ops.differentiate import derivative
from holonet.ops.evaluate import OPERATIONS, evaluate
from holonet.ops.planar import Planar, Sheet
from holonet.ops.tracing import trace

PLACES = {"unit": 0.5, "big": 8.0, "huge": 60.0, "tiny": 1e-9}


WHERE = [
    (name, axis, place)
    for name in CATALOGUE
    for axis in ("plane", "real", "imaginary", "diagonal")
    for place in PLACES
    if (name, axis) != ("asinh", "imaginary")  # its cut: the derivative on either side is right
]


@some_of(("name", "axis", "place"), WHERE, slice(None, None, 11))
def test_third_derivatives(name, axis, place):
    record = CATALOGUE[name]
    z = PLACES[place] * torch.randn(100, dtype=torch.complex128)
    diagonal = torch.complex(z.real, z.real * z.imag.sign())
    z = {"plane": z, "real": z.real + 0j, "imaginary": 1j * z.imag, "diagonal": diagonal}[axis]
    at = Sheet(double=True).complex_input("z")
    (found,) = evaluate([derivative(trace(record.second_derivative, at), at)], {"z": z})
    ones = torch.ones_like(z)
    _, expected = torch.func.jvp(record.second_derivative, (z,), (ones,))
    assert torch.equal(found.isfinite(), expected.isfinite())
    kept = expected.isfinite()
    # an odd one vanishes at 0, and far out exp(-z^2) loses digits and ends among subnormal numbers
    scale = expected.abs() * (1 + z.abs()) + (1 if place == "tiny" else 1e-290)
    assert ((found - expected).abs() <= 1e-12 * scale)[kept].all()


RATES = {
    "abs": (lambda a, b: abs(a), lambda a, b, p, q: p * a.sign()),
    "copysign": (
        lambda a, b: a.map("copysign", b),
        lambda a, b, p, q: p * a.sign() * b.sign(),
    ),
    "atan2": (
        lambda a, b: a.map("atan2", b),
        lambda a, b, p, q: (p * b - q * a) / (a * a + b * b),
    ),
    "maximum": (
        lambda a, b: a.map("maximum", b),
        lambda a, b, p, q: torch.where(a > b, p, q),
    ),
    "minimum": (
        lambda a, b: a.map("minimum", b),
        lambda a, b, p, q: torch.where(a < b, p, q),
    ),
    "trunc": (lambda a, b: a.map("trunc"), lambda a, b, p, q: 0 * p),
    "expm1": (lambda a, b: a.map("expm1"), lambda a, b, p, q: p * a.exp()),
}


@pytest.mark.parametrize("name", RATES)
def test_single_operations(name):
    """Of a = x^2 - 1 and b = x - 0.5 at real x, whose rates are 2 x and 1."""
    build, rate = RATES[name]
    sheet = Sheet(double=True)
    at = sheet.complex_input("z")
    built = Planar(build(at.re * at.re - 1, at.re - 0.5), sheet.constant(0.0))
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)
    (found,) = evaluate([derivative(built, at)], {"z": x + 0j})
    expected = rate(x * x - 1, x - 0.5, 2 * x, torch.ones_like(x))
    torch.testing.assert_close(found.real, expected)


def test_every_operation_has_a_rate():
    from holonet.ops.differentiate import _FLAT, _RULES

    assert set(_RULES) | _FLAT == set(OPERATIONS)
