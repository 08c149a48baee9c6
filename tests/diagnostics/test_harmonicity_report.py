"""Results in words and in plain types, with the worst points by index."""

import json

import pytest
import torch
from torch import Tensor

from holonet.diagnostics import Harmonicity, harmonicity
from holonet.errors import ConfigError


def bowl(x: Tensor) -> Tensor:
    """Two harmonic outputs and, for x_0 > 0 only, one that is not."""
    a, b = x[:, 0], x[:, 1]
    return torch.stack([a * b, a**2 - b**2, a * b + torch.where(a > 0, a**4, 0)], 1)


@pytest.fixture(scope="module")
def found() -> Harmonicity:
    x = torch.tensor([[-3.0, 1.0], [4.0, 1.0], [-2.0, 5.0]], dtype=torch.float64)
    return harmonicity(bowl, x, radii=(0.1, 0.4), baseline=lambda x: bowl(-x))


def test_the_worst_point_is_named_by_example_and_output(found: Harmonicity) -> None:
    worst = found.worst()
    assert [(point.example, point.output) for point in worst] == [(1, 2)]
    assert worst[0].share > 0.5
    assert found.gaps_found.any(0).tolist() == [
        [False, False, False],
        [False, False, True],
        [False, False, False],
    ]
    with pytest.raises(ConfigError, match="count=0"):
        found.worst(0)


def test_the_text_states_coordinates_radii_errors_and_the_baseline(found: Harmonicity) -> None:
    text = str(found)
    for words in (
        "the logits at 3 examples, over the 2 real coordinates of real data: not harmonic",
        "radius 0.1: ",
        "radius 0.4: ",
        "standard error",
        "95% interval over examples",
        "; baseline: ",
        "beside the baseline model",
        "Laplacian (exact): median",
        "worst: example 1, output 2, radius",
        "balls with an extreme value inside: 0.0%",
    ):
        assert words in text, words
    assert text == found.text()


def test_everything_is_plain_in_json(found: Harmonicity) -> None:
    record = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert record["is_harmonic"] is False
    assert record["laplacian"]["value"][1][2] == pytest.approx(12 * 4.0**2)
    assert record["summary"][1]["radius"] == 0.4
    assert record["worst"][0]["example"] == 1
    assert record["baseline"]["baseline"] is None
    assert len(record["share"]["value"]) == 2


def test_a_share_that_is_rounding_is_told_as_that() -> None:
    x = torch.randn(4, 2, dtype=torch.float64)
    assert "0 to rounding" in str(harmonicity(lambda x: bowl(x)[:, :2], x, radii=(0.1,)))


def test_one_example_has_no_interval() -> None:
    x = torch.ones(1, 2, dtype=torch.float64)
    summary = harmonicity(bowl, x, radii=(0.1,)).summary[0]
    assert summary.interval is None
    assert summary.to_json()["interval"] is None
