"""Files of networks and certificates: exact matrices, clear refusals."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from enclosed import F64, linf, quartics
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.certify import certify, save_certificate, save_network
from holonet.errors import ConfigError, InputTypeError


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


@pytest.mark.parametrize("single", [False, True])
def test_the_matrices_are_the_network(single: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = plain(single)
    x = torch.rand(5, 1, 4, 4, dtype=torch.float32 if single else F64)
    save_network(model, x, tmp_path / "net.npz")
    file = np.load(tmp_path / "net.npz")
    z = x.flatten(1).double().numpy()
    z = (1 + torch.erf(torch.tensor(np.exp(file["log_slope"]) * (z - file["middle"])))).numpy() / 2
    for i in (1, 2, 3):
        z = z @ file[f"weight{i}"].T + file[f"bias{i}"]
        z = z * z if i < 3 else z
    expected = model(x).detach().double().numpy()
    assert np.allclose(z, expected, atol=1e-5 if single else 1e-12)
    weights = model.backbone[1].weight.detach().double().numpy()
    assert np.isin(file["weight1"][file["weight1"] != 0], weights).all()


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


def test_other_examples_and_methods_without_witness_are_refused(tmp_path):
    torch.manual_seed(0)
    model, x = plain(), torch.rand(2, 1, 4, 4, dtype=F64)
    y = model(x).argmax(1)
    proof = certify(model, x[:1], y[:1], linf(0.01), ["second_order"])[0]
    with pytest.raises(ConfigError, match="another example"):
        save_certificate(proof, x[1:], "", tmp_path / "c.npz")
    proof = certify(model, x[:1], y[:1], linf(0.01), ["intervals"])[0]
    with pytest.raises(ConfigError, match="no witness"):
        save_certificate(proof, x[:1], "", tmp_path / "c.npz")


@each(
    ("model", "shape", "match"),
    [
        (quartics()["convolution"][0], (1, 1, 4, 4), "one real affine layer"),
        (
            nn.Sequential(nn.Square(), nn.Linear(4, 3, dtype=F64), nn.Square()),
            (1, 4),
            "no affine layer",
        ),
        (tnn.Sequential(nn.Threshold(), nn.Threshold(), nn.Square()), (1, 4), "one threshold"),
        (tnn.Linear(4, 3), (1, 4), "layers of squares"),
        (tnn.Sequential(tnn.Linear(4, 3), nn.Square(), tnn.Linear(3, 3)), (1, 4), "has 1"),
    ],
    ids=str,
)
def test_other_networks_are_refused(model, shape, match, tmp_path):
    with pytest.raises(InputTypeError, match=match):
        save_network(model, torch.rand(shape, dtype=F64), tmp_path / "net.npz")
