"""Faults are named by their dotted key."""

from pathlib import Path
from typing import Any

import pytest

from holonet.errors import ConfigError
from holonet.training import (
    DataConfig,
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
)


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
        ("[model]\ngain = 'date'", ["model.gain = 'date': ", "number", "'data'"]),
        ("[model]\nfamily = 'cnn'", ["model.family = 'cnn': ", "'mlp' or 'convnet'"]),
        ("[model]\nresidual = true", ["model.residual = True: no setting is true or false"]),
        ("[model]\nchannels = [4, 0]", ["model.channels.1 = 0: "]),
        ('[train]\noptimizer = "Adamm"', ["train.optimizer", "did you mean 'adam'?"]),
        ('[rule]\nnorm = "linf"', ["'L2', 'L1'", "did you mean 'Linf'"]),
        ("[rule]\neps = 2.0", ["rule.bounds = (0.0, 1.0): ThreatModel(eps=2.0"]),
        ("[model]\nkernel = 3", ["unknown key model.kernel, did you mean kernel_size"]),
        ("[model]\nreadout = 'reel'", ["model.readout = 'reel': ", "'real'"]),
        (
            "[rule]\nweight = -0.5",
            ["rule.weight = -0.5: input should be greater than or equal to 0"],
        ),
        ("[rule]\nname = 'anlytic'", ["rule.name = 'anlytic': ", "'analytic'"]),
        ("[rule]\neps = -0.1", ["rule.eps = -0.1: input should be greater than or equal to 0"]),
        ("[rule]\neps = true", ["rule.eps = True: no setting is true or false"]),
        ("[rule]\neps = 2.0", ["rule.bounds = (0.0, 1.0): ", "exceeds the range", "'none' is for"]),
        ("[rule]\nbounds = [1.0, 0.0]", ["rule.bounds = [1.0, 0.0]: ", "lower < upper"]),
        ("[rule]\nbounds = 'box'", ["rule.bounds", "'none'"]),
        ("[rule]\nnorm = 'linf'", ["rule.norm = 'linf': ", "'Linf'"]),
        ("[rule]\nwarm_up = 0.0", ["rule.warm_up = 0.0: input should be greater than 0"]),
        ("[rule]\nharmonic = nan", ["rule.harmonic = nan: "]),
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
        (TrainConfig, {"momentum": 0.9}, "TrainConfig: momentum = 0.9: adam takes none"),
        (ModelConfig, {"match": "reel"}, "ModelConfig: match = 'reel': "),
        (RuleConfig, {"wieght": 1.0}, "RuleConfig: unknown key wieght, did you mean weight"),
        (DataConfig, {"test": -1}, "DataConfig: test = -1: "),
        (RunConfig, {"train": {"lr": 0.0}}, "RunConfig: train.lr = 0.0: "),
    ],
)
def test_construction_raises_holonet_errors(
    section: Any, fault: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        section(**fault)
    assert str(caught.value).startswith(message)
