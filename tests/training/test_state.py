"""The state of a run: batches and epochs by hand, and all of it back from a checkpoint."""

import os
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR

from holonet.data import Dataset
from holonet.errors import CheckpointError, NumericalError
from holonet.training import AnalyticRule, EmpiricalRisk, Journal, TrainConfig
from holonet.training.checkpoint import read_checkpoint, save_checkpoint, save_tensors
from holonet.training.sources import InMemory
from holonet.training.state import RunState


def data_of(size: int) -> Dataset:
    x, y = torch.arange(float(size))[:, None] / size, torch.zeros(size, dtype=torch.int64)
    return Dataset(x, y, x, y, num_classes=2, name="toy")


def state_of(size: int = 10, journal: Journal | None = None, **settings: Any) -> RunState:
    torch.manual_seed(0)
    defaults: dict[str, Any] = {"batch_size": 4, "epochs": 3, "log_every": 1}
    config = TrainConfig(**(defaults | settings))
    journal = Journal(None) if journal is None else journal
    source = InMemory(data_of(size), config)
    return RunState(nn.Linear(1, 2), EmpiricalRisk(), source, config, journal)


def step(state: RunState) -> None:
    """A step with a gradient that depends on the step alone."""
    for p in state.model.parameters():
        p.grad = torch.full_like(p, float(state.step % 5 - 2))
    state.optimizer.step()
    state.finish_step({"risk": 1.0 / (1 + state.step)}, 0.25)
    if state.epoch_ended:
        state.finish_epoch(0.5)


def walk(state: RunState) -> list[Tensor]:
    """The examples of each batch, which are their positions over their number."""
    batches = []
    for x, _ in state.batches():
        batches.append(x.flatten())
        step(state)
    return batches


