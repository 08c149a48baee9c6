"""What is measured of networks, against closed forms."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from holonet.data import Dataset, load_digits
from holonet.errors import CheckpointError, DataError
from holonet.studies.hypothesis import measures
from holonet.studies.hypothesis.settings import Attack, Member, Network, Training, Trial
from holonet.training import accuracy


class Two(nn.Module):
    """Logits (f, -f), whose centered logits are f and -f."""

    def __init__(self, f) -> None:
        super().__init__()
        self.f = f

    def forward(self, x):
        values = self.f(x)
        return torch.stack([values, -values], 1)


def test_the_gradient_of_the_harmonic_part() -> None:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weight = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    def gradients(f, radius=0.7):
        return measures.harmonic_gradients(Two(f), x, radius)[:, :3]

    linear = gradients(lambda x: x @ weight + 3)
    assert torch.allclose(linear, weight.expand(5, 3), atol=1e-6)
    saddle = gradients(lambda x: x[:, 0] * x[:, 1])  # harmonic: its own gradient
    assert torch.allclose(saddle[:, :2], x[:, [1, 0]], atol=1e-6)
    radial = gradients(lambda x: x.square().sum(1))  # constant on spheres about 0, and linear rest
    assert torch.allclose(radial, 2 * x, atol=1e-6)
    even = measures.harmonic_gradients(Two(lambda x: (x - 1).abs().sum(1)), torch.ones(1, 3), 0.3)
    assert float(even.abs().max()) < 1e-6


def data() -> Dataset:
    return load_digits().subset(train=200, test=60)


def member(**changes) -> Member:
    network = Network("square", "real", "parameters", (8,))
    trial = Trial(Training(1, 50, 1e-2, 0.1), Attack("pgd", 0.1, 40, 3, 1), "digits", "", 200)
    return replace(Member(network, "linearized", 0, trial), **changes)


def test_a_network_is_trained_once_and_read_back(tmp_path: Path) -> None:
    fractions: list[float] = []
    first = measures.train(member(), data(), tmp_path, fractions.append)
    assert first["robust"] <= first["clean"] + 0.3
    assert (first["examples"], first["seed"], first["name"]) == (40, 0, "real-square-8")
    assert fractions[-1] == pytest.approx(0.9)
    again = measures.trained(member(), data(), tmp_path)
    assert accuracy(again, data().x_test, data().y_test) == first["clean"]
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="does not exist"):
        measures.trained(member(), data(), tmp_path)


def test_a_half_written_network_is_trained_to_the_same_end(tmp_path: Path) -> None:
    whole = measures.train(member(), data(), tmp_path / "whole", lambda fraction: None)

    class Killed(BaseException):
        pass

    def kill(fraction: float) -> None:
        if fraction > 0.4:
            raise Killed

    with pytest.raises(Killed):
        measures.train(member(), data(), tmp_path / "half", kill)
    assert not (tmp_path / "half" / "model.safetensors").exists()
    assert measures.train(member(), data(), tmp_path / "half", lambda fraction: None) == whole


def test_stronger_attacks_break_no_less_and_keep_nothing(tmp_path: Path) -> None:
    measures.train(member(), data(), tmp_path, lambda fraction: None)
    model = measures.trained(member(), data(), tmp_path)
    attack = Attack("pgd", 0.1, 20, 3, 1)
    weak = measures.attacked(model, data(), attack, tmp_path)["robust"]
    strong = measures.attacked(model, data(), replace(attack, name="strong"), tmp_path)["robust"]
    assert strong <= weak
    assert not (tmp_path / "attacks").exists()


def test_measures_of_an_affine_network_are_in_closed_form() -> None:
    torch.manual_seed(0)
    x, y = torch.rand(6, 2) * torch.tensor([0.5, 6.0]), torch.zeros(6, dtype=torch.long)
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)).eval()
    model[0].weight.data = torch.eye(2)
    model[0].bias.data.zero_()
    model[2].weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])  # u = tanh(x_1), -tanh(x_1)
    model[2].bias.data.zero_()
    found = measures.measured(model, x, y, 0.2)
    slope = 1 - torch.tanh(x[:, 0]).square()
    assert found["raw_energy"] == pytest.approx(float(slope.square().mean()), rel=1e-4)
    size = 2 * torch.tanh(x[:, 0]).square().mean()
    assert found["energy"] == pytest.approx(found["raw_energy"] / float(size), rel=1e-4)
    first = (torch.tanh(x[:, 0]) / slope).median()
    assert found["first_order"] == pytest.approx(float(first), rel=1e-4)
    poles = (x[:, 0].square() + (torch.pi / 2) ** 2).sqrt()  # of tanh, on the line along x_1
    assert found["singularity"] == pytest.approx(float(poles.median()), rel=0.05)
    assert found["defect"] > 0


def test_transfer_has_agreement_1_with_itself_and_refuses_networks_that_know_little() -> None:
    digits = data()
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        means = [digits.x_train[digits.y_train == k].flatten(1).mean(0) for k in range(10)]
        model[1].weight.copy_(torch.stack(means))
        model[1].bias.copy_(-model[1].weight.square().sum(1) / 2)
    attack = Attack("pgd", 0.1, 60, 3, 1)
    found = measures.transfer({"a": model, "b": model}, digits, attack, 0.8)
    for name in ("harmonic", "gradients", "answers", "logits"):
        assert torch.tensor(found[name]).flatten().tolist() == pytest.approx([1.0] * 4, abs=1e-5)
    assert found["rates"][0] == found["rates"][1]
    wrong = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with torch.no_grad():
        wrong[1].weight.copy_(-model[1].weight)
        wrong[1].bias.copy_(-model[1].bias)
    with pytest.raises(DataError, match="at least 20 are needed"):
        measures.transfer({"a": model, "b": wrong}, digits, attack, 0.8)
