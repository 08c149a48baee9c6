"""Results are chosen by what they hold, and read seed by seed."""

import pytest

from holonet.errors import DataError
from holonet.studies.results import by_seed, cells_where, log_slope, mean_of

RESULTS = {
    "a": {"part": "planar", "seed": 0, "loss": {"5": 1.0}},
    "b": {"part": "energy", "seed": 0, "loss": {"5": 9.0}},
    "c": {"part": "planar", "seed": 1, "loss": {"5": 3.0}},
    "d": {"part": "alone"},
}


def test_cells_are_chosen_by_their_values_in_order() -> None:
    assert cells_where(RESULTS, part="planar") == [RESULTS["a"], RESULTS["c"]]
    assert cells_where(RESULTS, part="planar", seed=1) == [RESULTS["c"]]
    assert cells_where(RESULTS, width=3) == []


def test_values_lie_at_a_path_by_seed() -> None:
    assert by_seed(RESULTS, "loss", "5", part="planar") == {0: 1.0, 1: 3.0}
    found = mean_of(RESULTS, "loss", "5", part="planar")
    assert (found.estimate, found.count) == (2.0, 2)
    with pytest.raises(DataError):
        mean_of(RESULTS, "loss", part="none")


def test_slopes_of_powers_are_their_exponents() -> None:
    assert log_slope([1, 10, 100], [2, 2e-3, 2e-6]) == pytest.approx(-3)
    with pytest.raises(DataError, match="positive"):
        log_slope([1, 2], [0, 1])
