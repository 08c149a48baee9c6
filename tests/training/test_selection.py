"""The choice of a weight: what it looks at, what it may not look at, and by which rule."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.attacks import ThreatModel
from holonet.data import Dataset, load_digits
from holonet.errors import ConfigError, DomainError, NumericalError
from holonet.nn import holomorphic_mlp
from holonet.training import (
    AnalyticRule,
    EmpiricalRisk,
    Rule,
    TrainConfig,
    Trial,
    WeightChoice,
    choose_weight,
    selection,
)
from holonet.training.selection import most_robust

CONFIG = TrainConfig(epochs=2, batch_size=50, lr=0.01, accelerator="cpu")


def network() -> nn.Module:
    return holomorphic_mlp(64, [8], 10, generator=torch.Generator().manual_seed(0))


accuracies = st.floats(0, 1)
trials = st.lists(
    st.builds(Trial, weight=st.floats(1e-3, 1e3), clean=accuracies, robust=accuracies),
    min_size=1,
    max_size=6,
    unique_by=lambda t: t.weight,
)


@given(tried=trials, tolerance=st.floats(0, 0.2), shuffle=st.randoms())
def test_the_most_robust_near_the_cleanest(tried, tolerance, shuffle):
    chosen = most_robust(tried, tolerance=tolerance)
    cleanest = max(t.clean for t in tried)
    assert chosen.clean >= cleanest - tolerance
    for t in tried:
        near = t.clean >= cleanest - tolerance
        assert not near or t.robust <= chosen.robust
        if near and t.robust == chosen.robust:
            assert t.clean <= chosen.clean
            assert t.clean < chosen.clean or t.weight >= chosen.weight
    again = list(tried)
    shuffle.shuffle(again)
    assert most_robust(again, tolerance=tolerance) == chosen


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_digits().subset(train=300, test=50)


@pytest.fixture(scope="module")
def choice(digits: Dataset) -> WeightChoice:
    return choose_weight(network, AnalyticRule, digits, CONFIG, weights=(0.3, 0.01, 30.0), steps=5)


def test_it_is_deterministic_and_blind_to_the_test_set(
    digits: Dataset, choice: WeightChoice
) -> None:
    blind = replace(digits, x_test=1 - digits.x_test, y_test=digits.y_test.flip(0))
    before = torch.get_rng_state()
    again = choose_weight(
        network, AnalyticRule, blind, CONFIG, weights=(30.0, 0.01, 0.3, 0.3), steps=5
    )
    assert torch.equal(torch.get_rng_state(), before)
    assert again == choice


def test_every_weight_is_reported_in_order(choice: WeightChoice) -> None:
    assert [t.weight for t in choice.trials] == [0.01, 0.3, 30.0]
    assert choice.chosen in choice.trials
    assert choice.weight == choice.chosen.weight
    assert len({t.clean for t in choice.trials}) > 1
    assert all(t.robust <= t.clean for t in choice.trials)
    assert choice.trials[0].clean > choice.trials[2].clean + 0.1  # too much weight learns little


class Watching(Rule):
    """The empirical risk, keeping every batch."""

    def __init__(self, weight: float, seen: dict[float, list[Tensor]]) -> None:
        self.seen = seen.setdefault(weight, [])

    def terms(self, model: Any, x: Any, y: Any, probes: Any = None) -> dict[str, Tensor]:
        self.seen.append(x.detach())
        return EmpiricalRisk().terms(model, x, y)


def test_runs_learn_from_one_part_and_are_judged_on_the_other(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[float, list[Tensor]] = {}
    attacked: list[tuple[Tensor, ThreatModel, int]] = []
    own = selection.pgd

    def watched(model: Any, x: Any, y: Any, threat: Any, **more: Any) -> Any:
        attacked.append((x, threat, more["steps"]))
        return own(model, x, y, threat, **more)

    monkeypatch.setattr(selection, "pgd", watched)
    choose_weight(
        network,
        lambda w: Watching(w, seen),
        digits,
        CONFIG,
        weights=(1.0, 2.0),
        held_out=0.3,
        examples=200,
        steps=3,
    )

    def rows(x: Tensor) -> set[bytes]:
        return {row.numpy().tobytes() for row in x}

    learned = {w: set.union(*map(rows, batches)) for w, batches in seen.items()}
    assert learned[1.0] == learned[2.0]
    (judged, threat, steps), (other, *_) = attacked
    assert torch.equal(judged, other)
    assert (threat, steps) == (ThreatModel("Linf", 0.1, (0.0, 1.0)), 3)
    assert len(learned[1.0]) == pytest.approx(140, abs=6)
    assert len(judged) == pytest.approx(60, abs=6)
    assert not learned[1.0] & rows(judged)
    assert learned[1.0] | rows(judged) == rows(digits.x_train[:200])


def scripted(monkeypatch: pytest.MonkeyPatch, robust: Any) -> list[float]:
    """Replace training and attack by given accuracies; the weights that are asked for."""
    asked: list[float] = []

    def attempt(model: Any, rule: Any, weight: float, *rest: Any) -> Trial:
        asked.append(weight)
        return Trial(weight, 1.0, robust(weight))

    monkeypatch.setattr(selection, "_try", attempt)
    return asked


@pytest.mark.parametrize(("best", "edge"), [(0.01, True), (0.1, False), (1.0, True)])
def test_the_edge_of_the_grid_is_told(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, best: float, edge: bool
) -> None:
    scripted(monkeypatch, lambda w: 1 / (1 + abs(w - best)))
    found = choose_weight(network, AnalyticRule, digits, weights=(0.01, 0.1, 1.0))
    assert (found.weight, found.at_edge) == (best, edge)


def test_refinements_close_in_on_the_best(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = scripted(monkeypatch, lambda w: 1 / (1 + abs(w - 0.2)))
    found = choose_weight(network, AnalyticRule, digits, weights=(0.01, 0.1, 1.0), refinements=4)
    assert asked[:3] == [0.01, 0.1, 1.0]
    assert sorted(asked[3:5]) == pytest.approx([0.1 / 10**0.5, 0.1 * 10**0.5])
    assert len(asked) == len(found.trials) == 3 + 2 * 4
    assert found.weight == pytest.approx(0.2, rel=0.08)
    weights = [t.weight for t in found.trials]
    assert weights == sorted(weights)
    assert all(a < b for a, b in itertools.pairwise(weights))


def test_refinement_at_the_edge_stays_inside(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = scripted(monkeypatch, lambda w: w)
    choose_weight(network, AnalyticRule, digits, weights=(0.01, 1.0), refinements=1)
    assert asked == pytest.approx([0.01, 1.0, 0.1])


def test_another_criterion(digits: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, lambda w: w)
    found = choose_weight(
        network, AnalyticRule, digits, weights=(0.1, 1.0), criterion=lambda tried: tried[0]
    )
    assert found.weight == 0.1


def test_a_run_that_breaks_off_leaves_the_others_alone(digits: Dataset) -> None:
    class Bursting(Rule):
        def __init__(self, weight: float) -> None:
            self.weight = weight

        def terms(self, model: Any, x: Any, y: Any, probes: Any = None) -> dict[str, Tensor]:
            loss = EmpiricalRisk()(model, x, y)
            return {"risk": loss * (float("inf") if self.weight > 1 else 1.0)}

    found = choose_weight(network, Bursting, digits, CONFIG, weights=(0.5, 2.0), steps=2)
    assert found.weight == 0.5
    assert found.trials[0].failure == ""
    assert found.trials[1].failure.startswith("at step 1 the loss is inf")
    assert (found.trials[1].clean, found.trials[1].robust) == (0.0, 0.0)


def test_a_network_lost_in_the_attack_counts_as_failed(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **more: Any) -> None:
        raise NumericalError("the model overflows there")

    monkeypatch.setattr(selection, "pgd", refuse)
    found = choose_weight(network, AnalyticRule, digits, CONFIG, weights=(0.5,))
    assert found.chosen.failure == "the model overflows there"


def test_progress_is_drawn_on_stderr(
    digits: Dataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted(monkeypatch, lambda w: w)
    for shown in (True, False):
        choose_weight(network, AnalyticRule, digits, progress=shown)
        captured = capsys.readouterr()
        assert captured.out == ""
        assert ("choosing a weight" in captured.err) == shown


@each(
    "arguments",
    [
        {"weights": ()},
        {"weights": (0.1, 0.0)},
        {"weights": (-1.0,)},
        {"weights": (float("inf"),)},
        {"weights": (float("nan"),)},
        {"refinements": -1},
    ],
)
def test_bad_weights_are_refused(digits: Dataset, arguments: Any) -> None:
    with pytest.raises(ConfigError, match="positive finite weights, at least one"):
        choose_weight(network, AnalyticRule, digits, **arguments)


@pytest.mark.parametrize("held_out", [0.0, 1.0])
def test_both_parts_must_have_something(digits: Dataset, held_out: float) -> None:
    with pytest.raises(DomainError, match=f"test_fraction={held_out}"):
        choose_weight(network, AnalyticRule, digits, held_out=held_out)
