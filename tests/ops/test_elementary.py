"""Every elementary function against 30 digits of mpmath, and at infinite and undefined points."""

import math

import mpmath
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cases import each
from holonet.ops.elementary import ELEMENTARY, divide, modulus
from holonet.ops.evaluate import evaluate
from holonet.ops.planar import Planar, Sheet

EPS = torch.finfo(torch.float64).eps
LEAST = torch.finfo(torch.float64).tiny  # smaller results may underflow
REFERENCES = {
    "acos": (mpmath.acos, lambda z: 1 / mpmath.sqrt(1 - z**2)),
    "acosh": (mpmath.acosh, lambda z: 1 / (mpmath.sqrt(z - 1) * mpmath.sqrt(z + 1))),
    "asin": (mpmath.asin, lambda z: 1 / mpmath.sqrt(1 - z**2)),
    "asinh": (mpmath.asinh, lambda z: 1 / mpmath.sqrt(1 + z**2)),
    "atanh": (mpmath.atanh, lambda z: 1 / (1 - z**2)),
    "atan": (mpmath.atan, lambda z: 1 / (1 + z**2)),
    "cos": (mpmath.cos, mpmath.sin),
    "cosh": (mpmath.cosh, mpmath.sinh),
    "exp": (mpmath.exp, mpmath.exp),
    "expm1": (mpmath.expm1, mpmath.exp),
    "log": (mpmath.log, lambda z: 1 / z),
    "log1p": (mpmath.log1p, lambda z: 1 / (1 + z)),
    "reciprocal": (lambda z: 1 / z, lambda z: 1 / z**2),
    "sin": (mpmath.sin, mpmath.cos),
    "sinh": (mpmath.sinh, mpmath.cosh),
    "sqrt": (mpmath.sqrt, lambda z: 1 / (2 * mpmath.sqrt(z))),
    "tan": (mpmath.tan, lambda z: mpmath.sec(z) ** 2),
    "tanh": (mpmath.tanh, lambda z: mpmath.sech(z) ** 2),
}
SINGULAR = {
    "acos": [1, -1],
    "acosh": [1, -1],
    "asin": [1, -1],
    "asinh": [1j, -1j],
    "atan": [1j, -1j],
    "atanh": [1, -1],
    "log": [0],
    "log1p": [-1],
    "reciprocal": [0],
    "sqrt": [0],
    "tan": [math.pi / 2],
    "tanh": [1j * math.pi / 2],
}
every = each("name", ELEMENTARY)
sizes = st.floats(-12, 3).map(lambda e: 10.0**e)
signs = st.sampled_from([-1.0, 1.0])


def apply(name, z):
    sheet = Sheet(double=z.dtype == torch.complex128)
    (value,) = evaluate([ELEMENTARY[name](sheet.complex_input("z"))], {"z": z})
    return value


def test_each_has_a_reference():
    assert set(REFERENCES) == set(ELEMENTARY)


@every
@settings(max_examples=2)
@given(x=sizes, y=sizes, sx=signs, sy=signs, near=st.booleans())
def test_error_is_a_few_eps(name, x, y, sx, sy, near):
    center = complex(SINGULAR[name][0]) if near and name in SINGULAR else 0j
    z = center + complex(sx * x, sy * y)
    singular = any(abs(z - c) < 1e-3 * min(abs(z), 1) for c in SINGULAR.get(name, []))
    value = complex(apply(name, torch.tensor([z], dtype=torch.complex128)))
    with mpmath.workdps(40):
        point = mpmath.mpc(z)
        f, slope = REFERENCES[name]
        exact, scale = f(point), max(abs(f(point)), abs(point * slope(point)))
        if singular or scale > 1e300:
            return
        assert abs(mpmath.mpc(value) - exact) <= 8 * EPS * scale + LEAST, (value, complex(exact))


@every
@settings(max_examples=2)
@given(
    x=st.sampled_from([0.0, -0.0, 0.5, -2.0, math.inf, -math.inf, math.nan]),
    y=st.sampled_from([0.0, -0.0, 1.0, -3.0, math.inf, -math.inf, math.nan]),
    dtype=st.sampled_from([torch.complex64, torch.complex128]),
)
def test_points_that_are_not_finite_and_signed_zeros(name, x, y, dtype):
    """On cuts the sign of 0 chooses the side; out of range the limit or nothing finite."""
    z = torch.complex(
        torch.tensor([x], dtype=dtype.to_real()), torch.tensor([y], dtype=dtype.to_real())
    )
    ours, torchs = apply(name, z), getattr(torch, name)(z)
    if math.isnan(x) or math.isnan(y):
        assert not ours.isfinite().all()
    elif ours.isfinite().all() and torchs.isfinite().all():
        torch.testing.assert_close(ours, torchs)
    elif math.isfinite(x) and math.isfinite(y):
        assert not torchs.isfinite().all()


@every
@settings(max_examples=2)
@given(x=st.floats(-0.999, 0.999), e=st.integers(-125, 126), y=st.floats(-0.999, 0.999))
@example(x=0.0, e=3, y=0.9)
def test_nothing_overflows_on_the_way(name, x, e, y):
    z = torch.tensor([complex(math.ldexp(x, e), math.ldexp(y, e))], dtype=torch.complex64)
    expected = getattr(torch, name)(z.to(torch.complex128))
    finite = expected.real.abs().max() < 1e38 and expected.imag.abs().max() < 1e38
    if finite and expected.isfinite().all():
        assert apply(name, z).isfinite().all()


@given(
    a=st.complex_numbers(min_magnitude=1e-30, max_magnitude=1e30),
    b=st.complex_numbers(min_magnitude=1e-30, max_magnitude=1e30),
    real=st.booleans(),
)
def test_quotients(a, b, real):
    b = complex(b.real) if real and abs(b.real) >= 1e-30 else b
    sheet = Sheet(double=True)
    q = Planar(sheet.constant(b.real), sheet.constant(b.imag)) if real else sheet.complex_input("w")
    at = {
        "z": torch.tensor([a], dtype=torch.complex128),
        "w": torch.tensor([b], dtype=torch.complex128),
    }
    (value,) = evaluate([divide(sheet.complex_input("z"), q)], at)
    assert abs(complex(value) - a / b) <= 8 * EPS * abs(a / b)


@given(z=st.complex_numbers(max_magnitude=1e308))
def test_modulus(z):
    sheet = Sheet(double=True)
    value = Planar(modulus(sheet.complex_input("z")), sheet.constant(0.0))
    (size,) = evaluate([value], {"z": torch.tensor([z], dtype=torch.complex128)})
    assert abs(size.item() - abs(z)) <= 4 * EPS * abs(z)
