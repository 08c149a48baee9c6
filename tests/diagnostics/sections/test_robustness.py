"""Attacks of a few radii on a known classifier."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from holonet.attacks import apgd, square
from holonet.diagnostics.prepared import Settings, prepare
from holonet.diagnostics.sections import robustness_section


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    attacks = {
        "apgd-ce": partial(apgd, steps=5, loss="cross_entropy"),
        "apgd-dlr": partial(apgd, steps=5, loss="dlr"),
        "square": partial(square, queries=20),
    }
    monkeypatch.setattr("holonet.diagnostics.sections.robustness.ATTACKS", attacks)


class Threshold(nn.Module):
    """Class 1 where the first entry is above 1/2."""

    def forward(self, x: Tensor) -> Tensor:
        u = 10 * (x[:, 0] - 0.5)
        return torch.stack([-u, u], 1)


def test_examples_break_at_the_radius_of_their_distance() -> None:
    x = torch.tensor([[0.47, 0.2], [0.46, 0.2], [0.3, 0.1], [0.58, 0.2], [0.9, 0.5], [0.7, 0.5]])
    y = torch.tensor([0, 0, 0, 1, 1, 0])
    found = robustness_section(prepare(Threshold(), x, y), Settings(eps=(0.035, 0.09)))
    assert found.numbers is not None
    counts = [report["robust"]["correct"] for report in found.numbers["reports"]]
    assert counts == [5, 4, 2]
    assert found.worst == (0,)
    assert "83.3% of 6 examples" in found.verdict
    both = robustness_section(prepare(Threshold(), x, y), Settings(eps=(0.045,)))
    assert both.worst == (0, 1)  # nearest to the boundary first


def test_radii_follow_the_range_of_the_data() -> None:
    x, y = torch.tensor([[0.0], [10.0]]) - 5, torch.tensor([0, 1])
    found = robustness_section(prepare(Threshold(), x, y), Settings())
    assert found.numbers is not None
    radii = [report["threat"]["eps"] for report in found.numbers["reports"]]
    assert radii == [0.0, 0.2, 0.5, 1.0]
    assert found.numbers["reports"][0]["threat"]["bounds"] is None


def test_complex_data_are_attacked_in_the_polydisc() -> None:
    model = nn.Linear(1, 2, dtype=torch.cfloat)
    z, y = torch.tensor([[1 + 0j], [2j]]), torch.tensor([0, 1])
    found = robustness_section(prepare(model, z, y), Settings())
    assert found.numbers is not None
    assert found.numbers["reports"][1]["threat"]["norm"] == "polydisc"


def test_without_labels_or_classes_it_does_not_apply() -> None:
    x = torch.rand(3, 2)
    assert "labels" in robustness_section(prepare(Threshold(), x), Settings()).verdict
    one = prepare(lambda x: x[:, :1], x, torch.zeros(3).long())
    assert robustness_section(one, Settings()).answer == "not applicable"
