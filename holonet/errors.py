"""The errors and warnings of holonet: what was asked, what is required and how to fix it."""

import difflib
from collections.abc import Iterable

__all__ = [
    "AttackWarning",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DomainError",
    "HolonetError",
    "InputTypeError",
    "MissingDependencyError",
    "NotHolomorphicError",
    "NumericalError",
    "ProcessLostError",
    "RunExistsError",
    "ShapeError",
    "UnknownNameError",
]


class HolonetError(Exception):
    """Base of every error that holonet raises on purpose."""


class NotHolomorphicError(HolonetError, TypeError):
    """Something that is not holomorphic stands where only holomorphic things may."""


class InputTypeError(HolonetError, TypeError):
    """A tensor has the wrong dtype, real where complex is needed for example."""


class ShapeError(HolonetError, ValueError):
    """A tensor has the wrong shape."""


class DomainError(HolonetError, ValueError):
    """A point or a set lies where a function is not holomorphic, or a parameter out of range."""


class DataError(HolonetError, ValueError):
    """A data set is missing, damaged or not what it says it is."""


class ConfigError(HolonetError, ValueError):
    """A configuration has an unknown key, a wrong type or a value out of range."""


class NumericalError(HolonetError, ArithmeticError):
    """A computation met infinity or NaN where it must not."""


class CheckpointError(HolonetError, RuntimeError):
    """A checkpoint is absent, cut short, altered or from another run."""


class ProcessLostError(HolonetError, ConnectionError):
    """Another process of one training is gone, or cannot be reached."""


class RunExistsError(HolonetError, FileExistsError):
    """A run folder already holds results that would be lost."""


class AttackWarning(UserWarning):
    """An attack's verdict is doubtful: masked gradients, probabilities for logits, NaN."""


class MissingDependencyError(HolonetError, ImportError):
    """An optional dependency is needed and not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed: pip install 'holonet[{extra}]'"
        )


def near_misses(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like this one, whatever the case of their letters.

    Example:
        >>> near_misses("ADAMM", ["adam", "sgd"])
        ['adam']
    """
    plain = {one.lower(): one for one in sorted(known)}
    found = difflib.get_close_matches(name.lower(), plain, n=count, cutoff=0.5)
    return [plain[one] for one in found]


class UnknownNameError(HolonetError, LookupError):
    """A name is not in the list it was looked up in.

    Args:
        kind: what the name names, for the message ("activation", "data set").
        name: the name that was asked for.
        known: the names that exist.
        note: what is to be said of this very name, behind the name, in place of near misses.

    Example:
        >>> str(UnknownNameError("activation", "tahn", ["tan", "tanh", "exp"]))
        "unknown activation 'tahn': did you mean 'tan' or 'tanh'? Known: exp, tan, tanh"
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], note: str = "") -> None:
        names = sorted(known)
        near = near_misses(name, names)
        hint = f": did you mean {' or '.join(map(repr, near))}?" if near else "."
        hint = f": {name} {note}." if note else hint
        super().__init__(f"unknown {kind} {name!r}{hint} Known: {', '.join(names)}")
        self.name = name
        self.near_misses = tuple(near)
