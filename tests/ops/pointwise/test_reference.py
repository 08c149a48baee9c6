"""What each operation is, against torch's differentiation of the record's value."""

import torch
from torch.func import jvp

from cases import each
from holonet.functions import CATALOGUE
from holonet.ops.pointwise import reference

some = each("name", ["tanh", "cube", "softplus", "erf", "moebius"])


def points(count):
    return 0.5 * torch.randn(count, 6, dtype=torch.complex128)


@some
def test_push_and_pull_are_torchs(name):
    record = CATALOGUE[name]
    z, t = points(2)
    value, tangent = jvp(record.value, (z,), (t,))
    torch.testing.assert_close(reference.value(record, z), value)
    torch.testing.assert_close(reference.push(record, z, t), tangent)
    x = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(record.value(x), x, t)
    torch.testing.assert_close(reference.pull(record, z, t), gradient)


@some
@each("operation", ["push", "pull"])
def test_their_gradients_are_torchs(name, operation):
    record = CATALOGUE[name]
    z, t, h = points(3)
    x, y = z.clone().requires_grad_(), t.clone().requires_grad_()
    expected = torch.autograd.grad(getattr(reference, operation)(record, x, y), (x, y), h)
    ours = getattr(reference, f"{operation}_backward")(record, z, t, h)
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b)
