"""Wirtinger derivatives against closed forms, and the two modes of AD against one another."""

import dataclasses
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.checkpoint import checkpoint

from cases import each
from holonet.calculus import (
    Probes,
    dbar,
    dbar_along,
    dbar_norm_squared,
    derivative,
    directional_derivative,
    gradient,
    partial_z,
    partial_z_along,
    pullback,
)
from holonet.errors import ConfigError, InputTypeError
from holonet.functions import CATALOGUE
from holonet.ops import pointwise, use

C128 = torch.complex128
seeds = st.integers(0, 2**32)


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def test_checkpointed_functions_have_gradients_and_no_pullback():
    layer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    x, w = torch.rand(5, 3), torch.rand(5, 2)

    def recomputed(x):
        return checkpoint(layer, x, use_reentrant=False)

    assert torch.equal(gradient(recomputed, x, w), gradient(layer, x, w))
    with pytest.raises(RuntimeError, match="saved tensor hooks"):
        pullback(recomputed, x)


class Mixed:
    """(A z) conj(B z) + C z, with its two Jacobians in closed form."""

    def __init__(self, seed, inputs=3, outputs=2):
        self.a, self.b, self.c = randn(seed, 3, outputs, inputs)

    def __call__(self, z):
        z = z.to(C128)
        return (z @ self.a.mT) * (z @ self.b.mT).conj() + z @ self.c.mT

    def jacobians(self, z):
        """df_i/dz_j and df_i/dzbar_j, shape (batch, outputs, inputs)."""
        across = (z @ self.b.mT).conj()[..., None] * self.a + self.c
        return across, (z @ self.a.mT)[..., None] * self.b.conj()


