"""Values on circles: grids of points, Fourier modes, points doubled until a result settles."""

import itertools
import math
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Complex, Float, Inexact, Shaped
from torch import Tensor

from holonet._types import AnyTensor, ComplexEntries, Entries, RealTensor, TensorFunction
from holonet.calculus.checks import evaluate, require_count, require_radius
from holonet.errors import ConfigError, NumericalError, ShapeError

__all__ = [
    "FEWEST_SAMPLES",
    "MOST_SAMPLES",
    "agreed",
    "circle_center",
    "counts",
    "harmonic_series",
    "modes_of",
    "modes_on_circle",
    "powers",
    "settled",
    "unit_circle",
]

FEWEST_SAMPLES = 16
MOST_SAMPLES = 4096
SETTLED = 1e3  # times eps, relative to the size of the integrand
LOOSELY_SETTLED = 1e-3  # of the size, where no number of points brings it down to rounding
NOISIEST = 1e-3  # rounding against the result, or against what f is like on most of the circle
TURN = (math.sqrt(5) - 1) / 2  # of a step; a mode that one grid aliases, the next one betrays

UpperModes = Complex[Tensor, "upper numbers"]
LowerModes = Complex[Tensor, "lower numbers"]

Result = Inexact[Tensor, "*result"]
Sizes = Float[Tensor, "*result"]
UnitPoints = Complex[Tensor, " samples"]

Quadrature = Callable[[UnitPoints, Inexact[Tensor, "samples *out"]], tuple[Result, Sizes]]
"""(points of the unit circle, values there) -> (result, its size for judging what rounding is)."""


def circle_center(
    center: complex | float | int | Shaped[Tensor, ""],
    radius: float | int,
    asked: str,
    like: Entries | None = None,
) -> Complex[Tensor, ""]:
    """The center as a complex tensor of shape (), once it and the radius have been checked."""
    require_radius(radius, asked)
    if isinstance(center, Tensor):
        at = center if center.is_complex() else center.to(center.dtype.to_complex())
        if at.shape != ():
            raise ShapeError(
                f"{asked}: the center has shape {tuple(at.shape)}, but one point is needed: give "
                "a number or a tensor of shape ()"
            )
    elif like is not None:
        at = torch.tensor(center, dtype=like.dtype, device=like.device)
    else:
        at = torch.tensor(center, dtype=torch.complex128)
    if not bool(at.isfinite()):
        raise ConfigError(f"{asked}: center={complex(at)}, but it must be finite")
    return at


def unit_circle(
    count: int, turn: float | Float[Tensor, " count"], like: ComplexEntries
) -> Complex[Tensor, " count"]:
    """exp(2 pi i (j + turn)/count) for j = 0, ..., count - 1."""
    angle = (torch.arange(count, dtype=torch.float64) + turn) * (2 * math.pi / count)
    return torch.polar(torch.ones_like(angle), angle).to(like)


def counts(samples: int | None, fewest: int, most: int, asked: str) -> Iterable[int]:
    """The number that was given, or else powers of two times the fewest, up to the most."""
    if samples is not None:
        require_count("samples", samples, 1, asked)
        return (samples,)
    doubled = (fewest * 2**k for k in itertools.count())
    return itertools.takewhile(lambda count: count <= most, doubled)


def settled(
    quadrature: Quadrature,
    f: TensorFunction,
    center: Complex[Tensor, ""],
    radius: float | int,
    samples: int | None,
    asked: str,
    *,
    fewest: int = FEWEST_SAMPLES,
    scale: float | int = 1,
) -> Result:
    """What the quadrature makes of f on a circle, with points doubled until it stays the same.

    What is left of values that cancel is rounding. It is handed on where it is below a thousandth
    of the result, or of the geometric mean of |f| on the circle, so that a 0 may be one.

    Args:
        quadrature: takes unit points exp(i(t + 2 pi j/N)) and the values at them, real where f is.
        f: a function of batches.
        center: shape ().
        radius: of the circle.
        samples: as in `agreed`; where they are given t = 0.
        asked, fewest, scale: as in `agreed`.

    Raises:
        ConfigError: fewer than 1 sample.
        NumericalError: a value is not finite, the result does not settle, or it is rounding.
    """
    turn = 0.0 if samples is not None else TURN

    def compute(count: int) -> Quadrated:
        unit = unit_circle(count, turn, center)
        values = evaluate(f, center + radius * unit, asked)  # their dtype says how exact f is
        dtype = torch.promote_types(values.dtype, unit.dtype.to_real())
        result, size = quadrature(unit, values.to(dtype))
        return result, values, size

    circle = f"{asked} over the circle |z - ({complex(center):.6g})| = {radius}"
    return agreed(compute, samples, asked, circle, fewest=fewest, scale=scale)


