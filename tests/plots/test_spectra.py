import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import same_color

from holonet.errors import NumericalError, ShapeError
from holonet.plots.spectra import plot_modes
from holonet.plots.style import new_figure


def drawn(figure) -> dict[int, tuple[float, object]]:
    """mode -> (height, color) as drawn."""
    points = {}
    for line in figure.axes[0].lines[:2]:
        for k, height in zip(line.get_xdata(), line.get_ydata(), strict=True):
            assert int(k) not in points
            points[int(k)] = (height, line.get_color())
    return points


@settings(max_examples=5)
@given(st.integers(2, 33), st.integers(0, 1000))
def test_each_mode_stands_at_its_number_with_its_modulus(count: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    c = torch.randn(count, dtype=torch.complex128, generator=draw)
    points = drawn(plot_modes(c))
    assert sorted(points) == list(range(-(count // 2), (count + 1) // 2))
    for k, (height, _) in points.items():
        assert height == pytest.approx(abs(complex(c[k + count // 2])))


def test_modes_agree_with_the_fourier_transform_of_a_power() -> None:
    t = torch.arange(8, dtype=torch.float64) * (2 * torch.pi / 8)
    wave = torch.polar(torch.ones_like(t), -3 * t)  # mode -3
    points = drawn(plot_modes(torch.fft.fftshift(torch.fft.fft(wave, norm="forward"))))
    assert max(points, key=lambda k: points[k][0]) == -3


def test_negative_modes_have_a_color_of_their_own() -> None:
    points = drawn(plot_modes(np.ones(9, dtype=complex)))
    negative = {color for k, (_, color) in points.items() if k < 0}
    others = {color for k, (_, color) in points.items() if k >= 0}
    assert len(negative) == len(others) == 1
    assert not same_color(negative.pop(), others.pop())


@pytest.mark.parametrize(
    ("dtype", "eps"), [(torch.complex64, 2.0**-23), (torch.complex128, 2.0**-52)]
)
def test_rounding_line_follows_the_precision(dtype: torch.dtype, eps: float) -> None:
    ax = plot_modes(torch.tensor([0.5, 4.0, 1.0], dtype=dtype)).axes[0]
    assert ax.lines[2].get_ydata()[0] == pytest.approx(4 * eps)
    assert ax.get_yscale() == "log"
    assert ax.get_ylim()[0] < 4 * eps


def test_axes_labels_and_zeros_leave_gaps() -> None:
    figure = plot_modes([0, 0, 1, 0.5j], title="spectrum")
    ax = figure.axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Fourier mode", "|coefficient|")
    assert ax.get_title(loc="left") == "spectrum"
    assert sorted(drawn(figure)) == [0, 1]
    assert len(ax.get_legend().get_texts()) == 3
    figure.draw_without_rendering()


def test_takes_lazy_conjugates_gradients_and_given_axes() -> None:
    figure, (ax,) = new_figure()
    c = torch.tensor([1j, 2.0], requires_grad=True).conj()
    assert plot_modes(c, ax=ax) is figure
    assert sorted(drawn(figure)) == [-1, 0]


@pytest.mark.parametrize("shape", [(1,), (0,), (2, 2), ()])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="one row"):
        plot_modes(torch.ones(shape))


@pytest.mark.parametrize("bad", [[0, 0], [1, float("nan")], [1, complex("inf")]])
def test_spectra_without_meaning_are_refused(bad: list[complex]) -> None:
    with pytest.raises(NumericalError, match="circle"):
        plot_modes(bad)
