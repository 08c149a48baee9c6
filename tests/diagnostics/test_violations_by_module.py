"""The defect behind each module, in the order of execution."""

import complextorch.nn as ctnn
import pytest
import torch
from torch import Tensor, nn

from holonet.diagnostics import violations_by_module
from holonet.errors import InputTypeError


def test_defects_by_module_follow_the_order_of_execution() -> None:
    class Mixed(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return z + 0.5 * z.conj()

    layers = [nn.Linear(3, 3, dtype=torch.cfloat) for _ in range(2)]
    found = violations_by_module(nn.Sequential(layers[0], Mixed(), layers[1]))
    assert [one.path for one in found] == ["0", "1", "2", ""]
    assert [one.defect > 1e-10 for one in found] == [False, True, True, True]
    assert found[1].to_json()["type_name"] == "Mixed"


def test_a_library_layer_is_shown_as_a_whole() -> None:
    model = nn.Sequential(nn.Linear(3, 3, dtype=torch.cfloat), ctnn.CTanh())
    assert [one.path for one in violations_by_module(model)] == ["0", "1", ""]


class Product(nn.Module):
    """z by real arithmetic: holomorphic, and its parts are not."""

    def __init__(self) -> None:
        super().__init__()
        self.real, self.imag = nn.Identity(), nn.Identity()

    def forward(self, z: Tensor) -> Tensor:
        return torch.complex(self.real(z.real), self.imag(z.imag))


def test_a_holomorphic_output_made_of_other_parts_is_not_taken_apart() -> None:
    z = torch.randn(4, 3, dtype=torch.complex128)
    model = nn.Sequential(Product(), nn.Flatten())
    found = violations_by_module(model, z)
    assert [one.path for one in found] == ["0", "1", ""]
    assert max(one.defect for one in found) < 1e-12


def test_a_function_is_refused() -> None:
    with pytest.raises(InputTypeError, match="no module"):
        violations_by_module(torch.sin)
