"""Auto-PGD: the closed form of linear models, what it keeps, and its targets."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.attacks import AlarmKind, AttackResult, ThreatModel, margin_of, pgd
from holonet.attacks.apgd import _aimed_dlr, apgd, apgd_targeted
from holonet.data import load_digits
from holonet.errors import AttackWarning, ConfigError, DomainError, InputTypeError, ShapeError
from holonet.nn import HolomorphicClassifier, Linear, holomorphic_mlp, real_mlp

pytestmark = pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")
REAL = ["Linf", "L2", "L1"]
COMPLEX = ["polydisc", "complex_ball"]
LOSSES = ["margin", "cross_entropy", "dlr"]
seeds = st.integers(0, 2**32)
run = st.sampled_from([apgd, apgd_targeted])


def net(classes: int = 5) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, classes))


def batch(n: int = 8, classes: int = 5) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 2, 4), torch.randint(classes, (n,))


def closed_form(
    model: nn.Module, x: Tensor, y: Tensor, threat: ThreatModel, slope: Tensor
) -> Tensor:
    """Least margins of a linear model of two classes; broken examples are left alone."""
    clean = margin_of(model(x), y)
    least = margin_of(model(threat.maximizer(slope, x)), y)
    return torch.where(clean > 0, least, clean).detach()


@settings(max_examples=8)
@given(
    attack=run,
    norm=st.sampled_from(REAL),
    eps=st.floats(1e-3, 1.0),
    box=st.sampled_from([None, (0.0, 1.0)]),
    steps=st.integers(1, 5),
    seed=seeds,
)
def test_linear_models_meet_their_closed_form(attack, norm, eps, box, steps, seed):
    torch.manual_seed(seed)
    model, x, y = nn.Linear(6, 2).double(), torch.rand(9, 6).double(), torch.randint(2, (9,))
    threat = ThreatModel(norm, eps, box)
    slope = (model.weight[1 - y] - model.weight[y]).detach()
    expected = closed_form(model, x, y, threat, slope)
    found = attack(model, x, y, threat, steps=steps, seed=seed)
    torch.testing.assert_close(found.margin, expected, rtol=1e-12, atol=1e-12)


@settings(max_examples=6)
@given(attack=run, norm=st.sampled_from(COMPLEX), eps=st.floats(1e-3, 1.0), seed=seeds)
def test_complex_linear_models_meet_their_closed_form(attack, norm, eps, seed):
    torch.manual_seed(seed)
    model = HolomorphicClassifier(Linear(4, 2, dtype=torch.complex128))
    x, y = torch.randn(7, 4, dtype=torch.complex128), torch.randint(2, (7,))
    weight = model.backbone.get_parameter("weight").detach()
    slope = (weight[1 - y] - weight[y]).conj()  # the gradient of Re(w z)
    threat = ThreatModel(norm, eps, None)
    expected = closed_form(model, x, y, threat, slope)
    found = attack(model, x, y, threat, steps=3, seed=seed)
    torch.testing.assert_close(found.margin, expected, rtol=1e-12, atol=1e-12)
    assert bool(threat.contains(found.x_adv, x).all())


@settings(max_examples=10)
@given(
    targeted=st.booleans(),
    kind=st.sampled_from(["real", "holomorphic"]),
    norm=st.sampled_from(REAL),
    eps=st.sampled_from([0.0, 1e-4, 0.1, 1.0]),
    box=st.sampled_from([None, (0.0, 1.0)]),
    loss=st.sampled_from(LOSSES),
    steps=st.integers(1, 6),
    restarts=st.integers(1, 2),
    n=st.integers(0, 5),
    seed=seeds,
)
def test_the_result_is_in_the_set_and_as_said(
    targeted, kind, norm, eps, box, loss, steps, restarts, n, seed
):
    torch.manual_seed(seed)
    model = net() if kind == "real" else holomorphic_mlp(8, [6], 5)
    (x, y), threat = batch(n), ThreatModel(norm, eps, box)
    clean = margin_of(model(x), y).detach()
    options: dict[str, Any] = {"steps": steps, "restarts": restarts, "seed": seed}
    found = (
        apgd_targeted(model, x, y, threat, targets=2, **options)
        if targeted
        else apgd(model, x, y, threat, loss=loss, **options)
    )
    assert bool(threat.contains(found.x_adv, x).all())
    torch.testing.assert_close(margin_of(model(found.x_adv), y), found.margin, rtol=1e-4, atol=1e-5)
    assert bool((found.margin <= clean).all())
    assert not found.x_adv.requires_grad


@settings(max_examples=2)
@given(norm=st.sampled_from(REAL), seed=seeds)
def test_more_restarts_and_targets_are_never_weaker(norm, seed):
    torch.manual_seed(seed)
    model, (x, y), threat = net(), batch(), ThreatModel(norm, 0.1)
    few = apgd(model, x, y, threat, steps=3, restarts=1, seed=seed).margin
    assert bool((apgd(model, x, y, threat, steps=3, restarts=3, seed=seed).margin <= few).all())
    few = apgd_targeted(model, x, y, threat, targets=1, steps=3, seed=seed).margin
    more = apgd_targeted(model, x, y, threat, targets=4, steps=3, seed=seed).margin
    assert bool((more <= few).all())
    many = apgd_targeted(model, x, y, threat, targets=99, steps=3, seed=seed).margin
    assert torch.equal(many, more)


@settings(max_examples=6)
@given(seed=seeds, loss=st.sampled_from(LOSSES), norm=st.sampled_from(["Linf", "L2"]))
def test_the_worst_point_on_the_way_is_kept(seed, loss, norm):
    torch.manual_seed(seed)
    inner, (x, _), seen = net(), batch(1), []
    y = inner(x).argmax(1)

    def model(x: Tensor) -> Tensor:
        seen.append(x.detach())
        return 30 * inner(x).sin()

    found = apgd(model, x, y, ThreatModel(norm, 0.4), steps=8, loss=loss, seed=seed)
    margins = [float(margin_of(30 * inner(p).sin(), y).detach()) for p in seen]
    assert float(found.margin) == pytest.approx(min(margins), rel=1e-5, abs=1e-5)
    assert torch.equal(found.x_adv, seen[margins.index(min(margins))])
    assert len(seen) == 1 + (8 + 1 if margins[0] > 0 else 0)


@pytest.mark.parametrize("attack", [apgd, apgd_targeted])
@settings(max_examples=1)
@given(seed=seeds)
def test_the_seed_decides_and_nothing_else(seed, attack):
    torch.manual_seed(seed)
    model, (x, y), threat = net(), batch(), ThreatModel("L2", 0.3)
    state = torch.get_rng_state()
    first = attack(model, x, y, threat, steps=2, restarts=2, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    again = attack(model, x, y, threat, steps=2, restarts=2, seed=seed)
    assert torch.equal(first.x_adv, again.x_adv)
    other = attack(model, x, y, threat, steps=2, restarts=2, seed=seed + 1)
    assert not torch.equal(first.x_adv, other.x_adv) or first.accuracy == 0


@pytest.mark.parametrize("attack", [apgd, apgd_targeted])
def test_restarts_and_targets_meet_survivors_only(attack: Any) -> None:
    torch.manual_seed(0)
    inner, sizes = net().requires_grad_(False), []
    for weight in inner.parameters():
        weight.mul_(3)
    x, _ = batch(20)
    y = inner(x).argmax(1)

    def model(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return inner(x)

    threat = ThreatModel("L2", 1.0)
    found = attack(model, x, y, threat, steps=3, restarts=2)
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < sizes[-1] < 20
    broken = attack(inner, x, y, threat, steps=3, restarts=1).success
    assert bool(found.success[broken].all())


def test_the_targeted_dlr_by_hand() -> None:
    logits = torch.tensor([[5.0, 1.0, 2.0, 4.0, 0.0], [1.0, 2.0, 3.0, 4.0, 6.0]])
    y, aim = torch.tensor([0, 0, 4]), torch.tensor([0, 3, 1])
    left = torch.tensor([1, 2])
    found = _aimed_dlr(y, aim, logits, left)
    torch.testing.assert_close(found, torch.tensor([(4 - 5) / (5 - 1.5), (2 - 6) / (6 - 2.5)]))
    few = _aimed_dlr(y, aim, logits[:, 1:4][:, [0, 1, 2, 2]][:, :3], torch.tensor([0, 0]))
    assert few.tolist() == [0.0, 0.0]
    three = _aimed_dlr(
        torch.tensor([0]), torch.tensor([2]), torch.tensor([[1.0, 5.0, 4.0]]), torch.tensor([0])
    )
    assert three.tolist() == [3.0]


@pytest.mark.parametrize("classes", [1, 2, 3, 4])
def test_few_classes(classes: int) -> None:
    torch.manual_seed(0)
    model, (x, _) = net(classes), batch()
    y = model(x).argmax(1)
    for found in (
        apgd_targeted(model, x, y, ThreatModel(eps=0.3), steps=5),
        apgd(model, x, y, ThreatModel(eps=0.3), steps=5, loss="dlr"),
    ):
        assert (found.accuracy == 1) == (classes == 1)


@settings(max_examples=6)
@given(seed=seeds, loss=st.sampled_from(LOSSES))
def test_a_target_is_what_is_reached(seed, loss):
    torch.manual_seed(seed)
    model, (x, y) = net(), batch()
    target = (y + 1 + torch.randint(3, y.shape)) % 5
    threat = ThreatModel(eps=0.4)
    found = apgd(model, x, y, threat, steps=10, loss=loss, target=target, seed=seed)
    logits = model(found.x_adv).detach()
    lead = -margin_of(logits, target)
    torch.testing.assert_close(found.margin, lead, rtol=1e-4, atol=1e-5)
    reached = (logits.argmax(1) == target) | (found.margin == 0)
    assert torch.equal(found.success, reached)
    assert bool((lead <= -margin_of(model(x), target).detach() + 1e-6).all())
    assert float(lead.mean()) < float(-margin_of(model(x), target).detach().mean())


def test_modes_and_weights_come_back() -> None:
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(8), nn.Dropout(0.9), nn.Linear(8, 5))
    model.train()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    x, y = batch()
    with torch.no_grad():
        apgd(model, x, y, ThreatModel(), steps=3)
        apgd_targeted(model, x, y, ThreatModel(), steps=3)
    assert all(module.training for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


class Broken(nn.Module):
    """NaN logits, or gradients that are not finite, for the second example."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.layer = kind, nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.layer(x.flatten(1)) + torch.tensor([9.0, 0, 0, 0, 0])
        if not x.requires_grad:
            return logits
        odd = torch.arange(len(x))[:, None] == 1
        if self.kind == "gradient":
            return logits + torch.where(odd, x.flatten(1)[:, :1] * 0, 1.0).abs().sqrt()
        return torch.where(odd, math.nan, logits)


