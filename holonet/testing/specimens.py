"""What is put under the microscope: a function at points, in every situation it may be used in."""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from holonet._types import AnyTensor, ComplexTensor, RealTensor, TensorFunction
from holonet.calculus.checks import values_at
from holonet.calculus.examples import lengths, per_example
from holonet.calculus.witnesses import CIRCLE_CENTER, CIRCLE_REACH
from holonet.domains import Domain, Plane
from holonet.errors import DomainError, InputTypeError, ShapeError
from holonet.nn import DeclaredModule
from holonet.nn.discs import admissible_radius
from holonet.nn.precision import double_copy

__all__ = [
    "Specimen",
    "brief",
    "default_points",
    "default_radius",
    "domain_of",
    "lifted",
    "name_of",
    "radii_inside",
    "random_lines",
    "require_examples_apart",
    "specimens",
]

POINTS = 8
ROOM = 1.1 * CIRCLE_REACH  # clearance that a circle of radius 1 needs
PERTURBATION = 0.05  # of parameters, relative to their root mean square plus a tenth
MOST_GROWTH = 100.0  # of the largest value, that a perturbation may cause
ASIDE = 1e-3  # of the radius, between a point and its neighbor in a batch
LONELY = 4  # points that are looked at in a batch of their own
TRAINING_PASSES = 3  # that move running statistics away from where they started


@dataclass(frozen=True)
class Specimen:
    """A function in one situation.

    Args:
        situation: in words, for reports.
        f: takes complex128 points.
        module: the module behind f, if there is one: it knows its domain.
    """

    situation: str
    f: TensorFunction
    module: nn.Module | None


def specimens(f: TensorFunction, z: AnyTensor, *, perturb: bool, seed: int) -> Iterator[Specimen]:
    """F as it is, and for modules also in train mode and with other parameters.

    A module, or the module behind a bound method, is copied to complex128 first. Each situation
    gets a copy of its own, which has seen a few training passes at the points where they work,
    so that batch statistics differ from their initial values.

    Args:
        f: what is tested.
        z: the points, complex or real.
        perturb: whether to add the situations with perturbed parameters.
        seed: of the perturbation.
    """
    _, module = double_copy(f)
    if module is None:
        yield Specimen("as it is", f, None)
        return
    yield _situation(f, "in eval mode", lambda m: m.eval())
    yield _situation(f, "in train mode", lambda m: m.train())

    def trained(m: nn.Module) -> None:
        _pass_in_training(m, z)
        m.eval()

    yield _situation(f, "in eval mode after training passes", trained)
    if perturb and any(p.is_floating_point() or p.is_complex() for p in module.parameters()):

        def perturbed(m: nn.Module) -> None:
            _perturb(m, z, seed)
            trained(m)

        yield _situation(f, "in eval mode with perturbed parameters", perturbed)
        yield _situation(
            f, "in train mode with perturbed parameters", lambda m: (perturbed(m), m.train())
        )


@torch.no_grad()
def require_examples_apart(
    specimen: Specimen, z: AnyTensor, radius: float, claim: str, name: str
) -> None:
    """Refuse what gives a point another value in company than alone: it is no function of a point.

    What gives two values for the same batch is noise, and left to the circles.

    Raises:
        AssertionError: the values of the first points change with the batch that they are in.
    """
    generator = torch.Generator().manual_seed(0)
    aside = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    company = torch.cat([z + ASIDE * radius * aside / lengths(aside).max(), z])
    shared, again = (
        values_at(specimen.f, company, f"a check of {name}")[len(z) :][:LONELY] for _ in range(2)
    )
    if not torch.equal(shared, again):
        return
    alone = torch.cat(
        [values_at(specimen.f, point[None], f"a check of {name}") for point in z[:LONELY]]
    )
    size = torch.maximum(lengths(shared).max(), lengths(alone).max())
    change = lengths(shared - alone)
    if bool((change > math.sqrt(torch.finfo(alone.dtype).eps) * size).any()):
        at = int(change.argmax())
        raise AssertionError(
            f"not {claim}: {name}, {specimen.situation}, is no function of one point: at "
            f"{brief(z[at])} its value changes by {float(change[at] / size):.3g} (of the largest) "
            "with the other examples of the batch, as behind batch statistics, or a flip or a sum "
            "over the first axis. Let it take each example on its own"
        )


def name_of(f: object) -> str:
    """What to call f in a message."""
    return type(f).__name__ if isinstance(f, nn.Module) else getattr(f, "__name__", repr(f))


def brief(z: Tensor) -> str:
    """A point in a message: its first entries."""
    entries = z.flatten()
    shown = ", ".join(f"{entry:.4g}" for entry in entries[:3].tolist())
    return shown if len(entries) == 1 else f"({shown}{', ...' if len(entries) > 3 else ''})"


def lifted(z: Tensor) -> ComplexTensor:
    """The points as complex128.

    Raises:
        InputTypeError: they are not numbers of floating point.
        DomainError: there are none.
    """
    if not (z.is_complex() or z.is_floating_point()):
        raise InputTypeError(f"points of {z.dtype}: give complex ones, or real ones to be lifted")
    if not z.numel():
        raise DomainError(f"no points were given (shape {tuple(z.shape)}): at least one is needed")
    return z.detach().to(torch.complex128)


