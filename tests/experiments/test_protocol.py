"""How the networks of a comparison are attacked."""

import functools
from typing import Any

import pytest
import torch
from torch import nn

import holonet.experiments.protocol as protocols
from holonet.attacks import ThreatModel, apgd, apgd_targeted
from holonet.data import load_digits
from holonet.errors import ConfigError
from holonet.experiments import ATTACKERS, Protocol
from holonet.experiments.protocol import batches, measure_robustness
from holonet.training import TrainConfig, accuracy, fit
from holonet.training.rules import EmpiricalRisk

DATA = load_digits().subset(train=300, test=40)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    fit(model, DATA, EmpiricalRisk(), TrainConfig(epochs=8, batch_size=32, lr=1e-2))
    return model.eval()


@pytest.fixture(autouse=True)
def _few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    members = {
        "apgd-ce": functools.partial(apgd, steps=5),
        "apgd-t": functools.partial(apgd_targeted, steps=5),
    }
    monkeypatch.setattr(protocols, "STRONG", members)


@pytest.mark.parametrize("attack", ["pgd", "strong"])
def test_the_curve_falls_from_the_clean_accuracy(attack: str, network: nn.Module) -> None:
    protocol = Protocol(eps=(0.1, 0.0, 0.02), steps=5, restarts=1, attack=attack)
    calls: list[None] = []
    points = measure_robustness(network, DATA, protocol, on_batch=lambda: calls.append(None))
    assert [p.eps for p in points] == [0.1, 0.0, 0.02]
    assert len(calls) == batches(DATA, protocol)
    by_radius = {p.eps: p.accuracy for p in points}
    assert by_radius[0.0] == accuracy(network, DATA.x_test, DATA.y_test)
    assert by_radius[0.0] >= by_radius[0.02] > by_radius[0.1]
    assert {p.examples for p in points} == {40}


def test_the_box_is_that_of_the_data(network: nn.Module) -> None:
    narrow = Protocol(ThreatModel("Linf", 0.1, (-9.0, 9.0)), eps=(0.1,), attack="strong")
    wide = Protocol(ThreatModel("Linf", 0.1, (0.0, 1.0)), eps=(0.1,), attack="strong")
    assert measure_robustness(network, DATA, narrow) == measure_robustness(network, DATA, wide)


def test_autoattack_is_asked_where_the_radius_is_not_0(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, int]] = []

    def fake(model: Any, x: Any, y: Any, threat: ThreatModel, *, seed: int) -> Any:
        assert seed == 0
        asked.append((threat.eps, len(y)))
        return apgd(model, x, y, threat, steps=5)

    monkeypatch.setattr(protocols, "autoattack", fake)
    points = measure_robustness(network, DATA, Protocol(eps=(0.0, 0.02), attack="autoattack"))
    assert asked == [(0.02, points[0].correct)]


@pytest.mark.parametrize(
    ("options", "message"),
    [({"attack": "fgsm"}, "choose one of pgd, strong, autoattack"), ({"examples": 0}, "at least")],
)
def test_bad_protocols_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Protocol(**options)


def test_every_attacker_has_a_name() -> None:
    assert [Protocol(attack=a).attack for a in ATTACKERS] == ["pgd", "strong", "autoattack"]
