"""FGSM and PGD: the closed form where there is one, and what they must leave alone."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each, some_of
from holonet.attacks import AlarmKind, ThreatModel, fgsm, margin_of, pgd
from holonet.data import load_digits
from holonet.errors import AttackWarning, ConfigError, DomainError, InputTypeError, ShapeError
from holonet.nn import holomorphic_mlp
from holonet.training import EmpiricalRisk, TrainConfig, fit

NORMS = ["Linf", "L2", "L1"]
COMPLEX = ["polydisc", "complex_ball"]
LOSSES = ["margin", "cross_entropy"]
seeds = st.integers(0, 2**32)


class Linear(nn.Module):
    """Real parts of a linear map: logits of real or complex examples."""

    def __init__(self, dtype: torch.dtype = torch.float64, classes: int = 2) -> None:
        super().__init__()
        self.layer = nn.Linear(6, classes, dtype=dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).real if x.is_complex() else self.layer(x)

    def margins(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Margins of two classes, and their gradients as torch has them."""
        weight, bias = self.layer.weight.detach(), self.layer.bias.detach()
        slope = (weight[y] - weight[1 - y]).conj()
        return ((slope.conj() * x).sum(1) + bias[y] - bias[1 - y]).real, slope


def linear_problem(norm: str, eps: float, box: bool, seed: int) -> tuple[Any, ...]:
    torch.manual_seed(seed)
    dtype = torch.complex128 if norm in COMPLEX else torch.float64
    if norm == "Linf" and box:
        eps = min(eps, 1.0)
    threat = ThreatModel(norm, eps, (0.0, 1.0) if box else None)
    x = torch.rand(9, 6).double() if box else torch.randn(9, 6, dtype=dtype)
    return Linear(dtype), x, torch.randint(2, (9,)), threat


def dual(norm: str, slope: Tensor) -> Tensor:
    size = slope.abs()
    if norm in ("Linf", "polydisc"):
        return size.sum(1)
    return size.amax(1) if norm == "L1" else size.square().sum(1).sqrt()


