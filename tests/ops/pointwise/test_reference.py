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
    bend = jvp(lambda z: jvp(record.value, (z,), (t,))[1], (z,), (z,))[1]
    torch.testing.assert_close(reference.bend(record, z, t, z), bend)


@some
@each("operation", ["push", "pull", "bend"])
def test_their_gradients_are_torchs(name, operation):
    record = CATALOGUE[name]
    *inputs, h = points(4 if operation == "bend" else 3)
    leaves = [t.clone().requires_grad_() for t in inputs]
    expected = torch.autograd.grad(getattr(reference, operation)(record, *leaves), leaves, h)
    ours = getattr(reference, f"{operation}_backward")(record, *inputs, h)
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b)
