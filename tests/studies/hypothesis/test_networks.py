"""Networks of one size, with first scales that are alike, whatever their activation."""

from dataclasses import replace

import pytest
import torch

from cases import some_of
from holonet.nn import macs, real_parameter_count
from holonet.studies.hypothesis.networks import Maxout, Mixture, build
from holonet.studies.hypothesis.settings import ANALYTIC, PIECEWISE, Network

HIDDEN = (16, 16)
COMPLEX = Network("square", "complex", "parameters", HIDDEN)


@pytest.fixture(scope="module")
def x() -> torch.Tensor:
    return torch.rand(300, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def kinds() -> list[Network]:
    real = [Network(a, "real", "parameters", HIDDEN) for a in (*ANALYTIC, *PIECEWISE)]
    return [*real, *(replace(COMPLEX, activation=a) for a in ANALYTIC)]


@some_of("network", kinds(), slice(None, None, 4))
def test_all_have_one_size_and_first_logits_of_one_scale(network: Network, x: torch.Tensor) -> None:
    target = real_parameter_count(build(COMPLEX, x, 10, 0))
    model = build(network, x, 10, 0)
    assert abs(real_parameter_count(model) / target - 1) < 0.01
    logits = model(x[:256]).detach()
    assert not logits.is_complex()
    assert 0.5 < float(logits.square().mean().sqrt()) < 1.1  # real parts lose half
    assert float(logits.mean(0).abs().max()) < 1e-3


def test_equal_multiply_adds_are_twice_the_real_parameters(x: torch.Tensor) -> None:
    target = macs(build(COMPLEX, x, 10, 0), (1, 8, 8))
    model = build(Network("tanh", "real", "macs", HIDDEN), x, 10, 0)
    assert macs(model, (1, 8, 8)) == pytest.approx(target, rel=0.01)
    assert real_parameter_count(model) > 1.8 * real_parameter_count(build(COMPLEX, x, 10, 0))


def test_weights_follow_the_seed_and_the_global_stream_is_left_alone(x: torch.Tensor) -> None:
    before = torch.get_rng_state()
    for network in (kinds()[0], kinds()[-1], replace(COMPLEX, experts=3, regions="k-means")):
        one, same, other = (build(network, x[:60], 10, seed)(x[:4]) for seed in (1, 1, 2))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_maxout_is_the_larger_of_pairs() -> None:
    assert Maxout()(torch.tensor([[1.0, 5.0, -2.0, -3.0]])).tolist() == [[5.0, -2.0]]


@pytest.mark.parametrize("regions", ["k-means", "random"])
def test_experts_and_centers_have_the_size_of_one_network(x: torch.Tensor, regions: str) -> None:
    model = build(replace(COMPLEX, experts=4, regions=regions), x, 10, 0)
    assert isinstance(model, Mixture)
    count = real_parameter_count(model) + model.get_buffer("centers").numel()
    assert count == pytest.approx(real_parameter_count(build(COMPLEX, x, 10, 0)), rel=0.02)


def test_a_mixture_weighs_by_distance_and_attacks_see_through_it() -> None:
    class Constant(torch.nn.Module):
        def __init__(self, value: float) -> None:
            super().__init__()
            self.value = value

        def forward(self, input):
            return torch.full((len(input), 2), self.value)

    mixture = Mixture([Constant(0.0), Constant(1.0)], torch.tensor([[0.0], [1.0]]), 0.01)
    x = torch.tensor([[0.0], [0.5], [1.0]], requires_grad=True)
    values = mixture(x)[:, 0]
    assert values.tolist() == pytest.approx([0.0, 0.5, 1.0], abs=1e-6)
    (gradient,) = torch.autograd.grad(values[1], x)
    assert float(gradient[1]) > 1.0
