"""Hypothesis strategies for domains, points, holomorphic functions, layers and networks.

What they draw shrinks towards what is simple: the unit disc, its center, z, depth 1, zeros.
"""

import cmath
import copy
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from jaxtyping import Complex
from torch import Tensor
from torch import nn as torch_nn

from holonet import nn
from holonet._types import ComplexEntries, ComplexPoints, ComplexTensor
from holonet.domains import Annulus, Disc, Domain, Plane, Polydisc, Rectangle, SlitPlane
from holonet.errors import InputTypeError, MissingDependencyError
from holonet.functions import CATALOGUE, get_function, polynomial
from holonet.nn.coefficients import real_dtype
from holonet.testing.local import IDENTITY, LocalFunction
from holonet.testing.networks import BLOCKS, COEFFICIENTS, random_network

try:
    from hypothesis import strategies as st
    from hypothesis.extra.numpy import arrays
except ImportError as missing:
    raise MissingDependencyError("hypothesis", "testing", "holonet.testing.strategies") from missing

__all__ = [
    "complex_tensors",
    "discs",
    "holomorphic_functions",
    "holomorphic_modules",
    "networks",
    "perturbed",
    "points_in",
]

_NAMES = sorted(
    CATALOGUE, key=lambda name: (bool(CATALOGUE[name].branch_cuts), bool(CATALOGUE[name].obstacles))
)  # from the simple to the less simple: entire, with poles, with cuts
_SEEDS = st.integers(0, 2**32 - 1)
_SIZES = st.integers(1, 3)
_Case = tuple[nn.DeclaredModule, ComplexTensor]
_Fields = tuple[torch.dtype, torch.dtype]
_Draw = Callable[..., Any]  # st.DrawFn, which cannot be checked at run time
_M = TypeVar("_M", bound=torch_nn.Module)


def discs(
    *, max_center: float | int = 10.0, min_radius: float | int = 0.1, max_radius: float | int = 10.0
) -> st.SearchStrategy[Disc]:
    """Discs; they shrink towards the unit disc.

    Args:
        max_center: largest modulus of the center.
        min_radius, max_radius: bounds of the radius.
    """
    return st.builds(Disc, _complex(max_center), st.floats(min_radius, max_radius))


def complex_tensors(
    shape: tuple[int, ...],
    dtype: torch.dtype = torch.complex128,
    max_magnitude: float | int = 10.0,
) -> st.SearchStrategy[ComplexEntries]:
    """Finite complex tensors of a shape; they shrink towards 0, entry by entry.

    Of more than 64 entries most are drawn equal, to save time.

    Args:
        shape: of the tensor.
        dtype: complex64 or complex128.
        max_magnitude: largest modulus of an entry, to rounding.

    Raises:
        InputTypeError: another dtype.
    """
    elements = _complex(max_magnitude, dtype)
    fill = st.nothing() if math.prod(shape) <= 64 else None
    name = str(dtype).removeprefix("torch.")
    return arrays(name, shape, elements=elements, fill=fill).map(torch.from_numpy)


def points_in(
    domain: Domain,
    *,
    count: int | None = None,
    clearance: float | int = 0.0,
    dtype: torch.dtype = torch.complex128,
) -> st.SearchStrategy[Complex[Tensor, "count *coordinates"]]:
    """Points of a domain, shape (count,), of a polydisc (count, n).

    They shrink towards one point, the center where the domain has one.

    Args:
        domain: any; of one that this module does not know its own `sample` is taken.
        count: of the points; None draws 1 to 8.
        clearance: what every point keeps from the boundary.
        dtype: complex64 or complex128.

    Law: every point has more than that clearance.

    Raises:
        InputTypeError: another dtype.
        DomainError: no point has that clearance.
    """

    def inside(z: Tensor) -> bool:
        return bool((domain.clearance(z) > clearance).all())

    one = _near(domain, clearance, dtype).map(lambda p: torch.as_tensor(p)[None].to(dtype))
    return st.lists(one.filter(inside), min_size=count or 1, max_size=count or 8).map(torch.cat)


def _near(
    domain: Domain, clearance: float | int, dtype: torch.dtype
) -> st.SearchStrategy[complex | Tensor]:
    """A point that has about the clearance asked for; what has less is filtered afterwards."""
    match domain:
        case Disc():
            inner = Disc(domain.center, domain.radius - clearance)
            return _complex(1, dtype).map(lambda w: inner.center + inner.radius * w)
        case Polydisc():
            part = Polydisc(domain.center, torch.as_tensor(domain.radius).double() - clearance)
            unit = complex_tensors(tuple(domain.center.shape), dtype, 1)
            return unit.map(lambda w: part.center + part.radius * w)
        case Rectangle():
            sides = domain.left, domain.right, domain.bottom, domain.top
            inner = Rectangle(*(s + clearance * (-1) ** k for k, s in enumerate(sides)))
            x, y = st.floats(inner.left, inner.right), st.floats(inner.bottom, inner.top)
            return st.builds(complex, x, y)
        case Annulus():
            ring = Annulus(domain.center, domain.inner + clearance, domain.outer - clearance)
            r, angle = st.floats(ring.inner, ring.outer), st.floats(0, 2 * math.pi)
            return st.builds(lambda r, angle: ring.center + cmath.rect(r, angle), r, angle)
        case SlitPlane():
            return _complex(3, dtype).map(lambda w: domain.center + w)
        case Plane():
            return _complex(3, dtype)
        case _:
            return _SEEDS.map(
                lambda seed: domain.sample(1, generator=torch.Generator().manual_seed(seed))[0]
            )


