"""The interface of regularizers, on the smallest one."""

import pytest
import torch
from torch import nn

from cases import each
from holonet.calculus import Probes
from holonet.calculus.examples import square_norms
from holonet.errors import ConfigError
from holonet.regularizers import (
    DirichletEnergy,
    GradientNorm,
    LaplacianPenalty,
    MeanValuePenalty,
    Regularizer,
)
from holonet.regularizers.regularizer import mean_square_norm


class Size(Regularizer):
    """Mean |f(z) + noise|^2: a penalty that uses its probes."""

    def value_and_penalty(self, f, z, probes=None):
        value = f(z)
        return value, mean_square_norm(value + (probes or Probes()).like(value))


def test_a_regularizer_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Regularizer()  # pyright: ignore[reportAbstractUsage]


def test_a_call_is_the_penalty_and_hands_the_probes_on():
    z = torch.randn(4, 3)
    value, penalty = Size().value_and_penalty(torch.sin, z, Probes(2))
    assert torch.equal(value, torch.sin(z))
    assert torch.equal(Size()(torch.sin, z, Probes(2)), penalty)
    assert not torch.equal(Size()(torch.sin, z, Probes(3)), penalty)


@each("dtype", [torch.float64, torch.complex128])
@each("shape", [(4,), (4, 3), (4, 2, 3)])
def test_the_mean_square_norm(dtype, shape):
    v = torch.randn(shape, dtype=dtype)
    expected = torch.stack([(x * x.conj()).sum().real for x in v]).mean()
    torch.testing.assert_close(mean_square_norm(v), expected)
    torch.testing.assert_close(
        square_norms(v.conj()), torch.stack([(x * x.conj()).sum().real for x in v])
    )


def test_an_estimate_is_the_mean_of_draws_with_its_standard_error():
    z = torch.randn(4, 3)
    stream = Probes(5)
    draws = torch.stack([Size()(torch.sin, z, stream) for _ in range(10)])
    found = Size().estimate(torch.sin, z, 10, Probes(5))
    torch.testing.assert_close(found.value, draws.mean())
    torch.testing.assert_close(found.standard_error, draws.std() / 10**0.5)


def test_an_estimate_is_detached_and_exact_without_probes():
    layer = torch.nn.Linear(3, 2)
    z = torch.randn(4, 3)
    found = DirichletEnergy(count=None).estimate(layer, z, 2)
    assert found.standard_error == 0
    assert not found.value.requires_grad
    torch.testing.assert_close(found.value, layer.weight.detach().square().sum() / 2)


@pytest.mark.parametrize("count", [1, 0, -3])
def test_an_error_needs_two_draws(count):
    with pytest.raises(ConfigError, match=rf"count={count}"):
        Size().estimate(torch.sin, torch.randn(2, 3), count)


@pytest.mark.parametrize(
    "penalty", [DirichletEnergy(), GradientNorm(), LaplacianPenalty(), MeanValuePenalty(0.1)]
)
def test_batch_norm_in_train_mode_shows_its_running_statistics(penalty):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Tanh())
    x = torch.rand(8, 4)
    model(x)
    before = {k: v.clone() for k, v in model.named_buffers()}
    found = penalty(model, x, Probes(1))
    assert model.training
    torch.testing.assert_close(dict(model.named_buffers()), before)
    torch.testing.assert_close(found, penalty(model.eval(), x, Probes(1)))
