"""Running an expression: inputs by name, conditions, constants."""

import torch

from holonet.ops.evaluate import evaluate
from holonet.ops.planar import Planar, Sheet


def test_inputs_are_found_by_name_and_outputs_come_in_order():
    sheet = Sheet(double=True)
    z, w = sheet.complex_input("z"), sheet.complex_input("w")
    at = {
        "w": torch.tensor([3 + 4j]).to(torch.complex128),
        "z": torch.tensor([1j]).to(torch.complex128),
    }
    difference, product = evaluate([z.minus(w), z.times(w)], at)
    assert difference.tolist() == [-3 - 3j]
    assert product.tolist() == [-4 + 3j]


def test_conditions_choose_entry_by_entry():
    sheet = Sheet()
    x, y = sheet.complex_input("z")
    larger = Planar((x < y).where(y, x), ((x <= y) & (y < 2)).where(1.0, 0.0))
    (value,) = evaluate([larger], {"z": torch.tensor([1 + 5j, 3 + 2j, 1 + 1j])})
    assert value.tolist() == [5 + 0j, 3 + 0j, 1 + 1j]
