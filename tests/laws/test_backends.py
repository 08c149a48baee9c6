"""The compiled path from end to end: a network is trained, evaluated and attacked on it."""

import importlib

import pytest
import torch

from holonet.attacks import ThreatModel, pgd
from holonet.data import load_digits
from holonet.functions import CATALOGUE
from holonet.nn import holomorphic_mlp, to_precision
from holonet.ops import dispatch, explain, use
from holonet.training import AnalyticRule, TrainConfig, fit


@pytest.fixture(scope="module", autouse=True)
def backend() -> None:
    """Both are requested below, in place of "reference" everywhere."""


def trained(backend: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits of a tanh network after two epochs, and the margins of attacked examples."""
    data = load_digits().subset(train=192, test=64)
    generator = torch.Generator().manual_seed(0)
    network = holomorphic_mlp(64, [24], 10, activation="tanh", gain=0.3, generator=generator)
    config = TrainConfig(epochs=2, batch_size=64, accelerator="cpu", lr=0.01)
    with use(backend):
        fit(network, data, AnalyticRule(0.1), config)
        network = to_precision(network, torch.complex128)
        x = data.x_test.double()
        attacked = pgd(network, x, data.y_test, ThreatModel("Linf", 0.05), steps=3)
        return network(x).detach(), attacked.margin


def test_training_on_compiled_code_is_training_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = set()
    planned = dispatch.plan

    def watched(*arguments):
        plan = planned(*arguments)
        plans.add(plan.backend)
        return plan

    function = importlib.import_module("holonet.ops.pointwise.function")
    monkeypatch.setattr(function, "plan", watched)
    expected = trained("reference")
    assert plans == {"reference"}
    results = trained("compiled")
    assert "compiled" in plans
    for result, reference in zip(results, expected, strict=True):
        torch.testing.assert_close(result, reference, rtol=1e-3, atol=1e-3)
    with use("auto"):  # and it is what a user gets
        many = torch.zeros(1 << 14, dtype=torch.complex64)
        assert explain(CATALOGUE["tanh"], many).startswith("compiled")
