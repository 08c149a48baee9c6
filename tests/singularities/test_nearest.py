"""Nearest singularities against formulas: places, kinds, and what is not there."""

import cmath
import math
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet.singularities.loops import KINDS
from holonet.singularities.nearest import BOUNDS, find_singularities
from line_functions import as_rows

REACH = 4.0
CENTERS = (-2.0, -1.0, 0.0, 1.0, 2.0)


def search(functions, *, centers=CENTERS, confirm: bool = True, reach: float = REACH):
    count = len(functions)
    rows = torch.arange(count).repeat_interleave(len(centers))
    center = torch.tensor(centers, dtype=torch.float64).repeat(count)
    return find_singularities(as_rows(functions), rows, center, reach, confirm=confirm)


def nearest(found, row: int = 0) -> tuple[complex, str]:
    known = found.known.at(found.known.confirmed & (found.known.row == row))
    first = int(known.place.abs().argmin())
    return complex(known.place[first]), KINDS[known.kind[first]]


scales = st.floats(0.5, 4.0)
shifts = st.floats(-1.0, 1.0)
few = settings(max_examples=3)  # see the fuzz for more


@few
@given(scales, shifts)
def test_tanh_has_a_pole_at_a_quarter_turn_over_its_weight(w: float, b: float) -> None:
    place, kind = nearest(search([lambda t: torch.tanh(w * t + b) + 0.1 * t]))
    assert kind == "pole"
    assert abs(place - (0.5j * math.pi - b) / w) < 1e-6 * abs(place)


@few
@given(st.floats(1.0, 4.0), shifts)
def test_softplus_has_a_logarithm_at_half_a_turn_over_its_weight(w: float, b: float) -> None:
    place, kind = nearest(search([lambda t: torch.log(1 + torch.exp(w * t + b))]))
    assert kind == "logarithm"
    assert abs(place - (1j * math.pi - b) / w) < 1e-3 * abs(place)


@few
@given(shifts, st.floats(0.1, 3.0), st.booleans())
def test_roots_of_a_quadratic_have_a_branch_point_at_its_zero(
    a: float, b: float, inverse: bool
) -> None:
    def f(t: torch.Tensor) -> torch.Tensor:
        root = torch.sqrt((t - a) ** 2 + b * b)
        return 1 / root if inverse else root

    place, kind = nearest(search([f]))
    assert kind == "square root"
    assert abs(place - complex(a, b)) < 5e-3 * abs(place)


def test_entire_functions_have_none_and_are_clear() -> None:
    found = search([torch.exp, lambda t: t**4 - t, torch.sin, torch.ones_like])
    assert bool((found.discs.radius == REACH).all())
    assert not len(found.known.row)


def test_a_conjugate_pair_is_one_singularity_of_the_upper_half_plane() -> None:
    found = search([lambda t: 1 / (t * t + 1)]).known
    assert found.place[found.confirmed].tolist() == pytest.approx([1j])


def test_poles_of_an_approximation_of_rounding_are_not_confirmed() -> None:
    def noisy(t: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(t.shape, generator=generator, dtype=torch.float64)
        return 1 / (t * t + 1) + 1e-13 * noise

    found = search([noisy], centers=(0.0,))
    assert nearest(found)[0] == pytest.approx(1j)
    assert int(found.known.confirmed.sum()) == 1


def test_poles_of_an_approximation_along_a_cut_are_not_confirmed() -> None:
    def softplus(t: torch.Tensor) -> torch.Tensor:
        return torch.log(1 + torch.exp(t))

    assert int(search([softplus]).known.confirmed.sum()) == 1
    assert int(search([softplus], confirm=False).known.confirmed.sum()) > 3


def test_a_cut_in_front_of_a_singularity_is_not_taken_for_it() -> None:
    def turned(t: torch.Tensor) -> torch.Tensor:  # the branch point 3i, its cut turned to the left
        return torch.sqrt(1j * (t - 3j) * 1j) * torch.sqrt(-(t + 3j))

    found = search([turned], centers=(0.0,))
    place, _ = nearest(search([lambda t: turned(t) + turned(t.conj()).conj()]))
    assert abs(place - 3j) < 0.02
    assert float(found.discs.radius[0]) <= 3.0


def test_a_pole_below_rounding_at_the_center_is_found_by_discs_that_move_towards_it() -> None:
    def gelu(t: torch.Tensor) -> torch.Tensor:  # by tanh, which is 1 to rounding about z = 8
        z = 8 - t
        return z * (1 + torch.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2

    roots = [
        root - 8
        for k in range(-30, 30)
        for root in cubic_roots(1j * math.pi * (k + 0.5) / math.sqrt(2 / math.pi))
    ]
    place, kind = nearest(search([gelu], centers=(0.0,), reach=30.0))
    assert kind == "pole"
    assert abs(place) == pytest.approx(min(map(abs, roots)), rel=1e-2)


def cubic_roots(c: complex) -> list[complex]:
    """The solutions of z + 0.044715 z^3 = c."""
    a = 1 / 0.044715
    companion = torch.tensor([[0, -a, a * c], [1, 0, 0], [0, 1, 0]], dtype=torch.complex128)
    return torch.linalg.eigvals(companion).tolist()


@each("family", ["rational", "tanh", "softplus", "roots", "composed"])
def test_the_nearest_of_many_terms_is_found(family: str) -> None:
    """Sums of up to five terms whose singularities are known; see the fuzz for more."""
    generator = random.Random(family)
    functions, truth = [], []
    for _ in range(2):
        terms = [term(family, generator) for _ in range(generator.randint(1, 5))]
        parts = [f for f, _ in terms]
        functions.append(lambda t, parts=parts: sum(f(t) for f in parts))
        truth.append(min((abs(p) for _, places in terms for p in places)))
    found = search(functions)
    wrong = []
    for row, distance in enumerate(truth):
        if distance < REACH and abs(abs(nearest(found, row)[0]) - distance) > 3e-2 * distance:
            wrong.append((row, distance, nearest(found, row)))
    assert not wrong


def term(family: str, generator: random.Random):
    """A function and its singularities."""
    a, b = generator.uniform(-3, 3), math.exp(generator.uniform(math.log(0.2), math.log(4)))
    c = math.exp(generator.uniform(-2, 2))
    w, d = math.exp(generator.uniform(-0.5, 1)), generator.uniform(-1, 1)
    if family == "rational":
        return (lambda t: c / ((t - a) ** 2 + b * b)), [complex(a, b)]
    if family == "tanh":
        return (lambda t: c * torch.tanh(w * t + d)), [(0.5j * math.pi - d) / w]
    if family == "softplus":
        return (lambda t: c * torch.log(1 + torch.exp(w * t + d))), [(1j * math.pi - d) / w]
    if family == "roots":
        return (lambda t: c / torch.sqrt((t - a) ** 2 + b * b)), [complex(a, b)]
    inner = [cmath.atanh(1j * math.pi * (k + 0.5) / 2 - d / 2) for k in range(-20, 20)]
    places = [(u + 1j * math.pi * m - d) / w for u in inner for m in (-1, 0, 1)]
    return (lambda t: c * torch.tanh(2 * torch.tanh(w * t + d) + d)), places


def test_the_bounding_factor_is_what_one_step_of_radii_leaves() -> None:
    assert BOUNDS > 1.45
