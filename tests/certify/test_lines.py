"""Lines below and above functions: sampled, and sharp where the shape is known."""

from dataclasses import replace

import torch

from cases import each
from holonet.certify import Enclosure
from holonet.certify.lines import lines
from holonet.functions import CATALOGUE, polynomial
from holonet.functions.real_bounds import _facts

RECORDS = [r for r in CATALOGUE.values() if r.real_on_real and _facts(r) is not None]
RECORDS += [polynomial([1, -2, 0, 0.5]), polynomial([0.0, 1.0])]
F64 = torch.float64


def intervals(count=200):
    generator = torch.Generator().manual_seed(0)
    center = 2 * torch.randn(1, 1, count, generator=generator, dtype=F64)
    radius = 10 ** (13 * torch.rand(1, 1, count, generator=generator, dtype=F64) - 12)
    return Enclosure(center, radius.clamp(max=6))


@each("record", RECORDS, ids=lambda r: r.formula)
def test_samples_lie_between_the_lines(record):
    box = intervals()
    found = lines(record, box)
    share = torch.linspace(0, 1, 301, dtype=F64)[:, None, None, None]
    x = torch.minimum(torch.maximum(box.low + share * (box.high - box.low), box.low), box.high)
    value = _facts(record).derivatives[0](x)
    known = found.floor.isfinite() & found.ceiling.isfinite()
    assert known.sum() > 50
    rounding = 4e-16 * (value.abs() + (found.below * x).abs() + (found.above * x).abs())
    below, above = found.below * x + found.floor, found.above * x + found.ceiling
    assert (below <= value + rounding)[:, known].all()
    assert (above >= value - rounding)[:, known].all()


@each("name", ["square", "exp", "softplus", "cosh"])
def test_convex_functions_have_the_tangent_below_and_the_chord_above(name):
    record = CATALOGUE[name]
    box = Enclosure(torch.zeros(1, 1, 1).double(), torch.ones(1, 1, 1).double())
    found, (f, slope, *_) = lines(record, box), _facts(record).derivatives
    ends = torch.tensor([-1.0, 1.0], dtype=F64)
    chord = (f(ends)[1] - f(ends)[0]) / 2
    assert torch.allclose(found.above.flatten(), chord, atol=1e-9)
    assert torch.allclose(found.above * 1 + found.ceiling, f(ends)[1], atol=1e-9)
    assert torch.allclose(found.below, slope(box.center).expand(1, 1, 1), atol=1e-9)


@each("name", ["tanh", "sigmoid", "erf", "atan"])
def test_s_shaped_functions_have_sharp_lines_on_wide_intervals(name):
    record = CATALOGUE[name]
    box = Enclosure(torch.full((1, 1, 1), 0.5).double(), torch.full((1, 1, 1), 3.0).double())
    found, f = lines(record, box), _facts(record).derivatives[0]
    for slope, offset, end in (
        (found.above, found.ceiling, -2.5),
        (found.below, found.floor, 3.5),
    ):
        line = slope * end + offset
        exact = f(torch.tensor(end, dtype=F64))
        assert abs(line.item() - exact.item()) < 0.02
    assert (found.above > 0).all()
    assert (found.below > 0).all()


def test_a_record_of_which_nothing_is_known_has_no_lines():
    found = lines(replace(CATALOGUE["exp"], name="another"), intervals(3))
    assert (found.floor == -torch.inf).all()
    assert (found.ceiling == torch.inf).all()
