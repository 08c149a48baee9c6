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


def test_settings_are_ignored_without_sgd_moved_images_held_out_part_and_second_device() -> None:
    assert TrainConfig().ignored() == {
        "optimizer = 'adam'": ("momentum",),
        "augment = 'none'": ("shift",),
        "validation = 0.0": ("patience",),
        "devices = 1": ("backend",),
    }
    used = TrainConfig(optimizer="sgd", validation=0.1, augment="shift", devices=2)
    assert not used.ignored()
    assert not used.model_copy(update={"devices": 1, "num_nodes": 2}).ignored()
    assert TrainConfig(augment="flip").ignored()["augment = 'flip'"] == ("shift",)
    assert TrainConfig(devices=2, num_nodes=3).processes == 6