@settings(max_examples=5)
@given(seed=seeds)
def test_polynomials_in_z_and_its_conjugate(seed):
    c, z = randn(seed, 4, 4), randn(seed + 1, 5)

    def f(z):
        return sum(c[a, b] * z**a * z.conj() ** b for a in range(4) for b in range(4))

    by_z = sum(a * c[a, b] * z ** (a - 1) * z.conj() ** b for a in range(1, 4) for b in range(4))
    by_conj = sum(b * c[a, b] * z**a * z.conj() ** (b - 1) for a in range(4) for b in range(1, 4))
    scale = 1 + z.abs().max().item() ** 5 * c.abs().max().item()
    torch.testing.assert_close(partial_z(f, z), by_z, rtol=1e-12, atol=1e-12 * scale)
    torch.testing.assert_close(dbar(f, z), by_conj, rtol=1e-12, atol=1e-12 * scale)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_the_plainest_functions(dtype):
    z = torch.tensor([3 + 1j, -2j], dtype=dtype)
    one, zero = torch.ones_like(z), torch.zeros_like(z)
    for f, by_z, by_conj in [
        (torch.conj, zero, one),
        (lambda z: z, one, zero),
        (lambda z: z * z.conj(), z.conj(), z),
        (lambda z: z.real.to(dtype), one / 2, one / 2),
        (lambda z: z.imag.to(dtype), -0.5j * one, 0.5j * one),
        (torch.ones_like, zero, zero),
    ]:
        torch.testing.assert_close(partial_z(f, z), by_z.resolve_conj(), rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(dbar(f, z), by_conj, rtol=1e-6, atol=1e-7)


@settings(max_examples=5)
@given(seed=seeds)
def test_the_parts_are_linear_and_antilinear_and_sum_to_the_derivative(seed):
    f, z, v = Mixed(seed), randn(seed + 1, 4, 3), randn(seed + 2, 4, 3)
    t = 0.3 - 1.7j
    across, along = f.jacobians(z)
    linear = (across @ v[..., None]).squeeze(-1)
    antilinear = (along @ v.conj()[..., None]).squeeze(-1)
    for unit in (1, 1j, t):
        torch.testing.assert_close(partial_z_along(f, z, unit * v), unit * linear)
        torch.testing.assert_close(
            dbar_along(f, z, unit * v), complex(unit).conjugate() * antilinear
        )
    value, tangent = directional_derivative(f, z, v)
    torch.testing.assert_close(value, f(z))
    torch.testing.assert_close(tangent, linear + antilinear)


@given(seed=seeds, kinds=st.sampled_from(["real-real", "real-complex", "complex-real", "complex"]))
def test_the_pullback_is_the_adjoint_of_the_directional_derivative(seed, kinds):
    mixed = Mixed(seed)
    point = torch.float64 if kinds.startswith("real") else C128
    f = (lambda z: mixed(z).real) if kinds.endswith("-real") else mixed
    z, v = randn(seed + 1, 4, 3, dtype=point), randn(seed + 2, 4, 3, dtype=point)
    value, tangent = directional_derivative(f, z, v)
    again, backward = pullback(f, z)
    w = randn(seed + 3, 4, 2, dtype=value.dtype)
    gradient = backward(w)
    assert torch.equal(again, value)
    assert gradient.dtype is point
    forward_side = (w.conj() * tangent).sum().real
    backward_side = (gradient.conj() * v).sum().real
    torch.testing.assert_close(forward_side, backward_side, rtol=1e-12, atol=1e-11)


def test_the_pullback_is_torchs_gradient():
    f, z, w = Mixed(0), randn(1, 4, 3).requires_grad_(), randn(2, 4, 2)
    (w.conj() * f(z)).sum().real.backward()
    torch.testing.assert_close(pullback(f, z.detach())[1](w), z.grad)


@each("record", CATALOGUE.values(), ids=lambda r: r.name)
def test_the_derivative_of_a_holomorphic_function(record):
    z = record.domain.sample(20, generator=torch.Generator().manual_seed(0))
    expected = record.derivative(z)
    torch.testing.assert_close(derivative(record, z), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(partial_z(record, z), expected, rtol=1e-9, atol=1e-9)
    assert (dbar(record, z).abs() <= 1e-13 * (1 + expected.abs())).all()


def test_derivatives_can_be_derived():
    z = randn(0, 5)
    torch.testing.assert_close(derivative(lambda z: derivative(torch.sin, z), z), -torch.sin(z))
    torch.testing.assert_close(  # the Laplacian of |z|^4 is 16 |z|^2
        4 * dbar(lambda z: partial_z(lambda z: (z * z.conj()) ** 2, z), z),
        (16 * z.abs().square()).to(C128),
    )


@pytest.mark.parametrize("inputs", [1, 3])
def test_the_norm_of_dbar_is_unbiased(inputs):
    f, z = Mixed(0, inputs), randn(1, 2, inputs)
    exact = f.jacobians(z)[1].abs().square().sum((1, 2))
    rows, repeats = 500, 30
    means = []
    for seed in range(repeats):
        found = dbar_norm_squared(f, z.repeat_interleave(rows, 0), probes=Probes(seed))
        assert found.shape == (2 * rows,)
        means.append(found.view(2, rows).mean(1))
    means = torch.stack(means)
    error = means.std(0) / repeats**0.5
    assert (error < 0.02 * exact).all()
    assert ((means.mean(0) - exact).abs() <= 4 * error + 1e-12).all()
    if inputs == 1:
        torch.testing.assert_close(dbar_norm_squared(f, z), exact, rtol=1e-12, atol=0)


def test_more_directions_are_averaged():
    f, z = Mixed(0), randn(1, 4, 3)
    stream = Probes(7)
    one_by_one = torch.stack([dbar_norm_squared(f, z, probes=stream) for _ in range(3)])
    together = dbar_norm_squared(f, z, count=3, probes=Probes(7))
    torch.testing.assert_close(together, one_by_one.mean(0))


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 3, 4)])
def test_examples_of_any_shape(shape):
    z = randn(0, *shape)
    expected = torch.full((5,), 9.0 * z[0].numel(), dtype=torch.float64)
    torch.testing.assert_close(dbar_norm_squared(lambda z: z + 3 * z.conj(), z), expected)


