"""Assertions that a real-valued function is harmonic, or pluriharmonic."""

import cmath
import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._subject import Subject, Variant, brief, random_lines
from holonet._types import (
    AnyTensor,
    BoolTensor,
    ComplexTensor,
    GivenPoints,
    RealTensor,
    TensorFunction,
)
from holonet.calculus import laplacian, levi_form, line_modes
from holonet.calculus.checks import values_at
from holonet.calculus.examples import lengths, nonzero, per_example
from holonet.calculus.hardy import ROUNDING, CircleModes, is_rough
from holonet.calculus.witnesses import CIRCLE_CENTER
from holonet.domains import Domain
from holonet.errors import InputTypeError

__all__ = ["assert_harmonic", "assert_pluriharmonic"]

INTERIOR = (-CIRCLE_CENTER, 0.5j, -0.3 + 0.1j, 0.62 - 0.2j, -0.1 - 0.7j)
"""Where inside the unit disc the harmonic extension is compared; the first is the point itself."""

CHANGE_MARGIN = 10.0  # times what leaving out every other sample changes
CIRCLES = 3  # in random planes about each point of more than two coordinates
SHRINKINGS = 6  # of circles that 1024 samples do not resolve, where nothing looks rough
SPHERE_POINTS = 512  # pairs of antipodes of a Monte Carlo mean
SIGMAS = 6.0  # standard errors that count: one false positive in 10^9
SMALLEST_VARIATION = 1e-2  # of u, against its size: below, rounding would show
TOLERANCE = ROUNDING * torch.finfo(torch.float64).eps


@checked
def assert_harmonic(
    u: TensorFunction,
    z: GivenPoints | None = None,
    *,
    domain: Domain | None = None,
    radius: float | int | None = None,
    seed: int = 0,
    perturb: bool = True,
    tolerance: float | int = TOLERANCE,
) -> float:
    """Raise AssertionError if u is not harmonic in all the real coordinates that the points have.

    Those are n for real points, 2n for complex ones: Re f with f holomorphic is harmonic on C^n
    and in general not on R^n. Two witnesses: the Laplacian by forward mode, and the mean-value
    property, which also sees seams between harmonic pieces. In two real coordinates the latter
    compares u inside of off-center circles with the harmonic extension of its values on them, to
    rounding; in more it is a Monte Carlo mean over spheres, which sees gaps of about 1%, and u is
    to be smooth on circles in random planes, as a harmonic function is. What 1024 samples of a
    circle do not resolve (steps, noise, kinks, single precision) is undecided, which fails.

    Args:
        u: real- or complex-valued, of batches, each example on its own.
        z: points, (batch, *event), real or complex; default 8 complex ones, of the domain that is
            given or declared, or normal; real ones for a module that takes no others.
        domain: of each entry, for complex points and entry-wise u.
        radius: of circles and spheres, as for `assert_holomorphic`.
        seed: of directions, points and perturbations.
        perturb: whether to look at a module with perturbed parameters too.
        tolerance: on |mean - u| (or |Laplacian| radius^2 / 2d) over the variation of u.

    Returns:
        The error, for the record.

    Raises:
        AssertionError: which witness objects, and where; or u is undecided.
        DomainError: a point on a declared singularity or branch cut; no points.
        ConfigError: a radius that is not positive and finite.

    Example:
        >>> error = assert_harmonic(lambda x: x[:, 0] ** 2 - x[:, 1] ** 2, torch.randn(5, 2))
        >>> assert_harmonic(lambda x: x[:, 0] ** 2, torch.randn(5, 2))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        AssertionError: not harmonic...
    """
    subject = Subject(u, z, domain=domain, radius=radius, lift=False, seed=seed)
    if subject.z.is_complex():
        subject.require_complex_input()
    z, radius = subject.z, subject.radius
    generator = torch.Generator().manual_seed(seed)
    worst = 0.0
    for variant in subject.variants(perturb=perturb):
        subject.require_examples_apart(variant, radius, "harmonic")
        count = z[0].numel() * (2 if z.is_complex() else 1)
        values = _in_double(subject, variant)
        with torch.no_grad():
            if count == 2:
                planar, points = _planar(values, z)
                radii = torch.full((len(z),), radius, dtype=points.dtype.to_real())
                if z.is_complex():
                    radii = subject.radii(variant, torch.ones_like(z))
                line = torch.ones_like(points)
                gap, unit, radii, resolved = _line_gap(planar, points, line, radii)
            else:
                reach = functools.partial(subject.radii, variant)
                radii, resolved = _smooth_circles(values, z, radius, generator, reach)
                if variant.module is not None:  # other directions may have less room
                    radii = radii / 2
                gap, unit = _sphere_gap(values, z, radii, generator)
            bend = _bend(functools.partial(laplacian, variant.f), z, unit)
        bend = bend * radii.square() / (2 * count)
        judge = functools.partial(_judge, "harmonic", subject, variant, radii)
        worst = max(worst, judge(gap, bend, resolved, tolerance))
    return worst


