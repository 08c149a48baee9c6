"""Arithmetic and functions of one entry against the formula and the real model."""

import pytest
import torch
from torch.nn import functional

from cases import each, some_of
from continuations import assert_continuation, assert_jets
from holonet.continuation import OPERATIONS, extend
from holonet.continuation.pointwise import power, quotient
from holonet.errors import InputTypeError, NotHolomorphicError

ANYWHERE = {
    "arithmetic": lambda x: 1 - x * 2 + (3 * x - x) / 4 + (-x) - (+x),
    "reflected": lambda x: 1 / (2 + x * x) + torch.rsub(x, 1, alpha=3) + 2**x,
    "alpha": lambda x: torch.add(x, x, alpha=2) - torch.sub(x, x * x, alpha=0.5),
    "fused": lambda x: torch.addcmul(x, x, x, value=0.5) + torch.addcdiv(x, x, 2 + x * x),
    "lerp": lambda x: torch.lerp(x, x * x, 0.25),
    "powers": lambda x: x**2 + x**5 + x**0 + torch.float_power(x, 3),
    "exponentials": lambda x: x.exp() + torch.expm1(x) + torch.exp2(x),
    "circular": lambda x: x.sin() + x.cos() + x.sinh() + x.cosh() + (x / 4).tan(),
    "inverse": lambda x: x.asinh() + (x / 4).atan() + (x / 9).asin() + (x / 9).acos(),
    "areas": lambda x: (x / 9).atanh() + (2 + x * x).acosh(),
    "errors": lambda x: x.erf() + torch.erfc(x) + torch.special.ndtr(x),
    "hypotenuse": lambda x: torch.hypot(x, x + 9),
    "logistic": lambda x: x.sigmoid() + torch.special.expit(x) + functional.silu(x),
    "softplus": lambda x: functional.softplus(x, 2.0) + functional.logsigmoid(x),
    "gates": lambda x: functional.glu(x + functional.mish(x) + functional.tanhshrink(x)),
    "gelu": lambda x: functional.gelu(x) + functional.gelu(x, approximate="tanh"),
    "dropout": lambda x: functional.dropout(x, training=False) + functional.dropout(x, 0.0),
}
POSITIVE = {
    "logarithms": lambda x: x.log() + x.log1p() + x.log2() + x.log10(),
    "roots": lambda x: x.sqrt() + x.rsqrt() + x**0.3 + x**-0.5 + x**-2 + x.reciprocal(),
    "entropy": lambda x: torch.xlogy(x, x) + torch.logit(x / 9) + x**x,
}


@some_of("name", [*ANYWHERE], slice(None, None, 4))
def test_functions_on_the_real_axis(name: str) -> None:
    assert_continuation(ANYWHERE[name], torch.randn(3, 4, dtype=torch.float64))


@each("name", POSITIVE)
def test_functions_on_the_positive_axis(name: str) -> None:
    assert_continuation(POSITIVE[name], 1 + torch.rand(3, 4, dtype=torch.float64))


def test_jets_of_functions() -> None:
    class Several(torch.nn.Module):
        def forward(self, x):
            return functional.softplus(x, 2.0) + functional.mish(x) + torch.erfc(x) + x**3 / (2 + x)

    assert_jets(Several(), torch.rand(3, 4, dtype=torch.float64))


def test_softplus_goes_on_by_its_formula_above_the_threshold() -> None:
    z = torch.tensor([3.0 + 1j], dtype=torch.complex128)
    value = extend(lambda x: functional.softplus(x, threshold=1))(z)
    torch.testing.assert_close(value, torch.log1p(torch.exp(z)))


def test_the_cuts_of_softplus_lead_away_from_the_real_axis() -> None:
    f = extend(functional.softplus)
    x = torch.linspace(-5, 5, 21, dtype=torch.float64)
    for y in (1.0, 3.0, 4.0, 6.0):  # pi in between: no jump at Re z > 0
        z = torch.complex(x, torch.full_like(x, y))
        torch.testing.assert_close(f(z).exp(), 1 + z.exp())
        torch.testing.assert_close(f(z.conj()), f(z).conj())
    above, below = (
        torch.tensor([2 + 1j * (torch.pi + e)], dtype=torch.complex128) for e in (1e-9, -1e-9)
    )
    torch.testing.assert_close(f(above), f(below))
    left, right = (torch.tensor([e + 4j], dtype=torch.complex128) for e in (-1e-9, 1e-9))
    assert float((f(left) - f(right)).abs()) == pytest.approx(2 * torch.pi)


def test_what_rounds_or_clamps_is_refused() -> None:
    z = torch.ones(2, dtype=torch.complex64)
    with pytest.raises(NotHolomorphicError, match="rounds"):
        extend(lambda x: torch.div(x, 2, rounding_mode="floor"))(z)
    with pytest.raises(NotHolomorphicError, match="eps"):
        extend(lambda x: torch.logit(x, 0.1))(z)
    with pytest.raises(InputTypeError, match="eval"):
        extend(torch.nn.Dropout())(z)


def test_singularities_are_said() -> None:
    assert OPERATIONS["tanh"].remark == "catalogue: poles"
    assert OPERATIONS["log"].remark == "catalogue: branch points, cuts"
    assert OPERATIONS["gelu"].remark.startswith("entire")


def test_helpers() -> None:
    z = torch.randn(4, dtype=torch.complex128)
    torch.testing.assert_close(power(z, -3), 1 / (z * z * z))
    torch.testing.assert_close(power(z, 70), z**70)
    torch.testing.assert_close(quotient(z, torch.full((4,), 2.0, dtype=torch.float64)), z / 2)
    torch.testing.assert_close(quotient(1.0, z), 1 / z)