@pytest.mark.parametrize("norm", [*NORMS, *COMPLEX])
@settings(max_examples=5)
@given(
    eps=st.floats(1e-3, 2.0),
    seed=seeds,
    loss=st.sampled_from(LOSSES),
    targeted=st.booleans(),
    momentum=st.sampled_from([0.0, 0.9]),
    schedule=st.sampled_from(["constant", "cosine", "linear"]),
    start=st.booleans(),
)
def test_linear_models_without_a_box(norm, eps, seed, loss, targeted, momentum, schedule, start):
    model, x, y, threat = linear_problem(norm, eps, False, seed)
    clean, slope = model.margins(x, y)
    expected = torch.where(clean > 0, clean - eps * dual(norm, slope), clean)
    target = 1 - y if targeted else None
    options: dict[str, Any] = {"loss": loss, "target": target, "random_start": start}
    walk = {"steps": 8, "momentum": momentum, "schedule": schedule}
    found = [pgd(model, x, y, threat, **options, **walk)]
    if not start:
        found.append(fgsm(model, x, y, threat, **options))
    for result in found:
        torch.testing.assert_close(result.margin, expected, rtol=1e-10, atol=1e-10)
        assert torch.equal(result.success, expected <= 0)
        assert not result.alarms


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=5)
@given(eps=st.floats(1e-3, 4.0), seed=seeds, loss=st.sampled_from(LOSSES), start=st.booleans())
def test_linear_models_in_a_box(norm, eps, seed, loss, start):
    model, x, y, threat = linear_problem(norm, eps, True, seed)
    clean, slope = model.margins(x, y)
    worst = threat.maximizer(-slope, x)
    expected = torch.where(clean > 0, model.margins(worst, y)[0], clean)
    if norm == "Linf":
        by_hand = torch.where(slope > 0, (x - eps).clamp(min=0), (x + eps).clamp(max=1))
        torch.testing.assert_close(worst, by_hand)
    found = [pgd(model, x, y, threat, steps=8, loss=loss, random_start=start)]
    found.append(fgsm(model, x, y, threat, loss=loss))
    for result in found:
        torch.testing.assert_close(result.margin, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("norm", [*NORMS, *COMPLEX])
@settings(max_examples=5)
@given(eps=st.floats(1e-3, 2.0), seed=seeds)
def test_the_steps_of_shaham(norm, eps, seed):
    """x plus eps times the sign, the direction or the largest entry of the gradient."""
    model, x, y, threat = linear_problem(norm, eps, False, seed)
    clean, slope = model.margins(x, y)
    up, size = -slope, slope.abs()
    if norm in ("Linf", "polydisc"):
        step = up / size
    elif norm == "L1":
        step = torch.where(size == size.amax(1, keepdim=True), up.sign(), 0.0)
    else:
        step = up / dual(norm, slope)[:, None]
    expected = torch.where((clean > 0)[:, None], x + eps * step, x)
    torch.testing.assert_close(fgsm(model, x, y, threat).x_adv, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "norm",
    ["L2", "polydisc"]
    + [pytest.param(norm, marks=pytest.mark.slow) for norm in ("Linf", "L1", "complex_ball")],
)
def test_the_walk_alone_nears_the_closed_form(norm: str) -> None:
    """With the linearized step taken away, many steps are as good to a thousandth."""
    eps = 0.4
    model, x, _, threat = linear_problem(norm, eps, norm in NORMS, 3)
    y = torch.zeros(len(x), dtype=torch.int64)
    with torch.no_grad():
        model.layer.bias[0] = 10.0  # nothing is broken
    slope = model.margins(x, y)[1]
    best = model.margins(threat.maximizer(-slope, x), y)[0]

    def crooked(points: Tensor) -> Tensor:  # the first call has a misleading gradient
        calls.append(points)
        logits = model(points)
        return (
            logits if len(calls) > 1 else logits.detach() - 0.1 * (points - x).real.sum() * logits
        )

    calls: list[Tensor] = []
    found = pgd(crooked, x, y, threat, steps=60, alpha=eps)
    torch.testing.assert_close(found.margin, best, rtol=0, atol=1e-3 * eps)


@pytest.mark.parametrize("norm", NORMS)
def test_fgsm_from_a_random_start(norm: str) -> None:
    """1.25 eps along the steepest direction, then projected: the corner in Linf, if far enough."""
    model, x, y, threat = linear_problem(norm, 0.3, True, 0)
    found = fgsm(model, x, y, threat, random_start=True, seed=1)
    start = threat.random_point(x, torch.Generator().manual_seed(1))
    clean, slope = model.margins(x, y)
    if norm != "L1":
        moved = threat.project(start - 1.25 * 0.3 * threat.steepest(slope), x)
        margins = [model.margins(p, y)[0] for p in (x, start, moved)]
        expected = torch.where(clean > 0, torch.stack(margins).amin(0), clean)
        torch.testing.assert_close(found.margin, expected)
    assert bool((found.margin < clean)[clean > 0].all())
    assert bool((found.margin >= fgsm(model, x, y, threat).margin - 1e-12).all())


@settings(max_examples=6)
@given(seed=seeds, loss=st.sampled_from([*LOSSES, "dlr"]))
def test_targets_are_reached_and_nothing_else_counts(seed, loss):
    torch.manual_seed(seed)
    model, (x, y) = net(), batch(12)
    target = (y + 1 + torch.randint(3, y.shape)) % 4
    threat = ThreatModel("L2", 1.0)
    found = pgd(model, x, y, threat, steps=5, loss=loss, target=target)
    logits = model(found.x_adv).detach()
    torch.testing.assert_close(found.margin, -margin_of(logits, target), rtol=1e-4, atol=1e-5)
    assert torch.equal(logits.argmax(1)[found.success], target[found.success])
    assert bool((found.margin <= -margin_of(model(x).detach(), target)).all())


def test_targets_that_do_not_fit_are_refused() -> None:
    x, y = batch()
    for attack in (fgsm, pgd):
        with pytest.raises(DomainError, match="targets from 0 to 4 for logits of 4 classes"):
            attack(net(), x, y, ThreatModel("L2"), target=torch.arange(10) % 5)
        with pytest.raises(DomainError, match="targets from 0 to 4 for logits of 4 classes"):
            attack(net(), x, y, ThreatModel("Linf"), target=torch.arange(10) % 5)
        with pytest.raises(ShapeError, match="3 targets for 10 labels"):
            attack(net(), x, y, ThreatModel(), target=torch.arange(3))
        with pytest.raises(DomainError, match="labels from 0 to 5 for logits of 4 classes"):
            attack(net(), x, torch.arange(10) % 6, ThreatModel())


def net(dtype: torch.dtype = torch.float32) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 4)).to(dtype)