@checked
def assert_pluriharmonic(
    u: TensorFunction,
    z: GivenPoints | None = None,
    *,
    domain: Domain | None = None,
    radius: float | int | None = None,
    seed: int = 0,
    perturb: bool = True,
    tolerance: float | int = TOLERANCE,
) -> float:
    """Raise AssertionError if u is not harmonic along every complex line: locally Re f.

    For n > 1 that is more than harmonic: |z1|^2 - |z2|^2 is harmonic and not pluriharmonic. Two
    witnesses, in random complex lines: the Levi form by forward mode, and the harmonic extension
    of u from off-center circles, which also sees seams between pieces. What 1024 samples of a
    circle do not resolve is undecided, which fails.

    Args:
        u, domain, radius, seed, perturb: as for `assert_harmonic`.
        z: complex points, (batch, *event).
        tolerance: on |extension - u| (or |Levi form| radius^2) over the variation of u.

    Returns:
        The error, for the record.

    Raises:
        AssertionError: which witness objects, and where; or u is undecided.
        InputTypeError: the points are real.
        DomainError: a point on a declared singularity or branch cut; no points.
        ConfigError: a radius that is not positive and finite.

    Example:
        >>> z = torch.randn(5, 2, dtype=torch.complex128)
        >>> error = assert_pluriharmonic(lambda z: (z[:, 0] * z[:, 1]).real, z)
        >>> assert_pluriharmonic(lambda z: (z[:, 0] * z[:, 1].conj()).real, z)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        AssertionError: not pluriharmonic...
    """
    subject = Subject(u, z, domain=domain, radius=radius, lift=z is None, seed=seed)
    z = subject.z
    if not z.is_complex():
        raise InputTypeError(
            "assert_pluriharmonic at real points: it is about complex lines. Lift the points, "
            "z.to(torch.complex128), or ask assert_harmonic"
        )
    subject.require_complex_input()
    generator = torch.Generator().manual_seed(seed)
    worst = 0.0
    for variant in subject.variants(perturb=perturb):
        subject.require_examples_apart(variant, subject.radius, "pluriharmonic")
        v = random_lines(z, generator)
        radii = subject.radii(variant, v)
        with torch.no_grad():
            gap, unit, radii, resolved = _line_gap(_in_double(subject, variant), z, v, radii)
            bend = _bend(lambda points, v=v, f=variant.f: levi_form(f, points, v), z, unit)
        bend = bend * radii.square()
        judge = functools.partial(_judge, "pluriharmonic", subject, variant, radii)
        worst = max(worst, judge(gap, bend, resolved, tolerance))
    return worst


def _in_double(subject: Subject, variant: Variant) -> TensorFunction:
    """The variant with values in double precision, whatever it was computed in."""

    def values(z: Tensor) -> Tensor:
        w = values_at(variant.f, z, f"a check of {subject.name}")
        return w.to(torch.complex128 if w.is_complex() else torch.float64)

    return values


