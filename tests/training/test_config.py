"""Configurations: what is kept, what is refused and how that is said."""

import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holonet.errors import ConfigError, UnknownNameError
from holonet.nn import (
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
    RealPart,
    real_parameter_count,
)
from holonet.training import (
    AnalyticRule,
    DataConfig,
    EmpiricalRisk,
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
)

positive = st.integers(1, 10**6)
seeds = st.integers(0, 2**63 - 1)
rates = st.floats(0, 1e6, exclude_min=True, allow_nan=False)
CONFIGS = st.builds(
    RunConfig,
    data=st.builds(
        DataConfig,
        name=st.text(),
        root=st.none() | st.just(Path("some/where")),
        train=st.none() | positive,
        test=st.none() | positive,
        seed=seeds,
    ),
    model=st.builds(
        ModelConfig,
        kind=st.sampled_from(["holomorphic", "real", "real-twin"]),
        hidden=st.lists(positive, max_size=4).map(tuple),
        activation=st.text(),
        readout=st.sampled_from(["real", "imag", "modulus", "log-modulus"]),
        gain=rates,
    ),
    rule=st.builds(
        RuleConfig,
        name=st.sampled_from(["standard", "analytic"]),
        weight=rates | st.just(0.0),
        on=st.sampled_from(["logits", "probabilities", "loss"]),
        probes=positive | st.just("exact"),
        mode=st.sampled_from(["forward", "reverse"]),
    ),
    train=st.builds(
        TrainConfig,
        epochs=positive,
        batch_size=positive,
        lr=rates,
        clip=rates | st.just(math.inf) | st.none(),
        seed=seeds,
        checkpoint_every=positive,
        keep_checkpoints=positive,
        log_every=positive,
        accelerator=st.sampled_from(["auto", "cpu", "cuda"]),
        devices=positive,
        backend=st.sampled_from(["auto", "gloo", "nccl"]),
    ),
)


@given(config=CONFIGS)
def test_toml_round_trip(config):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(config.to_toml().encode())
        found = RunConfig.read(path)
    assert found == config
    assert found.differences(config) == []
    assert RunConfig.from_mapping(config.model_dump(exclude_none=True)) == config


