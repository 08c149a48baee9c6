"""Bounds on discs, against samples on their circles, where the modulus is largest."""

import math

import torch

from cases import each
from holonet.functions import CATALOGUE, blaschke, disc_bounds, moebius, polynomial
from holonet.functions.disc_bounds import _bound

RECORDS = [*CATALOGUE.values(), polynomial([1, 2j, 0, -1.5]), moebius(1, 2j, 0.5, 1 - 1j)]
KNOWN = [r for r in RECORDS if _bound(r) is not None]


def discs(record, count=60):
    generator = torch.Generator().manual_seed(0)
    center = record.base_point + torch.randn(count, generator=generator, dtype=torch.complex128)
    radius = 10 ** (12 * torch.rand(count, generator=generator, dtype=torch.float64) - 11.5)
    return center, radius


@each("record", KNOWN, ids=lambda r: r.formula)
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
        (blaschke([0.25, -0.5]), 0j, 0.1),
    ],
    ids=str,
)
def test_a_disc_that_meets_a_singularity_or_an_unknown_record_has_no_bound(record, center, radius):
    bounds = disc_bounds(
        record, torch.tensor([center], dtype=torch.complex128), torch.tensor([radius]).double()
    )
    assert [b.item() for b in bounds] == [math.inf] * 3
