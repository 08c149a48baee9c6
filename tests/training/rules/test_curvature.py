"""The curvature's sums against matrices formed by hand, and against descent."""

from functools import partial

import pytest
import torch
from enclosed import C128, F64, quartics
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn as tnn
from torch.autograd.functional import hessian

from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import HolomorphicClassifier, ImagPart, Linear, Sequential, Square, Tanh
from holonet.training import EmpiricalRisk, LinearizedRobustOptimization, LinearRamp
from holonet.training.rules.curvature import SquareForm, sampled_entries

seeds = st.integers(0, 2**32)


def squares(dtype=F64, inner=5, widths=(6, 4)):
    layers = []
    for width in widths:
        layers += [Linear(inner, width, dtype=dtype), Square()]
        inner = width
    return HolomorphicClassifier(Sequential(*layers, Linear(inner, 3, dtype=dtype)))


def batch(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(4, *shape, generator=generator, dtype=F64)
    return x, torch.randint(3, (4,), generator=generator)


def rows(y, k):
    one = torch.eye(3, dtype=F64)
    return one[(y + k) % 3] - one[y]


def lead_at(model, point, radii, lead, t):
    return model((point + radii * t)[None])[0] @ lead


@pytest.mark.parametrize("dtype", [F64, C128])
@pytest.mark.parametrize("widths", [(6,), (6, 4), (6, 4, 5), (4, 3, 3, 4)])
def test_the_sums_are_those_of_the_matrices(dtype, widths):
    torch.manual_seed(0)
    model, (x, y) = squares(dtype, widths=widths), batch((5,))
    weights = [p.detach() for p in model.parameters() if p.ndim == 2]
    biases = [p.detach() for p in model.parameters() if p.ndim == 1]
    radii = 0.1 + torch.rand(4, 5, dtype=F64) / 10
    entries, part = sampled_entries(radii, 9, Probes(0)), 0.4
    found = SquareForm.of(model).excesses(x, radii, [rows(y, 1)], part, entries)[0]
    for i in range(4):
        lead = rows(y, 1)[i]
        moved = partial(lead_at, model, x[i], radii[i], lead)
        form = hessian(moved, torch.zeros(5, dtype=F64)) / 2
        total = part * (form.abs().sum() - form.diagonal().clamp(max=0).abs().sum())

        units, slopes, jacobian = x[i].to(dtype), [], torch.diag(radii[i]).to(dtype)
        jacobians = []
        for weight, bias in zip(weights[:-1], biases, strict=False):
            u = weight @ units + bias
            jacobians.append(weight @ jacobian)
            slopes.append(2 * u)
            units, jacobian = u * u, torch.diag(2 * u) @ jacobians[-1]
        reach = torch.zeros(widths[0], dtype=F64)
        for k, jacobian in enumerate(jacobians):
            lead_by_squares = lead.to(dtype) @ weights[-1]
            for weight, slope in zip(weights[-2:k:-1], slopes[:k:-1], strict=True):
                lead_by_squares = (lead_by_squares * slope) @ weight
            height = jacobian.abs().sum(1)
            upward = lead_by_squares.clamp(min=0) if dtype == F64 else lead_by_squares.abs()
            total += (2 * lead_by_squares.abs() * height * reach + upward * reach.square()).sum()
            if k + 1 < len(jacobians):
                squares_up_to = part * height**2 + 2 * height * reach + reach**2
                moves = slopes[k].abs() * reach
                if dtype == F64:
                    low, high = -moves, moves + squares_up_to
                    up, down = weights[k + 1].clamp(min=0), weights[k + 1].clamp(max=0)
                    reach = torch.maximum(up @ high + down @ low, -(up @ low + down @ high))
                else:
                    reach = weights[k + 1].abs() @ (squares_up_to + moves)
        torch.testing.assert_close(found[i], total)


@settings(max_examples=8)
@given(
    seed=seeds,
    eps=st.floats(0.01, 0.4),
    case=st.sampled_from(sorted(quartics())),
    at=st.sampled_from(["data", "center", "random", "frank-wolfe"]),
)
def test_with_weight_one_it_bounds_the_robust_loss_of_squares(seed, eps, case, at):
    torch.manual_seed(seed)
    model, shape = quartics()[case]
    x, y = batch(shape, seed)
    threat = ThreatModel("Linf", eps)
    rule = LinearizedRobustOptimization(threat, at=at, classes=None, curvature=1.0, entries=16)
    bound = float(rule(model, x, y, Probes(seed)).detach())
    worst, points = 0.0, x
    for step in range(8):
        points = points.detach().requires_grad_()
        losses = EmpiricalRisk()(model, points, y)
        worst = max(worst, float(losses.detach()))
        (gradient,) = torch.autograd.grad(losses, points)
        size = eps if step < 5 else eps / 4
        points = threat.project(points + size * gradient.sign(), x)
    assert worst <= bound + 1e-9


@settings(max_examples=8)
@given(seed=seeds, weights=st.tuples(st.floats(0, 2), st.floats(0, 2)))
def test_it_rises_with_the_weight(seed, weights):
    model, (x, y) = quartics()["threshold"][0], batch((6,), seed)
    threat = ThreatModel("Linf", 0.1)

    def loss(weight):
        rule = LinearizedRobustOptimization(threat, at="center", curvature=weight)
        return float(rule(model, x, y, Probes(0)).detach())

    low, high = sorted(weights)
    assert loss(low) <= loss(high) + 1e-12
    without = float(LinearizedRobustOptimization(threat, at="center")(model, x, y).detach())
    assert loss(0.0) == without <= loss(low) + 1e-12


def test_its_schedule_is_settled():
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1), curvature=LinearRamp(0.5))
    now = rule.at(0.5)
    assert now.curvature == 0.25
    assert "curvature=0.25, entries=4" in repr(now)
    with pytest.raises(ConfigError, match="curvature=-1"):
        LinearizedRobustOptimization(ThreatModel("Linf", 0.1), curvature=-1.0)
    with pytest.raises(ConfigError, match="norm 'Linf'; choose curvature=0"):
        LinearizedRobustOptimization(ThreatModel("L2", 0.1), curvature=1.0)
    with pytest.raises(ConfigError, match=r"entries=0"):
        LinearizedRobustOptimization(ThreatModel("Linf", 0.1), entries=0)