NETS: dict[str, Callable[[], nn.Module]] = {
    "real": net,
    "holomorphic": lambda: holomorphic_mlp(8, [6], 4),
}


def batch(n: int = 10, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 2, 4, dtype=dtype), torch.randint(4, (n,))


@pytest.mark.parametrize("kind", list(NETS))
@settings(max_examples=8)
@given(
    norm=st.sampled_from(NORMS),
    eps=st.sampled_from([0.0, 1e-3, 0.1, 1.0]),
    box=st.sampled_from([None, (0.0, 1.0)]),
    loss=st.sampled_from(["margin", "cross_entropy"]),
    steps=st.integers(2, 4),
    restarts=st.integers(1, 3),
    momentum=st.sampled_from([0.0, 1.0]),
    schedule=st.sampled_from(["constant", "cosine", "linear"]),
    n=st.integers(0, 6),
    seed=seeds,
)
@pytest.mark.filterwarnings("ignore:flat loss:holonet.errors.AttackWarning")
def test_the_result_is_in_the_set_and_as_said(
    kind, norm, eps, box, loss, steps, restarts, momentum, schedule, n, seed
):
    torch.manual_seed(seed)
    model, (x, y), threat = NETS[kind](), batch(n), ThreatModel(norm, eps, box)
    clean = margin_of(model(x), y).detach()
    walk = {"momentum": momentum, "schedule": schedule}
    found = pgd(model, x, y, threat, steps=steps, restarts=restarts, loss=loss, seed=seed, **walk)
    assert bool(threat.contains(found.x_adv, x).all())
    assert found.x_adv.shape == x.shape
    torch.testing.assert_close(margin_of(model(found.x_adv), y), found.margin, rtol=1e-4, atol=1e-5)
    assert bool((found.margin <= clean).all())


@pytest.mark.parametrize("kind", list(NETS))
@settings(max_examples=3)
@given(norm=st.sampled_from(NORMS), seed=seeds, fewer=st.integers(1, 3), more=st.integers(0, 2))
def test_more_is_never_weaker(kind, norm, seed, fewer, more):
    torch.manual_seed(seed)
    model, (x, y), threat = NETS[kind](), batch(), ThreatModel(norm, 0.2)

    def margin(**options: Any) -> Tensor:
        return pgd(model, x, y, threat, alpha=0.05, seed=seed, **options).margin

    assert bool((margin(steps=fewer + more) <= margin(steps=fewer)).all())
    by_restarts = [margin(steps=2, restarts=r) for r in (fewer + more, fewer)]
    assert bool((by_restarts[0] <= by_restarts[1]).all())