def test_the_norm_of_dbar_can_be_differentiated_in_parameters():
    z = randn(0, 4, 3)
    b = randn(1, 2, 3).requires_grad_()

    def penalty(b):
        return dbar_norm_squared(
            lambda z: z @ b.mT + (z @ b.mT).conj() ** 2, z, probes=Probes(5)
        ).sum()

    assert torch.autograd.gradcheck(penalty, (b,))


@each("z", [torch.ones(2), torch.ones(2, dtype=torch.int64)], ids=["real", "int"])
@each(
    "ask",
    [
        lambda z: dbar(torch.square, z),
        lambda z: partial_z(torch.square, z),
        lambda z: derivative(torch.square, z),
        lambda z: dbar_along(torch.square, z, z),
        lambda z: partial_z_along(torch.square, z, z),
        lambda z: dbar_norm_squared(torch.square, z),
    ],
)
def test_real_points_are_refused(ask, z):
    with pytest.raises(InputTypeError, match=r"Lift the points first: z\.to"):
        ask(z)


@each("u", [torch.real, torch.imag, torch.abs, lambda z: (z**2).real])
@each(
    "ask",
    [dbar, lambda f, z: dbar_along(f, z, z), dbar_norm_squared],
    ids=["dbar", "dbar_along", "dbar_norm_squared"],
)
def test_dbar_of_real_valued_functions_is_refused(ask, u):
    z = randn(0, 4)
    with pytest.raises(InputTypeError, match=r"dbar of a real-valued .*f\(z\)\.to\(torch"):
        ask(u, z)
    ask(lambda z: u(z).to(torch.complex128), z)  # the way out that the message gives


def test_partial_z_of_real_valued_functions_is_meant():
    z = randn(0, 4)
    torch.testing.assert_close(partial_z(lambda z: z.real**2 + z.imag**2, z), z.conj())


def test_no_direction_is_refused():
    with pytest.raises(ConfigError, match=r"count=0"):
        dbar_norm_squared(torch.square, randn(0, 2), count=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_function_that_cannot_be_followed_is_not_taken_for_a_constant(dtype: torch.dtype) -> None:
    z = torch.full((3,), 0.5, dtype=dtype)
    weight = torch.ones(3, dtype=dtype, requires_grad=True)

    for f in (lambda z: (z * z).detach(), lambda z: weight + z.detach()):
        for look in (
            lambda f: pullback(f, z),
            lambda f: directional_derivative(f, z, z),
        ):
            with pytest.raises(InputTypeError, match="autograd cannot follow"):
                look(f)
    for constant in (lambda z: torch.ones_like(z), lambda z: weight * 1):
        assert not directional_derivative(constant, z, z)[1].any()
        value, backward = pullback(constant, z)
        assert not backward(value).any()


def test_threads_do_not_take_each_others_tangents():
    """The first leaves forward mode while the second is in the middle of it, if it may."""
    inside, done = threading.Event(), threading.Event()

    def first(z):
        inside.wait(0.3)
        return z**2

    def second(z):
        inside.set()
        done.wait(0.3)
        return z**2

    z = torch.tensor([2 + 1j])
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(derivative, first, z)
        one.add_done_callback(lambda _: done.set())
        time.sleep(0.05)
        other = pool.submit(derivative, second, z)
        for found in (one, other):
            torch.testing.assert_close(found.result(), 2 * z)


def test_a_record_may_ask_for_derivatives_itself():
    """It is read in a thread of its own, in the middle of a derivative."""
    record = dataclasses.replace(
        CATALOGUE["exp"], name="asking", derivative=lambda z: derivative(torch.exp, z)
    )
    z = torch.tensor([0.3 + 0.2j]).repeat(100)
    with use("compiled"):
        found = derivative(lambda z: pointwise(record, z), z)
    torch.testing.assert_close(found, torch.exp(z))
