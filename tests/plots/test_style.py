import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

import fresh_python
import holonet.plots
from holonet.errors import DomainError, MissingDependencyError
from holonet.plots.style import (
    INK,
    MARKERS,
    PALETTE,
    add_legend,
    color,
    figure_of,
    label_axes,
    marker,
    new_figure,
)


def luminance(name: str) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(name)]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_palette_stands_out_on_white() -> None:
    assert len(set(PALETTE)) == len(PALETTE)
    for name in PALETTE:
        assert 1.05 / (luminance(name) + 0.05) > 2  # contrast against white


def test_color_and_marker_repeat_together_as_late_as_promised() -> None:
    pairs = [(color(i), marker(i)) for i in range(len(PALETTE) * len(MARKERS))]
    assert len(set(pairs)) == len(pairs) == 56


@settings(max_examples=5)
@given(st.integers(1, 3), st.integers(1, 3))
def test_new_figure_has_the_axes_asked_for_in_row_major_order(rows: int, columns: int) -> None:
    figure, axes = new_figure(4, 3, rows=rows, columns=columns)
    assert isinstance(figure, Figure)
    assert figure.axes == axes
    assert len(axes) == rows * columns
    assert tuple(figure.get_size_inches()) == (4, 3)
    places = [
        (ax.get_subplotspec().rowspan.start, ax.get_subplotspec().colspan.start) for ax in axes
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("size", [{"width": 0}, {"height": -1}, {"rows": 0}, {"columns": 0}])
def test_new_figure_refuses_empty_ones(size: dict[str, int]) -> None:
    with pytest.raises(DomainError, match=f"{next(iter(size))}={next(iter(size.values()))}"):
        new_figure(**size)


def test_label_axes_and_legend() -> None:
    _, (ax,) = new_figure()
    ax.plot([0, 1], label="line")
    label_axes(ax, "x", "y", "title")
    add_legend(ax, loc="upper left")
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left")) == ("x", "y", "title")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["line"]


def test_labels_between_powers_of_ten_have_the_ink_of_the_others() -> None:
    """The dark mode replaces known colors alone."""
    ax = new_figure()[1][0]
    ax.set(yscale="log", ylim=(2, 6))
    figure_of(ax).draw_without_rendering()
    for minor in (False, True):
        assert {to_hex(t.get_color()) for t in ax.get_yticklabels(minor=minor)} <= {INK.lower()}
    assert ax.get_yticklabels(minor=True)


def test_figure_of_sees_through_subfigures() -> None:
    figure = Figure()
    ax = figure.subfigures(1, 2)[1].subfigures(1, 1).subplots()
    assert figure_of(ax) is figure
    ax.remove()
    with pytest.raises(DomainError, match="new_figure"):
        figure_of(ax)


def test_pyplot_stays_out() -> None:
    code = "import sys, holonet.plots; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert fresh_python.run("-c", code).returncode == 0


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_missing_dependency_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    source = holonet.plots.__spec__.origin
    with pytest.raises(MissingDependencyError, match=rf"Drawing needs {package}.*holonet\[plots\]"):
        exec(compile(Path(source).read_text(), source, "exec"), {})
