"""Files for other tools: each gives the network's outputs, and one that does not is not kept."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor
from torch import nn as tnn

import fresh_python
from holonet import nn
from holonet.errors import ConfigError, InputTypeError, MissingDependencyError, NumericalError
from holonet.functions import CATALOGUE
from holonet.interop import export, to_real


class Activations(tnn.Module):
    """Activations at complex points, in one graph."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.layers = tnn.ModuleList(
            to_real(nn.Activation(name), complex_input=True) for name in names
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([layer(x) for layer in self.layers], 1)


def onnx_outputs(path: Path, x: Tensor) -> np.ndarray:
    """In onnxruntime, apart from what `export` measured."""
    session = pytest.importorskip("onnxruntime").InferenceSession(
        str(path), providers=["CPUExecutionProvider"]
    )
    return session.run(["logits"], {"x": x.numpy()})[0]


QUICK = ("tanh", "sqrt", "atan", "softplus", "reciprocal")
"""Activations whose formulas have every operation of real arithmetic but one."""


@pytest.mark.parametrize("names", [QUICK, pytest.param(tuple(CATALOGUE), marks=pytest.mark.slow)])
def test_onnxruntime_reproduces_activations(names: tuple[str, ...], tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    x = torch.randn(30, 2, 2)
    path = tmp_path / "all.onnx"
    found = export(Activations(names), x[:5], path)
    assert found.path == path
    assert found.difference <= 1e-5
    z = torch.view_as_complex(x)
    wanted = torch.view_as_real(torch.cat([CATALOGUE[name].value(z) for name in names], 1))
    error = np.abs(onnx_outputs(path, x) - wanted.numpy())
    assert (error <= 1e-5 * np.maximum(1, wanted.abs().numpy())).all()


@pytest.mark.parametrize("coefficients", ["complex", pytest.param("real", marks=pytest.mark.slow)])
def test_onnxruntime_reproduces_networks_at_every_batch_size(
    coefficients: str, tmp_path: Path
) -> None:
    pytest.importorskip("onnxscript")
    path = tmp_path / "network.onnx"
    network = nn.holomorphic_convnet(
        (3, 8, 8), (4,), 5, dense=(6,), activation="tanh", coefficients=coefficients
    )
    export(network, torch.rand(4, 3, 8, 8), path)
    for batch in (1, 7):
        x = torch.rand(batch, 3, 8, 8)
        found = onnx_outputs(path, x)
        np.testing.assert_allclose(found, network(x).detach().numpy(), atol=1e-5)


def test_an_exported_program_runs_without_holonet(tmp_path: Path) -> None:
    network, x = nn.holomorphic_mlp(6, (4,), 3, activation="sin"), torch.rand(5, 6)
    export(network, x, tmp_path / "network.pt2", "torch-export")
    np.save(tmp_path / "x.npy", x.numpy())
    code = (
        "import numpy, sys, torch; sys.modules['holonet'] = None; "
        "program = torch.export.load('network.pt2').module(); "
        "numpy.save('y.npy', program(torch.from_numpy(numpy.load('x.npy'))).detach().numpy())"
    )
    done = fresh_python.run("-c", code, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), network(x).detach().numpy(), atol=1e-6)


def test_safetensors_hold_the_state_dict(tmp_path: Path) -> None:
    network, x = nn.holomorphic_mlp(6, (4,), 3), torch.rand(5, 6)
    assert export(network, x, tmp_path / "w.safetensors", "safetensors").difference == 0
    read = safetensors.torch.load_file(tmp_path / "w.safetensors")
    own = network.state_dict()
    assert read.keys() == own.keys()
    assert all(torch.equal(read[k], own[k]) for k in own)


def test_complex_data_are_planar(tmp_path: Path) -> None:
    network = nn.holomorphic_mlp(6, (4,), 3)
    z = torch.randn(5, 6, dtype=torch.complex64)
    assert export(network, z, tmp_path / "n.pt2", "torch-export").difference <= 1e-6
    program = torch.export.load(tmp_path / "n.pt2").module()
    torch.testing.assert_close(program(torch.view_as_real(z[:2])), network(z[:2]))


def test_what_differs_or_cannot_be_written_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, x, path = nn.holomorphic_mlp(6, (4,), 3), torch.rand(5, 6), tmp_path / "n.onnx"
    with pytest.raises(ConfigError, match="choose one of onnx, torch-export, safetensors"):
        export(network, x, path, "tensorflow")
    with pytest.raises(ConfigError, match="give two"):
        export(network, x[:1], path)
    with pytest.raises(InputTypeError, match="a ReLU"):
        export(tnn.Sequential(nn.Linear(6, 3), tnn.ReLU()), x, path)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(MissingDependencyError, match=r"holonet\[onnx\]"):
            export(network, x, path)

    class Branching(tnn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x if float(x.sum()) > 0 else -x

    with pytest.raises(ConfigError, match=r"torch\.export cannot follow"):
        export(Branching(), x, path, "torch-export")
    other = to_real(nn.holomorphic_mlp(6, (4,), 3))
    monkeypatch.setattr(sys.modules["holonet.interop.export"], "to_real", lambda *_, **__: other)
    with pytest.raises(NumericalError, match="nothing was written"):
        export(network, x, path, "torch-export")
    assert not path.exists()