def _complex(
    max_magnitude: float | int, dtype: torch.dtype = torch.complex128
) -> st.SearchStrategy[complex]:
    if dtype not in (torch.complex64, torch.complex128):
        raise InputTypeError(
            f"complex numbers of dtype {dtype} were asked: choose torch.complex64 or complex128"
        )
    width = 64 if dtype is torch.complex64 else 128
    return st.complex_numbers(max_magnitude=max_magnitude, allow_subnormal=False, width=width)


def holomorphic_functions(*, max_leaves: int = 4) -> st.SearchStrategy[LocalFunction]:
    """Compositions, sums and products of the catalogue and of polynomials, each on a disc.

    They shrink towards z. `f.region` is the disc; draw points with `points_in(f.region)`.

    Args:
        max_leaves: how many functions are summed and multiplied at most.

    Law: derivatives, class and formula are those of the value, holomorphic on the disc.
    """
    quarters = st.integers(-4, 4).map(lambda k: k / 4)
    polynomials = st.builds(lambda a, b, c: polynomial([a, 1, b, c]), quarters, quarters, quarters)
    records = st.sampled_from(_NAMES).flatmap(
        lambda name: polynomials if name == "polynomial" else st.just(get_function(name))
    )
    return st.recursive(
        records.map(IDENTITY.then),
        lambda inside: (
            st.builds(LocalFunction.then, inside, records)
            | st.builds(operator.add, inside, inside)
            | st.builds(operator.mul, inside, inside)
        ),
        max_leaves=max_leaves,
    )


def holomorphic_modules(
    *, dtype: torch.dtype = torch.complex128, coefficients: Sequence[str] = COEFFICIENTS
) -> st.SearchStrategy[tuple[nn.DeclaredModule, ComplexPoints]]:
    """One holomorphic layer or small container with drawn weights, and points off its cuts.

    They shrink towards the identity as an activation, or a layer with zero weights, at 0.

    Args:
        dtype: of the points, complex64 or complex128.
        coefficients: what is drawn from, of "complex", "real" and "mixed" (both in one container).

    Law: the class is holomorphic, `module.margin(points)` positive. A module with real coefficients
        and records that are real on the real axis has real values at real points.
    """
    fields = st.sampled_from([_fields(dtype, name) for name in coefficients])
    return st.tuples(st.sampled_from(_LAYERS), fields).flatmap(lambda pair: pair[0](dtype, pair[1]))


def _fields(dtype: torch.dtype, coefficients: str) -> _Fields:
    """The dtypes of the coefficients of a first and of a second layer."""
    real = real_dtype(dtype)
    return {"complex": (dtype, dtype), "real": (real, real), "mixed": (real, dtype)}[coefficients]


@st.composite
def _affine(draw: _Draw, dtype: torch.dtype, fields: _Fields) -> _Case:
    before, after = draw(_SIZES), draw(_SIZES)
    return draw(_linear(before, after, fields[0])), draw(_batch((before,), dtype))


@st.composite
def _activation(draw: _Draw, dtype: torch.dtype, fields: _Fields) -> _Case:
    if not fields[0].is_complex and draw(st.booleans()):
        return draw(_threshold(dtype, fields[0]))
    record = draw(st.sampled_from(_NAMES).map(get_function) | holomorphic_functions())
    clearance = min(0.1, float(record.clearance(torch.tensor(record.base_point))) / 2)
    points = draw(points_in(record.domain, clearance=clearance, dtype=dtype))
    return nn.Activation(record), points[:, None]


@st.composite
def _norm(draw: _Draw, dtype: torch.dtype, fields: _Fields) -> _Case:
    n = draw(_SIZES)
    norm = nn.FrozenNorm(n, dtype=fields[0])
    scale = draw(st.lists(st.floats(0.5, 2), min_size=n, max_size=n))
    norm.scale.copy_(torch.tensor(scale))
    for tensor in (norm.mean, norm.weight, norm.bias):
        tensor.data.copy_(draw(_numbers((n,), fields[0])))
    return norm, draw(_batch((n,), dtype))


