"""The analytic rule: values by hand, all its norms and directions, and what it does to networks."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.calculus import Probes
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import holomorphic_mlp
from holonet.regularizers import (
    CauchyRiemannPenalty,
    DirichletEnergy,
    GradientNorm,
    LaplacianPenalty,
)
from holonet.training import (
    AnalyticRule,
    EmpiricalRisk,
    LinearRamp,
    Rule,
)

C128 = torch.complex128
TARGETS = ["logits", "probabilities", "loss"]


def real_net() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3))


def holomorphic_net() -> nn.Module:
    return holomorphic_mlp(6, [5, 4], 3)


def batch(n: int = 7) -> tuple[Tensor, Tensor]:
    return torch.rand(n, 1, 2, 3), torch.randint(3, (n,))


def target(on: str, model: nn.Module, y: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """The penalized function of one example and its label, by definition."""

    def f(x: Tensor, label: Tensor) -> Tensor:
        logits = model(x[None])[0]
        if on == "probabilities":
            return logits.exp() / logits.exp().sum()
        return logits.exp().sum().log() - logits[label] if on == "loss" else logits

    return f


def risk_by_hand(logits: Tensor, y: Tensor) -> Tensor:
    return (logits.exp().sum(1).log() - logits[torch.arange(len(y)), y]).mean()


def energy_by_hand(on: str, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    f = target(on, model, y)
    jacobians = [
        torch.autograd.functional.jacobian(lambda a, k=k: f(a, y[k]), x[k]) for k in range(len(x))
    ]
    return torch.stack([j.square().sum() / 2 for j in jacobians]).mean()


@each("net", [real_net, holomorphic_net])
@each("on", TARGETS)
def test_exact_value_is_the_one_by_hand(net: Callable[[], nn.Module], on: str) -> None:
    model, (x, y) = net(), batch()
    terms = AnalyticRule(0.7, on, None).terms(model, x, y)
    assert terms.keys() == {"risk", f"DirichletEnergy({on})"}
    risk, energy = terms.values()
    torch.testing.assert_close(risk, risk_by_hand(model(x), y))
    torch.testing.assert_close(energy, 0.7 * energy_by_hand(on, model, x, y))
    assert torch.equal(AnalyticRule(0.7, on, None)(model, x, y), risk + energy)


@each("on", TARGETS)
@each("mode", ["forward", "reverse"])
def test_probes_give_the_exact_value_in_the_mean(on: str, mode: Any) -> None:
    model, (x, y) = real_net(), batch(3)
    exact = AnalyticRule(1.0, on, None).terms(model, x, y)
    many = x.repeat(2000, 1, 1, 1), y.repeat(2000)
    drawn = AnalyticRule(1.0, on, 2, mode).terms(model, *many, Probes(0))
    torch.testing.assert_close(drawn["risk"], exact["risk"])
    name = f"DirichletEnergy({on})"
    torch.testing.assert_close(drawn[name], exact[name], rtol=0.03, atol=0)


LOOPS = [
    *itertools.product([real_net, holomorphic_net], TARGETS, ["forward", "reverse"], [1, 2, None])
]


@each(("net", "on", "mode", "count"), LOOPS[::5])
def test_a_plain_loop_lowers_the_loss_and_reaches_every_parameter(
    net: Callable[[], nn.Module], on: str, mode: Any, count: int | None
) -> None:
    lowers_the_loss_and_reaches_every_parameter(net, on, mode, count)


@pytest.mark.slow
@each(("net", "on", "mode", "count"), LOOPS)
def test_every_plain_loop_lowers_the_loss_and_reaches_every_parameter(
    net: Callable[[], nn.Module], on: str, mode: Any, count: int | None
) -> None:
    lowers_the_loss_and_reaches_every_parameter(net, on, mode, count)


def lowers_the_loss_and_reaches_every_parameter(
    net: Callable[[], nn.Module], on: str, mode: Any, count: int | None
) -> None:
    model, (x, y) = net(), batch()
    rule = AnalyticRule(0.1, on, count, mode)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        optimizer.zero_grad()
        loss = rule(model, x, y, Probes(1))
        loss.backward()
        assert all(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_gradient_is_that_of_the_value(mode: Any) -> None:
    model, (x, y) = real_net().double(), batch()
    rule, x = AnalyticRule(0.5, "logits", 2, mode), x.double()
    weight = model.get_parameter("1.weight")
    (gradient,) = torch.autograd.grad(rule(model, x, y, Probes(3)), weight)
    direction, h = torch.randn_like(weight), 1e-6
    values = []
    for sign in (1, -1):
        weight.data += sign * h * direction
        values.append(float(rule(model, x, y, Probes(3)).detach()))
        weight.data -= sign * h * direction
    slope = (values[0] - values[1]) / (2 * h)
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-6)


@given(seed=st.integers(0, 2**62), on=st.sampled_from(TARGETS), count=st.integers(1, 3))
def test_probes_are_reproducible(seed, on, count):
    torch.manual_seed(0)
    model, (x, y) = real_net(), batch()
    rule = AnalyticRule(1.0, on, count, "forward")
    values = [rule(model, x, y, Probes(s)) for s in (seed, seed, seed + 1)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])


@each("on", TARGETS)
@each("mode", ["forward", "reverse"])
def test_weight_zero_is_the_plain_risk(on: str, mode: Any) -> None:
    model, (x, y) = holomorphic_net(), batch()
    zero, plain = AnalyticRule(0.0, on, 1, mode)(model, x, y), EmpiricalRisk()(model, x, y)
    torch.testing.assert_close(zero, plain)
    torch.testing.assert_close(plain, risk_by_hand(model(x), y))
    gradients = [torch.autograd.grad(v, list(model.parameters())) for v in (zero, plain)]
    torch.testing.assert_close(*gradients)


class Soft(nn.Module):
    """Logits that are real parts of a map that is not holomorphic."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(6, 4, dtype=C128)
        self.outer = nn.Linear(4, 3, dtype=C128)

    def holomorphic_map(self, z: Tensor) -> Tensor:
        inner = self.inner(z.flatten(1))
        return self.outer(torch.complex(inner.real.tanh(), inner.imag.tanh()))

    def forward(self, x: Tensor) -> Tensor:
        return self.holomorphic_map(x.to(C128)).real


