"""Smallest widths on problems whose answers are known."""

import torch

from cases import each
from holonet.studies.gao2019.capacity import Capacity, Fit, Wide, adversarial_adam, capacity, wide
from holonet.studies.gao2019.training import Problem, points

FIT = Fit(steps=150, restarts=2, attack=3, starts=2)


def test_robust_width_is_at_least_the_standard_one_and_depends_on_the_seed_alone() -> None:
    settings = Capacity("relu", 0, Problem(12, 3, 0.5), 16, FIT)
    result = capacity(settings)
    assert 1 < result["standard"] <= result["robust"] + 2
    assert result["examples"] == 12
    assert result == capacity(settings)


def test_two_points_need_one_or_two_neurons() -> None:
    result = capacity(Capacity("sin x", 0, Problem(2, 4, 0.5), 8, FIT))
    assert result["standard"] <= result["robust"] <= 2


def test_more_points_than_a_quadratic_form_has_dimensions_are_fit_by_no_width() -> None:
    result = capacity(Capacity("x^2", 0, Problem(24, 3, 0.5), 4, FIT))
    assert result["standard"] == result["robust"] == 5


@each("name", ["relu", "sin x"])
def test_wide_networks_come_nearer_to_zero(name: str) -> None:
    losses = wide(Wide(name, 0, Problem(10, 6, 0.5), (2, 64), FIT))["robust_loss"]
    assert losses["64"] < losses["2"]
    assert losses["64"] < 0.2


def test_training_lowers_the_loss_at_the_attacks_points() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y, eps = points(Problem(10, 4, 0.5), generator)
    runs = [m for _, m in adversarial_adam("sin z", 8, x, y, eps, FIT, generator)]
    assert len(runs) == FIT.steps + 1
    assert runs[-1].shape == (2, 10)
    assert runs[-1].mean() > runs[0].mean() + 1
