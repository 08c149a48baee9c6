"""What a proof can end in: Proved, Refuted or Unknown."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from holonet.symbolic.excluded import ExcludedSet

__all__ = ["Proved", "Refuted", "Unknown", "Verdict"]


@dataclass(frozen=True)
class Verdict(ABC):
    """The answer to a claim about a function.

    Law: only `Proved` is truthy, so that `if prove(...)` and `assert prove(...)` never take a
        doubt for a proof; tell `Refuted` from `Unknown` by their types.

    Args:
        claim: what was to be shown.
    """

    claim: str

    @abstractmethod
    def __bool__(self) -> bool:
        """Whether the claim is proved."""


@dataclass(frozen=True)
class Proved(Verdict):
    """The claim holds at every point off the sets listed, which have no interior.

    Args:
        method: "structure" (a rule for every node of the formula), "differentiation" (the
            operator gave 0 by itself) or "simplification" (0 after simplifying).
        steps: the argument, in words.
        excluded: the sets that are left out: poles, branch cuts, zeros under a modulus.

    Example:
        >>> from holonet.symbolic import prove
        >>> verdict = prove("log(z) + 1/(z - 1)")
        >>> verdict.off
        ('z - 1 = 0', 'z in (-oo, 0]')
        >>> verdict.excludes({"z": -3}), verdict.excludes({"z": -3 + 1j})
        (True, False)
    """

    method: str
    steps: tuple[str, ...]
    excluded: tuple[ExcludedSet, ...] = ()

    @property
    def off(self) -> tuple[str, ...]:
        """The sets that are left out, in words; empty where there are none."""
        return tuple(s.words for s in self.excluded)

    def excludes(self, point: Mapping[str, complex | float | int]) -> bool:
        """Whether nothing is said of a point (variable -> value)."""
        return any(s.contains(point) for s in self.excluded)

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True)
class Refuted(Verdict):
    """The claim fails at a point.

    Args:
        witness: variable -> where it fails, exact in binary.
        value: what should be 0 there: d/dzbar of the claim "holomorphic" (in `variable`), the
            Laplacian in all real coordinates of the claim "harmonic".
        output: which output of a module or matrix fails, in the order of memory.
        variable: the variable that d/dzbar was taken in; empty for the Laplacian.
    """

    witness: dict[str, complex]
    value: complex
    output: int = 0
    variable: str = ""

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Unknown(Verdict):
    """Neither shown nor refuted.

    Args:
        reason: what stood in the way.
    """

    reason: str

    def __bool__(self) -> bool:
        return False
