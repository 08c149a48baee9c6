"""What looks holomorphic, harmonic or rightly differentiated to a naive check, and is not.

Longer than a module should be: it is one list.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import ComplexTensor, TensorFunction
from holonet.errors import UnknownNameError
from holonet.functions import FunctionClass
from holonet.nn import HolomorphicModule

__all__ = ["ASSERTIONS", "IMPOSTORS", "NAIVE_CHECKS", "Impostor", "impostors_against"]

ASSERTIONS = frozenset({"holomorphic", "harmonic", "pluriharmonic", "derivative"})
"""What an impostor may claim to be: `assert_<name>` must reject it."""

NAIVE_CHECKS: Mapping[str, str] = MappingProxyType(
    {
        "reverse mode": "the backward pass at the points, believed",
        "forward mode": "the derivative by forward mode at the points, believed",
        "pointwise dbar": "df/dzbar by forward mode at the points, and nothing between them",
        "pointwise laplacian": "the sum of the second derivatives at the points",
        "centered circle": "circles about 0 only",
        "evaluation mode": "every witness, in evaluation mode only",
        "training mode": "every witness, in training mode only",
        "initialization": "every witness, with the parameters as they were built",
        "single precision": "every witness, in complex64 to 1e-5",
        "unimodular lines": "every witness, along lines whose directions have entries of modulus 1",
        "first coordinate": "every witness, along the first coordinate only",
        "first output": "every witness, on the first output only",
        "real axis": "values at real points only",
        "modulus": "the modulus of the derivative only",
    }
)
"""Name -> what is looked at, for checks that pass some impostor."""


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
        fools: the naive checks that pass it, of `NAIVE_CHECKS`.
        description: one sentence.
        derivative: the derivative that is claimed of the function; given exactly where `against`
            holds "derivative".
    """

    name: str
    make: Callable[[], TensorFunction] = field(repr=False)
    points: Callable[[], Tensor] = field(repr=False)
    against: frozenset[str]
    fools: frozenset[str]
    description: str
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


_FOUND: dict[str, Impostor] = {}
_T = TypeVar("_T", bound=Callable[..., Any])
_SCALAR = _cloud(1)


def _impostor(
    *against: str,
    fools: Iterable[str] = (),
    points: Callable[[], Tensor] = _SCALAR,
    derivative: TensorFunction | None = None,
) -> Callable[[_T], _T]:
    """Enter a function or a type of module, under its name and with its docstring."""

    def enter(thing: _T) -> _T:
        is_type = isinstance(thing, type)  # a function is made by handing it out
        _FOUND[thing.__name__] = Impostor(
            name=thing.__name__,
            make=thing if is_type else lambda: thing,
            points=points,
            against=frozenset(against),
            fools=frozenset(fools),
            description=(thing.__doc__ or "").strip(),
            derivative=derivative,
        )
        return thing

    return enter


_POINTWISE = ("reverse mode", "pointwise dbar")
_EVERY_HARMONIC = ("harmonic", "pluriharmonic")

# ------------------------------------------------------------------ derivatives that lie


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


@_impostor("holomorphic", fools=["reverse mode"])
def lying_conj(z: Tensor) -> Tensor:
    """The conjugate of z with the backward pass of z and a truthful forward mode."""
    return _BothModes.apply(z, _conj, torch.ones_like, lambda _, tangent: _conj(tangent))


@_impostor("holomorphic", fools=["reverse mode"])
def silent_conj(z: Tensor) -> Tensor:
    """The conjugate of z with the backward pass of z and no forward mode at all."""
    return _Backward.apply(z, _conj, torch.ones_like)


@_impostor("holomorphic", fools=_POINTWISE)
def twice_lying_conj(z: Tensor) -> Tensor:
    """The conjugate of z with both modes of differentiation of z: only its values tell."""
    return _BothModes.apply(z, _conj, torch.ones_like, lambda _, tangent: tangent.clone())


def _doubled(z: Tensor) -> Tensor:
    return 2 * torch.exp(z)


@_impostor("holomorphic", "derivative", fools=[*_POINTWISE, "centered circle"], derivative=_doubled)
def doubled_exp(z: Tensor) -> Tensor:
    """The exponential, holomorphic indeed, with twice its gradient in the backward pass."""
    return _BothModes.apply(z, torch.exp, _doubled, lambda z, tangent: z.exp() * tangent)


