"""A model and its data as a diagnosis needs them: points that the model takes, and its logits."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Inexact
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._subject import map_of, name_of
from holonet._types import (
    ComplexPoints,
    GivenLabels,
    GivenPoints,
    Labels,
    Points,
    TensorFunction,
)
from holonet.attacks.objectives import require_labels
from holonet.calculus.examples import lengths
from holonet.errors import DataError, InputTypeError
from holonet.nn import HolomorphicClassifier
from holonet.nn.precision import copied

__all__ = ["Prepared", "RealLogits", "Settings", "prepare"]

FAILURES = (
    RuntimeError,
    NotImplementedError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
)
"""What a model may raise at input that it does not take."""

LIFTED = "real points as complex ones"
NUMBERS = 2**22  # in the points of one forward pass
MOST, FEWEST = 1024, 8  # points of one forward pass


class RealLogits(nn.Module):
    """Real numbers of a model, one row for each example: real parts of complex values.

    Args:
        model: module or function.
        lift: whether real points become complex ones in front of it.
    """

    def __init__(self, model: TensorFunction, lift: bool) -> None:
        super().__init__()
        self.model, self.lift = model, lift

    def forward(self, x: Inexact[Tensor, "batch *event"]) -> Float[Tensor, "batch outputs"]:
        """The real parts."""
        values = self.model(x.to(x.dtype.to_complex()) if self.lift else x)
        values = values.real if values.is_complex() else values
        return values.unsqueeze(-1).flatten(1)


@dataclass(frozen=True)
class Prepared:
    """A copy of a model in eval mode, with points that it takes.

    Args:
        name: of the model, for messages.
        model: the copy; a function is no copy.
        x: the points, in the precision and on the device of the parameters.
        y: labels.
        logits: real numbers (batch, outputs) at real points, and where `is_complex` at complex
            ones too.
        holomorphic: from complex points to complex values; None for a real model.
        outputs: the number of logits.
        lifted: whether the model is given real points as complex ones.
        notes: what was changed in the points.
    """

    name: str
    model: TensorFunction
    x: Points
    y: Labels | None
    logits: TensorFunction
    holomorphic: TensorFunction | None
    outputs: int
    lifted: bool
    notes: tuple[str, ...]

    @property
    def is_complex(self) -> bool:
        """Whether the model has a map of complex points to complex values."""
        return self.holomorphic is not None

    @property
    def z(self) -> ComplexPoints:
        """The points as complex ones."""
        return self.x.to(self.x.dtype.to_complex())

    @property
    def points(self) -> Points:
        """The points as the model takes them."""
        return self.z if self.lifted else self.x

    @property
    def chunk(self) -> int:
        """Points of one forward pass: fewer of large ones, so that memory is bounded."""
        return max(FEWEST, min(MOST, NUMBERS // self.x[0].numel()))

    @property
    def spread(self) -> float:
        """Root mean square distance of the points from their mean; their size if they are equal."""
        spread = float(lengths(self.x - self.x.mean(0)).square().mean().sqrt())
        size = float(lengths(self.x).square().mean().sqrt())
        return spread if spread > 1e-6 * size else size or 1.0


@dataclass(frozen=True)
class Settings:
    """What the sections share.

    Args:
        baseline: logits of the model beside; None for none.
        baseline_name: "untrained" or "baseline", empty without one.
        no_baseline: why there is none, in words.
        examples: that derivatives, spheres and lines are taken at.
        attacked: examples.
        eps: radii of attacks; None takes 0.02, 0.05 and 0.1 times the range of the data.
        seed: of everything random.
        on_step: called after each part of the work.
    """

    baseline: TensorFunction | None = None
    baseline_name: str = ""
    no_baseline: str = ""
    examples: int = 16
    attacked: int = 200
    eps: tuple[float, ...] | None = None
    seed: int = 0
    on_step: Callable[[], None] = field(default=lambda: None, repr=False)


@checked
def prepare(model: TensorFunction, x: GivenPoints, y: GivenLabels | None = None) -> Prepared:
    """Copy a model, bring the points to its precision and device, and look at what it gives.

    Points that it does not take as images are given as vectors. A model of complex numbers gets
    complex points. What it gives has to be a tensor with a row for each example, the same in a
    second call and in another batch.

    Args:
        model: module or function, left as it is.
        x: the examples.
        y: their labels.

    Raises:
        DataError: there are no examples.
        InputTypeError: the points are integers; the model takes them in no form, or its values
            change from call to call or with the other examples.
        ShapeError, DomainError: labels that do not fit.
    """
    name = name_of(model)
    if not len(x):
        raise DataError(f"a diagnosis of {name} at 0 examples: give at least one")
    if not (x.is_complex() or x.is_floating_point()):
        raise InputTypeError(
            f"a diagnosis of {name} at points of {x.dtype}: integers have no neighbors. Give "
            "floating point numbers, images as x.float() / 255. Of a model that looks up integers "
            "give the part behind the embedding, at embedded points"
        )
    if y is not None:
        require_labels(y, len(x))
    own = copied(model).eval() if isinstance(model, nn.Module) else model
    x, lift, notes = _accepted(own, _placed(own, x), name)
    few = x[:3]
    values = _values(own, few.to(few.dtype.to_complex()) if lift else few)
    plain = not lift and not values.is_complex() and values.ndim == 2
    logits = own if plain else RealLogits(own, lift)
    if isinstance(logits, nn.Module):
        logits.eval()
    _require_function(logits, x, name)
    takes_complex = isinstance(own, HolomorphicClassifier) or lift or x.is_complex()
    return Prepared(
        name=name,
        model=own,
        x=x,
        y=None if y is None else y.to(x.device),
        logits=logits,
        holomorphic=map_of(own) if takes_complex else None,
        outputs=values[0].numel(),
        lifted=lift,
        notes=notes,
    )


def _placed(model: TensorFunction, x: Points) -> Points:
    """The points on the device and in the precision of the model's first parameter."""
    if not isinstance(model, nn.Module):
        return x.detach()
    own = next((p for p in model.parameters() if p.is_floating_point() or p.is_complex()), None)
    if own is None:
        return x.detach()
    real = own.dtype.to_real() if own.is_complex() else own.dtype
    return x.detach().to(own.device, real.to_complex() if x.is_complex() else real)


