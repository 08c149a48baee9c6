import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.errors import DataError, DomainError, ShapeError
from holonet.plots.curves import plot_robustness, plot_training
from holonet.plots.style import new_figure

fractions = st.floats(0, 1)
intervals = st.tuples(fractions, fractions, fractions).map(sorted)


@settings(max_examples=5)
@given(st.lists(st.lists(intervals, min_size=3, max_size=3), min_size=1, max_size=4))
def test_robustness_draws_each_curve_with_its_band(points: list[list[list[float]]]) -> None:
    eps = [0, 0.1, 0.3]
    curves = {}
    for number, curve in enumerate(points):
        low, middle, high = zip(*curve, strict=True)
        curves[f"net {number}"] = (middle, low, high)
    ax = plot_robustness(eps, curves).axes[0]
    assert [line.get_label() for line in ax.lines] == list(curves)
    assert len({line.get_color() for line in ax.lines}) == len(curves)
    assert len(ax.collections) == len(curves)
    for line, band, (middle, low, high) in zip(
        ax.lines, ax.collections, curves.values(), strict=True
    ):
        np.testing.assert_allclose(line.get_xdata(), eps)
        np.testing.assert_allclose(line.get_ydata(), 100 * np.array(middle))
        heights = band.get_paths()[0].vertices[:, 1]
        assert heights.min() == pytest.approx(100 * min(low))
        assert heights.max() == pytest.approx(100 * max(high))


def test_robustness_labels_and_given_axes() -> None:
    figure, (ax,) = new_figure()
    curve = ([0.5], [0.4], [0.6])
    assert plot_robustness([0.1], {"a": curve}, ax=ax, xlabel="eps (2-norm)", title="T") is figure
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("eps (2-norm)", "accuracy (%)")
    assert ax.get_title(loc="left") == "T"
    assert ax.get_ylim()[0] == 0


@each(
    ("curves", "error", "message"),
    [
        ({}, DataError, "no curve"),
        ({"net": ([0.5], [0.4], [0.6])}, ShapeError, r"'net' has shape \(1,\).*\(2,\)"),
        ({"net": ([50, 40], [40, 30], [60, 50])}, DomainError, "not percent"),
        ({"net": ([0.5, np.nan], [0.4, 0.4], [0.6, 0.6])}, DomainError, "leaves"),
        ({"net": ([0.5, 0.4], [0.6, 0.3], [0.7, 0.5])}, DomainError, "own interval"),
        ({"net": ([0.5, 0.4], [0.4, 0.3], [0.45, 0.5])}, DomainError, "own interval"),
    ],
)
def test_robustness_refuses_bad_curves(curves, error, message) -> None:
    with pytest.raises(error, match=message):
        plot_robustness([0, 0.1], curves)


def history(losses: list[float], clock: str = "epoch") -> list[dict[str, float]]:
    return [{clock: k, "loss": loss, "accuracy": 0.5} for k, loss in enumerate(losses)]


@settings(max_examples=5)
@given(st.integers(1, 4), st.integers(1, 40))
def test_training_draws_a_line_for_each_history_in_each_panel(runs: int, length: int) -> None:
    histories = {f"run {k}": history([1.0 + k] * length) for k in range(runs)}
    figure = plot_training(histories, title="T")
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "accuracy (%)"]
    for ax in figure.axes:
        assert ax.get_xlabel() == "epoch"
        assert [line.get_label() for line in ax.lines] == list(histories)
    assert figure.axes[0].get_title(loc="left") == "T"
    np.testing.assert_allclose(figure.axes[0].lines[-1].get_ydata(), float(runs))
    np.testing.assert_allclose(figure.axes[1].lines[0].get_ydata(), 50)


@pytest.mark.parametrize(
    ("losses", "scale"),
    [([1, 0.1], "log"), ([1, 0.11], "linear"), ([1, 0.0], "linear"), ([-1, 10], "linear")],
)
def test_loss_is_logarithmic_when_positive_over_a_decade(losses: list[float], scale: str) -> None:
    assert plot_training({"a": history(losses)}).axes[0].get_yscale() == scale


def test_training_takes_mixed_records_and_falls_back_to_steps() -> None:
    records = [
        {"step": 0, "epoch": 0, "loss": 2.0},
        {"step": 5, "loss": 1.5, "accuracy": None},
        {"step": 9, "accuracy": 0.25},
        {"step": 12, "loss": float("nan")},
    ]
    loss, accuracy = plot_training({"a": records, "b": []}).axes
    assert loss.get_xlabel() == "step"
    assert loss.lines[0].get_xdata().tolist() == [0, 5, 12]
    assert accuracy.lines[0].get_xdata().tolist() == [9]
    assert accuracy.lines[0].get_ydata().tolist() == [25]


def test_training_draws_the_metrics_asked_for() -> None:
    records = [{"epoch": 1, "loss": 1.0, "test_accuracy": 0.9, "margin": 2.0}]
    figure = plot_training({"a": records}, metrics=("margin", "test_accuracy", "absent"))
    assert [ax.get_ylabel() for ax in figure.axes] == ["margin", "test accuracy (%)"]


@pytest.mark.parametrize(
    ("records", "error", "message"),
    [
        ([], DataError, "loss, accuracy"),
        ([{"epoch": 0}], DataError, "loss, accuracy"),
        ([{"loss": 1.0}], DataError, "neither an epoch nor a step"),
        ([{"epoch": 0, "accuracy": 97.5}], DomainError, "not percent"),
    ],
)
def test_training_refuses_what_it_cannot_draw(records, error, message) -> None:
    with pytest.raises(error, match=message):
        plot_training({"a": records})
