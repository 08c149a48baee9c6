"""Slices of known margins."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from holonet.diagnostics.prepared import Settings, prepare
from holonet.diagnostics.sections import slices_section


class Parabola(nn.Module):
    """The margin is x^2 - 1 of the first entry."""

    def forward(self, x: Tensor) -> Tensor:
        u = x[:, 0] ** 2 - 1
        return torch.stack([u, torch.zeros_like(u)], 1)


X = torch.tensor([[2.0, 0.0], [1.5, 1.0], [5.0, 0.0]], dtype=torch.float64)


def test_the_nearest_example_and_the_step_to_the_boundary() -> None:
    found = slices_section(prepare(Parabola(), X), Settings())
    numbers = found.numbers
    assert numbers is not None
    assert found.worst == (1,)
    assert numbers["classes"] == [0, 1]
    assert numbers["step"] == pytest.approx(1.25 / 3)  # margin over slope at 1.5


def test_the_line_and_the_plane_have_the_values_of_the_margin() -> None:
    numbers = slices_section(prepare(Parabola(), X), Settings()).numbers
    assert numbers is not None
    step = -1.25 / 3
    line = np.array(numbers["line"]["real"]) + 1j * np.array(numbers["line"]["imag"])
    left, right, bottom, top = numbers["line"]["box"]
    rows, columns = line.shape
    x = left + (np.arange(columns) + 0.5) * (right - left) / columns
    y = bottom + (np.arange(rows) + 0.5) * (top - bottom) / rows
    t = x[None] + 1j * y[:, None]
    assert np.allclose(line, (1.5 + t * step) ** 2 - 1, rtol=1e-4, atol=1e-4)
    plane = np.array(numbers["plane"]["values"])
    side = np.linspace(-4, 4, plane.shape[1])
    assert np.allclose(plane, (1.5 + side[None] * step) ** 2 - 1, rtol=1e-4, atol=1e-4)


def test_a_model_of_pieces_has_a_plane_alone() -> None:
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2)).double()
    found = slices_section(prepare(model, X), Settings())
    assert found.numbers is not None
    assert "line" not in found.numbers
    assert "plane" in found.numbers
    assert "no complex line" in found.verdict


def test_one_output_has_no_margin() -> None:
    found = slices_section(prepare(lambda x: x[:, :1], X), Settings())
    assert found.answer == "not applicable"


def test_a_constant_margin_has_finite_slices() -> None:
    found = slices_section(prepare(lambda x: 0 * x + torch.tensor([1.0, 0.0]).to(x), X), Settings())
    assert found.numbers is not None
    assert np.isfinite(np.array(found.numbers["plane"]["values"])).all()
