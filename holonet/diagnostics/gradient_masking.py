"""Signs that a network only hides from attacks, each a check that runs by itself."""

import itertools
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from holonet._arguments import checked
from holonet._types import AnyTensor, GivenLabels, GivenPoints, Labels, Logits
from holonet.attacks import AttackResult, ThreatModel, pgd, square
from holonet.attacks.alarms import silent
from holonet.attacks.objectives import (
    Model,
    input_gradient,
    logits_of,
    loss_named,
    margin_of,
    require_examples,
    require_some,
)
from holonet.attacks.search import is_zero
from holonet.errors import ConfigError, DataError, DomainError, InputTypeError
from holonet.nn import double_copy
from holonet.nn.modes import evaluating

__all__ = ["GradientMaskingCheck", "gradient_masking_checks"]


@dataclass(frozen=True)
class GradientMaskingCheck:
    """One check.

    Args:
        name: what was looked at.
        passed: whether nothing suspicious was found; None if the check could not be done.
        numbers: what was measured, accuracies as fractions.
        explanation: what the numbers mean, and what to do if the check failed.
        accuracies: which of the numbers are accuracies, to be read in percent.
    """

    name: str
    passed: bool | None
    numbers: dict[str, Any]
    explanation: str
    accuracies: tuple[str, ...] = ()

    def __str__(self) -> str:
        mark = {True: "passed", False: "FAILED", None: "not done"}[self.passed]
        numbers = ", ".join(
            f"{key} {_shown(value, '.1%' if key in self.accuracies else '.3g')}"
            for key, value in self.numbers.items()
        )
        advice = "" if self.passed else f". {self.explanation}"
        return f"{mark}: {self.name} ({numbers}){advice}"

    def to_json(self) -> dict[str, Any]:
        """The check as JSON holds it."""
        return asdict(self)


@checked
def gradient_masking_checks(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    steps: int = 40,
    queries: int = 1000,
    tolerance: float = 0.05,
    seed: int = 0,
    on_check: Callable[[], None] | None = None,
) -> list[GradientMaskingCheck]:
    """The checks that robust accuracy must pass before it is believed.

    deterministic: two forward passes agree. gradient: the cross-entropy has one at every correct
    example. precision: PGD on the cross-entropy does as well in double precision. scale-free
    loss: and as well as on DLR, which no rescaling of the logits changes. steps: and as well as
    with ten times the steps. black box: Square breaks hardly anything that these left standing.
    radius: accuracy falls with eps, to 0 where the set holds whole other images.

    A gap counts from max(1 example, `tolerance`) on; for the black box, from max(1 example, a
    fifth of that).

    Args:
        model: real inputs to real logits.
        x, y: examples and labels; a hundred or two are enough.
        threat: the set at which robust accuracy is to be believed.
        steps: of the attacks; the longest has ten times as many.
        queries: of Square.
        tolerance: a gap in accuracy that is put down to chance.
        seed: of the attacks.
        on_check: called after each check.

    Law: the same arguments give the same numbers.

    Raises:
        DataError: no examples, or no correct one.
        ConfigError: radius 0, no steps, or a tolerance out of [0, 1).

    References:
        Athalye, Carlini and Wagner (2018); Carlini et al. (2019); Croce and Hein (2020).
    """
    require_examples(x, y, threat)
    require_some(y, "gradient_masking_checks")
    if not threat.eps > 0 or steps < 1 or not 0 <= tolerance < 1:
        raise ConfigError(
            f"gradient_masking_checks under {threat} with steps={steps} and tolerance={tolerance}: "
            "give a positive radius, steps and 0 <= tolerance < 1"
        )
    x = x.detach()
    slack = max(1.0, tolerance * len(y))
    checks = []
    with silent():  # what the attacks doubt is in the checks already
        run = _Checks(model, x, y, threat, steps, queries, slack, seed)
        for check in (
            run.deterministic,
            run.gradient,
            run.precision,
            run.scale_free,
            run.steps_enough,
            run.black_box,
            run.radius,
        ):
            checks.append(check())
            if on_check is not None:
                on_check()
    return checks


