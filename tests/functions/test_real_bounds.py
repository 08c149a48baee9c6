"""Ranges on real intervals, against mpmath and against sampling."""

import math
from dataclasses import replace

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.errors import InputTypeError
from holonet.functions import (
    CATALOGUE,
    blaschke,
    derivative_bound,
    extremal_points,
    get_function,
    moebius,
    polynomial,
    range_on,
    rounding_bound,
)
from holonet.functions.real_bounds import _facts

FAMILIES = [
    polynomial([0.5, -1, 0, 2]),
    polynomial([1, -3, 3, -1]),
    polynomial([0.1, 1, -1e3, 0, 1e5]),
    polynomial([2.0]),
    moebius(1, -1, 0.5, 2),
]
RECORDS = [r for r in CATALOGUE.values() if r.real_on_real] + FAMILIES
KNOWN = [r for r in RECORDS if _facts(r) is not None]
NAMES = {
    n: getattr(mpmath, n)
    for n in [
        "exp",
        "sin",
        "cos",
        "tan",
        "sinh",
        "cosh",
        "tanh",
        "asinh",
        "atan",
        "log",
        "sqrt",
        "erf",
    ]
}


def value(record, x):
    """The function at x to 40 digits; its formula is its definition."""
    return eval(record.formula, {**NAMES, "z": mpmath.mpf(x)})


def derivatives(record, x):
    with mpmath.workdps(40):
        series = mpmath.taylor(lambda t: value(record, t), mpmath.mpf(x), 3)
        return [c * math.factorial(k) for k, c in enumerate(series)]


def intervals(record, generator, count):
    """Intervals of very different lengths, some of them at a turn, none at a singularity."""
    turns = [t for row in _facts(record).turns for t in row] or [0.0]
    center = 3 * torch.randn(count, generator=generator, dtype=torch.float64)
    chosen = torch.tensor(turns, dtype=torch.float64)
    center[::2] = chosen[torch.randint(len(turns), (len(center[::2]),), generator=generator)]
    length = 10 ** (13 * torch.rand(count, generator=generator, dtype=torch.float64) - 12)
    share = torch.rand(count, generator=generator, dtype=torch.float64)
    return center - share * length, center + (1 - share) * length


@each("record", KNOWN, ids=lambda r: r.formula)
def test_no_value_of_mpmath_lies_outside_of_the_range(record):
    generator = torch.Generator().manual_seed(1)
    low, high = intervals(record, generator, 8)
    ranges = [range_on(record, low, high, order) for order in range(4)]
    for i in range(len(low)):
        if not math.isfinite(ranges[0][0][i]):
            continue
        for share in (0.0, 0.37, 1.0):
            x = max(
                min(low[i].item() + share * (high - low)[i].item(), high[i].item()), low[i].item()
            )
            for order, exact in enumerate(derivatives(record, x)):
                least, largest = (bound[i].item() for bound in ranges[order])
                assert mpmath.mpf(least) <= exact <= mpmath.mpf(largest), (order, x)


@each("record", KNOWN, ids=lambda r: r.formula)
def test_samples_lie_inside_and_the_range_is_attained(record):
    generator = torch.Generator().manual_seed(2)
    low, high = intervals(record, generator, 40)
    points = low + torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None] * (high - low)
    points = torch.minimum(torch.maximum(points, low), high)
    for order in range(4):
        least, largest = range_on(record, low, high, order)
        known = least.isfinite()
        assert known.any()
        values = _facts(record).derivatives[order](points)[:, known]
        least, largest = least[known], largest[known]
        assert (values >= least).all()
        assert (values <= largest).all()
        spread = values.amax(0) - values.amin(0)
        slack = (
            1e-4 * spread
            + 1e-11 * (1 + values.abs().amax(0)) * (1 + points.abs().amax(0)[known]) ** 3
        )
        if record not in FAMILIES:
            assert (values.amin(0) - least <= slack).all(), order
            assert (largest - values.amax(0) <= slack).all(), order
        bound = derivative_bound(record, low[known], high[known], order)
        assert (values.abs() <= bound).all()


