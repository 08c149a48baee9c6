"""Files of networks and certificates: exact matrices, clear refusals."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from enclosed import F64, linf, quartics
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.certify import certify, files, save_certificate, save_network
from holonet.errors import ConfigError, InputTypeError
from holonet.threats import ThreatModel


def plain(single=False):
    """A convolutional network with one affine layer in each place."""
    real = torch.float32 if single else F64
    return nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Threshold(6.0, 0.5, channels=1, dtype=real),
            nn.Conv2d(1, 3, 3, stride=2, padding=1, dtype=real),
            nn.Square(),
            nn.Flatten(),
            nn.Linear(12, 5, dtype=real),
            nn.Square(),
            nn.Linear(5, 3, dtype=real),
        )
    )


def values_of_the_file(path, x):
    file, z = np.load(path), x.flatten(1).double().numpy()
    if len(file["middle"]):
        scaled = np.exp(file["log_slope"]) * (z - file["middle"])
        z = (1 + torch.erf(torch.tensor(scaled))).numpy() / 2
    for i, squared in enumerate(file["squares"], start=1):
        z = z @ file[f"weight{i}"].T + file[f"bias{i}"]
        z = z * z if squared else z
    return z


@pytest.mark.parametrize("single", [False, True])
def test_the_matrices_are_the_network(single: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = plain(single)
    x = torch.rand(5, 1, 4, 4, dtype=torch.float32 if single else F64)
    save_network(model, x, tmp_path / "net.npz")
    expected = model(x).detach().double().numpy()
    found = values_of_the_file(tmp_path / "net.npz", x)
    assert np.allclose(found, expected, atol=1e-5 if single else 1e-12)
    file = np.load(tmp_path / "net.npz")
    assert file["squares"].tolist() == [1, 1, 0]
    weights = model.backbone[1].weight.detach().double().numpy()
    assert np.isin(file["weight1"][file["weight1"] != 0], weights).all()


def test_layers_in_a_row_are_kept_apart_and_squares_without_a_layer_have_the_identity(tmp_path):
    torch.manual_seed(0)
    for model, shape, squares in (
        (quartics()["convolution"][0], (1, 4, 4), [1, 0, 1, 0, 0]),
        (nn.Sequential(nn.Square(), nn.Linear(4, 3, dtype=F64), nn.Square()), (4,), [1, 1, 0]),
        (tnn.Linear(4, 3, dtype=F64), (4,), [0]),
        (nn.Sequential(nn.Square(), nn.Square()), (4,), [1, 1, 0]),
    ):
        x = torch.rand(5, *shape, dtype=F64)
        save_network(model, x, tmp_path / "net.npz")
        expected = model(x).detach().numpy()
        assert np.allclose(values_of_the_file(tmp_path / "net.npz", x), expected, atol=1e-12)
        assert np.load(tmp_path / "net.npz")["squares"].tolist() == squares


def test_certificates_name_their_network_and_carry_their_witness(tmp_path):
    torch.manual_seed(0)
    model = plain()
    x = torch.rand(1, 1, 4, 4, dtype=F64)
    network = save_network(model, x, tmp_path / "net.npz")
    y = model(x).argmax(1)
    proof = certify(model, x, y, linf(0.01), ["second_order"])[0]
    save_certificate(proof, x, network, tmp_path / "c.npz")
    file = np.load(tmp_path / "c.npz")
    claim = json.loads(str(file["claim"]))
    assert claim["network"] == network
    assert set(claim["witness"]) == {str(k) for k in range(3) if k != int(y)}
    assert file["margins"].tolist() == list(proof.margins)
    assert file["example"].tolist() == x.flatten().tolist()


def test_other_examples_and_lost_witnesses_are_refused(tmp_path):
    torch.manual_seed(0)
    model, x = plain(), torch.rand(2, 1, 4, 4, dtype=F64)
    y = model(x).argmax(1)
    proof = certify(model, x[:1], y[:1], linf(0.01), ["second_order"])[0]
    with pytest.raises(ConfigError, match="another example"):
        save_certificate(proof, x[1:], "", tmp_path / "c.npz")
    other = replace(proof, threat=ThreatModel("L2", 0.01))
    with pytest.raises(ConfigError, match="norm 'Linf', not 'L2'"):
        save_certificate(other, x[:1], "", tmp_path / "c.npz")
    with pytest.raises(ConfigError, match="no witness"):
        save_certificate(replace(proof, witness={}), x[:1], "", tmp_path / "c.npz")
    for method in ("intervals", "tangents"):
        proof = certify(model, x[:1], y[:1], linf(0.01), [method])[0]
        claim = np.load(save_certificate(proof, x[:1], "", tmp_path / "c.npz"))["claim"]
        assert json.loads(str(claim))["method"] == method


@each(
    ("model", "shape", "match"),
    [
        (tnn.Sequential(nn.Threshold(), nn.Threshold(), nn.Square()), (1, 4), "one threshold"),
        (tnn.Sequential(tnn.Linear(4, 3), tnn.ReLU()), (1, 4), r"1 \(ReLU\): files hold networks"),
        (nn.Sequential(nn.Linear(4, 3, dtype=F64), nn.Tanh()), (1, 4), "Tanh"),
        (nn.HolomorphicClassifier(nn.Linear(4, 3)), (1, 4), "stored real numbers"),
        (nn.Sequential(nn.Square(), nn.FrozenNorm(4, dtype=F64)), (1, 4), "rounded"),
        (tnn.Sequential(tnn.AvgPool2d(3), tnn.Flatten()), (1, 1, 6, 6), "rounded"),
    ],
    ids=str,
)
def test_other_networks_are_refused(model, shape, match, tmp_path):
    with pytest.raises(InputTypeError, match=match):
        save_network(model, torch.rand(shape, dtype=F64), tmp_path / "net.npz")


def test_matrices_that_are_too_large_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_LARGEST", 11)
    with pytest.raises(InputTypeError, match="at most 11 numbers, and this one has 4 x 3"):
        save_network(tnn.Linear(4, 3), torch.rand(1, 4), tmp_path / "net.npz")


def test_a_threshold_behind_a_reshape_has_the_shape_there(tmp_path):
    torch.manual_seed(0)
    threshold = nn.Threshold(3.0, 0.5, dtype=F64)
    model = tnn.Sequential(nn.Flatten(), threshold, nn.Linear(4, 3, dtype=F64), nn.Square())
    x = torch.rand(1, 1, 2, 2, dtype=F64)
    save_network(model, x, tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as file:
        assert file["weight1"].shape == (3, 4)
        assert file["middle"].shape == (4,)
