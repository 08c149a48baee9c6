"""Optimizer settings that contradict each other are refused."""

import math

import pytest

from holonet.errors import ConfigError
from holonet.training import TrainConfig


def test_momentum_is_of_sgd_alone() -> None:
    assert TrainConfig(optimizer="sgd", momentum=0.9).momentum == 0.9
    with pytest.raises(ConfigError, match="adam takes none"):
        TrainConfig(momentum=0.9)


def test_no_limit_of_gradients_is_infinity() -> None:
    assert TrainConfig.model_validate({"clip": None}).clip == math.inf


def test_adam_ignores_momentum_one_device_the_backend_and_no_held_out_part_patience() -> None:
    assert TrainConfig().ignored() == {
        "optimizer = 'adam'": ("momentum",),
        "validation = 0.0": ("patience",),
        "devices = 1": ("backend",),
    }
    assert not TrainConfig(optimizer="sgd", validation=0.1, devices=2).ignored()
    assert not TrainConfig(optimizer="sgd", validation=0.1, num_nodes=2).ignored()
    assert TrainConfig(devices=2, num_nodes=3).processes == 6
