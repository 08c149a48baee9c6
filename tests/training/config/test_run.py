"""A configuration as a whole: its file, what is refused in it, what two of them differ in."""

import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet.errors import ConfigError
from holonet.functions import CATALOGUE
from holonet.training import (
    DataConfig,
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
)

RULE_NAMES = [
    "standard",
    "analytic",
    "fgsm",
    "fgsm-rs",
    "pgd",
    "trades",
    "linearized",
    "analytic+fgsm-rs",
]


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
        coefficients=st.sampled_from(["complex", "real"]),
        activation=st.sampled_from([*CATALOGUE]),
        match=st.sampled_from(["none", "parameters", "macs"]),
        family=st.sampled_from(["mlp", "convnet"]),
        hidden=st.lists(positive, max_size=4).map(tuple),
        channels=st.lists(positive, max_size=4).map(tuple),
        kernel_size=positive,
        stride=positive,
        pooling=positive,
        dense=st.lists(positive, max_size=4).map(tuple),
        residual=st.integers(0, 9),
        alpha=rates,
        normalizer=st.sampled_from(["none", "frozen"]),
        readout=st.sampled_from(["real", "modulus", "log-modulus"]),
        gain=rates | st.sampled_from(["data", "intervals"]),
    ),
    rule=st.builds(
        RuleConfig,
        name=st.sampled_from(RULE_NAMES),
        weight=rates | st.just(0.0),
        target=st.sampled_from(["logits", "probabilities", "loss"]),
        probes=positive | st.just("exact"),
        mode=st.sampled_from(["forward", "reverse"]),
        gradient_norm=st.sampled_from(["L1", "L2"]),
        directions=st.sampled_from(["real", "complex"]),
        cauchy_riemann=rates | st.just(0.0),
        harmonic=rates | st.just(0.0),
        norm=st.sampled_from(["Linf", "L2", "L1", "polydisc", "complex_ball"]),
        eps=st.floats(0, 1),
        bounds=st.sampled_from([(0.0, 1.0), (-1.0, 2.0), "none"]),
        steps=positive,
        beta=rates | st.just(0.0),
        schedule=st.sampled_from(["constant", "linear", "cosine"]),
        warm_up=st.floats(0, 1, exclude_min=True),
    ),
    train=st.builds(
        TrainConfig,
        epochs=positive,
        batch_size=positive,
        lr=rates,
        clip=rates | st.just(math.inf) | st.none(),
        optimizer=st.just("sgd"),
        momentum=st.floats(0, 1, exclude_max=True),
        weight_decay=rates | st.just(0.0),
        schedule=st.sampled_from(["one-cycle", "constant"]),
        augment=st.sampled_from(["shift", "flip-shift"]),
        shift=st.none() | positive,
        class_weights=st.sampled_from(["none", "balanced"])
        | st.lists(st.floats(0, 1e6), min_size=1, max_size=4).map(tuple),
        precision=st.sampled_from(["full", "bf16"]),
        validation=st.floats(1e-3, 1, exclude_max=True),
        patience=st.none() | positive,
        seed=seeds,
        checkpoint_every=positive,
        keep_checkpoints=positive,
        log_every=positive,
        accelerator=st.sampled_from(["auto", "cpu", "cuda"]),
        devices=positive,
        num_nodes=positive,
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
    path.write_bytes(b"\xef\xbb\xbf[train]\r\nepochs = 3\r\n")  # as editors of Windows do
    assert RunConfig.read(path) == RunConfig(train=TrainConfig(epochs=3))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml does not exist"):
        RunConfig.read(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match="is not a regular file"):
        RunConfig.read(tmp_path)
    for content in (b"epochs: 3", b"\xff\xfe"):
        (tmp_path / "other").write_bytes(content)
        with pytest.raises(ConfigError, match="other is not TOML"):
            RunConfig.read(tmp_path / "other")


DEEP = "[model]\nhidden = " + "[" * 3000 + "]" * 3000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DEEP, "nested too deeply"),
        (f"[train]\nepochs = {'9' * 5000}", "is not TOML"),
        (f"[train]\nepochs = {'9' * 30}", r"train\.epochs"),
        (f"[train]\nbatch_size = {2**31}", r"train\.batch_size = 2147483648: "),
        ("[model]\nresidual = 1000000000", r"model\.residual = 1000000000: "),
        (f"[model]\nhidden = {[1] * 1001}", r"model\.hidden"),
        ('[data]\nname = "a\\u0000.npz"', r"data\.name"),
        ('[data]\nroot = "a\\u0000"', r"data\.root"),
        ("[train]\npatience = 3", r"train\.patience = 3: no examples are held out, set train\.val"),
        ("#" * (1 << 20) + "\n", "at most 1048576 are read"),
    ],
    ids=lambda text: text[:30],
)
def test_what_is_beyond_bounds_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        RunConfig.read(str(tmp_path / "run.toml"))


def test_differences_name_both_values() -> None:
    other = RunConfig(train=TrainConfig(lr=0.5), data=DataConfig(train=10))
    assert RunConfig().differences(other) == ["data.train: None and 10", "train.lr: 0.01 and 0.5"]


def test_unused_settings_are_named_with_what_ignores_them() -> None:
    unused = RunConfig(rule=RuleConfig(name="standard")).unused()
    assert unused["rule.beta"] == "rule.name = 'standard'"
    assert unused["model.channels"] == "model.family = 'mlp'"
    assert unused["data.root"] == "data.name = 'digits'"
    assert unused["train.momentum"] == "train.optimizer = 'adam'"
    assert unused["train.backend"] == "train.devices = 1"
    assert "data.root" not in RunConfig(data=DataConfig(name="mnist")).unused()
    several = TrainConfig(optimizer="sgd", devices=2, validation=0.1, augment="shift")
    assert not any(key.startswith("train.") for key in RunConfig(train=several).unused())