@each("record", [r for r in KNOWN if r.monotone], ids=lambda r: r.formula)
def test_monotone_records_have_the_values_at_the_ends(record):
    low = torch.linspace(-3, 3, 61, dtype=torch.float64)
    least, largest = range_on(record, low, low + 0.1)
    for end, x in ((least, low), (largest, low + 0.1)):
        exact = record(x)
        assert ((end - exact).abs() <= 1e-14 * exact.abs() * 16 + 1e-290).all()


@each(
    ("record", "low", "high"),
    [
        (CATALOGUE["log"], -0.1, 1.0),
        (CATALOGUE["log"], 0.0, 1.0),
        (CATALOGUE["sqrt"], -2.0, -1.0),
        (CATALOGUE["reciprocal"], -1.0, 1.0),
        (CATALOGUE["tan"], 1.0, 2.0),
        (CATALOGUE["moebius"], -5.0, 0.0),
        (CATALOGUE["exp"], math.nan, 0.0),
        (CATALOGUE["tanh"], 0.0, math.inf),
        (polynomial([1j, 1]), 0.0, 1.0),
    ],
    ids=str,
)
def test_the_range_is_infinite_where_a_singularity_is_in_reach(record, low, high):
    low, high = (torch.tensor([x], dtype=torch.float64) for x in (low, high))
    least, largest = range_on(record, low, high)
    assert least.item() == -math.inf
    assert largest.item() == math.inf
    assert derivative_bound(record, low, high, 2).item() == math.inf


def test_other_records_have_ranges_by_discs_or_none():
    low, high = (torch.tensor([x], dtype=torch.float64) for x in (0.0, 0.1))
    record = moebius(1j, 0, 0.25j, 1j)  # z / (1 + z/4), known on discs
    least, largest = range_on(record, low, high)
    assert -0.01 < least.item() <= 0
    assert 0.1 / 1.025 <= largest.item() < 0.11
    assert derivative_bound(record, low, high, 2).item() < 0.6
    least, largest = range_on(blaschke([0.25, -0.5]), low, high)
    assert -0.2 < least.item() < largest.item() < -0.05
    record = replace(get_function("exp"), name="another")
    least, largest = range_on(record, low, high)
    assert not least.isfinite().any()
    assert largest.item() == math.inf
    assert rounding_bound(record, low, high).item() == math.inf


@each("record", KNOWN, ids=lambda r: r.formula)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_values_of_torch_are_within_the_rounding_bound(record, dtype):
    generator = torch.Generator().manual_seed(3)
    x = (4 * torch.randn(60, generator=generator, dtype=torch.float64)).to(dtype)
    if record.name in ("log", "sqrt"):
        x = x.abs()
    wide = x.double()
    bound = rounding_bound(record, wide, wide) * torch.finfo(dtype).eps / 2
    got = record(x)
    with mpmath.workdps(40):
        for point, near, error in zip(wide.tolist(), got.tolist(), bound.tolist(), strict=True):
            assert abs(mpmath.mpf(near) - value(record, point)) <= error + 1e-44, point


@given(seed=st.integers(0, 2**32))
def test_a_larger_interval_has_a_larger_range(seed):
    generator = torch.Generator().manual_seed(seed)
    record = KNOWN[seed % len(KNOWN)]
    low, high = intervals(record, generator, 20)
    for order in range(4):
        inner = range_on(record, low, high, order)
        outer = range_on(record, low - 0.01, high + 0.01, order)
        slack = 1e-12 * (1 + outer[1].abs().nan_to_num(posinf=0))
        assert (outer[0] <= inner[0] + slack).all()
        assert (outer[1] >= inner[1] - slack).all()


def test_the_range_is_attained_at_extremal_points():
    for name in ("gelu", "sin", "square", "softplus"):
        record = get_function(name)
        low = torch.linspace(-4, 3, 40, dtype=torch.float64)
        high = low + torch.linspace(0, 5, 40, dtype=torch.float64)
        points = torch.stack(extremal_points(record, low, high))
        assert bool(((points >= low) & (points <= high)).all())
        values = record(points)
        least, largest = range_on(record, low, high)
        torch.testing.assert_close(values.amin(0), least, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(values.amax(0), largest, rtol=1e-12, atol=1e-12)


def test_no_points_are_named_where_a_singularity_is_on_the_axis():
    one = torch.ones(1)
    for record in (get_function("tan"), get_function("log"), blaschke([0.5])):
        with pytest.raises(InputTypeError, match="the range of"):
            extremal_points(record, one, 2 * one)
