"""Runs are told apart by all that their weights depend on, and by nothing else."""

import json
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cases import each
from holonet.data import Dataset
from holonet.errors import CheckpointError
from holonet.training import AnalyticRule, EmpiricalRisk, ModelConfig, RunConfig, TrainConfig
from holonet.training.config import DataConfig, RuleConfig
from holonet.training.config.section import differences
from holonet.training.identity import (
    identity_of,
    kept_config,
    of_other_data,
    with_defaults,
)

X, Y = torch.arange(8.0)[:, None] / 8, torch.arange(8) % 2
DATA = Dataset(X, Y, X, Y, num_classes=2, name="toy")
NETWORKS = [nn.ReLU(), nn.Softplus(), nn.Softplus(2), nn.LeakyReLU(0.1), nn.Tanh()]
CONFIG = RunConfig(model=ModelConfig(hidden=(3,)), train=TrainConfig(epochs=1))
JSON = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=8,
)


def identity(data=DATA, rule=None, config=CONFIG.train, run: RunConfig | None = CONFIG):
    return identity_of(data, EmpiricalRisk() if rule is None else rule, config, run)


@given(a=JSON, b=JSON)
def test_there_are_no_differences_exactly_where_two_are_equal(a, b):
    assert differences(a, a) == []
    assert bool(differences(a, b)) == (a != b)


@pytest.mark.parametrize(
    ("changed", "keys"),
    [
        (identity(data=replace(DATA, x_test=X.flip(0))), ["data"]),
        (identity(rule=AnalyticRule()), ["rule"]),
        (identity(config=TrainConfig(epochs=1, lr=0.5)), ["train.lr"]),
        (identity(run=None), ["run"]),
        (
            identity(run=RunConfig(model=ModelConfig(hidden=(4,), readout="imag"))),
            ["run.model.hidden", "run.model.readout", "run.train.epochs"],
        ),
    ],
)
def test_what_differs_is_named(changed, keys):
    assert [d.split(":")[0] for d in differences(identity(), changed)] == keys


@given(pair=st.lists(st.sampled_from(NETWORKS), min_size=2, max_size=2))
def test_networks_with_weights_of_the_same_shapes_are_told_apart(pair):
    one, other = (
        identity_of(DATA, EmpiricalRisk(), CONFIG.train, network=nn.Sequential(nn.Linear(1, 2), a))
        for a in pair
    )
    expected = [] if pair[0] is pair[1] else ["network"]
    assert [d.split(":")[0] for d in differences(one, other)] == expected


def test_where_a_network_lies_in_memory_does_not_matter():
    class Strange(nn.Module):
        def extra_repr(self) -> str:
            return repr(object())

    one, other = (
        identity_of(DATA, EmpiricalRisk(), CONFIG.train, network=Strange()) for _ in range(2)
    )
    assert one == other


def test_what_weights_do_not_depend_on_is_left_out():
    free = {"checkpoint_every": 7, "keep_checkpoints": 5, "log_every": 9, "accelerator": "cpu"}
    train = TrainConfig(
        **(CONFIG.train.model_dump() | free | {"devices": 2, "num_nodes": 3, "backend": "gloo"})
    )
    assert identity(config=train, run=CONFIG.model_copy(update={"train": train})) == identity()


@given(data=st.data())
def test_settings_younger_than_a_run_had_their_defaults(data):
    old = json.loads(json.dumps(identity()))
    held = [old["train"], *old["run"].values()]
    known = [{"epochs"}, {"train"}, {"hidden"}, set(), {"epochs"}]  # those set in CONFIG
    for settings, kept in zip(held, known, strict=True):
        for key in data.draw(st.sets(st.sampled_from(sorted(set(settings) - kept)))):
            del settings[key]
    assert not differences(with_defaults(old), identity())
    other = CONFIG.train.model_copy(update={"precision": "bf16"})
    changed = identity(config=other, run=CONFIG.model_copy(update={"train": other}))
    found = {d.split(":")[0] for d in differences(with_defaults(old), changed)}
    assert found == {"train.precision", "run.train.precision"}


@each("found", [None, [], {}, {"train": 3}, {"train": {}, "run": {"data": 3, "other": {"a": 1}}}])
def test_what_is_no_identity_stays_different(found):
    assert differences(with_defaults(found), identity())


def test_the_configuration_comes_back():
    assert kept_config(identity(), "file") == CONFIG


@each("found", [None, {}, [], 3, {"run": None}, {"run": [1]}, {"run": {"a": 1}}])
def test_an_identity_without_a_configuration_is_refused(found):
    with pytest.raises(CheckpointError, match=r"^file "):
        kept_config(found, "file")


def test_differences_of_the_data_are_told_from_the_others():
    other = RunConfig(
        data=DataConfig(seed=1),
        model=ModelConfig(hidden=(3,)),
        rule=RuleConfig(weight=0.5),
        train=TrainConfig(epochs=1, log_every=3),
    )
    assert of_other_data(CONFIG, other) == (["data.seed: 0 and 1"], ["rule.weight: 0.3 and 0.5"])
