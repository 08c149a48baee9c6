"""What looks holomorphic to a single witness, and is found by another."""

import pytest
import torch

from holonet.calculus import (
    dbar,
    dbar_norm_squared,
    fourier_coefficients,
    negative_mode_fraction,
    pullback,
)

C128 = torch.complex128
Z = 0.7 * torch.randn(200, generator=torch.Generator().manual_seed(0), dtype=C128)
CENTER, RADIUS = 0.4 + 0.3j, 0.8


class _LyingConj(torch.autograd.Function):
    """conj(z) whose backward is that of the identity and whose jvp tells the truth."""

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


class _SilentConj(torch.autograd.Function):
    """conj(z) whose backward is that of the identity and that has no jvp."""

    forward = _LyingConj.forward
    setup_context = _LyingConj.setup_context
    backward = _LyingConj.backward


def lying_conj(z):
    return _LyingConj.apply(z)


def silent_conj(z):
    return _SilentConj.apply(z)


def split_tanh(z):
    return torch.complex(z.real.tanh(), z.imag.tanh())


def mod_relu(z):
    return (z.abs() - 0.1).relu() * z / z.abs()


def cardioid(z):
    return (1 + z.real / z.abs()) * z / 2


def leak(z):
    return z + 1e-6 * z.conj()


def z_relu(z):
    return torch.where((z.real > 0) & (z.imag > 0), z, 0 * z)


def by_modulus(z):
    """The larger of z and 1/2 by modulus, as in a maximum pooling."""
    return torch.where(z.abs() > 0.5, z, torch.full_like(z, 0.5))


def half_plane(z):
    return torch.where(z.real > 0.1, z.exp(), z)


EVERYWHERE = [lying_conj, split_tanh, mod_relu, cardioid]
PIECEWISE = [z_relu, by_modulus, half_plane]


def negative_modes(f, center=CENTER, radius=RADIUS):
    return negative_mode_fraction(fourier_coefficients(f, center, radius))


@pytest.mark.parametrize("f", EVERYWHERE)
def test_dbar_finds_what_is_nowhere_holomorphic(f):
    found = dbar(f, Z).abs()
    assert (found > 1e-3).float().mean() > 0.5
    assert dbar_norm_squared(f, Z).mean() > 1e-3
    assert negative_modes(f) > 1e-5


def test_dbar_measures_a_small_leak():
    torch.testing.assert_close(dbar(leak, Z), torch.full_like(Z, 1e-6), rtol=1e-8, atol=0)
    assert negative_modes(leak) == pytest.approx(1e-12, rel=1e-3)
    assert negative_modes(lambda z: z) < 1e-28


def test_reverse_mode_cannot_see_a_wrong_backward():
    """Why dbar is computed by forward mode."""
    _, backward = pullback(lying_conj, Z)
    w = torch.ones_like(Z)
    assert torch.equal(backward(1j * w), 1j * backward(w))  # as if linear over C
    assert (dbar(lying_conj, Z) - 1).abs().max() < 1e-12


def test_without_a_jvp_dbar_refuses_and_circles_still_find_it():
    with pytest.raises((RuntimeError, NotImplementedError), match=r"jvp|forward mode"):
        dbar(silent_conj, Z)
    assert negative_modes(silent_conj) > 0.99


@pytest.mark.parametrize("f", PIECEWISE)
def test_circles_find_what_is_holomorphic_piece_by_piece(f):
    assert (dbar(f, Z).abs() < 1e-12).all()
    assert negative_modes(f) > 1e-3


@pytest.mark.parametrize("f", [mod_relu, by_modulus])
def test_circles_about_the_center_of_symmetry_have_no_negative_modes(f):
    """Why the circles are off-center."""
    assert negative_modes(f, 0, 0.8) < 1e-26
    assert negative_modes(f) > 1e-5


@pytest.mark.parametrize("f", [torch.sin, torch.exp, torch.square, lambda z: 1 / (z - 2)])
def test_holomorphic_functions_pass_both_witnesses(f):
    assert (dbar(f, Z).abs() < 1e-13).all()
    assert negative_modes(f) < 1e-18  # the pole of 1 / (z - 2) aliases