@dataclass
class _Checks:
    """The checks, and the two attacks that several of them compare with."""

    model: Model
    x: AnyTensor
    y: Labels
    threat: ThreatModel
    steps: int
    queries: int
    slack: float
    seed: int

    def __post_init__(self) -> None:
        self.logits = self.forward()
        if not (margin_of(self.logits, self.y) > 0).any():
            raise DataError("the model is right on none of the examples: there is no robustness")
        self.scale_free_loss = "dlr" if self.logits.shape[1] >= 3 else "margin"
        self.plain = self.attack("cross_entropy", self.steps)
        self.scaleless = self.attack(self.scale_free_loss, self.steps)

    def forward(self) -> Logits:
        """The logits of the clean examples."""
        with evaluating(self.model), torch.no_grad():
            return logits_of(self.model, self.x, self.y)

    def attack(self, loss: str, steps: int, threat: ThreatModel | None = None) -> AttackResult:
        """Plain gradient ascent: what masked gradients hide from."""
        threat = self.threat if threat is None else threat
        return pgd(self.model, self.x, self.y, threat, steps=steps, loss=loss, seed=self.seed)

    def deterministic(self) -> GradientMaskingCheck:
        """Two forward passes agree, relative to the size of the logits."""
        again = self.forward()
        size = float(self.logits.nan_to_num(0, 0, 0).abs().max())
        gap = float((again - self.logits).nan_to_num(0, 0, 0).abs().max()) / (size or 1.0)
        return GradientMaskingCheck(
            "deterministic",
            gap <= 1e-4,
            {"largest difference": gap},
            "A model that answers differently each time needs attacks on its expectation "
            '(autoattack with version="rand").',
        )

    def gradient(self) -> GradientMaskingCheck:
        """The cross-entropy has a finite gradient that is not 0 at each correct example."""
        right = margin_of(self.logits, self.y) > 0
        with evaluating(self.model), torch.enable_grad():
            point = self.x.clone().requires_grad_()
            loss = loss_named("cross_entropy", logits_of(self.model, point, self.y), self.y)
            gradient, finite = input_gradient(loss, point)
        flat = is_zero(gradient) & finite & right
        zero, undefined = int(flat.sum()), int((~finite & right).sum())
        return GradientMaskingCheck(
            "gradient",
            zero == undefined == 0,
            {"zero": zero, "not finite": undefined, "examples": int(right.sum())},
            "Where it is 0 gradient attacks stand still: confident logits underflow the softmax, "
            "or a step in the forward pass is piecewise constant. Attack the margin or DLR, in "
            "double precision, and with black-box attacks.",
        )

    def precision(self) -> GradientMaskingCheck:
        """PGD breaks as much in double precision."""
        explanation = (
            "If more breaks in double precision, rounding hid the gradient: report the result of "
            "nn.to_precision(model, torch.complex128)."
        )
        double, module = double_copy(self.model)
        if module is None:
            return GradientMaskingCheck("precision", None, {}, "Only a module can be converted.")
        try:
            found = pgd(
                double,
                self.x.to(torch.complex128 if self.x.is_complex() else torch.float64),
                self.y,
                self.threat,
                steps=self.steps,
                loss="cross_entropy",
                seed=self.seed,
            )
        except (RuntimeError, InputTypeError) as error:
            reason = str(error).splitlines()[0]
            return GradientMaskingCheck(
                "precision", None, {}, f"The model does not run in double precision: {reason}"
            )
        return self._gap("precision", {"as it is": self.plain, "double": found}, explanation)

    def scale_free(self) -> GradientMaskingCheck:
        """A loss that no rescaling of the logits changes breaks no more."""
        return self._gap(
            "scale-free loss",
            {"cross-entropy": self.plain, self.scale_free_loss: self.scaleless},
            "If the scale-free loss breaks more, large logits hide the gradient of the softmax: "
            "never quote an attack on the cross-entropy alone.",
            one_sided=True,
        )

    def steps_enough(self) -> GradientMaskingCheck:
        """Ten times the steps break no more."""
        long = self.attack("cross_entropy", 10 * self.steps)
        return self._gap(
            "steps",
            {str(self.steps): self.plain, str(10 * self.steps): long},
            "If more steps break more, the attack had not converged: quote the longer one.",
            one_sided=True,
        )

    def black_box(self) -> GradientMaskingCheck:
        """Square breaks hardly anything that gradients do not."""
        white = self.plain.success | self.scaleless.success
        try:
            found = square(
                self.model, self.x, self.y, self.threat, queries=self.queries, seed=self.seed
            )
        except (ConfigError, DomainError, InputTypeError) as error:
            return GradientMaskingCheck("black box", None, {}, f"Square refuses this set: {error}")
        extra = int((found.success & ~white).sum())
        return GradientMaskingCheck(
            "black box",
            extra <= max(1.0, self.slack / 5),
            {
                "gradients": float((~white).double().mean()),
                "square": found.accuracy,
                "broken by square alone": extra,
                "examples": len(self.y),
            },
            "An attack that sees only the logits must not do what gradients cannot: if it does, "
            "the gradients are masked and the robust accuracy is too high.",
            ("gradients", "square"),
        )

    def radius(self) -> GradientMaskingCheck:
        """Accuracy falls with eps, to 0 at the radius that reaches everywhere."""
        radii = _radii(self.threat, self.x)
        accuracies = [
            self.attack("margin", self.steps, replace(self.threat, eps=eps)).accuracy
            for eps in radii
        ]
        slack = self.slack / len(self.y)
        falling = all(b <= a + slack for a, b in itertools.pairwise(accuracies))
        return GradientMaskingCheck(
            "radius",
            falling and accuracies[-1] == 0,
            {"eps": radii, "accuracy": accuracies},
            "At a radius that holds every other image no network can stand: where one does, the "
            "attack is broken, or the network answers one class everywhere.",
            ("accuracy",),
        )

    def _gap(
        self,
        name: str,
        results: dict[str, AttackResult],
        explanation: str,
        *,
        one_sided: bool = False,
    ) -> GradientMaskingCheck:
        """Whether the second result breaks as much as the first; or, one-sided, not more."""
        first, second = (int((~result.success).sum()) for result in results.values())
        gap = first - second if one_sided else abs(first - second)
        numbers = {label: result.accuracy for label, result in results.items()}
        return GradientMaskingCheck(name, gap <= self.slack, numbers, explanation, tuple(numbers))


def _radii(threat: ThreatModel, x: AnyTensor) -> list[float]:
    """The radius and its doubles, up to one that reaches from any point to any other.

    Without a box that is twice the largest distance between the origin and an example.
    """
    if threat.bounds is None:
        origin = torch.zeros_like(x)
        reach = 2 * float(replace(threat, eps=1.0).distance(origin, x).max())
    else:
        size = x[0].numel()
        sides = {"Linf": 1.0, "L2": math.sqrt(size), "L1": float(size)}[threat.norm]
        reach = sides * (threat.bounds[1] - threat.bounds[0])
    radii = [float(threat.eps)]
    while radii[-1] < reach:
        radii.append(min(2 * radii[-1], reach))
    return radii


def _shown(value: object, digits: str) -> str:
    """A float in that format, in a list too; anything else as it is."""
    if isinstance(value, list):
        return f"[{', '.join(_shown(entry, digits) for entry in value)}]"
    return format(value, digits) if isinstance(value, float) else str(value)
