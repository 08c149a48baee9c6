"""Square: what it may ask, what it proposes, and where it must arrive."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.attacks import ThreatModel, margin_of, pgd
from holonet.attacks.square import _Bumps, _bumps, _Corners, _images, square
from holonet.errors import ConfigError, DomainError, ShapeError
from holonet.nn import HolomorphicClassifier, Linear

seeds = st.integers(0, 2**32)
SHAPES = [(8,), (3, 4), (2, 3, 3), (1, 5, 1), (2, 1, 2, 3)]


def net(features: int, classes: int = 4) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(features, 10), nn.Tanh(), nn.Linear(10, classes)
    ).requires_grad_(False)


@given(
    shape=st.sampled_from(SHAPES),
    norm=st.sampled_from(["Linf", "L2", "L1"]),
    eps=st.sampled_from([0.0, 1e-4, 0.1, 1.0]),
    box=st.sampled_from([None, (0.0, 1.0)]),
    queries=st.integers(1, 12),
    n=st.integers(0, 5),
    seed=seeds,
)
def test_the_result_is_in_the_set_and_as_said(shape, norm, eps, box, queries, n, seed):
    torch.manual_seed(seed)
    features, asked = math.prod(shape), []
    inner, threat = net(features), ThreatModel(norm, eps, box)
    x, y = torch.rand(n, *shape), torch.randint(4, (n,))

    def model(x: Tensor) -> Tensor:
        asked.append(len(x))
        assert not torch.is_grad_enabled()
        assert x.shape[1:] == shape
        return inner(x.reshape(len(x), features))

    found = square(model, x, y, threat, queries=queries, seed=seed)
    assert len(asked) <= queries + 1
    assert asked == sorted(asked, reverse=True)
    assert found.x_adv.shape == x.shape
    assert bool(threat.contains(found.x_adv, x).all())
    logits = inner(found.x_adv.reshape(n, features))
    torch.testing.assert_close(margin_of(logits, y), found.margin, rtol=1e-4, atol=1e-5)
    clean = margin_of(inner(x.reshape(n, features)), y)
    assert bool((found.margin <= clean).all())
    assert torch.equal(found.x_adv[clean <= 0], x[clean <= 0])


@settings(max_examples=2)
@given(eps=st.floats(1e-3, 0.5), box=st.sampled_from([None, (0.0, 1.0)]), seed=seeds)
def test_linear_models_in_linf_meet_their_closed_form(eps, box, seed):
    torch.manual_seed(seed)
    model, x, y = nn.Linear(3, 2).double(), torch.rand(5, 3).double(), torch.randint(2, (5,))
    with torch.no_grad():  # so far from the boundary that nothing breaks and the search goes on
        model.bias.copy_(torch.tensor([0.0, 0.0]))
    y = model(x).argmax(1)

    def far(x: Tensor) -> Tensor:
        return model(x) + 9 * nn.functional.one_hot(y, 2)

    threat = ThreatModel("Linf", eps, box)
    slope = (model.weight[1 - y] - model.weight[y]).detach()
    expected = margin_of(far(threat.maximizer(slope, x)), y).detach()
    found = square(far, x, y, threat, queries=100, seed=seed)
    torch.testing.assert_close(found.margin, expected, rtol=1e-9, atol=1e-9)


def test_the_other_balls_come_near_the_closed_form() -> None:
    torch.manual_seed(0)
    x = torch.rand(12, 1, 4, 4).double()
    weight = torch.randn(16).double()
    y = torch.zeros(12, dtype=torch.int64)

    def model(x: Tensor) -> Tensor:
        score = (x.flatten(1) @ weight)[:, None]
        return torch.cat([99 - score, 0 * score], 1)

    clean = margin_of(model(x), y)
    for norm, share in (("L2", 0.7), ("L1", 0.5)):
        threat = ThreatModel(norm, 1.0, None)
        best = clean - margin_of(model(threat.maximizer(weight.expand(12, 16).view_as(x), x)), y)
        found = clean - square(model, x, y, threat, queries=60).margin
        assert bool((found <= best + 1e-9).all())
        assert float((found / best).mean()) > share


@settings(max_examples=2)
@given(norm=st.sampled_from(["polydisc", "complex_ball"]), seed=seeds)
def test_complex_examples(norm, seed):
    torch.manual_seed(seed)
    model = HolomorphicClassifier(Linear(3, 2, dtype=torch.complex128))
    x, y = torch.randn(4, 3, dtype=torch.complex128), torch.zeros(4, dtype=torch.int64)

    def far(x: Tensor) -> Tensor:
        return model(x) + torch.tensor([99.0, 0.0])

    threat = ThreatModel(norm, 0.5, None)
    found = square(far, x, y, threat, queries=60, seed=seed)
    assert bool(threat.contains(found.x_adv, x).all())
    weight = model.backbone.get_parameter("weight").detach()
    slope = (weight[1 - y] - weight[y]).conj()
    best = margin_of(far(threat.maximizer(slope, x)), y).detach()
    clean = margin_of(far(x), y).detach()
    share = (clean - found.margin) / (clean - best)
    assert bool((share <= 1 + 1e-9).all())
    assert float(share.mean()) > (0.7 if norm == "polydisc" else 0.4)


@given(
    shape=st.sampled_from([(8,), (7, 7), (3, 9, 6), (2, 12, 12)]),
    share=st.sampled_from([0.8, 0.2, 0.05, 0.001]),
    order=st.sampled_from([1, 2]),
    seed=seeds,
)
def test_bumps_use_all_of_eps(shape, share, order, seed):
    images = _images(torch.rand(6, *shape, dtype=torch.float64))
    generator = torch.Generator().manual_seed(seed)
    windows = _Bumps(images, 0.7, generator, order=order)

    def lengths(delta: Tensor) -> Tensor:
        return torch.linalg.vector_norm(delta.flatten(1), order, dim=1)

    delta, full = windows.start(), torch.full((6,), 0.7, dtype=torch.float64)
    torch.testing.assert_close(lengths(delta), full)
    left = torch.tensor([1, 4])
    moved = windows.propose(delta[left], left, share)
    torch.testing.assert_close(lengths(moved), full[:2])
    assert bool((moved != delta[left]).any())
    short = windows.propose(delta[left] / 2, left, share)
    assert bool((lengths(short) <= 0.7 + 1e-9).all())
    torch.testing.assert_close(lengths(short), full[:2])  # what is left of eps is used too


@given(shape=st.sampled_from([(8,), (7, 7), (3, 9, 6)]), share=st.floats(0.001, 1.0), seed=seeds)
def test_corners_change_one_window(shape, share, seed):
    images = _images(torch.rand(6, *shape, dtype=torch.float64))
    windows = _Corners(images, 0.3, torch.Generator().manual_seed(seed))
    start = windows.start()
    assert bool((start.abs() == 0.3).all())
    assert torch.equal(start[:, :, :1].expand_as(start), start)  # vertical stripes
    left = torch.arange(6)
    moved = windows.propose(torch.zeros_like(start), left, share)
    assert bool(((moved == 0) | (moved.abs() == 0.3)).all())
    height, width = windows.sides(share)
    assert torch.equal((moved != 0).sum((2, 3)), torch.full(moved.shape[:2], height * width))
    rows, columns = (moved != 0).any(3).sum(2), (moved != 0).any(2).sum(2)
    assert bool((rows == height).all())
    assert bool((columns == width).all())


def test_windows_reach_every_place_and_cover_their_share() -> None:
    images = torch.zeros(400, 1, 6, 6)
    windows = _Corners(images, 1.0, torch.Generator().manual_seed(0))
    reached = windows.propose(images, torch.arange(400), 1 / 36).abs().sum((0, 1))
    assert float(reached.min()) > 0  # corners and edges too
    assert windows.sides(0.8) == (5, 5)
    assert windows.sides(0.25) == (3, 3)
    flat = _Corners(torch.zeros(1, 1, 1, 30), 1.0, torch.Generator())
    assert flat.sides(0.8) == (1, 24)
    assert flat.sides(0.1) == (1, 3)
    tall = _Corners(torch.zeros(1, 1, 20, 2), 1.0, torch.Generator())
    assert tall.sides(0.5) == (10, 2)
    assert _Bumps(images, 1.0, torch.Generator(), order=2).sides(0.001) == (2, 2)


def test_bumps_by_hand() -> None:
    expected = torch.tensor([[1.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.0, 1.0, 1.0]]).double()
    positive = _bumps(3, 6)[:, :3]
    # weights 1 and 1/4 on top of each other: the center has 1 + 1/4, the ring 1/4
    torch.testing.assert_close(positive[1, 1] / positive[0, 0], torch.tensor(5.0).double())
    torch.testing.assert_close(positive > 0.5, expected > 1)
    torch.testing.assert_close(_bumps(3, 6)[:, 3:], -positive)
    torch.testing.assert_close(_bumps(6, 3), _bumps(3, 6).mT)
    assert _bumps(1, 1).abs().tolist() == [[1.0]]
    assert _images(torch.zeros(2, 7)).shape == (2, 1, 1, 7)
    assert _images(torch.zeros(2, 3, 5, 4, 6)).shape == (2, 15, 4, 6)


def test_the_first_windows_are_large_and_the_last_small() -> None:
    sizes, images = [], torch.rand(1, 1, 10, 10)

    def model(x: Tensor) -> Tensor:
        sizes.append(x - images)
        return torch.tensor([[1.0, 0.0]]) - 1e-3 * len(sizes)  # nothing is kept but the first

    square(model, images, torch.tensor([0]), ThreatModel(eps=0.1, bounds=None), queries=200)
    changed = [int(((s - sizes[1]).abs() > 1e-6).sum()) for s in sizes[2:]]
    assert max(changed[:5]) > 9
    assert max(changed[-50:]) == 1


@settings(max_examples=2)
@given(seed=seeds, norm=st.sampled_from(["Linf", "L2"]))
def test_the_seed_decides_and_nothing_else(seed, norm):
    torch.manual_seed(seed)
    model, x = net(9), torch.rand(6, 1, 3, 3)
    y, threat = model(x).argmax(1), ThreatModel(norm, 0.3)
    state = torch.get_rng_state()
    first = square(model, x, y, threat, queries=10, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    again = square(model, x, y, threat, queries=10, seed=seed)
    assert torch.equal(first.x_adv, again.x_adv)
    other = square(model, x, y, threat, queries=10, seed=seed + 1)
    assert not torch.equal(first.x_adv, other.x_adv)


@pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")
def test_masked_gradients_do_not_help() -> None:
    torch.manual_seed(0)
    inner, x = net(9), torch.rand(30, 1, 3, 3)

    def masked(x: Tensor) -> Tensor:
        return (40 * inner(x)).round() + 0 * x.flatten(1).sum(1, keepdim=True)

    y, threat = masked(x).argmax(1), ThreatModel(eps=0.25)
    y[margin_of(masked(x), y) <= 0] = 0
    blind = pgd(masked, x, y, threat, steps=10)
    assert square(masked, x, y, threat, queries=200).accuracy < blind.accuracy - 0.1


def test_what_is_broken_is_left_alone() -> None:
    sizes, x = [], torch.full((3, 4), 0.5)

    def model(x: Tensor) -> Tensor:
        sizes.append(len(x))
        margin = 1 - (x[:, 0] != 0.5) * torch.tensor([2.0, 0.5, 0.5])[-len(x) :]
        return torch.stack([margin, 0 * margin], 1)

    found = square(model, x, torch.zeros(3, dtype=torch.int64), ThreatModel(), queries=4)
    assert sizes == [3, 3, 2, 2, 2]
    assert found.margin.tolist() == [-1.0, 0.5, 0.5]


def test_logits_that_are_nan_are_errors() -> None:
    x, y = torch.full((3, 4), 0.5), torch.zeros(3, dtype=torch.int64)

    def model(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0] + 1, x[:, 1] * 0], 1) / (x[:, 2:3] == 0.5)

    found = square(model, x, y, ThreatModel(), queries=3)
    assert found.accuracy == 0
    assert found.margin.tolist() == [-math.inf] * 3


def test_bad_requests_are_refused() -> None:
    model, x, y = net(4), torch.rand(3, 4), torch.zeros(3, dtype=torch.int64)
    bad: list[dict[str, Any]] = [{"queries": 0}, {"p_init": 0.0}, {"p_init": 1.5}]
    for options in bad:
        with pytest.raises(ConfigError, match="at least 1 query"):
            square(model, x, y, ThreatModel(), **options)
    with pytest.raises(DomainError, match="outside the box"):
        square(model, x + 1, y, ThreatModel())
    with pytest.raises(ShapeError, match="3 examples and 2 labels"):
        square(model, x, y[:2], ThreatModel())