def precise_net() -> nn.Module:
    return holomorphic_mlp(6, [5], 3, activation="sin", dtype=C128)


@given(seed=st.integers(0, 2**32))
def test_on_a_holomorphic_map_real_and_complex_directions_agree(seed):
    torch.manual_seed(seed)
    model, (x, y) = precise_net(), batch()
    x = x.double()
    real, lifted = (
        AnalyticRule(1.0, "map", None, directions=d).terms(model, x, y) for d in ("real", "complex")
    )
    torch.testing.assert_close(real["DirichletEnergy(map)"], lifted["DirichletEnergy(map, lifted)"])


@given(seed=st.integers(0, 2**32))
def test_on_logits_complex_directions_are_the_mean_of_x_and_ix(seed):
    torch.manual_seed(seed)
    model, (x, y) = precise_net(), batch()
    x = x.double()
    real, lifted = (
        list(AnalyticRule(1.0, "logits", None, directions=d).terms(model, x, y).values())[1]
        for d in ("real", "complex")
    )
    turned = EmpiricalRisk(AnalyticRule(1.0, "logits", None).penalties).terms(
        lambda t: model(x + 1j * t), torch.zeros_like(x), y
    )["DirichletEnergy(logits)"]
    torch.testing.assert_close(lifted, (real + turned) / 2)


def test_real_weights_tell_no_complex_directions() -> None:
    """There grad Re f is real: the l_1 norms are equal, and the energies but for the factor 2."""
    model, (x, y) = precise_net(), batch()
    x = x.double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.real.to(C128))
    for norm, factor in (("L1", 1.0), ("L2", 0.5)):
        real, lifted = (
            list(
                AnalyticRule(1.0, "logits", None, gradient_norm=norm, directions=d)
                .terms(model, x, y)
                .values()
            )[1]
            for d in ("real", "complex")
        )
        torch.testing.assert_close(lifted, factor * real)


@each("on", TARGETS)
@each("mode", ["forward", "reverse"])
def test_the_l1_norm_is_the_gradient_norm(on: str, mode: Any) -> None:
    model, (x, y) = real_net(), batch()
    found = AnalyticRule(0.2, on, 2, mode, gradient_norm="L1").terms(model, x, y, Probes(1))
    by_target: dict[str, Any] = {
        "logits": model,
        "probabilities": lambda x: model(x).softmax(1),
        "loss": lambda x: nn.functional.cross_entropy(model(x), y, reduction="none"),
    }
    expected = 0.2 * GradientNorm("L1", 1, 2)(by_target[on], x, Probes(1))
    torch.testing.assert_close(found[f"GradientNorm({on})"], expected)
    torch.testing.assert_close(found["risk"], risk_by_hand(model(x), y))


