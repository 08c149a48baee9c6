"""The section rule: which training rule, with which weights and radii."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from holonet.errors import ConfigError
from holonet.threats import ThreatModel
from holonet.training.config.section import NonNegative, PositiveInt, Section
from holonet.training.rules import (
    AnalyticRule,
    CosineRamp,
    EmpiricalRisk,
    IntervalRule,
    LinearizedRobustOptimization,
    LinearRamp,
    Mixture,
    RobustOptimization,
    Rule,
    Trades,
    Weight,
    fgsm_rs,
    shaham,
)

__all__ = ["RuleConfig"]

_PENALTY = (
    "weight",
    "target",
    "probes",
    "mode",
    "gradient_norm",
    "directions",
    "cauchy_riemann",
    "harmonic",
)
_LINEARIZED = ("linearized", "linearized+interval")
_INTERVAL = ("interval", "linearized+interval")
_COMPLEX_NORMS = ("polydisc", "complex_ball")


class RuleConfig(Section):
    """Which training rule."""

    name: Literal[
        "standard",
        "analytic",
        "fgsm",
        "fgsm-rs",
        "pgd",
        "trades",
        "linearized",
        "interval",
        "linearized+interval",
        "analytic+fgsm-rs",
    ] = "linearized"
    """Training rule."""
    norm: Literal["Linf", "L2", "L1", "polydisc", "complex_ball"] = "Linf"
    """Norm of the perturbations, for rules with a radius; the last two for complex data."""
    eps: NonNegative = 0.1
    """Radius of the perturbations."""
    bounds: Annotated[tuple[float, float] | Literal["none"], Field(validate_default=True)] = (
        0.0,
        1.0,
    )
    """The box of valid data, for rules with a radius: LOW,HIGH or none."""
    steps: PositiveInt = 7
    """Steps of ascent, of pgd and trades."""
    beta: NonNegative = 1.0
    """Weight of the divergence, of trades."""
    at: Literal["data", "center", "random", "two-radii", "frank-wolfe"] = "data"
    """Where linearized takes the linear part: at the data, or in the exact box of perturbations
    behind the threshold."""
    corners: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Probability that frank-wolfe takes the corner; with a schedule it rises to this after the
    warm-up."""
    curvature: NonNegative = 0.0
    """How much linearized adds of what margins can lose beyond the linear part, with layers of
    squares: 0 nothing, 1 all that sums of moduli allow."""
    entries: PositiveInt = 4
    """Number of rows that the curvature's sums of moduli run over, an example; of more they are
    estimated."""
    clean_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the loss at the data, of interval; with a schedule it falls to this from 1."""
    interval_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the loss by intervals, of linearized+interval; the rest is that of linearized."""
    weight: NonNegative = 0.3
    """Weight of the gradient penalty, of the analytic rules."""
    target: Literal["logits", "probabilities", "loss"] = "logits"
    """The function whose gradient is penalized."""
    probes: PositiveInt | Literal["exact"] = 1
    """Number of random directions of the penalty's estimate, or exact."""
    mode: Literal["forward", "reverse"] = "reverse"
    """Differentiation of the penalty."""
    gradient_norm: Literal["L1", "L2"] = "L2"
    """Norm of the penalized gradient; L2 is the Dirichlet energy."""
    directions: Literal["real", "complex"] = "real"
    """Directions of the penalized gradient."""
    cauchy_riemann: NonNegative = 0.0
    """Weight of the Cauchy-Riemann penalty, of the analytic rules."""
    harmonic: NonNegative = 0.0
    """Weight of the Laplacian penalty, of the analytic rules."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the penalties' weights and the radii rise from 0."""
    warm_up_start: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """The fraction of training at which they begin to rise."""
    warm_up: Annotated[float, Field(gt=0, le=1, validate_default=True)] = 0.5
    """The fraction of training at which they have risen."""

    @field_validator("bounds")
    @classmethod
    def _box_fits_the_radius(cls, value: Any, info: Any) -> Any:
        if {"norm", "eps"} <= info.data.keys():  # else they have faults of their own
            try:
                _threat(info.data["norm"], info.data["eps"], value)
            except ConfigError as error:
                raise ValueError(f"{error}; 'none' is for no box") from None
        return value

    @field_validator("warm_up")
    @classmethod
    def _rises_after_the_start(cls, value: float, info: Any) -> float:
        start = info.data.get("warm_up_start", 0.0)
        if value <= start:
            raise ValueError(f"they begin to rise at warm_up_start = {start}: choose a larger one")
        return value

    @field_validator("at")
    @classmethod
    def _box_has_that_point(cls, value: Any, info: Any) -> Any:
        norm = info.data.get("norm", "Linf")
        if value != "data" and norm != "Linf" and info.data.get("name") in _LINEARIZED:
            raise ValueError(f"only norm 'Linf' has a box, and norm is {norm!r}: choose 'data'")
        return value

    @field_validator("norm")
    @classmethod
    def _intervals_enclose_it(cls, value: str, info: Any) -> str:
        if value != "Linf" and info.data.get("name") in _INTERVAL:
            raise ValueError("intervals enclose norm 'Linf' alone: choose it, or another rule")
        return value

    @field_validator("curvature")
    @classmethod
    def _sums_are_for_boxes(cls, value: float, info: Any) -> float:
        norm = info.data.get("norm", "Linf")
        if value and norm != "Linf" and info.data.get("name") in _LINEARIZED:
            raise ValueError(f"only norm 'Linf' has a box, and norm is {norm!r}: choose 0")
        return value

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """What the rule of this name has not."""
        penalty = "analytic" in self.name
        ball = self.name not in ("standard", "analytic")
        without = {
            _PENALTY: not penalty,
            ("norm", "eps", "bounds"): not ball,
            ("steps",): self.name not in ("pgd", "trades"),
            ("beta",): self.name != "trades",
            ("at", "corners", "curvature", "entries"): self.name not in _LINEARIZED,
            ("clean_share",): self.name not in _INTERVAL,
            ("interval_share",): self.name != "linearized+interval",
            ("schedule", "warm_up_start", "warm_up"): self.name == "standard",
        }
        ignored = {f"name = {self.name!r}": sum((k for k, no in without.items() if no), ())}
        if ball and self.norm in _COMPLEX_NORMS:
            ignored[f"norm = {self.norm!r}"] = ("bounds",)
        if self.name in _LINEARIZED and self.at != "frank-wolfe":
            ignored[f"at = {self.at!r}"] = ("corners",)
        if self.name in _LINEARIZED and not self.curvature:
            ignored["curvature = 0"] = ("entries",)
        if self.name != "standard" and self.schedule == "constant":
            ignored["schedule = 'constant'"] = ("warm_up_start", "warm_up")
        return ignored

    def build(self) -> Rule:
        """The rule."""
        threat = _threat(self.norm, self.eps, self.bounds)
        radius = self._scheduled(1.0)
        rules: Mapping[str, Callable[[], Rule]] = {
            "standard": EmpiricalRisk,
            "analytic": lambda: AnalyticRule(**self._analytic()),
            "fgsm": lambda: shaham(threat, radius=radius),
            "fgsm-rs": lambda: fgsm_rs(threat, radius=radius),
            "pgd": lambda: RobustOptimization(threat, radius=radius, steps=self.steps),
            "trades": lambda: Trades(threat, radius=radius, beta=self.beta, steps=self.steps),
            "linearized": lambda: self._linearized(threat),
            "interval": lambda: self._interval(threat),
            "linearized+interval": lambda: Mixture(
                [
                    (1 - self.interval_share, self._linearized(threat)),
                    (self.interval_share, self._interval(threat)),
                ]
            ),
            "analytic+fgsm-rs": lambda: fgsm_rs(
                threat, radius=radius, penalties=AnalyticRule(**self._analytic()).penalties
            ),
        }
        return rules[self.name]()

    def _linearized(self, threat: ThreatModel) -> Rule:
        return LinearizedRobustOptimization(
            threat,
            at=self.at,
            corners=self._corners(),
            radius=self._scheduled(1.0),
            curvature=self._scheduled(self.curvature),
            entries=self.entries,
        )

    def _interval(self, threat: ThreatModel) -> Rule:
        share: Weight = self.clean_share
        if self.schedule != "constant":
            share = self._ramp()(share, 1.0, start=self.warm_up_start, end=self.warm_up)
        return IntervalRule(threat, radius=self._scheduled(1.0), clean_share=share)

    def _analytic(self) -> dict[str, Any]:
        return {
            "weight": self._scheduled(self.weight),
            "target": self.target,
            "count": None if self.probes == "exact" else self.probes,
            "mode": self.mode,
            "gradient_norm": self.gradient_norm,
            "directions": self.directions,
            "cauchy_riemann": self._scheduled(self.cauchy_riemann),
            "harmonic": self._scheduled(self.harmonic),
        }

    def _corners(self) -> Weight:
        """Rising when the radius has risen: the corners of small boxes are close to the centers."""
        constant = self.schedule == "constant" or self.warm_up == 1
        return self.corners if constant else LinearRamp(self.corners, start=self.warm_up)

    def _scheduled(self, value: float) -> Weight:
        if self.schedule == "constant" or value == 0:
            return value
        return self._ramp()(value, start=self.warm_up_start, end=self.warm_up)

    def _ramp(self) -> type[LinearRamp]:
        return LinearRamp if self.schedule == "linear" else CosineRamp


def _threat(norm: str, eps: float, bounds: tuple[float, float] | str) -> ThreatModel:
    """The threat model of a rule; complex data have no box."""
    if isinstance(bounds, str) or norm in _COMPLEX_NORMS:
        return ThreatModel(norm, eps, None)
    return ThreatModel(norm, eps, bounds)
