"""The gradient norm against closed forms, its two modes, and what it says of perturbations."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cases import each
from holonet.calculus import Probes
from holonet.errors import ConfigError, InputTypeError
from holonet.nn import holomorphic_mlp
from holonet.regularizers import GradientNorm

C128 = torch.complex128
NORMS = ["L1", "L2", "Linf"]
DTYPES = [torch.float64, C128]
seeds = st.integers(0, 2**32)


def randn(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def size(row, norm):
    """The norm of a vector, by definition."""
    entries = row.abs()
    return {"L1": entries.sum(), "L2": entries.square().sum().sqrt(), "Linf": entries.max()}[norm]


def linear(a):
    """z -> Re(conj(a) z), whose gradient is a, for each row of a."""
    return lambda z: (z @ a.conj().mT).real if a.is_complex() else z @ a.mT


@each("norm", NORMS)
@each("mode", ["forward", "reverse"])
@settings(max_examples=3)
@given(
    dtype=st.sampled_from(DTYPES),
    seed=seeds,
    power=st.sampled_from([1, 2]),
    outputs=st.sampled_from(["differences", "each"]),
)
def test_linear_functions_have_the_closed_form(mode, norm, dtype, seed, power, outputs):
    a, z = randn(seed, 3, 4, dtype=dtype), randn(seed + 1, 5, 4, dtype=dtype)
    rows = list(a) if outputs == "each" else [a[k] - a[m] for k, m in ((0, 1), (0, 2), (1, 2))]
    expected = torch.stack([size(row, norm) ** power for row in rows])
    penalty = GradientNorm(norm, power, None, mode, outputs)
    value, found = penalty.value_and_penalty(linear(a), z)
    torch.testing.assert_close(value, linear(a)(z))
    torch.testing.assert_close(found, expected.mean())
    drawn = GradientNorm(norm, power, 1, mode, outputs)(linear(a), z[:1], Probes(seed))
    assert torch.isclose(drawn, expected).any()  # one pair or output, chosen at random


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@settings(max_examples=5)
@given(seed=seeds, dtype=st.sampled_from(DTYPES), norm=st.sampled_from(NORMS))
def test_one_number_an_example_is_the_function_itself(mode, dtype, norm, seed):
    a, z = randn(seed, 1, 4, dtype=dtype), randn(seed + 1, 5, 4, dtype=dtype)
    for f in (linear(a), lambda z: linear(a)(z)[:, 0]):
        found = GradientNorm(norm, mode=mode)(f, z, Probes(0))
        torch.testing.assert_close(found, size(a[0], norm))


@pytest.mark.parametrize("outputs", ["differences", "each"])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_draws_are_unbiased(mode, outputs):
    a = torch.diag(torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64))
    z = randn(0, 6000, 4)
    exact = GradientNorm("L1", 1, None, mode, outputs)(linear(a), z[:1])
    assert exact == (15 / 4 if outputs == "each" else 15 / 2)
    found = GradientNorm("L1", 1, 2, mode, outputs)(linear(a), z, Probes(3))
    torch.testing.assert_close(found, exact, rtol=0.02, atol=0)


def smooth(weights):
    """Three outputs that are neither linear nor holomorphic, of real or complex points."""

    def f(z):
        z = z.to(C128)
        inner = torch.sin(z @ weights[0].mT) * (z @ weights[1].mT).conj()
        return (inner @ weights[2].mT).real

    return f


@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=5)
@given(
    dtype=st.sampled_from(DTYPES),
    seed=seeds,
    power=st.sampled_from([1, 2]),
    count=st.integers(1, 3),
)
def test_both_modes_agree_in_value_and_gradient(norm, dtype, seed, power, count):
    weights = randn(seed, 3, 3, 3, dtype=C128).requires_grad_()
    z = randn(seed + 1, 4, 3, dtype=dtype)
    found = [
        GradientNorm(norm, power, count, mode)(smooth(weights), z, Probes(seed))
        for mode in ("forward", "reverse")
    ]
    torch.testing.assert_close(*found)
    gradients = [torch.autograd.grad(value, weights)[0] for value in found]
    torch.testing.assert_close(*gradients, rtol=1e-6, atol=1e-8)


@each("mode", ["forward", "reverse"])
@each("norm", NORMS)
@each("dtype", DTYPES)
@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_gradient_in_parameters_is_that_of_the_value(dtype, norm, mode, fast):
    weights, z = randn(0, 3, 3, 3, dtype=C128), randn(1, 4, 3, dtype=dtype)

    def penalty(weights):
        return GradientNorm(norm, 1, 2, mode)(smooth(weights), z, Probes(3))

    assert torch.autograd.gradcheck(penalty, (weights.requires_grad_(),), fast_mode=fast)


@each("mode", ["forward", "reverse"])
@each("norm", NORMS)
@each("dtype", DTYPES)
@each("power", [1, 2])
def test_constants_have_none_and_a_finite_gradient(power, dtype, norm, mode):
    weights = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
    z = randn(0, 4, 3, dtype=dtype)
    found = GradientNorm(norm, power, 1, mode)(linear(weights), z, Probes(0))
    assert found == 0
    (gradient,) = torch.autograd.grad(found, weights)
    assert gradient.isfinite().all()


def test_a_shift_common_to_all_outputs_costs_nothing_as_differences():
    z = randn(0, 4, 3)
    common = lambda z: z.sum(1, keepdim=True).expand(-1, 3) + torch.zeros(3)  # noqa: E731
    assert GradientNorm()(common, z) == 0
    assert GradientNorm(outputs="each")(common, z) == 3


@given(seed=seeds, eps=st.floats(1e-3, 1.0))
def test_weight_eps_is_the_robust_loss_of_a_linear_loss(seed, eps):
    a, x = randn(seed, 1, 4), randn(seed + 1, 3, 4)
    loss = lambda x: linear(a)(x)[:, 0]  # noqa: E731
    corners = torch.tensor(list(itertools.product((-eps, eps), repeat=4)), dtype=torch.float64)
    worst = loss((x[:, None] + corners).flatten(0, 1)).view(3, -1).amax(1).mean()
    torch.testing.assert_close(loss(x).mean() + eps * GradientNorm("L1")(loss, x), worst)


def test_complex_points_of_a_real_network_see_the_polydisc():
    """|f(z + delta) - f(z)| <= eps ||grad||_1 to first order, and reached, for |delta_j| <= eps."""
    net = holomorphic_mlp(3, [4], 1, dtype=C128)
    z, eps = randn(0, 2, 3, dtype=C128), 1e-6
    bound = GradientNorm("L1")(net, z)
    point = z.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(point).sum(), point)
    moved = net(z + eps * gradient.sgn()) - net(z)
    torch.testing.assert_close(moved.mean() / eps, bound, rtol=1e-4, atol=0)
    phases = randn(1, 200, 2, 3, dtype=C128).sgn()
    for phase in phases:
        assert (net(z + eps * phase) - net(z)).mean() / eps <= bound * (1 + 1e-4)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_norm_falls_under_gradient_descent(mode):
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))
    x = randn(0, 16, 1, 2, 3).float()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    values = []
    for _ in range(20):
        optimizer.zero_grad()
        value = GradientNorm(mode=mode)(net, x, Probes(1))
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert values[-1] < 0.9 * values[0]


def test_draws_do_not_depend_on_how_the_batch_is_split():
    a = randn(0, 5, 3)
    x = randn(1, 10, 3)
    whole = GradientNorm(count=2)(linear(a), x, Probes(4, total=10))
    parts = [
        GradientNorm(count=2)(linear(a), x[rows], Probes(4, first=int(rows[0]), total=10))
        for rows in torch.arange(10).split(4)
    ]
    torch.testing.assert_close(0.4 * parts[0] + 0.4 * parts[1] + 0.2 * parts[2], whole)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"norm": "l1"}, r"norm='l1'.*'L1', 'L2' or 'Linf'"),
        ({"power": 3}, r"power=3.*1 or 2"),
        ({"mode": "sideways"}, "sideways"),
        ({"outputs": "all"}, "outputs='all'"),
        ({"count": 0}, "count=0"),
    ],
)
def test_bad_arguments_are_refused(arguments, match):
    with pytest.raises(ConfigError, match=match):
        GradientNorm(**arguments)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_complex_values_are_refused_with_the_way_out(mode):
    with pytest.raises(InputTypeError, match="behind the readout"):
        GradientNorm(mode=mode)(torch.sin, randn(0, 2, 3, dtype=C128))
