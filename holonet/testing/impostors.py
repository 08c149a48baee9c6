"""What looks holomorphic, harmonic or rightly differentiated to a naive check, and is not."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, one_hot

from holonet._arguments import checked
from holonet._types import ComplexEntries, ComplexPoints, ComplexTensor, TensorFunction
from holonet.errors import UnknownNameError
from holonet.functions import FunctionClass
from holonet.nn import HolomorphicModule

__all__ = ["ASSERTIONS", "IMPOSTORS", "Impostor", "impostors_against"]

ASSERTIONS = frozenset({"holomorphic", "harmonic", "pluriharmonic", "derivative"})
"""What an impostor may claim to be: `assert_<name>` must reject it."""


@dataclass(frozen=True)
class Impostor:
    """Something that an assertion must reject.

    Args:
        name: the key in `IMPOSTORS`.
        make: builds the function or module, afresh at every call and without global random
            numbers.
        points: complex128 points (batch, *event) to test it at: circles about them, off-center
            and half their root mean square in radius, see what is wrong.
        against: the assertions that must reject it, of `ASSERTIONS`.
        derivative: the derivative that is claimed of the function; given exactly where `against`
            holds "derivative".
    """

    name: str
    make: Callable[[], TensorFunction] = field(repr=False)
    points: Callable[[], ComplexPoints] = field(repr=False)
    against: frozenset[str]
    derivative: TensorFunction | None = field(default=None, repr=False)


@checked
def impostors_against(assertion: str) -> tuple[Impostor, ...]:
    """The impostors that `assert_<assertion>` must reject.

    Raises:
        UnknownNameError: there is no such assertion.

    Example:
        >>> [impostor.name for impostor in impostors_against("derivative")][:2]
        ['doubled_exp', 'twice_doubled_exp']
    """
    if assertion not in ASSERTIONS:
        raise UnknownNameError("assertion", assertion, ASSERTIONS)
    return tuple(i for i in IMPOSTORS.values() if assertion in i.against)


def _normal(seed: int, *shape: int) -> ComplexTensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.complex128)


def _cloud(*event: int, center: complex = 0j, scale: float = 0.7) -> Callable[[], ComplexTensor]:
    """A factory of 24 circular normal points."""
    return lambda: center + scale * _normal(0, 24, *event)


_SCALAR = _cloud(1)


class _Backward(torch.autograd.Function):
    """value(z), whose backward multiplies by conj(slope(z)); without a forward mode."""

    @staticmethod
    def forward(z: Tensor, value: TensorFunction, slope: TensorFunction, *_: Any) -> Tensor:
        del slope
        return value(z)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        z, _, ctx.slope, *ctx.push = inputs
        ctx.save_for_backward(z)
        ctx.save_for_forward(z)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        slope = ctx.slope(ctx.saved_tensors[0])
        return grad_outputs[0] * slope.conj(), None, None, *(None for _ in ctx.push)


class _BothModes(_Backward):
    """The same with a forward mode, push(z, tangent), the fourth argument."""

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        return ctx.push[0](ctx.saved_tensors[0], grad_inputs[0])


def _conj(z: Tensor) -> Tensor:
    return z.conj().resolve_conj()


def _doubled(z: Tensor) -> Tensor:
    return 2 * torch.exp(z)


def _rounded(z: Tensor, per_unit: int) -> Tensor:
    return torch.complex((z.real * per_unit).round(), (z.imag * per_unit).round()) / per_unit


def _parts(f: TensorFunction) -> TensorFunction:
    return lambda z: torch.complex(f(z.real), f(z.imag))


def _max_by_modulus(z: Tensor) -> Tensor:
    first, second = z.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.where(first.abs() > second.abs(), first, second)


def _left_of_the_seam() -> ComplexTensor:
    z = _SCALAR()
    return torch.complex(-z.real.abs() - 0.01, z.imag)


def _layer_norm_by_modulus(z: Tensor) -> Tensor:
    centered = z - z.mean(-1, keepdim=True)
    return centered / (centered.abs().square().mean(-1, keepdim=True) + 1e-5).sqrt()


def _one_channel_of_fifty(z: Tensor) -> Tensor:
    clean = z @ _normal(1, 3, 50).to(z.dtype)
    leak = one_hot(torch.tensor(37, device=z.device), 50)
    return clean + 1e-3 * z[..., :1].conj() * leak


def _cross_term(z: Tensor) -> Tensor:
    first, second = z.unbind(-1)
    return first * first + second + 1e-6 * first * second.conj()


class UndeclaredPole(HolomorphicModule):
    """1/(z - 0.3 - 0.2i), declared entire."""

    function_class = FunctionClass.ENTIRE

    def forward(self, z: ComplexEntries) -> ComplexEntries:
        """The reciprocal."""
        return torch.reciprocal(z - (0.3 + 0.2j))


class ModReLUAtZero(nn.Module):
    """modReLU whose bias starts at 0, where it is the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, z: ComplexEntries) -> ComplexEntries:
        """(|z| + bias)+ z/|z|."""
        return z * ((z.abs() + self.bias).relu() / z.abs())


