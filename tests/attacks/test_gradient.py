"""PGD: the closed form where there is one, and what it must leave alone."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.attacks import AttackResult, ThreatModel, margin_of, pgd
from holonet.attacks.gradient import evaluating
from holonet.data import load_digits
from holonet.errors import DomainError, InputTypeError, NumericalError, ShapeError
from holonet.nn import holomorphic_mlp
from holonet.training import EmpiricalRisk, TrainConfig, fit

NORMS = ["Linf", "L2"]
seeds = st.integers(0, 2**32)


def linear(classes: int = 2, features: int = 6) -> nn.Linear:
    return nn.Linear(features, classes).double()


def two_class_margin(model: nn.Linear, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Margins of a linear model of two classes and the gradients of the margins."""
    slope = model.weight.detach()[y] - model.weight.detach()[1 - y]
    offset = model.bias.detach()[y] - model.bias.detach()[1 - y]
    return (slope * x).sum(1) + offset, slope


@given(norm=st.sampled_from(NORMS), eps=st.floats(1e-3, 2.0), seed=seeds)
def test_linear_models_without_a_box(norm, eps, seed):
    torch.manual_seed(seed)
    model, x, y = linear(), torch.randn(9, 6).double(), torch.randint(2, (9,))
    clean, slope = two_class_margin(model, x, y)
    dual = slope.abs().sum(1) if norm == "Linf" else slope.norm(dim=1)
    expected = torch.where(clean > 0, clean - eps * dual, clean)  # broken ones are left alone
    steps = 1 if norm == "Linf" else 25
    for loss in ("margin", "cross_entropy"):
        found = pgd(
            model, x, y, ThreatModel(norm, eps, None), steps=steps, alpha=9 * eps, loss=loss
        )
        torch.testing.assert_close(found.margin, expected, rtol=1e-10, atol=1e-10)
        assert torch.equal(found.success, expected <= 0)


@given(eps=st.floats(1e-3, 2.0), seed=seeds)
def test_linear_models_in_a_box(eps, seed):
    torch.manual_seed(seed)
    model, x, y = linear(), torch.rand(9, 6).double(), torch.randint(2, (9,))
    clean, slope = two_class_margin(model, x, y)
    worst = torch.where(slope > 0, (x - eps).clamp(min=0), (x + eps).clamp(max=1))
    expected = torch.where(clean > 0, two_class_margin(model, worst, y)[0], clean)
    found = pgd(model, x, y, ThreatModel("Linf", eps), steps=1)
    torch.testing.assert_close(found.margin, expected, rtol=1e-10, atol=1e-10)


def net(dtype: torch.dtype = torch.float32) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 4)).to(dtype)


NETS: dict[str, Callable[[], nn.Module]] = {
    "real": net,
    "holomorphic": lambda: holomorphic_mlp(8, [6], 4),
}


def batch(n: int = 10, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 2, 4, dtype=dtype), torch.randint(4, (n,))


@pytest.mark.parametrize("kind", list(NETS))
@given(
    norm=st.sampled_from(NORMS),
    eps=st.sampled_from([0.0, 1e-4, 0.1, 2.0]),
    box=st.sampled_from([None, (0.0, 1.0)]),
    loss=st.sampled_from(["margin", "cross_entropy"]),
    steps=st.integers(1, 4),
    restarts=st.integers(1, 3),
    n=st.integers(0, 6),
    seed=seeds,
)
def test_the_result_is_in_the_set_and_as_said(kind, norm, eps, box, loss, steps, restarts, n, seed):
    torch.manual_seed(seed)
    model, (x, y), threat = NETS[kind](), batch(n), ThreatModel(norm, eps, box)
    clean = margin_of(model(x), y).detach()
    found = pgd(model, x, y, threat, steps=steps, restarts=restarts, loss=loss, seed=seed)
    assert bool(threat.contains(found.x_adv, x).all())
    assert found.x_adv.shape == x.shape
    torch.testing.assert_close(margin_of(model(found.x_adv), y), found.margin, rtol=1e-4, atol=1e-5)
    assert bool((found.margin <= clean).all())


@pytest.mark.parametrize("kind", list(NETS))
@given(norm=st.sampled_from(NORMS), seed=seeds, fewer=st.integers(1, 4), more=st.integers(0, 4))
def test_more_is_never_weaker(kind, norm, seed, fewer, more):
    torch.manual_seed(seed)
    model, (x, y), threat = NETS[kind](), batch(), ThreatModel(norm, 0.2)

    def margin(**options: Any) -> Tensor:
        return pgd(model, x, y, threat, alpha=0.05, seed=seed, **options).margin

    assert bool((margin(steps=fewer + more) <= margin(steps=fewer)).all())
    by_restarts = [margin(steps=2, restarts=r) for r in (fewer + more, fewer)]
    assert bool((by_restarts[0] <= by_restarts[1]).all())


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


@given(seed=seeds)
def test_the_seed_decides_and_nothing_else(seed):
    torch.manual_seed(seed)
    model, (x, y) = net(), batch()
    threat = ThreatModel("L2", 0.5)
    state = torch.get_rng_state()
    first = pgd(model, x, y, threat, steps=2, restarts=2, seed=seed)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    again = pgd(model, x, y, threat, steps=2, restarts=2, seed=seed)
    assert torch.equal(first.x_adv, again.x_adv)
    assert torch.equal(first.margin, again.margin)
    other = pgd(model, x, y, threat, steps=2, restarts=2, seed=seed + 1)
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


