"""Smallest widths on problems whose answers are known."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

import holonet.papers.gao2019.capacity as module
from cases import each
from holonet.papers.gao2019.capacity import Capacity, Fit, Wide, adversarial_adam, capacity, wide
from holonet.papers.gao2019.training import Problem, attack, points

FIT = Fit(steps=150, restarts=2, attack=3, starts=2)


def test_robust_width_is_at_least_the_standard_one_and_depends_on_the_seed_alone() -> None:
    settings = Capacity("relu", 0, Problem(6, 4, 0.5), 4, replace(FIT, steps=60))
    result = capacity(settings)
    assert 1 < result["standard"] <= result["robust"] + 2
    assert result["examples"] == 6
    assert result == capacity(settings)


def test_two_points_need_one_or_two_neurons() -> None:
    result = capacity(Capacity("sin x", 0, Problem(2, 4, 0.5), 8, FIT))
    assert result["standard"] <= result["robust"] <= 2


def test_more_points_than_a_quadratic_form_has_dimensions_are_fit_by_no_width() -> None:
    result = capacity(Capacity("x^2", 0, Problem(24, 3, 0.5), 2, FIT))
    assert result["standard"] == result["robust"] == 3


@each("name", ["relu", "sin x"])
def test_wide_networks_come_nearer_to_zero(name: str) -> None:
    losses = wide(Wide(name, 0, Problem(10, 6, 0.5), (2, 64), replace(FIT, steps=120)))[
        "robust_loss"
    ]
    assert losses["64"] < losses["2"]
    assert losses["64"] < 0.2


def test_training_lowers_the_loss_at_the_attacks_points() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y, eps = points(Problem(10, 4, 0.5), generator)
    runs = [m for _, m in adversarial_adam("sin z", 8, x, y, eps, FIT, generator)]
    assert len(runs) == FIT.steps + 1
    assert runs[-1].shape == (2, 10)
    assert runs[-1].mean() > runs[0].mean() + 1


def test_first_step_follows_the_gradient_at_the_attacks_points() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y, _ = points(Problem(10, 4, 0.5), generator)
    run = adversarial_adam("sin x", 8, x, y, 1.0, FIT, generator)
    net, _ = next(run)
    start = net.weights.clone().requires_grad_()
    adversarial = attack(net, x.expand(2, -1, -1), y, 1.0, FIT.attack)
    functional.softplus(-y * replace(net, weights=start).layer(adversarial)[0]).sum().backward()
    next(run)
    step = -FIT.rate * torch.sign(start.grad)  # the first one of Adam
    torch.testing.assert_close(net.weights - start.detach(), step, rtol=1e-4, atol=0)


@each("decay", [True, False])
def test_rate_falls_to_zero_where_asked_for(decay: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    x, y, eps = points(Problem(10, 4, 0.5), generator)
    fit = replace(FIT, steps=75)
    run = adversarial_adam("relu", 8, x, y, eps, fit, generator, decay=decay)
    weights = [net.weights.clone() for net, _ in run]
    first, last = (weights[k + 1] - weights[k] for k in (0, -2))
    assert bool(last.abs().max() < 0.02 * first.abs().max()) is decay


def test_no_width_fits_where_the_strong_attack_finds_negative_margins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "strong_attack", lambda net, x, *_: -torch.ones(2, len(x)))
    result = capacity(Capacity("sin x", 0, Problem(2, 4, 0.5), 2, replace(FIT, steps=75)))
    assert result["standard"] == result["robust"] == 3
