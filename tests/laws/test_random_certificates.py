"""Random networks, examples and sets: no value outside its enclosure, no margin below a bound."""

import importlib
import math

import pytest
import random_certified as chance
import torch
from enclosed import lose_a_piece
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.certify import (
    Enclosure,
    Semantics,
    affine,
    certify,
    lines,
    pointwise,
)
from holonet.errors import InputTypeError
from holonet.functions import polynomial
from holonet.threats import ThreatModel

ladder = importlib.import_module("holonet.certify.ladder")
unrolled_module = importlib.import_module("holonet.certify.unrolled")
F32 = torch.float32
SEEDS = range(5)


def total(findings):
    result = chance.Findings()
    for found in findings:
        result += found
    return result


def small(*shape):
    """Numbers about the least normal one, most of them subnormal."""
    return 10 ** (6 * torch.rand(*shape) - 42) * torch.randn(*shape).sign()


def flushing_networks():
    """Networks, and examples, whose numbers underflow in float32."""
    norm = nn.FrozenNorm(3, dtype=F32)
    norm.mean.copy_(1e4 * torch.randn(3))
    norm.weight.data.copy_(small(3))
    linear = [tnn.Linear(3, 3, bias=False) for _ in range(4)]
    for layer in (linear[0], linear[3]):
        layer.weight.data.copy_(small(3, 3))
    squares = tnn.Sequential(linear[1], nn.Square(), linear[2], nn.Square(), linear[3])
    one, both = (polynomial([0, factor, 3.0]) for factor in (1e6, 1e6 + 1e6j))
    return {
        "linear": (linear[0], torch.randn),
        "squares": (squares, torch.randn),
        "normalizer": (nn.HolomorphicClassifier(norm), torch.randn),
        "relu": (tnn.Sequential(tnn.ReLU()), small),
        "real": (nn.HolomorphicClassifier(nn.Activation(one)), small),
        "complex": (nn.HolomorphicClassifier(nn.Activation(both)), small),
        "residual": (nn.HolomorphicClassifier(nn.Residual(nn.Flatten())), small),
    }


def below_when_flushed(name):
    """How many margins of an execution that flushes subnormal numbers are below their bound."""
    wrong = 0
    methods = ["second_order"] if name == "squares" else ["intervals", "tangents"]
    for seed in range(1):
        torch.manual_seed(seed)
        model, inputs = flushing_networks()[name]
        x, threat = inputs(40, 3), ThreatModel("Linf", 0.0, None)
        x = 1e4 * x if inputs is torch.randn else x
        with torch.no_grad():
            y = model(x).argmax(1)
            case = chance.Case(seed, model, x, y, threat, F32)
            bounds = [chance.bounds_of(case, method) for method in methods]
            torch.set_flush_denormal(True)
            margins = chance.margins_of(model(x)[None], y)[0]
            torch.set_flush_denormal(False)
        wrong += sum(int((margins < bound).sum()) for bound in bounds)
    return wrong


@pytest.mark.skipif(not torch.set_flush_denormal(False), reason="the processor cannot flush")
@each("name", sorted(flushing_networks()))
def test_subnormal_numbers_may_be_flushed_in_execution_and_not_in_the_proof(name):
    assert below_when_flushed(name) == 0
    model, inputs = flushing_networks()[name]
    torch.set_flush_denormal(True)
    try:
        with pytest.raises(InputTypeError, match="set_flush_denormal"):
            certify(model, inputs(1, 3), torch.tensor([0]), ThreatModel("Linf", 0.0, None))
    finally:
        torch.set_flush_denormal(False)


def test_no_executed_value_is_outside_of_its_enclosure():
    found = total(chance.executed_findings(chance.drawn(seed), 60) for seed in SEEDS)
    assert not found.violations, found.faults[:3]
    assert found.points > 500
    assert found.values > 50_000


def test_no_exact_value_is_outside_of_its_enclosure():
    cases = (chance.drawn(seed, batch=1) for seed in SEEDS[:3])
    found = total(chance.exact_findings(case, 1) for case in cases)
    assert not found.violations, found.faults[:3]
    assert found.values > 200


def test_no_attack_finds_a_margin_below_its_bound():
    found = total(chance.attack_findings(chance.drawn(seed, batch=2), 12) for seed in SEEDS[:4])
    assert not found.violations, found.faults[:3]
    assert found.on_certified > 100


def executed(case):
    return chance.executed_findings(case, 40, methods=[])


def attacked(case):
    return chance.attack_findings(case, 24, methods=case.methods()[1:])


def unmoved_center(patch):
    true = ladder.threat_set

    def wrong(x, threat, semantics):
        return Enclosure(x.double()[None], true(x, threat, semantics).radius)

    for module in (ladder, chance):
        patch.setattr(module, "threat_set", wrong)


def image_box_by_slope(patch):
    def wrong(self, box, trace):
        v = self.slope.view(-1)[0] * (box.center - self.middle.view(-1)[0])
        slope = self.slope.view(-1)[0] * torch.exp(-v * v) / math.sqrt(math.pi)
        return Enclosure((1 + torch.erf(v)) / 2, slope * box.radius)

    patch.setattr(pointwise.ThresholdStep, "image", wrong)


def conjugate_for_transpose(patch):
    true = affine.Affine._pulled

    def wrong(self, v, weight, sign, event, parts):
        if len(weight) == 2 and sign == -1:
            weight = (weight[0], -weight[1])
        return true(self, v, weight, sign, event, parts)

    patch.setattr(affine.Affine, "_pulled", wrong)


def no_executed_term(patch):
    patch.setattr(Semantics, "unit", 0.0)


def no_remainder(patch):
    true = lines.range_on

    def flat(record, low, high, order=0):
        zero = torch.zeros_like(low)
        return (zero, zero) if order == 2 else true(record, low, high, order)

    patch.setattr(lines, "range_on", flat)


def second_place_lost(patch):
    patch.setattr(unrolled_module, "layers_in_order", lambda layers: list(layers.named_children()))


PLANTS = {
    "center of the clipped box": (unmoved_center, executed, 1),
    "image box by slope": (image_box_by_slope, executed, 7),
    "conjugate for transpose": (conjugate_for_transpose, executed, 0),
    "executed term left out": (no_executed_term, executed, 1),
    "remainder left out": (no_remainder, attacked, 1),
    "second place of a shared layer": (second_place_lost, executed, 9),
    "lost piece": (lose_a_piece, attacked, 18),
}
"""Name -> fault, oracle, and a seed from which on one of 40 networks shows it."""


@pytest.mark.parametrize("name", PLANTS)
def test_planted_faults_are_found_in_random_networks(name, monkeypatch):
    plant, look, first = PLANTS[name]
    assert not look(chance.drawn(first)).violations
    plant(monkeypatch)
    assert any(look(chance.drawn(seed)).violations for seed in range(first, first + 40))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", range(9))
def test_no_certificate_of_many_networks_is_wrong(block):
    """As python tests/benchmarks/false_certificates.py, which prints the counts."""
    found = chance.block_findings(block)
    assert not found.violations, found.faults[:3]
    assert found.points > 1_200_000
    assert found.on_certified > 9_000
