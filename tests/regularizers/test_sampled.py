"""Which examples are probed and along what: unbiased, and the same however a batch is split."""

import math

import complextorch.nn as cnn
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each, some_of
from holonet import nn
from holonet.calculus import Probes
from holonet.calculus.channels import complex_from_channels
from holonet.errors import ConfigError, InputTypeError
from holonet.regularizers import (
    CauchyRiemannPenalty,
    HardyPenalty,
    LaplacianPenalty,
    MeanValuePenalty,
    PluriharmonicPenalty,
)
from holonet.regularizers.sampled import (
    SampledRegularizer,
    ThinnedProbes,
    require_complex_points,
    require_complex_values,
    sphere_directions,
    unit_directions,
)

DTYPES = [torch.float32, torch.float64, torch.complex64, torch.complex128]


class Size(SampledRegularizer):
    """Mean |f|^2, whose estimate is exact up to the choice of examples."""

    def _exact(self, f, z):
        return f(z).abs().square().sum(1)

    def _estimate(self, f, z, probes):
        assert probes.like(z).shape == z.shape
        return self._exact(f, z)


@given(examples=st.integers(1, 40), every=st.integers(1, 20), seed=st.integers(0, 2**32))
def test_one_example_of_every_group_with_the_weight_of_its_group(examples, every, seed):
    thinned = ThinnedProbes(Probes(seed), examples, every)
    rows, weights = thinned.choose()
    size = min(every, examples)
    assert len(rows) == len(weights) == max(1, examples // size)
    starts = [size * k for k in range(len(rows))]
    ends = [*starts[1:], examples]
    for row, weight, start, end in zip(rows, weights, starts, ends, strict=True):
        assert start <= row < end
        assert math.isclose(float(weight), (end - start) / examples, rel_tol=1e-12)


@pytest.mark.parametrize("repeats", [600, pytest.param(3000, marks=pytest.mark.slow)])
def test_every_example_is_chosen_equally_often(repeats):
    counts, probes = torch.zeros(7), Probes(0)
    for _ in range(repeats):
        rows, weights = ThinnedProbes(probes, 7, 3).choose()  # groups of 3 and 4
        counts[rows] += weights.float()
    share = counts / repeats
    assert (share - 1 / 7).abs().max() < 5 * (2 / 7) * math.sqrt(3 / 16 / repeats)


@each("dtype", DTYPES)
@each("every", [1, 3, 4])
@each("event", [(), (1,), (5,), (2, 3)])
def test_directions_have_the_identity_for_covariance(dtype, every, event):
    probes, examples = Probes(0), 1024
    z = torch.empty(len(ThinnedProbes(probes, examples, every).choose()[0]), *event, dtype=dtype)
    drawn = [ThinnedProbes(probes, examples, every).like(z) for _ in range(8)]
    assert all(v.shape == z.shape and v.dtype is dtype for v in drawn)
    v = torch.cat(drawn).reshape(-1, math.prod(event))
    torch.testing.assert_close(v.abs(), torch.ones_like(v.abs()))
    covariance = v.mT @ v.conj() / len(v)
    bound = 5 / math.sqrt(len(v))
    assert (covariance - torch.eye(v.shape[1])).abs().max() < bound
    if dtype.is_complex:
        assert (v.mT @ v / len(v)).abs().max() < bound


def test_a_batch_in_two_parts_sees_the_numbers_of_the_whole():
    z = torch.randn(16, 5)
    whole = ThinnedProbes(Probes(3), 16, 4)
    parts = [ThinnedProbes(Probes(3, first=k, total=16), 8, 4) for k in (0, 8)]
    rows, _ = whole.choose()
    split = [p.choose()[0] for p in parts]
    assert torch.equal(rows, torch.cat([split[0], split[1] + 8]))
    directions = whole.like(z[rows])
    assert torch.equal(directions, torch.cat([p.like(z[:2]) for p in parts]))


@given(seed=st.integers(0, 2**32))
def test_all_examples_are_the_mean_and_every_value_is_returned(seed):
    z = torch.randn(6, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    value, penalty = Size(2, 1).value_and_penalty(torch.sin, z, Probes(seed))
    assert torch.equal(value, torch.sin(z))
    expected = torch.sin(z).square().sum(1).mean()
    torch.testing.assert_close(penalty, expected)
    torch.testing.assert_close(Size(None, 4)(torch.sin, z), expected)


def test_a_part_of_the_examples_is_unbiased():
    z = torch.randn(7, 3, dtype=torch.float64)
    found = Size(2, 3).estimate(torch.sin, z, 400, Probes(1))
    exact = Size(None, 1)(torch.sin, z)
    assert 0 < found.standard_error < 0.05 * exact
    assert found.z_score(exact).abs() < 3


def test_the_penalty_alone_evaluates_f_on_the_chosen_examples_only():
    seen = []

    def f(z):
        seen.append(len(z))
        return z

    Size(1, 4)(f, torch.randn(16, 3))
    assert seen == [4]


def test_a_batch_smaller_than_a_group_has_one_example_probed():
    z = torch.ones(3, 2)
    assert Size(1, 16)(lambda z: z, z) == 2


@each("dtype", DTYPES)
@each("event", [(1,), (4,), (5,), (2, 3)])
def test_sphere_directions_are_isotropic_unit_vectors(dtype, event):
    v = sphere_directions(torch.empty(20_000, *event, dtype=dtype), Probes(0))
    assert v.dtype is dtype
    assert v.shape == (20_000, *event)
    x = (torch.view_as_real(v) if dtype.is_complex else v).flatten(1).double()
    d = x.shape[1]
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(x.square().sum(1), torch.ones(len(x)).double(), rtol=8 * eps, atol=0)
    bound = 5 / math.sqrt(len(x))
    assert x.mean(0).abs().max() < bound
    assert (x.mT @ x / len(x) - torch.eye(d) / d).abs().max() < bound
    fourth = 3 / (d * (d + 2))  # E x_1^4 on the sphere: no cube, no torus has it
    assert (x.pow(4).mean(0) - fourth).abs().max() < bound
    if d > 1:
        mixed = (x[:, 0] * x[:, 1]).square().mean() - 1 / (d * (d + 2))
        assert mixed.abs() < bound


def test_unit_directions_are_the_coordinates():
    z = torch.empty(2, 2, 3, dtype=torch.complex64)
    found = torch.stack(unit_directions(z))
    assert found.shape == (6, 2, 2, 3)
    for k in range(2):
        assert torch.equal(found[:, k].flatten(1), torch.eye(6, dtype=torch.complex64))


@pytest.mark.parametrize(("count", "every"), [(0, 1), (-1, 1), (1, 0), (None, -2)])
def test_bad_counts_are_refused(count, every):
    with pytest.raises(ConfigError, match=r"Size\((count|every)=(0|-1|-2)\)"):
        Size(count, every)


def test_what_is_not_a_point_is_refused():
    with pytest.raises(InputTypeError, match=r"int64.*z\.float\(\)"):
        Size(1, 1)(lambda z: z, torch.arange(3))


def test_real_points_and_values_are_refused_with_the_way_out():
    with pytest.raises(InputTypeError, match=r"asked at real points.*complex_from_channels"):
        require_complex_points(torch.ones(1), "asked")
    with pytest.raises(InputTypeError, match=r"asked of a real-valued.*PluriharmonicPenalty"):
        require_complex_values(torch.ones(1), "asked")
    require_complex_points(torch.ones(1) * 1j, "asked")
    require_complex_values(torch.ones(1) * 1j, "asked")


# What every penalty keeps.

C128 = torch.complex128
ON_COMPLEX = [
    CauchyRiemannPenalty(2, "reverse", 1),
    CauchyRiemannPenalty(2, "forward", 1),
    LaplacianPenalty(2, 1),
    PluriharmonicPenalty(2, 1),
    MeanValuePenalty(0.5, 2, 1),
    HardyPenalty(0.5, 8, 2, 1),
]
ON_REAL = [LaplacianPenalty(2, 1), MeanValuePenalty(0.5, 2, 1)]
EXACT = [
    CauchyRiemannPenalty(None),
    CauchyRiemannPenalty(None, "forward"),
    LaplacianPenalty(None),
    PluriharmonicPenalty(None),
    HardyPenalty(0.5, count=None),
]


def name(penalty):
    return f"{type(penalty).__name__}{list(vars(penalty).values())}"


def split_tanh():
    """Not holomorphic and not harmonic: no term of it cancels."""
    net = cnn.Linear(3, 4), cnn.CTanh(), cnn.Linear(4, 2)
    return nn.to_precision(torch.nn.Sequential(*net), C128)


class Channels(torch.nn.Module):
    """A plain real network on two channels, (Re z, Im z) -> (Re w, Im w)."""

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Conv1d(2, 4, 2, dtype=torch.double),
            torch.nn.Tanh(),
            torch.nn.Conv1d(4, 2, 1, dtype=torch.double),
        )

    def forward(self, x):
        return self.layers(x.view(-1, 2, 3))


def holomorphic():
    return nn.to_precision(nn.holomorphic_mlp(3, [4], 2, activation="sin"), C128).holomorphic_map


def points(dtype=C128, examples=4):
    return 0.7 * torch.randn(examples, 3, dtype=dtype)


def channels():
    model = Channels()
    return complex_from_channels(lambda x: model(x).flatten(1)), list(model.parameters())


def complextorch_network():
    model = split_tanh()
    return model, list(model.parameters())


def with_networks(penalties):
    """Pairs of a penalty and a network: each with one of the two, then each with the other."""
    builds = [complextorch_network, channels] * len(penalties)
    return [*zip(penalties, builds, strict=False), *zip(penalties, builds[1:], strict=False)]


DIFFERENTIATED = [*ON_COMPLEX, *EXACT]


@some_of(("penalty", "build"), with_networks(DIFFERENTIATED), slice(len(DIFFERENTIATED)))
def test_the_gradient_is_that_of_finite_differences(penalty, build):
    f, parameters = build()
    z, weight = points(), parameters[0]
    (gradient,) = torch.autograd.grad(penalty(f, z, Probes(1)), weight)
    direction = torch.randn_like(weight)
    h, values = 1e-6, []
    for sign in (1, -1):
        with torch.no_grad():
            weight.add_(sign * h * direction)
        values.append(float(penalty(f, z, Probes(1)).detach()))
        with torch.no_grad():
            weight.sub_(sign * h * direction)
    expected = (gradient.conj() * direction).sum().real
    assert expected.abs() > 1e-5
    assert (values[0] - values[1]) / (2 * h) == pytest.approx(float(expected), rel=1e-5, abs=1e-9)


CHEAP = [
    CauchyRiemannPenalty(),
    CauchyRiemannPenalty(1, "forward"),
    LaplacianPenalty(),
    PluriharmonicPenalty(),
]


@some_of(("penalty", "build"), with_networks(CHEAP), slice(len(CHEAP)))
def test_the_cheap_mode_is_unbiased_on_networks(penalty, build):
    f, _ = build()
    z = points(examples=400)
    found = penalty.estimate(f, z, 20, Probes(2))
    penalty.count = None
    exact = penalty(f, z).detach()
    penalty.count = 1
    assert 0 < found.standard_error < 0.1 * exact
    assert found.z_score(exact).abs() < 3


@pytest.mark.parametrize("penalty", ON_REAL, ids=name)
def test_a_plain_real_convolutional_network(penalty):
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3),
        torch.nn.Softplus(),
        torch.nn.GroupNorm(1, 3),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 5),
    )
    if isinstance(penalty, LaplacianPenalty):
        del net[2]  # forward over forward is wrong through torch's normalization layers
    x = torch.rand(6, 1, 6, 6)
    value, amount = penalty.value_and_penalty(net, x, Probes(0))
    torch.testing.assert_close(value, net(x))
    amount.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net[0].parameters())
    assert float(net[0].weight.grad.abs().max()) > 0