def test_every_term_is_the_regularizer_it_is_named_after() -> None:
    model, (x, y) = Soft(), batch(8)
    x = x.double()
    for directions in ("real", "complex"):
        z = x.to(C128)
        points = x if directions == "real" else z
        rule = AnalyticRule(
            0.5, directions=directions, cauchy_riemann=0.25, harmonic=2.0, label_smoothing=0.1
        )
        found = rule.terms(model, x, y, Probes(4))
        stream = Probes(4)

        def logits(x: Tensor) -> Tensor:
            return model(x) if not x.is_complex() else model.holomorphic_map(x).real

        tail = "logits" if directions == "real" else "logits, lifted"
        expected = {
            f"DirichletEnergy({tail})": 0.5 * DirichletEnergy()(logits, points, stream),
            "CauchyRiemannPenalty(map, lifted)": 0.25
            * CauchyRiemannPenalty()(model.holomorphic_map, z, stream),
            f"LaplacianPenalty({tail})": 2.0 * LaplacianPenalty()(logits, points, stream),
        }
        assert found.keys() == {"risk", *expected}
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value)


def test_holomorphic_networks_have_no_cauchy_riemann_nor_complex_harmonic_part() -> None:
    model, (x, y) = precise_net(), batch(8)
    rule = AnalyticRule(0.0, directions="complex", cauchy_riemann=1.0, harmonic=1.0)
    found = rule.terms(model, x.double(), y)
    assert found["CauchyRiemannPenalty(map, lifted)"].abs() < 1e-20
    assert found["LaplacianPenalty(logits, lifted)"].abs() < 1e-20
    real = AnalyticRule(0.0, harmonic=1.0).terms(model, x.double(), y)
    assert real["LaplacianPenalty(logits)"].abs() > 1e-6  # harmonic on C^n, not on the data


def test_the_cauchy_riemann_term_makes_a_network_more_holomorphic() -> None:
    model, (x, y) = Soft(), batch(32)
    x, z = x.double(), x.to(C128)
    exact = CauchyRiemannPenalty(None)
    before = exact(model.holomorphic_map, z).item()
    rule = AnalyticRule(0.0, cauchy_riemann=100.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        rule(model, x, y).backward()
        optimizer.step()
    assert exact(model.holomorphic_map, z).item() < 0.3 * before


def test_lifting_is_in_the_precision_of_the_model() -> None:
    x, y = batch()
    for dtype in (torch.complex64, C128):
        model = holomorphic_mlp(6, [5], 3, dtype=dtype)
        value = AnalyticRule(directions="complex", cauchy_riemann=1.0)(model, x, y)
        assert value.isfinite()


def test_real_models_take_no_complex_directions() -> None:
    with pytest.raises(InputTypeError, match=r"Sequential has real parameters .*directions='real'"):
        AnalyticRule(directions="complex")(real_net(), *batch())


def test_a_model_without_a_map_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputTypeError, match=r"no method holomorphic_map.*PluriharmonicPenalty"):
        AnalyticRule(cauchy_riemann=1.0)(real_net(), *batch())


@each(
    ("arguments", "match"),
    [
        ({"gradient_norm": "Linf"}, r"gradient_norm='Linf'.*'L1' or 'L2'"),
        ({"directions": "imaginary"}, r"directions='imaginary'.*'real' or 'complex'"),
        ({"cauchy_riemann": -1.0}, r"weight=-1.0"),
        ({"harmonic": float("nan")}, r"weight=nan"),
        ({"weight": -1.0}, r"weight=-1.0"),
        ({"weight": float("inf")}, r"weight=inf"),
        ({"target": "logit"}, r"target='logit'.*'logits', 'probabilities' or 'loss'"),
        ({"mode": "sideways"}, "sideways"),
        ({"count": 0}, "count=0"),
    ],
)
def test_bad_arguments_are_refused(arguments: Any, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        AnalyticRule(**arguments)


def test_each_weight_has_its_schedule() -> None:
    rule = AnalyticRule(LinearRamp(1.0), cauchy_riemann=LinearRamp(2.0, end=0.5), harmonic=3.0).at(
        0.25
    )
    assert [p.weight for p in rule.penalties] == [0.25, 1.0, 3.0]


def test_the_repr_is_that_of_older_runs() -> None:
    """Runs that were begun before the rule had more terms still resume."""
    old = "AnalyticRule(0.3 * DirichletEnergy(count=1, mode='reverse') on logits)"
    assert repr(AnalyticRule()) == old


def test_repr_tells_rules_apart_and_the_same_rule_from_none() -> None:
    def rules() -> list[Rule]:
        return [
            AnalyticRule(),
            AnalyticRule(0.1),
            AnalyticRule(LinearRamp(0.1)),
            AnalyticRule(target="loss"),
            AnalyticRule(target="map"),
            AnalyticRule(count=None),
            AnalyticRule(mode="forward"),
            AnalyticRule(gradient_norm="L1"),
            AnalyticRule(directions="complex"),
            AnalyticRule(cauchy_riemann=1.0),
            AnalyticRule(harmonic=1.0),
            AnalyticRule(label_smoothing=0.1),
            EmpiricalRisk(),
        ]

    assert len(set(map(repr, rules()))) == len(rules())
    assert list(map(repr, rules())) == list(map(repr, rules()))
