"""Linear forms with errors."""

import math
from fractions import Fraction

import mpmath
import torch

from holonet.certify import Enclosure
from holonet.certify.enclosure import Ball
from holonet.certify.rows import Rows

F64 = torch.float64


def test_differences_are_margins():
    rows = Rows.differences(torch.tensor([2, 0]), 3, 2)
    logits = torch.tensor([[1.0, 2.0, 5.0], [7.0, 3.0, 4.0]], dtype=F64)
    box = Enclosure(logits[None], torch.zeros(1, 2, 3, dtype=F64))
    expected = torch.tensor([[4.0, 3.0, 0.0], [0.0, 4.0, 3.0]], dtype=F64)
    assert torch.allclose(rows.lower(box), expected, atol=1e-12)
    assert (rows.lower(box) <= expected).all()


def test_the_lower_bound_is_below_the_exact_least_value_of_a_form():
    torch.manual_seed(0)
    value, error = torch.randn(2, 3, 4, 6, dtype=F64), 1e-3 * torch.rand(2, 3, 4, 6, dtype=F64)
    constant, slack = torch.randn(3, 4, dtype=F64), 1e-3 * torch.rand(3, 4, dtype=F64)
    box = Enclosure(torch.randn(2, 3, 6, dtype=F64), torch.rand(2, 3, 6, dtype=F64))
    lower = Rows(value, error, constant, slack).lower(box)
    for i in range(3):
        for k in range(4):
            exact = Fraction(constant[i, k].item()) - Fraction(slack[i, k].item())
            for w, e, c, r in zip(
                value[:, i, k].flatten().tolist(),
                error[:, i, k].flatten().tolist(),
                box.center[:, i].flatten().tolist(),
                box.radius[:, i].flatten().tolist(),
                strict=True,
            ):
                exact += min(
                    (Fraction(w) + s * Fraction(e)) * (Fraction(c) + t * Fraction(r))
                    for s in (-1, 1)
                    for t in (-1, 1)
                )
            assert lower[i, k].item() <= exact
            assert exact - Fraction(lower[i, k].item()) < 0.1


def test_sums_of_forms_and_constants_keep_their_errors():
    torch.manual_seed(0)
    rows = Rows.differences(torch.tensor([0]), 3, 1)
    more = rows.plus(torch.full((1, 3), 2.0, dtype=F64), torch.full((1, 3), 0.5, dtype=F64))
    both = more.beside(more)
    assert torch.equal(both.value, 2 * rows.value)
    assert torch.equal(both.constant, torch.full((1, 3), 4.0, dtype=F64))
    assert (both.slack >= 1.0).all()
    assert (both.slack < 1.0 + 1e-12).all()


def test_a_form_of_what_is_unknown_has_no_lower_bound():
    rows = Rows.differences(torch.tensor([0]), 2, 1)
    box = Enclosure(torch.zeros(1, 1, 2).double(), torch.tensor([[[math.inf, 0.0]]]).double())
    assert rows.lower(box).tolist() == [[-math.inf, -math.inf]]


def test_forms_of_entries_are_the_entries_with_a_sign():
    x = torch.randn(2, 3, 2, 2, dtype=F64)
    box = Enclosure(x, torch.zeros_like(x))
    for sign in (1.0, -1.0):
        rows = Rows.entries(x.shape, torch.arange(8), sign)
        expected = sign * x.transpose(0, 1).flatten(1)
        assert torch.allclose(rows.lower(box), expected, atol=1e-12)
        assert torch.equal(
            Rows.entries(x.shape, torch.tensor([3, 6]), sign).lower(box), rows.lower(box)[:, [3, 6]]
        )


def test_the_lower_bound_on_a_ball_is_just_below_the_least_value_of_a_form():
    torch.manual_seed(0)
    value, error = torch.randn(1, 3, 4, 6, dtype=F64), 1e-3 * torch.rand(1, 3, 4, 6, dtype=F64)
    numbers = torch.zeros(3, 4, dtype=F64)
    middle, length = torch.randn(1, 3, 6, dtype=F64), torch.tensor([2.0, 1e-9, 0.0], dtype=F64)
    everything = torch.full_like(middle, 9.0)
    box = Enclosure(middle, everything, Ball(middle, length))
    for given in (torch.zeros_like(error), error):
        lower = Rows(value, given, numbers, numbers).lower(box)
        with mpmath.workdps(40):
            for i in range(3):
                for k in range(4):
                    w, e, m = (
                        [mpmath.mpf(v) for v in part[0, i].flatten().tolist()]
                        for part in (value[:, :, k], given[:, :, k], middle)
                    )
                    inside = mpmath.fdot(w, m) - mpmath.mpf(length[i].item()) * mpmath.norm(w)
                    worst = [a - mpmath.sign(n) * b for a, b, n in zip(w, e, m, strict=True)]
                    least = mpmath.fdot(worst, m) - mpmath.mpf(length[i].item()) * mpmath.norm(
                        worst
                    )
                    assert lower[i, k].item() <= least
                    assert inside - lower[i, k].item() < (1e-13 if not given.any() else 0.1)
    narrow = Enclosure(middle, everything / 1e9, Ball(middle, length))
    assert (Rows(value, error, numbers, numbers).lower(narrow)[0] > lower[0]).all()


def test_squares_that_underflow_are_paid_on_a_ball():
    value = torch.full((1, 1, 1, 4), 1e-170, dtype=F64)
    numbers, middle = torch.zeros(1, 1, dtype=F64), torch.zeros(1, 1, 4, dtype=F64)
    length = torch.tensor([1e160], dtype=F64)
    box = Enclosure(middle, torch.full_like(middle, 1e300), Ball(middle, length))
    lower = Rows(value, torch.zeros_like(value), numbers, numbers).lower(box)
    assert lower.item() <= -2e-10
