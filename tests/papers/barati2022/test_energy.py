"""One cell of the range of weights, from training to its numbers."""

from dataclasses import replace

import pytest
import torch

from holonet.data import load_digits
from holonet.papers.barati2022.energy import run_energy
from holonet.papers.barati2022.networks import logit_energy, train_network
from holonet.papers.barati2022.settings import (
    Attack,
    EnergySettings,
    ImageData,
    Network,
    Training,
)
from holonet.training import accuracy

DATA = load_digits().subset(train=200, test=60)
SETTINGS = EnergySettings(
    Network("relu", 0.0, seed=1),
    Training(hidden=(6,), epochs=4, batch_size=50, lr=1e-2),
    Attack(examples=40, eps=0.05, steps=5),
    ImageData("digits", "", 200),
)


def test_the_numbers_are_those_of_the_trained_network(tmp_path) -> None:
    before = torch.get_rng_state()
    found = run_energy(SETTINGS, DATA, tmp_path)
    model = train_network(SETTINGS.network, SETTINGS.training, DATA, tmp_path)
    assert found["clean"] == accuracy(model, DATA.x_test, DATA.y_test)
    assert found["energy"] == pytest.approx(logit_energy(model, DATA.x_test[:40]))
    assert 0 <= found["robust"] <= accuracy(model, DATA.x_test[:40], DATA.y_test[:40])
    assert -1e-3 < found["defect"] < 1
    assert run_energy(SETTINGS, DATA, tmp_path) == found
    assert torch.equal(torch.get_rng_state(), before)


def test_larger_attacks_leave_less(tmp_path) -> None:
    robust = [
        run_energy(replace(SETTINGS, attack=replace(SETTINGS.attack, eps=eps)), DATA, tmp_path)[
            "robust"
        ]
        for eps in (0.01, 0.05, 0.5)
    ]
    assert robust[0] > robust[1] > robust[2]