@pytest.mark.filterwarnings("ignore:flat loss:holonet.errors.AttackWarning")
@settings(max_examples=8)
@given(
    seed=seeds,
    alpha=st.sampled_from([0.01, 0.3, 2.0]),
    loss=st.sampled_from(["margin", "cross_entropy"]),
)
def test_the_worst_point_on_the_way_is_kept(seed, alpha, loss):
    torch.manual_seed(seed)
    inner, (x, _) = net(), batch(1)
    y, seen = inner(x).argmax(1), []

    def model(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return 30 * inner(x).sin()

    found = pgd(model, x, y, ThreatModel(eps=0.4), steps=4, alpha=alpha, loss=loss, seed=seed)
    margins = [float(margin_of(30 * inner(p).sin(), y).detach()) for p in seen]
    assert float(found.margin) == pytest.approx(min(margins), rel=1e-5, abs=1e-5)
    assert torch.equal(found.x_adv, seen[margins.index(min(margins))])


@settings(max_examples=4)
@given(seed=seeds)
def test_the_seed_decides_and_nothing_else(seed):
    torch.manual_seed(seed)
    model, (x, y) = net(), batch()
    threat, walk = ThreatModel("Linf", 0.5), {"steps": 2, "restarts": 2, "alpha": 0.1}
    state = torch.get_rng_state()
    first = pgd(model, x, y, threat, **walk, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again = pgd(model, x, y, threat, **walk, seed=seed)
    assert torch.equal(first.x_adv, again.x_adv)
    assert torch.equal(first.margin, again.margin)
    other = pgd(model, x, y, threat, **walk, seed=seed + 1)
    assert not torch.equal(first.x_adv, other.x_adv) or not bool((first.margin > 0).any())


def test_nothing_of_the_model_or_the_data_changes() -> None:
    frozen = nn.Dropout(0.9).eval()
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(8), nn.Dropout(0.9), frozen, nn.Linear(8, 4))
    model.train()
    frozen.eval()
    x, y = batch()
    x.requires_grad_()
    weight = model.get_parameter("4.weight")
    weight.grad = torch.ones_like(weight)
    model.get_parameter("4.bias").requires_grad_(False)
    before = {k: v.clone() for k, v in model.state_dict().items()}, x.detach().clone(), y.clone()
    found = pgd(model, x, y, ThreatModel(eps=0.1), steps=3)
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[0][key]), key
    assert torch.equal(x, before[1])
    assert torch.equal(y, before[2])
    assert x.grad is None
    assert torch.equal(weight.grad, torch.ones_like(weight))
    assert all(p.grad is None for p in model.parameters() if p is not weight)
    assert [m.training for m in model] == [True, True, True, False, True]
    assert not found.x_adv.requires_grad
    assert not found.margin.requires_grad


def test_any_callable_and_any_grad_mode() -> None:
    model, (x, y) = net(), batch()
    expected = pgd(model, x, y, ThreatModel(), steps=3)
    with torch.no_grad():
        found = pgd(lambda x: model(x), x, y, ThreatModel(), steps=3)
    assert torch.equal(found.x_adv, expected.x_adv)


@each("attack", [fgsm, pgd])
@each("norm", NORMS)
def test_a_zero_gradient_finds_nothing_and_breaks_nothing(norm: str, attack: Any) -> None:
    def flat(x: Tensor) -> Tensor:
        return torch.tensor([[2.0, 1.0, 0.0, 0.0]]) + 0 * x.flatten(1).sum(1, keepdim=True)

    (x, _), y = batch(), torch.zeros(10, dtype=torch.int64)
    with pytest.warns(AttackWarning, match="zero gradient for 10 of 10 examples"):
        found = attack(flat, x, y, ThreatModel(norm, 0.3))
    assert found.accuracy == 1.0
    assert torch.equal(found.margin, torch.ones(10))
    assert [alarm.kind for alarm in found.alarms] == [AlarmKind.ZERO_GRADIENT]
    tied = attack(lambda x: 0 * flat(x), x, y, ThreatModel(norm))
    assert tied.accuracy == 0.0
    assert not tied.alarms


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_probabilities_for_logits_are_noticed(attack: Any) -> None:
    x, y = batch()
    with pytest.warns(AttackWarning, match="add up to 1.*return logits"):
        attack(nn.Sequential(net(), nn.Softmax(1)), x, y, ThreatModel())
    attack(nn.Sequential(net(), nn.LogSoftmax(1)), x, y, ThreatModel())


