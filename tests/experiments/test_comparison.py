"""The comparison keeps what is finished and does the rest."""

from dataclasses import replace
from pathlib import Path

import pytest

from holonet.data import load_digits
from holonet.errors import ConfigError
from holonet.experiments import Contender, Outcome, Protocol, compare, relative_cost
from holonet.training import ModelConfig, RuleConfig, TrainConfig

DATA = load_digits().subset(train=150, test=30)
TRAIN = TrainConfig(epochs=2, batch_size=32, checkpoint_every=3)
PROTOCOL = Protocol(eps=(0.0, 0.1), steps=2, restarts=1)
CONTENDERS = [
    Contender(
        "real, standard", ModelConfig(kind="real-twin", hidden=(6,)), RuleConfig(name="standard")
    ),
    Contender("holomorphic, analytic", ModelConfig(hidden=(6,)), RuleConfig()),
]


def test_every_contender_with_every_seed(tmp_path: Path) -> None:
    outcomes = compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path, seeds=(0, 1))
    assert [(o.label, o.seed) for o in outcomes] == [
        (c.label, s) for s in (0, 1) for c in CONTENDERS
    ]
    for outcome in outcomes:
        assert outcome.at(0.0).accuracy == outcome.clean
        assert outcome.at(0.1).accuracy <= outcome.clean
        assert outcome.step_ms > 0


def test_finished_runs_are_read_back(tmp_path: Path) -> None:
    first = compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}
    assert compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path) == first
    assert times == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*") if p.is_file()}


def test_another_configuration_is_done_anew(tmp_path: Path) -> None:
    (first,) = compare(CONTENDERS[1:], DATA, TRAIN, PROTOCOL, folder=tmp_path)
    other = replace(CONTENDERS[1], rule=RuleConfig(weight=30.0))
    (second,) = compare([other], DATA, TRAIN, PROTOCOL, folder=tmp_path)
    assert first.records[-1]["train_loss"] != second.records[-1]["train_loss"]


def test_a_run_that_broke_off_goes_on(tmp_path: Path) -> None:
    (whole,) = compare(CONTENDERS[1:], DATA, TRAIN, PROTOCOL, folder=tmp_path / "a")

    class Stop(BaseException):
        pass

    def stop(step: int) -> None:
        if step == 4:
            raise Stop

    import holonet.experiments.comparison as module

    original = module.fit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fit", lambda *a, **k: original(*a, **k, on_step=stop))
        with pytest.raises(Stop):
            compare(CONTENDERS[1:], DATA, TRAIN, PROTOCOL, folder=tmp_path / "b")
    assert not list((tmp_path / "b").rglob("result.json"))
    (resumed,) = compare(CONTENDERS[1:], DATA, TRAIN, PROTOCOL, folder=tmp_path / "b")
    assert resumed.clean == whole.clean
    assert resumed.curve == whole.curve
    assert resumed.records[-1]["train_loss"] == whole.records[-1]["train_loss"]


def test_data_outside_of_the_unit_box_are_attacked_in_their_own(tmp_path: Path) -> None:
    wide = replace(DATA, x_train=DATA.x_train * 4 - 2, x_test=DATA.x_test * 4 - 2)
    (outcome,) = compare(CONTENDERS[1:], wide, TRAIN, PROTOCOL, folder=tmp_path)
    assert outcome.at(0.0).accuracy == outcome.clean


def test_a_radius_that_was_not_attacked(tmp_path: Path) -> None:
    (outcome,) = compare(CONTENDERS[:1], DATA, TRAIN, PROTOCOL, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"0\.3"):
        outcome.at(0.3)


def test_another_protocol_attacks_anew_and_trains_nothing(tmp_path: Path) -> None:
    (first,) = compare(CONTENDERS[1:], DATA, TRAIN, PROTOCOL, folder=tmp_path)
    weights = first.folder / "model.safetensors"
    before = weights.read_bytes()
    longer = replace(PROTOCOL, steps=9)
    (second,) = compare(CONTENDERS[1:], DATA, TRAIN, longer, folder=tmp_path)
    assert second.records == first.records  # the times too: not one step was taken again
    assert weights.read_bytes() == before
    assert second.at(0.1).correct <= first.at(0.1).correct


def test_relative_cost_by_hand(tmp_path: Path) -> None:
    def outcome(label: str, seed: int, step_ms: float) -> Outcome:
        return Outcome(label, seed, 1, 1.0, (), step_ms, 1.0, (), tmp_path)

    outcomes = [outcome("a", 0, 6.0), outcome("b", 0, 2.0), outcome("a", 1, 3.0)]
    assert relative_cost(outcomes, "a", "b") == [3.0]
    assert relative_cost(outcomes, "a", "a") == [1.0, 1.0]
    assert relative_cost(outcomes, "a", "c") == []
