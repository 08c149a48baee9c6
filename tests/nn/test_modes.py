"""Eval mode for a while: modes come back, whoever ends last."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from holonet.attacks import ThreatModel, pgd
from holonet.nn import Activation, HolomorphicClassifier, Linear, Sequential
from holonet.nn.models.counts import macs
from holonet.nn.modes import _held, evaluating, running_statistics


def modes(model):
    return [module.training for module in model.modules()]


def test_modes_come_back_after_errors():
    model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())

    def fail() -> None:
        with evaluating(model):
            assert not any(modes(model))
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert modes(model) == [True, True, False]
    assert not _held
    with evaluating(torch.sin):
        pass


def test_the_last_one_to_end_puts_the_modes_back():
    model = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
    first, second = evaluating(model), evaluating(model)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # as threads do: not the inner one first
    assert not any(modes(model))
    second.__exit__(None, None, None)
    assert modes(model) == [True, True, False]
    assert not _held


def test_running_statistics_are_there_for_everyone():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    with running_statistics(model) as first, running_statistics(model) as second:
        assert (first, second) == (True, True)
        assert modes(model) == [True, False, True]
        with evaluating(model):
            assert not any(modes(model))
        assert modes(model) == [True, False, True]
    assert all(modes(model))
    with running_statistics(model.eval()) as found:
        assert not found


def test_threads_that_attack_one_model_find_what_one_finds():
    generator = torch.Generator().manual_seed(0)
    layers = nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(), nn.Linear(12, 3)
    model = nn.Sequential(*layers)
    x = torch.rand(8, 6, generator=generator)
    y = torch.randint(3, (8,), generator=generator)
    ahead = threading.Barrier(4)

    def attack(steps, wait=ahead.wait):
        wait()
        return pgd(model, x, y, ThreatModel(), steps=steps, restarts=1).margin

    counts = [3 + 6 * k for k in range(4)]
    alone = [attack(steps, lambda: None) for steps in counts]
    for _ in range(3):
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(attack, counts))
        for ours, theirs in zip(together, alone, strict=True):
            assert torch.equal(ours, theirs)
        assert all(modes(model))
    assert model[1].num_batches_tracked == 0


def test_threads_that_measure_one_network_count_their_own_calls():
    model = HolomorphicClassifier(Sequential(Linear(4, 4), Activation("log"), Linear(4, 2)))
    points = [torch.rand(n, 4) + 0.1j for n in (3, 5, 7, 9)]
    alone = [model.margin(z) for z in points]
    expected, ahead = macs(model, (4,)), threading.Barrier(4)

    def measure(z):
        ahead.wait()
        return [(macs(model, (4,)), model.margin(z)) for _ in range(10)]

    for _ in range(2):
        with ThreadPoolExecutor(4) as pool:
            for found, right in zip(pool.map(measure, points), alone, strict=True):
                assert all(count == expected for count, _ in found)
                assert all(torch.equal(margin, right) for _, margin in found)
