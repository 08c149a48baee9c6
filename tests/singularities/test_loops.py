"""Circles round candidates: poles by contour integrals, branch points by values that differ."""

import cmath
import math

import pytest
import torch

from cases import each
from holonet.singularities.loops import KINDS, go_round
from line_functions import as_rows

PLACE = 0.3 + 0.8j

CASES = {
    "pole": (lambda t: 2 / (t - PLACE) + torch.exp(t), "pole", -1.0, 2.0),
    "double pole": (lambda t: (1 + t) / (t - PLACE) ** 2, "pole", -2.0, 1 + PLACE),
    "square root": (lambda t: t + torch.sqrt(t - PLACE), "square root", 0.5, None),
    "inverse root": (lambda t: torch.cos(t) / torch.sqrt(t - PLACE), "square root", -0.5, None),
    "logarithm": (lambda t: torch.exp(t) + torch.log(PLACE - t), "logarithm", 0.0, None),
    "t log t": (lambda t: (t - PLACE) * torch.log(t - PLACE), "logarithm", 1.0, None),
    "third root": (lambda t: (t - PLACE) ** (1 / 3), "branch point", 1 / 3, None),
    "essential": (lambda t: torch.exp(0.1 / (t - PLACE)), "undecided", math.nan, None),
}


@each("name", list(CASES))
def test_kind_exponent_and_residue_of_a_known_singularity(name: str) -> None:
    f, kind, exponent, strength = CASES[name]
    place = torch.tensor([PLACE], dtype=torch.complex128)
    found = go_round(as_rows([f]), torch.tensor([0]), place, torch.tensor([0.1]).double())
    assert KINDS[found.kind[0]] == kind
    assert float(found.exponent[0]) == pytest.approx(exponent, abs=5e-3, nan_ok=True)
    if strength is not None:
        assert complex(found.strength[0]) == pytest.approx(strength, rel=1e-6)


def test_a_logarithm_does_not_close_by_two_pi_i_times_its_factor() -> None:
    place = torch.tensor([PLACE], dtype=torch.complex128)
    f = as_rows([lambda t: 3 * torch.log(t - PLACE)])
    found = go_round(f, torch.tensor([0]), place, torch.tensor([0.1]).double())
    assert abs(complex(found.strength[0])) == pytest.approx(6 * math.pi, rel=1e-6)


def test_nothing_is_confirmed_where_nothing_is() -> None:
    cut_behind = PLACE - cmath.exp(0.5j)
    functions = [
        torch.exp,
        torch.zeros_like,
        lambda t: 1e-14 * torch.cos(1e3 * t.real) + t,  # rounding
        lambda t: torch.sqrt((t - cut_behind) * cmath.exp(-1j * cmath.pi)),  # its cut crosses
        lambda t: t / 0,
    ]
    place = torch.full((5,), PLACE, dtype=torch.complex128)
    found = go_round(as_rows(functions), torch.arange(5), place, torch.full((5,), 0.1).double())
    assert found.kind.tolist() == [0] * 5
    assert bool(found.exponent.isnan().all())


def test_a_place_that_is_off_is_moved_onto_a_pole() -> None:
    place = torch.tensor([PLACE + 2e-3, PLACE - 5e-3j], dtype=torch.complex128)
    functions = [lambda t: 1 / (t - PLACE) + t, lambda t: 1j / (t - PLACE) + torch.exp(t)]
    found = go_round(as_rows(functions), torch.arange(2), place, torch.full((2,), 0.1).double())
    assert found.exponent.tolist() == [-1.0, -1.0]
    assert float((found.place - PLACE).abs().max()) < 1e-8
