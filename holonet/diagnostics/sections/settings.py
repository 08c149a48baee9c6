"""How much work a diagnosis is, and what it is beside."""

from collections.abc import Callable
from dataclasses import dataclass, field

from holonet._types import TensorFunction

__all__ = ["Settings"]


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
