"""Attacks behind monotone layers: what they find there is found in the images, and is the worst."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.attacks import (
    ATTACKS,
    AlarmKind,
    AttackResult,
    ThreatModel,
    apgd,
    apgd_targeted,
    fgsm,
    margin_of,
    pgd,
    square,
)
from holonet.attacks.image_box import Body, image_box
from holonet.errors import AttackWarning
from holonet.nn import Activation, Flatten, HolomorphicClassifier, Linear, Sequential, Threshold

SEARCHES: dict[str, Any] = {
    "fgsm": fgsm,
    "pgd": lambda *a, **k: pgd(*a, steps=10, **k),
    "pgd from a step length": lambda *a, **k: pgd(*a, steps=10, alpha=0.1, **k),
    "apgd": lambda *a, **k: apgd(*a, steps=10, **k),
    "apgd_targeted": lambda *a, **k: apgd_targeted(*a, steps=10, **k),
}


MASKED = {AlarmKind.VANISHING_GRADIENT, AlarmKind.ZERO_GRADIENT}


def problem(
    seed: int, slope: float, eps: float = 0.3
) -> tuple[nn.Sequential, Tensor, Tensor, ThreatModel]:
    """Two classes, linear behind a threshold: the least margin is known in closed form."""
    torch.manual_seed(seed)
    model = nn.Sequential(Threshold(slope), nn.Flatten(), nn.Linear(12, 2, bias=False))
    x = torch.rand(40, 1, 3, 4)
    with torch.no_grad():
        margin = model(x)
        y = margin.argmax(1)
    return model, x, y, ThreatModel("Linf", eps)


@torch.no_grad()
def least_margin(model: nn.Sequential, x: Tensor, y: Tensor, threat: ThreatModel) -> Tensor:
    """The least margin over the threat set, exactly: each pixel at the end that the sign says."""
    low, high = ((x + s * threat.eps).clamp(0, 1) for s in (-1, 1))
    low, high = model[:2](low), model[:2](high)
    weight = model[2].weight[y] - model[2].weight[1 - y]
    return torch.where(weight > 0, weight * low, weight * high).sum(1)


@each("name", SEARCHES)
@settings(max_examples=2)
@given(seed=st.integers(0, 1000), slope=st.sampled_from([1.0, 10.0, 100.0]))
def test_the_worst_point_of_a_linear_body_is_found(name: str, seed: int, slope: float) -> None:
    model, x, y, threat = problem(seed, slope)
    result: AttackResult = SEARCHES[name](model, x, y, threat)
    assert bool(threat.contains(result.x_adv, x).all())
    with torch.no_grad():
        logits = model(result.x_adv)
    own, other = logits.gather(1, y[:, None]), logits.gather(1, 1 - y[:, None])
    torch.testing.assert_close(result.margin, (own - other).squeeze(1))
    least = least_margin(model, x, y, threat)
    torch.testing.assert_close(result.success, least <= 0)
    torch.testing.assert_close(result.margin[least > 0], least[least > 0], atol=2e-3, rtol=0)
    assert result.searched_in == "the image box of Threshold"


def test_masked_gradients_raise_the_alarm_and_the_box_has_the_true_accuracy() -> None:
    model, x, y, threat = problem(0, slope=100.0, eps=0.2)
    with pytest.warns(AttackWarning, match="vanishing gradient|zero gradient"):
        plain = pgd(lambda x: model(x), x, y, threat)
    true = float((least_margin(model, x, y, threat) > 0).double().mean())
    found = pgd(model, x, y, threat)
    assert found.accuracy == pytest.approx(true, abs=1e-9)
    assert plain.accuracy >= true
    assert {a.kind for a in plain.alarms} & MASKED


@settings(max_examples=6)
@given(seed=st.integers(0, 1000), layer=st.sampled_from(["tanh", "erf", "asinh"]))
def test_coordinates_have_points_whichever_examples_are_asked_about(seed: int, layer: str) -> None:
    torch.manual_seed(seed)
    x, threat = torch.rand(9, 5), ThreatModel("Linf", 0.3)
    model = nn.Sequential(Activation(layer), Threshold(3.0), nn.Linear(5, 3))
    box = image_box(model, x, threat)
    assert box is not None
    assert str(box) == "the image box of Activation and Threshold"
    centers, order = box.centers, torch.randperm(9)[:4]
    points = box.cube.random_point(centers)
    image = box.body.image(points)
    torch.testing.assert_close(box.body.image(points[order]), image[order])
    preimage = box.preimage(points, x)
    assert bool(threat.contains(preimage, x).all())
    with torch.no_grad():
        torch.testing.assert_close(model[:2](preimage), image)
        torch.testing.assert_close(box.body(points), model(preimage))


def test_other_problems_are_attacked_as_they_are() -> None:
    model, x, y, threat = problem(0, 10.0)
    assert image_box(model, x, ThreatModel("L2", 0.3)) is None
    assert image_box(model, x, ThreatModel("Linf", 0.0)) is None
    assert image_box(model[1:], x, threat) is None
    assert image_box(lambda x: model(x), x, threat) is None
    assert image_box(model, x[:0], threat) is None
    assert pgd(model[1:], x, y, threat, steps=2).searched_in == ""


def test_every_attack_with_a_ball_searches_there() -> None:
    model, x, y, threat = problem(0, 10.0, eps=0.4)  # which leaves little to the slow ones
    x, y = x[:8], y[:8]
    for name in ATTACKS.keys() - {"torus"}:
        options: dict[str, Any] = {"fgsm": {}, "square": {"queries": 20}}.get(name, {"steps": 10})
        result = ATTACKS[name](model, x, y, threat, seed=0, **options)
        assert isinstance(result, AttackResult)
        assert result.searched_in, name


def test_square_searches_the_box() -> None:
    model, x, y, threat = problem(3, 30.0)
    result = square(model, x, y, threat, queries=100)
    least = least_margin(model, x, y, threat)
    assert float((result.margin - least)[least > 0].median()) < 0.1


@each("attack", ["fgsm", "pgd"])
def test_examples_in_double_precision_of_a_classifier_in_single(attack: str) -> None:
    torch.manual_seed(0)
    backbone = Sequential(Threshold(30.0), Flatten(), Linear(12, 2, dtype=torch.float32))
    model = HolomorphicClassifier(backbone)
    x, threat = torch.rand(20, 3, 4, dtype=torch.float64), ThreatModel("Linf", 0.1)
    y = model(x).argmax(1)
    result: AttackResult = ATTACKS[attack](model, x, y, threat, seed=0)
    assert result.searched_in == "the image box of Threshold"
    assert result.x_adv.dtype == torch.float64
    assert bool(threat.contains(result.x_adv, x).all())
    torch.testing.assert_close(result.margin, margin_of(model(result.x_adv).detach(), y))
    assert bool(result.success.any())


def test_only_examples_that_are_classified_correctly_are_mapped_back() -> None:
    model, x, y, threat = problem(1, 10.0)
    y[10:] = 1 - y[10:]
    box = image_box(model, x, threat)
    assert box is not None
    counts: list[int] = []
    box.layers.register_forward_hook(lambda layers, inputs, output: counts.append(len(inputs[0])))
    found = pgd(box.body, box.centers, y, box.cube, steps=3)
    assert box.accept(found, y).success[10:].all()
    assert set(counts) == {10}


def test_misclassified_examples_stay_and_targets_are_kept() -> None:
    model, x, y, threat = problem(1, 10.0)
    wrong = 1 - y
    result = pgd(model, x, wrong, threat, steps=3)
    assert torch.equal(result.x_adv, x)
    aimed = pgd(model, x, y, threat, steps=10, target=1 - y)
    found = pgd(model, x, y, threat, steps=10)
    torch.testing.assert_close(aimed.success, found.success)


def test_cubes_of_examples_do_not_meet() -> None:
    model, x, *_ = problem(0, 10.0)
    box = image_box(model, x, ThreatModel("Linf", 0.3))
    assert box is not None
    assert isinstance(box.body, Body)
    centers = box.centers.flatten(1)[:, 0]
    assert float(centers.diff().min()) > 4 * box.cube.eps