@pytest.mark.parametrize("loss", LOSSES)
def test_quantized_inputs_hide_the_gradient_and_are_found_out(loss: str) -> None:
    """Rounding has a zero gradient; with a false one behind it, the loss does not rise."""
    inner, (x, _) = net(), batch()
    y = inner(x).argmax(1)

    def rounded(x: Tensor) -> Tensor:
        return 20 * inner((x * 4).round() / 4)

    def misled(x: Tensor) -> Tensor:
        return 20 * inner(x.detach()) - inner(x) + inner(x.detach())

    threat = ThreatModel(eps=0.02)
    with pytest.warns(AttackWarning, match="zero gradient"):
        pgd(rounded, x, rounded(x).argmax(1), threat, steps=5, loss=loss)
    with pytest.warns(AttackWarning, match="flat loss"):
        pgd(misled, x, y, threat, steps=5, loss=loss)


def walk_of(slopes: list[Tensor], threat: ThreatModel, **options: Any) -> list[Tensor]:
    """The iterates of pgd from 0 where the loss has these gradients, one after the other."""
    seen = []

    def model(x: Tensor) -> Tensor:
        seen.append(x.detach())
        rise = (x * slopes[max(len(seen) - 2, 0) % len(slopes)]).sum(1, keepdim=True)
        return torch.cat([1e4 - rise, rise], 1)

    x, y = torch.zeros(1, 3, dtype=torch.float64), torch.tensor([0])
    pgd(model, x, y, threat, random_start=False, **options)
    return seen[1 : options["steps"] + 2]  # behind them what the alarms ask


@pytest.mark.parametrize(
    ("schedule", "shares"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("linear", [1.0, 0.75, 0.5, 0.25]),
        ("cosine", [1.0, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5]),
    ],
)
def test_schedules_by_hand(schedule: str, shares: list[float]) -> None:
    slope, threat = torch.tensor([1.0, -2.0, 3.0]).double(), ThreatModel("Linf", 9.0, None)
    points = walk_of([slope], threat, steps=4, alpha=0.1, schedule=schedule)
    lengths = [float((b - a).abs().max()) for a, b in itertools.pairwise(points)]
    assert lengths == pytest.approx([0.1 * share for share in shares])
    default = walk_of([slope], threat, steps=4, schedule=schedule)
    assert float((default[1] - default[0]).abs().max()) == pytest.approx(2.5 * 9 / sum(shares))


@pytest.mark.filterwarnings("ignore:flat loss:holonet.errors.AttackWarning")
def test_momentum_by_hand() -> None:
    """The past counts by its direction alone, however steep it was."""
    first, second = torch.tensor([30.0, 40.0, 0.0]), torch.tensor([0.0, 0.0, 0.1])
    points = walk_of(
        [first.double(), second.double()],
        ThreatModel("Linf", 9.0, None),
        steps=2,
        alpha=0.1,
        momentum=0.5,
    )
    expected = [[[0.0, 0.0, 0.0]], [[0.1, 0.1, 0.0]], [[0.2, 0.2, 0.1]]]
    torch.testing.assert_close(torch.stack(points), torch.tensor(expected).double())
    opposed = [torch.tensor([50.0, 50.0, 0.0]).double(), torch.tensor([-0.1, -0.1, 0.0]).double()]
    for momentum, end in [(0.5, 0.0), (2.0, 0.2)]:
        points = walk_of(
            opposed, ThreatModel("Linf", 9.0, None), steps=2, alpha=0.1, momentum=momentum
        )
        assert float(points[-1][0, 0]) == pytest.approx(end)


def test_a_loss_that_rose_and_fell_again_has_risen() -> None:
    inner, (x, _), calls = net(), batch(), []
    offset = torch.tensor([9.0, 0.0, 0.0, 0.0])

    def model(x: Tensor) -> Tensor:
        calls.append(x)
        return inner(x) + (5 * offset if len(calls) >= 4 else offset)  # the last two iterates

    y = torch.zeros(10, dtype=torch.int64)
    assert not pgd(model, x, y, ThreatModel(eps=0.1), steps=3).alarms
    assert len(calls) == 5


def test_double_precision_stays_double() -> None:
    model, (x, y) = net(torch.float64), batch(dtype=torch.float64)
    found = pgd(model, x, y, ThreatModel("L2", 0.3), steps=3)
    assert (found.x_adv.dtype, found.margin.dtype) == (torch.float64, torch.float64)