@given(
    size=st.integers(1, 40),
    batch_size=st.integers(1, 50),
    epochs=st.integers(1, 4),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_epoch_sees_every_example_once_in_full_batches(size, batch_size, epochs, seed):
    state = state_of(size, batch_size=batch_size, epochs=epochs, seed=seed)
    batches = walk(state)
    per_epoch = -(-size // batch_size)
    assert (state.steps_per_epoch, state.total_steps) == (per_epoch, per_epoch * epochs)
    assert len(batches) == state.total_steps
    for e in range(epochs):
        parts = batches[e * per_epoch : (e + 1) * per_epoch]
        assert sorted(torch.cat(parts).tolist()) == data_of(size).x_train.flatten().tolist()
        assert all(len(p) == batch_size for p in parts[:-1])
    assert not list(state.batches())


@given(start=st.integers(0, 9), adam=st.booleans(), one_cycle=st.booleans())
def test_another_process_goes_on_where_the_first_one_stands(start, adam, one_cycle):
    settings = {} if adam else {"optimizer": "sgd", "momentum": 0.9}
    settings["schedule"] = "one-cycle" if one_cycle else "constant"
    one, other = state_of(**settings), state_of(**settings)
    for _ in range(start):
        step(one)
    course = one.course()
    other.model.load_state_dict(one.model.state_dict())
    other.follow(course)
    batches = [walk(state) for state in (one, other)]
    assert len(batches[0]) == 9 - start
    assert all(map(torch.equal, *batches))
    assert all(map(torch.equal, one.model.parameters(), other.model.parameters()))
    if start < 9:
        assert one.journal.records[-1] == other.journal.records[-1]


@given(size=st.integers(1, 20), batch_size=st.integers(1, 25), start=st.integers(0, 60))
def test_batches_go_on_where_they_stopped(size, batch_size, start):
    whole = walk(state_of(size, batch_size=batch_size))
    state = state_of(size, batch_size=batch_size)
    state.step = min(start, state.total_steps)
    for a, b in zip(whole[state.step :], walk(state), strict=True):
        assert torch.equal(a, b)


def test_epochs_are_shuffled_each_in_its_own_way() -> None:
    orders = [torch.cat(walk(state_of(64, epochs=2, seed=seed))).view(2, 64) for seed in (0, 1)]
    both = torch.cat(orders).tolist()
    assert all(both[i] != both[j] for i in range(4) for j in range(i))


def test_epochs_end_with_their_last_batch() -> None:
    state, seen = state_of(10), []
    assert (state.epoch, state.epoch_ended) == (1, False)
    for _ in state.batches():
        state.optimizer.step()
        state.finish_step({}, 0.0)
        seen.append((state.step, state.epoch, state.epoch_ended))
    expected = [(k, (k - 1) // 3 + 1, k % 3 == 0) for k in range(1, 10)]
    assert seen == expected


def test_the_schedule_is_one_cycle_over_all_steps() -> None:
    state = state_of(10)
    walk(state)
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=1.0, momentum=0.9)
    reference = OneCycleLR(optimizer, max_lr=state.config.lr, total_steps=9)
    rates = []
    for _ in range(9):
        rates.append(reference.get_last_lr()[0])
        optimizer.step()
        if len(rates) < 9:
            reference.step()
    found = [r["lr"] for r in state.journal.records if r["kind"] == "step"]
    assert found == pytest.approx(rates)
    assert max(found) <= state.config.lr
    assert found[-1] == min(found)


def test_patience_counts_epochs_since_the_least_held_out_loss(tmp_path: Path) -> None:
    losses = [3.0, 2.0, 2.0, float("nan"), 1.0, 5.0, 1.5, 1.2]
    state = state_of(4, epochs=9, patience=3)
    for number, loss in enumerate(losses, 1):
        for p in state.model.parameters():
            p.data.fill_(number)
        state.optimizer.step()
        state.finish_step({}, 0.0)
        state.finish_epoch(0.5, {"validation_loss": loss})
        assert state.stopped == (number == 8)
        if number == 6:
            state.save(tmp_path)
    assert not list(state.batches())
    again = state_of(4, epochs=9, patience=3)
    assert again.restore(tmp_path)
    for each in (state, again):
        assert each.best is not None
        assert (each.best.epoch, each.best.loss) == (5, 1.0)
        assert all((v == 5).all() for v in each.best.tensors.values())


def test_the_rate_may_be_constant() -> None:
    state = state_of(10, schedule="constant", lr=0.25)
    walk(state)
    assert {r["lr"] for r in state.journal.records if r["kind"] == "step"} == {0.25}


def test_sgd_by_hand() -> None:
    """v <- m v + g + d w, w <- w - lr v, with the momentum that was asked under both schedules."""
    for schedule in ("constant", "one-cycle"):
        settings = {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.25, "lr": 0.125}
        state = state_of(10, schedule=schedule, **settings)
        weight = state.model.get_parameter("weight")
        w, v = weight.detach().clone(), torch.zeros_like(weight)
        while state.step < 7:
            rate = state.optimizer.param_groups[0]["lr"]
            v = 0.5 * v + float(state.step % 5 - 2) + 0.25 * w
            w = w - rate * v
            step(state)
            torch.testing.assert_close(weight.detach(), w)


def test_weight_decay_of_adam_is_added_to_the_gradient() -> None:
    start, decayed = state_of(), state_of(weight_decay=0.5, schedule="constant", lr=0.1)
    reference = torch.optim.Adam(start.model.parameters(), lr=0.1, weight_decay=0.5)
    for k in range(decayed.total_steps):
        for p in start.model.parameters():
            p.grad = torch.full_like(p, float(k % 5 - 2))
        reference.step()
    walk(decayed)
    for p, q in zip(start.model.parameters(), decayed.model.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_records_of_steps_and_epochs() -> None:
    state = state_of(10, epochs=2, log_every=4)
    walk(state)
    steps = [r for r in state.journal.records if r["kind"] == "step"]
    epochs = [r for r in state.journal.records if r["kind"] == "epoch"]
    assert [(r["step"], r["epoch"], r["seconds"]) for r in steps] == [(1, 1, 0.25), (4, 2, 1.0)]
    assert steps[1]["loss"] == steps[1]["risk"] == 0.25
    assert [(r["step"], r["epoch"], r["test_accuracy"]) for r in epochs] == [
        (3, 1, 0.5),
        (6, 2, 0.5),
    ]
    assert epochs[1]["train_loss"] == pytest.approx((1 / 4 + 1 / 5 + 1 / 6) / 3)


def test_terms_may_have_any_name() -> None:
    state = state_of()
    state.optimizer.step()
    state.finish_step({"loss": 1.0, "step": 2.0, "kind": 0.5}, 0.0)
    (record,) = state.journal.records
    assert (record["kind"], record["step"], record["loss"]) == ("step", 1, 3.5)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "sgd", "momentum": 0.9, "weight_decay": 0.1, "schedule": "constant"},
        {"optimizer": "sgd"},
    ],
    ids=["adam", "sgd with momentum", "sgd"],
)
@pytest.mark.parametrize("stop", range(10))
def test_a_state_comes_back_at_any_step(
    tmp_path: Path, stop: int, settings: dict[str, Any]
) -> None:
    whole = state_of(10, Journal(tmp_path / "whole"), **settings)
    whole.journal.clear()
    walk(whole)
    state = state_of(10, Journal(tmp_path), **settings)
    state.journal.clear()
    for _ in islice(state.batches(), stop):
        step(state)
    state.save(tmp_path / "checkpoints")
    again = state_of(10, Journal(tmp_path), **settings)
    torch.nn.init.constant_(again.model.get_parameter("weight"), 7.0)
    assert again.restore(tmp_path / "checkpoints")
    assert (again.step, again.seconds) == (stop, 0.25 * stop)
    walk(again)
    assert again.journal.records == whole.journal.records
    for a, b in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_no_checkpoint_is_no_restoring(tmp_path: Path) -> None:
    assert not state_of().restore(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"lr": 0.1}, True),
        ({"epochs": 4}, True),
        ({"seed": 1}, True),
        ({"clip": None}, True),
        ({"batch_size": 5}, True),
        ({"optimizer": "sgd"}, True),
        ({"weight_decay": 0.1}, True),
        ({"schedule": "constant"}, True),
        ({"optimizer": "adam", "schedule": "one-cycle", "weight_decay": 0.0}, False),
        ({"checkpoint_every": 7, "keep_checkpoints": 5, "log_every": 9}, False),
        ({"accelerator": "cpu", "devices": 2, "backend": "gloo"}, False),
    ],
)
def test_only_the_same_trajectory_is_resumed(
    tmp_path: Path, settings: dict[str, Any], refused: bool
) -> None:
    state_of().save(tmp_path)
    other = state_of(**settings)
    if refused:
        with pytest.raises(CheckpointError, match="other data, under another rule or with another"):
            other.restore(tmp_path)
    else:
        assert other.restore(tmp_path)


