"""Random networks, examples and sets: no value outside its enclosure, no margin below a bound."""

import pytest
import random_certified as chance
import torch
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.certify import certify
from holonet.errors import InputTypeError
from holonet.functions import polynomial
from holonet.threats import ThreatModel

F32 = torch.float32
SEEDS = range(8)


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
    for seed in range(2):
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
    assert found.points > 1000
    assert found.values > 100_000


def test_no_exact_value_is_outside_of_its_enclosure():
    cases = (chance.drawn(seed, batch=1) for seed in SEEDS)
    found = total(chance.exact_findings(case, 1) for case in cases)
    assert not found.violations, found.faults[:3]
    assert found.values > 200


def test_no_attack_finds_a_margin_below_its_bound():
    found = total(chance.attack_findings(chance.drawn(seed, batch=2), 12) for seed in SEEDS)
    assert not found.violations, found.faults[:3]
    assert found.on_certified > 200


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("block", range(8))
def test_no_certificate_of_many_networks_is_wrong(block):
    """As python tests/benchmarks/false_certificates.py, which prints the counts."""
    found = chance.block_findings(block)
    assert not found.violations, found.faults[:3]
    assert found.points > 1_250_000
    assert found.on_certified > 12_500
