"""States of lines: found, none within reach, unresolved; never a guess."""

import math

import pytest
import torch
from torch import Tensor

from holonet.calculus import ConvergenceRadius
from holonet.diagnostics import Analyticity, analyticity
from holonet.diagnostics.analyticity_report import FOUND, NO_DIRECTION, NONE_WITHIN, UNRESOLVED
from holonet.diagnostics.analyticity_search import Search
from holonet.singularities.nearest import Singularities

X = torch.zeros(1, 1, dtype=torch.float64)


def look(f, reach: float = 4.0) -> Analyticity:
    return analyticity(
        lambda x: f(x[:, :1]), X, outputs="logits", directions=["random"], reach=reach
    )


def test_a_singularity_just_beyond_reach_is_none_within_it() -> None:
    found = look(lambda t: 1 / (t * t + 4.2**2))
    assert found.state.tolist() == [[NONE_WITHIN]]
    assert float(found.clear) < 4.0
    assert float(found.distance) == math.inf


def test_what_grows_too_fast_is_unresolved_beyond_a_clear_disc() -> None:
    found = look(lambda t: torch.exp(-((3 * t) ** 4)) / (1 + 0 * t))
    assert found.state.tolist() == [[UNRESOLVED]]
    assert math.isnan(float(found.distance))
    assert 0.2 < float(found.clear) < 4.0
    assert float(found.radius[0, 0, 0]) == math.inf


def test_a_jump_of_a_principal_branch_is_told_from_a_singularity() -> None:
    a = 2.0 + 1.0j  # the cut of log(t - a) log(t - conj a) runs to the left, past the origin

    def f(t: Tensor) -> Tensor:
        return torch.log((t - 2) ** 2 + 1)

    found = look(f)
    assert found.state.tolist() == [[FOUND]]
    assert complex(found.place) == pytest.approx(a, rel=1e-3) or complex(
        found.place
    ) == pytest.approx(-a.conjugate(), rel=1e-3)


def test_without_a_gradient_there_is_no_direction() -> None:
    found = analyticity(
        lambda x: 0 * x[:, :1], X, outputs="logits", directions=["gradient"], reach=1.0
    )
    assert found.state.tolist() == [[NO_DIRECTION]]
    assert found.kinds == [["no direction"]]


@pytest.mark.parametrize(
    ("distance", "pole", "upper", "state"),
    [
        (1.4, 1.4, 5.0, FOUND),  # it bounds the clear disc of radius 1
        (3.0, math.inf, 3.5, FOUND),  # the formula jumps, the series says that nothing is nearer
        (3.0, 1.2, 3.5, UNRESOLVED),  # something else bounds the disc
        (3.0, math.inf, 2.0, UNRESOLVED),  # the series says that something is nearer
        (4.2, math.inf, 5.0, NONE_WITHIN),
    ],
)
def test_a_singularity_is_taken_where_nothing_nearer_is_suspected(
    distance: float, pole: float, upper: float, state: int
) -> None:
    place = torch.tensor([1j * distance], dtype=torch.complex128)
    known = Singularities(
        torch.tensor([0]), place, torch.tensor([1]), place, torch.tensor([-1.0]).double()
    )
    search = Search("logits", ("random",), 4.0, 2.0, 5)
    clear, nearest = (torch.tensor(v, dtype=torch.float64) for v in (1.0, pole))
    row = search.line(known, clear, nearest, ConvergenceRadius(upper - 0.5, 0.5, upper, 20))
    assert int(row["state"]) == state
