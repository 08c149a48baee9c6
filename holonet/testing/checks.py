"""The checks that follow from what a module declares."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from holonet._arguments import checked
from holonet._subject import Subject, brief, map_of, name_of, random_lines
from holonet._types import GivenPoints, Numbers
from holonet.calculus import levi_form, second_directional_derivative
from holonet.calculus.examples import lengths
from holonet.functions import FunctionClass, HolomorphicFunction
from holonet.nn import declared_class
from holonet.testing.assertions import assert_holomorphic
from holonet.testing.derivatives import assert_derivative
from holonet.testing.harmonicity import assert_pluriharmonic

__all__ = ["Check", "checks_for"]

ROUNDING = 1e5 * torch.finfo(torch.float64).eps
CIRCLE_RADIUS = 1e-2
CIRCLE_SAMPLES = 32


@dataclass(frozen=True)
class Check:
    """One check of one module, to be run: `check()` raises AssertionError if it fails.

    Args:
        name: what is claimed.
        run: the check itself.
    """

    name: str
    run: Callable[[], object] = field(repr=False)

    def __call__(self) -> None:
        """Run it."""
        self.run()


@checked
def checks_for(
    module: nn.Module, z: GivenPoints | None = None, *, seed: int = 0
) -> Iterator[Check]:
    """The checks that follow from a module's declarations, for a test to be parametrized with.

    A holomorphic class yields the three witnesses of holomorphy, AFFINE a second derivative of 0,
    HARMONIC pluriharmonicity, SUBHARMONIC a Levi form and a sub-mean value that are not negative;
    a layer made from a record has the record's derivative checked. Every module is asked to treat
    each example on its own, and to keep single and double precision apart.

    Args:
        module: one that declares its class, or of a type that `nn.declare` was told about.
        z: complex points, (batch, *event), inside the domain; default as `assert_holomorphic`.
        seed: of points, directions and perturbations.

    Raises:
        NotHolomorphicError: nothing is declared of the module's type.
        InputTypeError: the module takes real points only; the message says what to ask.
        ShapeError: no points are given, and the module does not say which shape it takes.

    Example:
        >>> from holonet.nn import Tanh
        >>> for check in checks_for(Tanh()):
        ...     check()
        >>> [check.name for check in checks_for(Tanh())][0]
        'meromorphic: three witnesses of holomorphy'
    """
    declared = declared_class(module, name_of(module))
    subject = Subject(module, z, seed=seed)
    subject.require_complex_input()
    z = subject.z
    if map_of(module) is not module or declared.is_holomorphic:
        yield Check(
            f"{declared.value}: three witnesses of holomorphy",
            lambda: assert_holomorphic(module, z, seed=seed),
        )
    if declared is FunctionClass.AFFINE:
        yield Check("affine: no second derivative", lambda: _check_affine(subject))
    if declared is FunctionClass.HARMONIC:
        yield Check(
            "harmonic: pluriharmonic in several variables",
            lambda: assert_pluriharmonic(module, z, seed=seed),
        )
    if declared is FunctionClass.SUBHARMONIC:
        yield Check("subharmonic", lambda: _check_subharmonic(subject))
    record = getattr(module, "function", None)
    if isinstance(record, HolomorphicFunction):
        yield Check("the derivative of its record", lambda: assert_derivative(record, z=z))
    yield Check("each example on its own", lambda: _check_examples(subject))
    yield Check("precision is kept", lambda: _check_precision(subject))


def _check_affine(subject: Subject) -> None:
    f, z = subject.f, subject.z
    generator = torch.Generator().manual_seed(subject.seed)
    v, w = random_lines(z, generator), random_lines(z, generator)
    with torch.no_grad():
        value, second = second_directional_derivative(f, z, v, w)
        middle = f((z + v) / 2) - (f(z) + f(v)) / 2
    unit = 1 + lengths(value)
    _require("affine", subject, torch.maximum(lengths(second), lengths(middle)) / unit)


def _check_subharmonic(subject: Subject) -> None:
    f, z = subject.f, subject.z
    v = random_lines(z, torch.Generator().manual_seed(subject.seed))
    angle = torch.arange(CIRCLE_SAMPLES, dtype=torch.float64) * (2 * torch.pi / CIRCLE_SAMPLES)
    turn = torch.polar(torch.full_like(angle, CIRCLE_RADIUS), angle).view(-1, *[1] * z.ndim)
    with torch.no_grad():
        value = f(z)
        mean = f((z + turn * v).flatten(0, 1)).unflatten(0, (CIRCLE_SAMPLES, len(z))).mean(0)
        levi = levi_form(f, z, v)
    unit = 1 + lengths(value)
    dip = torch.maximum(lengths((value - mean).clamp(min=0)), lengths((-levi).clamp(min=0)))
    _require("subharmonic", subject, dip / unit)


def _check_examples(subject: Subject) -> None:
    variant, z = next(subject.variants(perturb=False)), subject.z  # in eval mode
    f = variant.f
    with torch.no_grad():
        together, alone = f(z), torch.cat([f(example) for example in z.split(1)])
    unit = 1 + lengths(together)
    _require("acting on each example on its own", subject, lengths(together - alone) / unit)


def _check_precision(subject: Subject) -> None:
    with torch.no_grad():
        value = subject.f(subject.z)
    expected = torch.complex128 if value.is_complex() else torch.float64
    if value.dtype != expected:
        raise AssertionError(
            f"{subject.name} gives {value.dtype} for complex128 points and parameters: keep "
            "the precision of the input"
        )


def _require(claim: str, subject: Subject, error: Numbers) -> None:
    at = int(error.argmax())
    if not float(error[at]) <= ROUNDING:
        raise AssertionError(
            f"not {claim}: {subject.name} at {brief(subject.z[at])}, relative error "
            f"{float(error[at]):.3g} > {ROUNDING:.2g}"
        )
