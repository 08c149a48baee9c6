"""The gradient norm: how far a small perturbation can move a function, to first order."""

import itertools
from typing import Literal

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import Numbers, Points, RealTensor, Scalar, TensorFunction, Values
from holonet.calculus import Probes, directional_derivative, pullback
from holonet.calculus.examples import inner_products, lengths, steepest_directions
from holonet.errors import ConfigError, InputTypeError
from holonet.regularizers.regularizer import Regularizer, batch_mean
from holonet.regularizers.sampled import unit_directions

__all__ = ["GradientNorm"]


@checked
class GradientNorm(Regularizer):
    """E ||grad u||^power, in the norm dual to the one that perturbations are measured in.

    A perturbation of l_inf norm at most eps moves a real u by eps ||grad u||_1 to first order, one
    of l_2 norm by eps ||grad u||_2, one of l_1 norm by eps ||grad u||_inf. So loss + eps *
    GradientNorm("L1")(loss) is the first-order robust loss of a real l_inf threat. At complex
    points the gradient is dL/dx + i dL/dy, its entries count by their moduli, and "L1" belongs to
    the polydisc.

    For one number an example (a loss) u is that number. For several u is the difference of two
    outputs ("differences": what an attacker moves; a shift common to all logits decides nothing
    and costs nothing) or a single output ("each"), in the mean over pairs or outputs.

    Args:
        norm: of the gradient: "L1", "L2" or "Linf".
        power: 1 or 2.
        count: random pairs or outputs for each example, averaged; None for all of them, at the
            cost of a reverse pass for every output.
        mode: "reverse" differentiates the norm of the gradient, by double backward. "forward"
            finds the steepest direction v of norm 1 by a reverse pass that no gradient goes
            through, and takes the derivative along v by forward mode: ||grad u|| = Du[v], and
            v being a maximizer, the gradients in the parameters are equal too. So both modes
            have the same noise, unlike those of `DirichletEnergy`. Layers that draw numbers of
            their own (dropout) do not draw the same ones in the two passes of "forward".
        outputs: "differences" or "each".

    A training step takes about two standard steps in mode "reverse" and three in mode "forward",
    hence the default (tests/benchmarks/step_time.py). No forward mode alone estimates the l_1
    norm: random directions see the Euclidean one.

    Law: unbiased: the mean over probes is the exact penalty; both modes have the same value and
        the same gradient. Zero exactly where the functions u are constant about the points; the
        gradient is finite there.

    Raises:
        ConfigError: an unknown norm, power, mode or outputs, a count below 1.
        InputTypeError: at the call: complex values.

    Example:
        >>> x = torch.randn(5, 3)
        >>> GradientNorm("L1")(lambda x: x @ torch.tensor([1.0, -2.0, 0.5]), x)
        tensor(3.5000)

    References:
        Drucker and LeCun (1992) for double backward; Ross and Doshi-Velez (2018); Finlay and
        Oberman (2019) for the dual norm and the derivative along the steepest direction (by
        finite differences there); Yeats, Chen and Li (2021) for the squared l_1 norm on
        complex-valued networks; Rodriguez-Munoz, Wang and Torralba (2024) for the l_1 norm.
    """

    def __init__(
        self,
        norm: Literal["L1", "L2", "Linf"] | str = "L1",
        power: int = 1,
        count: int | None = 1,
        mode: str = "reverse",
        outputs: str = "differences",
    ) -> None:
        asked = {
            "norm": (norm, ("L1", "L2", "Linf")),
            "power": (power, (1, 2)),
            "mode": (mode, ("forward", "reverse")),
            "outputs": (outputs, ("differences", "each")),
        }
        for name, (value, known) in asked.items():
            if value not in known:
                choices = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}"
                raise ConfigError(f"GradientNorm({name}={value!r}): choose {choices}")
        if count is not None and count < 1:
            raise ConfigError(f"GradientNorm(count={count}): at least 1, or None for exact")
        self.norm = norm
        self.power = power
        self.count = count
        self.mode = mode
        self.outputs = outputs

    def value_and_penalty(
        self, f: TensorFunction, z: Points, probes: Probes | None = None
    ) -> tuple[Values, Scalar]:
        """f(z) and the penalty, averaged over the batch."""
        probes = Probes() if probes is None else probes
        forward = self.mode == "forward" and self.count is not None
        value, norms = (self._forward if forward else self._reverse)(f, z, probes)
        return value, batch_mean(torch.stack(norms).pow(self.power))

    def _reverse(
        self, f: TensorFunction, z: Points, probes: Probes
    ) -> tuple[Values, list[Numbers]]:
        value, backward = pullback(f, z)
        return value, [lengths(backward(w), self.norm) for w in self._functionals(value, probes)]

    def _forward(
        self, f: TensorFunction, z: Points, probes: Probes
    ) -> tuple[Values, list[Numbers]]:
        with torch.no_grad():
            value, backward = pullback(f, z)
            functionals = self._functionals(value, probes)
            steepest = [steepest_directions(backward(w), self.norm) for w in functionals]
        norms = []
        for w, v in zip(functionals, steepest, strict=True):
            value, tangent = directional_derivative(f, z, v)
            norms.append(inner_products(w, tangent))
        return value, norms

    def _functionals(self, value: Tensor, probes: Probes) -> list[RealTensor]:
        """Functionals w, u = <w, f>, for the whole batch: every one, or those that are drawn."""
        if value.is_complex():
            raise InputTypeError(
                f"GradientNorm of a complex-valued function (values in {value.dtype}): it bounds "
                "the change of real numbers. Give the logits behind the readout, or ask for "
                "DirichletEnergy, which takes complex values"
            )
        if self.count is not None:
            return self._drawn(value, probes)
        units = unit_directions(value)
        if self.outputs == "differences" and len(units) > 1:
            return [first - second for first, second in itertools.combinations(units, 2)]
        return units

    def _drawn(self, value: RealTensor, probes: Probes) -> list[RealTensor]:
        """A random functional for each example, `count` times."""
        outputs = value.shape[1:].numel()
        if outputs == 1:
            return [torch.ones_like(value)]
        picks = []
        for _ in range(self.count or 1):
            turns = probes.like(torch.empty(len(value), outputs, dtype=torch.complex64)).angle()
            pair = turns.topk(2, dim=1).indices.to(value.device)
            units = torch.zeros_like(value).flatten(1).scatter(1, pair[:, :1], 1.0)
            if self.outputs == "differences":
                units = units.scatter(1, pair[:, 1:], -1.0)
            picks.append(units.view_as(value))
        return picks
