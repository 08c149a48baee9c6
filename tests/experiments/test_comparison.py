"""The comparison keeps what is finished and does the rest."""

import json
import logging
import math
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from holonet._files import LOCK, folder_lock, write_with_digest
from holonet.attacks import AttackResult, ThreatModel, fgsm
from holonet.data import Dataset, load_digits
from holonet.diagnostics import RobustnessPoint
from holonet.errors import ConfigError, RunExistsError
from holonet.experiments import (
    Contender,
    Outcome,
    Protocol,
    accuracy_difference,
    compare,
    protocol,
    relative_cost,
)
from holonet.training import ModelConfig, RuleConfig, TrainConfig
from holonet.training.checkpoint import load_tensors, save_tensors

DATA = load_digits().subset(train=150, test=30)
TRAIN = TrainConfig(epochs=2, batch_size=32, checkpoint_every=3)
PROTOCOL = Protocol(eps=(0.0, 0.1), steps=2, restarts=1)
CONTENDERS = [
    Contender(
        "real relu, standard",
        ModelConfig(coefficients="real", activation="relu", match="parameters", hidden=(6,)),
        RuleConfig(name="standard"),
    ),
    Contender("complex square, analytic", ModelConfig(hidden=(6,)), RuleConfig(name="analytic")),
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


def test_times_of_a_step_are_kept_until_a_contender_or_the_training_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def times(contenders: list[Contender], seed: int = 0, epochs: int = 2) -> list[float]:
        train = TRAIN.model_copy(update={"epochs": epochs})
        outcomes = compare(contenders, DATA, train, PROTOCOL, folder=tmp_path, seeds=(seed,))
        return [outcome.step_ms for outcome in outcomes]

    first = times(CONTENDERS)
    assert len({*first}) == len(CONTENDERS)
    assert times(CONTENDERS, seed=1) == first
    kept = tmp_path / "steps.json"
    identity = json.loads(kept.read_text())["identity"]
    for wrong in ([1.0], [1.0, 0.0], [1.0, math.nan], "none"):
        write_with_digest(kept, json.dumps({"identity": identity, "step_ms": wrong}))
        assert all(0 < ms < math.inf for ms in times(CONTENDERS))
        assert "it is done again" in caplog.text
        caplog.clear()
    write_with_digest(kept, json.dumps({"identity": identity, "step_ms": [3.0, 4.0]}))
    assert times(CONTENDERS) == [3.0, 4.0]
    assert times(CONTENDERS, epochs=1) != [3.0, 4.0]
    assert times(CONTENDERS[:1]) != [3.0]


def test_finished_runs_are_read_back(tmp_path: Path) -> None:
    first = compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path)
    times = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.*") if p.name != LOCK}
    assert compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path) == first
    assert times == {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.*") if p.name != LOCK}


def test_another_configuration_is_done_anew(tmp_path: Path) -> None:
    (first,) = compare(CONTENDERS[1:], DATA, TRAIN, PROTOCOL, folder=tmp_path)
    other = replace(CONTENDERS[1], rule=RuleConfig(name="analytic", weight=30.0))
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


def test_an_interrupted_ensemble_attacks_only_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    attacked: list[float] = []

    def attack(model: Any, x: Any, y: Any, threat: ThreatModel, *, seed: int) -> AttackResult:
        if threat.eps == interrupted:
            raise KeyboardInterrupt
        attacked.append(threat.eps)
        return fgsm(model, x, y, threat)

    monkeypatch.setattr(protocol, "STRONG", {"fgsm": attack})
    strong = Protocol(eps=(0.0, 0.05, 0.1), attack="strong")
    interrupted = 0.1
    with pytest.raises(KeyboardInterrupt):
        compare(CONTENDERS[1:], DATA, TRAIN, strong, folder=tmp_path / "a")
    interrupted = -1.0
    resumed = compare(CONTENDERS[1:], DATA, TRAIN, strong, folder=tmp_path / "a")
    assert attacked == [0.05, 0.1]  # radius 0 needs no attack
    assert not list(tmp_path.rglob("*.npz"))
    whole = compare(CONTENDERS[1:], DATA, TRAIN, strong, folder=tmp_path / "b")
    assert resumed[0].curve == whole[0].curve


def test_data_outside_of_the_unit_box_are_attacked_in_their_own(tmp_path: Path) -> None:
    wide = replace(DATA, x_train=DATA.x_train * 4 - 2, x_test=DATA.x_test * 4 - 2)
    (outcome,) = compare(CONTENDERS[1:], wide, TRAIN, PROTOCOL, folder=tmp_path)
    assert outcome.at(0.0).accuracy == outcome.clean


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Outcome]]:
    folder = tmp_path_factory.mktemp("finished")
    return folder, compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=folder)


def _edit(run: Path, **changes: Any) -> None:
    """Change entries of result.json, and give it a right digest."""
    saved = json.loads((run / "result.json").read_text())
    write_with_digest(run / "result.json", json.dumps(saved | changes))


def _exchange(run: Path, name: str) -> None:
    """Put the other contender's file, with a right digest, in the place of this one's."""
    (other,) = set(run.parent.glob("*-seed0")) - {run}
    write_with_digest(run / name, (other / name).read_bytes())


def _foreign(run: Path) -> None:
    """Weights of the same shapes, with a right digest, beside a result that is not theirs."""
    weights, state = load_tensors(run / "model.safetensors")
    save_tensors(run / "model.safetensors", {k: v + 1 for k, v in weights.items()}, state)


