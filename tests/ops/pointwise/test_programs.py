"""Every operation as an expression against the same operation in torch."""

import itertools

import torch

from cases import some_of
from holonet.functions import CATALOGUE
from holonet.ops.evaluate import evaluate
from holonet.ops.pointwise import reference
from holonet.ops.pointwise.programs import INPUTS, program

ASKED = [*itertools.product(CATALOGUE, [torch.complex64, torch.complex128], INPUTS)]


@some_of(("name", "dtype", "operation"), ASKED, slice(None, None, 11))
def test_programs_agree_with_the_reference(name, dtype, operation):
    record = CATALOGUE[name]
    z = 0.5 * torch.randn(200, dtype=dtype) + record.base_point
    z = z[record.clearance(z) > 0.1]
    inputs = dict(zip(INPUTS[operation], (z, *torch.randn(3, len(z), dtype=dtype)), strict=False))
    made = program(operation, record, double=dtype == torch.complex128)
    assert list(made.inputs) == list(inputs)
    ours = evaluate(made.outputs, inputs)
    expected = getattr(reference, operation)(record, *inputs.values())
    expected = expected if isinstance(expected, tuple) else (expected,)
    for a, b in zip(ours, expected, strict=True):
        eps = torch.finfo(dtype).eps
        torch.testing.assert_close(a, b, rtol=200 * eps, atol=200 * eps)


def test_every_operation_of_the_reference_has_a_program():
    assert set(INPUTS) == set(reference.__all__)
