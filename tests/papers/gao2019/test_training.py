"""The attack against exact worst points, the ball, and the lower bound against the optimum."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import brentq, minimize
from torch import Tensor
from torch.nn import functional

import holonet.papers.gao2019.training as module
from cases import each, some_of
from holonet.attacks import ThreatModel
from holonet.attacks.gradient import pgd
from holonet.papers.gao2019.networks import KINDS, Kind, TwoLayer, antisymmetric, normal_weights
from holonet.papers.gao2019.training import Problem, Training, attack, points, strong_attack, train

PROBLEM = Problem(12, 5, 0.75)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def moved(name: str, seed: int = 0) -> tuple[TwoLayer, Tensor, Tensor, float]:
    x, y, eps = points(PROBLEM, generator(seed))
    net = antisymmetric(KINDS[name], 16, 5, generator(seed))
    weights = net.weights + normal_weights(KINDS[name], *net.weights.shape, generator=generator(9))
    return TwoLayer(net.kind, weights, net.signs), x.unsqueeze(0), y, eps


def test_points_are_unit_vectors_whose_balls_of_ratio_one_touch() -> None:
    x, y, eps = points(Problem(20, 10, 1.0), generator())
    torch.testing.assert_close(x.norm(dim=1), torch.ones(20, dtype=torch.float64))
    assert y.sum() == 0
    distances = [float((a - b).norm()) for a in x[y > 0] for b in x[y < 0]]
    assert min(distances) == pytest.approx(2 * eps)


def worst_margin(x: np.ndarray, y: float, form: np.ndarray, eps: float) -> float:
    """Of a quadratic form in a ball, from the eigenvalues (the trust region problem)."""
    values, vectors = np.linalg.eigh(-y * form)
    slope = vectors.T @ (-y * form @ x)
    multiplier = brentq(
        lambda m: np.linalg.norm(slope / (m - values)) - eps, values[-1] + 1e-9, values[-1] + 1e6
    )
    point = x + vectors @ (slope / (multiplier - values))
    return y * point @ form @ point


@some_of("seed", range(4), slice(2))
def test_attack_on_squares_finds_the_exact_worst_point(seed: int) -> None:
    net, x, y, eps = moved("x^2", seed)
    w = net.weights[0]
    form = (net.kind.scale * (w.mT * net.signs[0]) @ w).numpy()
    exact = [worst_margin(a, b, form, eps) for a, b in zip(x[0].numpy(), y.tolist(), strict=True)]
    adversarial = attack(net, x, y, eps, 10)
    assert torch.linalg.vector_norm(adversarial - x, dim=2).max() <= eps * (1 + 1e-9)
    ten = y * net.layer(adversarial)[0][0]
    strong = strong_attack(net, x, y, eps, 6, generator())[0]
    truth = torch.tensor(exact)
    assert bool((strong >= truth - 1e-9).all())
    torch.testing.assert_close(strong, truth, rtol=0, atol=1e-4)
    torch.testing.assert_close(ten, truth, rtol=0, atol=0.02)


@some_of("name", ["relu", "sin x", "sin z"], slice(2, 3))
def test_strong_attack_is_at_least_as_strong_as_the_librarys_own(name: str) -> None:
    net, x, y, eps = moved(name)

    class TwoLogits(torch.nn.Module):
        def forward(self, points: Tensor) -> Tensor:
            value = net.layer(points.unsqueeze(0))[0][0]
            return torch.stack([-value, value], 1)

    labels = (y > 0).long()
    threat = ThreatModel("L2", eps, None)
    found = pgd(TwoLogits(), x[0], labels, threat, steps=50, restarts=3, seed=0).x_adv
    theirs = (y * net.layer(found.unsqueeze(0))[0][0]).mean()
    assert strong_attack(net, x, y, eps, 6, generator())[0].mean() <= theirs + 0.02


def test_every_further_start_makes_the_strong_attack_stronger() -> None:
    net, x, y, eps = moved("sin z")
    one, six = (strong_attack(net, x, y, 4 * eps, n, generator()) for n in (1, 6))
    assert bool((six <= one).all())
    assert (six < one - 0.1).any()


def test_no_steps_attack_nothing() -> None:
    net, x, y, eps = moved("relu")
    assert torch.equal(attack(net, x, y, eps, 0), x)


@each("name", ["relu", "x^2", "sin x", "sin z"])
def test_weights_stay_in_their_balls(name: str) -> None:
    result = train(Training(name, 16, 2, 0, Problem(12, 5, 0.3), (0.5, 2.0), 30, starts=2))
    for radius, share in result["moved"].items():
        assert share * result["start"] <= float(radius) * (1 + 1e-9)
    assert result["moved"]["0.5"] * result["start"] == pytest.approx(0.5)  # reached
    assert result["robust"]["2"] < result["robust"]["0.5"] < np.log(2)
    assert all(result["surrogate"][r] <= result["robust"][r] + 1e-3 for r in ("0.5", "2"))


def test_lower_bound_is_just_below_the_optimum_of_a_linear_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    linear = Kind("identity", False, 1.0, lambda t: (t, torch.ones_like(t)), lambda c: c / 2)
    monkeypatch.setitem(module.KINDS, "linear", linear)
    problem = Problem(8, 5, 0.3)
    result = train(Training("linear", 8, 3, 0, problem, (1.0, 4.0), 150))
    x, y, eps = (a.numpy() if isinstance(a, Tensor) else a for a in points(problem, generator()))

    def robust(v: np.ndarray) -> float:
        return np.logaddexp(0, -(y * (x @ v) - eps * np.linalg.norm(v))).mean()

    for radius in (1.0, 4.0):
        # the outputs are <v, x> with v the signed sum of the rows, of norm at most the radius
        ball = {"type": "ineq", "fun": lambda v, r=radius: r**2 - v @ v}
        optimum = minimize(robust, np.full(5, 0.1), constraints=ball).fun
        key = f"{radius:g}"
        assert optimum < 0.66  # the ball is reached
        assert result["lower"][key] <= optimum + 1e-6
        assert result["lower"][key] == pytest.approx(optimum, abs=0.02)
        assert result["robust"][key] == pytest.approx(optimum, abs=0.02)


def test_wide_networks_meet_the_bound_and_keep_their_kernel() -> None:
    narrow, wide = (train(Training("sin x", m, 5, 0, PROBLEM, (2.0,), 60)) for m in (8, 256))
    assert abs(wide["surrogate"]["2"] - wide["lower"]["2"]) < 0.03
    assert wide["kernel_moved"]["2"] < narrow["kernel_moved"]["2"] / 3
    assert wide["moved"]["2"] < narrow["moved"]["2"] / 4


def test_movement_is_that_of_the_last_step_where_no_step_lowers_the_loss() -> None:
    result = train(Training("x^2", 16, 10, 0, Problem(12, 5, 0.9), (2.0,), 20))
    assert result["robust"]["2"] == pytest.approx(np.log(2), abs=0.01)
    assert result["moved"]["2"] > 0.01


def test_result_depends_on_the_seed_alone() -> None:
    settings = Training("relu", 8, 2, 3, PROBLEM, (1.0,), 5, starts=2)
    result = train(settings)
    assert result == train(settings)
    assert result != train(replace(settings, seed=4))
    assert functional.softplus(torch.tensor(0.0)) > result["surrogate"]["1"]
