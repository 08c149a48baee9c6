"""A warning where training came to nothing, and none where it learned."""

from pathlib import Path
from typing import Any

import pytest
import torch

from holonet.data import Dataset
from holonet.nn import HolomorphicClassifier, holomorphic_mlp
from holonet.training import EmpiricalRisk, TrainConfig, fit, read_journal
from holonet.training.chance import chance_warning


def data(*, alike: bool, count: int = 64) -> Dataset:
    """Complex numbers: 1 in the first class, 3 in the second one, or 1 in both."""
    y = torch.arange(2 * count) % 2
    x = torch.ones(2 * count, 1) if alike else 1.0 + 2 * y[:, None]
    x = x.to(torch.complex64)
    return Dataset(x[:count], y[:count], x[count:], y[count:], num_classes=2, name="numbers")


def network() -> HolomorphicClassifier:
    torch.manual_seed(0)
    return holomorphic_mlp(1, (8,), 2)


def test_chance_is_the_most_frequent_label_and_two_standard_errors() -> None:
    y = torch.tensor([0] * 75 + [1] * 25)  # standard error 0.0433
    assert chance_warning(0.83, y) is not None
    assert chance_warning(0.84, y) is None
    assert chance_warning(0.1, y) is not None


@pytest.mark.parametrize("y", [torch.zeros(5, dtype=torch.int64), torch.tensor([0, 1])])
def test_one_class_and_few_examples_that_are_all_right_give_no_warning(y: Any) -> None:
    assert chance_warning(1.0, y) is None


def test_the_warning_says_what_to_try() -> None:
    y = torch.arange(100) % 10
    real, of_complex = chance_warning(0.1, y), chance_warning(0.1, y, complex_data=True)
    for text in (real, of_complex):
        assert text is not None
        assert "accuracy on the training examples is 10.0%, and one answer to all has 10.0%" in text
        assert "train.lr" in text
    assert "model.readout" in str(of_complex)
    assert "model.readout" not in str(real)


def test_a_run_that_learned_nothing_is_warned_of_and_one_that_learned_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = TrainConfig(epochs=4, batch_size=8)
    for alike in (True, False):
        folder = tmp_path / str(alike)
        caplog.clear()
        own: Any = {"config": config, "run_dir": folder}
        records = fit(network(), data(alike=alike), EmpiricalRisk(), **own)
        assert records == read_journal(folder / "metrics.jsonl")
        epochs = [r for r in records if r["kind"] == "epoch"]
        assert ["warning" in r for r in epochs] == [False, False, False, alike]
        assert epochs[-1]["train_accuracy"] == (0.5 if alike else 1.0)
        assert warnings(caplog) == ([epochs[-1]["warning"]] if alike else [])
        fit(network(), data(alike=alike), EmpiricalRisk(), **own, resume=True)
        assert len(warnings(caplog)) == alike  # nothing was trained, so nothing is said again


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.message for r in caplog.records if "nothing was learned" in r.message]