POINT = {"eps": 0.0, "correct": 31, "examples": 30}
DAMAGE: dict[str, Callable[[Path], object]] = {
    "cut": lambda run: (run / "result.json").write_bytes(b'{"identity": {'),
    "altered": lambda run: (run / "result.json").write_text(
        (run / "result.json").read_text().replace('"correct": ', '"correct": 1')
    ),
    "list": lambda run: write_with_digest(run / "result.json", "[]"),
    "too many": lambda run: _edit(run, curve=[POINT, {**POINT, "eps": 0.1}]),
    "no curve": lambda run: _edit(run, curve=[]),
    "no records": lambda run: _edit(run, records=[]),
    "not finite": lambda run: _edit(run, clean=float("nan")),
    "another's": lambda run: _exchange(run, "result.json"),
    "identity": lambda run: (
        (run / "result.json").unlink(),
        (run / "identity.json").write_text("{"),
    ),
    "another's weights": lambda run: _exchange(run, "model.safetensors"),
    "foreign weights": _foreign,
    "cut weights": lambda run: (run / "model.safetensors").write_bytes(b"12345678"),
    "no weights": lambda run: (run / "model.safetensors").unlink(),
    "all": lambda run: [path.write_bytes(b"x") for path in run.rglob("*") if path.is_file()],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_damaged_or_of_something_else_is_found_again(
    finished: tuple[Path, list[Outcome]],
    tmp_path: Path,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, before = finished
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    DAMAGE[damage](tmp_path / before[1].folder.name)
    with caplog.at_level(logging.WARNING):
        after = compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path)
    for one, other in zip(before, after, strict=True):
        assert (one.clean, one.curve) == (other.clean, other.curve)
    assert "again" in caplog.text
    caplog.clear()
    assert compare(CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path) == after
    assert not caplog.text


def test_a_comparison_that_is_at_work_refuses_a_second_one(tmp_path: Path) -> None:
    second = partial(compare, CONTENDERS, DATA, TRAIN, PROTOCOL, folder=tmp_path)
    with (
        folder_lock(tmp_path, RunExistsError),
        ThreadPoolExecutor(1) as other,
        pytest.raises(RunExistsError, match=f"in use by process {os.getpid()}"),
    ):
        other.submit(second).result()


def test_labels_that_name_one_folder_are_refused(tmp_path: Path) -> None:
    twins = [replace(CONTENDERS[0], label=label) for label in ("a b", "a, b")]
    with pytest.raises(ConfigError, match="'a b', 'a, b' name the same folder"):
        compare(twins, DATA, TRAIN, PROTOCOL, folder=tmp_path)


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

    outcomes = [outcome("a", 0, 6.0), outcome("b", 0, 2.0), outcome("a", 1, 6.0)]
    assert relative_cost(outcomes, "a", "b") == 3.0
    assert relative_cost(outcomes, "a", "a") == 1.0
    assert relative_cost(outcomes, "a", "c") is None


def test_accuracy_difference_is_paired_over_seeds_by_hand(tmp_path: Path) -> None:
    def outcome(label: str, seed: int, clean: float, correct: int) -> Outcome:
        curve = (RobustnessPoint(0.1, correct, 10),)
        return Outcome(label, seed, 1, clean, curve, 1.0, 1.0, (), tmp_path)

    outcomes = [
        outcome("a", 0, 0.9, 8), outcome("a", 1, 0.8, 6), outcome("a", 2, 0.1, 1),
        outcome("b", 1, 0.5, 5), outcome("b", 0, 0.7, 6),
    ]  # fmt: skip
    clean = accuracy_difference(outcomes, "a", "b")
    assert clean.estimate == pytest.approx(0.25)
    assert clean.count == 2
    assert accuracy_difference(outcomes, "a", "b", 0.1).estimate == pytest.approx(0.15)
    assert accuracy_difference(outcomes, "b", "a", 0.1).estimate == pytest.approx(-0.15)
    with pytest.raises(ConfigError, match="'a', 'b'"):
        accuracy_difference(outcomes, "a", "c")


def test_complex_data_are_attacked_on_a_polydisc_and_have_a_real_twin_on_pairs(
    tmp_path: Path,
) -> None:
    x = torch.randn(40, 3, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    data = Dataset(x, torch.arange(40) % 2, x[:20], torch.arange(20) % 2, 2, "iq")
    twin = ModelConfig(
        coefficients="real", activation="relu", match="parameters", lift="pair", hidden=(6,)
    )
    contenders = [
        Contender("complex square", ModelConfig(hidden=(6,)), RuleConfig(name="standard")),
        Contender("real relu", twin, RuleConfig(name="standard")),
    ]
    polydisc = replace(PROTOCOL, threat=ThreatModel("polydisc", 0.1, None))
    outcomes = compare(contenders, data, TRAIN, polydisc, folder=tmp_path)
    assert [o.curve[0].examples for o in outcomes] == [20, 20]
    for under, contender, reason in (
        (PROTOCOL, contenders[0], "norm is 'Linf' and 'iq' is complex: choose polydisc"),
        (polydisc, replace(contenders[1], model=ModelConfig(**RELU)), "--lift pair"),
    ):
        with pytest.raises(ConfigError, match=reason):
            compare([contender], data, TRAIN, under, folder=tmp_path)
    with pytest.raises(ConfigError, match="norm is 'polydisc' and 'digits' is real: choose Linf"):
        compare(contenders[:1], DATA, TRAIN, polydisc, folder=tmp_path)
    with pytest.raises(ConfigError, match=r"model\.lift = 'pair' for 'digits', which is real"):
        compare(contenders[1:], DATA, TRAIN, PROTOCOL, folder=tmp_path)


RELU: Any = {"coefficients": "real", "activation": "relu", "hidden": (6,)}
