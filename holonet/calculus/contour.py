"""Cauchy's integrals over circles, by the trapezoidal rule, which converges geometrically."""

import math

import torch
from jaxtyping import Complex
from torch import Tensor

from holonet._arguments import checked
from holonet._types import (
    AnyTensor,
    ComplexTensor,
    Entries,
    GivenNumber,
    RealTensor,
    TensorFunction,
)
from holonet.calculus.checks import (
    RESOLUTION,
    clearance_of,
    evaluate,
    require_clear_circle,
    require_clear_disc,
    require_count,
)
from holonet.calculus.circle import (
    FEWEST_SAMPLES,
    MOST_SAMPLES,
    circle_center,
    counts,
    harmonic_series,
    modes_of,
    modes_on_circle,
    powers,
    settled,
    unit_circle,
)
from holonet.calculus.examples import per_example
from holonet.domains import Domain
from holonet.errors import ConfigError, DomainError, NumericalError, ShapeError

__all__ = ["cauchy_formula", "contour_integral", "residue", "winding_number"]

FEWEST_STEPS, MOST_STEPS = 128, 65536
LARGEST_STEP = math.pi / 8  # of log f, from one point to the next


@checked
def contour_integral(
    f: TensorFunction,
    center: complex | float | int | GivenNumber,
    radius: float | int,
    *,
    samples: int | None = None,
    domain: Domain | None = None,
) -> Complex[Tensor, "*out"]:
    """The integral of f(z) dz over the circle |z - center| = radius, counter-clockwise.

    Law: 0 where f is holomorphic on the closed disc (Cauchy's theorem). With N samples the modes
        z^k, 1/z^k with |k + 1| < N are integrated exactly, so that the error falls like rho^N,
        where rho < 1 is the ratio of the radius to the modulus of the nearest singularity
        outside, or of the farthest one inside to the radius.

    Args:
        f: takes points of shape (samples,) to values of shape (samples, *rest); it need not be
            holomorphic. Real values are taken as complex ones.
        center: a number, for points in complex128; or a tensor of shape (), for points in its
            own complex dtype and on its device.
        radius: of the circle.
        samples: points on the circle, used as given; None doubles them, on grids turned against
            each other, until the result settles to rounding.
        domain: where f is holomorphic, in place of what f itself declares.

    Raises:
        DomainError: the circle touches a singularity, a branch cut or the edge of the domain
            (obstacles inside are no matter).
        ConfigError: the radius or the center is not finite, or the radius not positive.
        NumericalError: a value is not finite, or the result does not settle up to 4096 samples.
        ShapeError: f is no function of batches.

    Example:
        >>> integral = contour_integral(lambda z: 1 / z, 0, 2)
        >>> round(float(integral.imag / torch.pi), 12)  # 2 pi i
        2.0

    References:
        Trefethen and Weideman (2014).
    """
    asked = "contour_integral"
    at = circle_center(center, radius, asked)
    require_clear_circle(f, domain, at, radius, asked)
    return 2j * math.pi * _integral(f, at, radius, samples, asked)


@checked
def residue(
    f: TensorFunction,
    pole: complex | float | int | GivenNumber,
    radius: float | int,
    *,
    samples: int | None = None,
    domain: Domain | None = None,
) -> Complex[Tensor, "*out"]:
    """The coefficient of 1/(z - pole) in the Laurent series of f about an isolated singularity.

    Where nothing is known of the domain of f it is the sum of the residues inside the circle.

    Law: the sum of the residues inside a circle is the contour integral over 2 pi i.

    Args:
        f, samples, domain: as in `contour_integral`.
        pole: the singularity, or a point where f is holomorphic, of residue 0.
        radius: of a circle about it with no other singularity on it or inside.

    Raises:
        ConfigError, DomainError, NumericalError, ShapeError: as `contour_integral` does;
            DomainError also where another singularity or a branch cut is inside.

    Example:
        >>> residue(lambda z: torch.exp(z) / z**3, 0, 1).real  # the coefficient of z^2 in exp
        tensor(0.5000, dtype=torch.float64)

    References:
        Trefethen and Weideman (2014).
    """
    asked = "residue"
    at = circle_center(pole, radius, asked)
    require_clear_circle(f, domain, at, radius, asked)
    clearance = clearance_of(f, domain)
    if clearance is not None:
        # the discs about these points, of radius |z - pole|, cover the punctured disc
        half = at.to(torch.complex128) + 0.5 * radius * unit_circle(64, 0.0, at)
        room = float(clearance(half).min())
        if room < 0.5 * radius * (1 - RESOLUTION):
            least = max(0.5 * radius - room, float(clearance(at)))
            raise DomainError(
                f"{asked}: f has another singularity or a branch cut within {radius} of "
                f"{complex(at):.6g}: a radius of {least:.6g} leaves at most that point inside"
            )
    return _integral(f, at, radius, samples, asked)


