"""What every section of a configuration is: immutable, validated, with errors that name the key."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from holonet.errors import ConfigError, near_misses

__all__ = [
    "InvalidSettingsError",
    "NonNegative",
    "Positive",
    "PositiveInt",
    "Section",
    "Seed",
    "Widths",
    "differences",
]

PositiveInt = Annotated[int, Field(ge=1, lt=2**31)]
Widths = Annotated[tuple[PositiveInt, ...], Field(max_length=1000)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class InvalidSettingsError(ConfigError):
    """Faults of a section, each as (words before, dotted key, words after)."""

    def __init__(self, source: str, faults: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(f"{source}: {'; '.join(map(''.join, faults))}")
        self.faults = tuple(faults)


class Section(BaseModel):
    """Immutable settings, validated at construction. The text below a field is its help.

    Raises:
        ConfigError: with every fault by its dotted key, and near misses of unknown keys.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    if not TYPE_CHECKING:  # type checkers keep the fields as the arguments

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise InvalidSettingsError(
                    type(self).__name__, _faults(type(self), error)
                ) from None

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """The settings that change nothing, by the choice that makes them so."""
        raise NotImplementedError

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_booleans(cls, value: object) -> object:
        if isinstance(value, bool):  # which pydantic would read as 0 or 1
            raise ValueError("no setting is true or false")
        return value


def differences(first: object, second: object, key: str = "") -> list[str]:
    """Dotted keys with both values where two mappings differ.

    Example:
        >>> differences({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}})
        ['a.b: 1 and 3']
    """
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        return [
            difference
            for name in sorted(first.keys() | second.keys(), key=str)
            for difference in differences(
                first.get(name, "nothing"), second.get(name, "nothing"), f"{key}.{name}".lstrip(".")
            )
        ]
    return [] if first == second else [f"{key}: {first} and {second}".removeprefix(": ")]


def _faults(section: type[BaseModel], error: ValidationError) -> list[tuple[str, str, str]]:
    """The faults of one section in words, those of a union's alternatives as one."""
    faults: dict[str, tuple[str, str, str]] = {}
    for fault in error.errors(include_url=False):
        key, *inner = map(str, fault["loc"])
        cause = fault.get("ctx", {}).get("error")
        if isinstance(cause, InvalidSettingsError):
            for before, name, after in cause.faults:
                faults[f"{key}.{name}"] = (before, f"{key}.{name}", after)
        elif fault["type"] == "extra_forbidden":
            known = section.model_fields
            hint = _did_you_mean(near_misses(key, known, 2)) or "."
            faults[key] = ("unknown key ", key, f"{hint} Known: {', '.join(sorted(known))}")
        else:
            dotted = ".".join([key, *(step for step in inner if step.isdecimal())])
            message = fault["msg"].removeprefix("Value error, ")
            if message.split()[0][1:].islower():  # a word, not the name of a class
                message = f"{message[0].lower()}{message[1:]}"
            message += _near_choice(fault)
            earlier = faults.get(dotted)
            after = (
                f"{earlier[2]}, or {message}" if earlier else f" = {fault['input']!r}: {message}"
            )
            faults[dotted] = ("", dotted, after)
    return list(faults.values())


def _did_you_mean(near: Iterable[str]) -> str:
    return f", did you mean {' or '.join(near)}?" if near else ""


def _near_choice(fault: Mapping[str, Any]) -> str:
    """The choices most like a value that is none of them."""
    if fault["type"] != "literal_error":
        return ""
    choices = re.findall("'([^']*)'", fault["ctx"]["expected"])
    return _did_you_mean([repr(name) for name in near_misses(str(fault["input"]), choices, 2)])
