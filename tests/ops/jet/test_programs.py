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
    shapes = [(20,), (count, 20)] * (len(OPERATIONS[operation]) // 2)
    tensors = [0.4 * torch.randn(shape, dtype=torch.complex128) for shape in shapes]
    made = programs(record, count, double=True)[operation]
    flat = [x for t in tensors for x in (t if t.dim() == 2 else [t])]
    values = evaluate(made.outputs, dict(zip(made.inputs, flat, strict=True)))
    expected = getattr(reference, operation)(record, *tensors)
    flat = [*expected[::2], *(x for images in expected[1::2] for x in images)]
    torch.testing.assert_close(values, flat)
