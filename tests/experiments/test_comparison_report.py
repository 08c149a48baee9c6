"""The page of a comparison: a headline that follows the numbers, a picture for each network."""

from pathlib import Path

from holonet.diagnostics import RobustnessPoint
from holonet.experiments import Outcome, Protocol, accuracy_table, difference_table
from holonet.experiments.comparison_report import comparison_report

RADII = (0.2, 0.1)  # as typed, in any order


def outcome(label: str, seed: int, far: int) -> Outcome:
    counts = {0.0: 190, 0.2: far, 0.1: 150}
    curve = tuple(RobustnessPoint(eps, count, 200) for eps, count in counts.items())
    return Outcome(label, seed, 100, 0.95, curve, 1.0, 7.0, (), Path())


def test_summary_names_the_row_that_keeps_most_at_the_largest_radius() -> None:
    outcomes = [
        outcome(f"{network}, {rule}", seed, far + seed)
        for network, rule, far in (("a", "pgd", 50), ("a", "standard", 20), ("b, thr", "pgd", 90))
        for seed in (0, 2)
    ]
    protocol = Protocol(eps=(0.0, *RADII), attack="autoattack")
    accuracies = accuracy_table(outcomes, RADII, "pgd")
    differences = difference_table(outcomes, RADII, "pgd", "a, pgd")
    report = comparison_report(outcomes, protocol, accuracies, [differences], {"command": "x"})
    assert "Under AutoAttack with radius 0.2 (l_inf) b, thr, pgd keeps most" in report.summary
    assert "45.5%" in report.summary
    assert [section.title for section in report.sections] == ["Differences", "a", "b, thr"]
    lines = report.sections[1].figure.axes[0].get_lines()  # type: ignore[union-attr]
    assert {line.get_label() for line in lines} >= {"pgd", "standard"}
    assert report.numbers is not None
    assert len(report.numbers["cells"]) == 6
