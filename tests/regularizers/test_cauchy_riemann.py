"""The Cauchy-Riemann penalty against closed forms, in both modes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.calculus import Probes
from holonet.errors import ConfigError
from holonet.regularizers import CauchyRiemannPenalty

C128 = torch.complex128
MODES = ["forward", "reverse"]
seeds = st.integers(0, 2**32)


def randn(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=C128)


class Mixed:
    """(A z) conj(B z) + (C z)^2, whose antilinear part is (A z) conj(B)."""

    def __init__(self, seed, inputs=3, outputs=2):
        self.a, self.b, self.c = randn(seed, 3, outputs, inputs)

    def __call__(self, z):
        return (z @ self.a.mT) * (z @ self.b.mT).conj() + (z @ self.c.mT) ** 2

    def penalty(self, z):
        return ((z @ self.a.mT)[..., None] * self.b.conj()).abs().square().sum((1, 2)).mean()


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=5)
@given(seed=seeds)
def test_the_exact_penalty_is_the_closed_form(mode, seed):
    f, z = Mixed(seed), randn(seed + 1, 4, 3)
    value, penalty = CauchyRiemannPenalty(None, mode).value_and_penalty(f, z)
    torch.testing.assert_close(value, f(z))
    torch.testing.assert_close(penalty, f.penalty(z), rtol=1e-12, atol=0)


@each("mode", MODES)
@each("count", [None, 1, 3])
@settings(max_examples=3)
@given(seed=seeds, c=st.complex_numbers(max_magnitude=1e3))
def test_a_multiple_of_the_conjugate(mode, count, seed, c):
    """z + c conj(z) on C^5 has 5 |c|^2 whatever the direction."""
    z = randn(seed, 3, 5)
    found = CauchyRiemannPenalty(count, mode, 2)(lambda z: z**2 + c * z.conj(), z)
    assert float(found) == pytest.approx(5 * abs(c) ** 2, rel=1e-9, abs=1e-12 * (abs(c) + 1e-12))


@pytest.mark.parametrize("mode", MODES)
@given(seed=seeds, degree=st.integers(0, 4))
def test_holomorphic_polynomials_have_none(mode, seed, degree):
    coefficients, z = randn(seed, degree + 1, 3, 2), randn(seed + 1, 4, 3)

    def f(z):
        return sum((z**k @ c for k, c in enumerate(coefficients)), 0 * z[:, :2])

    scale = (1 + z.abs().max()) ** (2 * degree) * (1 + coefficients.abs().max()) ** 2
    assert CauchyRiemannPenalty(1, mode, 1)(f, z) <= 1e-26 * scale


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_the_estimate_is_unbiased(mode, every):
    f, z = Mixed(0), randn(1, 1000, 3)
    found = CauchyRiemannPenalty(1, mode, every).estimate(f, z, 20, Probes(0))
    exact = f.penalty(z)
    assert 0 < found.standard_error < 0.05 * exact
    assert found.z_score(exact).abs() < 3


@pytest.mark.parametrize("mode", MODES)
@given(seed=seeds)
def test_it_is_positive_off_the_class_and_never_negative(mode, seed):
    f, z = Mixed(seed), randn(seed + 1, 4, 3)
    assert CauchyRiemannPenalty(1, mode, 1)(f, z) > 1e-6 * f.penalty(z)


def test_few_outputs_favor_reverse():
    a, z = randn(1, 2, 50), randn(0, 50, 50)
    spread = {
        mode: CauchyRiemannPenalty(1, mode, 1)
        .estimate(lambda z: z.conj() @ a.mT, z, 40, Probes(0))
        .standard_error
        for mode in MODES
    }
    assert spread["reverse"] < spread["forward"] / 2
    assert CauchyRiemannPenalty().mode == "reverse"


class LyingConjugate(torch.autograd.Function):
    """conj(z) with the backward pass of the identity."""

    @staticmethod
    def forward(z):
        return z.conj().resolve_conj()

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return gradient

    @staticmethod
    def jvp(ctx, tangent):
        return tangent.conj().resolve_conj()


def test_a_lying_backward_deceives_reverse_and_not_forward():
    z = randn(0, 4, 3)
    assert CauchyRiemannPenalty(1, "reverse")(LyingConjugate.apply, z) == 0
    assert CauchyRiemannPenalty(1, "forward")(LyingConjugate.apply, z) == pytest.approx(3)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("count", [None, 1])
def test_examples_of_any_shape(mode, count):
    penalty = CauchyRiemannPenalty(count, mode, 1)
    z = randn(0, 5, 2, 3, 4)
    torch.testing.assert_close(float(penalty(lambda z: z - 3 * z.conj(), z)), 9.0 * 24)
    total = penalty(lambda z: (z.conj() * 2j).sum((1, 2, 3)), z)  # one value, no class axis
    if count is None or mode == "reverse":
        torch.testing.assert_close(float(total), 4.0 * 24)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [({"count": 0}, "count=0"), ({"every": 0}, "every=0"), ({"mode": "sideways"}, "sideways")],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        CauchyRiemannPenalty(**arguments)