@_impostor(
    "holomorphic",
    "derivative",
    fools=[*_POINTWISE, "forward mode", "centered circle"],
    derivative=_doubled,
)
def twice_doubled_exp(z: Tensor) -> Tensor:
    """The exponential with twice its derivative in both modes."""
    return _BothModes.apply(z, torch.exp, _doubled, lambda z, tangent: 2 * z.exp() * tangent)


@_impostor("holomorphic", fools=_POINTWISE)
def detached_leak(z: Tensor) -> Tensor:
    """The exponential plus a conjugate that autograd is not shown."""
    return z.exp() + 1e-3 * z.detach().conj()


@_impostor("holomorphic", fools=_POINTWISE)
def straight_through(z: Tensor) -> Tensor:
    """Rounding to multiples of 1/8, trained with the gradient of the identity."""
    return z + (_rounded(z, 8) - z).detach()


# ------------------------------------------------------------------ nowhere holomorphic


@_impostor("holomorphic", fools=["single precision"])
def leaky_exp(z: Tensor) -> Tensor:
    """The exponential with a millionth of the conjugate."""
    return z.exp() + 1e-6 * z.conj()


@_impostor("holomorphic")
def hidden_conj(z: Tensor) -> Tensor:
    """The conjugate of z, written as a quotient of products."""
    return z * z.conj() / z


@_impostor("holomorphic")
def real_part(z: Tensor) -> Tensor:
    """Re z as a complex number: linear over the reals."""
    return z.real + 0j


@_impostor("holomorphic", points=_cloud(2))
def real_linear(z: Tensor) -> Tensor:
    """The real matrix [[2, 1], [0, 1]] on the plane: linear over the reals, not over C."""
    return torch.complex(2 * z.real + z.imag, z.imag)


@_impostor("holomorphic", fools=["centered circle"])
def modulus(z: Tensor) -> Tensor:
    """|z| as a complex number."""
    return z.abs() + 0j


@_impostor("holomorphic", fools=["centered circle"])
def cubic_modulus(z: Tensor) -> Tensor:
    """z|z|^2, the simplest self-modulation."""
    return z * z * z.conj()


@_impostor("holomorphic")
def split_tanh(z: Tensor) -> Tensor:
    """The tanh of the real and of the imaginary part."""
    return torch.complex(z.real.tanh(), z.imag.tanh())


@_impostor("holomorphic")
def split_relu(z: Tensor) -> Tensor:
    """ReLU of the real and of the imaginary part."""
    return torch.complex(z.real.relu(), z.imag.relu())


@_impostor("holomorphic")
def split_gelu(z: Tensor) -> Tensor:
    """GELU of the real and of the imaginary part."""
    return torch.complex(torch.nn.functional.gelu(z.real), torch.nn.functional.gelu(z.imag))


@_impostor("holomorphic", fools=["centered circle"])
def cardioid(z: Tensor) -> Tensor:
    """(1 + cos arg z) z / 2."""
    return (1 + z.real / z.abs()) * z / 2


@_impostor("holomorphic", fools=["centered circle"])
def polar_tanh(z: Tensor) -> Tensor:
    """The tanh of the modulus, phase kept."""
    return z.abs().tanh() * z / z.abs()


@_impostor("holomorphic", fools=["centered circle"])
def mod_relu(z: Tensor) -> Tensor:
    """ReLU of the modulus minus 0.1, phase kept."""
    return (z.abs() - 0.1).relu() * z / z.abs()


@_impostor("holomorphic")
def sine_of_conj(z: Tensor) -> Tensor:
    """The sine of the conjugate of z: antiholomorphic."""
    return z.conj().sin()


@_impostor("holomorphic")
def conj_of_sine(z: Tensor) -> Tensor:
    """The conjugate of sin z: antiholomorphic."""
    return z.sin().conj()


# ------------------------------------------------------------------ holomorphic piece by piece


@_impostor("holomorphic", fools=_POINTWISE)
def z_relu(z: Tensor) -> Tensor:
    """Keeps the first quadrant, 0 elsewhere."""
    return torch.where((z.real > 0) & (z.imag > 0), z, torch.zeros_like(z))