@pytest.mark.parametrize(
    "penalty",
    [p for p in ON_COMPLEX + EXACT if not isinstance(p, (CauchyRiemannPenalty, HardyPenalty))],
    ids=name,
)
def test_a_harmonic_network_has_none(penalty):
    """Re f with f one of holonet's own: with the default probes nothing is left to cancel."""
    f, z = holomorphic(), points()
    if isinstance(penalty, MeanValuePenalty):
        # zero in the mean only
        penalty, z = MeanValuePenalty(1.0, 1, 1), points(examples=2000)
        found = penalty.estimate(lambda z: f(z).real, z, 20, Probes(0))
        assert 0 < found.standard_error < 1e-4
        assert found.value.abs() < 3 * found.standard_error
    else:
        assert penalty(lambda z: f(z).real, z).abs() < 1e-24
        assert penalty(f, z).abs() < 1e-24


@pytest.mark.parametrize("penalty", [*ON_COMPLEX[:2], *EXACT[:2]], ids=name)
def test_a_holomorphic_network_satisfies_cauchy_and_riemann(penalty):
    assert penalty(holomorphic(), points()) < 1e-28


@each("scale", [0.0, 1e-45, 1e-40, 1e-20])
@each(
    ("penalty", "dtype"),
    [*((p, torch.complex64) for p in ON_COMPLEX), *((p, torch.float32) for p in ON_REAL)],
    ids=lambda value: name(value) if isinstance(value, SampledRegularizer) else str(value),
)
def test_gradients_are_numbers_where_the_network_is_almost_nothing(penalty, dtype, scale):
    weight = torch.full((3, 2), scale, dtype=dtype, requires_grad=True)

    def f(z):
        inside = z * z @ weight
        return inside + 0.5 * inside.conj() * z[:, :2]

    penalty(f, points(dtype)).backward()
    assert weight.grad is not None
    assert weight.grad.isfinite().all()


@each("penalty", ON_COMPLEX, ids=name)
def test_a_seed_fixes_the_penalty(penalty):
    f, z = split_tanh(), points()
    assert torch.equal(penalty(f, z, Probes(4)), penalty(f, z, Probes(4)))
    assert not torch.equal(penalty(f, z, Probes(4)), penalty(f, z, Probes(5)))


@pytest.mark.parametrize("penalty", [ON_COMPLEX[0], ON_COMPLEX[3], ON_COMPLEX[5]], ids=name)
def test_real_points_are_refused(penalty):
    with pytest.raises(InputTypeError, match=r"real points.*complex_from_channels"):
        penalty.value_and_penalty(torch.sin, torch.ones(2, 3))


@pytest.mark.parametrize("penalty", [*ON_COMPLEX[:2], *EXACT[:2], ON_COMPLEX[5]], ids=name)
def test_real_values_are_refused(penalty):
    with pytest.raises(InputTypeError, match=r"real-valued"):
        penalty(lambda z: z.real, points())
