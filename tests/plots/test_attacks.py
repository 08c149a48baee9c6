"""Pictures of attacks show the numbers that they were given."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.attacks import ThreatModel
from holonet.diagnostics import (
    MinimumNorms,
    Rate,
    RobustnessPoint,
    RobustnessReport,
    TransferMatrix,
)
from holonet.errors import DataError, ShapeError
from holonet.plots import (
    plot_certification,
    plot_distances,
    plot_evaluation,
    plot_examples,
    plot_transfer,
)
from holonet.plots.style import new_figure

NAMES = ("one", "two", "three")


def report(
    eps: float, broken_by: list[str], names: tuple[str, ...] = NAMES, norm: str = "Linf"
) -> RobustnessReport:
    n = len(broken_by)
    return RobustnessReport(
        threat=ThreatModel(norm, eps, None),
        attacks=names,
        seed=0,
        y=torch.zeros(n, dtype=torch.int64),
        predicted=torch.zeros(n, dtype=torch.int64),
        clean_margin=torch.tensor([-1.0 if by == "clean" else 1.0 for by in broken_by]),
        margin=torch.tensor([-1.0 if by else 1.0 for by in broken_by]),
        broken_by=tuple(broken_by),
        x_adv=torch.zeros(n, 1),
    )


verdicts = st.lists(st.sampled_from(["", "clean", *NAMES]), min_size=1, max_size=9)


@settings(max_examples=5)
@given(first=verdicts, second=verdicts)
def test_a_line_for_each_attack_and_the_worst_case_with_its_band(first, second):
    reports = [report(0.2, first), report(0.1, second)]  # in any order
    ax = plot_evaluation(reports, title="T").axes[0]
    labels = [line.get_label() for line in ax.lines]
    assert labels == ["after one", "after two", "worst case"]
    for line, name in zip(ax.lines, NAMES, strict=True):
        np.testing.assert_allclose(line.get_xdata(), [0.1, 0.2])
        expected = [100 * r.after[name].accuracy for r in reversed(reports)]
        np.testing.assert_allclose(line.get_ydata(), expected)
    *thin, band = (c.get_paths()[0].vertices[:, 1] for c in ax.collections)
    low, high = zip(*(r.robust.interval for r in reports), strict=True)
    assert band.min() == pytest.approx(100 * min(low))
    assert band.max() == pytest.approx(100 * max(high))
    for other, line in zip(thin, ax.lines, strict=False):
        assert other.max() == pytest.approx(max(line.get_ydata()))
    assert ax.get_xlabel() == "eps (Linf)"
    assert ax.get_title(loc="left") == "T"


def test_the_axis_says_where_the_attacks_searched() -> None:
    reports = [report(0.0, [""]), replace(report(0.1, [""]), searched_in="a box")]
    assert plot_evaluation(reports).axes[0].get_xlabel() == "eps (Linf), searched in a box"


def test_one_attack_is_one_line() -> None:
    figure, (ax,) = new_figure()
    assert plot_evaluation([report(0.1, [""], ("pgd",))], ax=ax) is figure
    assert [line.get_label() for line in ax.lines] == ["pgd"]


@pytest.mark.parametrize(
    "reports",
    [
        [],
        [report(0.1, [""]), report(0.1, [""], ("one",))],
        [report(0.1, [""]), report(0.1, [""], norm="L2")],
    ],
)
def test_reports_that_do_not_belong_together(reports: list[RobustnessReport]) -> None:
    with pytest.raises(DataError, match=f"{len(reports)} reports"):
        plot_evaluation(reports)


def distances(limit: float, *values: float, norm: str = "Linf") -> MinimumNorms:
    found = torch.tensor(values)
    return MinimumNorms(ThreatModel(norm, limit, None), found, torch.zeros(len(values), 1))


@settings(max_examples=5)
@given(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.4, math.inf]), min_size=1))
def test_the_height_at_eps_is_the_accuracy_left(values: list[float]) -> None:
    found = distances(0.5, *values)
    ax = plot_distances({"net": found, "other": distances(0.5, 0.49)}).axes[0]
    line = ax.lines[0]
    assert line.get_label() == "net"
    assert line.get_drawstyle() == "steps-post"
    x, height = line.get_data()
    for eps in (0.0, 0.05, 0.1, 0.2, 0.25, 0.3, 0.4, 0.45, 0.5):
        drawn = height[np.searchsorted(x, eps + 1e-6, side="right") - 1]
        assert drawn == pytest.approx(100 * found.curve([eps])[0].accuracy)
    assert x[-1] == pytest.approx(0.5)


def test_a_curve_ends_where_its_search_ended_and_shows_its_median() -> None:
    found = {"short": distances(0.2, 0.1, math.inf), "long": distances(1.0, 0.3, 0.6, math.inf)}
    ax = plot_distances(found, title="T").axes[0]
    short, median, long, other = ax.lines
    assert short.get_xdata()[-1] == pytest.approx(0.2)
    assert long.get_xdata()[-1] == ax.get_xlim()[1] == pytest.approx(0.63)
    assert median.get_xdata()[0] == pytest.approx(0.1)
    assert other.get_xdata()[0] == pytest.approx(0.6)
    assert len(plot_distances({"never": distances(1.0, math.inf)}).axes[0].lines) == 1
    assert ax.get_title(loc="left") == "T"


def test_distances_in_two_norms() -> None:
    with pytest.raises(DataError, match="2 norms"):
        plot_distances({"a": distances(1.0, 0.1), "b": distances(1.0, 0.1, norm="L2")})
    with pytest.raises(DataError, match="0 norms"):
        plot_distances({})


def matrix(names: tuple[str, ...], trials: int = 8) -> TransferMatrix:
    n = len(names)
    rates = tuple(
        tuple(Rate((3 * s + t) % (trials + 1), trials) for t in range(n)) for s in range(n)
    )
    return TransferMatrix(
        names=names,
        threat=ThreatModel("Linf", 0.1),
        examples=trials,
        fooled=rates,
        fooled_if_source=rates,
        same_mistake=rates,
        control=tuple(Rate(1, trials) for _ in range(n)),
        cosine=tuple((1.0,) * n for _ in range(n)),
        searched_in=("",) * n,
    )


@pytest.mark.parametrize("names", [("only",), ("a", "b"), ("a", "a rather long name", "c")])
def test_the_heat_map_has_the_numbers_and_the_control(names: tuple[str, ...]) -> None:
    found = matrix(names)
    ax = plot_transfer(found).axes[0]
    image = ax.images[0].get_array()
    n = len(names)
    assert image.shape == (n + 1, n)
    rows = (*found.fooled, found.control)
    expected = [[100 * (rate.value or 0) for rate in row] for row in rows]
    np.testing.assert_allclose(image, expected)
    written = {text.get_position(): text.get_text() for text in ax.texts}
    assert written == {
        (column, row): f"{expected[row][column]:.1f}" for row in range(n + 1) for column in range(n)
    }
    assert [label.get_text() for label in ax.get_yticklabels()] == [*names, "random signs"]
    assert [label.get_text() for label in ax.get_xticklabels()] == list(names)
    frames = [line for line in ax.lines if len(line.get_xdata()) == 5]
    assert [np.mean(line.get_xdata()[:4]) for line in frames] == pytest.approx(list(range(n)))
    assert [np.mean(line.get_ydata()[:4]) for line in frames] == pytest.approx(list(range(n)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("target", "made for")
    assert "8 examples" in ax.get_title(loc="left")
    assert plot_transfer(found, title="T").axes[0].get_title(loc="left") == "T"


@pytest.mark.parametrize(
    "shape", [(9,), *(pytest.param(shape, marks=pytest.mark.slow) for shape in ((1, 3, 3), (3, 3)))]
)
def test_examples_attacked_and_difference(shape: tuple[int, ...]) -> None:
    x = torch.rand(5, *shape)
    x_adv = x.clone()
    x_adv[1] += 0.25
    figure = plot_examples(
        x, x_adv, labels=[0, 1, 2, 3, 4], answers=[0, 7, 2, 3, 4], count=3, title="T"
    )
    axes = figure.axes
    assert len(axes) == 9
    for k in range(3):
        for row, expected in enumerate((x[k], x_adv[k], x_adv[k] - x[k])):
            drawn = axes[3 * row + k].images[0].get_array()
            np.testing.assert_allclose(drawn, expected.reshape(3, 3), atol=1e-7)
    assert [ax.get_title() for ax in axes[:3]] == ["0", "1", "2"]
    assert [ax.get_title() for ax in axes[3:6]] == ["0", "7", "2"]
    assert axes[4].title.get_color() != axes[3].title.get_color()
    assert axes[7].get_xlabel() == "max 0.25"
    assert axes[7].images[0].get_clim() == pytest.approx((-0.25, 0.25))
    assert axes[6].images[0].get_clim() == (-1, 1)


def test_images_of_three_channels_are_drawn_in_colour() -> None:
    x = torch.rand(2, 3, 4, 5)
    x[0, 0, 0, 0], x[0, 0, 0, 1] = 0, 1
    x_adv = x.clone()
    x_adv[1, 2] = (x[1, 2] + 0.1).clamp(max=1)
    x_adv[1, 0, 0, 0] -= x[1, 0, 0, 0].clamp(max=0.2)
    axes = plot_examples(x, x_adv, labels=[0, 1], answers=[0, 1]).axes
    drawn = [np.asarray(ax.images[0].get_array()) for ax in axes]
    np.testing.assert_allclose(drawn[1], x[1].movedim(0, 2), atol=1e-6)
    np.testing.assert_allclose(drawn[3], x_adv[1].movedim(0, 2), atol=1e-6)
    difference = x_adv[1] - x[1]
    expected = 0.5 + 0.5 * difference / difference.abs().max()
    np.testing.assert_allclose(drawn[5], expected.movedim(0, 2), atol=1e-6)
    np.testing.assert_allclose(drawn[4], np.full((4, 5, 3), 0.5))  # no difference is gray
    plot_examples(x[:1] * 0, x[:1] * 0, labels=[0], answers=[0])


def test_complex_examples_and_other_shapes() -> None:
    z = torch.randn(1, 6, dtype=torch.complex64)
    figure = plot_examples(z, z, labels=torch.tensor([0]), answers=torch.tensor([0]), shape=(2, 3))
    np.testing.assert_allclose(figure.axes[0].images[0].get_array(), z.real.reshape(2, 3))


@pytest.mark.parametrize(
    ("n", "size", "labels", "shape", "error", "message"),
    [
        (0, 4, 0, None, DataError, "no example"),
        (2, 4, 1, None, ShapeError, "1 labels"),
        (1, 5, 1, None, ShapeError, "5 numbers.*no 2 x 2"),
        (1, 4, 1, (3, 2), ShapeError, "no 3 x 2"),
    ],
)
def test_examples_that_cannot_be_shown(n, size, labels, shape, error, message) -> None:
    x = torch.zeros(n, size)
    with pytest.raises(error, match=message):
        plot_examples(x, x, labels=[0] * labels, answers=[0] * n, shape=shape)


def test_clean_attacked_and_certified_accuracy_have_their_bands() -> None:
    counts = {0.2: (3, 5, 9), 0.1: (6, 8, 9)}  # in any order
    names = ("certified", "attacked", "clean")
    curve = [
        {"eps": eps}
        | {n: RobustnessPoint(eps, c, 10).to_json() for n, c in zip(names, row, strict=True)}
        for eps, row in counts.items()
    ]
    ax = plot_certification(curve, "L2").axes[0]
    assert [line.get_label() for line in ax.lines] == ["clean", "attacked", "certified"]
    heights = [list(line.get_ydata()) for line in ax.lines]
    assert heights == [[90, 90], [80, 50], [60, 30]]
    for band, name in zip(ax.collections, reversed(names), strict=True):
        ends = 100 * np.array([row[name]["interval"] for row in curve])
        drawn = band.get_paths()[0].vertices[:, 1]
        assert (drawn.min(), drawn.max()) == pytest.approx((ends.min(), ends.max()))
    assert ax.get_xlabel() == "eps (L2)"
    with pytest.raises(DataError, match="no radius"):
        plot_certification([], "L2")
