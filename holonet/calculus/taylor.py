"""Taylor coefficients from a circle, and the radius of convergence from their decay."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._arguments import checked
from holonet._types import RealTensor, TensorFunction
from holonet.calculus.checks import evaluate, require_clear_disc
from holonet.calculus.examples import nonzero, per_example
from holonet.calculus.hardy import ROUNDING, circle_modes
from holonet.errors import NumericalError, ShapeError

__all__ = [
    "ConvergenceRadius",
    "TaylorCoefficients",
    "radius_of_convergence",
    "radius_of_series",
    "taylor_coefficients",
]

WITNESSES = (0.1 + 0.3j, -0.5 + 0.1j, 0.4 - 0.5j)
"""Points of the unit disc where the series is held against f: about its center a circle sees no
negative modes of functions of |z|."""

ALIASES = 10.0  # times the highest modes seen
NOISE = 10.0  # times the error: coefficients above it are used
COARSEST = 1e-8  # aliasing that is still worth reporting as an error
FEWEST = 8  # coefficients that a slope is read from
HIGHEST = 8  # modes that tell how large aliases are
LIKELY = 5.0  # root mean squares: one in 10^10 of Gaussian modes is larger
OWN = 4.0  # times eps is what f loses alike on all of the circle, which no mode shows
LONGEST_RUN = 4  # coefficients of which the largest stands for all
STEEPENING = 0.2  # share of k log k in the decay, 1 / order for an entire function


Coefficients = Complex[Tensor, "count *out"]
Errors = Float[Tensor, "count *out"]


@dataclass(frozen=True)
class TaylorCoefficients:
    """Coefficients a_k of f(z) = sum a_k (z - center)^k, each with its error.

    Args:
        values: (count, *rest), a_0 first.
        error: (count, *rest), what |error| is below: rounding and aliasing over radius^k, as far
            as the modes of the circle and values inside show them; inf where a value overflows.
    """

    values: Coefficients
    error: Errors


@checked
def taylor_coefficients(
    f: TensorFunction,
    center: complex | float | int,
    radius: float | int,
    *,
    samples: int = 64,
) -> TaylorCoefficients:
    """Taylor coefficients of f about the center, from values on a circle (Cauchy's formula).

    A large radius serves the high coefficients, a small one the low; the error says which can be
    used. The samples are doubled until aliasing is down at rounding.

    Args:
        f: holomorphic on the closed disc; takes complex128 points (count,) to (count, *rest).
        center, radius: the circle.
        samples: points on it, at first; half as many coefficients come back, or more, short of
            those whose radius^k is out of range.

    Law: those of a polynomial are its coefficients.

    Raises:
        ConfigError: a radius that is not positive and finite, or below 8 samples.
        DomainError: f declares a domain that does not hold the closed disc; the message names the
            largest admissible radius.
        NumericalError: f is not finite on the circle, has negative modes there or other values
            inside than its series (it is not holomorphic on the disc), or is not resolved to 8
            digits by 1024 samples.

    Example:
        >>> found = taylor_coefficients(torch.exp, 0, 1)
        >>> bool(((found.values[:4].real - torch.tensor([1, 1, 1 / 2, 1 / 6])).abs() < 1e-7).all())
        True

    References:
        Fornberg (1981), numerical differentiation of analytic functions.
    """
    point = torch.tensor(center, dtype=torch.complex128)
    require_clear_disc(f, None, point, radius, "taylor_coefficients")
    modes = circle_modes(f, center, radius, samples=samples)
    asked = f"taylor_coefficients about {center} from the circle of radius {radius}"
    if bool(modes.negative.isnan()):
        raise NumericalError(f"{asked}: f is not finite there. Take a smaller radius")
    info = torch.finfo(torch.float64)
    rounding = ROUNDING * info.eps
    if float(modes.negative) > rounding:
        raise NumericalError(
            f"{asked}: the amplitude of the negative modes is {float(modes.negative):.2g} of all, "
            "so f is not holomorphic on that disc. Take a smaller radius, short of the nearest "
            "singularity"
        )
    if float(modes.aliasing) > COARSEST:
        raise NumericalError(
            f"{asked}: {len(modes.coefficients)} samples do not resolve f (aliasing "
            f"{float(modes.aliasing):.2g}). Take a smaller radius"
        )
    peak = modes.coefficients[:, 0].abs().amax()
    unit = nonzero(peak)
    half = len(modes.coefficients) // 2
    negative, positive = (modes.coefficients[:, 0] / unit).tensor_split([half])
    inside = torch.tensor(WITNESSES, dtype=torch.complex128)
    series = torch.linalg.vander(inside, N=len(positive)).to(positive.dtype)
    expected = torch.tensordot(series, positive, dims=1)
    gap = (evaluate(f, point + radius * inside, asked) / unit - expected).abs()
    size = torch.linalg.vector_norm(positive)
    allowed = (ALIASES * float(modes.aliasing) + rounding) * size
    if bool((gap > allowed).any()):
        raise NumericalError(
            f"{asked}: inside of the circle f is off its series by {float(gap.max() * unit):.2g}, "
            "so it is not holomorphic on that disc, as no function of |z| is. Take a smaller "
            "radius, short of the nearest singularity"
        )
    k = torch.arange(len(positive), dtype=torch.float64)
    powers = radius**k
    kept = int(((powers > info.tiny) & powers.isfinite()).sum())  # the rest is out of range
    k, powers = (per_example(entry, positive) for entry in (k, powers))
    eps = torch.finfo(positive.dtype).eps
    noise = LIKELY * negative.abs().square().mean(0).sqrt()  # holomorphic f has no such modes
    aliases = positive[-HIGHEST:].abs().amax(0) + gap.amax(0)
    displaced = torch.linalg.vector_norm(k * positive, dim=0)  # by the rounding of the points
    displaced = displaced * info.eps * (2 + abs(center) / radius)
    own = OWN * eps * torch.linalg.vector_norm(positive, dim=0)
    error = (noise + aliases + displaced + own).to(torch.float64) * unit
    error = torch.where(error > 0, error.clamp(min=info.tiny), 0)  # below, numbers lose digits
    values = modes.coefficients[half:, 0][:kept] / powers[:kept]
    stated = error / powers[:kept]
    return TaylorCoefficients(values, torch.where(values.isfinite(), stated, math.inf))


@dataclass(frozen=True)
class ConvergenceRadius:
    """A radius of convergence with its error bar; `value` and `upper` are inf if none is seen.

    Args:
        value: the estimate.
        lower, upper: the error bar.
        coefficients: how many coefficients stood above the noise.
    """

    value: float
    lower: float
    upper: float
    coefficients: int


@checked
def radius_of_convergence(
    f: TensorFunction,
    center: complex | float | int,
    radius: float | int,
    *,
    samples: int = 256,
) -> ConvergenceRadius:
    """Distance from the center to the nearest singularity of f, from the decay of a_k.

    By Cauchy and Hadamard |a_k|^(1/k) tends to 1/R, and for the usual singularities |a_k| is
    about C k^p R^-k. The slope of log |a_k| is fitted on the upper envelope of the coefficients
    above the noise, over all and over the later half of them, with and without the term in
    log k; the error bar holds all four, with two standard errors and the drift from the one fit
    to the other on either side. Where the decay keeps steepening like k log k, as that of an
    entire function does, value and upper end are inf. It is an estimate, not a bound: a weak
    singularity behind a strong one is not seen.

    Args:
        f: holomorphic on the closed disc; takes complex128 points (count,) to (count,).
        center, radius: the circle that the coefficients are computed from; R / 2 is good.
        samples: points on it, at first.

    Raises:
        ShapeError: f has several outputs.
        ConfigError, DomainError: as `taylor_coefficients`.
        NumericalError: as `taylor_coefficients`, or a decay too fast or too slow to be read: the
            message says which way to change the radius.

    Example:
        >>> found = radius_of_convergence(lambda z: 1 / (3 - z), 0, 1.5)
        >>> found.lower <= 3 <= found.upper, round(found.value, 6)
        (True, 3.0)

    References:
        Darboux (1878), the behavior of coefficients; Domb and Sykes (1957).
    """
    found = taylor_coefficients(f, center, radius, samples=samples)
    if found.values.ndim != 1:
        raise ShapeError(
            f"radius_of_convergence of a function with outputs {tuple(found.values.shape[1:])}: "
            "choose one of them, lambda z: f(z)[..., 0]"
        )
    return radius_of_series(found, radius)


@checked
def radius_of_series(found: TaylorCoefficients, radius: float | int) -> ConvergenceRadius:
    """What `radius_of_convergence` makes of coefficients that are there already.

    Args:
        found: those of one function, shape (count,).
        radius: of the circle that they are from.

    Raises:
        NumericalError: too few coefficients are above their errors, as those of a polynomial.

    Example:
        >>> found = taylor_coefficients(lambda z: 1 / (3 - z), 0, 1.5)
        >>> round(radius_of_series(found, 1.5).value, 6)
        3.0
    """
    k = torch.arange(len(found.values), dtype=torch.float64)
    scaled = found.values.abs() * radius**k
    above = scaled > NOISE * found.error * radius**k
    last = int(above.nonzero().max()) if bool(above.any()) else 0
    count = int(above[1 : last + 1].sum())
    if count < FEWEST:
        raise NumericalError(
            f"radius_of_convergence from the circle of radius {radius}: only {count} coefficients "
            "are above the noise, too few for a slope. Take a larger radius; if it stays so, f is "
            "a polynomial to rounding"
        )
    x, y = _envelope(k[1 : last + 1], scaled[1 : last + 1].log())
    constant, log = torch.ones_like(x), x.log()
    late = len(x) // 2
    power = _fit((constant, x, log), y)
    settling = abs(power.slope - _fit((constant, x, log), y, late).slope)
    ends = []
    for fit in (
        _fit((constant, x), y),
        _fit((constant, x), y, late),
        power,
        _fit((constant, x, log), y, late),
    ):
        margin = 2 * fit.slope_error + settling
        ends += [fit.slope - margin, fit.slope + margin]
    radii = sorted(radius * math.exp(-slope) for slope in ends)
    factorial = _fit((constant, x, x * log), y)
    both = _fit((constant, x, log, x * log), y)
    steepens = max(factorial.last, both.last) < -STEEPENING
    if steepens and factorial.residual < power.residual:
        return ConvergenceRadius(math.inf, radii[0], math.inf, count)
    return ConvergenceRadius(radius * math.exp(-power.slope), radii[0], radii[-1], count)


def _envelope(k: RealTensor, height: RealTensor) -> tuple[RealTensor, RealTensor]:
    """The highest point of each run of consecutive coefficients: zeros and beats do not count."""
    run = max(1, min(LONGEST_RUN, len(k) // FEWEST))
    full = len(k) // run * run
    best = height[:full].view(-1, run).max(1)
    where = k[:full].view(-1, run).gather(1, best.indices[:, None])[:, 0]
    seen = best.values.isfinite()
    return where[seen], best.values[seen]


@dataclass(frozen=True)
class _Fit:
    slope: float
    slope_error: float
    last: float
    residual: float


def _fit(terms: tuple[RealTensor, ...], y: RealTensor, first: int = 0) -> _Fit:
    """Least squares of y on (constant, k, ...), from the entry `first` on."""
    design = torch.stack(terms, 1)[first:]
    inverse = torch.linalg.pinv(design)
    found = inverse @ y[first:]
    free = max(1, len(design) - len(terms))
    residual = float((y[first:] - design @ found).square().sum() / free) ** 0.5
    return _Fit(
        float(found[1]),
        residual * float(torch.linalg.vector_norm(inverse[1])),
        float(found[-1]),
        residual,
    )
