"""Peaks of steps whose allocations are known."""

import pytest
import torch
from torch import nn

from holonet.bench.memory import Peak, Work, peak
from holonet.functions import get_function
from holonet.ops import pointwise, use


def block(size):
    return torch.empty(size, dtype=torch.uint8)


def test_a_known_pattern():
    outside = block(5000)  # there before, and let go while it runs

    def build():
        nonlocal outside
        del outside
        kept, gradients = block(100), []

        def differentiate():
            gradients.clear()
            first, second = block(10), block(20)
            del first
            gradients.append(block(7))
            third = block(40)
            del second
            return third[:1]

        def update():
            return (block(30), kept)[1]

        return Work(differentiate, update)

    assert peak(build) == Peak(whole=100 + 20 + 7 + 40, activations=20 + 40)


def test_the_update_counts_in_the_whole_and_the_first_run_does_not():
    def build():
        states = []

        def update():
            if not states:
                block(1000)
                states.append(block(50))
            return block(300)

        return Work(lambda: block(10), update)

    assert peak(build) == Peak(whole=350, activations=10)


@pytest.mark.parametrize("backend", ["compiled", "reference"])
def test_outputs_of_compiled_code_are_seen(backend):
    sine, z = get_function("sin"), torch.zeros(1000, dtype=torch.complex64)

    def differentiate():
        with use(backend):
            return pointwise(sine, z)

    assert peak(lambda: Work(differentiate, lambda: None)).activations == 8000


def test_a_training_step():
    n = 100
    parameters, batch = n * n + n, 10 * n

    def build():
        layer, x = nn.Linear(n, n), torch.rand(10, n)
        optimizer = torch.optim.SGD(layer.parameters(), momentum=0.9)

        def differentiate():
            optimizer.zero_grad()
            layer(x).sum().backward()

        return Work(differentiate, optimizer.step)

    found = peak(build)
    assert found.whole >= 4 * (3 * parameters + batch)  # weights, momenta, gradients, data
    assert found.whole <= 4 * (3 * parameters + 5 * batch)
    assert 4 * batch <= found.activations <= 4 * 4 * batch
    assert peak(build) == found
