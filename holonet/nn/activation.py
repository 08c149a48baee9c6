"""Activations made from records of holomorphic functions."""

from typing import Any, ClassVar

from holonet._arguments import checked
from holonet._types import InexactEntries
from holonet.functions import CATALOGUE, FunctionClass, HolomorphicFunction, get_function
from holonet.nn.module import HolomorphicModule, require_numbers
from holonet.ops import pointwise

__all__ = [
    "GELU",
    "Activation",
    "Exp",
    "SiLU",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Square",
    "Tanh",
]


class Activation(HolomorphicModule):
    """A holomorphic function applied to every entry; class and singularities are its record's.

    Real tensors give real ones, by the record's real function, if it is `real_on_real`.

    Args:
        function: the name of a record in `functions.CATALOGUE`, or a record.

    Raises:
        UnknownNameError: no record has that name; the message names the near misses.
        InputTypeError: real input of a function whose values are complex there.

    Example:
        >>> Activation("tanh").function_class
        <FunctionClass.MEROMORPHIC: 'meromorphic'>
    """

    @checked
    def __init__(self, function: str | HolomorphicFunction) -> None:
        super().__init__()
        record = get_function(function) if isinstance(function, str) else function
        self.function = record
        self.singularities = record.singularities
        self.domain = record.domain

    @property
    def function_class(self) -> FunctionClass:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The record's."""
        return self.function.function_class

    @property
    def takes_real(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Whether the values at real numbers are real."""
        return self.function.real_on_real

    @property
    def monotone(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The record's."""
        return self.function.monotone

    def forward(self, input: InexactEntries) -> InexactEntries:
        """The function of every entry."""
        require_numbers(input, self)
        return pointwise(self.function, input)

    def __getstate__(self) -> dict[str, Any]:
        # records of the catalogue by name: what is loaded has the record that the catalogue has
        state = dict(self.__dict__)
        if CATALOGUE.get(self.function.name) is self.function:
            state["function"] = self.function.name
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        function = state["function"]
        record = get_function(function) if isinstance(function, str) else function
        super().__setstate__({**state, "function": record})

    def extra_repr(self) -> str:
        """The record's formula."""
        return self.function.formula


class _Named(Activation):
    """An activation whose record is known by its class."""

    record: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.record)


class Square(_Named):
    """z^2: polynomial, and nearly free."""

    record = "square"


class Exp(_Named):
    """exp z: entire, without zeros."""

    record = "exp"


class Sin(_Named):
    """sin z: entire, bounded along the real axis."""

    record = "sin"


class Tanh(_Named):
    """tanh z: meromorphic, poles at i (pi/2 + k pi)."""

    record = "tanh"


class Sigmoid(_Named):
    """1 / (1 + exp(-z)): meromorphic, poles at i pi (2k + 1)."""

    record = "sigmoid"


class SiLU(_Named):
    """z / (1 + exp(-z)): meromorphic, poles at i pi (2k + 1)."""

    record = "silu"


class Softplus(_Named):
    """log(1 + exp z): branch points at i pi (2k + 1), cuts to the right of them."""

    record = "softplus"


class GELU(_Named):
    """z/2 (1 + erf(z / sqrt 2)): entire."""

    record = "gelu"
