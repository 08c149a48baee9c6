"""Tables of a comparison: means, ranges and differences over seeds."""

from pathlib import Path

from holonet.diagnostics import RobustnessPoint
from holonet.experiments import (
    Outcome,
    accuracy_table,
    difference_table,
    pairs_table,
    places_searched,
)
from holonet.experiments.tables import norm_in_words


def outcome(label: str, seed: int, correct: int, step_ms: float = 1.0, place: str = "") -> Outcome:
    curve = (RobustnessPoint(0.0, 190, 200), RobustnessPoint(0.1, correct, 200, place))
    return Outcome(label, seed, 100, 0.95, curve, step_ms, 7.0, (), Path())


OUTCOMES = [
    outcome("net, standard", 0, 20),
    outcome("net, pgd", 0, 100, 7.0, "the image box of Threshold"),
    outcome("net, standard", 1, 40),
    outcome("net, pgd", 1, 140, 7.0, "the image box of Threshold"),
]


def test_rows_have_the_mean_and_the_range_over_seeds() -> None:
    table = accuracy_table(OUTCOMES, [0.1], "PGD", "standard")
    assert list(table.headers)[:3] == ["network, rule", "clean %", "PGD % at 0.1"]
    assert [row[0] for row in table.rows] == ["net, standard", "net, pgd"]
    assert table.rows[0][2] == "15.00 (10.00 to 20.00)"
    assert table.rows[1][2] == "60.00 (50.00 to 70.00)"
    assert table.rows[1][-1] == "7.00"
    assert table.rows[1][3] == "2"


def test_one_seed_has_no_range() -> None:
    table = accuracy_table(OUTCOMES[:2], [0.0, 0.1], "PGD")
    assert table.rows[1][1:4] == ["95.0", "95.0", "50.0"]
    assert "step / standard" not in table.headers


def test_differences_are_paired_over_seeds_in_points() -> None:
    table = difference_table(OUTCOMES, [0.1], "PGD", "net, standard")
    ((label, clean, robust),) = table.rows
    assert label == "net, pgd"
    assert str(clean).startswith("+0.00")
    # 40 and 50 points: 45, and 12.7062 sqrt(50 / 2) = 63.53 to either side
    assert robust == "+45.00 (-18.53 to +108.53)"


def test_all_pairs_are_those_of_the_differences_from_each_row() -> None:
    third = [outcome("net, fgsm", seed, count) for seed, count in ((0, 60), (1, 50))]
    table = pairs_table([*OUTCOMES, *third], [0.1], "PGD")
    assert table is not None
    names = [f"net, {rule}" for rule in ("standard", "pgd", "fgsm")]
    pairs = [(names[0], names[1]), (names[0], names[2]), (names[1], names[2])]
    assert [(row[0], row[1]) for row in table.rows] == pairs
    for first, second, *cells in table.rows:
        expected = difference_table([*OUTCOMES, *third], [0.1], "PGD", str(second))
        assert [first, *cells] in [list(row) for row in expected.rows]


def test_one_seed_has_no_intervals_and_no_table_of_pairs() -> None:
    assert pairs_table(OUTCOMES[:2], [0.1], "PGD") is None
    assert pairs_table(OUTCOMES[::2], [0.1], "PGD") is None  # one row


def test_captions_name_the_norm() -> None:
    assert accuracy_table(OUTCOMES, [0.1], "PGD").caption == "accuracy clean and under PGD, l_inf"
    polydisc = accuracy_table(OUTCOMES, [0.1], "PGD", norm="polydisc")
    assert polydisc.caption == f"accuracy clean and under PGD, {norm_in_words('polydisc')}"


def test_places_are_named_with_the_rows_that_they_belong_to() -> None:
    assert places_searched(OUTCOMES) == ["Searched in the image box of Threshold: net, pgd."]
    assert places_searched(OUTCOMES[:1]) == []


def test_radii_that_nearly_agree_have_columns_of_their_own() -> None:
    radii = (0.1, 0.1 + 2e-17)
    curve = tuple(
        RobustnessPoint(eps, count, 200) for eps, count in zip(radii, (90, 80), strict=True)
    )
    outcomes = [Outcome(n, 0, 1, 0.9, curve, 1.0, 1.0, (), Path()) for n in ("a, x", "b, x")]
    assert len(difference_table(outcomes, radii, "PGD", "a, x").headers) == 4
