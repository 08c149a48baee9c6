"""Other libraries take a network of holonet as they take any module: docs/neighbours.md."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from captum.attr import IntegratedGradients, Saliency
from torch import Tensor
from torch import nn as tnn
from torch.func import functional_call, grad, vmap

from holonet import nn
from holonet.attacks.objectives import input_gradient


@pytest.fixture
def network() -> tnn.Module:
    torch.manual_seed(0)
    return nn.to_precision(nn.holomorphic_mlp(6, [5], 3, activation="sin"), torch.complex128).eval()


def examples() -> tuple[Tensor, Tensor]:
    return torch.rand(4, 6, dtype=torch.float64), torch.arange(4) % 3


def test_integrated_gradients_of_captum_are_complete(network: tnn.Module) -> None:
    """Attributions of a logit add up to its difference from the baseline."""
    x, y = examples()
    baseline = torch.full_like(x, 0.3)
    attributions, delta = IntegratedGradients(network).attribute(
        x, baseline, target=y, n_steps=32, return_convergence_delta=True
    )
    difference = (network(x) - network(baseline)).gather(1, y[:, None])[:, 0]
    # captum 0.9 has the weights of its quadrature in single precision
    torch.testing.assert_close(attributions.sum(1), difference, rtol=1e-6, atol=1e-7)
    assert attributions.dtype == torch.float64
    assert delta.abs().max() < 1e-7
    assert difference.abs().min() > 1e-3


def test_saliency_of_captum_is_the_gradient_in_the_example(network: tnn.Module) -> None:
    x, y = examples()
    found = Saliency(network).attribute(x.requires_grad_(), target=y, abs=False)
    expected, _ = input_gradient(network(x).gather(1, y[:, None]), x)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-13)


def test_gradients_of_each_example_by_vmap(network: tnn.Module) -> None:
    x, y = examples()
    weights = {name: p.detach() for name, p in network.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        return tnn.functional.cross_entropy(functional_call(network, weights, (x[None],)), y[None])

    found = vmap(grad(loss), in_dims=(None, 0, 0))(weights, x, y)
    for k in range(len(x)):
        network.zero_grad()
        loss(dict(network.named_parameters()), x[k], y[k]).backward()
        for name, p in network.named_parameters():
            assert p.grad is not None
            torch.testing.assert_close(found[name][k], p.grad, msg=f"{name}, example {k}")


LIGHTNING = """
import lightning
import torch
from torch.utils.data import DataLoader, TensorDataset

from holonet.attacks import ThreatModel
from holonet.nn import holomorphic_mlp
from holonet.training import AnalyticRule, LinearizedRobustOptimization


class Classifier(lightning.LightningModule):
    def __init__(self, rule):
        super().__init__()
        self.model = holomorphic_mlp(8, [5], 3, generator=torch.Generator().manual_seed(1))
        self.rule = rule

    def training_step(self, batch):
        return self.rule(self.model, *batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


x, y = torch.linspace(0, 1, 64).view(8, 8), torch.arange(8) % 3
options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
options |= {"accelerator": "cpu", "devices": 2, "strategy": "ddp", "max_epochs": 5}
for rule in (
    LinearizedRobustOptimization(ThreatModel("Linf", 0.1)),
    AnalyticRule(0.3, "logits", None, "forward"),
    AnalyticRule(0.3, "logits", None, "reverse"),
):
    two, one = Classifier(rule), Classifier(rule)
    lightning.Trainer(**options).fit(two, DataLoader(TensorDataset(x, y), batch_size=4))
    optimizer = one.configure_optimizers()
    for _ in range(5):
        optimizer.zero_grad()
        rule(one.model, x, y).backward()
        optimizer.step()
    for p, q in zip(two.parameters(), one.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-6)
        assert q.grad.abs().max() > 1e-3
print("the same")
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_two_processes_of_lightning_train_as_one(tmp_path: Path) -> None:
    """Lightning's DistributedDataParallel is around the loss, which every rule passes."""
    script = tmp_path / "lightning_on_two.py"
    script.write_text(LIGHTNING)
    variables = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | variables,
    )
    assert done.returncode == 0, done.stderr
    assert "the same" in done.stdout