@st.composite
def _threshold(draw: _Draw, dtype: torch.dtype, field: torch.dtype) -> _Case:
    n = draw(_SIZES)
    channels = draw(st.sampled_from([None, n]))
    layer = nn.Threshold(channels=channels, dtype=field)
    for tensor in (layer.log_slope, layer.center):  # erf of large imaginary numbers overflows
        tensor.data.copy_(draw(_numbers(tuple(tensor.shape), tensor.dtype)) / 4)
    return layer, draw(_batch((n,), dtype))


@st.composite
def _residual(draw: _Draw, dtype: torch.dtype, fields: _Fields) -> _Case:
    n = draw(_SIZES)
    return nn.Residual(draw(_linear(n, n, fields[0]))), draw(_batch((n,), dtype))


@st.composite
def _product(draw: _Draw, dtype: torch.dtype, fields: _Fields) -> _Case:
    before, after = draw(_SIZES), draw(_SIZES)
    first, second = (draw(_linear(before, after, field)) for field in fields)
    return nn.Product(first, second), draw(_batch((before,), dtype))


@st.composite
def _convolution(draw: _Draw, dtype: torch.dtype, fields: _Fields) -> _Case:
    before, after, size = draw(_SIZES), draw(_SIZES), draw(st.integers(1, 2))
    layer = nn.Conv2d(before, after, size, dtype=fields[0], device="meta").to_empty(device="cpu")
    return draw(_filled(layer)), draw(_batch((before, 2, 2), dtype))


@st.composite
def _pooling(draw: _Draw, dtype: torch.dtype, fields: _Fields) -> _Case:
    del fields
    return nn.AvgPool2d(2), draw(_batch((draw(_SIZES), 2, 2 * draw(st.integers(1, 2))), dtype))


_LAYERS: tuple[Callable[[torch.dtype, _Fields], st.SearchStrategy[_Case]], ...] = (
    _affine,
    _activation,
    _norm,
    _residual,
    _product,
    _convolution,
    _pooling,
)


def _batch(event: tuple[int, ...], dtype: torch.dtype) -> st.SearchStrategy[ComplexTensor]:
    """1 to 3 points."""
    return st.integers(1, 3).flatmap(lambda n: complex_tensors((n, *event), dtype, 2))


def _linear(before: int, after: int, dtype: torch.dtype) -> st.SearchStrategy[nn.Linear]:
    # on the meta device no random number is drawn
    layer = nn.Linear(before, after, dtype=dtype, device="meta").to_empty(device="cpu")
    return _filled(layer)


@st.composite
def _filled(draw: _Draw, layer: _M) -> _M:
    """A copy of a layer with drawn parameters."""
    layer = copy.deepcopy(layer)
    for parameter in layer.parameters():
        parameter.data.copy_(draw(_numbers(tuple(parameter.shape), parameter.dtype)))
    return layer


def _numbers(shape: tuple[int, ...], dtype: torch.dtype) -> st.SearchStrategy[Tensor]:
    """Complex or real numbers up to 2."""
    if dtype.is_complex:
        return complex_tensors(shape, dtype, 2)
    name = str(dtype).removeprefix("torch.")
    elements = st.floats(-2, 2, allow_subnormal=False, width=32 if name == "float32" else 64)
    return arrays(name, shape, elements=elements).map(torch.from_numpy)


def networks(
    *,
    max_depth: int = 6,
    dtype: torch.dtype = torch.complex64,
    coefficients: Sequence[str] = COEFFICIENTS,
) -> st.SearchStrategy[tuple[nn.Sequential, ComplexPoints]]:
    """Networks of `random_network` and their points, off all singularities.

    They shrink towards depth 1, the identity as activation, plain blocks and seed 0.

    Args:
        max_depth: the most blocks, at least 1.
        dtype: of the points, and of complex parameters.
        coefficients: what is drawn from, of "complex", "real" and "mixed".

    Law: that of `random_network`.
    """
    return st.builds(
        random_network,
        _SEEDS,
        depth=st.integers(1, max_depth),
        dtype=st.just(dtype),
        coefficients=st.sampled_from(list(coefficients)),
        activations=st.lists(st.sampled_from(_NAMES), min_size=1, max_size=3),
        blocks=st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=3),
    )


def perturbed(module: _M, *, size: float | int = 0.1) -> st.SearchStrategy[_M]:
    """Copies of a module with noise on every parameter; they shrink towards a plain copy.

    What is holomorphic only as it was initialized shows itself so.

    Args:
        module: any; left as it is.
        size: largest root mean square of the noise.
    """

    def perturb(scale: float, seed: int) -> _M:
        generator = torch.Generator().manual_seed(seed)
        twin = copy.deepcopy(module)
        with torch.no_grad():
            for parameter in twin.parameters():
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(scale * noise.to(parameter.device))
        return twin

    return st.builds(perturb, st.floats(0, size), _SEEDS)
