"""Steps of several trainings are timed in turn."""

import pytest
import torch

from holonet.data import load_digits
from holonet.training import EmpiricalRisk, ModelConfig, TrainConfig, step_times, timing

DATA = load_digits().subset(train=40, test=10)
CONFIG = TrainConfig(epochs=2, batch_size=16)


class Clock:
    """Told the time by steps: each rule takes its own, 10 times as long in a crowded stretch."""

    def __init__(self, crowded: range) -> None:
        self.now, self.calls, self.crowded = 0.0, [], crowded

    def __call__(self) -> float:
        return self.now

    def rule(self, label: str, seconds: float) -> EmpiricalRisk:
        clock = self

        class Slow(EmpiricalRisk):
            def at(self, progress: float) -> EmpiricalRisk:
                clock.progress = progress
                return self

            def terms(self, model, x, y, probes=None):
                round_ = len(clock.calls) // 2
                clock.now += seconds * (10 if round_ in clock.crowded else 1)
                clock.calls.append((label, clock.progress))
                return super().terms(model, x, y, probes)

        return Slow()


def network() -> torch.nn.Module:
    return ModelConfig(hidden=(4,)).build(DATA.x_train.shape[1:], DATA.num_classes)


@pytest.mark.parametrize("crowded", [range(0), range(7, 13), range(20, 25)])
def test_work_that_comes_and_goes_changes_no_time(crowded, monkeypatch):
    clock = Clock(crowded)
    monkeypatch.setattr(timing.time, "perf_counter", clock)
    trainings = [(network(), clock.rule("a", 1.0)), (network(), clock.rule("b", 3.0))]
    assert step_times(trainings, DATA, CONFIG) == pytest.approx([1.0, 3.0])
    labels = [label for label, _ in clock.calls]
    assert labels == ["a", "b"] * (timing.ROUNDS + 1)


def test_the_steps_are_spread_over_a_training_and_train():
    clock, model = Clock(range(0)), network()
    before = [p.detach().clone() for p in model.parameters()]
    shares: list[float] = []
    (seconds,) = step_times([(model, clock.rule("a", 1.0))], DATA, CONFIG, shares.append)
    assert seconds > 0
    assert shares == [(k + 1) / (timing.ROUNDS + 1) for k in range(timing.ROUNDS + 1)]
    eighths = {(2 * k + 1) / 16 for k in range(8)}
    assert {progress for _, progress in clock.calls} == eighths
    assert not all(map(torch.equal, before, model.parameters()))


def test_more_of_a_crowd_shows():
    """What the test above would not see if the median were a mean."""
    clock = Clock(range(1, 25))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing.time, "perf_counter", clock)
        trainings = [(network(), clock.rule("a", 1.0)), (network(), clock.rule("b", 3.0))]
        assert step_times(trainings, DATA, CONFIG) == pytest.approx([10.0, 30.0])
