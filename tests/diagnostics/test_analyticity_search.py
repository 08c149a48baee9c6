"""States of lines: found, none within reach, unresolved; never a guess."""

import math

import pytest
import torch
from torch import Tensor

from holonet.diagnostics import Analyticity, analyticity
from holonet.diagnostics.analyticity_report import FOUND, NO_DIRECTION, NONE_WITHIN, UNRESOLVED

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
    found = look(lambda t: torch.exp(-((3 * t) ** 4)))
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