class ZeroGate(nn.Module):
    """A linear layer with a branch in the conjugate whose gate starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(_normal(2, 3, 3).to(torch.complex64))
        self.gate = nn.Parameter(torch.zeros(3, dtype=torch.complex64))

    def forward(self, z: ComplexEntries) -> ComplexEntries:
        """The matrix product plus gate times conj(z)."""
        return (z[..., None] * self.weight).sum(-2) + self.gate * z.conj()


class TrainedBatchNorm(nn.Module):
    """Batch norm in evaluation: frozen, and whitening the parts apart."""

    slope: Tensor
    std: Tensor
    rest: Tensor

    def __init__(self) -> None:
        super().__init__()
        seen = _normal(3, 64, 3)
        x, y = seen.real, seen.real + 2 * seen.imag
        slope = (x * y).mean(0) / x.square().mean(0)
        self.register_buffer("slope", slope)
        self.register_buffer("std", x.square().mean(0).sqrt())
        self.register_buffer("rest", (y - slope * x).square().mean(0).sqrt())
        self.eval()

    def forward(self, z: ComplexEntries) -> ComplexEntries:
        """The parts, decorrelated and each over its standard deviation."""
        return torch.complex(z.real / self.std, (z.imag - self.slope * z.real) / self.rest)


class BatchNormInTraining(nn.Module):
    """Norm by the batch's mean and root mean square modulus; by frozen numbers in evaluation.

    On a circle, as a batch of its own, it is affine: only moving the points themselves tells.
    """

    def forward(self, z: ComplexEntries) -> ComplexEntries:
        """The normed batch."""
        if not self.training:
            return z / 0.7
        centered = z - z.mean(0)
        return centered / (centered.abs().square().mean(0) + 1e-5).sqrt()


class SeparateDropout(nn.Module):
    """Dropout with a mask for each part, the same at every call; the identity in evaluation."""

    def forward(self, z: ComplexEntries) -> ComplexEntries:
        """The input with some parts of some entries at 0."""
        if not self.training:
            return z
        generator = torch.Generator().manual_seed(1)
        mask = torch.rand(2, *z.shape[1:], generator=generator).to(z.device) > 0.5
        return torch.complex(z.real * mask[0], z.imag * mask[1])


class QuantizedInEvaluation(nn.Module):
    """The identity in training, rounding to multiples of 1/64 in evaluation."""

    def forward(self, z: ComplexEntries) -> ComplexEntries:
        """The input or its rounding."""
        return z if self.training else _rounded(z, 64)


def _in_first_quadrant(z: Tensor) -> Tensor:
    return (z.real > 0) & (z.imag > 0)


def _table(
    against: str,
    rows: Mapping[str, TensorFunction | type[nn.Module]],
    points: Callable[[], ComplexTensor] = _SCALAR,
    derivative: TensorFunction | None = None,
) -> dict[str, Impostor]:
    """A function is made by handing it out, a type of module by calling it."""

    def entry(name: str, thing: Any) -> Impostor:
        if getattr(thing, "__name__", "") == "<lambda>":
            thing.__name__ = name  # which messages show
        make = thing if isinstance(thing, type) else lambda: thing
        return Impostor(name, make, points, frozenset(against.split()), derivative)

    return {name: entry(name, thing) for name, thing in rows.items()}


_LYING_DERIVATIVES = {
    "lying_conj": lambda z: _BothModes.apply(z, _conj, torch.ones_like, lambda _, t: _conj(t)),
    "silent_conj": lambda z: _Backward.apply(z, _conj, torch.ones_like),
    "twice_lying_conj": lambda z: _BothModes.apply(
        z, _conj, torch.ones_like, lambda _, t: t.clone()
    ),
    "detached_leak": lambda z: z.exp() + 1e-3 * z.detach().conj(),
    "straight_through": lambda z: z + (_rounded(z, 8) - z).detach(),
}
_DOUBLED = {  # holomorphic indeed, with twice the derivative in the backward pass, or in both modes
    "doubled_exp": lambda z: _BothModes.apply(z, torch.exp, _doubled, lambda z, t: z.exp() * t),
    "twice_doubled_exp": lambda z: _BothModes.apply(
        z, torch.exp, _doubled, lambda z, t: 2 * z.exp() * t
    ),
}
_NOWHERE_HOLOMORPHIC = {
    "leaky_exp": lambda z: z.exp() + 1e-6 * z.conj(),
    "hidden_conj": lambda z: z * z.conj() / z,
    "real_part": lambda z: z.real + 0j,  # linear over the reals
    "modulus": lambda z: z.abs() + 0j,
    "cubic_modulus": lambda z: z * z * z.conj(),  # the simplest self-modulation
    "split_tanh": _parts(torch.tanh),
    "split_relu": _parts(torch.relu),
    "split_gelu": _parts(gelu),
    "cardioid": lambda z: (1 + z.real / z.abs()) * z / 2,
    "polar_tanh": lambda z: z.abs().tanh() * z / z.abs(),
    "mod_relu": lambda z: (z.abs() - 0.1).relu() * z / z.abs(),
    "sine_of_conj": lambda z: z.conj().sin(),
    "conj_of_sine": lambda z: z.sin().conj(),
}
_HOLOMORPHIC_IN_PIECES = {
    "z_relu": lambda z: torch.where(_in_first_quadrant(z), z, 0),
    "z_leaky_relu": lambda z: torch.where(_in_first_quadrant(z), z, 0.1 * z),
    "z_abs_relu": lambda z: torch.where(z.abs() >= 0.6, z, 0),
    "half_planes": lambda z: torch.where(z.real > 0.1, z, z.exp()),
    "rounded": lambda z: _rounded(z, 1000),
    "single_detour": lambda z: z.to(torch.complex64).exp().to(z.dtype),  # steps of 1e-7
    "UndeclaredPole": UndeclaredPole,
}
_FLAT_SEAM = {  # the identity for x <= 0, smooth, and flat at the seam
    "flat_seam": lambda z: z + torch.exp(-0.1 / z.real.clamp(min=1e-2) ** 2) * z.conj()
}
_ACROSS_CUTS = {"sqrt_across_its_cut": torch.sqrt, "log_across_its_cut": torch.log}
_OF_TWO_VARIABLES = {
    "real_linear": lambda z: torch.complex(2 * z.real + z.imag, z.imag),  # [[2, 1], [0, 1]]
    "cross_term": _cross_term,  # holomorphic in the first variable
}
_OF_THREE_VARIABLES = {
    "one_channel_of_fifty": _one_channel_of_fifty,
    "ModReLUAtZero": ModReLUAtZero,
    "ZeroGate": ZeroGate,
    "TrainedBatchNorm": TrainedBatchNorm,
    "BatchNormInTraining": BatchNormInTraining,
    "QuantizedInEvaluation": QuantizedInEvaluation,
}
_OF_FOUR_VARIABLES = {
    "softmax_by_modulus": lambda z: z * z.abs().softmax(-1),
    "layer_norm_by_modulus": _layer_norm_by_modulus,
}
_OF_SIX_VARIABLES = {"max_by_modulus": _max_by_modulus, "SeparateDropout": SeparateDropout}
_NOT_HARMONIC = {
    "modulus_squared": lambda z: z.real**2 + z.imag**2,  # subharmonic
    "real_coordinates": lambda z: (z.real * z.real + 0j).real,  # x^2, as Re z^2 is for real data
    "absolute_real_part": lambda z: z.real.abs(),  # harmonic off a line
    "log_plus": lambda z: (2 * z).abs().log().relu(),  # harmonic off a circle
    "log_modulus_across_zeros": lambda z: (4 * z).sin().abs().log(),  # harmonic off its zeros
    "odd_modulus": lambda z: z.real * z.abs(),  # its mean over circles about 0 is right
    "leaky_cubic": lambda z: z.real**3 - 3 * z.real * z.imag**2 + 1e-6 * z.real**4,
    "stairs": lambda z: (10 * z.real).round() / 10,  # as a quantized network has them
    "small_jump": lambda z: z.real + 1e-3 * (z.imag > 0),
}
_NOT_HARMONIC_OF_TWO = {
    "jump_in_two_variables": lambda z: (
        (z[..., 0] * z[..., 1]).real + 1e-3 * (z[..., 0].real + z[..., 1].imag > 0.1)
    ),
    "bits": lambda z: (256 * (z[..., 0].real + z[..., 1].imag)).round() / 256,  # fixed point
}
_HARMONIC_AND_NOT_PLURIHARMONIC = {
    "difference_of_squares": lambda z: (
        z[..., 0].real ** 2 + z[..., 0].imag ** 2 - z[..., 1].real ** 2 - z[..., 1].imag ** 2
    ),
    "mixed_product": lambda z: (  # harmonic in each variable: Re z1 conj(z2)
        z[..., 0].real * z[..., 1].real + z[..., 0].imag * z[..., 1].imag
    ),
}
_WRONG_DERIVATIVES: dict[str, tuple[TensorFunction, TensorFunction]] = {
    "square_without_the_two": (torch.square, lambda z: z),
    "sine_with_a_conj": (torch.sin, lambda z: z.conj().cos()),  # torch's gradient of Re sin
    "tanh_with_the_sign_of_tan": (torch.tanh, lambda z: 1 + z.tanh() ** 2),
    "sine_along_i": (torch.sin, lambda z: 1j * z.cos()),
    "exp_off_by_a_little": (torch.exp, lambda z: (1 + 1e-7) * z.exp()),
    "density_without_its_factor": (
        lambda z: (-0.5 * z * z).exp() / math.sqrt(2 * math.pi),
        lambda z: -z * (-0.5 * z * z).exp(),
    ),
}

IMPOSTORS: Mapping[str, Impostor] = MappingProxyType(
    _table("holomorphic", _LYING_DERIVATIVES)
    | _table("holomorphic derivative", _DOUBLED, derivative=_doubled)
    | _table("holomorphic", _NOWHERE_HOLOMORPHIC | _HOLOMORPHIC_IN_PIECES)
    | _table("holomorphic", _FLAT_SEAM, _left_of_the_seam)
    | _table("holomorphic", _ACROSS_CUTS, _cloud(1, center=-1 + 0j))
    | _table("holomorphic", _OF_TWO_VARIABLES, _cloud(2))
    | _table("holomorphic", _OF_THREE_VARIABLES, _cloud(3))
    | _table("holomorphic", _OF_FOUR_VARIABLES, _cloud(4))
    | _table("holomorphic", _OF_SIX_VARIABLES, _cloud(6))
    | _table("harmonic pluriharmonic", _NOT_HARMONIC)
    | _table("harmonic pluriharmonic", _NOT_HARMONIC_OF_TWO, _cloud(2))
    | _table("pluriharmonic", _HARMONIC_AND_NOT_PLURIHARMONIC, _cloud(2))
    | {
        name: _table("derivative", {name: f}, derivative=claim)[name]
        for name, (f, claim) in _WRONG_DERIVATIVES.items()
    }
)
"""Name -> impostor, read-only."""
