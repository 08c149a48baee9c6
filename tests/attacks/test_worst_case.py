"""The ensemble: who broke what, what is handed on, and what is reported."""

import functools
from typing import Any, cast

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.attacks import Alarm, AlarmKind, AttackResult, ThreatModel, margin_of
from holonet.attacks.apgd import apgd, apgd_targeted
from holonet.attacks.gradient import pgd
from holonet.attacks.square import square
from holonet.attacks.torus import torus
from holonet.attacks.worst_case import ATTACKS, STRONG, WorstCase, worst_case
from holonet.errors import AttackWarning, ConfigError, DomainError, ShapeError
from holonet.nn import holomorphic_mlp

pytestmark = pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")
seeds = st.integers(0, 2**32)
QUICK = {
    "apgd-ce": functools.partial(apgd, steps=3),
    "apgd-t": functools.partial(apgd_targeted, steps=3, targets=2),
    "square": functools.partial(square, queries=10),
}


def net() -> nn.Module:
    layers = nn.Sequential(nn.Flatten(), nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 5))
    with torch.no_grad():
        for weight in layers.parameters():
            weight.mul_(3)
    return layers


class Scripted:
    """An attack that lowers the margins of chosen examples, told by their first entry."""

    def __init__(self, breaks: list[int], alarms: tuple[Alarm, ...] = ()) -> None:
        self.breaks, self.alarms = breaks, alarms
        self.calls: list[tuple[list[int], int]] = []

    def __call__(
        self, model: object, x: Tensor, y: Tensor, threat: ThreatModel, *, seed: int
    ) -> AttackResult:
        numbers = x[:, 0].round().int().tolist()
        self.calls.append((numbers, seed))
        moved = x.clone()
        moved[:, 1] += 0.5
        margin = torch.tensor([-1.0 if k in self.breaks else 0.25 for k in numbers])
        return AttackResult(moved, margin, self.alarms)


def numbered(count: int = 7) -> tuple[Any, Tensor, Tensor, ThreatModel]:
    """A model whose margin is 1/2 everywhere, and 0 for example 0."""

    def model(x: Tensor) -> Tensor:
        return torch.stack([0.5 * (x[:, 0] > 0.5), 0 * x[:, 0]], 1)

    x = torch.zeros(count, 2)
    x[:, 0] = torch.arange(count)
    return model, x, torch.zeros(count, dtype=torch.int64), ThreatModel("L2", 1.0, None)


def test_each_attack_meets_what_stands() -> None:
    model, x, y, threat = numbered()
    first, second, third = Scripted([1, 4]), Scripted([2]), Scripted([])
    attacks = {"first": first, "second": second, "third": third}
    done = []
    found = worst_case(
        model, x, y, threat, attacks, batch_size=4, on_batch=lambda: done.append(1)
    )  # fmt: skip
    assert [numbers for numbers, _ in first.calls] == [[1, 2, 3], [4, 5, 6]]
    assert [numbers for numbers, _ in second.calls] == [[2, 3], [5, 6]]
    assert [numbers for numbers, _ in third.calls] == [[3], [5, 6]]
    assert found.broken_by == ("clean", "first", "second", "", "first", "", "")
    assert found.margin.tolist() == [0.0, -1.0, -1.0, 0.25, -1.0, 0.25, 0.25]
    assert found.x_adv[:, 1].tolist() == [0.0] + [0.5] * 6  # the least margin, broken or not
    assert found.accuracy == pytest.approx(3 / 7)
    assert len(done) == 6
    given_seeds = [seed for attack in (first, second, third) for _, seed in attack.calls]
    assert len(set(given_seeds)) == 6


def test_a_larger_margin_is_not_kept() -> None:
    model, x, y, threat = numbered()

    def weak(
        model: object, x: Tensor, y: Tensor, threat: ThreatModel, *, seed: int
    ) -> AttackResult:
        return AttackResult(x + 0.5, torch.full((len(x),), 0.75))

    found = worst_case(model, x, y, threat, {"weak": weak})
    assert torch.equal(found.x_adv, x)
    assert found.margin.tolist() == [0.0] + [0.5] * 6


def test_alarms_are_collected() -> None:
    model, x, y, threat = numbered()
    flat = Alarm(AlarmKind.FLAT_LOSS, 2, 3, "look out")
    attacks = {"one": Scripted([], (flat,)), "two": Scripted([], (flat,))}
    found = worst_case(model, x, y, threat, attacks, batch_size=4)
    assert [(a.kind, a.count, a.examples, a.advice) for a in found.alarms] == [
        (AlarmKind.FLAT_LOSS, 4, 7, "one: look out"),
        (AlarmKind.FLAT_LOSS, 4, 7, "two: look out"),
    ]


def black_box_wins(found: WorstCase) -> int:
    return sum(a.count for a in found.alarms if a.kind is AlarmKind.BLACK_BOX_WINS)


