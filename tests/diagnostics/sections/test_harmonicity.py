"""Harmonicity of logits and margins, on the data and between classes."""

import torch
from torch import nn

from holonet.diagnostics.prepared import Settings, prepare
from holonet.diagnostics.sections import harmonicity_section
from holonet.diagnostics.sections.harmonicity import between_classes
from holonet.nn import holomorphic_mlp


def test_the_middle_is_taken_to_the_nearest_example_of_another_class() -> None:
    x = torch.tensor([[0.0], [1.0], [4.0]])
    model = prepare(lambda x: torch.cat([x, -x], 1), x, torch.tensor([0, 0, 1]))
    assert between_classes(model).tolist() == [[2.0], [2.5], [2.5]]
    alone = prepare(lambda x: torch.cat([x, -x], 1), x, torch.tensor([1, 1, 1]))
    assert not len(between_classes(alone))


def test_a_holomorphic_classifier_is_harmonic_in_complex_coordinates() -> None:
    model = holomorphic_mlp(2, (4,), 2)
    x, y = torch.rand(4, 2), torch.tensor([0, 1, 0, 1])
    twin = holomorphic_mlp(2, (4,), 2)
    settings = Settings(twin, "untrained", examples=4)
    found = harmonicity_section(prepare(model, x, y), settings)
    assert found.answer == "yes"
    assert found.numbers is not None
    assert set(found.numbers) == {
        "logits",
        "logits, real coordinates",
        "margins",
        "margins between classes",
    }
    assert not found.numbers["logits, real coordinates"]["is_harmonic"]
    assert found.numbers["logits"]["baseline_name"] == "untrained"
    assert len(found.numbers["logits"]["baseline_rms_gap"]) == 4
    assert "no difference" in found.verdict
    assert any("0 to rounding" in line for line in found.lines)


def test_why_there_is_no_baseline_is_said() -> None:
    model = prepare(nn.Tanh(), torch.randn(3, 2))
    found = harmonicity_section(model, Settings(no_baseline="it has none", examples=3))
    assert found.answer == "no"
    assert found.verdict.endswith("No baseline: it has none")
    assert "LaplacianPenalty" in found.advice[0]
    assert found.worst
