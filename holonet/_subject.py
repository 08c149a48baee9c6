"""What a check is about: a function or a module, at points in double precision."""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from holonet._types import ComplexPoints, ComplexTensor, Entries, Numbers, Points, TensorFunction
from holonet.calculus.checks import values_at
from holonet.calculus.examples import lengths, per_example
from holonet.calculus.witnesses import CIRCLE_CENTER, CIRCLE_REACH
from holonet.domains import Domain, Plane
from holonet.errors import ConfigError, DomainError, InputTypeError, ShapeError
from holonet.nn import DeclaredModule, HolomorphicClassifier
from holonet.nn.discs import admissible_radius
from holonet.nn.precision import double_copy

__all__ = ["Subject", "Variant", "brief", "in_double", "map_of", "name_of", "random_lines"]

POINTS = 8
ROOM = 1.1 * CIRCLE_REACH  # clearance that a circle of radius 1 needs
PERTURBATION = 0.05  # of parameters, relative to their root mean square plus a tenth
MOST_GROWTH = 100.0  # of the largest value, that a perturbation may cause
ASIDE = 1e-3  # of the radius, between a point and its neighbor in a batch
LONELY = 4  # points that are looked at in a batch of their own
TRAINING_PASSES = 3  # that move running statistics away from where they started


@dataclass(frozen=True)
class Variant:
    """The subject as it may be used: in a mode, with moved statistics, with other parameters.

    Args:
        name: in words, for messages.
        f: takes points in double precision.
        module: the module behind f, if there is one: it knows its domain.
    """

    name: str
    f: TensorFunction
    module: nn.Module | None


