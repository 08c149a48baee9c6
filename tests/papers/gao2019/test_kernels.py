"""Distances of kernels from their limits, and ranks."""

import pytest

from cases import each, some_of
from holonet.papers.gao2019.kernels import Kernels, kernels


@some_of("name", ["relu", "x^2", "z^2", "sin x", "sin z"], slice(0, None, 2))
def test_distance_falls_like_the_root_of_the_width(name: str) -> None:
    result = kernels(Kernels(name, 1, (16, 1024), rank_points=20))
    assert 2.5 < result["distance"]["16"] / result["distance"]["1024"] < 26  # 8 by theory


@each(("name", "rank"), [("x^2", 6 / 8), ("z^2", 6 / 8), ("sin x", 1.0), ("relu", 1.0)])
def test_squares_have_the_rank_of_quadratic_forms(name: str, rank: float) -> None:
    result = kernels(Kernels(name, 0, (512,), features=3, points=4, rank_points=8))
    assert result["rank"] == pytest.approx(rank)
    assert (result["least"] > 1e-10) == (rank == 1)
