"""What goes round a point of the complex plane: a pole, a branch point, or nothing.

The function is evaluated on circles of four radii about a candidate. It comes back to its value
round a pole, whose residue is a contour integral. Round a branch point it does not. How the
difference scales with the radius is the exponent: 1/2 for square roots, 0 for logarithms.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Tensor

from holonet.calculus.examples import nonzero
from holonet.singularities.discs import ROUNDING, LineFunctions, circle, circle_modes_of

__all__ = ["KINDS", "Loops", "go_round"]

KINDS = ("none", "pole", "square root", "logarithm", "branch point", "undecided")
NONE, POLE, SQUARE_ROOT, LOGARITHM, BRANCH_POINT, UNDECIDED = range(6)
"""Roots and logarithms are branch points of these types, inverse roots among them. A pole of an
order above 4 is undecided, as an essential singularity is."""

NODES = 64
RADII = 4  # each half of the one before
CLOSED = 1e-7  # of the variation, in the highest modes, where the value comes back
PRINCIPAL = 1e-6  # of the variation, that negative modes of a pole exceed
ORDERS = 4  # the highest order of a pole
SLIGHT = 1e-2  # of terms that cancel for one simple pole, wherever it is inside of the circle
MINOR = 0.05  # of the mode before: a place that is a little off
DEGREE = 15  # of the polynomial in the angle, on a circle that is cut open
SMOOTH = 1e-2  # of the difference, that this polynomial may leave
AGREEMENT = 0.2  # of exponents at two pairs of radii
INTEGER = 0.05  # from a whole number, or from a half of an odd one


@dataclass(frozen=True)
class Loops:
    """What is at each candidate.

    Args:
        kind: index of `KINDS`; "none" where nothing is confirmed.
        place: of poles improved by their contour integrals.
        strength: of a simple pole the residue; else the largest coefficient of the principal part,
            or the difference round the branch point.
        exponent: -1 for simple poles, -2 for double ones, 1/2 for square roots, 0 for logarithms;
            NaN where it is undecided.
    """

    kind: Int[Tensor, " candidates"]
    place: Complex[Tensor, " candidates"]
    strength: Complex[Tensor, " candidates"]
    exponent: Float[Tensor, " candidates"]


@torch.no_grad()
def go_round(
    g: LineFunctions,
    rows: Int[Tensor, " candidates"],
    place: Complex[Tensor, " candidates"],
    radius: Float[Tensor, " candidates"],
) -> Loops:
    """Go round each candidate on circles of radius, radius/2, radius/4 and radius/8.

    A candidate is confirmed by three neighboring radii that agree.
    """
    scale = 0.5 ** torch.arange(RADII, dtype=torch.float64)
    radii = radius[:, None] * scale
    points = place[:, None, None] + radii[..., None] * circle(NODES)
    values = g(rows, points.flatten(1)).unflatten(1, (RADII, NODES))
    finite = values.isfinite().flatten(1).all(1)
    values = torch.where(finite[:, None, None], values, 0)
    found = _nothing(place)
    for first in range(RADII - 2):  # the smallest circles have the last word
        window = slice(first, first + 3)
        for look in (_poles, _branch_points):
            found = _preferred(look(values[:, window], radii[:, window], place), found)
    return found


def _nothing(place: Complex[Tensor, " candidates"]) -> Loops:
    exponent = torch.full(place.shape, math.nan, dtype=torch.float64)
    return Loops(torch.zeros(place.shape, dtype=torch.long), place, 0 * place, exponent)


def _preferred(new: Loops, old: Loops) -> Loops:
    use = new.kind > NONE
    return Loops(
        torch.where(use, new.kind, old.kind),
        torch.where(use, new.place, old.place),
        torch.where(use, new.strength, old.strength),
        torch.where(use, new.exponent, old.exponent),
    )


def _sizes(
    values: Complex[Tensor, "candidates radii nodes"],
) -> tuple[Float[Tensor, "candidates radii"], Float[Tensor, "candidates radii"]]:
    """How much the values vary, and what rounding may be."""
    size = (values - values.mean(-1, keepdim=True)).abs().amax(-1)
    return size, ROUNDING * torch.finfo(torch.float64).eps * values.abs().amax(-1)


def _poles(
    values: Complex[Tensor, "candidates radii nodes"],
    radii: Float[Tensor, "candidates radii"],
    place: Complex[Tensor, " candidates"],
) -> Loops:
    """Poles, by the contour integrals of g (t - place)^k for k = 0, ..., ORDERS."""
    modes = circle_modes_of(values.flatten(0, 1)).unflatten(0, values.shape[:2])
    size, noise = _sizes(values)
    half, quarter = NODES // 2, NODES // 8
    highest = modes[..., half - quarter : half + quarter].abs().amax(-1)
    closed = (highest <= CLOSED * size + noise).all(1)
    principal = modes.flip(-1)[..., : ORDERS + 1]  # of (t - place)^-1, (t - place)^-2, ...
    principal = principal * radii[..., None] ** torch.arange(1, ORDERS + 2)
    smallest, at = principal[:, -1], radii[:, -1]
    amount = smallest.abs() / at[:, None] ** torch.arange(1, ORDERS + 2)
    p = smallest.unbind(1)
    off_center = (p[0] * p[2] - p[1] ** 2).abs() <= SLIGHT * (p[1] ** 2).abs()
    off_center &= (p[1] * p[3] - p[2] ** 2).abs() <= SLIGHT * (p[2] ** 2).abs()
    order = (
        (amount > MINOR * amount.amax(1, keepdim=True))
        .double()
        .mul(torch.arange(1, ORDERS + 2))
        .argmax(1)
    )
    order = torch.where(off_center, 0, order)  # 0 for simple poles
    leading = principal.gather(2, order[:, None, None].expand(-1, radii.shape[1], 1))[..., 0]
    above = (leading.abs() / radii ** (order + 1)[:, None] > PRINCIPAL * size + noise).all(1)
    steady = (leading - leading[:, -1:]).abs().amax(1) <= 1e-3 * leading[:, -1].abs()
    confirmed = closed & above & steady
    is_pole = confirmed & (order < ORDERS)
    after = smallest.gather(1, (order + 1).clamp(max=ORDERS)[:, None])[:, 0]
    shift = after / ((order + 1) * torch.where(leading[:, -1] == 0, 1, leading[:, -1]))
    return Loops(
        torch.where(is_pole, POLE, torch.where(confirmed, UNDECIDED, NONE)),
        torch.where(is_pole, place + shift, place),
        leading[:, -1],
        torch.where(is_pole, -(order + 1).double(), math.nan),
    )


def _branch_points(
    values: Complex[Tensor, "candidates radii nodes"],
    radii: Float[Tensor, "candidates radii"],
    place: Complex[Tensor, " candidates"],
) -> Loops:
    """Branch points, by the difference of the values on both sides of the largest jump."""
    difference, left = _difference(values)
    noise = _sizes(values)[1]
    slit = (left <= SMOOTH * difference.abs()) & (difference.abs() > noise)
    steps = nonzero(difference.abs()).log2()
    exponents = steps[:, :-1] - steps[:, 1:]
    agree = (exponents[:, 0] - exponents[:, 1]).abs() <= AGREEMENT
    exponent = exponents[:, 1] + (exponents[:, 1] - exponents[:, 0])
    kind = torch.full(place.shape, BRANCH_POINT)
    kind[_near(exponent - 0.5)] = SQUARE_ROOT
    kind[_near(exponent) & (exponent > -0.5)] = LOGARITHM
    kind[~agree] = BRANCH_POINT
    exponent = torch.where(agree, exponent, math.nan)
    return Loops(torch.where(slit.all(1), kind, NONE), place, difference[:, -1], exponent)


def _near(number: Float[Tensor, " candidates"]) -> Bool[Tensor, " candidates"]:
    return (number - number.round()).abs() < INTEGER


def _difference(
    values: Complex[Tensor, "candidates radii nodes"],
) -> tuple[Complex[Tensor, "candidates radii"], Float[Tensor, "candidates radii"]]:
    """The value behind the largest jump less that in front, and what no polynomial fits between."""
    step = (values.roll(-1, -1) - values).abs().argmax(-1)
    index = (step[..., None] + 1 + torch.arange(NODES)) % NODES
    opened = values.gather(-1, index)
    x = (2 * torch.arange(NODES, dtype=torch.float64) + 1) / NODES - 1
    k = torch.arange(DEGREE + 1, dtype=torch.float64)
    basis = torch.cos(k * x.acos()[:, None])
    fit = torch.linalg.pinv(basis).to(values.dtype) @ opened[..., None]
    left = (opened - (basis.to(values.dtype) @ fit)[..., 0]).abs().amax(-1)
    odd = 2 * fit[..., 1::2, 0].sum(-1)  # the polynomial at 1 less that at -1
    return odd, left
