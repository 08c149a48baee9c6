"""Torus: the maximum principle, where it holds and where it does not."""

import functools
import math
import re
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn as torch_nn

from cases import each
from holonet import nn
from holonet.attacks import AlarmKind, AttackResult, ThreatModel, margin_of, pgd
from holonet.attacks.apgd import apgd
from holonet.attacks.objectives import Goal
from holonet.attacks.search import Ascent, Evaluation, evaluator
from holonet.attacks.torus import _disc, _margin_at, _pushed, torus
from holonet.errors import ConfigError, DomainError, InputTypeError

pytestmark = pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")
ENTIRE = ["square", "exp", "sin"]
seeds = st.integers(0, 2**32)
each_seed = pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2, 3))]
)


def network(
    seed: int, n: int, depth: int, activation: str, count: int = 4
) -> tuple[nn.HolomorphicClassifier, Tensor, Tensor]:
    """A random holomorphic network with points of C^n and its own labels there."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.holomorphic_mlp(
        n, [4] * depth, 3, activation=activation, gain=1.0, generator=generator,
        dtype=torch.complex128,
    )  # fmt: skip
    x = torch.randn(count, n, generator=generator, dtype=torch.complex128)
    return model.requires_grad_(False), x, model(x).argmax(1)


def polydisc(eps: float) -> ThreatModel:
    return ThreatModel("polydisc", eps, None)


def heuristic(found: AttackResult) -> int:
    """For how many examples the search is a heuristic."""
    return sum(a.count for a in found.alarms if a.kind is AlarmKind.HEURISTIC)


@settings(max_examples=3)
@given(
    eps=st.floats(1e-3, 2.0), loss=st.sampled_from(["margin", "cross_entropy"]), seed=seeds
)  # fmt: skip
def test_linear_models_meet_their_closed_form(eps, loss, seed):
    torch.manual_seed(seed)
    model = nn.HolomorphicClassifier(nn.Linear(4, 2, dtype=torch.complex128))
    x, y = torch.randn(5, 4, dtype=torch.complex128), torch.randint(2, (5,))
    weight = model.backbone.get_parameter("weight").detach()
    slope = (weight[1 - y] - weight[y]).conj()
    clean = margin_of(model(x), y)
    least = margin_of(model(polydisc(eps).maximizer(slope, x)), y)
    expected = torch.where(clean > 0, least, clean).detach()
    found = torus(model, x, y, polydisc(eps), steps=2, loss=loss, seed=seed)
    torch.testing.assert_close(found.margin, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=4)
@given(
    n=st.integers(1, 5),
    activation=st.sampled_from(ENTIRE),
    eps=st.sampled_from([0.0, 1e-3, 0.2, 1.0]),
    loss=st.sampled_from(["margin", "cross_entropy"]),
    wrong=st.booleans(),
    seed=seeds,
)
def test_the_result_is_on_the_torus(n, activation, eps, loss, wrong, seed):
    model, x, y = network(seed, n, 1, activation, count=3)
    y = (y + torch.arange(3) % 2) % 3 if wrong else y
    clean = margin_of(model(x), y)
    found = torus(model, x, y, polydisc(eps), steps=3, loss=loss, seed=seed)
    torch.testing.assert_close(margin_of(model(found.x_adv), y), found.margin)
    assert bool((found.margin <= clean).all())
    moved = (found.x_adv - x).abs()
    on_torus = torch.isclose(moved, torch.full_like(moved, eps), rtol=1e-9, atol=1e-12).all(1)
    unmoved = (moved == 0).all(1)
    assert bool((on_torus | unmoved).all())
    assert bool(unmoved[clean <= 0].all())
    assert bool(polydisc(eps).contains(found.x_adv, x).all())
    assert not heuristic(found)


@settings(max_examples=4)
@given(
    n=st.integers(1, 4),
    depth=st.integers(1, 2),
    activation=st.sampled_from(ENTIRE),
    eps=st.sampled_from([0.05, 0.3, 1.0]),
    edge=st.booleans(),
    seed=seeds,
)
def test_no_point_inside_is_worse_than_where_it_is_pushed(n, depth, activation, eps, edge, seed):
    model, x, y = network(seed, n, depth, activation)
    generator = torch.Generator().manual_seed(seed)
    inside = polydisc(eps).random_point(x, generator)
    if edge:  # some entries are on their circles already
        inside[:, 0] = x[:, 0] + eps * (inside - x)[:, 0].sgn()
    goal = Goal(y)
    evaluate = evaluator(model, goal, functools.partial(goal.loss, "margin"))
    flags = torch.ones(len(x), dtype=torch.bool)
    margin = goal.margin(model(inside))
    ascent = Ascent(inside, Evaluation(margin, margin, torch.ones_like(inside), flags))
    unit, found = _pushed(
        functools.partial(_margin_at, model, goal), evaluate, ascent, x, eps, generator
    )
    torch.testing.assert_close(unit.abs(), torch.ones_like(unit.abs()))
    torch.testing.assert_close(found, goal.margin(model(x + eps * unit)))
    if edge and n == 1:
        torch.testing.assert_close(found, margin)  # it is on the torus, and stays
    assert bool((found <= margin + 1e-9 * (1 + margin.abs())).all())


@given(seed=seeds)
def test_discs_lie_in_the_polydisc_with_their_circles_on_the_torus(seed):
    generator = torch.Generator().manual_seed(seed)
    a = ThreatModel("polydisc", 0.99, None).random_point(
        torch.zeros(1, 5, dtype=torch.complex128), generator
    )
    c = torch.randn(1, 5, generator=generator, dtype=torch.complex128).sgn()
    t = torch.randn(9, 1, generator=generator, dtype=torch.complex128).sgn()
    torch.testing.assert_close(_disc(t, a, c).abs(), torch.ones(9, 5, dtype=torch.float64))
    torch.testing.assert_close(_disc(0 * t[:1], a, c), a)
    # the mean over a circle is the value at the center, as for every holomorphic function
    angle = torch.arange(64, dtype=torch.float64) * (2 * math.pi / 64)
    circle = 0.5 * torch.polar(torch.ones_like(angle), angle)[:, None]
    torch.testing.assert_close(_disc(circle, a, c).mean(0, keepdim=True), a)


@pytest.mark.parametrize(
    ("drawn", "restarts"), [((1,), 1), pytest.param((0, *range(2, 12)), 6, marks=pytest.mark.slow)]
)
def test_no_search_inside_finds_worse_points(drawn: tuple[int, ...], restarts: int) -> None:
    """With at least as many passes, over random networks with a fixed seed."""
    for seed in drawn:
        n, activation = 1 + seed % 4, ENTIRE[seed % 3]
        model, x, y = network(seed, n, 1 + seed // 6, activation)
        threat = polydisc([0.1, 0.3][seed % 2])
        found = torus(model, x, y, threat, steps=25, restarts=restarts)
        inside = [
            pgd(model, x, y, threat, steps=25, restarts=2 * restarts + 2).margin,
            apgd(model, x, y, threat, steps=25, restarts=restarts, loss="margin").margin,
        ]
        generator = torch.Generator().manual_seed(seed)
        points = torch.stack([threat.random_point(x, generator) for _ in range(100)])
        inside += [margin_of(model(p), y) for p in points]
        least = torch.stack(inside).amin(0)
        stands = found.margin > 0  # of the broken ones none looks for the worst point
        assert bool((found.margin <= least + 1e-7 * (1 + least.abs()))[stands].all()), seed
        assert not bool((least[stands] <= 0).any())


def test_where_logits_are_moduli_the_worst_point_may_be_inside() -> None:
    model = nn.HolomorphicClassifier(nn.Linear(1, 2, dtype=torch.complex128), nn.Modulus())
    with torch.no_grad():  # margins |z| - 1/20
        model.backbone.get_parameter("weight").copy_(torch.tensor([[1.0 + 0j], [0.0]]))
        model.backbone.get_parameter("bias").copy_(torch.tensor([0.0 + 0j, 0.05]))
    x, y, threat = torch.tensor([[0.5 + 0j]]).to(torch.complex128), torch.tensor([0]), polydisc(0.9)
    circle = torch.polar(torch.ones(1000).double(), torch.linspace(0, 2 * math.pi, 1000).double())
    on_torus = margin_of(model(x + 0.9 * circle[:, None]), y.expand(1000))
    assert float(on_torus.detach().min()) > 0.3
    assert float(margin_of(model(0 * x), y).detach()) < 0
    found = torus(model, x, y, threat, steps=10)
    assert heuristic(found) == 1
    assert "subharmonic" in str(found.alarms[-1])
    assert found.accuracy == 0  # the ascent inside counts where nothing is known
    assert apgd(model, x, y, threat, steps=10, loss="margin").accuracy == 0
    with torch.no_grad():  # margins |z|: at least 0.4 on the torus, above 0 but at one point inside
        model.backbone.get_parameter("bias").zero_()
    assert float(torus(model, x, y, threat, steps=10).margin) < 0.2


class Undeclared(torch_nn.Module):
    """A foreign layer."""

    def forward(self, z: Tensor) -> Tensor:
        return z


class Double(torch_nn.Module):
    """A foreign layer that is said to have a pole somewhere."""

    def forward(self, z: Tensor) -> Tensor:
        return 2 * z


nn.declare(Double, nn.Activation("tanh").function_class)


def linear() -> nn.Linear:
    return nn.Linear(2, 2, dtype=torch.complex128)


@each(
    ("model", "doubt"),
    [
        (nn.HolomorphicClassifier(linear()), None),
        (nn.HolomorphicClassifier(linear(), nn.ImagPart()), None),
        (nn.Sequential(linear(), nn.Exp(), nn.RealPart()), None),
        (torch_nn.Sequential(linear(), nn.Exp(), linear(), nn.RealPart()), None),
        (nn.HolomorphicClassifier(linear(), nn.LogModulus()), "the logits are subharmonic"),
        (torch_nn.Sequential(linear(), Undeclared(), nn.RealPart()), "Undeclared is not declared"),
        (lambda z: z.real, "nothing is declared of a function"),
        (nn.HolomorphicClassifier(torch_nn.Sequential(linear(), Double())), "domain .* Double"),
    ],
)
def test_exactness_is_read_from_declarations(model: Any, doubt: str | None) -> None:
    x = torch.randn(6, 2, dtype=torch.complex128)
    found = torus(model, x, model(x).argmax(1), polydisc(0.1), steps=1)
    assert heuristic(found) == (6 if doubt else 0)
    if doubt:
        alarm = next(a for a in found.alarms if a.kind is AlarmKind.HEURISTIC)
        assert re.search(doubt, alarm.advice)
        assert alarm.examples == 6


def test_polydiscs_that_reach_a_singularity() -> None:
    layer = nn.Linear(2, 2, dtype=torch.complex128)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(2))
        layer.get_parameter("bias").zero_()
    model = nn.HolomorphicClassifier(nn.Sequential(layer, nn.Tanh(), linear()))
    x = torch.tensor([[0.0, 0.0], [0.0, 1.2j], [1.0, 1.0]], dtype=torch.complex128)
    y = model(x).argmax(1)
    for eps, inside in ((0.1, 3), (0.5, 2), (2.5, 0)):  # the poles nearest to 0 are +-i pi / 2
        assert heuristic(torus(model, x, y, polydisc(eps), steps=1)) == 3 - inside
    deep = nn.HolomorphicClassifier(nn.Sequential(layer, nn.Exp(), layer, nn.Tanh(), linear()))
    x = torch.tensor([[0.0, 0.0], [0.0, 0.35 + 1.35j]], dtype=torch.complex128)  # exp = .31 + 1.4i
    found = torus(deep, x, deep(x).argmax(1), polydisc(0.25), steps=1)
    assert heuristic(found) == 1


@each_seed
def test_the_seed_decides_and_nothing_else(seed: int) -> None:
    model, x, y = network(seed, 3, 1, "sin")
    state = torch.get_rng_state()
    first = torus(model, x, y, polydisc(0.1), steps=1, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    again = torus(model, x, y, polydisc(0.1), steps=1, seed=seed)
    assert torch.equal(first.x_adv, again.x_adv)
    other = torus(model, x, y, polydisc(0.1), steps=1, seed=seed + 1)
    assert not torch.equal(first.x_adv, other.x_adv) or first.accuracy == 0


@each_seed
def test_more_restarts_are_never_weaker(seed: int) -> None:
    model, x, y = network(seed, 3, 1, "sin")
    few = torus(model, x, y, polydisc(0.2), steps=2, restarts=1, seed=seed).margin
    more = torus(model, x, y, polydisc(0.2), steps=2, restarts=3, seed=seed).margin
    assert bool((more <= few).all())


def test_many_coordinates_and_images() -> None:
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    model = nn.holomorphic_mlp(64, [12], 10, generator=generator, gain=0.5)
    x = torch.randn(20, 1, 8, 8, dtype=torch.complex64)
    y = model(x).argmax(1)
    threat = polydisc(0.012)
    found = torus(model, x, y, threat, steps=20)
    inside = apgd(model, x, y, threat, steps=40, loss="margin", restarts=2)
    assert 0 < inside.accuracy < 1
    assert found.accuracy <= inside.accuracy
    assert float((found.margin - inside.margin)[~inside.success].max()) < 1e-4
    assert found.x_adv.dtype == torch.complex64


def test_bad_requests_are_refused() -> None:
    model, x, y = network(0, 2, 1, "sin")
    with pytest.raises(DomainError, match="boundary of a polydisc"):
        torus(model, x, y, ThreatModel("complex_ball", 0.1, None))
    with pytest.raises(InputTypeError, match="complex inputs"):
        torus(model, x.real, y, polydisc(0.1))
    bad: list[dict[str, Any]] = [{"steps": 0}, {"restarts": 0}, {"loss": "dlr"}]
    for options in bad:
        with pytest.raises(ConfigError, match=next(iter(options))):
            torus(model, x, y, polydisc(0.1), **options)
    assert len(torus(model, x[:0], y[:0], polydisc(0.1)).margin) == 0
