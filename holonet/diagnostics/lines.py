"""A model on lines through its examples: t -> f(x + t v), for complex t too.

A real model is continued by `continuation.extend`. Of a complex one the readout is continued: the
real part of F is (F(t) + conj F(conj t)) / 2, which is holomorphic in t.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Complex, Float, Inexact, Int
from torch import Tensor, nn

from holonet._subject import Subject
from holonet._types import Labels, Points, TensorFunction
from holonet.attacks.objectives import input_gradient
from holonet.calculus.checks import values_at
from holonet.calculus.examples import lengths, nonzero, per_example
from holonet.continuation import OPERATIONS, Continuation, extend
from holonet.errors import InputTypeError, ShapeError
from holonet.functions import FunctionClass
from holonet.nn import (
    DeclaredModule,
    HolomorphicClassifier,
    ImagPart,
    LogModulus,
    Modulus,
    RealPart,
)

__all__ = [
    "Direction",
    "LineModel",
    "ModelOnLines",
    "line_model",
    "strongest_rival",
    "unit_directions",
]

SCAN = 64  # real points at which the class is looked at, between 0 and the reach
HALVINGS = 40  # of the interval in which it changes

Direction = Literal["random", "gradient", "class"]
Directions = Inexact[Tensor, "examples directions *event"]


@dataclass(frozen=True)
class LineModel:
    """A model at real points and its continuation, in double precision and eval mode.

    Args:
        real: examples to logits.
        at: (x, v, t) to the continuation of the logits at x + t v.
        continuation: of a real model; None where the model is complex.
        declared: the class of the model, where it or all its operations declare one.
        has_zeros: whether all its singularities are zeros of values that the continuation gives.
    """

    real: TensorFunction
    at: Callable[[Points, Points, Complex[Tensor, " batch"]], Complex[Tensor, "batch classes"]]
    continuation: Continuation | None
    declared: FunctionClass | None
    has_zeros: bool = False

    @property
    def is_entire(self) -> bool:
        """Whether all operations of the continuation are entire."""
        return self.continuation is not None and self.declared is FunctionClass.ENTIRE


def line_model(
    model: TensorFunction, x: Points, pieces: Literal["refused", "frozen"]
) -> tuple[LineModel, Points]:
    """The model on lines, as a copy, and the points in double precision.

    Raises:
        InputTypeError: a complex model whose real values have no known continuation.
    """
    subject = Subject(model, x, lift=False)
    if subject.module is not None:
        subject.module.eval()
        for parameter in subject.module.parameters():
            parameter.requires_grad_(False)
    f, z = subject.f, subject.z
    holomorphic, readout = f, RealPart()
    if isinstance(f, HolomorphicClassifier):
        holomorphic, readout = f.holomorphic_map, f.readout
    elif not _takes_complex(f, subject.module, z):
        continuation = extend(f, pieces)

        def along(x: Tensor, v: Tensor, t: Tensor) -> Tensor:
            base = x if pieces == "frozen" else None
            return _logits(continuation(x + per_example(t, x) * v, base=base))

        singular = continuation.singular_operations(z[:1])
        declared = None if singular else FunctionClass.ENTIRE
        known = all(OPERATIONS[name].zeros is not None for name in singular)
        has_zeros = bool(singular) and known
        return LineModel(lambda x: _logits(f(x)), along, continuation, declared, has_zeros), z
    backbone = f.backbone if isinstance(f, HolomorphicClassifier) else subject.module
    declared = backbone.function_class if isinstance(backbone, DeclaredModule) else None
    finish = _readout(readout)

    def mirrored(x: Tensor, v: Tensor, t: Tensor) -> Tensor:
        tt = torch.cat([t, t.conj()])
        xx, vv = (torch.cat([part, part]) for part in (x, v))
        both = values_at(holomorphic, xx + per_example(tt, xx) * vv, "analyticity")
        if not both.is_complex():
            raise InputTypeError(
                f"analyticity of {subject.name}, which gives real values at complex points: their "
                "continuation is not known. Give the holomorphic map in front of the readout, or a "
                "nn.HolomorphicClassifier, whose readout is known"
            )
        first, second = _logits(both).chunk(2)
        return finish(first, second.conj())

    def real(x: Tensor) -> Tensor:
        return _logits(readout(holomorphic(x if x.is_complex() else x + 0j)))

    return LineModel(real, mirrored, None, declared), z


def _takes_complex(f: TensorFunction, module: nn.Module | None, z: Points) -> bool:
    if z.is_complex() or (isinstance(f, DeclaredModule) and f.function_class.is_holomorphic):
        return True
    return module is not None and any(p.is_complex() for p in module.parameters())


def _readout(readout: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
    """The continuation of a readout, of F(t) and conj F(conj t)."""
    if isinstance(readout, RealPart):
        return lambda a, b: (a + b) / 2
    if isinstance(readout, ImagPart):
        return lambda a, b: (a - b) / 2j
    if isinstance(readout, Modulus):
        return lambda a, b: torch.sqrt(a * b)
    if isinstance(readout, LogModulus):
        return lambda a, b: torch.log(a * b + readout.eps**2) / 2
    raise InputTypeError(
        f"analyticity behind the readout {type(readout).__name__}, whose continuation is not "
        "known: give the holomorphic map in front of it, classifier.holomorphic_map"
    )


def _logits(values: Tensor) -> Tensor:
    return values.unsqueeze(-1).flatten(1)


@dataclass(frozen=True)
class ModelOnLines:
    """One number on each line: a margin, or a logit. Line e * directions + d is of example e.

    Args:
        model: the model.
        x, v: examples, and unit directions for each.
        own: the class of each example.
        rival: the class whose logit is subtracted, None for logits.
        chunk: points in one forward pass.
    """

    model: LineModel
    x: Points
    v: Directions
    own: Labels
    rival: Labels | None
    chunk: int

    def __call__(
        self, rows: Int[Tensor, " rows"], t: Complex[Tensor, "rows points"]
    ) -> Complex[Tensor, "rows points"]:
        """The continuation at complex t."""

        def margin(example: Tensor, x: Tensor, v: Tensor, t: Tensor) -> Tensor:
            logits = self.model.at(x, v, t)
            value = logits.gather(1, self.own[example, None])
            if self.rival is not None:
                value = value - logits.gather(1, self.rival[example, None])
            return value[:, 0]

        return self._in_chunks(margin, rows, t, torch.complex128)

    def reciprocals(
        self, rows: Int[Tensor, " rows"], t: Complex[Tensor, "rows points"]
    ) -> Complex[Tensor, "rows points operations"]:
        """Sums over the reciprocals of the values whose zeros are singularities, at complex t."""

        def sums(example: Tensor, x: Tensor, v: Tensor, t: Tensor) -> Tensor:
            continuation = self.model.continuation
            assert continuation is not None  # noqa: S101
            values = continuation.zeros(x + per_example(t, x) * v)
            weights = (1 + torch.arange(g.shape[1], device=g.device).cos() / 2 for g in values)
            return torch.stack([(w / g).sum(1) for w, g in zip(weights, values, strict=True)], 1)

        return self._in_chunks(sums, rows, t, torch.complex128)

    def answers(
        self, rows: Int[Tensor, " rows"], t: Float[Tensor, "rows points"]
    ) -> Int[Tensor, "rows points"]:
        """The class that the model gives at real t."""

        def answer(example: Tensor, x: Tensor, v: Tensor, t: Tensor) -> Tensor:
            return self.model.real(x + per_example(t, x) * v).argmax(1)

        return self._in_chunks(answer, rows, t, torch.long)

    def _in_chunks(
        self, f: Callable[..., Tensor], rows: Tensor, t: Tensor, dtype: torch.dtype
    ) -> Tensor:
        directions, points = self.v.shape[1], t.shape[1]
        parts = [torch.empty(0, dtype=dtype)]
        for first in range(0, t.numel(), self.chunk):
            at = torch.arange(first, min(first + self.chunk, t.numel()))
            line = rows[at // max(points, 1)]
            example = (line // directions).to(self.x.device)
            way = (line % directions).to(self.x.device)
            here = t.flatten()[at].to(self.x.device)
            values = f(example, self.x[example], self.v[example, way], here)
            parts.append(values.detach().to("cpu", dtype))
        values = torch.cat(parts[1:] or parts)
        return values.view(*t.shape, *values.shape[1:])

    @torch.no_grad()
    def boundary(self, reach: float) -> Float[Tensor, "examples directions"]:
        """The first t in (0, reach] at which the class is not that at t = 0; infinity if none is.

        It is looked for at 64 points, and then by bisection: two changes between neighboring points
        go unseen.
        """
        shape = self.v.shape[:2]
        rows = torch.arange(shape.numel())
        t = torch.linspace(0, reach, SCAN + 1, dtype=torch.float64).expand(len(rows), -1)
        answers = self.answers(rows, t)
        changed = answers != answers[:, :1]
        first = changed.int().argmax(1)
        found = changed.any(1).nonzero()[:, 0]
        high = t[found, first[found]]
        low = t[found, first[found] - 1]
        for _ in range(HALVINGS if len(found) else 0):
            middle = (low + high) / 2
            other = self.answers(rows[found], middle[:, None])[:, 0] != answers[found, 0]
            high, low = torch.where(other, middle, high), torch.where(other, low, middle)
        distance = torch.full((len(rows),), math.inf, dtype=torch.float64)
        distance[found] = high
        return distance.view(shape)


def unit_directions(
    model: LineModel,
    x: Points,
    own: Labels,
    rival: Labels | None,
    kinds: Sequence[Direction],
    generator: torch.Generator,
    others: tuple[Inexact[Tensor, "all *event"], Int[Tensor, " all"]],
) -> tuple[Directions, Bool[Tensor, "examples directions"]]:
    """A direction of unit length of each kind for each example, and which of them are defined.

    "gradient" is the way along which the margin falls most. "class" leads to the nearest of the
    other examples that has another class. Where the gradient is 0, or all examples have one class,
    there is none: it is 0.

    Args:
        own, rival: the classes of the margin.
        others: all examples, with their classes.
    """
    ways = []
    for kind in kinds:
        if kind == "random":
            way = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device)
        elif kind == "gradient":
            way = _downhill(model, x, own, rival)
        else:
            way = _to_other_class(x, own, others)
        ways.append(way / per_example(nonzero(lengths(way)), way))
    v = torch.stack(ways, 1)
    return v, (lengths(v.flatten(0, 1)) > 0.5).view(v.shape[:2]).cpu()


def _downhill(model: LineModel, x: Points, own: Labels, rival: Labels | None) -> Points:
    with torch.enable_grad():
        point = x.clone().requires_grad_()
        logits = model.real(point)
        value = logits.gather(1, own[:, None])
        if rival is not None:
            value = value - logits.gather(1, rival[:, None])
        return -input_gradient(value[:, 0], point)[0]


def _to_other_class(x: Points, own: Labels, others: tuple[Tensor, Tensor]) -> Points:
    points, classes = others
    flat, targets = (torch.view_as_real(p + 0j).flatten(1) for p in (x, points))
    apart = torch.cdist(flat, targets)
    apart = apart.masked_fill((own[:, None] == classes) | (apart == 0), math.inf)
    nearest = apart.min(1)
    way = points[nearest.indices] - x
    return torch.where(per_example(nearest.values.isfinite(), way), way, 0)


def strongest_rival(logits: Float[Tensor, "batch classes"], own: Labels) -> Int[Tensor, " batch"]:
    """The class that is strongest beside the own one.

    Raises:
        ShapeError: there is one class.
    """
    if logits.shape[1] < 2:
        raise ShapeError(
            f"margins of a model with {logits.shape[1]} output: they need at least 2 classes; ask "
            "for outputs='logits'"
        )
    return logits.scatter(1, own[:, None], -torch.inf).argmax(1)
