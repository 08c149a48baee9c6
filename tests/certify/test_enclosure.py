"""Boxes by midpoint and radius, and what a certificate speaks of."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.certify import EXACT, Enclosure, Semantics
from holonet.certify.enclosure import Ball
from holonet.errors import ConfigError, InputTypeError

seeds = st.integers(0, 2**32)
F64 = torch.float64


@given(seed=seeds)
def test_a_box_between_two_ends_holds_them_exactly(seed):
    generator = torch.Generator().manual_seed(seed)
    low = torch.randn(1, 3, 5, generator=generator, dtype=F64)
    length = 10 ** (14 * torch.rand(low.shape, generator=generator, dtype=F64) - 13)
    high = low + length
    box = Enclosure.between(low, high)
    for center, radius, a, b in zip(
        *(t.flatten().tolist() for t in (box.center, box.radius, low, high)), strict=True
    ):
        assert Fraction(center) - Fraction(radius) <= Fraction(a)
        assert Fraction(b) <= Fraction(center) + Fraction(radius)
        assert radius <= (b - a) / 2 * (1 + 1e-14) + abs(center) * 3e-16 + 1e-299
    for center, radius, a, b in zip(
        *(t.flatten().tolist() for t in (box.center, box.radius, box.low, box.high)), strict=True
    ):
        assert Fraction(a) <= Fraction(center) - Fraction(radius)
        assert Fraction(center) + Fraction(radius) <= Fraction(b)
    assert (box.contains(low) >= 0).all()
    assert (box.contains(high + 1e-9) < 0).all()
    assert (box.size >= torch.maximum(low.abs(), high.abs())).all()


def test_where_nothing_is_known_the_radius_is_infinite_and_the_center_0():
    center = torch.tensor([[[math.nan, 1.0, math.inf]]], dtype=F64)
    box = Enclosure(center, torch.tensor([[[1.0, math.nan, 2.0]]], dtype=F64))
    assert box.center.tolist() == [[[0.0, 0.0, 0.0]]]
    assert box.radius.isinf().all()
    assert (box.low == -math.inf).all()
    known = Enclosure(torch.ones(1, 1, 2).double(), torch.tensor([[[1.0, 9.0]]]).double())
    assert known.where_known(5.0).radius.tolist() == [[[1.0, math.inf]]]


def test_real_numbers_become_complex_ones_with_an_imaginary_part_of_0():
    box = Enclosure(torch.ones(1, 2, 3).double(), torch.ones(1, 2, 3).double())
    whole = box.as_complex()
    assert whole.is_complex
    assert whole.as_complex() is whole
    assert not whole.center[1].any()
    assert not whole.radius[1].any()


def test_gamma_bounds_the_error_of_sums_in_the_dtype():
    assert EXACT.unit == 0
    assert EXACT.largest == math.inf
    assert EXACT.gamma(10) >= 10 * 2.0**-53
    single = Semantics(torch.float32)
    assert single.gamma(10) >= 10 * 2.0**-24 + 10 * 2.0**-53
    assert single.tiny == torch.finfo(torch.float32).tiny
    generator = torch.Generator().manual_seed(0)
    for n in (3, 100, 4000):
        a, b = torch.randn(2, n, generator=generator)
        exact = sum(Fraction(x) * Fraction(y) for x, y in zip(a.tolist(), b.tolist(), strict=True))
        size = (a.double() * b.double()).abs().sum().item()
        for order in (torch.arange(n), torch.randperm(n, generator=generator)):
            error = abs(Fraction((a[order] @ b[order]).item()) - exact)
            assert error <= single.gamma(n + 1) * size
    with pytest.raises(ConfigError, match="too long"):
        single.gamma(2**23)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.complex64])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(InputTypeError, match="exact arithmetic"):
        Semantics(dtype)


def test_a_ball_goes_with_its_examples_and_is_lost_where_a_number_may_overflow():
    center = torch.arange(6.0).view(1, 3, 2).double()
    ball = Ball(center, torch.tensor([1.0, 2.0, 3.0]).double())
    box = Enclosure(center, torch.ones_like(center), ball)
    some = box.at(torch.tensor([2, 0]))
    assert some.center.tolist() == some.ball.middle.tolist() == [[[4, 5], [0, 1]]]
    assert some.ball.length.tolist() == [3, 1]
    assert box.where_known(5.0).ball.length.tolist() == [1, 2, math.inf]
    assert box.widened(1.0).ball is None
    assert Enclosure(center, torch.ones_like(center)).at(torch.tensor([1])).ball is None


def test_the_cut_of_two_boxes_is_what_is_in_both():
    first = Enclosure(torch.tensor([[[0.0, 1.0]]]).double(), torch.tensor([[[2.0, 1.0]]]).double())
    second = Enclosure(
        torch.tensor([[[3.0, 0.0]]]).double(), torch.tensor([[[2.0, math.inf]]]).double()
    )
    cut = first.cut(second)
    ends = torch.cat([cut.low, cut.high]).flatten()
    assert torch.allclose(ends, torch.tensor([1.0, 0.0, 2.0, 2.0]).double(), atol=1e-14)
