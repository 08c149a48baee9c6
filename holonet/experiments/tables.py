"""Tables of a comparison: accuracies over seeds, and differences from one of its rows."""

import itertools
import statistics
from collections.abc import Sequence

from holonet._page import Table
from holonet.experiments.comparison import Outcome, accuracy_difference, relative_cost
from holonet.statistics import Interval

__all__ = [
    "accuracy_table",
    "difference_table",
    "labels_of",
    "norm_in_words",
    "pairs_table",
    "places_searched",
]


def labels_of(outcomes: Sequence[Outcome]) -> list[str]:
    """The contenders, in their order."""
    return list(dict.fromkeys(outcome.label for outcome in outcomes))


def accuracy_table(
    outcomes: Sequence[Outcome],
    radii: Sequence[float],
    attack: str,
    baseline: str | None = None,
    norm: str = "Linf",
) -> Table:
    """One row for each contender: the mean over seeds, and the range where there are several.

    Args:
        outcomes: of one comparison.
        radii: of the attack, those to be shown.
        attack: its name.
        baseline: the name of a rule, over whose training step with the same network the time of a
            step is shown too.
        norm: of the attack.
    """
    rows = []
    for label in labels_of(outcomes):
        own = [o for o in outcomes if o.label == label]
        cells = [
            label,
            _spread([100 * o.clean for o in own]),
            *(_spread([100 * o.at(radius).accuracy for o in own]) for radius in radii),
            str(len(own)),
            str(own[0].parameters),
            _spread([o.train_seconds for o in own]),
        ]
        if baseline:
            network = label.rsplit(", ", 1)[0]
            cost = relative_cost(outcomes, label, f"{network}, {baseline}")
            cells.append("" if cost is None else f"{cost:.2f}")
        rows.append(cells)
    return Table(
        headers=[
            "network, rule",
            "clean %",
            *(f"{attack} % at {radius!r}" for radius in radii),
            "seeds",
            "real parameters",
            "training s",
            *([f"step / {baseline}"] if baseline else []),
        ],
        rows=rows,
        caption=f"accuracy clean and under {attack}, {norm_in_words(norm)}",
    )


def difference_table(
    outcomes: Sequence[Outcome], radii: Sequence[float], attack: str, reference: str
) -> Table:
    """Each row's accuracy minus the reference's in points, paired over seeds, with intervals."""
    columns = _columns(radii, attack)
    return Table(
        headers=["network, rule", *columns],
        rows=[
            [
                label,
                *(
                    _signed(accuracy_difference(outcomes, label, reference, radius).scaled(100))
                    for radius in columns.values()
                ),
            ]
            for label in labels_of(outcomes)
            if label != reference
        ],
        caption=f"points above {reference}, 95% intervals over seeds (Student's t)",
    )


def pairs_table(outcomes: Sequence[Outcome], radii: Sequence[float], attack: str) -> Table | None:
    """Every row's accuracy minus each later row's in points, paired over seeds, with intervals.

    None where no two rows have two seeds in common, which an interval needs.
    """
    columns = _columns(radii, attack)
    rows = []
    for first, second in itertools.combinations(labels_of(outcomes), 2):
        differences = [accuracy_difference(outcomes, first, second, r) for r in columns.values()]
        if all(difference.is_finite for difference in differences):
            rows.append([first, second, *(_signed(d.scaled(100)) for d in differences)])
    if not rows:
        return None
    return Table(
        headers=["network, rule", "minus", *columns],
        rows=rows,
        caption="points between all rows, 95% intervals over seeds (Student's t), each for itself: "
        "where there is no difference at all, one in twenty misses 0",
    )


def norm_in_words(norm: str) -> str:
    """The norm of a threat, for captions.

    Example:
        >>> norm_in_words("Linf"), norm_in_words("complex_ball")
        ('l_inf', 'complex ball')
    """
    return {"Linf": "l_inf", "L2": "l_2", "L1": "l_1"}.get(norm, norm.replace("_", " "))


def places_searched(outcomes: Sequence[Outcome]) -> list[str]:
    """Where attacks searched, if not in the threat set itself, and which rows they did so of."""
    labels: dict[str, dict[str, None]] = {}
    for outcome in outcomes:
        for point in outcome.curve:
            labels.setdefault(point.searched_in, {})[outcome.label] = None
    places = sorted(labels.keys() - {""})
    return [f"Searched in {place}: {'; '.join(labels[place])}." for place in places]


def _columns(radii: Sequence[float], attack: str) -> dict[str, float | None]:
    return {"clean": None, **{f"{attack} at {radius!r}": radius for radius in radii}}


def _signed(difference: Interval) -> str:
    text = f"{difference.estimate:+.2f}"
    if not difference.is_finite:
        return text
    return f"{text} ({difference.low:+.2f} to {difference.high:+.2f})"


def _spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{statistics.fmean(values):.2f} ({min(values):.2f} to {max(values):.2f})"