@_impostor("holomorphic", fools=_POINTWISE)
def z_leaky_relu(z: Tensor) -> Tensor:
    """Keeps the first quadrant, z / 10 elsewhere."""
    return torch.where((z.real > 0) & (z.imag > 0), z, 0.1 * z)


@_impostor("holomorphic", fools=[*_POINTWISE, "centered circle"])
def z_abs_relu(z: Tensor) -> Tensor:
    """Keeps |z| >= 0.6, 0 elsewhere."""
    return torch.where(z.abs() >= 0.6, z, torch.zeros_like(z))


@_impostor("holomorphic", fools=[*_POINTWISE, "centered circle"], points=_cloud(6))
def max_by_modulus(z: Tensor) -> Tensor:
    """Maximum pooling: the larger entry of each pair by modulus."""
    pairs = z.unflatten(-1, (-1, 2))
    first, second = pairs.unbind(-1)
    return torch.where(first.abs() > second.abs(), first, second)


@_impostor("holomorphic", fools=_POINTWISE)
def half_planes(z: Tensor) -> Tensor:
    """The exponential left of Re z = 0.1, the identity right of it."""
    return torch.where(z.real > 0.1, z, z.exp())


def _left_of_the_seam() -> ComplexTensor:
    z = _SCALAR()
    return torch.complex(-z.real.abs() - 0.01, z.imag)


@_impostor("holomorphic", fools=_POINTWISE, points=_left_of_the_seam)
def flat_seam(z: Tensor) -> Tensor:
    """The identity, plus exp(-1/(10 x^2)) conj(z) where x > 0: smooth, and flat at the seam."""
    return z + torch.exp(-0.1 / z.real.clamp(min=1e-2) ** 2) * z.conj()


def _rounded(z: Tensor, per_unit: int) -> Tensor:
    return torch.complex((z.real * per_unit).round(), (z.imag * per_unit).round()) / per_unit


@_impostor("holomorphic", fools=_POINTWISE)
def rounded(z: Tensor) -> Tensor:
    """Rounding to multiples of 1/1000: constant piece by piece."""
    return _rounded(z, 1000)


@_impostor("holomorphic", fools=[*_POINTWISE, "single precision"])
def single_detour(z: Tensor) -> Tensor:
    """The exponential in single precision, handed on in double: steps of 1e-7."""
    return z.to(torch.complex64).exp().to(z.dtype)


@_impostor("holomorphic", fools=_POINTWISE, points=_cloud(1, center=-1 + 0j))
def sqrt_across_its_cut(z: Tensor) -> Tensor:
    """The square root, on both sides of its cut."""
    return z.sqrt()


@_impostor("holomorphic", fools=_POINTWISE, points=_cloud(1, center=-1 + 0j))
def log_across_its_cut(z: Tensor) -> Tensor:
    """The logarithm, on both sides of its cut."""
    return z.log()


@_impostor("holomorphic", fools=_POINTWISE)
class UndeclaredPole(HolomorphicModule):
    """1/(z - 0.3 - 0.2i), declared entire."""

    function_class = FunctionClass.ENTIRE

    def forward(self, z: Tensor) -> Tensor:
        """The reciprocal."""
        return torch.reciprocal(z - (0.3 + 0.2j))


# ------------------------------------------------------------------ several variables


@_impostor("holomorphic", fools=["centered circle"], points=_cloud(4))
def softmax_by_modulus(z: Tensor) -> Tensor:
    """Weights by the softmax of the moduli."""
    return z * z.abs().softmax(-1)


@_impostor("holomorphic", fools=["centered circle"], points=_cloud(4))
def layer_norm_by_modulus(z: Tensor) -> Tensor:
    """Centers, and divides by the root mean square modulus."""
    centered = z - z.mean(-1, keepdim=True)
    return centered / (centered.abs().square().mean(-1, keepdim=True) + 1e-5).sqrt()


@_impostor("holomorphic", fools=["first output"], points=_cloud(3))
def one_channel_of_fifty(z: Tensor) -> Tensor:
    """A linear map with a thousandth of the conjugate in the 38th of its 50 outputs."""
    clean = z @ _normal(1, 3, 50).to(z.dtype)
    leak = torch.nn.functional.one_hot(torch.tensor(37, device=z.device), 50)
    return clean + 1e-3 * z[..., :1].conj() * leak