@pytest.mark.filterwarnings("default::holonet.errors.AttackWarning")
def test_a_black_box_that_wins_is_reported() -> None:
    torch.manual_seed(0)
    inner = net()

    def masked(x: Tensor) -> Tensor:
        return (40 * inner(x)).round() + 0 * x.flatten(1).sum(1, keepdim=True)

    x, threat = torch.rand(30, 8), ThreatModel(eps=0.3)
    y = masked(x).argmax(1)
    white = functools.partial(pgd, steps=2)
    black = functools.partial(functools.partial(square, p_init=0.5), queries=40)
    with pytest.warns(AttackWarning, match="black box wins"):
        found = worst_case(masked, x, y, threat, {"white": white, "black": black})
    count = found.broken_by.count("black")
    assert count > 3
    assert black_box_wins(found) == count
    for attacks in ({"black": black}, {"black": black, "white": white}):
        assert not black_box_wins(worst_case(masked, x, y, threat, attacks))


def test_two_of_a_thousand_may_be_luck() -> None:
    model, x, y, _ = numbered(1000)

    def lucky(count: int) -> int:
        """How many wins are reported if square breaks that many."""

        def logits(z: Tensor) -> Tensor:
            weak = (z[:, 0].round() > 0.5) & (z[:, 0].round() <= count) & (z[:, 1] != 0)
            return torch.stack([torch.where(weak, -1.0, model(z)[:, 0]), 0 * z[:, 0]], 1)

        attacks = {"white": Scripted([]), "square": functools.partial(square, queries=2)}
        found = worst_case(logits, x, y, ThreatModel(eps=0.1, bounds=None), attacks)
        assert found.broken_by.count("square") == count
        return black_box_wins(found)

    assert [lucky(count) for count in (0, 2, 3)] == [0, 0, 3]


@given(
    kind=st.sampled_from(["real", "holomorphic"]),
    norm=st.sampled_from(["Linf", "L2", "L1"]),
    eps=st.sampled_from([0.0, 0.1, 0.8]),
    batch_size=st.sampled_from([1, 3, 100]),
    n=st.integers(0, 5),
    seed=seeds,
)
def test_the_result_is_in_the_set_and_as_said(kind, norm, eps, batch_size, n, seed):
    torch.manual_seed(seed)
    model = net() if kind == "real" else holomorphic_mlp(8, [6], 5)
    x, y, threat = torch.rand(n, 2, 4), torch.randint(5, (n,)), ThreatModel(norm, eps)
    state = torch.get_rng_state()
    found = worst_case(model, x, y, threat, QUICK, seed=seed, batch_size=batch_size)
    assert torch.equal(torch.get_rng_state(), state)
    assert bool(threat.contains(found.x_adv, x).all())
    torch.testing.assert_close(margin_of(model(found.x_adv), y), found.margin, rtol=1e-4, atol=1e-5)
    clean = margin_of(model(x), y).detach()
    for name, before, after in zip(
        found.broken_by, clean.tolist(), found.margin.tolist(), strict=True
    ):
        assert (name == "clean") == (before <= 0)
        assert (name == "") == (after > 0)
        assert name in ("", "clean", *QUICK)
    again = worst_case(model, x, y, threat, QUICK, seed=seed, batch_size=batch_size)
    assert torch.equal(found.x_adv, again.x_adv)


def test_the_lists() -> None:
    torch.manual_seed(0)
    assert list(STRONG) == ["apgd-ce", "apgd-dlr", "apgd-t", "square"]
    assert set(STRONG) | {"fgsm", "pgd", "torus"} == set(ATTACKS)
    model, x = net(), torch.rand(3, 8)
    y, threat = model(x).argmax(1), ThreatModel(eps=0.01)
    for name in set(ATTACKS) - {"torus"}:
        options = {"square": {"queries": 3}, "fgsm": {}}.get(name, {"steps": 2})
        attack = cast("Any", ATTACKS[name])
        found = attack(model, x, y, threat, seed=0, **options)
        assert isinstance(found, AttackResult)
    result = worst_case(model, x, y, threat, {"fgsm": ATTACKS["fgsm"]})
    assert isinstance(result, WorstCase)


def test_complex_examples_and_few_classes() -> None:
    model = holomorphic_mlp(3, [4], 2, generator=torch.Generator().manual_seed(0))
    x = torch.randn(5, 3, dtype=torch.complex64)
    y, threat = model(x).argmax(1), ThreatModel("polydisc", 0.05, None)
    attacks = {
        **{name: functools.partial(QUICK[name]) for name in QUICK},
        "apgd-dlr": functools.partial(apgd, loss="dlr", steps=2),
        "torus": functools.partial(torus, steps=2),
    }
    found = worst_case(model, x, y, threat, attacks)
    assert bool(threat.contains(found.x_adv, x).all())


def test_bad_requests_are_refused() -> None:
    model, x, y, threat = numbered()
    with pytest.raises(ConfigError, match="0 attacks"):
        worst_case(model, x, y, threat, {})
    with pytest.raises(ConfigError, match="batch_size=0"):
        worst_case(model, x, y, threat, QUICK, batch_size=0)
    with pytest.raises(ShapeError, match="7 examples and 6 labels"):
        worst_case(model, x, y[:6], threat)
    with pytest.raises(DomainError, match="outside the box"):
        worst_case(model, x, y, ThreatModel())
