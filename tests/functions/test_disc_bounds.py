"""Bounds on discs, against samples on their circles, where the modulus is largest."""

import math
from dataclasses import replace

import mpmath
import pytest
import torch

from cases import each
from holonet.functions import (
    CATALOGUE,
    blaschke,
    disc_bounds,
    largest_about_zero,
    moebius,
    polynomial,
)
from holonet.functions.disc_bounds import _bound

RECORDS = [*CATALOGUE.values(), polynomial([1, 2j, 0, -1.5]), moebius(1, 2j, 0.5, 1 - 1j)]
CANCELLING = blaschke([0.9, 0.95j, -0.3], 1.0)
"""Its derivative is a sum of which the moduli are summed."""
KNOWN = [r for r in RECORDS if _bound(r) is not None]


def discs(record, count=60):
    generator = torch.Generator().manual_seed(0)
    center = record.base_point + torch.randn(count, generator=generator, dtype=torch.complex128)
    radius = 10 ** (12 * torch.rand(count, generator=generator, dtype=torch.float64) - 11.5)
    return center, radius


@each("record", [*KNOWN, CANCELLING], ids=lambda r: r.formula)
def test_no_value_on_the_disc_is_larger(record):
    center, radius = discs(record)
    bounds = disc_bounds(record, center, radius)
    known = bounds[0].isfinite()
    assert known.sum() > 20
    angles = torch.linspace(0, 2 * math.pi, 257, dtype=torch.float64)[:, None]
    z = center + torch.polar(radius * (1 - 1e-15), angles)
    for f, bound in zip(
        (record.value, record.derivative, record.second_derivative), bounds, strict=True
    ):
        values = f(z).expand(z.shape).abs()[:, known]
        assert (values <= bound[known] * (1 + 1e-12)).all()


@each("record", KNOWN, ids=lambda r: r.formula)
def test_the_bounds_tend_to_the_values_at_the_center(record):
    center, _ = discs(record)
    if record.obstacles:
        center = center[record.clearance(center) > 0.1]
    bounds = disc_bounds(record, center, torch.full(center.shape, 1e-9, dtype=torch.float64))
    for f, bound in zip((record.value, record.derivative), bounds, strict=False):
        exact = f(center).expand(center.shape).abs()
        assert (bound <= exact + 1e-5 * (1 + center.abs()) ** 2 * (1 + exact)).all()


@each(
    ("record", "center", "radius"),
    [
        (CATALOGUE["tanh"], 1.5j, 0.1),
        (CATALOGUE["log"], -1 + 0.1j, 0.2),
        (CATALOGUE["reciprocal"], 1 + 0j, 1.0),
        (CATALOGUE["softplus"], 1 + 3j, 0.2),
        (CATALOGUE["exp"], 0j, math.inf),
        (CATALOGUE["sin"], complex(math.nan, 0), 1.0),
        (blaschke([0.25, -0.5]), -1.9 + 0j, 0.2),
        (replace(CATALOGUE["exp"], name="another"), 0j, 0.1),
    ],
    ids=str,
)
def test_a_disc_that_meets_a_singularity_or_an_unknown_record_has_no_bound(record, center, radius):
    bounds = disc_bounds(
        record, torch.tensor([center], dtype=torch.complex128), torch.tensor([radius]).double()
    )
    assert [b.item() for b in bounds] == [math.inf] * 3


@pytest.mark.parametrize("radius", [1e-3, 0.5, 1.0, 1.0 + 1e-9, 1.05])
@each(
    "record",
    [
        blaschke([0.5 - 0.2j], 0.7),
        blaschke([0.9, 0.9]),
        blaschke([0.0, 0.6j, -0.3]),
        polynomial([0.1, 1, 0, 0.25]),
        polynomial([1j, -0.5, 2]),
        CATALOGUE["square"],
        CATALOGUE["identity"],
        CATALOGUE["tanh"],
        moebius(1, 0.5j, 0.25, 1),
    ],
    ids=lambda r: r.formula,
)
def test_no_value_on_a_disc_about_zero_is_larger(record, radius):
    bound = largest_about_zero(record, radius)
    angles = torch.linspace(0, 2 * math.pi, 4001, dtype=torch.float64)
    values = record.value(torch.polar(torch.full_like(angles, radius), angles)).abs()
    assert values.max() <= bound * (1 + 1e-12)
    is_sharp = record.name in ("square", "identity") or record.formula.startswith("(1/10")
    if is_sharp or (record.name == "blaschke" and (radius == 1 or "*(" not in record.formula[2:])):
        assert bound <= values.max() * (1 + 1e-5)


def test_a_blaschke_product_has_modulus_one_at_most_and_none_beyond_a_pole():
    assert largest_about_zero(blaschke([0.5, -0.9j, 0.99]), 1.0) <= 1 + 1e-13
    assert largest_about_zero(blaschke([0.5]), 2.0) == math.inf
    assert largest_about_zero(CATALOGUE["tanh"], 1.6) == math.inf


def test_values_between_two_poles_are_within_the_rounding_that_the_slope_pays():
    record = blaschke([0.9, 0.95])
    z = torch.linspace(1.06, 1.105, 400, dtype=torch.float64).to(torch.complex128)
    value, slope, _ = disc_bounds(record, z, torch.zeros(400, dtype=torch.float64))
    with mpmath.workdps(40):
        zeros = [mpmath.mpf(a) for a in (0.9, 0.95)]
        exact = [mpmath.fprod((w - a) / (1 - a * w) for a in zeros) for w in z.real.tolist()]
        error = [abs(v - e) for v, e in zip(record.value(z).real.tolist(), exact, strict=True)]
    assert (
        torch.tensor([float(e) for e in error]) <= 8 * 2.0**-53 * (value + z.abs() * slope)
    ).all()