class Subject:
    """A function at points, copied to double precision, with its domain and a radius about them.

    Args:
        f: a function of batches, a module, or a module's bound method; the module is copied.
        z: the points, (batch, *event). None takes 8 points of the domain, or normal ones, with as
            many entries as the first layer with `in_features` takes; real ones for a module that
            takes no others, unless they are lifted.
        domain: of each entry of z; None takes the one that a record or a single layer declares.
        radius: of circles; None takes half the root mean square norm of the points, at least 0.5.
        lift: whether real points become complex ones.
        seed: of default points and of perturbations.

    Raises:
        ShapeError: no points are given, and the module starts with a convolution, say.
        InputTypeError: the points are not numbers of floating point.
        DomainError: there are no points; or a network whose domain normal points do not meet.
        ConfigError: a radius that is not positive and finite.
    """

    def __init__(
        self,
        f: TensorFunction,
        z: Points | None = None,
        *,
        domain: Domain | None = None,
        radius: float | int | None = None,
        lift: bool = True,
        seed: int = 0,
    ) -> None:
        self.name, self.seed = name_of(f), seed
        self.f, self.module = double_copy(f)
        declared = getattr(f, "domain", None) if domain is None else domain
        self.domain = declared if isinstance(declared, Domain) else None
        self.z = self._default_points() if z is None else in_double(z, lift=lift)
        if z is None and not lift and self._refusal() is not None:
            self.z = self.z.real
        if radius is None:
            radius = max(0.5, 0.5 * float(lengths(self.z).square().mean().sqrt()))
        if not 0 < radius < math.inf:
            raise ConfigError(f"a check with {radius=} was asked: give a positive finite radius")
        self.radius = float(radius)

    def variants(self, *, perturb: bool) -> Iterator[Variant]:
        """F as it is, and of modules also in train mode and with other parameters.

        Each variant of a module is a copy of its own. The last ones have seen a few training passes
        at the points where they work, so that batch statistics differ from their initial values.

        Args:
            perturb: whether to add the variants with perturbed parameters.
        """
        if self.module is None:
            yield Variant("as it is", self.f, None)
            return

        def trained(m: nn.Module) -> None:
            _pass_in_training(m, self.z)
            m.eval()

        def perturbed(m: nn.Module) -> None:
            _perturb(m, self.z, self.seed)
            trained(m)

        prepare: dict[str, Callable[[nn.Module], object]] = {
            "in eval mode": lambda m: m.eval(),
            "in train mode": lambda m: m.train(),
            "in eval mode after training passes": trained,
        }
        parameters = self.module.parameters()
        if perturb and any(p.is_floating_point() or p.is_complex() for p in parameters):
            prepare["in eval mode with perturbed parameters"] = perturbed
            prepare["in train mode with perturbed parameters"] = lambda m: (perturbed(m), m.train())
        for name, change in prepare.items():
            f, module = double_copy(self.f)
            if module is not None:
                change(module)
            yield Variant(name, f, module)

    def radii(self, variant: Variant, v: ComplexPoints, radius: float | None = None) -> Numbers:
        """The radius for each off-center circle along v, smaller where a declared domain ends.

        Raises:
            DomainError: a point has no room at all.
        """
        z, radius = self.z, self.radius if radius is None else radius
        radii = torch.full((len(z),), radius, dtype=z.dtype.to_real(), device=z.device)
        if self.domain is not None and not isinstance(self.domain, Plane):
            room = (self.domain.clearance(z) / v.abs()).unsqueeze(-1).flatten(1).amin(1)
            radii = torch.minimum(radii, room / ROOM)
        elif variant.module is not None:
            radii = admissible_radius(variant.module, z, v, radius, center=CIRCLE_CENTER)
        if not bool((radii > 0).all()):
            at = int((radii <= 0).nonzero()[0])
            raise DomainError(
                f"a check at the point {brief(z[at])} was asked, {variant.name}: it lies on a "
                "declared singularity or branch cut, or outside of the domain. Give points inside "
                "(where `clearance` or `margin` is positive)"
            )
        return radii

    def require_complex_input(self) -> None:
        """Refuse a module of real parameters that does not run at complex points.

        Raises:
            InputTypeError: it does not.
        """
        if (error := self._refusal()) is not None:
            raise InputTypeError(
                f"{type(self.module).__name__} has real parameters and takes no complex points "
                f"({str(error).splitlines()[0]}): continuation.extend(model) continues it to them. "
                "At real points ask testing.assert_harmonic or diagnostics.harmonicity"
            ) from error

    def _refusal(self) -> Exception | None:
        """What a module of real parameters raises at the points, if it does."""
        if self.module is None or any(p.is_complex() for p in self.module.parameters()):
            return None
        try:
            with torch.no_grad():
                self.f(self.z[:2])  # batch statistics need two
        except (RuntimeError, NotImplementedError) as error:
            return error
        return None

    @torch.no_grad()
    def require_examples_apart(self, variant: Variant, radius: float, claim: str) -> None:
        """Refuse what gives a point another value in company than alone: no function of a point.

        What gives two values for the same batch is noise, and left to the circles.

        Raises:
            AssertionError: the values of the first points change with the batch that they are in.
        """
        z, asked = self.z, f"a check of {self.name}"
        generator = torch.Generator().manual_seed(0)
        aside = torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
        company = torch.cat([z + ASIDE * radius * aside / lengths(aside).max(), z])
        shared, again = (values_at(variant.f, company, asked)[len(z) :][:LONELY] for _ in range(2))
        if not torch.equal(shared, again):
            return
        try:
            alone = torch.cat([values_at(variant.f, point[None], asked) for point in z[:LONELY]])
        except ValueError as error:  # torch's normalizers want company in train mode
            raise AssertionError(
                f"not {claim}: {self.name}, {variant.name}, is no function of one point: alone "
                f"it takes none ({error}). Let it take each example on its own"
            ) from error
        size = torch.maximum(lengths(shared).max(), lengths(alone).max())
        change = lengths(shared - alone)
        if bool((change > math.sqrt(torch.finfo(alone.dtype).eps) * size).any()):
            at = int(change.argmax())
            raise AssertionError(
                f"not {claim}: {self.name}, {variant.name}, is no function of one point: at "
                f"{brief(z[at])} its value changes by {float(change[at] / size):.3g} (of the "
                "largest) with the other examples of the batch, as behind batch statistics, or a "
                "flip or a sum over the first axis. Let it take each example on its own"
            )

    def _default_points(self) -> ComplexTensor:
        generator = torch.Generator().manual_seed(self.seed)
        shape = () if self.module is None else _event_shape(self.module)
        parameters = () if self.module is None else self.module.parameters()
        domain = Plane() if self.domain is None else self.domain
        z = domain.sample(POINTS * math.prod(shape), generator=generator).view(POINTS, *shape)
        z = z.to(next(iter(parameters), z).device)
        if self.domain is not None or not isinstance(self.module, DeclaredModule):
            return z
        module = self.module.eval()
        for scale in (1.0, 0.5, 0.25, 0.1, 0.03):
            if bool((module.margin(scale * z) > 0).all()):
                return scale * z
        raise DomainError(
            f"normal points of C^{shape} meet singularities or branch cuts of {self.name}: give "
            "points z inside its domain, where f.margin(z) > 0"
        )