def _line_gap(
    u: TensorFunction, z: ComplexTensor, v: ComplexTensor, radius: RealTensor
) -> tuple[RealTensor, RealTensor, RealTensor, BoolTensor]:
    """How far u is from the harmonic extension inside of circles, in units of its variation.

    Where the modes are not resolved, what every other sample changes in the extension is taken off.
    With it come the unit, the radii that were looked at, and whether they were resolved.
    """
    modes, radius = _settled_modes(u, z, v, radius)
    fine, samples = modes.coefficients, len(modes.coefficients)
    # every other sample aliases the modes that are half of the samples apart
    coarse = fine + torch.roll(fine, samples // 2, 0)
    coarse = coarse[samples // 4 : samples - samples // 4]
    step = v * per_example(radius, z)
    gaps, changes = [], []
    for w in INTERIOR:
        extension = _extension(fine, w)
        values = u(z + (CIRCLE_CENTER + w) * step)
        gaps.append(lengths(values - extension) / modes.scale)
        changes.append(lengths(extension - _extension(coarse, w)) / modes.scale)
    gap, change = torch.stack(gaps).amax(0), torch.stack(changes).amax(0)
    beyond = (gap - CHANGE_MARGIN * change).clamp(min=0)
    return torch.where(modes.resolved, gap, beyond), modes.scale, radius, modes.resolved


def _settled_modes(
    u: TensorFunction, z: ComplexTensor, v: ComplexTensor, radius: RealTensor
) -> tuple[CircleModes, RealTensor]:
    """The modes on circles, those halved that are not resolved though nothing looks rough."""
    modes = line_modes(u, z, v, radius=radius, center=CIRCLE_CENTER)
    for _ in range(SHRINKINGS):
        smaller = ~modes.resolved & ~is_rough(modes.coefficients)
        if not bool(smaller.any()):
            break
        radius = torch.where(smaller, radius / 2, radius)
        modes = line_modes(u, z, v, radius=radius, center=CIRCLE_CENTER)
    return modes, radius


def _extension(coefficients: ComplexTensor, w: complex) -> ComplexTensor:
    """The harmonic function with these modes on the unit circle, at w inside."""
    mode = torch.arange(len(coefficients), dtype=torch.float64) - len(coefficients) // 2
    weight = torch.polar(abs(w) ** mode.abs(), mode * cmath.phase(w))
    return torch.tensordot(weight, coefficients, dims=1)


def _smooth_circles(
    u: TensorFunction,
    z: AnyTensor,
    radius: float,
    generator: torch.Generator,
    reach: Callable[[ComplexTensor], RealTensor],
) -> tuple[RealTensor, BoolTensor]:
    """Radii of circles in random planes through each z, and whether u is resolved on them.

    The planes are complex lines for complex z, where `reach(v)` says how far u may be asked.
    """
    least = torch.full((len(z),), radius, dtype=z.dtype.to_real())
    resolved = torch.ones(len(z), dtype=torch.bool)
    for _ in range(CIRCLES):
        if z.is_complex():
            v = random_lines(z, generator)
            modes, radii = _settled_modes(u, z, v, reach(v))
        else:
            plane = torch.randn(2, *z.shape, generator=generator, dtype=z.dtype)
            plane = plane / lengths(plane.flatten(0, 1)).view(2, -1, *[1] * (z.ndim - 1))

            def on_plane(w: Tensor, plane: Tensor = plane) -> Tensor:
                x, y = (c.view(-1, len(z), *[1] * (z.ndim - 1)) for c in (w.real, w.imag))
                return u((z + x * plane[0] + y * plane[1]).flatten(0, 1))

            origin = torch.zeros(len(z), dtype=torch.complex128)
            start = torch.full((len(z),), radius, dtype=z.dtype)
            modes, radii = _settled_modes(on_plane, origin, torch.ones_like(origin), start)
        least, resolved = torch.minimum(least, radii), resolved & modes.resolved
    return least, resolved


def _sphere_gap(
    u: TensorFunction, z: AnyTensor, radius: RealTensor, generator: torch.Generator
) -> tuple[RealTensor, RealTensor]:
    """How far the mean over spheres is from the center, where that is beyond its error."""
    v = torch.randn(SPHERE_POINTS, *z.shape, generator=generator, dtype=z.dtype)
    length = torch.linalg.vector_norm(v.unsqueeze(-1).flatten(2), dim=2)
    v = v * (radius / length).view(*length.shape, *[1] * (z.ndim - 1))
    halves = [u((z + sign * v).flatten(0, 1)).unflatten(0, v.shape[:2]) for sign in (1, -1)]
    pairs = ((halves[0] + halves[1]) / 2).unsqueeze(-1).flatten(2)
    center = u(z).unsqueeze(-1).flatten(1)
    gap = lengths(pairs.mean(0) - center)
    error = lengths(_spread(pairs)) / math.sqrt(SPHERE_POINTS)
    varying = lengths(_spread(torch.cat(halves).unsqueeze(-1).flatten(2)))
    unit = torch.maximum(varying, SMALLEST_VARIATION * lengths(center))
    unit = nonzero(unit)
    return torch.where(gap > SIGMAS * error + TOLERANCE * unit, gap, 0) / unit, unit


def _spread(draws: AnyTensor) -> RealTensor:
    """The standard deviation over the first axis, of what is huge or tiny too."""
    unit = nonzero(draws.abs().amax(0))
    return (draws / unit).std(0) * unit


def _bend(second: TensorFunction, z: AnyTensor, unit: RealTensor) -> RealTensor:
    """|second(z)| over the unit; 0 where u has no forward mode, and only its values can tell."""
    try:
        return lengths(second(z)) / unit
    except (InputTypeError, RuntimeError, NotImplementedError):
        return torch.zeros_like(unit)


def _planar(u: TensorFunction, z: AnyTensor) -> tuple[TensorFunction, ComplexTensor]:
    """U of two real coordinates as a function of one complex variable, (batch,)."""
    if z.is_complex():
        return (lambda w: u(w.view(-1, *z.shape[1:]))), z.flatten()
    flat = z.flatten(1)
    return (
        lambda w: u(torch.stack([w.real, w.imag], 1).view(-1, *z.shape[1:])),
        torch.complex(flat[:, 0], flat[:, 1]),
    )


def _judge(
    claim: str,
    subject: Subject,
    variant: Variant,
    radii: RealTensor,
    gap: RealTensor,
    bend: RealTensor,
    resolved: BoolTensor,
    tolerance: float | int,
) -> float:
    z, error = subject.z, torch.maximum(gap, bend)
    at = int(error.argmax())
    if not float(error[at]) <= tolerance:
        operator = "Laplacian radius^2 / 2d" if claim == "harmonic" else "Levi form radius^2"
        raise AssertionError(
            f"not {claim}: {subject.name}, {variant.name}, at point {at} of the batch, "
            f"{brief(z[at])}: error {float(error[at]):.3g} > {tolerance:.2g}, relative to the "
            f"variation of the function within radius {float(radii[at]):.3g}.\n"
            f"  {operator}: {float(bend[at]):.3g}\n"
            f"  mean-value property: {float(gap[at]):.3g}"
        )
    if not bool(resolved.all()):
        at = int((~resolved).nonzero()[0])
        raise AssertionError(
            f"undecided, so not {claim} as far as can be seen: {subject.name}, {variant.name}, is "
            f"not resolved on a circle of radius {float(radii[at]):.3g} about {brief(z[at])}, as a "
            "function with steps, kinks or noise is not, or one computed in single precision. If "
            "it is smooth but grows fast give a smaller radius"
        )
    return float(error[at])