def _forms(x: Tensor) -> Iterator[tuple[Tensor, bool, str]]:
    """The points, whether they are to be lifted, and what was changed."""
    flat = f"each example as a vector of {math.prod(x.shape[1:])} numbers"
    for lift in (False, True):
        if lift and x.is_complex():
            return
        lifted = LIFTED * lift
        yield x, lift, lifted
        if x.ndim > 2:
            yield x.flatten(1), lift, " and ".join(filter(None, (flat, lifted)))


def _accepted(model: TensorFunction, x: Tensor, name: str) -> tuple[Tensor, bool, tuple[str, ...]]:
    """The first form of the points that the model takes; complex ones where its values are."""
    refusals: list[str] = []
    for points, lift, note in _forms(x):
        part = points[:3]
        try:
            values = _values(model, part.to(part.dtype.to_complex()) if lift else part)
        except FAILURES as error:
            refusals.append(_line(error))
            continue
        if values.is_complex() and not (lift or points.is_complex()):
            return points, True, tuple(filter(None, (note, LIFTED)))
        return points, lift, (note,) if note else ()
    advice = "give the data in the shape and precision that its forward takes"
    if "Guard failed" in refusals[0]:
        advice = (
            "export it for batches of any size, dynamic_shapes=({0: torch.export.Dim.DYNAMIC},), "
            "and give data in the shape of the export"
        )
    raise InputTypeError(
        f"{name} takes no points of shape {tuple(x.shape)} and {x.dtype}, and none as vectors or "
        f"complex numbers ({refusals[0]}): {advice}"
    )


@torch.no_grad()
def _values(model: TensorFunction, points: Points) -> Any:
    values = model(points.clone())
    if not isinstance(values, Tensor) or not values.ndim or len(values) != len(points):
        what = f"a tensor of shape {tuple(values.shape)}" if isinstance(values, Tensor) else None
        raise InputTypeError(
            f"it gives {what or 'a ' + type(values).__name__} for {len(points)} examples: wrap it "
            "in a module that gives one row of logits for each example"
        )
    return values


def _require_function(logits: TensorFunction, x: Points, name: str) -> None:
    """Refuse values that change from call to call, or with the other examples of the batch."""
    part = x[:3]
    first, again = _values(logits, part), _values(logits, part)
    try:
        alone = torch.cat([_values(logits, example) for example in part.split(1)])
    except FAILURES as error:  # torch's normalizers want company where they have no statistics
        raise InputTypeError(
            f"{name} takes no example without others in its batch ({_line(error)}): let it take "
            "each example on its own"
        ) from error
    size = float(first.abs().max())
    noise = math.sqrt(torch.finfo(first.dtype).eps) * size
    if not bool(first.isfinite().all()):
        raise InputTypeError(f"{name} gives values that are not finite at its data")
    if float((first - again).abs().max()) > noise:
        raise InputTypeError(
            f"{name} gives other values at the same points in a second call, in eval mode: it "
            "draws random numbers or changes its own state. Take that out of its forward"
        )
    if float((first - alone).abs().max()) > noise:
        raise InputTypeError(
            f"{name} gives other values to an example with others in its batch, as behind batch "
            "statistics in eval mode: let it take each example on its own"
        )


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
