"""One item for many cases, where a `pytest.mark.parametrize` would be hundreds of items."""

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import is_hypothesis_test, settings

__all__ = ["each", "some_of"]

LAW = 3  # a law that is asked of a table has this many times the examples of any other
LEAST = 5  # examples of each case


def each(
    names: str | Sequence[str],
    cases: Iterable[Any],
    ids: Iterable[str] | Callable[[Any], str] = repr,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with every case and list those that fail; arguments as of `parametrize`.

    The seed is set anew for each case. Fixtures are shared by all: none may be changed. The
    examples of Hypothesis are those of the law, and are divided among its cases.
    """
    keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = [dict(zip(keys, _values(case, keys), strict=True)) for case in cases]
    labels = [_label(row, ids) for row in table] if callable(ids) else list(ids)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        if is_hypothesis_test(test):
            whole = test._hypothesis_internal_use_settings
            share = max(LEAST, LAW * whole.max_examples // len(table))
            test._hypothesis_internal_use_settings = settings(
                whole, max_examples=min(share, whole.max_examples)
            )

        @functools.wraps(test, updated=())
        def run(*args: Any, **fixtures: Any) -> None:
            faults: dict[str, BaseException] = {}
            skips: list[BaseException] = []
            for row, label in zip(table, labels, strict=True):
                torch.manual_seed(0)
                try:
                    test(*args, **fixtures, **row)
                except pytest.skip.Exception as skip:
                    skips.append(skip)
                except (Exception, pytest.fail.Exception) as fault:
                    fault.add_note(f"case {label}")
                    faults[f"{len(faults) + 1}) {label}"] = fault
            if faults:
                message = f"{len(faults)} of {len(table)} cases fail: {', '.join(faults)}"
                raise BaseExceptionGroup(message, list(faults.values()))
            if skips and len(skips) == len(table):
                raise skips[0]

        signature = inspect.signature(test)
        left = [p for name, p in signature.parameters.items() if name not in keys]
        vars(run)["__signature__"] = signature.replace(parameters=left)
        vars(run)["pytestmark"] = list(getattr(test, "pytestmark", []))
        return run

    return decorate


def some_of(
    names: str | Sequence[str], cases: Sequence[Any], some: slice
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`each` with some of the cases, and a slow item with all of them; not for Hypothesis."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        runs = {"some": each(names, cases[some])(test), "all": each(names, cases)(test)}

        @functools.wraps(runs["some"], updated=())
        def run(*args: Any, share: str, **fixtures: Any) -> None:
            runs[share](*args, **fixtures)

        signature = inspect.signature(runs["some"])
        added = inspect.Parameter("share", inspect.Parameter.KEYWORD_ONLY)
        parameters = [*signature.parameters.values(), added]
        vars(run)["__signature__"] = signature.replace(parameters=parameters)
        vars(run)["pytestmark"] = list(getattr(test, "pytestmark", []))
        shares = ["some", pytest.param("all", marks=pytest.mark.slow)]
        return pytest.mark.parametrize("share", shares)(run)

    return decorate


def _values(case: Any, keys: list[str]) -> Sequence[Any]:
    return [case] if len(keys) == 1 else case


def _label(row: dict[str, Any], ids: Callable[[Any], str]) -> str:
    return ", ".join(str(ids(value))[:100] for value in row.values())
