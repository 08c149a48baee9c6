"""Holomorphic continuation of a real model into the complex domain."""

import math
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal

import torch
from jaxtyping import Complex, Float, Inexact
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from holonet._arguments import checked
from holonet.continuation.operation import Refusal
from holonet.continuation.randomness import NoRandomness
from holonet.continuation.table import OPERATIONS
from holonet.continuation.tensor import Continued, Run
from holonet.errors import ConfigError, InputTypeError, NotHolomorphicError, ShapeError
from holonet.functions.parts import has_parts

__all__ = ["Continuation", "extend"]

Pieces = Literal["refused", "frozen"]
_STEP = 1e-100
"""Imaginary step of a derivative at real points: no difference is formed, so it may be tiny."""


class Continuation(nn.Module):
    """A model on complex tensors; made by `extend`. The model is held, not copied.

    Args:
        model: the real model.
        pieces: what is done where the model is made of pieces.
    """

    def __init__(self, model: Callable[..., Any], pieces: Pieces) -> None:
        super().__init__()
        self.model = model
        self.pieces = pieces
        self.training = bool(getattr(model, "training", False))

    def forward(
        self,
        z: Inexact[Tensor, "*points"],
        *args: Any,
        base: Float[Tensor, "*base"] | None = None,
        **kwargs: Any,
    ) -> Any:
        """The continuation at z; at a real z what the model gives.

        Args:
            z: complex, in the precision of the model's parameters.
            args, kwargs: further arguments of the model; complex tensors among them are continued
                too.
            base: with frozen pieces, the real point where the model decides which pieces are
                active, broadcast to the shape of z. None takes the real part of z. The continuation
                is holomorphic in z for a fixed base.

        Raises:
            NotHolomorphicError: an operation has no continuation; with the path of the module.
            InputTypeError: z is no tensor of real or complex numbers, or an operation has no rule.
            ConfigError: a base without frozen pieces.
            ShapeError: the base does not broadcast to the shape of z.
        """
        if base is not None and self.pieces != "frozen":
            raise ConfigError(
                "a base point is given, and pieces are refused: extend(model, 'frozen')"
            )
        if isinstance(z, Continued) or not z.is_complex():
            _require_floats(z)
            return self.model(z, *args, **kwargs)
        self._require_precision(z)
        return self._at(z, base, args, kwargs, Run(OPERATIONS, self.pieces == "frozen"))

    def _require_precision(self, z: Tensor) -> None:
        own = {p.dtype for p in self.parameters() if p.is_floating_point()}
        if own and z.dtype.to_real() not in own:
            raise InputTypeError(
                f"a continuation at {z.dtype} of a model with parameters of {next(iter(own))}: a "
                "model in single precision takes complex64, one in double precision complex128; "
                "model.float() and model.double() convert it"
            )

    @torch.no_grad()
    def singular_operations(self, x: Inexact[Tensor, "*points"]) -> tuple[str, ...]:
        """The operations of a pass over x that are not entire; none if the continuation is entire.

        An operation is not entire if its formula has singularities anywhere, or is made of pieces.
        Control flow on values is refused, so one pass calls what any pass over that shape calls.

        Args:
            x: points, of which the shape matters.
        """
        run = Run(OPERATIONS, self.pieces == "frozen")
        self._at(x.to(x.dtype.to_complex()), None, (), {}, run)
        return tuple(run.singular)

    def zeros(
        self, z: Complex[Tensor, "batch *event"]
    ) -> tuple[Complex[Tensor, "batch _own"], ...]:
        """Values at z, operation by operation, whose zeros are the singularities of these.

        Of a layer norm they are its variances and eps. Operations without such values are left out:
        see `singular_operations`, and `OPERATIONS`.

        Raises:
            ShapeError: their first axis is not the batch.
        """
        run = Run(OPERATIONS, self.pieces == "frozen", zeros=[])
        self._at(z, None, (), {}, run)
        values = tuple(v.flatten(1) for v in run.zeros or ())
        if any(len(v) != len(z) for v in values):
            raise ShapeError("zeros: the first axis of a normalized value is not that of the batch")
        return values

    def reach(
        self, x: Float[Tensor, "batch *event"], direction: Float[Tensor, "batch *event"]
    ) -> Float[Tensor, " batch"]:
        """How far the frozen piece at x reaches: the least t > 0 with a kink at x + t direction.

        At each kink a value of the model vanishes, a pre-activation for example. The distance is
        that to the zero of its tangent along the line. Where all operations in front of the kinks
        are affine this is exact, up to the first kink. Otherwise it is the estimate of first order.
        A kink at x itself has distance 0, and a kink counts whether or not the output depends on it
        there. Infinity means that no tangent vanishes ahead.
        Each example has to be computed on its own: values of the first axis are its own.

        Args:
            x: real points.
            direction: one for each point.

        Raises:
            ConfigError: pieces are refused.
            ShapeError: one direction for each point is needed.
        """
        if self.pieces != "frozen":
            raise ConfigError("reach asks for frozen pieces: extend(model, pieces='frozen')")
        if x.shape != direction.shape or not x.ndim:
            raise ShapeError(
                f"reach from points of shape {tuple(x.shape)} along directions of shape "
                f"{tuple(direction.shape)}: give each point a direction"
            )
        run = Run(OPERATIONS, True, [])
        step = _STEP if x.dtype is torch.float64 else 1e-20
        with torch.no_grad():
            self._at(torch.complex(x, step * direction), x, (), {}, run)
        reach = torch.full((len(x),), math.inf, dtype=x.dtype, device=x.device)
        for gap in run.gaps or ():
            if not gap.numel() or gap.shape[:1] != x.shape[:1]:
                raise ShapeError(
                    f"reach: a value with a kink has shape {tuple(gap.shape)}, whose first axis is "
                    f"not the batch of {len(x)}: give one point at a time"
                )
            values = gap.reshape(len(x), -1)
            t = -values.real / (values.imag / step)
            t = torch.where(t >= 0, t, math.inf)  # NaN where nothing moves
            reach = torch.minimum(reach, t.amin(1))
        return reach

    def _at(self, z: Tensor, base: Tensor | None, args: Any, kwargs: Any, run: Run) -> Any:
        point = z.resolve_conj().clone() if has_parts(z) else z

        def wrapped(t: Tensor, at: Tensor | None) -> Tensor:
            if not t.is_complex():
                return t
            return Continued(t, _base(t, at) if run.frozen else None, run)

        args, kwargs = tree_map_only(Tensor, lambda t: wrapped(t, None), (args, kwargs))
        try:
            with NoRandomness():
                result = self.model(wrapped(point, base), *args, **kwargs)
        except Refusal as refusal:
            where = self._where(refusal.__traceback__)
            kind = InputTypeError if refusal.holomorphic else NotHolomorphicError
            raise kind(f"extend: {where}: {refusal}") from refusal
        return tree_map_only(Continued, lambda t: t.value, result)

    def _where(self, traceback: TracebackType | None) -> str:
        """The innermost module of the model that was being called, by its path."""
        names = {}
        if isinstance(self.model, nn.Module):
            names = {id(module): name for name, module in self.model.named_modules()}
        innermost: Any = self.model
        while traceback is not None:
            module = traceback.tb_frame.f_locals.get("self")
            if isinstance(module, nn.Module) and id(module) in names:
                innermost = module
            traceback = traceback.tb_next
        path = names.get(id(innermost), "")
        kind = getattr(innermost, "__name__", type(innermost).__name__)
        return f"{path} ({kind})" if path else kind


