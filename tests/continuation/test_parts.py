"""Values whose parts stay apart between real products are the complex values."""

import torch
from torch import nn
from torch.nn import functional

from cases import each
from continuations import assert_continuation, assert_jets
from holonet.continuation import extend
from holonet.continuation.parts import Parts, joined, split
from holonet.continuation.tensor import Continued

Z = torch.complex(torch.linspace(-1, 1, 6), torch.linspace(0.3, -0.2, 6)).view(2, 3)


def test_joined_inverts_split() -> None:
    parts = split(Z)
    assert parts is not None
    assert (parts.shape, parts.ndim) == (Z.shape, 2)
    assert split(parts) is parts
    assert torch.equal(joined(parts), Z)
    assert joined(Z) is Z
    assert split(Z.real) is None
    assert torch.equal(joined(parts.map(lambda part: 3 * part)), 3 * Z)


def convolutional() -> nn.Module:
    body = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.SiLU(inplace=True)]
    body += [nn.AvgPool2d(2), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4, affine=False), nn.GELU()]
    model = nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_()  # type: ignore[union-attr]
            layer.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return model.double().eval()


def added(x: torch.Tensor) -> torch.Tensor:
    weight = torch.linspace(-1, 1, 9, dtype=x.dtype).view(3, 3)
    y, z = functional.linear(x, weight, weight[0]), functional.linear(x, weight.T)
    return torch.add(y, z, alpha=2.5) + torch.add(y, x) + torch.add(y[:, :1], z)


def changed(x: torch.Tensor) -> torch.Tensor:
    y = functional.linear(x, torch.ones(3, 3, dtype=x.dtype))
    y += x
    first = y[:, 0]
    y.tanh_()
    return y * first[:, None]


@each("f", [added, changed])
def test_parts_are_the_continuation(f) -> None:
    assert_continuation(f, torch.randn(4, 3, dtype=torch.float64))


def test_convolutional_network_is_the_continuation_with_jets() -> None:
    model = convolutional()
    assert_continuation(model, torch.randn(3, 2, 6, 6, dtype=torch.float64))
    assert_jets(model, torch.randn(2, 2, 6, 6, dtype=torch.float64))


def test_gradients_in_parameters_and_points_are_those_of_complex_weights() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.SiLU(), nn.Linear(5, 2)).double()
    z = Z.to(torch.complex128).clone().requires_grad_()
    loss = extend(model)(z).abs().square().sum()
    ours = torch.autograd.grad(loss, [z, *model.parameters()])
    w, b, v, c = (p.detach().to(z.dtype).requires_grad_() for p in model.parameters())
    h = z @ w.T + b
    loss = ((h * torch.sigmoid(h)) @ v.T + c).abs().square().sum()
    theirs = torch.autograd.grad(loss, [z, w, b, v, c])
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one, other if one.is_complex() else other.real, rtol=1e-12)


def test_parts_stay_apart_through_a_convolutional_block() -> None:
    """Nothing is joined between the convolution and the pooling, which is what makes it quick."""
    kinds = []

    def noted(module: nn.Module, args: object, output: object) -> None:
        assert isinstance(output, Continued)
        kinds.append(isinstance(output.given, Parts))

    model = convolutional()
    for layer in model[:8]:
        layer.register_forward_hook(noted)
    with torch.no_grad():
        extend(model)(torch.randn(2, 2, 6, 6, dtype=torch.complex128))
    assert kinds == [True] * 8
