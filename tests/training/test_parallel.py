"""Two processes do what one does, to rounding."""

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from holonet.errors import ConfigError
from holonet.training import TrainConfig, read_journal
from holonet.training.checkpoint import load_tensors
from holonet.training.parallel import Processes, broadcast, launch, sum_gradients, sum_terms

SCRIPT = Path(__file__).parent / "two_processes.py"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have trained."""
    folder = tmp_path_factory.mktemp("two")
    command = [sys.executable, str(SCRIPT), str(folder)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ["holomorphic, single", "real, odd"])
def test_two_processes_train_as_one(two: Path, tmp_path: Path, name: str) -> None:
    namespace = runpy.run_path(str(SCRIPT))
    namespace["train"](name, tmp_path, devices=1)
    both = [read_journal(folder / "metrics.jsonl") for folder in (tmp_path, two / name)]
    assert len(both[0]) == {"holomorphic, single": 8, "real, odd": 6}[name] + 2
    for one, other in zip(*both, strict=True):
        assert one.keys() == other.keys()
        assert one["kind"] == other["kind"]
        for key in one.keys() - {"kind", "seconds"}:
            assert other[key] == pytest.approx(one[key], rel=1e-5), (key, one["step"])
    one, other = (load_tensors(f / "model.safetensors")[0] for f in (tmp_path, two / name))
    start = namespace["CASES"][name][0](64, [6, 5], 10, generator=torch.Generator().manual_seed(1))
    for key, value in one.items():
        torch.testing.assert_close(other[key], value, rtol=1e-4, atol=1e-6)
        assert not torch.allclose(value, start.state_dict()[key], rtol=1e-2)  # it has moved


def test_devices_that_do_not_exist_are_refused() -> None:
    if torch.cuda.is_available():
        pytest.skip("has CUDA")
    for devices in (1, 2):
        message = f"train.accelerator = 'cuda', train.devices = {devices} cannot be had"
        with pytest.raises(ConfigError, match=message):
            launch(TrainConfig(accelerator="cuda", devices=devices))
    with pytest.raises(ConfigError, match=r"'nccl' .*choose gloo or auto"):
        launch(TrainConfig(accelerator="cpu", devices=2, backend="nccl"))


def test_one_process_has_nothing_to_add() -> None:
    processes = launch(TrainConfig(accelerator="cpu"))
    model = nn.Linear(2, 2)
    before = [p.clone() for p in model.parameters()]
    broadcast(processes, model)
    sum_gradients(processes, model)
    assert all(p.grad is None for p in model.parameters())
    assert all(map(torch.equal, before, model.parameters()))
    assert sum_terms(processes, {"risk": 0.5}) == {"risk": 0.5}


class TwoOfAKind:
    """Stands for torch.distributed between two processes that hold the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.messages: list[torch.Tensor] = []
        monkeypatch.setattr(torch.distributed, "all_reduce", self.all_reduce)
        monkeypatch.setattr(torch.distributed, "all_gather_object", self.gather)

    def all_reduce(self, message: torch.Tensor) -> None:
        self.messages.append(message.clone())
        message *= 2

    def gather(self, found: list[Any], mine: Any) -> None:
        found[:] = [mine, {}]


def test_gradients_travel_as_one_real_message(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = TwoOfAKind(monkeypatch)
    processes = Processes(torch.device("cpu"), world_size=2)
    model = nn.ModuleList([nn.Linear(2, 3, dtype=torch.cfloat), nn.Linear(2, 1), nn.Linear(1, 1)])
    model[2].requires_grad_(False)
    gradients = {}
    for name, p in list(model.named_parameters())[:3]:
        p.grad = gradients[name] = torch.randn_like(p)
    expected = {k: 2 * v for k, v in gradients.items()}
    sum_gradients(processes, model)
    assert [(m.dtype, len(m)) for m in wire.messages] == [(torch.float32, 2 * 9 + 3)]
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert p.grad is not None
            assert torch.equal(p.grad, expected.get(name, torch.zeros_like(p)))
        else:
            assert p.grad is None
    assert sum_terms(processes, {"risk": 0.5}) == {"risk": 0.5}