Quadrated = tuple[Result, Inexact[Tensor, "samples *out"], Sizes | None]
"""(result, the values that it was made of, points first, its size for judging what rounding is)."""


def agreed(
    compute: Callable[[int], Quadrated],
    samples: int | None,
    asked: str,
    circle: str = "",
    *,
    fewest: int = FEWEST_SAMPLES,
    scale: float | int = 1,
) -> Result:
    """What a number of points on circles gives, doubled until two results agree.

    They agree where the change is rounding against the size of the result. Without a size that is
    the mean modulus of the values, and where more than 4096 points would be needed, as for a
    function with corners, a change of 1e-3 is taken.

    Args:
        compute: a number of points to a result, the values and the size.
        samples: a number of points to be used as given; None doubles them.
        asked: what it is for, which opens the messages.
        circle: the same with the circle in it.
        fewest: points to begin with.
        scale: what a constant f would be multiplied by.

    Raises:
        ConfigError: fewer than 1 sample.
        NumericalError: two results still differ, or what is left of values that cancel is rounding.
    """
    previous: Tensor | None = None
    error = math.inf
    for count in counts(samples, fewest, MOST_SAMPLES, asked):
        result, values, size = compute(count)
        if samples is not None:
            return result
        modulus, eps = values.detach().abs(), torch.finfo(values.dtype).eps
        rounding = eps * (modulus.amax(0) if size is None else size)
        is_last = size is None and 2 * count > MOST_SAMPLES
        size = modulus.mean(0) if size is None else size
        if previous is not None:
            change = (result - previous).detach().abs()
            moving = ~(change <= (LOOSELY_SETTLED if is_last else SETTLED * eps) * size)
            if not bool(moving.any()):
                typical = modulus.log().mean(0).exp()  # which a few huge values do not lift
                _require_digits(result, rounding, scale * typical, asked)
                return result
            error = float((change / size)[moving].max())
        previous = result
    raise NumericalError(
        f"{circle or asked} has not settled with {MOST_SAMPLES} samples: it still changes by "
        f"{error:.1e} of the size of the values. f has a singularity near the circle, jumps across "
        "it, or is less exact than its dtype: choose another radius, or take what a number of "
        "samples= gives"
    )


def _require_digits(
    result: AnyTensor, rounding: RealTensor, typical: RealTensor, asked: str
) -> None:
    size = result.detach().abs()
    lost = rounding.detach() > NOISIEST * torch.maximum(size, typical.expand_as(size))
    if bool(lost.any()):
        at = int(lost.flatten().int().argmax())
        raise NumericalError(
            f"{asked}: what is left of values that cancel is rounding. The result of size "
            f"{float(size.flatten()[at]):.1e} has an error of about "
            f"{float(rounding.expand_as(size).flatten()[at]):.1e}: choose a radius on which f is "
            "not as large (a larger one for high derivatives), or take what a number of samples= "
            "gives"
        )


def modes_of(samples: int) -> int:
    """How many of the modes 0, 1, ... that number of points tells apart from negative ones."""
    return (samples + 1) // 2


def modes_on_circle(
    unit: UnitPoints, values: Inexact[Tensor, "samples *rest"]
) -> tuple[UpperModes, LowerModes]:
    """The Fourier modes 0, ..., h and -1, ..., -h of N = 2h + 1 or 2h + 2 values on a circle.

    Shapes (h + 1, numbers) and (h, numbers), for the unit points of a `Quadrature` and values of
    shape (N, *rest); the mode N/2, which cannot be told from -N/2, is left out.
    """
    modes = torch.fft.fft(values, dim=0, norm="forward").reshape(len(unit), -1)
    half = modes_of(len(unit)) - 1
    k = torch.arange(half + 1, dtype=unit.real.dtype, device=unit.device)
    angle = -k * unit[0].angle()  # a turned grid turns the modes
    back = torch.polar(torch.ones_like(angle), angle).unsqueeze(-1)
    return back * modes[: half + 1], back[1:].conj() * modes[1:].flip(0)[:half]


def harmonic_series(
    w: Complex[Tensor, " points"], upper: UpperModes, lower: LowerModes
) -> Complex[Tensor, "points numbers"]:
    """The sum of the modes k times w^k or conj(w)^|k|, shape (len(w), numbers)."""
    powers_of_w = powers(w, len(upper))
    return powers_of_w @ upper + powers_of_w[:, 1:].conj() @ lower


def powers(w: Complex[Tensor, " points"], count: int) -> Complex[Tensor, "points powers"]:
    """The powers w^0, ..., w^(count - 1), shape (len(w), count)."""
    return torch.linalg.vander(w, N=max(count, 2))[:, :count]
