"""What float64 may round."""

import torch

from holonet.functions.rounding import UNIT, margin


def test_the_margin_is_a_few_roundoffs_and_never_zero():
    sizes = torch.tensor([0.0, 1.0, -1e10], dtype=torch.float64)
    margins = margin(sizes)
    assert (margins > 0).all()
    assert torch.equal(margins[1:] / (UNIT * sizes[1:].abs()), torch.full_like(sizes[1:], 32))
