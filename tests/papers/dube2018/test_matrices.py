"""Random symmetric matrices against exact probabilities."""

import math

import pytest

from cases import each
from holonet.papers.dube2018.matrices import positive_probability, run_matrices
from holonet.papers.dube2018.settings import Settings, Size
from holonet.statistics import wilson_interval


@each(
    ("order", "exact"),
    [
        (1, 0.5),
        (2, (2 - math.sqrt(2)) / 4),
        (3, (math.pi - 2 * math.sqrt(2)) / (4 * math.pi)),
    ],
)
def test_probabilities_equal_the_closed_forms(order: int, exact: float) -> None:
    assert positive_probability(order) == pytest.approx(exact, rel=1e-7)


def test_probabilities_agree_with_earlier_measurements() -> None:
    for order, measured in enumerate((0.497, 0.146, 0.025, 0.0029, 0.0001), start=1):
        assert positive_probability(order) == pytest.approx(measured, abs=6e-4 + 0.01 * measured)


def test_draws_agree_with_the_exact_probabilities() -> None:
    found = run_matrices(Settings("matrices", 0, Size(draws=20_000), "", ""))
    for order in (2, 3, 4):
        counts = found["counts"][str(order)]
        assert sum(counts) == 20_000
        for minima in (counts[0], counts[-1]):  # all eigenvalues positive, all negative
            interval = wilson_interval(minima, 20_000, confidence=0.9999)
            assert interval.low <= positive_probability(order) <= interval.high
    assert found["counts"]["8"][4] == max(found["counts"]["8"])
