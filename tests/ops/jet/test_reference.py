"""The operations in plain torch are the derivatives that they are said to be."""

import functools

import torch
from torch.func import jvp, vjp

from holonet.functions import CATALOGUE
from holonet.ops.jet import reference

SIN = CATALOGUE["sin"]


def test_push_is_the_tangent_of_a_jet_and_backward_its_pullback():
    torch.manual_seed(0)
    z, u, g = 0.5 * torch.randn(3, 4, dtype=torch.complex128)
    t, s, h = 0.5 * torch.randn(3, 2, 4, dtype=torch.complex128)
    jet = functools.partial(reference.jet, SIN)
    assert torch.equal(jet(z, t)[0], torch.sin(z))
    torch.testing.assert_close(reference.push(SIN, z, t, u, s), jvp(jet, (z, t), (u, s))[1])
    torch.testing.assert_close(reference.backward(SIN, z, t, g, h), vjp(jet, z, t)[1]((g, h)))
