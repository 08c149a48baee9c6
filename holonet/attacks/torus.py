"""Attacks on a polydisc that search its distinguished boundary only: n phases."""

import functools
import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._types import AnyTensor, BoolTensor, GivenLabels, GivenPoints, IntTensor, RealTensor
from holonet.attacks.adaptive_ascent import adaptive_ascent
from holonet.attacks.alarms import warn_of_probabilities
from holonet.attacks.objectives import AttackLoss, Goal, Model, input_gradient, logits_of
from holonet.attacks.result import Alarm, AlarmKind, AttackResult
from holonet.attacks.search import (
    Ascent,
    Evaluation,
    Evaluator,
    WorstPoints,
    evaluator,
    where_examples,
)
from holonet.calculus.examples import per_example
from holonet.domains import Domain, Plane
from holonet.errors import ConfigError, DomainError, NotHolomorphicError
from holonet.functions import FunctionClass
from holonet.functions.modulus import sgn
from holonet.nn import declared_class
from holonet.nn.modes import evaluating
from holonet.nn.module import forward_hooks, layer_domain, of_this_thread
from holonet.threats import ThreatModel

__all__ = ["torus"]

CIRCLES = 3  # that a push may try
SLACK = 1.2  # the ways to singularities are searched: some may be a little longer
INSIDE = "the worst point may lie inside the polydisc, so attack it with apgd too"


@checked
def torus(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    steps: int = 40,
    restarts: int = 1,
    loss: AttackLoss | str = "margin",
    seed: int = 0,
) -> AttackResult:
    """Ascent over the phases of perturbations whose entries all have modulus eps.

    The negative margin and the cross-entropy of logits Re f_j, with f_j holomorphic on the closed
    polydisc, are plurisubharmonic: a maximum, or a log-sum-exp, of pluriharmonic functions minus
    a pluriharmonic one. Each coordinate in turn may then be moved to its circle without lowering
    them, so that their maximum over the polydisc is attained on the torus |delta_j| = eps: n real
    numbers in place of 2n, and nothing is lost. For any other score the search is a heuristic,
    and the result says so.

    One start is the point that `apgd` would find inside, pushed out to the torus; the others are
    random. The push follows the analytic disc

        t -> x_j + eps (c_j t + a_j) / (1 + conj(a_j) c_j t),    a_j = delta_j / eps,

    which passes through the point at t = 0 and has its boundary |t| = 1 on the torus: some point
    of the circle is at least as high, and it is one circle whatever n is. From there the phases
    turn towards those of the gradient, by steps that are taken only if the loss rises.

    Args:
        model, x, y: as in `pgd`, for complex examples.
        threat: a polydisc.
        steps: of the ascent inside and of each ascent of phases.
        restarts: random starts, after the one from inside.
        loss: "margin" or "cross_entropy".
        seed: of the random phases, drawn for all examples of a batch at once.

    Law: |x_adv - x| = eps in every entry, unless the clean example is misclassified already or
        the search is a heuristic, when points inside count too; the margin is at most that of
        the ascent inside, to rounding.

    Raises:
        ConfigError: steps or restarts below 1, another loss.
        DomainError: the threat is no polydisc; examples outside of the domain.
        InputTypeError, ShapeError: the model, the examples or the labels do not fit.

    References:
        Krantz (2001), on the distinguished boundary of the polydisc.
    """
    if threat.norm != "polydisc":
        raise DomainError(
            f"torus(threat={threat}): the torus is the boundary of a polydisc; give "
            "ThreatModel('polydisc', eps, bounds=None), or attack this set with apgd"
        )
    if steps < 1 or restarts < 1:
        raise ConfigError(f"torus(steps={steps}, restarts={restarts}): both are at least 1")
    if loss not in ("margin", "cross_entropy"):
        raise ConfigError(f"torus(loss={loss!r}): choose 'margin' or 'cross_entropy'")
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        worst = WorstPoints(model, x, y, threat)
        warn_of_probabilities(worst.logits)
        doubt, exact = _doubt(model, worst.x, threat.eps, generator, steps)
        for start in range(1 + restarts):
            robust, point = worst.random_starts(generator)
            if not len(robust):
                break
            center, goal = worst.x[robust], worst.goal.at(robust)
            evaluate = evaluator(model, goal, functools.partial(goal.loss, loss))
            margin_at = functools.partial(_margin_at, model, goal)
            if start:
                unit = _drawn(margin_at, worst.x, robust, threat.eps, generator, steps)
            else:
                inside = adaptive_ascent(evaluate, point, center, threat, steps)
                unit, margin = _pushed(margin_at, evaluate, inside, center, threat.eps, generator)
                counts = ~exact[robust] | ((margin > 0) & (inside.margin <= 0))
                inside.margin = inside.margin.masked_fill(~counts, torch.inf)
                worst.add(robust, inside)
            worst.add(robust, _turned(evaluate, unit, center, threat.eps, steps))
    result = worst.result()
    if exact.all():
        return result
    alarm = Alarm(AlarmKind.HEURISTIC, int((~exact).sum()), len(exact), doubt)
    return replace(result, alarms=(*result.alarms, alarm))