def map_of(f: TensorFunction) -> TensorFunction:
    """What a check of holomorphy is about: of a classifier the map in front of its readout."""
    return f.holomorphic_map if isinstance(f, HolomorphicClassifier) else f


def name_of(f: object) -> str:
    """What to call f in a message."""
    return type(f).__name__ if isinstance(f, nn.Module) else getattr(f, "__name__", repr(f))


def brief(z: Entries) -> str:
    """A point in a message: its first entries."""
    entries = z.flatten()
    shown = ", ".join(f"{entry:.4g}" for entry in entries[:3].tolist())
    return shown if len(entries) == 1 else f"({shown}{', ...' if len(entries) > 3 else ''})"


def in_double(z: Shaped[Tensor, "batch *event"], *, lift: bool = True) -> Points:
    """The points in double precision, complex ones if they are lifted.

    Raises:
        InputTypeError: they are not numbers of floating point.
        DomainError: there are none.
    """
    if not (z.is_complex() or z.is_floating_point()):
        raise InputTypeError(f"points of {z.dtype}: give complex ones, or real ones to be lifted")
    if not z.numel():
        raise DomainError(f"no points were given (shape {tuple(z.shape)}): at least one is needed")
    return z.detach().to(torch.complex128 if lift or z.is_complex() else torch.float64)


def random_lines(z: ComplexPoints, generator: torch.Generator) -> ComplexPoints:
    """A complex direction of unit length for each point, uniform on the sphere.

    Entries of equal modulus would not do: in such directions |z1|^2 - |z2|^2 looks pluriharmonic.
    """
    v = torch.randn(z.shape, generator=generator, dtype=z.dtype).to(z.device)
    return v / per_example(lengths(v), v)


def _event_shape(module: nn.Module) -> tuple[int, ...]:
    """The number of features that the first layer takes; 4 where no layer says so."""
    for layer in module.modules():
        if isinstance(features := getattr(layer, "in_features", None), int):
            return (features,)
        if isinstance(getattr(layer, "in_channels", None), int):
            raise ShapeError(
                f"{type(module).__name__} starts with {type(layer).__name__}, whose input size is "
                "not known: give points, z=torch.randn(8, channels, height, width, "
                "dtype=torch.complex128)"
            )
    return (4,)


def _pass_in_training(module: nn.Module, z: Points) -> None:
    """Show it ellipses: what whitens their parts is not complex-linear."""
    module.train()
    with torch.no_grad(), contextlib.suppress(RuntimeError, ValueError, TypeError):
        for k in range(TRAINING_PASSES):
            stretched = torch.complex(2 * z.real, z.imag / 2) if z.is_complex() else 2 * z
            module(stretched + k)


@torch.no_grad()
def _perturb(module: nn.Module, z: Points, seed: int) -> None:
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