@pytest.mark.filterwarnings("default::holonet.errors.AttackWarning")
def test_values_that_are_not_finite() -> None:
    (x, _), y = batch(), torch.zeros(8, dtype=torch.int64)
    with pytest.warns(AttackWarning, match="not finite for 1 of 8"):
        found = apgd(Broken("gradient"), x, y, ThreatModel(), steps=4)
    alarms = {alarm.kind: alarm.count for alarm in found.alarms}
    assert alarms[AlarmKind.NOT_FINITE] == 1
    assert bool(torch.isfinite(found.margin).all())
    found = apgd(Broken("logits"), x, y, ThreatModel(), steps=4)
    assert found.margin[1] == -math.inf
    assert found.success.tolist() == [k == 1 for k in range(8)]


@pytest.mark.filterwarnings("default::holonet.errors.AttackWarning")
def test_a_masked_gradient_is_reported() -> None:
    x, _ = batch()
    model = nn.Sequential(nn.Flatten(), nn.Linear(8, 5))

    def steps(x: Tensor) -> Tensor:
        return (30 * model(x)).round() + 0 * x.flatten(1).sum(1, keepdim=True)

    y = steps(x).argmax(1)
    with pytest.warns(AttackWarning, match="zero gradient"):
        found = apgd(steps, x, y, ThreatModel(eps=0.01), steps=3)
    assert found.alarms[0].kind is AlarmKind.ZERO_GRADIENT


