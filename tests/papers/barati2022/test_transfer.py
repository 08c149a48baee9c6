"""The transfer cell: halves are disjoint, distances are distances, rates point the right way."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holonet.attacks import ThreatModel, pgd
from holonet.data import load_digits
from holonet.errors import DataError
from holonet.papers.barati2022.networks import train_network
from holonet.papers.barati2022.settings import (
    Attack,
    ImageData,
    Network,
    Training,
    TransferSettings,
)
from holonet.papers.barati2022.transfer import halves, pair_measures, run_transfer

DATA = load_digits().subset(train=401, test=100)
SETTINGS = TransferSettings(
    {
        "a": Network("relu", 0.0, seed=0, half=0),
        "b": Network("holomorphic", 0.01, seed=1, half=1),
        "c": Network("softplus", 0.0, seed=2, half=1),
    },
    Training(hidden=(8,), epochs=8, batch_size=50, lr=2e-2),
    Attack(examples=80, eps=0.1, steps=5),
    ImageData("digits", "", 401),
)


class Linear(nn.Module):
    """Logits W x."""

    def __init__(self, seed, scale=1.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = scale * torch.randn(4, 6, generator=generator, dtype=torch.float64)

    def forward(self, x):
        return x @ self.weight.mT


def test_halves_are_disjoint_and_whole() -> None:
    first, second = halves(DATA)
    assert (len(first.x_train), len(second.x_train)) == (200, 201)
    assert torch.equal(torch.cat([first.x_train, second.x_train]), DATA.x_train)
    assert torch.equal(torch.cat([first.y_train, second.y_train]), DATA.y_train)
    assert torch.equal(first.x_test, second.x_test)


@given(st.integers(0, 999), st.floats(0.1, 10.0))
def test_distances_of_logit_functions(seed, scale) -> None:
    x = torch.randn(9, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    models = {"a": Linear(1), "b": Linear(2), "scaled a": Linear(1, scale), "-a": Linear(1, -1.0)}
    found = pair_measures(models, x)
    for m in found.values():
        torch.testing.assert_close(m, m.mT)
        assert m.diagonal().abs().max() == 0
    logits = found["logit_distance"]
    torch.testing.assert_close(logits[0], logits[2], atol=1e-12, rtol=1e-9)  # scale is not seen
    assert logits[0, 3] == pytest.approx(2)  # the opposite
    assert 0 < logits[0, 1] < 2
    probabilities = found["probability_distance"]
    direct = (models["a"](x).softmax(1) - models["b"](x).softmax(1)).square().mean().sqrt()
    assert probabilities[0, 1] == pytest.approx(float(direct))


def test_a_cell_from_end_to_end(tmp_path) -> None:
    heard = []
    found = run_transfer(SETTINGS, DATA, tmp_path, heard.append)
    assert heard == sorted(heard)
    assert [n["key"] for n in found["networks"]] == ["a", "b", "c"]
    rates = torch.tensor(found["rates"])
    assert rates.shape == (3, 3)
    assert (rates.diagonal() + 1e-9 >= rates).all()  # nothing beats a network's own attack here
    parts = halves(DATA)
    models = [
        train_network(n, SETTINGS.training, parts[n.half], tmp_path / key)
        for key, n in SETTINGS.networks.items()
    ]
    x, y = DATA.x_test[:80], DATA.y_test[:80]
    right = torch.stack([m(x).argmax(1) == y for m in models]).all(0)
    assert found["examples"] == int(right.sum())
    x, y = x[right], y[right]
    moved = pgd(models[0], x, y, ThreatModel("Linf", 0.1, (0.0, 1.0)), steps=5).x_adv
    fooled = float((models[1](moved).argmax(1) != y).double().mean())
    assert found["rates"][0][1] == pytest.approx(fooled)
    assert run_transfer(SETTINGS, DATA, tmp_path, heard.append) == found


def test_networks_that_agree_on_too_little_are_refused(tmp_path) -> None:
    few = replace(
        SETTINGS,
        attack=replace(SETTINGS.attack, examples=10),
        training=replace(SETTINGS.training, epochs=1),
    )
    with pytest.raises(DataError, match="at least 20 are needed"):
        run_transfer(few, DATA, tmp_path, lambda fraction: None)
