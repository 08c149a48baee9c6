"""Singularities of known networks, as a section and on one line."""

import math

import complextorch
import pytest
import torch
from torch import nn

from holonet.diagnostics.prepared import Settings, prepare
from holonet.diagnostics.sections import analyticity_section, slices_section
from holonet.diagnostics.sections.analyticity import on_lines
from holonet.nn import holomorphic_mlp


class Unit(nn.Module):
    """The margin is tanh(3 x0 + 4 x1) + 0.2: poles at distance pi/10, where the sum is 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        u = torch.tanh(x @ torch.tensor([3.0, 4.0]).to(x))
        return torch.stack([u + 0.2, torch.zeros_like(u)], 1)


X = torch.tensor([[0.0, 0.0], [0.2, -0.1], [0.3, 0.3]], dtype=torch.float64)


def test_the_pole_of_one_unit_is_pi_over_twice_the_weight() -> None:
    found = on_lines(prepare(Unit(), X), Settings(), ("gradient",), slice(0, 1))
    assert found.kinds == [["pole"]]
    assert float(found.distance) == pytest.approx(math.pi / 10, rel=1e-6)


def test_singularities_nearer_than_the_boundary_give_advice() -> None:
    found = analyticity_section(prepare(Unit(), X), Settings())
    assert found.answer == "measured"
    assert "pole" in found.verdict
    assert found.worst[0] == 0
    assert found.numbers is not None
    assert found.numbers["directions"] == ["random", "gradient", "class"]
    # at (0.3, 0.3) the answer changes at distance 0.46, and the poles are 0.52 away
    crossed = found.numbers["boundary"][0][1]
    assert crossed == pytest.approx(math.atanh(0.2) / 5, rel=1e-6)
    assert not found.advice
    far = analyticity_section(prepare(Unit(), X[2:] + 1), Settings())
    assert far.numbers is not None


def test_the_line_through_an_example_has_its_pole_marked() -> None:
    numbers = slices_section(prepare(Unit(), X[:1]), Settings()).numbers
    assert numbers is not None
    x, y, kind = numbers["line"]["singularity"]
    # the step is the margin over the slope, 0.2 / 5
    assert numbers["step"] == pytest.approx(0.04)
    assert (x, y) == pytest.approx((0.0, math.pi / 10 / 0.04), abs=1e-6)
    assert kind == "pole"
    assert numbers["line"]["box"][1] == pytest.approx(1.5 * y)


def test_a_complex_model_that_is_not_holomorphic_continues_nothing() -> None:
    model = nn.Sequential(nn.Linear(2, 3, dtype=torch.cfloat), complextorch.nn.CTanh())
    prepared = prepare(model, X.float())
    found = analyticity_section(prepared, Settings())
    assert found.answer == "not applicable"
    assert "not holomorphic" in found.verdict
    slices = slices_section(prepared, Settings())
    assert slices.numbers is not None
    assert "line" not in slices.numbers
    assert "no complex line: the model is not holomorphic" in slices.verdict


def test_a_holomorphic_classifier_is_looked_at_by_its_map() -> None:
    found = analyticity_section(prepare(holomorphic_mlp(2, (4,), 2), X.float()), Settings())
    assert found.answer == "measured"
    assert "no singularit" in found.verdict


def test_a_model_of_pieces_has_kinks() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 2)).double()
    found = analyticity_section(prepare(model, X), Settings())
    assert "made of pieces" in found.verdict
    assert not found.advice
    assert found.numbers is not None
    kinds = {kind for row in found.numbers["kinds"] for kind in row}
    assert "kink" in kinds
