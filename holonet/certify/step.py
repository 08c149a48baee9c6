"""What a layer is to a certificate: forward for enclosures, backward for linear forms."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Float64, Inexact
from torch import Tensor, nn

from holonet.certify.enclosure import Ball, Enclosure, Semantics
from holonet.certify.rows import Rows, total
from holonet.errors import InputTypeError, NumericalError, ShapeError

__all__ = ["Note", "Pairs", "Reshape", "Residual", "Step", "TakePart", "Trace", "stored"]


@dataclass(frozen=True)
class Note:
    """What keeps a certificate from an example of the batch, in words."""

    example: int
    text: str


@dataclass
class Trace:
    """One forward pass: the semantics, the enclosures in front of steps and behind, and notes."""

    semantics: Semantics
    inputs: dict["Step", Enclosure] = field(default_factory=dict)
    images: dict["Step", Enclosure] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)

    def flushed(self, enclosure: Enclosure) -> Enclosure:
        """With what execution may flush to 0."""
        semantics = self.semantics
        return enclosure if semantics.dtype is None else enclosure.widened(semantics.tiny)


def stored(name: str, tensor: Inexact[Tensor, "*shape"]) -> tuple[Float64[Tensor, "*shape"], ...]:
    """The numbers of a layer in float64, exactly, in one part or two.

    Raises:
        NumericalError: one is NaN or infinite.
    """
    numbers = tensor.detach().cpu()
    if not bool(numbers.isfinite().all()):
        raise NumericalError(
            f"{name}: a weight is NaN or infinite, and nothing can be certified: look at the "
            "training that it comes from"
        )
    if numbers.is_complex():
        return numbers.real.double(), numbers.imag.double()
    return (numbers.double(),)


class Step(ABC):
    """A layer in its place in the network.

    Law: the value of the layer at each point of the enclosure lies in `forward(enclosure)`; the
        form `pull(rows)` at a point of the enclosure is at most `rows` at the layer's value there.

    Args:
        name: the path of the layer.
    """

    is_affine = True
    is_monotone = False

    def __init__(self, name: str) -> None:
        self.name = name

    def forward(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The enclosure of the values; the trace remembers what came in."""
        trace.inputs[self] = enclosure
        try:
            image = self.image(enclosure, trace)
        except RuntimeError as error:
            raise ShapeError(
                f"{self.name} does not take what reaches it, of shape "
                f"{tuple(enclosure.center.shape[1:])}: {error}"
            ) from error
        trace.images[self] = image.where_known(trace.semantics.largest)
        return trace.images[self]

    def bent(self, enclosure: Enclosure) -> Bool[Tensor, "entries"]:
        """Entries of the examples on which the step is not linear, or may not be: all of them."""
        return torch.ones(enclosure.center[:, 0].numel(), dtype=torch.bool)

    @abstractmethod
    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The enclosure of the values."""

    @abstractmethod
    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """Forms in the values as forms in the input, of the enclosure in the trace."""


class Reshape(Step):
    """A layer that gives every entry back: the module's own forward on each part."""

    def __init__(self, name: str, module: nn.Module) -> None:
        super().__init__(name)
        self.module = module

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """Each part by itself."""
        del trace
        if (ball := enclosure.ball) is not None:
            ball = replace(ball, middle=self._shaped(ball.middle))
        return Enclosure(self._shaped(enclosure.center), self._shaped(enclosure.radius), ball)

    def _shaped(self, parts: Tensor) -> Tensor:
        return torch.stack([self.module(part) for part in parts])

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """The shape in front."""
        shape = (*rows.value.shape[:3], *trace.inputs[self].center.shape[2:])
        return Rows(rows.value.reshape(shape), rows.error.reshape(shape), rows.constant, rows.slack)


class TakePart(Step):
    """The real part (0) or the imaginary part (1)."""

    def __init__(self, name: str, part: int) -> None:
        super().__init__(name)
        self.part = part

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """One part."""
        del trace
        whole = enclosure if self.part == 0 else enclosure.as_complex()
        index = slice(self.part, self.part + 1)
        return Enclosure(whole.center[index], whole.radius[index])

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """0 in the other part."""
        parts = len(trace.inputs[self].center)
        zero = torch.zeros_like(rows.value)

        def placed(one: Tensor) -> Tensor:
            return torch.cat([one if part == self.part else zero for part in range(parts)])

        return Rows(placed(rows.value), placed(rows.error), rows.constant, rows.slack)


class Pairs(Step):
    """Real and imaginary parts as real entries, on the axis behind the batch axis."""

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The parts, the real ones first."""
        del trace
        if not enclosure.is_complex:
            raise InputTypeError(f"{self.name} takes complex numbers apart and is reached by real")
        ball = enclosure.ball
        # a ball of complex vectors is one of real ones, a polydisc is none
        ball = Ball(self.paired(ball.middle), ball.length) if type(ball) is Ball else None
        return Enclosure(self.paired(enclosure.center), self.paired(enclosure.radius), ball)

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """Each half of the coefficients is of one part."""
        del trace
        value, error = (
            self.apart(side.flatten(1, 2)).unflatten(1, side.shape[1:3])
            for side in (rows.value, rows.error)
        )
        return Rows(value, error, rows.constant, rows.slack)

    def paired(self, x: Inexact[Tensor, "2 n axis *rest"]) -> Inexact[Tensor, "1 n pairs *rest"]:
        """The parts beside each other."""
        return torch.cat([*x], 1)[None]

    def apart(self, v: Inexact[Tensor, "1 n pairs *rest"]) -> Inexact[Tensor, "2 n axis *rest"]:
        """The halves as parts, which is the inverse and the transposed map."""
        return torch.stack(v[0].chunk(2, 1))


class Residual(Step):
    """The input plus the value of a chain of steps."""

    is_affine = False

    def __init__(self, name: str, body: list[Step]) -> None:
        super().__init__(name)
        self.body = body

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The sum, as if both terms moved independently."""
        change = enclosure
        for step in self.body:
            change = step.forward(change, trace)
        if change.is_complex:
            enclosure = enclosure.as_complex()
        center = enclosure.center + change.center
        rounding = trace.semantics.gamma(2) * (enclosure.size + change.size)
        rounding = rounding + 3 * trace.semantics.tiny
        return Enclosure(center, enclosure.radius + change.radius).widened(rounding)

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """The form on both branches."""
        gamma = trace.semantics.gamma(2)
        rows = Rows(rows.value, rows.error + gamma * rows.value.abs(), rows.constant, rows.slack)
        change = rows
        for step in reversed(self.body):
            change = step.pull(change, trace)
        parts = len(trace.inputs[self].center)
        nothing = torch.zeros_like(rows.constant)
        # both terms and the sum may be flushed to 0
        lost = 3 * trace.semantics.tiny * total(rows.value.abs() + rows.error)
        straight = Rows(rows.value[:parts], rows.error[:parts], nothing, lost)
        return straight.beside(change)
