"""Figures are drawn from plain numbers."""

import numpy as np
import pytest

from holonet.plots.diagnosis_figures import (
    plot_decay,
    plot_distances_on_lines,
    plot_gaps,
    plot_layers,
    plot_line,
    plot_plane,
    plot_reports,
    plot_witnesses,
)


def part(share: float | None = 0.3) -> dict:
    summary = [{"share": share, "interval": [0.2, 0.4]}, {"share": 0.5, "interval": None}]
    return {"radii": [0.1, 0.3], "summary": summary, "baseline": None} | {
        "rms_gap": [0.1, 0.2],
        "rms_gap_error": [0.01, 0.01],
    }


def report(eps: float, accuracy: float) -> dict:
    robust = {"accuracy": accuracy, "interval": [accuracy - 0.1, accuracy + 0.1]}
    return {"robust": robust, "threat": {"norm": "Linf", "eps": eps}}


@pytest.mark.parametrize("share", [0.3, None])
def test_gaps_are_drawn_beside_the_baseline(share: float | None) -> None:
    beside = {"baseline_rms_gap": [0.2, 0.3], "baseline_rms_gap_error": [0.0, 0.0]}
    figure = plot_gaps({**part(share), **beside, "baseline": part()}, "untrained")
    left, right = figure.axes
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["model", "untrained"]
    assert left.get_yscale() == left.get_xscale() == "log"
    assert [label.get_text() for label in right.get_xticklabels()] == ["0.1", "0.3"]
    np.testing.assert_equal(right.lines[0].get_ydata(), [np.nan if share is None else 0.3, 0.5])
    assert len(plot_gaps(part()).axes[1].lines) == 1


def test_a_gap_of_zero_has_a_linear_axis() -> None:
    assert plot_gaps({**part(), "rms_gap": [0.0, 0.1]}).axes[0].get_yscale() == "linear"


def test_layers_stand_in_order_and_bad_ones_have_a_marker_of_their_own() -> None:
    layers = [
        {"path": "0", "type_name": "Linear", "defect": 0.0},
        {"path": "1", "type_name": "CTanh", "defect": 0.3},
        {"path": "", "type_name": "Net", "defect": None},
    ]
    ax = plot_layers(layers, 1e-12).axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["0 (Linear)", "1 (CTanh)", "the model (Net)"]
    assert ax.yaxis_inverted()
    good, bad = ax.lines[:2]
    assert good.get_marker() != bad.get_marker()
    assert list(bad.get_xdata()) == [0.3]


def test_witnesses_without_modes_have_no_figure() -> None:
    assert plot_witnesses({"modes": [None, 1.0]}) is None
    assert plot_witnesses({"modes": [0.0, 0.0]}) is None
    assert plot_witnesses({"modes": [1e-17, 1.0, 0.5, 0.1]}) is not None


def test_accuracies_are_drawn_beside_those_of_a_baseline() -> None:
    reports = [report(0.0, 0.9), report(0.1, 0.5)]
    ax = plot_reports({"reports": reports, "baseline": []}).axes[0]
    assert len(ax.lines) == 1
    assert ax.get_xlabel() == "eps (Linf)"
    assert len(plot_reports({"reports": reports, "baseline": reports}).axes[0].lines) == 2


def test_a_line_is_a_phase_portrait_of_the_kept_values() -> None:
    x, y = np.meshgrid(np.arange(8) + 0.5, np.arange(6) + 0.5)
    line = {"box": [0.0, 8.0, 0.0, 6.0], "real": x.tolist(), "imag": y.tolist()}
    line["real"][0][0] = None
    ax = plot_line({**line, "singularity": [2.0, 1.0, "pole"]}).axes[0]
    picture = ax.images[0].get_array()
    assert picture.shape == (6, 8, 4)
    np.testing.assert_allclose(picture[0, 0, :3], 128 / 255, atol=1e-3)  # not finite: gray
    assert [text.get_text() for text in ax.get_legend().get_texts()][-1] == "pole"


def test_level_sets_have_dashes_below_zero_and_a_heavy_boundary() -> None:
    side = np.linspace(-4, 4, 21)
    values = np.broadcast_to(side[None], (21, 21))
    ax = plot_plane({"box": [-4, 4, -4, 4], "values": values.tolist()}).axes[0]
    widths = [float(np.max(c.get_linewidth())) for c in ax.collections]
    assert max(widths) > 2
    assert len(ax.collections) == 3
    flat = plot_plane({"box": [-4, 4, -4, 4], "values": np.zeros((5, 5)).tolist()}).axes[0]
    assert not flat.collections


def analyticity(state: int) -> dict:
    decay = [[[2.0 ** -(k + example) for k in range(6)]] * 2 for example in range(3)]
    decay[0][0] = [None] * 6
    return {
        "directions": ["random", "gradient"],
        "reach": 2.0,
        "distance": [[1.0, None], [0.5, 1.5], [0.7, 0.2]],
        "boundary": [[None, 1.0], [1.5, 0.5], [0.2, 0.1]],
        "state": [[0, 1], [0, 0], [state, state]],
        "decay": decay,
    }


def test_lines_without_a_singularity_or_a_change_stand_at_the_edge() -> None:
    ax = plot_distances_on_lines(analyticity(state=2)).axes[0]  # the last lines are unresolved
    random, gradient = ax.lines[:2]
    np.testing.assert_allclose(random.get_xydata(), [[1.0, 2.3], [0.5, 1.5]])
    np.testing.assert_allclose(gradient.get_xydata(), [[2.3, 1.0], [1.5, 0.5]])
    assert random.get_marker() != gradient.get_marker()
    assert ax.get_xlim() == (0, pytest.approx(2.44))
    near = {**analyticity(state=0), "distance": [[0.01, 0.02]] * 3}
    assert plot_distances_on_lines(near).axes[0].get_xlim() == (0, pytest.approx(0.022))


def test_the_decay_of_coefficients_is_that_of_the_median_line() -> None:
    ax = plot_decay(analyticity(state=0)).axes[0]
    assert ax.get_yscale() == "log"
    np.testing.assert_allclose(ax.lines[1].get_ydata(), [2.0 ** -(k + 1) for k in range(6)])
    nothing = {**analyticity(state=0), "decay": [[[None] * 6] * 2] * 3}
    assert not plot_decay(nothing).axes[0].lines