def test_few_entries_estimate_the_sums_of_all():
    torch.manual_seed(1)
    model, (x, y) = squares(inner=30), batch((30,))
    radii = torch.rand(4, 30, dtype=F64).clamp(min=0.3) / 10
    form, lead = SquareForm.of(model), [rows(y, 2)]
    whole = form.excesses(x, radii, lead, 0.3, sampled_entries(radii, 30, Probes(0)))[0]
    drawn = [
        form.excesses(x, radii, lead, 0.3, sampled_entries(radii, 5, Probes(seed)))[0].detach()
        for seed in range(40)
    ]
    mean = torch.stack(drawn).mean(0)
    assert torch.allclose(mean, whole, rtol=0.08)
    assert torch.stack(drawn).std(0).min() > 0


def test_entries_that_cannot_move_are_not_drawn():
    radii = torch.tensor([[0.0, 0.2, 0.0, 0.1], [0.0, 0.0, 0.3, 0.0]])
    chosen = sampled_entries(radii, 3, Probes(0))
    assert chosen.places.shape == (2, 2)
    assert sorted(chosen.places[0].tolist()) == [1, 3]
    assert chosen.counts.sum(1).tolist() == [2.0, 1.0]
    assert int(chosen.places[1][chosen.counts[1] > 0]) == 2
    one = sampled_entries(radii, 1, Probes(0))
    assert one.counts.shape == (2, 1)
    assert one.counts[1].item() == 1.0
    assert one.counts[0].item() in (pytest.approx(1.5), pytest.approx(3.0))


def test_parameters_learn_from_the_curvature():
    torch.manual_seed(2)
    model, (x, y) = squares(), batch((5,))
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1), curvature=0.5, entries=5)
    weight = model.backbone[0].weight
    (gradient,) = torch.autograd.grad(rule(model, x, y, Probes(0)), weight)
    direction, values = torch.randn_like(weight), []
    for sign in (1e-6, -1e-6):
        weight.data += sign * direction
        values.append(float(rule(model, x, y, Probes(0)).detach()))
        weight.data -= sign * direction
    slope = (values[0] - values[1]) / 2e-6
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_other_networks_are_refused_by_the_name_of_the_layer():
    with pytest.raises(InputTypeError, match="layers of squares, and this network has none"):
        SquareForm.of(tnn.Sequential(Linear(2, 2), Linear(2, 2)))
    with pytest.raises(InputTypeError, match=r"1 \(Tanh\)"):
        SquareForm.of(tnn.Sequential(Linear(2, 2), Tanh(), Linear(2, 2)))
    with pytest.raises(InputTypeError, match=r"readout \(ImagPart\)"):
        SquareForm.of(HolomorphicClassifier(squares(C128).backbone, ImagPart()))
    rule = LinearizedRobustOptimization(ThreatModel("Linf", 0.1), curvature=0.5)
    x, y = batch((3,))
    with pytest.raises(InputTypeError, match=r"torch\.nn\.Module"):
        rule(lambda x: x * x, x, y)
