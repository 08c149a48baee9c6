"""How harmonic the outputs of a model are on data, in numbers that do not flatter.

Near a point every smooth function is nearly affine, and affine functions are harmonic. So what is
measured is the share of what an affine fit leaves, by radius, beside an untrained twin. A network
of ReLUs has the Laplacian 0 wherever it has one. So the mean-value gap stands beside the Laplacian.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._subject import Subject
from holonet._types import GivenLabels, GivenPoints, Labels, Points, RealTensor, TensorFunction
from holonet.attacks.objectives import require_labels
from holonet.calculus import Probes
from holonet.calculus.checks import require_count, values_at
from holonet.calculus.curvature import Curvature, curvature
from holonet.calculus.estimate import Estimate
from holonet.calculus.examples import lengths
from holonet.calculus.mean_value import LARGEST_FRAME, dimensions
from holonet.calculus.sphere import SphereDeviation, sphere_deviation
from holonet.diagnostics.harmonicity_report import Harmonicity
from holonet.diagnostics.untrained import untrained_twin
from holonet.errors import ConfigError, DataError, InputTypeError, ShapeError

__all__ = ["Coordinates", "Outputs", "harmonicity"]

RADII = (0.01, 0.03, 0.1, 0.3)  # of the spread of the data
GROUP = 16  # examples that are looked at together, fewer where they are large
NUMBERS = 2**22  # in the points of one frame for a group

Outputs = Literal["logits", "margins"]
Coordinates = Literal["real", "complex"]


@checked
def harmonicity(
    model: TensorFunction,
    x: GivenPoints,
    *,
    outputs: Outputs = "logits",
    y: GivenLabels | None = None,
    radii: Sequence[float | int] | None = None,
    baseline: Literal["untrained"] | TensorFunction | None = "untrained",
    coordinates: Coordinates = "real",
    count: int = 16,
    probes: int = 32,
    chunk: int = 1024,
    seed: int = 0,
    on_batch: Callable[[], None] | None = None,
) -> Harmonicity:
    """How far real outputs of a model are from harmonic, on data, beside its untrained twin.

    In eval mode and in double precision, as a copy; the model is left as it is. Random numbers do
    not depend on `chunk` or on the device. The memory is that of `chunk` points in a forward pass,
    times four where derivatives are taken, and `count` gradients of all outputs at no more than 16
    examples: with many classes ask for margins.

    Args:
        model: a module or a function of batches, real-valued, each example on its own. A function
            must take double precision.
        x: the examples, (batch, *event).
        outputs: "logits" for all outputs of the model, "margins" for one number: the logit of the
            label minus that of the class that is strongest beside it at the example itself. That
            class is held fixed: with it the margin is harmonic where the logits are.
        y: labels for margins; None takes the class that the model answers.
        radii: Euclidean, in the coordinates; increasing. None takes 0.01, 0.03, 0.1 and 0.3 times
            the root mean square distance of the examples from their mean.
        baseline: "untrained" for the twin that `untrained_twin` makes, a model, or None. A
            function, or a module without parameters, has no twin. One twin is one initialization:
            call again with other models for the spread over them.
        coordinates: "real" for the n coordinates of real examples (of complex ones the real parts
            vary), "complex" for the 2n of complex ones; real examples are lifted. Re f with f
            holomorphic is harmonic in the latter and in general not in the former.
        count: random frames on each sphere, at least 3, of 2 min(n, 32) points each.
        probes: pairs of random directions for second derivatives, at least 2; in at most 16
            coordinates all pairs are taken.
        chunk: points at once.
        seed: of everything random.
        on_batch: called after each group of examples, of the model and of the baseline.

    Raises:
        ConfigError: radii, counts or chunk out of range; no twin can be made.
        DataError: there are no examples.
        InputTypeError: the values are complex; or complex coordinates for a model that takes real
            points only.
        NumericalError: a value is not finite; the message names the point.
        ShapeError, DomainError: labels that do not fit.

    Example:
        >>> x = torch.randn(8, 2, dtype=torch.float64)
        >>> found = harmonicity(lambda x: x[:, 0] ** 2 - x[:, 1] ** 2, x)
        >>> found.is_harmonic, found.baseline is None
        (True, True)
    """
    if not len(x):
        raise DataError("harmonicity of 0 examples: give at least one")
    require_count("chunk", chunk, 1, "harmonicity")
    if y is not None:
        require_labels(y, len(x))
    elif outputs == "margins":
        y = _answers(model, x, coordinates, chunk)
    points = x.real if coordinates == "real" and x.is_complex() else x
    radii = _radii(points) if radii is None else tuple(map(float, radii))
    look = _Look(outputs, coordinates, radii, count, probes, chunk, seed, on_batch)
    found = look.at(model, x, y)
    if isinstance(baseline, str):
        if not isinstance(model, nn.Module) or not any(True for _ in model.parameters()):
            return found
        twin = untrained_twin(model, seed=seed)
        beside = look.at(twin.model, x, y)
        return replace(found, baseline=beside, baseline_name="untrained", kept=twin.kept)
    if baseline is None:
        return found
    return replace(found, baseline=look.at(baseline, x, y), baseline_name="baseline")


@dataclass(frozen=True)
class _Look:
    """All that is asked of a model and of its baseline alike."""

    outputs: Outputs
    coordinates: Coordinates
    radii: tuple[float, ...]
    count: int
    probes: int
    chunk: int
    seed: int
    on_batch: Callable[[], None] | None

    def at(self, model: TensorFunction, x: Points, y: Labels | None) -> Harmonicity:
        """What a model is, without a baseline."""
        f, z = _prepared(model, x, self.coordinates)
        bends: list[Curvature] = []
        deviations: list[SphereDeviation] = []
        for number, rows in enumerate(_groups(z)):
            part = z[rows]
            u = self._output(f, x[rows], part, None if y is None else y[rows])
            seed = (self.seed * 1_000_003 + number) % 2**63
            bends.append(curvature(u, part, count=self.probes, probes=Probes(seed)))
            generator = torch.Generator().manual_seed(seed)
            deviations.append(
                sphere_deviation(u, part, self.radii, count=self.count, generator=generator)
            )
            if self.on_batch is not None:
                self.on_batch()
        return _harmonicity(self, bends, deviations)

    def _output(
        self, f: TensorFunction, x: Points, part: Points, y: Labels | None
    ) -> TensorFunction:
        """(batch, outputs), real, in double precision, of a group of examples again and again."""
        imaginary = x.imag if x.is_complex() and not part.is_complex() else None

        def whole(points: Tensor) -> Tensor:
            if imaginary is not None:
                points = torch.complex(points, imaginary.to(points).repeat(_times(points, x)))
            return _values(f, points, self.chunk)

        if self.outputs == "logits":
            return whole
        with torch.no_grad():
            logits = whole(part)
        if logits.shape[1] < 2:
            raise ShapeError(
                f"margins of a model with {logits.shape[1]} output: they need at least 2 classes; "
                "ask for outputs='logits'"
            )
        label = torch.as_tensor(y, device=part.device).long().unsqueeze(1)
        rival = logits.scatter(1, label, -torch.inf).argmax(1, keepdim=True)

        def margin(points: Tensor) -> Tensor:
            values, times = whole(points), len(points) // len(part)
            own, other = (values.gather(1, k.repeat(times, 1)) for k in (label, rival))
            return own - other

        return margin


def _times(points: Tensor, x: Tensor) -> list[int]:
    return [len(points) // len(x), *[1] * (x.ndim - 1)]


def _prepared(
    model: TensorFunction, x: Points, coordinates: Coordinates
) -> tuple[TensorFunction, Points]:
    """The model in eval mode and double precision, and the points in their coordinates."""
    subject = Subject(model, x, lift=coordinates == "complex")
    if subject.module is not None:
        subject.module.eval()
        for parameter in subject.module.parameters():
            parameter.requires_grad_(False)
    if coordinates == "complex":
        subject.require_complex_input()
        return subject.f, subject.z
    return subject.f, subject.z.real if subject.z.is_complex() else subject.z


def _values(f: TensorFunction, points: Points, chunk: int) -> RealTensor:
    """(batch, outputs) in double precision, by chunks."""
    parts = [values_at(f, part, "harmonicity") for part in points.split(chunk)]
    values = torch.cat(parts)
    if values.is_complex():
        raise InputTypeError(
            "harmonicity of complex values: it is about real ones. End the model with a readout "
            "such as nn.RealPart, or ask holomorphy_check about the map in front of it"
        )
    return values.double().unsqueeze(-1).flatten(1)


@torch.no_grad()
def _answers(model: TensorFunction, x: Points, coordinates: Coordinates, chunk: int) -> Labels:
    f, z = _prepared(model, x, coordinates)
    if x.is_complex() and not z.is_complex():
        z = Subject(model, x).z
    return _values(f, z, chunk).argmax(1)


def _radii(x: Points) -> tuple[float, ...]:
    """Fractions of the spread of the examples, or of their size where they are all equal."""
    x = x.double() if not x.is_complex() else x.to(torch.complex128)
    spread = float(lengths(x - x.mean(0)).square().mean().sqrt())
    size = float(lengths(x).square().mean().sqrt())
    unit = spread if spread > 1e-6 * size else size
    if not 0 < unit < math.inf:
        raise ConfigError("harmonicity at examples that are all 0, or not finite: give radii")
    return tuple(fraction * unit for fraction in RADII)


def _groups(z: Points) -> Iterator[slice]:
    """Rows of z, a number of them that depends on their size alone."""
    n = dimensions(z)
    size = max(1, min(GROUP, NUMBERS // (2 * min(n, LARGEST_FRAME) * n)))
    yield from (slice(first, first + size) for first in range(0, len(z), size))


def _harmonicity(
    look: _Look, bends: list[Curvature], deviations: list[SphereDeviation]
) -> Harmonicity:
    """The groups together."""
    mixed = [bend.mixed_share for bend in bends if bend.mixed_share is not None]
    return Harmonicity(
        outputs=look.outputs,
        coordinates=look.coordinates,
        dimensions=bends[0].coordinates,
        radii=look.radii,
        probes=look.probes,
        laplacian=_joined_estimates([bend.laplacian for bend in bends], 0),
        defect=_joined_estimates([bend.defect for bend in bends], 0),
        mixed_share=_joined_estimates(mixed, 0) if mixed else None,
        exact=bends[0].exact,
        by_differences=any(bend.by_differences for bend in bends),
        gap=_joined_estimates([one.gap for one in deviations], 1),
        beyond_affine=_joined_estimates([one.beyond_affine for one in deviations], 1),
        share=_joined_estimates([one.share for one in deviations], 1),
        affine=torch.cat([one.affine for one in deviations], 1).cpu(),
        extreme_inside=torch.cat([one.extreme_inside for one in deviations], 1).cpu(),
        rounding=torch.cat([one.rounding for one in deviations], 1).cpu(),
        draws=torch.cat([one.draws for one in deviations], 3).cpu(),
    )


def _joined_estimates(parts: Sequence[Estimate], axis: int) -> Estimate:
    """The groups along the axis of the examples, on the CPU."""
    return Estimate(
        torch.cat([part.value for part in parts], axis).cpu(),
        torch.cat([part.standard_error for part in parts], axis).cpu(),
    )