def test_modes_come_back_after_an_error() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Dropout().eval())

    def fail() -> None:
        with evaluating(model):
            assert not any(m.training for m in model.modules())
            raise ShapeError

    with pytest.raises(ShapeError):
        fail()
    assert [m.training for m in model.modules()] == [True, True, False]
    with evaluating(torch.sin):
        pass


def test_any_callable_and_any_grad_mode() -> None:
    model, (x, y) = net(), batch()
    expected = pgd(model, x, y, ThreatModel(), steps=3)
    with torch.no_grad():
        found = pgd(lambda x: model(x), x, y, ThreatModel(), steps=3)
    assert torch.equal(found.x_adv, expected.x_adv)


@pytest.mark.parametrize("norm", NORMS)
def test_a_zero_gradient_finds_nothing_and_breaks_nothing(norm: str) -> None:
    def flat(x: Tensor) -> Tensor:
        return torch.tensor([[1.0, 0.0, 0.0, 0.0]]) + 0 * x.flatten(1).sum(1, keepdim=True)

    x, _ = batch()
    found = pgd(flat, x, torch.zeros(10, dtype=torch.int64), ThreatModel(norm, 0.3), steps=3)
    assert found.accuracy == 1.0
    assert torch.equal(found.margin, torch.ones(10))
    tied = pgd(lambda x: 0 * flat(x), x, torch.zeros(10, dtype=torch.int64), ThreatModel(norm))
    assert tied.accuracy == 0.0


def test_results_by_hand() -> None:
    margin = torch.tensor([1.0, 0.0, -1.0, math.nan])
    result = AttackResult(torch.zeros(4, 1), margin)
    assert result.success.tolist() == [False, True, True, True]
    assert result.accuracy == 0.25


@given(seed=seeds, classes=st.integers(1, 5), n=st.integers(0, 4))
def test_margin_by_hand(seed, classes, n):
    logits = torch.randn(n, classes, generator=torch.Generator().manual_seed(seed))
    y = torch.arange(n) % classes
    for k, margin in enumerate(margin_of(logits, y.int()).tolist()):
        row = logits[k].tolist()
        label = row.pop(int(y[k]))
        assert margin == pytest.approx(label - max(row, default=-math.inf), rel=1e-5, abs=1e-6)


def test_double_precision_stays_double() -> None:
    model, (x, y) = net(torch.float64), batch(dtype=torch.float64)
    found = pgd(model, x, y, ThreatModel("L2", 0.3), steps=3)
    assert (found.x_adv.dtype, found.margin.dtype) == (torch.float64, torch.float64)


def test_a_single_example_and_none() -> None:
    model, (x, y) = net(), batch(3)
    assert len(pgd(model, x[:1], y[:1], ThreatModel(), steps=2).margin) == 1
    assert len(pgd(model, x[:0], y[:0], ThreatModel("L2"), steps=2, restarts=2).margin) == 0


class Trap(nn.Module):
    """Finite at first, then with logits or gradients that are not."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.layer = kind, nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        logits = self.layer(x.flatten(1)) + torch.tensor([9.0, 0.0, 0.0, 0.0])
        if not x.requires_grad:
            return logits
        if self.kind == "gradient":
            return logits + (x.flatten(1)[:, :1] * 0).abs().sqrt()
        logits = logits.clone()
        logits[1] = math.nan
        return logits


@pytest.mark.parametrize("kind", ["gradient", "logits"])
def test_values_that_are_not_finite_are_not_called_robust(kind: str) -> None:
    (x, _), y = batch(), torch.zeros(10, dtype=torch.int64)
    message = {
        "gradient": "gradient that is not finite at step 0 for 10 of 10 examples",
        "logits": "NaN logits for 1 of 10 examples",
    }[kind]
    with pytest.raises(NumericalError, match=f"{message}.*to_precision"):
        pgd(Trap(kind), x, y, ThreatModel())


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
        pgd(model, x.to(torch.complex64), y, ThreatModel())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps=0"),
        ({"restarts": 0}, "restarts=0"),
        ({"alpha": -0.1}, "alpha=-0.1"),
        ({"alpha": math.nan}, "alpha=nan"),
        ({"loss": "hinge"}, "loss='hinge'.*'margin' or 'cross_entropy'"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DomainError, match=message):
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


@pytest.fixture(scope="module", params=["real", "holomorphic"])
def trained(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    data = load_digits().subset(train=600, test=150)
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 10))
    if request.param == "holomorphic":
        model = holomorphic_mlp(64, [16], 10, generator=generator)
    fit(model, data, EmpiricalRisk(), TrainConfig(epochs=8, batch_size=50, lr=0.01))
    return model, data.x_test, data.y_test


@pytest.mark.parametrize(("norm", "eps"), [("Linf", 0.1), ("L2", 0.8)])
def test_pgd_beats_noise_and_one_step(
    trained: tuple[nn.Module, Tensor, Tensor], norm: str, eps: float
) -> None:
    model, x, y = trained
    threat = ThreatModel(norm, eps)
    clean = pgd(model, x, y, ThreatModel(norm, 0.0)).accuracy
    generator = torch.Generator().manual_seed(0)
    noise = torch.stack(
        [margin_of(model(threat.random_point(x, generator)), y).detach() for _ in range(20)]
    ).amin(0)
    x_grad = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(-margin_of(model(x_grad), y).sum(), x_grad)
    one_step = threat.project(x + eps * threat.steepest(gradient), x)
    fgsm = AttackResult(one_step, margin_of(model(one_step), y).detach())
    found = pgd(model, x, y, threat, steps=40, restarts=3)
    assert clean > 0.9
    assert found.accuracy <= fgsm.accuracy <= float((noise > 0).double().mean()) <= clean
    assert found.accuracy < clean - 0.2