@_impostor(
    "holomorphic",
    fools=["centered circle", "first coordinate", "single precision"],
    points=_cloud(2),
)
def cross_term(z: Tensor) -> Tensor:
    """z1^2 + z2 with a millionth of z1 conj(z2): holomorphic in z1."""
    first, second = z.unbind(-1)
    return first * first + second + 1e-6 * first * second.conj()


# ------------------------------------------------------------------ modules with a second face


@_impostor("holomorphic", fools=["initialization", "centered circle"], points=_cloud(3))
class ModReLUAtZero(nn.Module):
    """modReLU whose bias starts at 0, where it is the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, z: Tensor) -> Tensor:
        """(|z| + bias)+ z/|z|."""
        return z * ((z.abs() + self.bias).relu() / z.abs())


@_impostor("holomorphic", fools=["initialization"], points=_cloud(3))
class ZeroGate(nn.Module):
    """A linear layer with a branch in the conjugate whose gate starts at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(_normal(2, 3, 3).to(torch.complex64))
        self.gate = nn.Parameter(torch.zeros(3, dtype=torch.complex64))

    def forward(self, z: Tensor) -> Tensor:
        """The matrix product plus gate times conj(z)."""
        return (z[..., None] * self.weight).sum(-2) + self.gate * z.conj()


@_impostor("holomorphic", points=_cloud(3))
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

    def forward(self, z: Tensor) -> Tensor:
        """The parts, decorrelated and each over its standard deviation."""
        return torch.complex(z.real / self.std, (z.imag - self.slope * z.real) / self.rest)


@_impostor("holomorphic", fools=["evaluation mode", "centered circle"], points=_cloud(3))
class BatchNormInTraining(nn.Module):
    """Norm by the batch's mean and root mean square modulus; by frozen numbers in evaluation.

    On a circle, as a batch of its own, it is affine: only moving the points themselves tells.
    """

    def forward(self, z: Tensor) -> Tensor:
        """The normed batch."""
        if not self.training:
            return z / 0.7
        centered = z - z.mean(0)
        return centered / (centered.abs().square().mean(0) + 1e-5).sqrt()


@_impostor("holomorphic", fools=["evaluation mode"], points=_cloud(6))
class SeparateDropout(nn.Module):
    """Dropout with a mask for each part, the same at every call; the identity in evaluation."""

    def forward(self, z: Tensor) -> Tensor:
        """The input with some parts of some entries at 0."""
        if not self.training:
            return z
        generator = torch.Generator().manual_seed(1)
        mask = torch.rand(2, *z.shape[1:], generator=generator).to(z.device) > 0.5
        return torch.complex(z.real * mask[0], z.imag * mask[1])


@_impostor("holomorphic", fools=[*_POINTWISE, "training mode"], points=_cloud(3))
class QuantizedInEvaluation(nn.Module):
    """The identity in training, rounding to multiples of 1/64 in evaluation."""

    def forward(self, z: Tensor) -> Tensor:
        """The input or its rounding."""
        return z if self.training else _rounded(z, 64)


# ------------------------------------------------------------------ not harmonic


@_impostor(*_EVERY_HARMONIC)
def modulus_squared(z: Tensor) -> Tensor:
    """|z|^2, subharmonic."""
    return z.real**2 + z.imag**2


@_impostor(*_EVERY_HARMONIC)
def real_coordinates(z: Tensor) -> Tensor:
    """Re z^2 with z replaced by its real part, as for real data: x^2."""
    return (z.real * z.real + 0j).real


@_impostor(*_EVERY_HARMONIC, fools=["pointwise laplacian"])
def absolute_real_part(z: Tensor) -> Tensor:
    """|Re z|, harmonic off a line."""
    return z.real.abs()


@_impostor(*_EVERY_HARMONIC, fools=["pointwise laplacian"])
def log_plus(z: Tensor) -> Tensor:
    """max(log|2z|, 0), harmonic off a circle."""
    return (2 * z).abs().log().relu()


@_impostor(*_EVERY_HARMONIC, fools=["pointwise laplacian"])
def log_modulus_across_zeros(z: Tensor) -> Tensor:
    """log|sin 4z|, harmonic off its zeros, subharmonic across them."""
    return (4 * z).sin().abs().log()