def test_bad_requests_are_refused() -> None:
    model, (x, y), threat = net(), batch(), ThreatModel()
    for attack, options, message in (
        (apgd, {"steps": 0}, "steps=0"),
        (apgd, {"restarts": 0}, "restarts=0"),
        (apgd_targeted, {"targets": 0}, "targets=0"),
        (apgd, {"loss": "hinge"}, "hinge"),
    ):
        with pytest.raises(ConfigError, match=message):
            attack(model, x, y, threat, **options)  # type: ignore[operator]
    with pytest.raises(DomainError, match="targets from"):
        apgd(model, x, y, threat, target=y + 3)
    with pytest.raises(ShapeError, match="7 targets for 8"):
        apgd(model, x, y, threat, target=y[:7])
    with pytest.raises(DomainError, match="outside the box"):
        apgd(model, x + 2, y, threat)
    with pytest.raises(InputTypeError, match="autograd cannot follow"):
        apgd(lambda x: model(x).detach(), x, model(x).argmax(1), threat)


@pytest.fixture(scope="module")
def trained() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    data = load_digits().subset(train=600, test=100)
    model = real_mlp(64, [24], 10, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data.x_train), data.y_train).backward()
        optimizer.step()
    return model, data.x_test, data.y_test


@pytest.mark.parametrize(
    ("norm", "eps", "steps"),
    [
        ("Linf", 0.08, 12),
        pytest.param("L2", 0.5, 12, marks=pytest.mark.slow),
        pytest.param("L1", 1.5, 20, marks=pytest.mark.slow),
    ],
)
def test_strength_on_digits(
    trained: tuple[nn.Module, Tensor, Tensor], norm: str, eps: float, steps: int
) -> None:
    model, x, y = trained
    threat = ThreatModel(norm, eps)

    def stands(found: AttackResult) -> float:
        return found.accuracy

    plain = stands(pgd(model, x, y, threat, steps=steps))
    assert 0.1 < plain < 0.9
    assert stands(apgd(model, x, y, threat, steps=steps, loss="margin")) <= plain + 0.02
    assert stands(apgd(model, x, y, threat, steps=steps)) <= plain + 0.04
    assert stands(apgd_targeted(model, x, y, threat, steps=steps)) <= plain
