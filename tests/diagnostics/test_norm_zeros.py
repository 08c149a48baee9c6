"""Zeros of variances, where GELU behind a normalization hides them from circles."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.continuation import Continuation, extend
from holonet.diagnostics import analyticity
from holonet.diagnostics.lines import ModelOnLines, line_model
from holonet.diagnostics.norm_zeros import nearest_zeros


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit_lines(x: Tensor, seed: int) -> Tensor:
    """The random directions of `analyticity`."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(x.shape, generator=generator, dtype=torch.float64)
    return v / v.norm(dim=1, keepdim=True)


def secant_zero(f: Continuation, x: Tensor, v: Tensor, start: complex) -> complex:
    """Where the variance that is least at x + start v is 0, by secants from there."""

    def variances(t: complex) -> Tensor:
        with torch.no_grad():
            return torch.cat(f.zeros(x + t * v), 1)[0].nan_to_num(nan=math.inf)

    which = int(variances(start).abs().argmin())
    before, t = start, start * (1 + 1e-3)
    for _ in range(30):
        old, new = complex(variances(before)[which]), complex(variances(t)[which])
        if old == new:
            break
        before, t = t, t - new * (t - before) / (new - old)
    return t


def behind_a_norm(eps: float) -> nn.Module:
    return nn.Sequential(nn.LayerNorm(2, eps=eps), nn.Linear(2, 6), nn.GELU(), nn.Linear(6, 2))


@settings(max_examples=2)  # a network is worth many lines
@given(seed=st.integers(0, 10**6))
def test_gelu_behind_a_layer_norm_of_two_numbers_branches_at_the_variances_zero(seed: int) -> None:
    torch.manual_seed(seed)
    eps, reach = 0.1, 8.0
    x = normal(6, 2, seed=seed)
    v = unit_lines(x, seed)
    options = {"outputs": "logits", "directions": ["random"], "centers": 1, "seed": seed}
    found = analyticity(behind_a_norm(eps), x, reach=reach, **options)
    for i in range(6):  # ((x0 - x1) / 2 + t (v0 - v1) / 2)^2 + eps = 0
        gap, slope = (float(part[i, 0] - part[i, 1]) / 2 for part in (x.double(), v))
        expected = complex(-gap / slope, math.sqrt(eps) / abs(slope))
        if abs(expected) < 0.9 * reach:
            assert complex(found.place[i, 0]) == pytest.approx(expected, rel=1e-6)
        elif abs(expected) > 1.1 * reach:
            assert found.kinds[i] != ["branch point"]


@settings(max_examples=2)
@given(seed=st.integers(0, 10**6))
def test_places_behind_two_norms_are_zeros_of_a_variance(seed: int) -> None:
    torch.manual_seed(seed)
    norms = [nn.LayerNorm(3, eps=0.05), nn.GroupNorm(2, 4, eps=0.1)]
    body = [norms[0], nn.Linear(3, 4), nn.GELU(), norms[1], nn.GELU(), nn.Linear(4, 2)]
    net = nn.Sequential(nn.Linear(3, 3), *body).double()
    x = normal(4, 3, seed=seed).double()
    v = unit_lines(x, seed)
    options = {"outputs": "logits", "directions": ["random"], "centers": 1, "seed": seed}
    found = analyticity(net, x, reach=10.0, **options)
    for i in range(4):
        if found.kinds[i][0] in ("unresolved", "none within reach"):
            continue
        place = complex(found.place[i, 0])
        zero = secant_zero(extend(net), x[i : i + 1], v[i : i + 1], place)
        assert abs(zero - place) < 0.02 * abs(place)


def test_a_norm_that_nothing_depends_on_is_no_singularity() -> None:
    """The control: the same norm, whose scale is 0, and so a function without singularities."""
    net = behind_a_norm(0.1)
    with torch.no_grad():
        net[0].weight.zero_()  # type: ignore[operator, union-attr]
    body = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2))

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net, self.body = net, body

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x) + 0.5 * x

    found = analyticity(Both(), normal(3, 2, seed=0), outputs="logits", directions=["random"])
    assert found.kinds == [["none within reach"]] * 3


def test_zeros_of_a_far_variance_are_infinite_and_of_a_near_one_exact() -> None:
    x = torch.tensor([[1.0, -1.0], [0.5, 0.5]], dtype=torch.float64)
    model, points = line_model(behind_a_norm(0.04), x, "refused")
    assert model.has_zeros
    v = torch.tensor([[[0.6, -0.8]], [[1.0, 0.0]]], dtype=torch.float64)
    lines = ModelOnLines(model, points, v, torch.zeros(2, dtype=torch.long), None, 256)
    place = nearest_zeros(lines, torch.arange(2), 1.0)
    assert place[0].real.isinf()  # (1 + 0.7 t)^2 + 0.04 = 0 at |t| = 1.46
    assert complex(place[1]) == pytest.approx(0.4j, abs=1e-6)  # (t / 2)^2 + 0.04 = 0


def test_other_singularities_are_left_to_circles() -> None:
    net = nn.Sequential(nn.LayerNorm(2), nn.Tanh())
    assert not line_model(net, torch.ones(1, 2), "refused")[0].has_zeros
    assert not line_model(nn.GELU(), torch.ones(1, 2), "refused")[0].has_zeros