def test_a_single_example_and_none() -> None:
    model, (x, y) = net(), batch(3)
    assert len(pgd(model, x[:1], y[:1], ThreatModel(), steps=2).margin) == 1
    assert len(pgd(model, x[:0], y[:0], ThreatModel("L2"), steps=2, restarts=2).margin) == 0


NAN = torch.tensor(math.nan)


class Trap(nn.Module):
    """A gradient that is infinite for some examples from the second step on, or NaN logits."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.layer, self.calls = kind, nn.Linear(8, 4), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        logits = self.layer(x.flatten(1)) + torch.tensor([9.0, 0.0, 0.0, 0.0])
        if self.calls < 4:
            return logits
        logits = logits.clone()
        logits[:3] += (x.flatten(1)[:3, :1] * 0).abs().sqrt() if self.kind == "gradient" else NAN
        return logits


@each("momentum", [0.0, 0.9])
@each("norm", NORMS)
def test_a_gradient_that_is_not_finite_stops_only_its_example(norm: str, momentum: float) -> None:
    (x, _), y, threat = batch(), torch.zeros(10, dtype=torch.int64), ThreatModel(norm, 0.1)
    trap, options = Trap("gradient"), {"steps": 6, "alpha": 0.03, "momentum": momentum}
    with pytest.warns(AttackWarning, match="not finite for 3 of 10 examples.*to_precision"):
        found = pgd(trap, x, y, threat, **options)
    assert [(a.kind, a.count) for a in found.alarms] == [(AlarmKind.NOT_FINITE, 3)]
    calls, trap.calls = trap.calls, -100
    free = pgd(trap, x, y, threat, **options)
    assert calls == trap.calls + 100
    assert torch.equal(found.margin[3:], free.margin[3:])
    assert bool((found.margin[:3] < margin_of(trap(x), y)[:3]).all())  # of the steps before
    assert bool((free.margin <= found.margin).all())
    assert norm != "Linf" or bool((free.margin < found.margin)[:3].all())


def test_a_gradient_that_is_not_finite_from_the_start() -> None:
    (x, _), y, trap = batch(), torch.zeros(10, dtype=torch.int64), Trap("gradient")
    trap.calls = 9
    with pytest.warns(AttackWarning, match="not finite for 3 of 10"):
        found = fgsm(trap, x, y, ThreatModel())
    assert torch.equal(found.x_adv[:3], x[:3])
    assert not torch.equal(found.x_adv[3:], x[3:])


def test_logits_that_are_nan_count_as_broken() -> None:
    (x, _), y, trap = batch(), torch.zeros(10, dtype=torch.int64), Trap("logits")
    found = pgd(trap, x, y, ThreatModel(), steps=6)
    assert found.success.tolist() == [True] * 3 + [False] * 7
    assert found.margin[:3].tolist() == [-math.inf] * 3
    assert bool(found.x_adv.isfinite().all())
    trap.calls = 9  # from the start
    for attack in (pgd, fgsm):
        for target in (None, y + 1):
            found = attack(trap, x, y, ThreatModel(), target=target)
            assert bool(found.success[:3].all())
            assert torch.equal(found.x_adv[:3], x[:3])


@pytest.mark.parametrize("layer", [nn.Identity(), nn.Linear(4, 4)])
def test_a_model_that_hides_its_gradient_is_not_called_robust(layer: nn.Module) -> None:
    (x, _), inner = batch(), net()

    def hiding(x: Tensor) -> Tensor:
        return layer(inner(x).detach())

    with pytest.raises(InputTypeError, match="autograd cannot follow"):
        pgd(hiding, x, hiding(x).argmax(1), ThreatModel())


def test_complex_logits_and_complex_examples_are_refused() -> None:
    (x, y), model = batch(), holomorphic_mlp(8, [6], 4)
    with pytest.raises(InputTypeError, match=r"complex logits.*nn\.RealPart"):
        pgd(lambda x: model.backbone(x.to(torch.complex64)), x, y, ThreatModel())
    with pytest.raises(InputTypeError, match="in front of the lift"):
        fgsm(model, x.to(torch.complex64), y, ThreatModel())


@each(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"restarts": 0}, "restarts=0"),
        ({"alpha": -0.1}, "alpha=-0.1"),
        ({"alpha": math.nan}, "alpha=nan"),
        ({"alpha": math.inf}, "alpha=inf"),
        ({"loss": "hinge"}, "loss='hinge'.*'margin', 'cross_entropy' or 'dlr'"),
        ({"momentum": -1.0}, "momentum=-1.0"),
        ({"schedule": "step"}, "schedule='step'.*'cosine'"),
        ({"restarts": 2, "random_start": False}, "would repeat one ascent"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pgd(net(), *batch(), ThreatModel(), **options)


def test_examples_outside_the_box_are_refused() -> None:
    x, y = batch()
    x[3] += 1
    x[5] = math.nan
    with pytest.raises(DomainError, match=r"2 of 10 examples are outside .*\(0\.0, 1\.0\)"):
        pgd(net(), x, y, ThreatModel())


def test_shapes_that_do_not_fit_are_refused() -> None:
    x, y = batch()
    with pytest.raises(ShapeError, match="10 examples and 9 labels"):
        pgd(net(), x, y[:9], ThreatModel())
    for wrong in (lambda x: net()(x)[:, 0], lambda x: net()(x)[:5]):
        with pytest.raises(ShapeError, match="logits of shape"):
            pgd(wrong, x, y, ThreatModel())


@pytest.fixture(
    scope="module", params=["holomorphic", pytest.param("real", marks=pytest.mark.slow)]
)
def trained(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    data = load_digits().subset(train=600, test=150)
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    if request.param == "holomorphic":
        model = holomorphic_mlp(64, [16], 10, generator=generator)
    fit(model, data, EmpiricalRisk(), TrainConfig(epochs=8, batch_size=50, lr=0.01))
    return model, data.x_test, data.y_test


RADII = [("Linf", 0.1), ("L2", 0.8), ("L1", 4.0)]


@some_of(("norm", "eps"), RADII, slice(1))
def test_pgd_beats_noise_and_one_step(
    trained: tuple[nn.Module, Tensor, Tensor], norm: str, eps: float
) -> None:
    model, x, y = trained
    threat = ThreatModel(norm, eps)
    clean = pgd(model, x, y, ThreatModel(norm, 0.0), steps=1).accuracy
    generator = torch.Generator().manual_seed(0)
    noise = torch.stack(
        [margin_of(model(threat.random_point(x, generator)), y).detach() for _ in range(20)]
    ).amin(0)
    one_step = fgsm(model, x, y, threat)
    found = pgd(model, x, y, threat, steps=10, restarts=2)
    assert clean > 0.9
    assert found.accuracy <= one_step.accuracy <= float((noise > 0).double().mean()) <= clean
    assert found.accuracy < clean - 0.2


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_a_healthy_model_raises_no_alarm(
    trained: tuple[nn.Module, Tensor, Tensor], step: int
) -> None:
    """At radii where all, many and few stand; warnings are errors in the tests."""
    # every fourth has each radius and each loss once
    for (norm, eps), loss in [*itertools.product(RADII, [*LOSSES, "dlr"])][::step]:
        raises_no_alarm(*trained, norm, eps, loss)


def raises_no_alarm(
    model: nn.Module, x: Tensor, y: Tensor, norm: str, eps: float, loss: str
) -> None:
    for share in (0.03, 0.3, 1.0):
        threat = ThreatModel(norm, share * eps)
        results = [pgd(model, x, y, threat, steps=10, loss=loss)]
        results += [fgsm(model, x, y, threat, loss=loss, random_start=s) for s in (False, True)]
        alarms = [alarm for result in results for alarm in result.alarms]
        if loss == "margin":
            assert not alarms
        # an entropy that rounds to 0, a ratio that one step overshoots: on record, and silent
        assert all(a.kind is AlarmKind.FLAT_LOSS and a.count <= 5 for a in alarms)
