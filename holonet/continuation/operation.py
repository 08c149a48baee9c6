"""What is known of one operation of torch: its continuation, or why it has none."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Family", "Operation", "Refusal", "Rule", "plain_call"]

Rule = Callable[..., Any]
"""(torch function, *its arguments) -> the continued result.

Rules of holomorphic operations get complex values in place of what depends on the input; rules of
pieces get `Continued` tensors.
"""


class Refusal(Exception):  # noqa: N818
    """An operation that cannot be continued. No TypeError: operators would ask the other operand.

    Args:
        message: what was asked, and what to do instead.
        holomorphic: False if the operation has no continuation, True if only a rule is missing.
    """

    def __init__(self, message: str, *, holomorphic: bool = False) -> None:
        super().__init__(message)
        self.holomorphic = holomorphic


@dataclass(frozen=True)
class Operation:
    """One row of the table of operations.

    Args:
        names: the names of torch functions and methods, without "_" at either end.
        family: the heading that the row stands under.
        formula: the continuation; of an operation without one, the reason.
        remark: where the formula is the continuation, or the analytic replacement.
        holomorphic: whether there is a continuation.
        rule: what is computed; without a continuation, the active piece. None refuses.
        zeros: of the arguments, the values whose zeros are its singularities; None if these are not
            all, or not known.
        takes_parts: whether the rule takes and gives `Parts` in place of complex tensors too.
    """

    names: tuple[str, ...]
    family: str
    formula: str
    remark: str
    holomorphic: bool
    rule: Rule | None
    takes_parts: bool = False
    zeros: Rule | None = None

    @property
    def refusal(self) -> str:
        """Why there is no continuation, and what to use instead."""
        return f"{self.formula}. {self.remark}"


class Family(Mapping[str, Operation]):
    """Operations that are continued alike, by name; rules are entered by decoration.

    Args:
        title: the heading in the table.
        holomorphic: whether its operations have a continuation.
    """

    def __init__(self, title: str, *, holomorphic: bool = True) -> None:
        self.title = title
        self.holomorphic = holomorphic
        self._operations: dict[str, Operation] = {}

    def enter(
        self,
        names: str,
        formula: str,
        remark: str = "",
        rule: Rule | None = None,
        *,
        takes_parts: bool = False,
        zeros: Rule | None = None,
    ) -> None:
        """Enter one row under these names, separated by spaces."""
        known = tuple(names.split())
        facts = (self.holomorphic, rule, takes_parts, zeros)
        row = Operation(known, self.title, formula, remark, *facts)
        self._operations.update(dict.fromkeys(known, row))

    def __call__(
        self,
        names: str,
        formula: str,
        remark: str = "",
        *,
        takes_parts: bool = False,
        zeros: Rule | None = None,
    ) -> Callable[[Rule], Rule]:
        """Enter the decorated rule under these names."""

        def decorate(rule: Rule) -> Rule:
            self.enter(names, formula, remark, rule, takes_parts=takes_parts, zeros=zeros)
            return rule

        return decorate

    def __getitem__(self, name: str) -> Operation:
        return self._operations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._operations)

    def __len__(self) -> int:
        return len(self._operations)


def plain_call(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The rule of an operation that torch computes for complex tensors by the same formula."""
    return func(*args, **kwargs)
