"""The contenders that suites share."""

import torch
from torch import nn

from holonet.experiments.bench.case import pulled, training_step, training_work


def test_a_step_updates_and_a_half_of_it_does_not():
    model, x, y = nn.Linear(3, 2), torch.rand(4, 3), torch.tensor([0, 1, 0, 1])
    before = model.weight.detach().clone()

    def loss(model, x, y):
        return nn.functional.cross_entropy(model(x), y)

    training_work(model, loss, x, y).differentiate()
    assert torch.equal(model.weight, before)
    assert model.weight.grad.abs().sum() > 0
    training_step(model, loss, x, y)()
    assert not torch.equal(model.weight, before)


def test_pulled_is_the_gradient():
    leaf = torch.tensor([3.0], requires_grad=True)
    assert pulled(torch.square, leaf, torch.tensor([2.0]))()[0].item() == 12.0
