"""The construction on both sides of its threshold, against optimization and brute force."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each, some_of
from holonet.papers.gao2019.two_balls import (
    TwoBalls,
    holds,
    least_ratio_antipodal,
    least_ratio_free,
    two_balls,
)


def labellings(d: int) -> list[np.ndarray]:
    return [np.array(s, dtype=float) for s in itertools.product((-1, 1), repeat=d)]


@each("d", range(2, 7))
def test_construction_realizes_all_labellings_exactly_above_the_threshold(d: int) -> None:
    threshold = math.sqrt(1 - 1 / d)
    for labels in labellings(d):
        assert holds(labels, threshold + 1e-9)
        assert not holds(labels, threshold - 1e-9)


@each("d", range(2, 6))
def test_convex_program_finds_the_threshold_for_each_labelling(d: int) -> None:
    for labels in labellings(d):
        assert least_ratio_antipodal(labels) == pytest.approx(math.sqrt(1 - 1 / d), abs=1e-7)


@settings(max_examples=20)
@given(st.integers(0, 9999), st.integers(2, 8))
def test_no_random_antipodal_pair_does_better(seed: int, d: int) -> None:
    generator = np.random.default_rng(seed)
    labels = np.where(generator.random(d) < 0.5, 1.0, -1.0)
    centers = labels / d * (1 + 0.5 * generator.random((500, 1))) + 0.3 * generator.standard_normal(
        (500, d)
    )
    distances = np.linalg.norm(np.eye(d) - labels[:, None] * centers[:, None], axis=2).max(1)
    assert (distances / np.linalg.norm(centers, axis=1)).min() >= math.sqrt(1 - 1 / d) - 1e-12


@some_of("d", [4, 6], slice(1))
def test_free_centers_reach_the_threshold_of_one_dimension_less(d: int) -> None:
    labels = np.where(np.arange(d) < d // 2, 1.0, -1.0)
    ratio = least_ratio_free(labels, 4, np.random.default_rng(0))
    assert ratio == pytest.approx(math.sqrt(1 - 1 / (d - 1)), abs=1e-6)


def test_result_counts_all_labellings() -> None:
    result = two_balls(TwoBalls(dimensions=(2, 3), starts=2))["dimensions"]
    assert result["3"]["above"] == result["3"]["labellings"] == 8
    assert result["3"]["below"] == 0
    assert result["2"]["free"] == pytest.approx(0, abs=1e-6)
    assert result["3"]["free"] == pytest.approx(2 / 3, abs=1e-6)
