"""The network of Shaham et al. by its numbers, the images, and the attacks in closed form."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import holonet.papers.shaham2015.networks as module
from holonet.attacks import AttackResult, ThreatModel, margin_of
from holonet.data import Dataset, load_digits
from holonet.errors import DataError
from holonet.papers.shaham2015.networks import at_32, attacked, network
from holonet.training import accuracy

DIGITS = load_digits()


def of_size(side: int, *, channels: int = 1, dtype: torch.dtype = torch.float32) -> Dataset:
    generator = torch.Generator().manual_seed(side)
    x = torch.rand(6, channels, side, side, generator=generator).to(dtype)
    y = torch.arange(6) % 2
    return Dataset(x[:4], y[:4], x[4:], y[4:], num_classes=2, name="toy")


def test_the_authors_network():
    net = network(32, 10, 0)
    assert sum(p.numel() for p in net.parameters()) == 832 + 51264 + 51400 + 2010
    assert net(torch.zeros(3, 1, 32, 32)).shape == (3, 10)
    assert [type(m) for m in net if not list(m.parameters())] == [
        nn.ReLU, nn.MaxPool2d, nn.ReLU, nn.MaxPool2d, nn.Flatten, nn.ReLU,
    ]  # fmt: skip


@pytest.mark.parametrize("width", [4, 8, 16])
def test_narrower_networks_have_the_same_shape(width):
    assert network(width, 7, 0)(torch.zeros(1, 1, 32, 32)).shape == (1, 7)


def test_the_seed_decides_the_weights_and_nothing_else_does():
    before = torch.get_rng_state()
    one, same, other = network(4, 10, 3), network(4, 10, 3), network(4, 10, 4)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(next(one.parameters()), next(other.parameters()))


@given(side=st.integers(1, 32))
def test_images_are_enlarged_padded_and_normalized(side):
    data = of_size(side)
    large = at_32(data)
    assert large.feature_shape == (1, 32, 32)
    assert float(large.x_train.mean()) == pytest.approx(0, abs=1e-5)
    assert float(large.x_train.std()) == pytest.approx(1, abs=1e-5)
    factor = 32 // side
    first = (32 - factor * side) // 2
    inside = slice(first, first + factor * side)
    core = large.x_test[:, :, inside, inside][:, :, ::factor, ::factor]
    scale = (core.max() - core.min()) / (data.x_test.max() - data.x_test.min()).clamp(min=1e-9)
    if side > 1:
        expected = (data.x_test - data.x_test.min()) * scale + core.min()
        torch.testing.assert_close(core, expected, rtol=1e-3, atol=1e-3)
    if factor * side < 32:
        assert len(large.x_test[:, :, :first].unique()) <= 1
        assert large.x_test[0, 0, -1, -1] == large.x_train[0, 0, -1, -1]


def test_mnist_is_padded_by_two():
    data = of_size(28)
    data = replace(data, x_train=torch.ones(4, 1, 28, 28), x_test=torch.ones(2, 1, 28, 28))
    bright = at_32(data).x_test > 0
    assert bright[:, :, 2:-2, 2:-2].all()
    assert int(bright.sum()) == 2 * 28 * 28


@pytest.mark.parametrize(
    "data",
    [
        of_size(33),
        of_size(8, channels=3),
        of_size(8, dtype=torch.complex64),
        of_size(8).flattened(),
    ],
    ids=["large", "color", "complex", "flat"],
)
def test_other_data_are_refused(data):
    with pytest.raises(DataError, match="gray images"):
        at_32(data)


def linear(seed: int) -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    """A model of two classes, the row that decides, and its offset."""
    torch.manual_seed(seed)
    layer = nn.Linear(9, 2)
    return (
        nn.Sequential(nn.Flatten(), layer),
        (layer.weight[1] - layer.weight[0]).detach(),
        (layer.bias[1] - layer.bias[0]).detach(),
    )


DUAL = {"Linf": 1, "L1": float("inf"), "L2": 2}


@settings(max_examples=4)
@given(seed=st.integers(0, 1000), eps=st.floats(1e-3, 1))
def test_on_a_linear_model_all_is_known(seed, eps):
    model, row, offset = linear(seed)
    data = of_size(3)
    x, y = data.x_test.flatten(1), data.y_test
    margin = (x @ row + offset) * (2 * y - 1)
    threats = {norm: ThreatModel(norm, eps, None) for norm in DUAL}
    found = attacked(model, model, data, threats, steps=5, seed=0)
    for norm, dual in DUAL.items():
        worst = margin - eps * torch.linalg.vector_norm(row, dual)
        if (worst.abs() < 1e-3).any() or (margin.abs() < 1e-3).any():
            continue
        left = float((worst > 0).double().mean())
        assert found["one_step"][norm] == found["pgd"][norm] == found["existing"][norm] == left
        moved = (margin.sigmoid() - worst.sigmoid()).abs()
        broken_before = margin <= 0
        if not broken_before.any() and norm != "L1":
            assert found["change"][norm] <= float(moved.mean()) + 1e-4


@given(seed=st.integers(0, 1000))
def test_nothing_moves_at_radius_zero(seed):
    model, *_ = linear(seed)
    data = of_size(3)
    threats = {"none": ThreatModel("Linf", 0.0, None)}
    found = attacked(model, linear(seed + 1)[0], data, threats, steps=3, seed=0)
    clean = accuracy(model, data.x_test, data.y_test)
    for key in ("one_step", "pgd", "existing"):
        assert found[key]["none"] == clean
    assert found["change"]["none"] == 0


@settings(max_examples=6)
@given(seed=st.integers(0, 1000))
def test_existing_examples_are_those_of_the_other_model(seed):
    model, row, offset = linear(seed)
    other, direction, shift = linear(seed + 1)
    data = of_size(3)
    x, sign = data.x_test.flatten(1), 2 * data.y_test - 1
    right = (x @ direction + shift) * sign > 0  # what is wrong already is left alone
    moved = x - 0.3 * (sign * right)[:, None] * direction.sign()
    margins = (moved @ row + offset) * sign
    found = attacked(model, other, data, {"t": ThreatModel("Linf", 0.3, None)}, steps=1, seed=0)
    assert found["existing"]["t"] == float((margins > 0).double().mean())


def test_what_one_step_breaks_pgd_has_broken(monkeypatch):
    def lazy(model, x, y, threat, **options):
        return AttackResult(x, margin_of(model(x), y))

    monkeypatch.setattr(module, "pgd", lazy)
    model, *_ = linear(0)
    data = of_size(3)
    data = replace(data, y_test=model(data.x_test).argmax(1))
    found = attacked(model, model, data, {"t": ThreatModel("Linf", 9.0, None)}, steps=1, seed=0)
    assert found["pgd"] == found["one_step"] == {"t": 0}


def test_alarms_are_counted_and_no_warning_is_issued():
    """A model of constant logits has no gradient to follow."""
    data = of_size(3)
    layer = nn.Linear(9, 2)
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor([1.0, 0.0]))
    model = nn.Sequential(nn.Flatten(), layer)
    threats = {norm: ThreatModel(norm, 0.1, None) for norm in ("Linf", "L2")}
    found = attacked(model, model, data, threats, steps=3, seed=0)
    assert found["alarms"]["zero gradient"] == 2  # the one example that is right, in both


def test_attacks_on_a_network_are_ordered_and_more_steps_find_more():
    data = at_32(DIGITS.subset(test=20))
    model, baseline = network(4, 10, 0), network(4, 10, 1)
    threats = {norm: ThreatModel(norm, eps, None) for norm, eps in (("Linf", 0.02), ("L2", 0.5))}
    found = attacked(model, baseline, data, threats, steps=5, seed=0)
    clean = accuracy(model, data.x_test, data.y_test)
    for norm in threats:
        assert found["pgd"][norm] <= found["one_step"][norm] <= clean
        assert 0 < found["change"][norm] < 1
    own = attacked(model, model, data, threats, steps=1, seed=0)
    assert own["existing"] == own["one_step"]
