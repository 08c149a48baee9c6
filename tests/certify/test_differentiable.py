"""Intervals with gradients against those of the certificate, and against points."""

import pytest
import torch
from enclosed import C128, F64, linf, networks
from torch import nn as tnn

from holonet import nn
from holonet.certify import EXACT, read, threat_set
from holonet.certify.differentiable import (
    WEIGHTED,
    Interval,
    is_affine,
    largest_leads,
    moduli_image,
    propagated,
)
from holonet.certify.methods import INTERVALS
from holonet.certify.network import LAYERS
from holonet.certify.unrolled import unrolled
from holonet.errors import InputTypeError, ShapeError
from holonet.threats import Box


def known():
    """Those of the test networks whose complex activations are squares."""
    others = ["cube", "exp", "tanh", "sigmoid", "sin", "gelu", "erf", "silu"]
    left_out = {f"complex {name}" for name in others}
    return {k: v for k, v in networks().items() if k not in {*left_out, "norm and residual"}}


def leads(model, x, y, eps):
    threat = linf(eps)
    layers, body = threat.front(model)
    return largest_leads(body, threat.image(layers, x), y)


def test_leads_are_those_of_the_certificate():
    worst = {}
    for name, (model, shape) in known().items():
        torch.manual_seed(0)
        x, y = torch.rand(4, *shape, dtype=F64), torch.tensor([0, 1, 2, 1])
        for eps in (0.0, 0.1):
            box = threat_set(x, linf(eps), EXACT)
            margins, *_ = INTERVALS.margins(read(model), box, y, EXACT)
            gap = (leads(model, x, y, eps) + margins).abs().amax(0) / (1 + margins.abs().amax())
            worst[name, eps] = gap.amax().item()
    assert not {case: gap for case, gap in worst.items() if gap > 1e-10}


def test_no_point_has_a_larger_lead():
    for name, (model, shape) in known().items():
        torch.manual_seed(1)
        x, y = torch.rand(3, *shape, dtype=F64), torch.tensor([2, 0, 1])
        bound = leads(model, x, y, 0.1)
        points = (x + 0.1 * (2 * torch.rand(60, *x.shape, dtype=F64) - 1).sign()).clamp(0, 1)
        with torch.no_grad():
            logits = model(points.flatten(0, 1)).unflatten(0, points.shape[:2])
        found = logits - logits.gather(2, y.expand(60, 3)[..., None])
        assert bool((found <= bound + 1e-9).all()), name


def test_a_residual_block_and_a_normalizer_of_complex_numbers():
    torch.manual_seed(2)
    norm = nn.FrozenNorm(5, dtype=C128)
    tnn.init.normal_(norm.weight)
    norm.mean.copy_(torch.randn(5, dtype=C128))
    model = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Linear(4, 5, dtype=C128),
            norm,
            nn.Residual(nn.Sequential(nn.Linear(5, 5, dtype=C128), nn.Square())),
            nn.Linear(5, 4, dtype=C128),
            nn.Linear(4, 3, dtype=C128),
        ),
        nn.ImagPart(),
    )
    x, y = torch.rand(2, 4, dtype=F64), torch.tensor([0, 2])
    margins, *_ = INTERVALS.margins(read(model), threat_set(x, linf(0.1), EXACT), y, EXACT)
    assert torch.allclose(leads(model, x, y, 0.1), -margins, rtol=1e-9, atol=1e-9)


def test_parameters_and_corners_get_the_gradient_of_the_bound():
    model, _ = networks()["real gelu"]
    x, y = torch.rand(3, 4, dtype=F64), torch.tensor([0, 1, 2])
    box = Box(x.clone().requires_grad_(), (x + 0.3).requires_grad_())
    weight = model.backbone[0].weight
    bound = largest_leads(model, box, y).square().sum()
    gradients = torch.autograd.grad(bound, [weight, box.low, box.high])
    for tensor, gradient in zip([weight, box.low, box.high], gradients, strict=True):
        direction, values = torch.randn_like(tensor), []
        for step in (1e-6, -1e-6):
            tensor.data.add_(direction, alpha=step)
            values.append(float(largest_leads(model, box, y).square().sum().detach()))
            tensor.data.sub_(direction, alpha=step)
        slope = (values[0] - values[1]) / 2e-6
        assert slope == pytest.approx(float((gradient * direction).sum()), rel=1e-4)


def test_all_layers_of_certificates_are_known_here():
    monotone = {tnn.ReLU, nn.Threshold}
    of_complex_data = {nn.RealPairs, nn.Modulus, nn.LogModulus}
    for kind in LAYERS.keys() - monotone - of_complex_data:
        assert is_affine(object.__new__(kind)), kind
    assert set(WEIGHTED) < set(LAYERS)
    for kind in monotone:
        assert not is_affine(object.__new__(kind))


def test_moduli_leave_biases_out():
    layer = nn.Linear(2, 1, dtype=C128)
    layer.weight.data[:] = torch.tensor([[3 + 4j, -2.0]])
    layer.bias.data[:] = 7.0
    image = moduli_image([("", tnn.Flatten()), ("", layer)], torch.ones(1, 2, 1, dtype=F64))
    assert image.detach().tolist() == [[7.0]]


def test_the_imaginary_part_of_real_numbers_is_zero():
    one = torch.ones(1, 2)
    found = propagated([("", nn.ImagPart())], Interval(one, one))
    assert found.center.abs().sum() + found.radius.abs().sum() == 0


def test_what_intervals_do_not_go_through_is_named():
    box, y = Box(torch.zeros(1, 2), torch.ones(1, 2)), torch.tensor([0])
    whole = nn.Linear(2, 2)
    cases = {
        r"1 \(Tanh\) is no layer": tnn.Sequential(tnn.Linear(2, 2), tnn.Tanh(), tnn.Linear(2, 2)),
        r"backbone\.1 \(Exp\) of complex numbers": nn.HolomorphicClassifier(
            nn.Sequential(whole, nn.Exp(), nn.Linear(2, 2))
        ),
        r"1 \(ReLU\) is for real numbers": tnn.Sequential(whole, tnn.ReLU(), tnn.Linear(2, 2)),
        "the range of tan": tnn.Sequential(
            tnn.Linear(2, 2), nn.Activation("tan"), tnn.Linear(2, 2)
        ),
    }
    for match, model in cases.items():
        with pytest.raises(InputTypeError, match=match):
            largest_leads(model, box, y)
    conv = tnn.Conv2d(1, 1, 1, padding_mode="circular")
    with pytest.raises(InputTypeError, match="pads otherwise"):
        propagated([("", conv)], Interval(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)))
    with pytest.raises(ShapeError, match="real logits"):
        largest_leads(whole, box, y)


def test_the_chain_is_that_of_the_certificate():
    for model, _ in networks().values():
        assert len(list(unrolled(model))) == len(read(model).steps)
