"""Normalizations, and the laws against rules with moduli, conjugates and wrong branches."""

import copy
import dataclasses
from types import MappingProxyType

import pytest
import torch
from torch import nn

from cases import each
from continuations import assert_continuation
from holonet.continuation import OPERATIONS, extend
from holonet.errors import InputTypeError

LAYERS = {
    "layer norm": nn.LayerNorm((3, 4)),
    "layer norm without parameters": nn.LayerNorm(4, elementwise_affine=False),
    "rms norm": nn.RMSNorm(4),
    "group norm": nn.GroupNorm(3, 6),
    "instance norm": nn.InstanceNorm1d(6, affine=True),
    "instance norm with running statistics": nn.InstanceNorm1d(6, track_running_stats=True),
    "batch norm": nn.BatchNorm1d(6),
    "local response": nn.LocalResponseNorm(3, alpha=0.1),
}


@each("name", LAYERS)
def test_layers(name: str) -> None:
    layer = copy.deepcopy(LAYERS[name]).double()
    for p in layer.parameters():
        nn.init.normal_(p)
    shape = (2, 3, 4) if "layer norm" in name or "rms" in name else (2, 6, 4)
    layer(torch.randn(shape, dtype=torch.float64))
    assert_continuation(layer.eval(), torch.randn(shape, dtype=torch.float64), height=0.1)


def test_statistics_of_the_batch_are_refused() -> None:
    z = torch.randn(2, 3, 4, dtype=torch.complex64)
    for layer in (nn.BatchNorm1d(3), nn.InstanceNorm1d(3, track_running_stats=True)):
        with pytest.raises(InputTypeError, match=r"model\.eval"):
            extend(layer)(z)
    with pytest.raises(InputTypeError, match=r"model\.eval"):
        extend(nn.BatchNorm1d(3, track_running_stats=False).eval())(z)


def conjugated(func, input, shape, weight=None, bias=None, eps=1e-5):
    d = input - input.mean(-1, keepdim=True)
    return d * torch.rsqrt((d * d.conj()).mean(-1, keepdim=True) + eps) * weight + bias


def other_branch(func, input):
    """Sqrt with its cut on the imaginary axis, where the model is on the real one."""
    return torch.where(input.real.abs() > 0.5, torch.sqrt(input), -torch.sqrt(input))


PLANTED = {
    "a conjugate in the variance": ("layer_norm", conjugated, nn.LayerNorm(4)),
    "a modulus in the norm": (
        "normalize",
        lambda func, input, **o: input / torch.linalg.vector_norm(input, dim=1, keepdim=True),
        nn.functional.normalize,
    ),
    "a wrong branch": ("sqrt", other_branch, lambda x: torch.sqrt(x * x + 0.1)),
    "a real part": ("tanh", lambda func, input: torch.tanh(input.real) + 0j, nn.Tanh()),
    "a wrong backward rule": (
        "exp",
        lambda func, input: torch.exp(input.detach()) + 0 * input,
        torch.exp,
    ),
    "the other half plane": (
        "tanh",
        lambda func, input: torch.tanh(torch.complex(input.real, input.imag.abs())),
        nn.Tanh(),
    ),
}


@each("name", PLANTED)
def test_laws_notice(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    operation, rule, model = PLANTED[name]
    model = model.double() if isinstance(model, nn.Module) else model
    x = torch.randn(4, 4, dtype=torch.float64)
    assert_continuation(model, x)
    planted = {**OPERATIONS, operation: dataclasses.replace(OPERATIONS[operation], rule=rule)}
    with monkeypatch.context() as patch:
        patch.setattr("holonet.continuation.model.OPERATIONS", MappingProxyType(planted))
        with pytest.raises(AssertionError):
            assert_continuation(model, x)
    assert extend(model)(x.to(torch.complex128)).isfinite().all()