def test_sections_and_keys_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[train]\nepochs = 3\n")
    assert RunConfig.read(path) == RunConfig(train=TrainConfig(epochs=3))
    path.write_text("")
    assert RunConfig.read(path) == RunConfig()


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("[train]\nepoch = 3", ["unknown key train.epoch, did you mean epochs?", "checkpoint_ev"]),
        ("[modle]", ["unknown key modle, did you mean model?", "Known: data, model, rule, train"]),
        ("[train]\nxyzzy = 3", ["unknown key train.xyzzy. Known: accelerator"]),
        ("[train]\nepochs = 0", ["train.epochs = 0: input should be greater than or equal to 1"]),
        ("[train]\nepochs = 'six'", ["train.epochs = 'six': input should be a valid integer"]),
        ("[train]\nepochs = true", ["train.epochs = True: no setting is true or false"]),
        ("[train]\nlr = nan", ["train.lr = nan: "]),
        ("[train]\nlr = inf", ["train.lr = inf: "]),
        ("[train]\nlr = 0.0", ["train.lr = 0.0: input should be greater than 0"]),
        ("[train]\nclip = -1.0", ["train.clip = -1.0: "]),
        ("[train]\nclip = nan", ["train.clip = nan: "]),
        ("[train]\nseed = -1", ["train.seed = -1: "]),
        (
            "[train]\naccelerator = 'tpu'",
            ["train.accelerator = 'tpu': ", "'auto', 'cpu' or 'cuda'"],
        ),
        ("[model]\nhidden = [3, 0]", ["model.hidden.1 = 0: input should be greater"]),
        ("[model]\nhidden = 3", ["model.hidden = 3: "]),
        ("[model]\ngain = -1.0", ["model.gain = -1.0: "]),
        ("[model]\nreadout = 'reel'", ["model.readout = 'reel': ", "'real'"]),
        (
            "[rule]\nweight = -0.5",
            ["rule.weight = -0.5: input should be greater than or equal to 0"],
        ),
        ("[rule]\nname = 'anlytic'", ["rule.name = 'anlytic': ", "'analytic'"]),
        ("[rule]\nprobes = 0", ["rule.probes = 0: ", "equal to 1, or input should be 'exact'"]),
        ("[rule]\nprobes = 'exct'", ["rule.probes = 'exct': ", "integer", "'exact'"]),
        ("[data]\ntrain = 0", ["data.train = 0: "]),
        ("train = 3", ["train = 3: ", "dictionary"]),
        (
            "[train]\nepoch = 3\nlr = 0.0\n[rul]",
            ["train.epoch", "train.lr = 0.0", "did you mean rule"],
        ),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, messages: list[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        RunConfig.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    for message in messages:
        assert message in str(caught.value)
    assert "constrained" not in str(caught.value)  # no inner words of the validator


@pytest.mark.parametrize(
    ("section", "fault", "message"),
    [
        (TrainConfig, {"epochs": 0}, "TrainConfig: epochs = 0: "),
        (ModelConfig, {"kind": "reel"}, "ModelConfig: kind = 'reel': "),
        (RuleConfig, {"wieght": 1.0}, "RuleConfig: unknown key wieght, did you mean weight"),
        (DataConfig, {"test": -1}, "DataConfig: test = -1: "),
        (RunConfig, {"train": {"lr": 0.0}}, "RunConfig: train.lr = 0.0: "),
    ],
)
def test_construction_raises_errors_of_ours(
    section: Any, fault: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        section(**fault)
    assert str(caught.value).startswith(message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no configuration at .*missing\.toml"):
        RunConfig.read(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match="cannot read"):
        RunConfig.read(tmp_path)
    for content in (b"epochs: 3", b"\xff\xfe"):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(ConfigError, match="other is not TOML"):
            RunConfig.read(tmp_path / "other")


def test_differences_name_both_values() -> None:
    other = RunConfig(train=TrainConfig(lr=0.5), data=DataConfig(train=10))
    assert RunConfig().differences(other) == ["data.train: None and 10", "train.lr: 0.003 and 0.5"]


def test_rules_are_built() -> None:
    assert type(RuleConfig(name="standard").build()) is EmpiricalRisk
    rule = RuleConfig(weight=2.0, on="loss", probes="exact", mode="forward").build()
    assert repr(rule) == repr(AnalyticRule(2.0, "loss", None, "forward"))


def weights(config: ModelConfig, seed: int) -> list[torch.Tensor]:
    return list(config.build(5, 3, seed=seed).state_dict().values())


@pytest.mark.parametrize("kind", ["holomorphic", "real", "real-twin"])
@given(seed=seeds, hidden=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_the_seed_decides_the_weights_and_nothing_else_does(kind, seed, hidden):
    config = ModelConfig(kind=kind, hidden=tuple(hidden))
    before = torch.get_rng_state()
    first = weights(config, seed)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(1)
    assert all(map(torch.equal, first, weights(config, seed)))
    other = weights(config, (seed + 1) % 2**63)
    assert any(not torch.equal(a, b) for a, b in zip(first, other, strict=True))


@given(
    in_features=st.integers(1, 100),
    hidden=st.lists(st.integers(4, 40), min_size=1, max_size=3),
    classes=st.integers(2, 10),
)
def test_a_real_twin_has_about_as_many_parameters(in_features, hidden, classes):
    holomorphic, twin = (
        ModelConfig(kind=kind, hidden=tuple(hidden)).build(in_features, classes)
        for kind in ("holomorphic", "real-twin")
    )
    count, twin_count = map(real_parameter_count, (holomorphic, twin))
    widest = max(m.out_features for m in twin.modules() if isinstance(m, nn.Linear))
    one_unit_more = in_features + classes + (2 * widest + 1) * len(hidden)
    assert abs(twin_count - count) <= one_unit_more
    assert not any(p.is_complex() for p in twin.parameters())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("real", RealPart), ("imag", ImagPart), ("modulus", Modulus), ("log-modulus", LogModulus)],
)
def test_readouts(name: Any, kind: type[nn.Module]) -> None:
    model = ModelConfig(readout=name).build(4, 2)
    assert isinstance(model, HolomorphicClassifier)
    assert type(model.readout) is kind


def test_an_unknown_activation_is_named_at_build() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown activation 'tahn': .*'tanh'"):
        ModelConfig(activation="tahn").build(4, 2)


def test_a_twin_needs_a_hidden_layer() -> None:
    assert real_parameter_count(ModelConfig(hidden=()).build(4, 2)) == 2 * (4 * 2 + 2)
    with pytest.raises(ConfigError, match="hidden layer"):
        ModelConfig(kind="real-twin", hidden=()).build(4, 2)
