"""Assertions about numbers: a derivative that is claimed, and a reference for the values."""

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._subject import Subject, brief
from holonet._types import GivenEntries, TensorFunction
from holonet.calculus import derivative as derivative_of
from holonet.calculus import line_modes
from holonet.calculus.hardy import ROUNDING
from holonet.calculus.witnesses import CIRCLE_CENTER, CIRCLE_REACH, CRITICAL, cauchy_derivative
from holonet.domains import Domain, Plane
from holonet.errors import ConfigError, DomainError, ShapeError
from holonet.functions import HolomorphicFunction

__all__ = ["assert_derivative", "assert_matches_reference"]

RADIUS = 0.5


@checked
def assert_derivative(
    f: TensorFunction,
    derivative: TensorFunction | None = None,
    z: GivenEntries | None = None,
    *,
    domain: Domain | None = None,
    radius: float | int = RADIUS,
    seed: int = 0,
    tolerance: float | int | None = None,
) -> float:
    """Raise AssertionError if `derivative` is not f' according to Cauchy's integral of f.

    The integral needs values of f only, so that it finds a wrong formula and a wrong autograd
    rule alike.

    Args:
        f: holomorphic, acts entry by entry.
        derivative: the claim; default that of a record (`f.derivative`), or what forward mode
            gives.
        z: points of any shape; default 8 of the domain.
        domain: that circles must stay inside of; default the one that f declares.
        radius: of the circles, at most; they reach 1.5 radius from the points.
        seed: of default points.
        tolerance: on the relative error; default 1e4 eps.

    Returns:
        The largest relative error.

    Raises:
        AssertionError: the claimed and the true value where they differ most.
        DomainError: a point on a declared singularity or branch cut; no points.
        ShapeError: the claim does not give one number for each point.

    Example:
        >>> error = assert_derivative(torch.sin, torch.cos)
        >>> assert_derivative(torch.sin, torch.sin)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        AssertionError: not the derivative of sin...
    """
    subject = Subject(f, z, domain=domain, seed=seed)
    declared, z = subject.domain, subject.z.flatten()
    if derivative is None:
        known = isinstance(f, HolomorphicFunction)
        derivative = f.derivative if known else functools.partial(derivative_of, f)
    radii = torch.full_like(z.real, float(radius))
    if declared is not None and not isinstance(declared, Plane):
        radii = torch.minimum(radii, declared.clearance(z) / (1.1 * CIRCLE_REACH))
    if not bool((radii > 0).all()):
        at = int((radii <= 0).nonzero()[0])
        raise DomainError(
            f"assert_derivative at {brief(z[at])} with {radius=}: the point is not in the domain "
            "of the function, or the radius is not positive"
        )
    with torch.no_grad():
        modes = line_modes(f, z, torch.ones_like(z), radius=radii, center=CIRCLE_CENTER)
        expected = cauchy_derivative(modes.coefficients, radii)
        got = _one_each(derivative(z), z, "derivative")
    size = torch.maximum(torch.maximum(got.abs(), expected.abs()), CRITICAL * modes.scale / radii)
    error = (got - expected).abs() / torch.where(size == 0, 1, size)
    error = torch.where(modes.resolved, error, error - modes.aliasing * len(modes.coefficients))
    allowed = ROUNDING * torch.finfo(torch.float64).eps if tolerance is None else tolerance
    at = int(error.argmax())
    if not float(error[at]) <= allowed:
        raise AssertionError(
            f"not the derivative of {subject.name}: at {brief(z[at])} it is claimed to be "
            f"{brief(got[at])}, and Cauchy's integral gives {brief(expected[at])}, relative error "
            f"{float(error[at]):.3g} > {allowed:.2g}"
        )
    if not bool(modes.resolved.all()):
        at = int((~modes.resolved).nonzero()[0])
        raise AssertionError(
            f"undecided whether it is the derivative of {subject.name}: a circle of radius "
            f"{float(radii[at]):.3g} about {brief(z[at])} is not resolved, as a function with "
            "steps or noise is not. If it is smooth but grows fast give a smaller radius"
        )
    return float(error[at])


@checked
def assert_matches_reference(
    f: TensorFunction,
    reference: Callable[[complex], complex] | GivenEntries,
    z: GivenEntries | None = None,
    *,
    domain: Domain | None = None,
    seed: int = 0,
    factor: float | int = 16,
) -> float:
    """Raise AssertionError if f differs from a reference by more than `factor` eps times scale.

    The scale at z is max(|f(z)|, |z f'(z)|): what a rounding of z alone may change, and eps that
    of the dtype of z.

    Args:
        f: acts entry by entry, in the dtype of the points.
        reference: the true values at the points, or a function of one complex number that gives
            them, of mpmath for example.
        z: points of any shape, complex64 or complex128; default 8 of the domain in complex128.
        domain: for default points.
        seed: of default points.
        factor: how many eps.

    Returns:
        The largest error, in eps times scale.

    Raises:
        AssertionError: the value and the reference where they differ most.
        ConfigError: a reference tensor without points, or of another shape.
        ShapeError: f does not give one number for each point.

    Example:
        >>> import cmath
        >>> assert_matches_reference(torch.sin, cmath.sin) < 4
        True
    """
    if isinstance(reference, Tensor) and (z is None or z.shape != reference.shape):
        raise ConfigError(
            f"a reference of shape {tuple(reference.shape)} for points of shape "
            f"{None if z is None else tuple(z.shape)}: give the points that it belongs to"
        )
    subject = Subject(f, z, domain=domain, seed=seed)  # refuses what is not points
    z = subject.z if z is None else z
    if isinstance(reference, Tensor):
        expected = reference.to(torch.complex128)
    else:
        values = [complex(reference(point)) for point in z.flatten().to(torch.complex128).tolist()]
        expected = torch.tensor(values, dtype=torch.complex128).view(z.shape)
    with torch.no_grad():
        got = _one_each(f(z), z, subject.name).to(torch.complex128)
        slope = derivative_of(f, z).abs() if z.is_complex() else torch.zeros_like(z)
    scale = torch.maximum(expected.abs(), (z.abs() * slope).double())
    unit = torch.finfo(z.dtype).eps * scale
    error = ((got - expected).abs() / torch.where(unit == 0, 1, unit)).flatten()
    at = int(error.argmax())
    if not float(error[at]) <= factor:
        raise AssertionError(
            f"{subject.name} does not match its reference: at {brief(z.flatten()[at])} it gives "
            f"{brief(got.flatten()[at])} instead of {brief(expected.flatten()[at])}, off by "
            f"{float(error[at]):.3g} eps times scale, more than {factor}"
        )
    return float(error[at])


def _one_each(values: Tensor, z: Tensor, name: str) -> Tensor:
    if values.shape != z.shape:
        raise ShapeError(
            f"{name} gives values of shape {tuple(values.shape)} at points of shape "
            f"{tuple(z.shape)}: it must act entry by entry"
        )
    return values
