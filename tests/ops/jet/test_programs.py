"""The planar expressions of jets against the operations in torch."""

import pytest
import torch

from holonet.functions import CATALOGUE
from holonet.ops.evaluate import evaluate
from holonet.ops.jet import reference
from holonet.ops.jet.programs import OPERATIONS, programs


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("name", ["tanh", "softplus", "atan", "cube"])
def test_they_say_what_torch_computes(name, operation):
    record, count = CATALOGUE[name], 3
    torch.manual_seed(0)
    z, one = 0.4 * torch.randn(2, 20, dtype=torch.complex128)
    t, each = torch.randn(2, count, 20, dtype=torch.complex128)
    more = () if operation == "jet" else (one, each)
    made = programs(record, count, double=True)[operation]
    flat = [z, *t] + ([one, *each] if more else [])
    values = evaluate(made.outputs, dict(zip(made.inputs, flat, strict=True)))
    single, images = getattr(reference, operation)(record, z, t, *more)
    torch.testing.assert_close(values[0], single)
    torch.testing.assert_close(torch.stack(values[1:]), images)