@checked
def cauchy_formula(
    f: TensorFunction,
    z: Entries,
    center: complex | float | int | GivenNumber,
    radius: float | int,
    *,
    order: int = 0,
    samples: int | None = None,
    domain: Domain | None = None,
) -> Complex[Tensor, "*out"]:
    """order!/(2 pi i) times the integral of f(w)/(w - z)^(order + 1) dw over a circle around z.

    The integral of the trigonometric interpolant is taken mode by mode, so that z may come as
    near to the circle as it likes.

    Law: equals the derivative of f of that order at z, where f is holomorphic on the closed
        disc; exact for polynomials of degree below samples/2.

    Args:
        f, center, samples: as in `contour_integral`; only values on the circle are used.
        z: points inside the circle, any shape; they set the dtype and the device where `center`
            is a number.
        radius: of the circle.
        order: of the derivative.
        domain: where f is holomorphic, in place of what f itself declares.

    Returns:
        Shape (*z.shape, *rest).

    Raises:
        DomainError: a point of z lies on the circle or outside; or f is not holomorphic on the
            closed disc.
        ConfigError: a negative order, or one too high for the samples; a radius or a center that
            is not finite.
        NumericalError: a value is not finite, or the result does not settle up to 4096 samples.
        ShapeError: f is no function of batches.

    Example:
        >>> z = torch.tensor([0.5, 0.25j], dtype=torch.complex128)
        >>> cauchy_formula(lambda w: w**3, z, 0, 1, order=2).abs()  # of 6 z
        tensor([3.0000, 1.5000], dtype=torch.float64)

    References:
        Trefethen and Weideman (2014).
    """
    asked = "cauchy_formula"
    require_count("order", order, 0, asked)
    z = z if z.is_complex() else z.to(z.dtype.to_complex())
    at = circle_center(center, radius, asked, like=z)
    w = ((z - at) / radius).to(at.dtype).flatten()
    outside = ~(w.abs() < 1)
    if bool(outside.any()):
        first = complex(z.flatten()[int(outside.int().argmax())])
        raise DomainError(
            f"{asked}: the point {first:.6g} is not inside the circle |z - ({complex(at):.6g})| = "
            f"{radius}: choose a larger radius, or a center nearer to the point"
        )
    require_clear_disc(f, domain, at, radius, asked)
    if order >= modes_of(samples or MOST_SAMPLES // 2):
        raise ConfigError(
            f"{asked}: order={order} with samples={samples}: choose a lower order, or more than "
            "twice as many samples"
        )

    witness = unit_circle(1, 0.1, w)

    def quadrature(unit: ComplexTensor, values: AnyTensor) -> tuple[AnyTensor, RealTensor]:
        upper, lower = modes_on_circle(unit, values)
        k = torch.arange(len(upper), dtype=w.real.dtype, device=w.device)
        falling = math.prod((k - j for j in range(order)), start=torch.ones_like(k))
        weights = falling[order:] * powers(w, len(upper) - order) / radius**order
        rms = values.abs().square().mean(0).sqrt().reshape(1, -1)
        size = weights.abs().square().sum(1, keepdim=True).sqrt() * rms
        # f itself at a point of the circle: settled only once no mode is mistaken for another
        result = torch.cat([weights @ upper[order:], harmonic_series(witness, upper, lower)])
        shape = (len(w) + 1, *values.shape[1:])
        return result.reshape(shape), torch.cat([size, rms]).reshape(shape)

    fewest = FEWEST_SAMPLES
    while modes_of(fewest) <= 2 * order:
        fewest *= 2
    found = settled(quadrature, f, at, radius, samples, asked, fewest=fewest)[:-1]
    return found.reshape((*z.shape, *found.shape[1:]))


@checked
@torch.no_grad()
def winding_number(
    f: TensorFunction,
    center: complex | float | int | GivenNumber,
    radius: float | int,
    *,
    samples: int | None = None,
    domain: Domain | None = None,
) -> int:
    """How often f(z) goes around 0, counter-clockwise, while z goes once around the circle.

    By the argument principle it is the number of zeros minus that of poles inside the circle,
    with their multiplicities, where f is meromorphic on the closed disc. It is found from values
    of f alone: the points are doubled until log f changes by less than pi/8 (in modulus and in
    argument) from each to the next, and the count stays; their spacing is uneven, so that no
    power of z goes by unseen.

    A zero and a pole on either side of the circle nearly cancel, and are seen if they are more
    than about 0.006 radii apart.

    Law: the winding number of f g is that of f plus that of g. For meromorphic f it is the
        contour integral of f'/f over 2 pi i.

    Args:
        f: takes points of shape (samples,) to values of the same shape.
        center, radius, domain: as in `contour_integral`.
        samples: points on the circle, used as given; None doubles them.

    Raises:
        ConfigError, DomainError: as `contour_integral` does.
        NumericalError: a value is not finite; f vanishes on the circle, or has a zero or a pole
            too near to it for 65536 points.
        ShapeError: f gives more than one number for each point.

    Example:
        >>> winding_number(lambda z: z**3 / (z - 5), 0, 1)
        3
        >>> winding_number(torch.tan, 0, 2)  # one zero, two poles
        -1

    References:
        Henrici (1974).
    """
    asked = "winding_number"
    at = circle_center(center, radius, asked)
    require_clear_circle(f, domain, at, radius, asked)
    previous, worst, where = None, math.inf, complex(at)
    for count in counts(samples, FEWEST_STEPS, MOST_STEPS, asked):
        uneven = torch.rand(count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        points = at + radius * unit_circle(count, 0.5 * uneven, at)
        values = evaluate(f, points, asked)
        if values.shape != points.shape:
            raise ShapeError(
                f"{asked}: f gives values of shape {tuple(values.shape[1:])} for each point, but "
                "one number is needed: choose one output of f"
            )
        steps = _log_steps(values)
        size = torch.maximum(steps.real.abs(), steps.imag.abs())
        worst, where = float(size.max()), complex(points[int(size.argmax())])
        if not worst < LARGEST_STEP:
            previous = None
            continue
        turns = round(float(steps.imag.sum()) / (2 * math.pi))
        if samples is not None or turns == previous:
            return turns
        previous = turns
    raise NumericalError(
        f"{asked}: log f changes by {worst:.2g} from one point of the circle |z - "
        f"({complex(at):.6g})| = {radius} to the next near {where:.6g}, and must stay below "
        "pi/8 for two numbers of points: f vanishes there or nearly so, or has a pole or a jump: "
        "choose another radius" + ("" if samples is None else ", or more samples")
    )


def _integral(
    f: TensorFunction, center: ComplexTensor, radius: float | int, samples: int | None, asked: str
) -> ComplexTensor:
    """The contour integral over 2 pi i."""

    def quadrature(unit: ComplexTensor, values: AnyTensor) -> tuple[AnyTensor, RealTensor]:
        integrand = radius * per_example(unit, values) * values
        return integrand.mean(0), integrand.abs().mean(0)

    return settled(quadrature, f, center, radius, samples, asked, scale=radius)


def _log_steps(values: Tensor) -> ComplexTensor:
    """The log of each value over the one before it, around the circle; not finite at zeros."""
    modulus = values.abs()
    phase = values / modulus
    angle = (phase * phase.roll(1).conj() + 0j).angle()
    grown = modulus.log()
    return torch.complex(grown - grown.roll(1), angle).nan_to_num(nan=math.inf)
