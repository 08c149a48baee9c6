"""Other libraries take a network of holonet as they take any module: docs/neighbours.md."""

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
