"""What is compiled for jets, and what is not."""

import dataclasses

import torch

from holonet.functions import CATALOGUE
from holonet.ops import jet, use
from holonet.ops.jet import compiled
from holonet.ops.jet.programs import OPERATIONS


def test_every_operation_is_compiled_once():
    found = compiled.kernels(CATALOGUE["tanh"], 1, torch.complex128)
    assert set(found) == set(OPERATIONS)
    assert compiled.kernels(CATALOGUE["tanh"], 1, torch.complex128) is found


def test_what_has_no_translation_runs_as_torch_code():
    record = dataclasses.replace(CATALOGUE["square"], value=lambda z: z.flip(0) ** 2)
    assert compiled.kernels(record, 1, torch.complex128) is None
    z = torch.randn(5, dtype=torch.complex128)
    with use("compiled"):
        value, along = jet(record, z, z[None])
    assert torch.equal(value, z.flip(0) ** 2)
    assert torch.equal(along[0], 2 * z * z)