def default_radius(z: AnyTensor, radius: float | int | None) -> float:
    """The radius asked for; else half the root mean square norm of the points, at least 0.5.

    Raises:
        DomainError: a radius that is not positive and finite.
    """
    if radius is None:
        return max(0.5, 0.5 * float(lengths(z).square().mean().sqrt()))
    if not 0 < radius < math.inf:
        raise DomainError(f"a check with {radius=} was asked: give a positive finite radius")
    return float(radius)


def random_lines(z: ComplexTensor, generator: torch.Generator) -> ComplexTensor:
    """A complex direction of unit length for each point, uniform on the sphere.

    Entries of equal modulus would not do: in such directions |z1|^2 - |z2|^2 looks pluriharmonic.
    """
    v = torch.randn(z.shape, generator=generator, dtype=z.dtype)
    return v / per_example(lengths(v), v)


def radii_inside(
    specimen: Specimen,
    domain: Domain | None,
    z: ComplexTensor,
    v: ComplexTensor,
    radius: float,
) -> RealTensor:
    """The radius for each off-center circle along v, smaller where a declared domain ends.

    Raises:
        DomainError: a point has no room at all.
    """
    radii = torch.full((len(z),), radius, dtype=z.dtype.to_real())
    if domain is not None and not isinstance(domain, Plane):
        room = (domain.clearance(z) / v.abs()).unsqueeze(-1).flatten(1).amin(1)
        radii = torch.minimum(radii, room / ROOM)
    elif specimen.module is not None:
        radii = admissible_radius(specimen.module, z, v, radius, center=CIRCLE_CENTER)
    if not bool((radii > 0).all()):
        at = int((radii <= 0).nonzero()[0])
        raise DomainError(
            f"a check at the point {brief(z[at])} was asked, {specimen.situation}: it lies on a "
            "declared singularity or branch cut, or outside of the domain. Give points inside "
            "(where `clearance` or `margin` is positive)"
        )
    return radii


def domain_of(f: object, domain: Domain | None) -> Domain | None:
    """The domain given, or the one that a record or a single layer declares for each entry."""
    if domain is not None:
        return domain
    found = getattr(f, "domain", None)
    return found if isinstance(found, Domain) else None


def default_points(f: TensorFunction, domain: Domain | None, seed: int) -> ComplexTensor:
    """Points to test at when none are given: samples of the domain, or normal ones.

    A module is given the number of features that its first layer with `in_features` takes.

    Raises:
        ShapeError: the module starts with something else, a convolution say.
        DomainError: a network whose domain normal points do not meet.
    """
    generator = torch.Generator().manual_seed(seed)
    declared = domain_of(f, domain)
    shape = _event_shape(f)
    count = POINTS * math.prod(shape)
    z = (Plane() if declared is None else declared).sample(count, generator=generator)
    z = z.view(POINTS, *shape)
    module = double_copy(f)[1]
    if declared is not None or not isinstance(module, DeclaredModule):
        return z
    module.eval()
    for scale in (1.0, 0.5, 0.25, 0.1, 0.03):
        inside = module.margin(scale * z) > 0
        if bool(inside.all()):
            return scale * z
    raise DomainError(
        f"normal points of C^{shape} meet singularities or branch cuts of {type(f).__name__}: "
        "give points z inside its domain, where f.margin(z) > 0"
    )


def _event_shape(f: TensorFunction) -> tuple[int, ...]:
    module = double_copy(f)[1]
    if module is None:
        return ()
    for layer in module.modules():
        if isinstance(features := getattr(layer, "in_features", None), int):
            return (features,)
        if isinstance(getattr(layer, "in_channels", None), int):
            raise ShapeError(
                f"{type(f).__name__} starts with {type(layer).__name__}, whose input size is not "
                "known: give points, z=torch.randn(8, channels, height, width, "
                "dtype=torch.complex128)"
            )
    return (4,)


def _situation(f: TensorFunction, name: str, prepare: Callable[[nn.Module], object]) -> Specimen:
    copied, module = double_copy(f)
    if module is not None:
        prepare(module)
    return Specimen(name, copied, module)


def _pass_in_training(module: nn.Module, z: AnyTensor) -> None:
    """Show it ellipses: what whitens their parts is not complex-linear."""
    module.train()
    with torch.no_grad(), contextlib.suppress(RuntimeError, ValueError, TypeError):
        for k in range(TRAINING_PASSES):
            stretched = torch.complex(2 * z.real, z.imag / 2) if z.is_complex() else 2 * z
            module(stretched + k)


@torch.no_grad()
def _perturb(module: nn.Module, z: AnyTensor, seed: int) -> None:
    """Add noise to the parameters; less of it if points leave the domain or values explode."""
    module.eval()
    before = copy.deepcopy(module.state_dict())
    largest = MOST_GROWTH * (1 + float(module(z).abs().max()))
    amount = PERTURBATION
    for _ in range(6):
        generator = torch.Generator().manual_seed(seed)
        for p in module.parameters():
            if p.is_floating_point() or p.is_complex():
                noise = torch.randn(p.shape, generator=generator, dtype=p.dtype)
                p.add_(amount * (_root_mean_square(p) + 0.1) * noise.to(p.device))
        inside = not isinstance(module, DeclaredModule) or bool((module.margin(z) > 0).all())
        if inside and float(module(z).abs().max()) <= largest:
            return
        module.load_state_dict(before)
        amount /= 4


def _root_mean_square(p: Tensor) -> float:
    return float(torch.linalg.vector_norm(p)) / math.sqrt(max(1, p.numel()))