def test_other_data_and_another_rule_are_refused(tmp_path: Path) -> None:
    state = state_of()
    state.save(tmp_path)
    data = data_of(10)
    changed = replace(data, x_test=data.x_test.flip(0))
    for d, rule in ((changed, EmpiricalRisk()), (data, AnalyticRule())):
        other = RunState(state.model, rule, InMemory(d, state.config), state.config, Journal(None))
        with pytest.raises(CheckpointError, match="resume with the same ones"):
            other.restore(tmp_path)
    same = InMemory(data, state.config)
    assert RunState(state.model, EmpiricalRisk(), same, state.config, Journal(None)).restore(
        tmp_path
    )


def test_another_network_is_refused(tmp_path: Path) -> None:
    state = state_of()
    state.save(tmp_path)
    other = RunState(nn.Linear(1, 3), EmpiricalRisk(), state.source, state.config, Journal(None))
    with pytest.raises(CheckpointError, match=r"kept and asked: network: \w+ and \w+\)"):
        other.restore(tmp_path)


@pytest.mark.parametrize(
    "state",
    [
        {"groups": 3},
        {"groups": [{"params": [0, 1, 2]}]},
        {"schedule": 3},
        {"epoch_loss": None},
        {"seconds": "long"},
        {"step": 99},
    ],
    ids=str,
)
def test_a_checkpoint_that_lacks_what_training_needs_is_refused(
    tmp_path: Path, state: dict[str, Any]
) -> None:
    state_of().save(tmp_path)
    (path,) = tmp_path.glob("*.safetensors")
    found = read_checkpoint(path)
    save_tensors(path, found.tensors, {**found.state, "step": 0, **state})
    with pytest.raises(CheckpointError, match="lacks what training needs"):
        state_of().restore(tmp_path)


def test_checkpoints_that_are_gone_are_not_taken_for_none_yet(tmp_path: Path) -> None:
    for stop, refused in [(2, False), (3, True), (9, True)]:
        state = state_of(journal=Journal(tmp_path), checkpoint_every=2)
        state.journal.clear()
        for _ in islice(state.batches(), stop):
            step(state)
        again = state_of(journal=Journal(tmp_path), checkpoint_every=2)
        if refused:
            message = f"has no checkpoint, although .* tells of step {stop} and one is kept at step"
            with pytest.raises(CheckpointError, match=message):
                again.restore(tmp_path / "checkpoints")
        else:
            assert not again.restore(tmp_path / "checkpoints")


def test_lost_records_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = state_of(journal=Journal(tmp_path))
    state.journal.clear()
    walk(state)
    state.save(tmp_path)
    (tmp_path / "metrics.jsonl").unlink()
    again = state_of(journal=Journal(tmp_path))
    assert again.restore(tmp_path)
    assert "lacks 3 of 3 epochs: the records are lost, the weights are not" in caplog.text
    assert again.epoch_lost
    again.log_epoch(0.25, None)
    assert not again.epoch_lost
    (record,) = again.journal.records
    assert (record["epoch"], record["test_accuracy"], record["train_loss"]) == (3, 0.25, None)


def test_records_are_on_the_disk_before_a_checkpoint_relies_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync = os.fsync

    def watch(descriptor: int) -> None:
        done.append(Path(f"/proc/self/fd/{descriptor}").readlink().name.split(".")[-1])
        fsync(descriptor)

    state = state_of(journal=Journal(tmp_path))
    monkeypatch.setattr(os, "fsync", watch)
    state.save(tmp_path)
    state.save_weights(tmp_path / "model.safetensors")
    assert done == ["jsonl", "tmp", "tmp"] * 2


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, 1, {}, {})
    with pytest.raises(CheckpointError, match="other data"):
        state_of().restore(tmp_path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_lost_weights_are_not_saved(tmp_path: Path, bad: float) -> None:
    state = state_of()
    state.save(tmp_path)
    state.step = 5
    state.model.get_parameter("bias").data[1] = bad
    with pytest.raises(NumericalError, match=r"after step 5 .* in bias: lower train.lr"):
        state.save(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1