def _base(z: Tensor, base: Tensor | None) -> Tensor:
    real = z.detach().real
    if base is None:
        return real.clone()
    try:
        return base.detach().to(real.dtype).expand(real.shape).clone()
    except RuntimeError as error:
        raise ShapeError(
            f"a base point of shape {tuple(base.shape)} for points of shape {tuple(z.shape)}: give "
            "one point, or one for each"
        ) from error


def _require_floats(z: Tensor) -> None:
    if not z.is_floating_point():
        raise InputTypeError(
            f"a continuation at a tensor of {z.dtype}: integers have no neighbors. "
            "Give complex points, z.to(torch.complex64). Extend a model that looks up integers "
            "from its embedding on"
        )


@checked
def extend(model: Callable[..., Any] | nn.Module, pieces: Pieces = "refused") -> Continuation:
    """The holomorphic continuation of a real model: its formula at complex points.

    The model's own code runs, by torch's override protocol, so nothing is rewritten. Real weights
    stay real. The formulas and where they hold are in `OPERATIONS`. Parameters, modes and gradients
    of the model are not changed; batch norm and dropout have to be in eval mode. A loss of the
    values can be differentiated in the parameters and in z.

    Args:
        model: takes real tensors, with operations of torch.
        pieces: "refused" raises where an operation is made of pieces, as ReLU is. "frozen"
            continues the piece that is active at a real base point.

    Law: f = extend(model) equals the model at real points, f(conj z) = conj(f(z)), and f is
        holomorphic near the real points where the model is analytic.

    Raises:
        InputTypeError: the model has complex parameters, so it takes complex input itself, or is
            TorchScript; or `pieces` is neither of the two words.

    Example:
        >>> f = extend(nn.Sequential(nn.Linear(2, 3), nn.GELU()))
        >>> z = torch.randn(4, 2, dtype=torch.complex64)
        >>> torch.allclose(f(z.conj()), f(z).conj(), atol=1e-6)
        True
        >>> extend(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))(z)
        Traceback (most recent call last):
        ...
        holonet.errors.NotHolomorphicError: extend: 1 (ReLU): torch.relu is made of pieces, ...
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise InputTypeError(
            "extend of a TorchScript module: its operations are not seen from Python. Give the "
            "Python model that it was made from"
        )
    if isinstance(model, nn.Module):
        complex_ = [n for n, p in model.named_parameters() if p.is_complex()]
        if complex_:
            raise InputTypeError(
                f"extend of {type(model).__name__}, whose parameter {complex_[0]} is complex: it "
                "takes complex input as it is. Ask diagnostics.holomorphy_check whether it is "
                "holomorphic"
            )
    return Continuation(model, pieces)
