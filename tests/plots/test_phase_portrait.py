import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.domains import Annulus, Disc, Plane, Rectangle
from holonet.errors import DomainError, InputTypeError, ShapeError
from holonet.plots.phase_portrait import (
    CHROMA,
    LIGHTNESS,
    SHADE,
    complex_line,
    phase_colors,
    phase_portrait,
)
from holonet.plots.style import new_figure

# Ottosson's matrices, forward: linear sRGB to cones, cones to lab.
TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)

moduli = st.floats(-300, 300).map(lambda e: 10.0**e)
angles = st.floats(-3.14, 3.14)


def linear_light(rgb: np.ndarray) -> np.ndarray:
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lightness_chroma_hue(rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    lab = np.cbrt(linear_light(rgb) @ TO_CONES.T) @ TO_LAB.T
    return lab[..., 0], np.hypot(lab[..., 1], lab[..., 2]), np.arctan2(lab[..., 2], lab[..., 1])


def circle(count: int = 240) -> np.ndarray:
    return np.exp(2j * np.pi * (np.arange(count) + 0.5) / count)


def turns(rgb: np.ndarray) -> int:
    """How often the hue goes round along a closed row of colors."""
    hue = lightness_chroma_hue(rgb)[2]
    steps = (np.diff(hue, append=hue[:1]) + np.pi) % (2 * np.pi) - np.pi
    total = steps.sum() / (2 * np.pi)
    assert abs(total - round(total)) < 1e-6
    return round(total)


@given(st.integers(-6, 6), moduli, angles, st.sampled_from([0, 20]))
def test_zero_of_order_k_winds_the_hue_k_times(
    k: int, scale: float, angle: float, contours: int
) -> None:
    values = scale * np.exp(1j * angle) * circle() ** k
    assert turns(phase_colors(values, contours=contours)) == k


def test_hue_is_even_and_all_hues_equally_light_and_vivid() -> None:
    light, chroma, hue = lightness_chroma_hue(phase_colors(circle(), contours=0))
    np.testing.assert_allclose(light, LIGHTNESS, atol=1e-5)
    np.testing.assert_allclose(chroma, CHROMA, atol=1e-5)  # fails if a hue is cut off at the gamut
    np.testing.assert_allclose(np.diff(np.unwrap(hue)), 2 * np.pi / 240, atol=1e-4)


@given(moduli, moduli, angles)
def test_positive_factor_changes_only_the_shade(r: float, s: float, angle: float) -> None:
    pair = np.array([r, s]) * np.exp(1j * angle)
    first, second = linear_light(phase_colors(pair))
    ratio = second / first
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    bare = phase_colors(pair, contours=0)
    np.testing.assert_allclose(bare[0], bare[1], rtol=1e-12)


@given(st.floats(-20, 20), angles)
def test_shade_stays_between_its_bounds(logarithm: float, angle: float) -> None:
    light, _, _ = lightness_chroma_hue(phase_colors(np.exp([logarithm + 1j * angle])))
    assert (1 - SHADE) ** 2 * LIGHTNESS - 1e-5 <= light[0] <= LIGHTNESS + 1e-5


@pytest.mark.parametrize("contours", [4, 7, 20])
def test_contours_cut_a_turn_and_a_factor_of_e_to_the_two_pi_alike(contours: int) -> None:
    t = (np.arange(4000) + 0.5) / 4000 * 2 * np.pi
    middle = np.pi / contours  # of a tile, so that only one kind of contour is crossed
    for path in (middle + 1j * np.append(t, t[0]), np.append(t, t[0] + 2 * np.pi) + 1j * middle):
        light = lightness_chroma_hue(phase_colors(np.exp(path), contours=contours))[0]
        jumps = np.abs(np.diff(light)) > SHADE * LIGHTNESS / 2
        assert jumps.sum() == contours


def test_contours_lie_on_equal_arguments_and_brighten_outward() -> None:
    light = lightness_chroma_hue(phase_colors(np.exp([0.01, 0.2, 0.31]) + 0j))[0]
    assert light[0] < light[1] < light[2]  # one tile: log|w| from 0 up to 2 pi / 20


def test_values_that_are_not_finite_are_gray_and_zero_is_black() -> None:
    nan, inf = math.nan, math.inf
    bad = np.array([nan, inf, -inf, complex(0, nan), complex(1, inf), complex(nan, inf)])
    colors = phase_colors(np.append(bad, 0).astype(np.complex128))
    assert np.ptp(colors[:-1], axis=0).max() == 0
    assert np.ptp(colors[0]) == 0
    assert 0.4 < colors[0, 0] < 0.6
    assert (colors[-1] == 0).all()


@pytest.mark.parametrize("value", [1.7e308 + 1.7e308j, 5e-324j, -5e-324 + 5e-324j])
def test_extreme_finite_values_have_a_color(value: complex) -> None:
    light, chroma, hue = lightness_chroma_hue(phase_colors(np.array([value])))
    assert light[0] > 0.5
    assert chroma[0] > 0.05
    ordinary = lightness_chroma_hue(phase_colors(np.exp([1j * np.angle(value)])))[2]
    np.testing.assert_allclose(hue, ordinary, atol=1e-5)


@each("shape", [(), (0,), (3,), (2, 3)])
@each("dtype", [np.complex64, np.complex128])
def test_phase_colors_keeps_the_shape(shape: tuple[int, ...], dtype: type) -> None:
    values = np.full(shape, 1 + 2j, dtype=dtype)
    colors = phase_colors(values)
    assert colors.shape == (*shape, 3)
    assert (values == 1 + 2j).all()  # the argument is left as it was
    assert ((colors >= 0) & (colors <= 1)).all()


def test_negative_contours_are_refused() -> None:
    with pytest.raises(DomainError, match="contours=-1"):
        phase_colors(np.ones(1, dtype=complex), contours=-1)


def picture_of(f, **options) -> np.ndarray:
    return np.asarray(phase_portrait(f, **options).axes[0].images[0].get_array())


def around(picture: np.ndarray) -> np.ndarray:
    """Colors of a square picture along its second outermost ring, counter-clockwise from below."""
    ring = picture[1:-1, 1:-1, :3]
    return np.concatenate([ring[0], ring[1:, -1], ring[-1, -2::-1], ring[-2:0:-1, 0]])


@each(
    ("f", "order"),
    [
        (lambda z: z, 1),
        (lambda z: z**3, 3),
        (lambda z: 1 / z, -1),
        (lambda z: (z - 0.3) * (z + 0.2j) / (z - 0.1j) ** 4, -2),
        (torch.conj, -1),
        (torch.exp, 0),
    ],
)
def test_portrait_winds_as_zeros_less_poles(f, order: int) -> None:
    assert turns(around(picture_of(f, domain=(-1, 1, -1, 1), resolution=60))) == order


def test_pixels_show_their_own_points_upright() -> None:
    picture = picture_of(lambda z: z, domain=(0, 2, -1, 0), resolution=4)
    x, y = np.array([0.25, 0.75, 1.25, 1.75]), np.array([-0.75, -0.25])
    np.testing.assert_allclose(picture[..., :3], phase_colors(x + 1j * y[:, None]), atol=1e-12)
    image = phase_portrait(lambda z: z, domain=(0, 2, -1, 0), resolution=4).axes[0].images[0]
    assert tuple(image.get_extent()) == (0, 2, -1, 0)
    assert image.origin == "lower"


@pytest.mark.parametrize("domain", [Disc(0.5j, 2), Annulus(1, 0.5, 2)])
def test_nothing_is_evaluated_or_drawn_outside_the_domain(domain: Disc | Annulus) -> None:
    seen = []
    picture = picture_of(lambda z: seen.append(z) or z, domain=domain, resolution=40)
    points = torch.cat(seen)
    assert domain.contains(points).all()
    assert set(np.unique(picture[..., 3])) == {0.0, 1.0}
    assert (picture[..., 3] == 1).sum() == len(points)
    area = math.pi * (4 - getattr(domain, "inner", 0) ** 2)
    assert len(points) / 1600 * 16 == pytest.approx(area, rel=0.03)


def test_chunks_are_small_and_without_gradients() -> None:
    sizes = []

    def f(z: torch.Tensor) -> torch.Tensor:
        assert not torch.is_grad_enabled()
        assert z.dtype == torch.complex64
        sizes.append(len(z))
        return z * torch.ones((), requires_grad=True)

    whole = picture_of(f, resolution=10, chunk=10_000, dtype=torch.complex64)
    assert sizes == [100]
    parts = picture_of(f, resolution=10, chunk=7, dtype=torch.complex64)
    assert max(sizes[1:]) == 7
    np.testing.assert_array_equal(whole, parts)


def test_axes_labels_title_marks_and_key() -> None:
    marks = {"zeros": [0.5, -0.5], "poles": [1j], "none": []}
    figure = phase_portrait(lambda z: z, resolution=8, marks=marks, title="identity")
    portrait, key = figure.axes
    assert (portrait.get_xlabel(), portrait.get_ylabel()) == ("Re z", "Im z")
    assert portrait.get_title(loc="left") == "identity"
    assert portrait.get_aspect() == 1
    assert [text.get_text() for text in portrait.get_legend().get_texts()] == list(marks)
    assert portrait.collections[1].get_offsets().tolist() == [[0, 1]]
    assert len(key.images) == 1


@pytest.mark.parametrize(
    "domain",
    [
        (-6, 6, -2, 2),
        (0, 1, 0, 5),
        *(pytest.param(domain, marks=pytest.mark.slow) for domain in ((-1, 1, -1, 1), Rectangle())),
    ],
)
def test_new_figure_fits_the_picture(domain) -> None:
    figure = phase_portrait(lambda z: z, domain=domain, resolution=8, title="t", marks={"a": [0]})
    figure.draw_without_rendering()
    for ax in figure.axes:
        box = ax.get_tightbbox()
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1


def test_draws_into_given_axes() -> None:
    figure, axes = new_figure(6, 3, columns=2)
    returned = phase_portrait(lambda z: z, resolution=8, ax=axes[1], marks={"zero": [0]})
    assert returned is figure
    assert len(figure.axes) == 2
    assert not axes[0].images
    assert len(axes[1].images) == 1


@each(
    ("options", "error", "message"),
    [
        ({"domain": Plane()}, DomainError, "cannot be framed"),
        ({"domain": (1, 0, 0, 1)}, DomainError, "empty"),
        ({"domain": (0, math.inf, 0, 1)}, DomainError, "unbounded"),
        ({"domain": Disc(0, math.inf)}, DomainError, "unbounded"),
        ({"domain": (-1e308, 1e308, 0, 1)}, DomainError, "unbounded"),
        ({"resolution": 1}, DomainError, "resolution=1"),
        ({"chunk": 0}, DomainError, "chunk=0"),
        ({"dtype": torch.float64}, InputTypeError, "float64"),
        ({"contours": -3}, DomainError, "contours=-3"),
    ],
)
def test_bad_options_are_refused(options, error, message) -> None:
    with pytest.raises(error, match=message):
        phase_portrait(lambda z: z, **{"resolution": 8, **options})


def test_wrong_output_shape_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(64, 2\).*\(64,\)"):
        phase_portrait(lambda z: torch.stack([z, z], -1), resolution=8)


def test_real_values_and_lazy_conjugates_are_drawn() -> None:
    np.testing.assert_array_equal(
        picture_of(torch.real, resolution=8), picture_of(lambda z: z.real + 0j, resolution=8)
    )
    np.testing.assert_array_equal(
        picture_of(torch.conj, resolution=8),
        picture_of(lambda z: torch.complex(z.real, -z.imag), resolution=8),
    )


@given(st.sampled_from([(3,), (1, 4, 4)]), st.integers(0, 5), st.integers(0, 1000))
def test_complex_line_is_f_along_the_line(shape: tuple[int, ...], batch: int, seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    point = torch.rand(shape, generator=draw)
    direction = torch.randn(shape, dtype=torch.complex64, generator=draw)
    weight = torch.randn(shape, dtype=torch.complex64, generator=draw)
    t = torch.randn(batch, dtype=torch.complex128, generator=draw)
    received = []

    def f(z: torch.Tensor) -> torch.Tensor:
        received.append(z)
        return (z.square() * weight).flatten(1).sum(1)

    values = complex_line(f, point, direction)(t)
    assert received[0].shape == (batch, *shape)
    assert received[0].dtype == torch.complex64
    for k in range(batch):
        expected = ((point + t[k].to(torch.complex64) * direction).square() * weight).sum()
        torch.testing.assert_close(values[k], expected, rtol=1e-4, atol=1e-4)


def test_complex_line_of_a_real_line_is_drawn() -> None:
    point, direction = torch.tensor([0.5, 0.0]), torch.tensor([-1.0, 1.0])
    g = complex_line(lambda z: z[:, 0] - z[:, 1], point, direction)  # zero at t = 1/4
    assert turns(around(picture_of(g, domain=(-0.5, 1, -0.5, 0.5), resolution=30))) == 1


def test_complex_line_needs_matching_shapes() -> None:
    with pytest.raises(ShapeError, match=r"\(3,\).*\(4,\)"):
        complex_line(lambda z: z, torch.ones(3), torch.ones(4))