@torch.no_grad()
def _margin_at(model: Model, goal: Goal, point: AnyTensor) -> RealTensor:
    return goal.margin(logits_of(model, point, goal.y))


def _phases(x: AnyTensor, generator: torch.Generator) -> AnyTensor:
    """Random entries of modulus 1."""
    turns = torch.rand(x.shape, generator=generator, dtype=torch.float64)
    return torch.polar(torch.ones_like(turns), 2 * math.pi * turns).to(x)


def _drawn(
    margin_at: Callable[[Tensor], Tensor],
    x: AnyTensor,
    robust: IntTensor,
    eps: float,
    generator: torch.Generator,
    count: int,
) -> AnyTensor:
    """The best of `count` random points of the torus for the examples `robust`, as units."""
    best = _phases(x, generator)[robust]
    margin = margin_at(x[robust] + eps * best)
    for _ in range(count - 1):
        unit = _phases(x, generator)[robust]
        drawn = margin_at(x[robust] + eps * unit)
        best, margin = where_examples(drawn < margin, unit, best), margin.minimum(drawn)
    return best


def _turned(evaluate: Evaluator, unit: AnyTensor, x: AnyTensor, eps: float, steps: int) -> Ascent:
    """Ascent over the phases of `unit`, each step a share of the way to the gradient's phases.

    The share is doubled, up to all of the way, where the loss rises, and halved where it does
    not. With a linear score the first step is the last.
    """
    now = evaluate(x + eps * unit)
    ascent, share = Ascent(x + eps * unit, now), torch.ones_like(now.loss)
    for _ in range(steps):
        aim = torch.where(now.gradient == 0, unit, sgn(now.gradient))
        trial = _on_torus(unit + per_example(share, unit) * (aim - unit), unit)
        there = evaluate(x + eps * trial)
        higher = ascent.add(x + eps * trial, there)
        unit, now = where_examples(higher, trial, unit), now.updated(higher, there)
        share = torch.where(higher, (2 * share).clamp(max=1), share / 2)
    return ascent


def _pushed(
    margin_at: Callable[[Tensor], Tensor],
    evaluate: Evaluator,
    inside: Ascent,
    x: AnyTensor,
    eps: float,
    generator: torch.Generator,
) -> tuple[AnyTensor, RealTensor]:
    """Points of the torus, as units, with margins at most those inside, and these margins.

    The circle is laid along the gradient, and with random phases where no point of it that was
    looked at will do.
    """
    a = (inside.point - x) / eps
    settled = a.abs() >= 1 - 8 * torch.finfo(a.dtype).eps
    heading = sgn(evaluate(inside.point).gradient)
    unit, margin = _on_torus(a, torch.ones_like(a)), torch.full_like(inside.margin, torch.inf)
    for _ in range(CIRCLES):
        c = torch.where(heading == 0, 1, heading)
        angle, least, width = torch.zeros_like(margin), torch.full_like(margin, torch.inf), math.pi
        for count in (32, 8, 8, 8):  # then 3 times about the best point, 4 times as dense
            middle = angle
            for k in range(count + 1):
                turned = middle + width * (2 * k / count - 1)
                t = per_example(torch.polar(torch.ones_like(turned), turned), c)
                trial = _on_torus(torch.where(settled, a, _disc(t, a, c)), unit)
                found = margin_at(x + eps * trial)
                angle, least = torch.where(found < least, turned, angle), least.minimum(found)
                unit, margin = where_examples(found < margin, trial, unit), margin.minimum(found)
            width *= 2 / count
        if bool((margin <= inside.margin).all()):
            break
        heading = _phases(a, generator)
    return unit, margin


