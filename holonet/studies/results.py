"""The results of cells: which of them a claim is about, and what they say seed by seed."""

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any

import numpy as np

from holonet.errors import DataError
from holonet.statistics import Interval, mean_interval

__all__ = ["Result", "Results", "by_seed", "cells_where", "log_slope", "mean_of"]

Result = dict[str, Any]
"""The result of a cell, in types that JSON knows."""

Results = Mapping[str, Result]
"""The results of finished cells, by key."""


def cells_where(results: Results, **wanted: Any) -> list[Result]:
    """The results that have all of these values, in their order."""
    return [r for r in results.values() if all(r.get(k) == v for k, v in wanted.items())]


def by_seed(results: Results, *path: str, **wanted: Any) -> dict[int, Any]:
    """What lies at a path in the results that have these values, by seed."""
    return {r["seed"]: reduce(getitem, path, r) for r in cells_where(results, **wanted)}


def mean_of(results: Results, *path: str, **wanted: Any) -> Interval:
    """The mean of that over seeds.

    Raises:
        DataError: there is none.
    """
    return mean_interval([*by_seed(results, *path, **wanted).values()])


def log_slope(x: Sequence[float | int], y: Sequence[float | int]) -> float:
    """The least-squares slope of log y over log x.

    Raises:
        DataError: a number that is not positive.

    Example:
        >>> round(log_slope([1, 2, 4], [3, 12, 48]), 9)
        2.0
    """
    if min(*x, *y) <= 0:
        raise DataError(f"an exponent needs positive numbers, and there are {[*x]} and {[*y]}")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
