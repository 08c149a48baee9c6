"""The contenders that suites share."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from holonet.bench.case import (
    complex_products,
    of_products,
    pulled,
    traffic,
    training_step,
    training_work,
)


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


def test_a_copy_moves_a_tensor_twice():
    z = torch.zeros(10, dtype=torch.complex64)
    assert (traffic(z, 5).work, traffic(z, 5).of_bound) == (400, 160)


def test_operations_of_products_are_those_that_torch_counts():
    with FlopCounterMode(display=False) as counter:
        complex_products((7, 5, 3), 4)()
    # torch counts a multiplication and an addition, of complex numbers as of real ones
    assert of_products((7, 5, 3), 4).work == 4 * counter.get_total_flops()