def _disc(t: AnyTensor, a: AnyTensor, c: AnyTensor) -> AnyTensor:
    """An analytic disc in the polydisc, through a at t = 0, with its circle on the torus."""
    return (c * t + a) / (1 + a.conj() * c * t)


def _on_torus(points: AnyTensor, otherwise: AnyTensor) -> AnyTensor:
    """Every entry at modulus 1; as in `otherwise` where it is too near 0 to have a phase."""
    return torch.where(points.abs() < 1e-6, otherwise, points).sgn()


def _doubt(
    model: Model, x: AnyTensor, eps: float, generator: torch.Generator, steps: int
) -> tuple[str, BoolTensor]:
    """Why the worst point need not be on the torus, and for which examples it is known to be."""
    nowhere = torch.zeros(len(x), dtype=torch.bool, device=x.device)
    if not isinstance(model, nn.Module):
        return f"nothing is declared of a {type(model).__name__}: {INSIDE}", nowhere
    try:
        found = declared_class(model)
    except NotHolomorphicError as error:
        return f"{error}; {INSIDE}", nowhere
    if found is not FunctionClass.HARMONIC:
        return f"the logits are {found.value} and not pluriharmonic: {INSIDE}", nowhere
    leaves = [layer for layer in model.modules() if not any(True for _ in layer.children())]
    domains = {layer: layer_domain(layer) for layer in leaves}
    unknown = [type(layer).__name__ for layer, domain in domains.items() if domain is None]
    if unknown:
        return f"no domain was declared for {', '.join(unknown)}: {INSIDE}", nowhere
    bounded = {layer: d for layer, d in domains.items() if d and not isinstance(d, Plane)}
    if not bounded or not len(x):
        return "", ~nowhere
    escape = _Escape(model, bounded, x)
    least = torch.full_like(nowhere, torch.inf, dtype=x.dtype.to_real())
    for _ in range(2):
        found = _turned(escape.evaluate, _phases(x, generator), x, eps, steps)
        least = least.minimum(found.margin)
    return f"the polydisc may leave the domain of a layer: {INSIDE}", least > 0


class _Escape:
    """How close a network comes to leaving the domains of its layers.

    What reaches a layer stays in the domain as long as it moves less than its clearance at the
    example. If the layers before are holomorphic on the polydisc, its way is a plurisubharmonic
    function too, and longest on the torus. It is searched there, which proves nothing; the slack
    stands for what the search may miss.
    """

    def __init__(self, model: nn.Module, domains: dict[nn.Module, Domain], x: AnyTensor) -> None:
        self.model, self.domains = model, domains
        self.origins = [(layer, reached.detach()) for layer, reached in self._reached(x)]

    def evaluate(self, point: AnyTensor) -> Evaluation:
        """The least room that is left in front of any layer, as a margin."""
        with torch.enable_grad():
            point = point.detach().requires_grad_()
            used = point.real.flatten(1)[:, 0] * 0 - torch.inf
            for (layer, origin), (_, reached) in zip(
                self.origins, self._reached(point), strict=True
            ):
                room = self.domains[layer].clearance(origin)
                way = SLACK * (reached - origin).abs()
                used = used.maximum((way - room).flatten(1).amax(1))
            gradient, finite = input_gradient(used, point)
        used = used.detach().nan_to_num(torch.inf, torch.inf, -torch.inf)
        return Evaluation(used, -used, gradient, finite)

    def _reached(self, point: AnyTensor) -> list[tuple[nn.Module, AnyTensor]]:
        """What the layers get, in the order in which they are called."""
        reached: list[tuple[nn.Module, AnyTensor]] = []

        def look(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            reached.append((layer, inputs[0]))

        hook = of_this_thread(look)
        with forward_hooks(layer.register_forward_pre_hook(hook) for layer in self.domains):
            self.model(point)
        return reached
