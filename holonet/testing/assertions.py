"""Assertions that a function is holomorphic, for a user's own tests.

They fail to find a violation; none of them proves anything (`symbolic.prove` does).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._subject import Subject, Variant, brief, map_of, random_lines
from holonet._types import GivenPoints, Mask, Numbers, TensorFunction
from holonet.calculus import holomorphy_witnesses
from holonet.calculus.witnesses import DIFFERENCE_NOISE, Witnesses
from holonet.domains import Domain

__all__ = ["assert_holomorphic", "holomorphy_error"]

SCALES = (1.0, 0.3)  # of the circles, relative to the radius
OVERFLOWS = 4  # how often the circles of a module are made smaller where its layers overflow


@checked
def holomorphy_error(
    f: TensorFunction,
    z: GivenPoints | None = None,
    *,
    domain: Domain | None = None,
    radius: float | int | None = None,
    samples: int = 64,
    seed: int = 0,
    perturb: bool = True,
) -> float:
    """The largest relative violation of holomorphy that three witnesses find, in complex128.

    The witnesses are d/dzbar by forward mode in random directions, the negative Fourier modes on
    off-center circles of two sizes in random complex lines, and the derivative that autograd
    gives, in both modes, against Cauchy's integral. A module is copied and looked at in eval and
    in train mode, after training passes, and with perturbed parameters.

    Args:
        f: takes batches of complex128 points to complex values, each example on its own. A
            `HolomorphicClassifier` stands for the map in front of its readout.
        z: points, (batch, *event), real ones are lifted. Default: 8 points of the domain that is
            given or declared, or normal ones.
        domain: where each entry of z may be, for a function that acts entry by entry; default
            the one that f declares. Circles stay inside. Networks of layers know their own.
        radius: of the larger circles, in the Euclidean norm; default half the root mean square
            norm of the points, at least 0.5. They reach 1.5 radius from the points, and f is to
            be holomorphic up to there, unless a declared domain says otherwise. A module that
            overflows on them is looked at on smaller ones, any other function is undecided.
        samples: on each circle, at first; doubled where f is not resolved.
        seed: of directions, points and perturbations.
        perturb: whether to look at perturbed parameters too.

    Returns:
        About 1e-15 for holomorphic f, up to 1 for antiholomorphic ones; NaN where f was not
        finite or a circle could not be resolved.

    Law: unchanged if f is multiplied by a constant.

    Raises:
        DomainError: a point on a declared singularity or branch cut; no points.
        ConfigError: a radius that is not positive and finite.
        InputTypeError: f takes real points, or is real-valued.
        ShapeError: no points are given, and a module does not say which shape it takes.

    Example:
        >>> holomorphy_error(torch.sin) < 1e-12
        True
        >>> round(holomorphy_error(lambda z: z + 0.5 * z.conj()), 3) >= 0.333
        True

    References:
        Hartogs (1906); the blind spots of the single witnesses are in docs/theory.
    """
    subject = _subject(f, z, domain, radius, seed)
    errors = [finding.error for finding in _findings(subject, samples, perturb)]
    return math.nan if any(map(math.isnan, errors)) else max(errors)


@checked
def assert_holomorphic(
    f: TensorFunction,
    z: GivenPoints | None = None,
    *,
    domain: Domain | None = None,
    radius: float | int | None = None,
    samples: int = 64,
    seed: int = 0,
    perturb: bool = True,
    tolerance: float | int | None = None,
) -> float:
    """Raise AssertionError if one of the three witnesses of `holomorphy_error` objects.

    Args:
        f, z, domain, radius, samples, seed, perturb: as there.
        tolerance: on the relative error; default 1e4 eps of complex128, 2e-12.

    Returns:
        The error, for the record.

    Raises:
        AssertionError: which witness objects, where, of which variant, and what that means.

    Example:
        >>> error = assert_holomorphic(torch.exp)
        >>> assert_holomorphic(torch.conj)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        AssertionError: not holomorphic...
    """
    subject, worst = _subject(f, z, domain, radius, seed), 0.0
    for finding in _findings(subject, samples, perturb):
        subject.require_examples_apart(finding.variant, float(finding.radius.min()), "holomorphic")
        allowed = finding.witnesses.tolerance if tolerance is None else tolerance
        if not finding.error <= allowed:
            raise AssertionError(finding.describe(allowed))
        worst = max(worst, finding.error)
    return worst


@dataclass(frozen=True)
class _Finding:
    """What the witnesses found of one variant, on circles of one size."""

    subject: Subject
    variant: Variant
    radius: Numbers
    witnesses: Witnesses

    @property
    def error(self) -> float:
        """The worst point's; NaN where one is undecided."""
        undecided = ~self.witnesses.decided & self._finite
        if bool(undecided.any()):
            return math.nan
        return float(self.witnesses.error[~undecided].max())

    def _is_followed(self) -> bool:
        """Whether autograd follows the function at all."""
        with torch.enable_grad():
            return self.variant.f(self.subject.z.detach().requires_grad_()).requires_grad

    @property
    def _finite(self) -> Mask:
        return ~self.witnesses.negative_modes.isnan()

    def describe(self, allowed: float | int) -> str:
        w = self.witnesses
        z, where = self.subject.z, f"{self.subject.name}, {self.variant.name}"
        if not bool(self._finite.all()):
            at = int((~self._finite).nonzero()[0])
            return (
                f"undecided: {where}, is not finite on a circle of radius "
                f"{float(self.radius[at]):.3g} about the point {brief(z[at])}. Give points "
                "inside the domain, or a smaller radius"
            )
        if math.isnan(self.error):
            return (
                f"undecided: {where}, is not resolved by {len(w.modes.coefficients)} samples on "
                "the circles, as a function with steps or noise is not (or one computed in "
                "single precision). If it is smooth but grows fast give a smaller radius"
            )
        at = int(torch.where(w.decided, w.error, 0).argmax())
        meaning = []
        if w.dbar[at] > (allowed if w.forward_mode else max(allowed, DIFFERENCE_NOISE)):
            meaning.append("it depends on conj(z) at that point")
        if w.negative_modes[at] > allowed:
            meaning.append(
                "its values on a circle are not those of a holomorphic function: an "
                "antiholomorphic part, a seam between pieces, a branch cut or a pole inside"
            )
        if w.derivative[at] > allowed:
            meaning.append(
                "the derivative that autograd gives is not the one of its values"
                if self._is_followed()
                else "no gradient passes through it: autograd sees a constant, as behind detach(), "
                "numpy or integers. Write it with torch's functions, or tell its derivative with "
                "functions.analytic.with_derivative"
            )
        by = "forward mode" if w.forward_mode else "central differences, for want of a jvp"
        return (
            f"not holomorphic: {where}, at point {at} of the batch, {brief(z[at])}: error "
            f"{w.error[at]:.3g} > {allowed:.2g}: {'; '.join(meaning)}.\n"
            f"  d/dzbar ({by}): {w.dbar[at]:.3g}\n"
            f"  negative modes on a circle of radius {self.radius[at]:.3g}: "
            f"{w.negative_modes[at]:.3g}\n"
            f"  autograd against Cauchy's integral: {w.derivative[at]:.3g}"
        )


def _subject(
    f: TensorFunction,
    z: Tensor | None,
    domain: Domain | None,
    radius: float | int | None,
    seed: int,
) -> Subject:
    subject = Subject(map_of(f), z, domain=domain, radius=radius, seed=seed)
    subject.require_complex_input()
    return subject


def _findings(subject: Subject, samples: int, perturb: bool) -> Iterator[_Finding]:
    generator = torch.Generator().manual_seed(subject.seed)
    for variant in subject.variants(perturb=perturb):
        for scale in SCALES:
            v = random_lines(subject.z, generator)
            radii = subject.radii(variant, v, scale * subject.radius)
            found = holomorphy_witnesses(variant.f, subject.z, v, radius=radii, samples=samples)
            for _ in range(OVERFLOWS if variant.module is not None else 0):
                infinite = found.negative_modes.isnan()
                if not bool(infinite.any()):
                    break
                radii = torch.where(infinite, radii / 4, radii)
                found = holomorphy_witnesses(variant.f, subject.z, v, radius=radii, samples=samples)
            yield _Finding(subject, variant, radii, found)
