"""Three families of one size, and measures of their logits that are exact where known."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from holonet.data import load_digits
from holonet.errors import UnknownNameError
from holonet.nn import HolomorphicClassifier, real_parameter_count
from holonet.papers.barati2022.networks import (
    FAMILIES,
    build_network,
    centered_logits,
    logit_energy,
    mean_value_defect,
    train_network,
)
from holonet.papers.barati2022.settings import Network, Training

TRAINING = Training(hidden=(6,), epochs=2, batch_size=50, lr=1e-2)


class Quadratic(nn.Module):
    """Logits a . x + x^T diag(b) x + c, one row of coefficients for each class."""

    def __init__(self, linear, curved) -> None:
        super().__init__()
        self.linear, self.curved = linear, curved

    def forward(self, x):
        return x @ self.linear.mT + x.square() @ self.curved.mT


@settings(max_examples=6)
@given(st.integers(4, 40), st.integers(2, 10), st.integers(3, 20), st.integers(0, 99))
def test_families_have_one_size(features, classes, width, seed) -> None:
    nets = {f: build_network(f, features, classes, (width,), seed) for f in FAMILIES}
    counts = {f: real_parameter_count(net) for f, net in nets.items()}
    step = features + classes + 1  # what one unit more costs
    assert all(abs(n - counts["holomorphic"]) <= step for n in counts.values())
    assert isinstance(nets["holomorphic"], HolomorphicClassifier)
    assert any(isinstance(m, nn.Softplus) for m in nets["softplus"])
    assert any(isinstance(m, nn.ReLU) for m in nets["relu"])


def test_weights_follow_the_seed_and_leave_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    x = torch.rand(3, 8, generator=torch.Generator().manual_seed(0))
    for family in FAMILIES:
        first, again, other = (build_network(family, 8, 3, (4,), s)(x) for s in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
    with pytest.raises(UnknownNameError, match="unknown family 'tanh'"):
        build_network("tanh", 8, 3, (4,), 0)


@given(st.integers(0, 999))
def test_the_energy_of_a_quadratic(seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    linear, curved, x = (
        torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (3, 3, 7)
    )
    jacobian = linear + 2 * curved * x[:, None]
    expected = float(jacobian.square().sum((1, 2)).mean()) / 2
    assert logit_energy(Quadratic(linear, curved), x) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=2)
@given(st.integers(0, 999), st.floats(0.1, 3.0))
def test_the_defect_of_a_quadratic(seed, radius) -> None:
    """With all 4 directions in a frame the means over spheres of cubics are exact."""
    generator = torch.Generator().manual_seed(seed)
    linear = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    curved = torch.randn(3, 4, generator=generator, dtype=torch.float64)
    x = torch.zeros(2, 4, dtype=torch.float64)
    harmonic = curved - curved.mean(1, keepdim=True)
    assert mean_value_defect(Quadratic(linear, harmonic), x, radius) < 1e-12
    found = mean_value_defect(Quadratic(linear, curved), x, radius, count=400)
    a = linear - linear.mean(0)
    b = curved - curved.mean(0)
    gap = (radius**2 * b.mean(1)).square().sum()
    fourth = radius**4 * (2 * b.square().sum(1) + b.sum(1).square()).sum() / (4 * 6)
    assert found == pytest.approx(
        float(gap / (fourth + radius**2 * a.square().sum() / 4)), rel=0.2, abs=1e-6
    )


def test_the_noise_of_few_directions_is_not_taken_for_a_defect() -> None:
    """In 40 dimensions a frame has 32 directions, and the means are not exact."""
    generator = torch.Generator().manual_seed(0)
    curved = torch.randn(3, 40, generator=generator, dtype=torch.float64)
    harmonic = Quadratic(torch.zeros(3, 40).double(), curved - curved.mean(1, keepdim=True))
    x = torch.zeros(30, 40, dtype=torch.float64)
    draws = torch.tensor([mean_value_defect(harmonic, x, 1.0, seed=s) for s in range(20)])
    assert draws.abs().max() > 0
    assert abs(float(draws.mean())) < 4 * float(draws.std()) / 20**0.5


def test_the_defect_sees_corners_and_not_the_scale() -> None:
    x = torch.rand(20, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    relu = nn.Sequential(nn.Identity(), nn.Linear(6, 3, dtype=torch.float64), nn.ReLU())
    found = mean_value_defect(relu, x, 1.0)
    assert found > 1e-3
    scaled = nn.Sequential(relu, Quadratic(100 * torch.eye(3).double(), torch.zeros(3, 3).double()))
    assert mean_value_defect(scaled, x, 1.0) == pytest.approx(found, rel=1e-9)
    constant = Quadratic(torch.zeros(3, 6).double(), torch.zeros(3, 6).double())
    assert mean_value_defect(constant, x, 1.0) == 0


def test_what_is_common_to_all_logits_is_not_seen() -> None:
    x = torch.rand(5, 4)
    shifted = centered_logits(lambda x: x + x.sum(1, keepdim=True) ** 2, x)
    torch.testing.assert_close(shifted, centered_logits(lambda x: x, x))


@pytest.mark.parametrize(
    "family",
    ["holomorphic", *(pytest.param(f, marks=pytest.mark.slow) for f in ("relu", "softplus"))],
)
def test_the_weight_lowers_the_energy_and_training_resumes(family, tmp_path) -> None:
    data = load_digits().subset(train=200, test=30)
    models = {
        weight: train_network(Network(family, weight, 0), TRAINING, data, tmp_path / str(weight))
        for weight in (0.0, 3.0)
    }
    x = data.x_test
    assert logit_energy(models[3.0], x) < logit_energy(models[0.0], x)
    again = train_network(Network(family, 3.0, 0), TRAINING, data, tmp_path / "3.0")
    assert torch.equal(again(x), models[3.0](x))
    assert not again.training
