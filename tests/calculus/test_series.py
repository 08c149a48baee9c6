"""Series against polynomial algebra, and the functions of them by their functional equations."""

import cmath
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.calculus import series

ORDER = 6
seeds = st.integers(0, 2**32)
lengths = st.integers(1, ORDER + 1)


def draw(seed, length, shape=(3,)):
    """A random series with |c_0| = 1, off the negative axis."""
    generator = torch.Generator().manual_seed(seed)
    c = 0.4 * torch.randn(length, *shape, generator=generator, dtype=torch.complex128)
    angle = 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 1
    c[0] = torch.polar(torch.ones(shape).double(), angle)
    return list(c.unbind())


def full(x, order=ORDER):
    """All coefficients up to the order, stacked."""
    zero = torch.zeros(3, dtype=torch.complex128)
    return torch.stack([*x, *[zero] * (order + 1 - len(x))])


def close(got, expected):
    torch.testing.assert_close(full(got), full(expected), rtol=1e-11, atol=1e-11)


@given(seed=seeds, m=lengths, n=lengths)
def test_products_are_those_of_polynomials(seed, m, n):
    a, b = draw(seed, m), draw(seed + 1, n)
    t = 0.37 - 0.2j
    whole = series.product(a, b, 2 * ORDER)
    assert len(whole) == m + n - 1
    at = [sum(c * t**k for k, c in enumerate(x)) for x in (a, b, whole)]
    torch.testing.assert_close(at[0] * at[1], at[2])
    assert all(map(torch.equal, series.product(a, b, ORDER), whole[: ORDER + 1]))
    assert len(series.product(a, b, ORDER)) == min(ORDER + 1, m + n - 1)


def test_products_by_another_multiplication_keep_the_order_of_the_factors():
    a, b = draw(0, 2, (3, 3)), draw(1, 3, (3, 3))
    got = series.product(a, b, 2, torch.matmul)
    torch.testing.assert_close(got[2], a[0] @ b[2] + a[1] @ b[1])


@given(seed=seeds, m=lengths, n=lengths)
def test_quotients_undo_products(seed, m, n):
    a, b = draw(seed, m), draw(seed + 1, n)
    close(series.product(series.quotient(a, b, ORDER), b, ORDER), a)
    close(series.quotient(series.product(a, b, ORDER), b, ORDER), a)


@given(seed=seeds, m=lengths, n=lengths)
def test_sums(seed, m, n):
    a, b = draw(seed, m), draw(seed + 1, n)
    assert torch.equal(full(series.total(a, b)), full(a) + full(b))


@given(seed=seeds, m=lengths)
def test_integration_undoes_differentiation(seed, m):
    x = draw(seed, m)
    close(series.integrate(x[0], series.differentiate(x)), x)


@given(seed=seeds, m=lengths, n=lengths)
def test_exponentials_multiply(seed, m, n):
    a, b = draw(seed, m), draw(seed + 1, n)

    def exp(x):
        return series.exponential(x[0].exp(), series.differentiate(x), ORDER)

    close(series.product(exp(a), exp(b), ORDER), exp(series.total(a, b)))
    close(series.logarithm(a[0], exp(a), ORDER), a)


@given(seed=seeds, m=lengths, p=st.sampled_from([0.5, -1.5, 2, 0.3 + 1j]))
def test_powers_multiply(seed, m, p):
    x = draw(seed, m)

    def power(p):
        return series.power(x[0] ** p, x, p, ORDER)

    close(series.product(power(p), power(1 - p), ORDER), x)


@given(seed=seeds, m=lengths, sign=st.sampled_from([-1, 1]))
def test_rotations_and_tangents(seed, m, sign):
    x = draw(seed, m)
    sine, cosine = (torch.sin, torch.cos) if sign < 0 else (torch.sinh, torch.cosh)
    s, c = series.rotation(sine(x[0]), cosine(x[0]), sign, x, ORDER)
    one = series.total(
        series.product(c, c, ORDER), [-sign * y for y in series.product(s, s, ORDER)]
    )
    close(one, [torch.ones_like(x[0])])
    slope = series.product(c, series.differentiate(x), ORDER - 1)
    close(series.differentiate(s), slope)
    tangent = series.tangent(s[0] / c[0], c[0] ** -2, -sign, x, ORDER)
    close(tangent, series.quotient(s, c, ORDER))


@pytest.mark.parametrize("length", [1, 2, 3])
def test_missing_coefficients_are_zeros(length):
    x, y = draw(0, length), draw(1, 2)
    padded = list(full(x).unbind())
    for f in (
        lambda x: series.product(x, y, ORDER),
        lambda x: series.quotient(y, x, ORDER),
        lambda x: series.quotient(x, y, ORDER),
        lambda x: series.exponential(x[0], series.differentiate(x), ORDER),
        lambda x: series.logarithm(x[0], x, ORDER),
        lambda x: series.power(x[0], x, 0.5, ORDER),
        lambda x: series.rotation(x[0], x[0], 1, x, ORDER)[1],
        lambda x: series.tangent(x[0], x[0], 1, x, ORDER),
    ):
        close(f(x), f(padded))


def test_known_coefficients():
    one = torch.tensor(1.0, dtype=torch.float64)
    line = [0 * one, one]
    expected = {
        "exp": [1 / math.factorial(k) for k in range(7)],
        "log": [0, 1, -1 / 2, 1 / 3, -1 / 4, 1 / 5, -1 / 6],
        "root": [1, 1 / 2, -1 / 8, 1 / 16, -5 / 128, 7 / 256, -21 / 1024],
        "sin": [0, 1, 0, -1 / 6, 0, 1 / 120, 0],
        "tan": [0, 1, 0, 1 / 3, 0, 2 / 15, 0],
    }
    got = {
        "exp": series.exponential(one, [one], 6),
        "log": series.logarithm(0 * one, [one, one], 6),
        "root": series.power(one, [one, one], 0.5, 6),
        "sin": series.rotation(0 * one, one, -1, line, 6)[0],
        "tan": series.tangent(0 * one, one, 1, line, 6),
    }
    for name, coefficients in expected.items():
        torch.testing.assert_close(torch.stack(got[name]), one.new_tensor(coefficients))


def test_tanh_keeps_its_relative_accuracy_near_its_limits():
    x = torch.tensor(20.0, dtype=torch.float64)
    slope = 4 * math.exp(-40.0) / (1 + math.exp(-40.0)) ** 2
    y = series.tangent(x.tanh(), x.new_tensor(slope), -1, [x, torch.ones_like(x)], 3)
    expected = [1, slope, -slope, slope * 2 / 3]  # tanh ~ 1 - 2 exp(-2x)
    torch.testing.assert_close(torch.stack(y), x.new_tensor(expected), rtol=1e-14, atol=0)


def test_branches_are_those_of_the_start():
    x = [torch.tensor(1j), torch.tensor(1 + 0j)]
    other = series.power(-torch.tensor(cmath.sqrt(1j)), x, 0.5, 3)
    principal = series.power(torch.tensor(cmath.sqrt(1j)), x, 0.5, 3)
    torch.testing.assert_close(torch.stack(other), -torch.stack(principal))
