"""What a model sees of a continued tensor, views and changes in place, and refusals."""

import pytest
import torch
from torch import nn

from cases import each
from continuations import assert_continuation
from holonet.continuation import extend
from holonet.continuation.table import OPERATIONS
from holonet.continuation.tensor import Continued, Run
from holonet.errors import InputTypeError, NotHolomorphicError

Z = torch.complex(torch.linspace(-1, 1, 12), torch.linspace(0.3, -0.2, 12)).view(3, 4)
Z = Z.to(torch.complex128)


def test_intermediates_look_real() -> None:
    def looks(x: torch.Tensor) -> torch.Tensor:
        assert x.dtype is torch.float64
        assert x.is_floating_point()
        assert not x.is_complex()
        assert x.shape == (3, 4)
        assert len(x) == x.size(0) == 3
        assert x.dim() == x.ndim == 2
        assert x.device.type == "cpu"
        assert not x.requires_grad
        assert "Continued" in repr(x)
        return x + torch.finfo(x.dtype).eps

    assert extend(looks)(Z).dtype is torch.complex128


def into_columns(x: torch.Tensor) -> torch.Tensor:
    out = torch.empty_like(x)
    out[:, :2] = x[:, 2:] * 2
    out[:, 2:] = 1
    return out


def through_a_view(x: torch.Tensor) -> torch.Tensor:
    y = x.sin()
    column = y[:, 0]
    column.mul_(3).add_(x[:, 1])
    return y * y


def through_the_base(x: torch.Tensor) -> torch.Tensor:
    y = x.exp()
    flat = y.view(-1)
    y += 1
    y[:, 0] = 5
    return flat.sin().view_as(x)


def operators(x: torch.Tensor) -> torch.Tensor:
    y = x * 1
    y += x
    y -= 0.5
    y *= x
    y /= 2 + x * x
    y **= 2
    y.neg_()
    return y.tanh_()


def fills(x: torch.Tensor) -> torch.Tensor:
    y, z, w = x * 2, x * 3, x.new_zeros(x.shape)
    y.zero_()
    z.fill_(4.0)
    w.copy_(x)
    return y + z * w + torch.full_like(x, 2.0) + torch.ones_like(x) + x.new_full((4,), 3.0)


@each("f", [into_columns, through_a_view, through_the_base, operators, fills])
def test_changes_in_place_are_those_of_the_model(f) -> None:
    assert_continuation(f, Z.real.clone())


def test_change_of_a_view_is_differentiated() -> None:
    z = Z.clone().requires_grad_()
    value = extend(through_a_view)(z).sum()
    (gradient,) = torch.autograd.grad(value.real, z)
    x = Z.real.clone().requires_grad_()
    extended = extend(through_a_view)(x.to(torch.complex128)).sum()
    (at_real,) = torch.autograd.grad(extended.real, x)
    (expected,) = torch.autograd.grad(through_a_view(x).sum(), x)
    torch.testing.assert_close(at_real, expected)
    assert gradient.isfinite().all()


def shifted_windows(x: torch.Tensor) -> torch.Tensor:
    """A mask that is counted, compared and rounded in the looks of the input."""
    region = x.new_zeros(4)
    region[2:] = 1
    difference = region.unsqueeze(0) - region.unsqueeze(1)
    mask = difference.masked_fill(difference != 0, -100.0).abs().clamp_(max=5)
    return x @ mask.masked_fill(mask > 1, 0.5)


def test_constants_in_the_looks_of_the_input_may_be_compared() -> None:
    assert_continuation(shifted_windows, Z.real.clone())
    with pytest.raises(NotHolomorphicError, match="kink"):
        extend(lambda x: into_columns(x).abs())(Z)
    with pytest.raises(NotHolomorphicError, match="kink"):
        extend(written_through_a_view)(Z)


def written_through_a_view(x: torch.Tensor) -> torch.Tensor:
    out = x.new_zeros(x.shape)
    out[:, 0].copy_(x[:, 1])
    return out.abs()


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    def backward(ctx, *gradients):
        return 2 * gradients[0]


STORE: list[torch.Tensor] = []


def kept(x: torch.Tensor) -> torch.Tensor:
    STORE.append(x)
    return x + STORE[0]


NOT_HOLOMORPHIC = {
    "item": (lambda x: x * x.sum().item(), "Python value"),
    "float": (lambda x: x * float(x.sum()), "Python value"),
    "bool": (lambda x: x if x.sum() else -x, "Python value"),
    "numpy": (lambda x: x.numpy(), "Python value"),
    "control flow": (lambda x: x if x.sum() > 0 else -x, "compares"),
    "where": (lambda x: torch.where(x > 0, x, 0), "compares"),
    "fft": (lambda x: torch.fft.rfft(x).abs(), "complex numbers"),
    "gradient": (lambda x: x.requires_grad_(), "gradients"),
}
WITHOUT_RULE = {
    "custom function": (Doubled.apply, "autograd.Function"),
    "unknown": (lambda x: torch.special.bessel_j0(x), "special_bessel_j0 has no rule"),
    "complex numbers": (lambda x: x * 1j, "complex numbers"),
    "out": (lambda x: torch.add(x, 1, out=torch.zeros(3, 4)), "out="),
    "plain buffer": (lambda x: torch.zeros(3, 4).copy_(x), "x.new_zeros"),
    "shape in place": (lambda x: x.unsqueeze_(0), "changes a shape in place"),
    "transform inside": (lambda x: torch.func.vmap(torch.sin)(x), "override protocol"),
    "half": (lambda x: x.to(torch.float16), "16 bits"),
}


@each("name", NOT_HOLOMORPHIC)
def test_refused_as_not_holomorphic(name: str) -> None:
    f, text = NOT_HOLOMORPHIC[name]
    with pytest.raises(NotHolomorphicError, match=text):
        extend(f)(Z)


@each("name", WITHOUT_RULE)
def test_refused_without_a_rule(name: str) -> None:
    f, text = WITHOUT_RULE[name]
    with pytest.raises(InputTypeError, match=text):
        extend(f)(Z)


def test_tensors_of_two_calls_are_not_combined() -> None:
    f = extend(kept)
    f(Z)
    with pytest.raises(InputTypeError, match="two calls"):
        f(Z)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torchscript_inside_of_a_model_is_refused() -> None:
    script = torch.jit.trace(nn.Tanh(), torch.zeros(2))
    with pytest.raises(InputTypeError, match="TorchScript"):
        extend(lambda x: script(x))(Z)


def test_run_notes_gaps_where_they_are_asked_for() -> None:
    silent, asked = Run(OPERATIONS), Run(OPERATIONS, True, [])
    silent.note(Z)
    asked.note(Z)
    assert silent.gaps is None
    assert asked.gaps is not None
    assert len(asked.gaps) == 1
    assert Continued(Z, None, asked).run is asked
