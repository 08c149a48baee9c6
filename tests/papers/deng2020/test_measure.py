"""Measurements of small networks: shapes, starts that are shared, and what must agree."""

from functools import cache
from typing import Literal

import pytest
import torch

from cases import each, some_of
from holonet.papers.deng2020.measure import (
    KINDS,
    MAIN,
    PAPER,
    RATIOS,
    SCALES,
    STEPS,
    THRESHOLDS,
    TOLERANCES,
    WIDTHS,
    Settings,
    Size,
    measure,
    spheres,
)
from holonet.papers.deng2020.networks import NETS, loss_of
from holonet.studies.results import Result

SIZE = Size(starts=3, cap=15, inputs=4, units=12, ball_units=8)


@cache
def measured(part: Literal["ascent", "landscape", "ball"], net: str) -> Result:
    return measure(Settings(part, net, 0, SIZE))


def test_all_places_have_the_same_directions() -> None:
    x = loss_of("real-tanh", 0, 7, 3)[1]
    center, radius, delta = spheres(x, [(0.5, 0.5), (4.0, 0.25)], 6, 3)
    torch.testing.assert_close(
        center.norm(dim=1), torch.tensor([0.5, 4.0]).double().repeat_interleave(6)
    )
    torch.testing.assert_close(radius, torch.tensor([0.25, 1.0]).double().repeat_interleave(6))
    torch.testing.assert_close(delta.norm(dim=1), radius)
    torch.testing.assert_close(4 * delta[:6], delta[6:])
    assert not torch.equal(delta, spheres(x, [(0.5, 0.5), (4.0, 0.25)], 6, 4)[2])


@each("net", NETS)
def test_ascents_have_a_number_for_every_start(net: str) -> None:
    result = measured("ascent", net)
    steps = STEPS if net in PAPER else STEPS[:1]
    assert list(result["steps"]) == [f"{kind} {step:g}" for kind in KINDS for step in steps]
    for name, run in result["steps"].items():
        starts = 3 if name.endswith(" 0.1") else 2
        assert torch.tensor(run["iterations"]).shape == (len(TOLERANCES), len(SCALES), starts)
        assert torch.tensor(run["maximum"]).shape == (len(SCALES), starts)
        table = torch.tensor(run["iterations"])
        assert (table.diff(dim=0) >= 0).all()  # a stricter tolerance takes longer
        assert (table <= 15).all()
        arrived = torch.tensor(run["maximum"]) & (table[MAIN] == 15)
        assert arrived.float().mean() < 0.2  # a point that was never near is no maximum
    assert torch.tensor(result["ratios"]["iterations"]).shape[1] == len(RATIOS)
    assert len(result["widths"]) == len(WIDTHS)
    # scale 1, ratio 0.5 is measured twice
    twice = result["ratios"]["iterations"][MAIN][RATIOS.index(0.5)]
    assert twice == result["steps"]["normalised 0.1"]["iterations"][MAIN][SCALES.index(1.0)]


def test_homogeneous_networks_ascend_alike_at_all_scales() -> None:
    for net in NETS:
        apart = measured("ascent", net)["apart"]
        assert (apart < 1e-9) == (net.endswith(("square", "relu")))


@some_of("net", NETS, slice(1, None, 3))
def test_landscapes_are_in_order(net: str) -> None:
    result = measured("landscape", net)
    assert len(result["places"]) == len(SCALES)
    for place in result["places"]:
        assert len(place["distinct"]) == len(THRESHOLDS)
        assert place["distinct"] == sorted(place["distinct"], reverse=True)
        assert min(1, place["verified"]) <= place["distinct"][-1]
        assert place["distinct"][0] <= place["verified"] <= 3
        if net == "real-relu":
            assert place["bound"] is None
            assert place["verified"] == 0
        else:
            assert place["lipschitz"] <= place["bound"]
            assert max(place["zoomed"]) <= place["bound"]


def test_complex_perturbations_have_no_maximum_inside() -> None:
    size = Size(starts=16, cap=25)
    real = 0
    for seed in range(3):
        result = measure(Settings("ball", "real-sin", seed, size))
        inside = result["complex"]
        assert inside["starts"] == 64
        assert (inside["inside"], inside["concave"], inside["on sphere"]) == (0, 0, 64)
        real += result["real"]["inside"]
        assert result["real"]["inside"] + result["real"]["on sphere"] <= 64
    assert real > 30


@pytest.mark.parametrize(
    "part", ["ascent", pytest.param("landscape", marks=pytest.mark.slow), "ball"]
)
def test_a_measurement_repeats(part: Literal["ascent", "landscape", "ball"]) -> None:
    assert measure(Settings(part, "complex-sin", 0, SIZE)) == measured(part, "complex-sin")
