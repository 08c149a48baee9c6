"""Minimal distances: closed forms, and what every answer must satisfy."""

import json
import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.attacks import ThreatModel, margin_of, pgd
from holonet.diagnostics import MinimumNorms, minimum_norm_perturbations
from holonet.errors import ConfigError, DataError, ShapeError
from holonet.nn import Threshold, holomorphic_mlp

ROUNDS = 5
DUAL = {"Linf": 1, "L2": 2, "L1": math.inf}


def linear(seed: int, classes: int, n: int = 4) -> tuple[nn.Linear, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    model = nn.Linear(4, classes).double()
    model.weight.data = torch.randn(classes, 4, generator=generator).double()
    model.bias.data = torch.randn(classes, generator=generator).double()
    x = torch.rand(n, 4, generator=generator).double()
    y = model(x).argmax(1)
    y[0] = (y[0] + 1) % classes
    return model, x, y


def closed_form(model: nn.Linear, x: Tensor, y: Tensor, norm: str) -> Tensor:
    """min_k (z_y - z_k) / ||w_y - w_k||*, 0 for what is wrong already."""
    logits, weight = model(x).detach(), model.weight.detach()
    distances = []
    for z, label in zip(logits, y.tolist(), strict=True):
        slope = torch.linalg.vector_norm(weight[label] - weight, DUAL[norm], dim=1)
        gap = (z[label] - z) / slope
        gap[label] = math.inf
        distances.append(gap.min().clamp(min=0))
    return torch.stack(distances)


@given(
    seed=st.integers(0, 10**6),
    norm=st.sampled_from(list(DUAL)),
    classes=st.sampled_from([2, 3, 6]),
)
def test_linear_models_have_their_closed_form(seed: int, norm: str, classes: int) -> None:
    model, x, y = linear(seed, classes)
    exact = closed_form(model, x, y, norm)
    limit = 1.5 * float(exact.max()) + 1e-3
    found = minimum_norm_perturbations(
        model, x, y, ThreatModel(norm, limit, None), steps=2, rounds=ROUNDS
    ).distance
    slack = limit / 2**ROUNDS + exact * 2**-11
    assert (found >= exact * (1 - 1e-9)).all()
    assert (found <= exact + slack).all()


@settings(max_examples=6)
@given(seed=st.integers(0, 10**6), slope=st.sampled_from([6.0, 100.0]))
def test_behind_a_saturated_threshold_distances_are_the_true_ones(seed: int, slope: float) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(Threshold(slope), nn.Flatten(), nn.Linear(12, 2, bias=False)).double()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    x = torch.rand(8, 3, 4).double()
    y = model(x).argmax(1)
    weight = model[2].weight[y] - model[2].weight[1 - y]
    low, high = torch.zeros(8, 1).double(), torch.full((8, 1), 0.6).double()
    for _ in range(40):  # the largest radius at which no corner of the box is misclassified
        middle = (low + high) / 2
        corner = (x.flatten(1) - middle * weight.sign()).clamp(0, 1)
        broken = (weight * model[0](corner)).sum(1, keepdim=True) <= 0
        low, high = torch.where(broken, low, middle), torch.where(broken, middle, high)
    exact = high.squeeze(1)
    found = minimum_norm_perturbations(
        model, x, y, ThreatModel("Linf", 0.5), steps=8, rounds=8
    ).distance
    within = exact < 0.49
    assert (found >= exact * (1 - 1e-9)).all()
    assert (found <= exact + 0.5 / 2**8 + exact * 2**-11)[within].all()


@settings(max_examples=8)
@given(seed=st.integers(0, 10**6))
def test_in_l1_with_a_box_the_cheapest_entries_are_used_up_one_after_another(seed: int) -> None:
    model, x, y = linear(seed, 2)
    logits, weight = model(x).detach(), model.weight.detach()
    exact = []
    for point, z, label in zip(x, logits, y.tolist(), strict=True):
        left, cost = float(z[label] - z[1 - label]), 0.0
        slope = weight[label] - weight[1 - label]
        room = torch.where(slope > 0, point, 1 - point)
        for j in slope.abs().argsort(descending=True):
            part = min(max(left, 0.0) / float(slope[j].abs()), float(room[j]))
            left, cost = left - part * float(slope[j].abs()), cost + part
        exact.append(cost if left <= 1e-12 else math.inf)
    found = minimum_norm_perturbations(
        model, x, y, ThreatModel("L1", 4.0), steps=3, rounds=6
    ).distance
    wanted = torch.tensor(exact, dtype=found.dtype)
    assert torch.equal(found.isinf(), wanted.isinf())
    reachable = wanted.isfinite()
    torch.testing.assert_close(found[reachable], wanted[reachable], atol=4 / 2**6, rtol=2**-11)
    assert (found >= wanted * (1 - 1e-9)).all()


@settings(max_examples=10)
@given(
    seed=st.integers(0, 40),
    norm=st.sampled_from(["Linf", "L2", "L1"]),
    bounds=st.sampled_from([(0.0, 1.0), None]),
    batch_size=st.sampled_from([3, 500]),
)
def test_each_point_is_misclassified_at_its_distance(seed, norm, bounds, batch_size):
    generator = torch.Generator().manual_seed(seed)
    model = holomorphic_mlp(6, [5], 3, generator=generator)
    x = torch.rand(4, 6, generator=generator)
    y = model(x).argmax(1)
    y[:2] = (y[:2] + 1) % 3
    threat = ThreatModel(norm, 0.3, bounds)
    found = minimum_norm_perturbations(
        model, x, y, threat, steps=2, rounds=2, batch_size=batch_size
    )
    broken = found.distance.isfinite()
    assert found.threat == threat
    assert (found.distance[:2] == 0).all()
    assert (found.distance[2:] > 0).all()
    assert (found.distance[broken] <= 0.3 * (1 + 1e-5)).all()
    torch.testing.assert_close(threat.distance(found.x_adv, x)[broken], found.distance[broken])
    assert torch.equal(found.x_adv[~broken], x[~broken])
    assert threat.contains(found.x_adv, x).all()
    margin = margin_of(model(found.x_adv), y)
    assert (margin[broken] <= 1e-5).all()
    assert (margin[~broken] > 0).all()


def test_not_worse_than_an_attack_at_each_radius() -> None:
    generator = torch.Generator().manual_seed(0)
    model = holomorphic_mlp(6, [8], 4, generator=generator)
    x = torch.rand(40, 6, generator=generator)
    y = model(x).argmax(1)
    radii = [0.05, 0.1]
    for norm in ("Linf", "L2"):
        found = minimum_norm_perturbations(model, x, y, ThreatModel(norm, 0.5), rounds=4)
        for point in found.curve(radii):
            attacked = pgd(model, x, y, ThreatModel(norm, point.eps), restarts=2, seed=1)
            assert point.correct <= int((~attacked.success).sum()) + 1


def test_a_far_class_is_found_behind_a_near_one() -> None:
    """The runner-up at the example is not the class whose boundary is nearest."""
    model = nn.Linear(2, 3, bias=True).double()
    model.weight.data = torch.tensor([[0.0, 0.0], [0.1, 0.0], [0.0, 10.0]]).double()
    model.bias.data = torch.tensor([2.0, 1.0, 0.0]).double()
    x, y = torch.zeros(1, 2).double(), torch.tensor([0])
    found = minimum_norm_perturbations(model, x, y, ThreatModel("L2", 20.0, None))
    assert float(found.distance) == pytest.approx(0.2, abs=0.02)
    only_runner_up = minimum_norm_perturbations(
        model, x, y, ThreatModel("L2", 20.0, None), targets=1
    )
    assert float(only_runner_up.distance) == pytest.approx(10.0, rel=1e-2)


def test_a_narrow_hole_in_a_large_ball_is_found() -> None:
    """Steps across the whole limit would jump over it."""

    class Hole(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            inside = 100 * (0.05 - (x[:, 0] - 0.1).abs())
            return torch.stack([torch.zeros_like(inside), inside], 1)

    x, y = torch.zeros(1, 1), torch.tensor([0])
    found = minimum_norm_perturbations(Hole(), x, y, ThreatModel("L2", 1000.0, None), steps=7)
    assert float(found.distance) == pytest.approx(0.05, abs=1e-3)


def test_complex_examples_in_the_polydisc() -> None:
    w = torch.tensor([3 + 4j, 1 + 0j], dtype=torch.complex128)

    class Form(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            value = 2 + (z * w).real.sum(1)
            return torch.stack([value, -value], 1)

    z, y = torch.zeros(1, 2, dtype=torch.complex128), torch.tensor([0])
    found = minimum_norm_perturbations(Form(), z, y, ThreatModel("polydisc", 2.0, None))
    assert float(found.distance) == pytest.approx(2 / 6, rel=1e-3)  # the moduli of w add up to 6
    assert found.x_adv.dtype == torch.complex128


def test_nan_counts_as_broken_and_flat_models_are_never_broken() -> None:
    class Model(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            value = torch.where(x[:, 0] > 0.7, math.nan, 1.0) + 0 * x[:, 0]
            return torch.stack([value, torch.zeros_like(value)], 1)

    x, y = torch.tensor([[0.1], [0.9]]), torch.zeros(2, dtype=torch.int64)
    found = minimum_norm_perturbations(Model(), x, y, ThreatModel("Linf", 0.5))
    assert found.distance.tolist() == [math.inf, 0.0]
    assert json.loads(json.dumps(found.to_json()))["distance"] == [None, 0.0]


def made(*distances: float) -> MinimumNorms:
    n = len(distances)
    return MinimumNorms(ThreatModel("Linf", 0.5), torch.tensor(distances), torch.zeros(n, 1))


def test_the_curve_counts_what_is_further() -> None:
    found = made(0.0, 0.1, 0.2, math.inf)
    assert [p.correct for p in found.curve([0.0, 0.05, 0.1, 0.3, 0.5])] == [3, 3, 2, 1, 1]
    assert {p.examples for p in found.curve([0.5])} == {4}
    with pytest.raises(ConfigError, match="larger eps"):
        found.curve([0.6])


@pytest.mark.parametrize(
    ("distances", "median"),
    [
        ((0.1,), 0.1),
        ((0.3, 0.1, 0.2), 0.2),
        ((0.1, math.inf), 0.1),
        ((0.1, math.inf, math.inf), None),
    ],
)
def test_the_median(distances: tuple[float, ...], median: float | None) -> None:
    found = made(*distances)
    assert found.median == pytest.approx(math.inf if median is None else median)
    assert found.to_json()["median"] == pytest.approx(median)


def test_batches_are_told_and_the_mode_comes_back() -> None:
    model, x, y = linear(0, 3)
    calls: list[int] = []
    model.train()
    minimum_norm_perturbations(
        model, x, y, ThreatModel("L2", 1.0), steps=2, batch_size=3, on_batch=lambda: calls.append(1)
    )
    assert len(calls) == 2
    assert model.training


@each(
    "options",
    [
        {"x": torch.zeros(0, 4), "y": torch.zeros(0, dtype=torch.int64)},
        {"threat": ThreatModel("L2", 0.0)},
        *({name: 0} for name in ("targets", "steps", "rounds", "batch_size")),
    ],
)
def test_nothing_to_do_is_refused(options: dict[str, Any]) -> None:
    model, x, y = linear(0, 3)
    asked = {"model": model, "x": x, "y": y, "threat": ThreatModel("L2", 1.0), **options}
    with pytest.raises((ConfigError, DataError), match="minimum_norm_perturbations"):
        minimum_norm_perturbations(**asked)


def test_missing_labels_are_refused() -> None:
    model, x, y = linear(0, 3)
    with pytest.raises(ShapeError, match="4 examples and 3 labels"):
        minimum_norm_perturbations(model, x, y[:3], replace(ThreatModel("L2"), eps=1.0))


def test_a_single_class_has_no_distance_to_another() -> None:
    with pytest.raises(DataError, match="knows one class alone"):
        minimum_norm_perturbations(
            nn.Linear(2, 1), torch.rand(3, 2), torch.zeros(3).long(), ThreatModel()
        )