@_impostor(*_EVERY_HARMONIC, fools=["centered circle"])
def odd_modulus(z: Tensor) -> Tensor:
    """x|z|, whose mean over circles about 0 is its value there."""
    return z.real * z.abs()


@_impostor(*_EVERY_HARMONIC, fools=["single precision"])
def leaky_cubic(z: Tensor) -> Tensor:
    """x^3 - 3xy^2 with a millionth of x^4."""
    x, y = z.real, z.imag
    return x**3 - 3 * x * y**2 + 1e-6 * x**4


@_impostor(*_EVERY_HARMONIC, fools=["pointwise laplacian", "centered circle"])
def stairs(z: Tensor) -> Tensor:
    """Re z rounded to steps of a tenth, as a quantized network has them."""
    return (10 * z.real).round() / 10


@_impostor(*_EVERY_HARMONIC, fools=["pointwise laplacian"])
def small_jump(z: Tensor) -> Tensor:
    """Re z, and a thousandth more in the upper half-plane."""
    return z.real + 1e-3 * (z.imag > 0)


@_impostor(*_EVERY_HARMONIC, fools=["pointwise laplacian"], points=_cloud(2))
def jump_in_two_variables(z: Tensor) -> Tensor:
    """Re z1 z2, and a thousandth more on one side of a hyperplane."""
    return (z[..., 0] * z[..., 1]).real + 1e-3 * (z[..., 0].real + z[..., 1].imag > 0.1)


@_impostor(*_EVERY_HARMONIC, fools=["pointwise laplacian"], points=_cloud(2))
def bits(z: Tensor) -> Tensor:
    """Re z1 + Im z2 rounded to 1/256, as in fixed point."""
    return (256 * (z[..., 0].real + z[..., 1].imag)).round() / 256


@_impostor("pluriharmonic", fools=["pointwise laplacian", "unimodular lines"], points=_cloud(2))
def difference_of_squares(z: Tensor) -> Tensor:
    """|z1|^2 - |z2|^2, harmonic and not pluriharmonic."""
    squares = z.real**2 + z.imag**2
    return squares[..., 0] - squares[..., 1]


@_impostor("pluriharmonic", fools=["pointwise laplacian", "first coordinate"], points=_cloud(2))
def mixed_product(z: Tensor) -> Tensor:
    """Re z1 conj(z2), harmonic in each variable and not pluriharmonic."""
    return z[..., 0].real * z[..., 1].real + z[..., 0].imag * z[..., 1].imag


# ------------------------------------------------------------------ wrong derivatives


@_impostor("derivative", derivative=lambda z: z)
def square_without_the_two(z: Tensor) -> Tensor:
    """z^2 and the derivative z."""
    return z * z


@_impostor("derivative", fools=["real axis", "modulus"], derivative=lambda z: z.conj().cos())
def sine_with_a_conj(z: Tensor) -> Tensor:
    """The sine and the derivative conj(cos z), which is torch's gradient of its real part."""
    return z.sin()


@_impostor("derivative", derivative=lambda z: 1 + z.tanh() ** 2)
def tanh_with_the_sign_of_tan(z: Tensor) -> Tensor:
    """The tanh and the derivative 1 + tanh^2 z."""
    return z.tanh()


@_impostor("derivative", fools=["modulus"], derivative=lambda z: 1j * z.cos())
def sine_along_i(z: Tensor) -> Tensor:
    """The sine and its directional derivative along i."""
    return z.sin()


@_impostor("derivative", fools=["single precision"], derivative=lambda z: (1 + 1e-7) * z.exp())
def exp_off_by_a_little(z: Tensor) -> Tensor:
    """The exponential and a derivative with a relative error of 1e-7."""
    return z.exp()


@_impostor("derivative", derivative=lambda z: -z * (-0.5 * z * z).exp())
def density_without_its_factor(z: Tensor) -> Tensor:
    """The normal density and a derivative without the factor 1/sqrt(2 pi)."""
    return (-0.5 * z * z).exp() / math.sqrt(2 * math.pi)


IMPOSTORS: Mapping[str, Impostor] = MappingProxyType(_FOUND)
"""Name -> impostor, read-only."""
