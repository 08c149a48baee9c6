"""Threat models: the sets of perturbations that an adversary may use."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import Mask, Numbers, Points, TensorFunction
from holonet.errors import ConfigError, InputTypeError, ShapeError
from holonet.threats.box import Box, leading_monotone, require_monotone
from holonet.threats.norm_balls import Ball, Bounds, ComplexBall, L1Ball, L2Ball, LinfBall, Polydisc

__all__ = ["Norm", "ThreatModel"]

Norm = Literal["Linf", "L2", "L1", "polydisc", "complex_ball"]

_BALLS: Mapping[str, Ball] = MappingProxyType(
    {
        "Linf": LinfBall(),
        "L2": L2Ball(),
        "L1": L1Ball(),
        "polydisc": Polydisc(),
        "complex_ball": ComplexBall(),
    }
)
_NAMES = {name.lower(): name for name in _BALLS}


@checked
@dataclass(frozen=True)
class ThreatModel:
    """The ball of radius eps in a norm about each example, cut down to the box of valid data.

    Args:
        norm: "Linf" (every entry moves at most eps), "L2" (Euclidean length at most eps), "L1"
            (moduli add up to at most eps); for complex data "polydisc" (every complex entry moves
            at most eps) and "complex_ball" (Euclidean length at most eps). In any case ("linf").
        eps: the radius, in units of the data; 0 leaves only the example itself.
        bounds: the box of valid data, which holds the examples; None for none, as complex data
            need.

    Law: `project` gives the nearest point of the set, is idempotent and fixes the set;
        `random_point` lies in the set; `steepest` has norm 1 and maximizes the inner product with
        the gradient, to `dual_norm`; no point of the set has a larger inner product with the
        gradient than `maximizer`; `image` is the set of all values of the layers on the set.

    Raises:
        ConfigError: eps is negative, not finite, or with Linf beyond the range of the data (in the
            other norms such a radius has a meaning); the norm is unknown; the box is empty, or
            there is one for complex data.
        InputTypeError: by the methods, for examples that the norm does not perturb, or that are
            not floating point.
        ShapeError: by the methods, for points or gradients of another shape than the examples.

    Example:
        >>> threat = ThreatModel("Linf", 0.1)
        >>> threat.project(torch.tensor([[0.5, 0.9]]), torch.tensor([[0.05, 0.95]]))
        tensor([[0.1500, 0.9000]])
        >>> gradient, x = torch.tensor([[2.0, -1.0]]), torch.tensor([[0.9, 0.5]])
        >>> ThreatModel("L1", 0.3).maximizer(gradient, x)
        tensor([[1.0000, 0.3000]])

    References:
        Shaham, Yamada and Negahban (2015) for the steepest steps in the three real norms; Duchi
        et al. (2008) for the projection on an l_1 ball.
    """

    norm: Norm | str = "Linf"
    eps: float = 0.1
    bounds: tuple[float, float] | None = (0.0, 1.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "eps", float(self.eps))  # numpy's numbers and fractions too
        if self.bounds is not None:
            object.__setattr__(self, "bounds", tuple(map(float, self.bounds)))
        object.__setattr__(self, "norm", _NAMES.get(str(self.norm).lower(), self.norm))
        if self.norm not in _BALLS:
            raise ConfigError(
                f"ThreatModel(norm={self.norm!r}): choose 'Linf', 'L2' or 'L1', for complex data "
                "'polydisc' or 'complex_ball'"
            )
        if not 0 <= self.eps < math.inf:
            raise ConfigError(
                f"ThreatModel(eps={self.eps}): a radius is a finite number >= 0, in the units of "
                "the data (0.1 is a tenth of the range of an image in [0, 1])"
            )
        if self.bounds is None:
            return
        if self.is_complex:
            raise ConfigError(
                f"ThreatModel(norm={self.norm!r}, bounds={self.bounds}): complex data have no "
                "box; pass bounds=None"
            )
        low, high = self.bounds
        if not low < high:
            raise ConfigError(f"ThreatModel(bounds={self.bounds}): choose lower < upper, or None")
        if self.norm == "Linf" and self.eps > (high - low) * (1 + 1e-6):
            raise ConfigError(
                f"ThreatModel(eps={self.eps}, bounds={self.bounds}): the radius exceeds the range "
                f"{high - low} of the data, so every valid point is allowed; give eps in the units "
                "of the data (8 / 255 for 8 of 255 gray levels scaled to [0, 1])"
            )

    @property
    def is_complex(self) -> bool:
        """Whether it perturbs complex data."""
        return self.ball.is_complex

    def scaled(self, factor: float) -> "ThreatModel":
        """The same set with the radius times a factor.

        Raises:
            ConfigError: there is no such radius, see the class.

        Example:
            >>> ThreatModel("L2", 0.5).scaled(0.5).eps
            0.25
        """
        return self if factor == 1 else replace(self, eps=factor * self.eps)

    def project(self, perturbed: Points, x: Points) -> Points:
        """The nearest points in the ball about x cut with the box, in Euclidean distance."""
        self._require(x, perturbed)
        if self.eps == 0:
            return x.clone()
        delta = (perturbed - x).flatten(1)
        inside = self.ball.project(delta, self.eps, self._bounds_about(x))
        moved = self._moved(x, inside)
        kept = perturbed if self.bounds is None else perturbed.clamp(*self.bounds)
        return torch.where((inside == delta).view(x.shape), kept, moved)

    def random_point(self, x: Points, generator: torch.Generator | None = None) -> Points:
        """A point of the set for each example: uniform in the ball, then moved into the box.

        The numbers are drawn on the CPU, so that a seed means the same on every device.
        """
        self._require(x, x)
        unit = self.ball.uniform((len(x), math.prod(x.shape[1:])), x.dtype, generator)
        return self.project(x + self.eps * unit.view(x.shape).to(x.device), x)

    def steepest(self, gradient: Points) -> Points:
        """The direction of norm 1 along which a function with this gradient rises most.

        It is 0 for an example whose gradient is 0. In L1 it moves one entry. A complex gradient is
        torch's, dL/dx + i dL/dy.
        """
        return self.ball.steepest(gradient.flatten(1)).view(gradient.shape)

    def maximizer(self, gradient: Points, x: Points) -> Points:
        """The point of the set where Re <gradient, point> is largest, exactly.

        Without a box it is x + eps * steepest(gradient). Entries on which the form does not depend
        stay as they are.
        """
        self._require(x, gradient)
        if self.eps == 0:
            return x.clone()
        return self._moved(
            x, self.ball.linear_maximizer(gradient.flatten(1), self.eps, self._bounds_about(x))
        )

    def front(self, model: TensorFunction) -> tuple[list[nn.Module], TensorFunction]:
        """The layers of a model that `image` takes, and the rest.

        They are those of `leading_monotone`, and none where the norm is not Linf.

        Example:
            >>> from holonet.nn import Threshold
            >>> ThreatModel("Linf").front(Threshold())[0], ThreatModel("L2").front(Threshold())[0]
            ([Threshold()], [])
        """
        return leading_monotone(model) if self.norm == "Linf" else ([], model)

    def image(self, layers: Sequence[nn.Module], x: Points) -> Box:
        """The exact image of the set about x under layers that are monotone entry by entry.

        The box of valid data cuts the ball, so that the sides about the image of x are unequal.
        Parameters of the layers get a gradient. Without layers it is the set itself.

        Args:
            layers: applied in turn; those of `front`.
            x: examples.

        Raises:
            ConfigError: the norm is not Linf: the image of another ball is no box.
            InputTypeError: a layer is not monotone entry by entry.

        Example:
            >>> from holonet.nn import Threshold
            >>> box = ThreatModel("Linf", 0.3).image([Threshold()], torch.tensor([[0.0, 0.5]]))
            >>> box.radii
            tensor([[0.0224, 0.4945]], grad_fn=<DivBackward0>)
        """
        if self.norm != "Linf":
            raise ConfigError(
                f"ThreatModel({self.norm!r}).image: only the image of a box is a box, which norm "
                "'Linf' has; attack such a network in front of all of its layers"
            )
        require_monotone(layers)
        up = torch.ones_like(x)
        low, high = self.maximizer(-up, x), self.maximizer(up, x)
        for layer in layers:
            low, high = layer(low), layer(high)
        return Box(low, high)

    def dual_norm(self, gradient: Points) -> Numbers:
        """How much a function with this gradient rises along a step of norm 1, at most."""
        return self.ball.dual(gradient.flatten(1))

    def distance(self, perturbed: Points, x: Points) -> Numbers:
        """The norm of each perturbation."""
        self._require(x, perturbed)
        return self.ball.norm((perturbed - x).flatten(1))

    def contains(self, perturbed: Points, x: Points) -> Mask:
        """Whether each perturbed example is in the set, up to rounding in the size of x."""
        slack = 4 * torch.finfo(x.dtype).eps if x.is_floating_point() or x.is_complex() else 0.0
        size = self.distance(x, torch.zeros_like(x))
        inside = self.distance(perturbed, x) <= self.eps + slack * (self.eps + size)
        if self.bounds is not None:
            flat = perturbed.flatten(1)
            inside &= ((flat >= self.bounds[0]) & (flat <= self.bounds[1])).all(1)
        return inside

    @property
    def ball(self) -> Ball:
        """The geometry of the norm, on flat perturbations and without the box."""
        return _BALLS[self.norm]

    def _bounds_about(self, x: Tensor) -> Bounds:
        if self.bounds is None:
            return None
        flat = x.flatten(1)
        return self.bounds[0] - flat, self.bounds[1] - flat

    def _moved(self, x: Tensor, delta: Tensor) -> Points:
        """X + delta, exactly on a wall of the box where delta leads to it."""
        moved, bounds = x + delta.view(x.shape), self._bounds_about(x)
        if self.bounds is None or bounds is None:
            return moved
        low, high = self.bounds
        moved = torch.where((delta <= bounds[0]).view(x.shape), low, moved)
        return torch.where((delta >= bounds[1]).view(x.shape), high, moved)

    def _require(self, x: Tensor, other: Tensor) -> None:
        if not x.is_floating_point() and not x.is_complex():
            raise InputTypeError(
                f"ThreatModel perturbs floating point inputs and got {x.dtype}: convert the images "
                "to [0, 1] first, for example x.float() / 255"
            )
        if x.is_complex() and not self.is_complex:
            raise InputTypeError(
                f"ThreatModel({self.norm!r}) perturbs real inputs and got complex ones "
                f"({x.dtype}): attack the real data in front of the lift, or choose the norm "
                "'polydisc' or 'complex_ball' (--norm polydisc) with bounds=None"
            )
        if self.is_complex and not x.is_complex():
            raise InputTypeError(
                f"ThreatModel({self.norm!r}) perturbs complex inputs and got real ones "
                f"({x.dtype}): choose 'Linf', 'L2' or 'L1'"
            )
        if x.ndim < 2:
            raise ShapeError(
                f"ThreatModel got examples of shape {tuple(x.shape)}: the first axis is the batch, "
                "so give one example as x[None]"
            )
        if other.shape != x.shape:
            raise ShapeError(
                f"ThreatModel got shapes {tuple(other.shape)} and {tuple(x.shape)}: points and "
                "gradients have the shape of the examples, (batch, ...)"
            )
