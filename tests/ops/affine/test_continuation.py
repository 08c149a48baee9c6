"""Affine maps with real coefficients: torch's own at real points, holomorphic at complex ones."""

import torch
from torch.nn import functional

from cases import each
from holonet.calculus import jet
from holonet.ops.affine import continued

W, B = torch.randn(2, 3, dtype=torch.float64), torch.randn(2, dtype=torch.float64)
Z = torch.randn(4, 3, dtype=torch.complex128)


@each("bias", [B, None])
def test_it_is_the_map_with_complex_coefficients(bias):
    lifted = None if bias is None else bias + 0j
    expected = functional.linear(Z, W + 0j, lifted)
    torch.testing.assert_close(continued(functional.linear, Z, W, bias), expected)
    x = Z.real
    assert torch.equal(continued(functional.linear, x, W, bias), functional.linear(x, W, bias))


def test_gradients_of_points_and_coefficients_in_both_modes():
    inputs = Z[:2].requires_grad_(), W.clone().requires_grad_(), B.clone().requires_grad_()

    def f(z, w, b):
        return continued(functional.linear, z, w, b)

    assert torch.autograd.gradcheck(f, inputs, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(f, inputs, check_fwd_over_rev=True)


def test_jets_go_through():
    v = torch.randn_like(Z)
    value, slope = jet(lambda z: continued(functional.linear, z, W, B), Z, v, 1)
    torch.testing.assert_close(value, continued(functional.linear, Z, W, B))
    torch.testing.assert_close(slope, continued(functional.linear, v, W, None))


def test_half_precision_is_widened():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = continued(functional.linear, Z.to(torch.complex64), W.float(), B.float())
    assert value.dtype is torch.complex64
