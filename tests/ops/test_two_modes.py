"""What functions of a record keep for their derivatives."""

import torch
from torch.autograd import forward_ad

from holonet.ops.two_modes import OfRecord, primals


class Double(OfRecord):
    @staticmethod
    def forward(z, record, floor):
        return 2 * z

    @staticmethod
    def jvp(ctx, tangent, *_):
        with forward_ad._set_fwd_grad_enabled(True):
            (z,) = primals(ctx)
            assert forward_ad.unpack_dual(z).tangent is None
            assert (ctx.record, ctx.floor) == ("record", "floor")
            return 2 * tangent


def test_tensors_are_kept_for_forward_mode_without_their_tangents():
    z = torch.ones(2)
    value, along = torch.func.jvp(lambda z: Double.apply(z, "record", "floor"), (z,), (3 * z,))
    assert value.tolist() == [2, 2]
    assert along.tolist() == [6, 6]
