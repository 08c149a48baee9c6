"""Targets: what each form gives, and what a wrong one is told."""

import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from cases import each
from holonet.errors import CheckpointError, ConfigError
from holonet.experiments import load_target
from holonet.training import DataConfig, ModelConfig, RunConfig, TrainConfig, fit, load_run
from holonet.training.run_folder import build_model, load_data, open_run

SOURCE = """
import torch
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=3):
        super().__init__(nn.Linear(2, width), nn.Tanh())

class Needs(nn.Module):
    def __init__(self, width):
        super().__init__()

def build():
    return nn.Linear(2, 2)

def breaks():
    raise ValueError("no weights. More")

def wrong():
    return 3

made = nn.Linear(2, 4)
number = 7
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "target_models.py").write_text(SOURCE)
    (tmp_path / "target_broken.py").write_text("import nothing_of_that_name")
    (tmp_path / "target_fails.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield tmp_path
    assert sys.path == path
    for name in [name for name in sys.modules if name.startswith("target_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "outputs"), [("target_models:Net", 3), ("target_models:build", 2)]
)
def test_a_class_and_a_function_are_called(folder: Path, name: str, outputs: int) -> None:
    target = load_target(name)
    assert target.kind == "object"
    assert target.data is None
    assert target.model(torch.zeros(1, 2)).shape == (1, outputs)


def test_a_module_object_is_taken_as_it_is(folder: Path) -> None:
    assert load_target("target_models:made").model is sys.modules["target_models"].made


def test_wrong_names_are_told_what_to_do(folder: Path) -> None:
    cases = {
        "target_models:nothing": "has no nothing; it has",
        "target_models:Needs": "needs the arguments width",
        "target_models:breaks": r"breaks\(\) fails: ValueError: no weights$",
        "target_models:wrong": "of type int: let it return",
        "target_models:number": "of type int: name a torch.nn.Module",
        "target_nowhere:net": "no module target_nowhere in the working folder",
        "target_broken:net": "needs nothing_of_that_name",
        "target_fails:net": "cannot be imported: division by zero",
        "no such thing": "is no model and no folder",
        "missing.pt2": "does not exist",
        "missing.pt": "does not exist",
        ".": "holds no run",
    }
    for name, words in cases.items():
        with pytest.raises(ConfigError, match=words):
            load_target(name)


@each("suffix", [".pt2", ".pt"])
def test_files_that_hold_no_program_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    torch.save(nn.Linear(2, 2).state_dict(), path)
    with pytest.raises(ConfigError, match=r"torch\.export\.save"):
        load_target(str(path))
    path.write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"torch\.export\.save"):
        load_target(str(path))


def test_an_exported_program_and_torchscript_give_what_the_model_gave(tmp_path: Path) -> None:
    model, x = nn.Sequential(nn.Linear(2, 3), nn.Tanh()).eval(), torch.rand(4, 2)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},))
    torch.export.save(program, tmp_path / "net.pt2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(model, (x,)), tmp_path / "net.pt")
    for name, kind in (("net.pt2", "exported program"), ("net.pt", "TorchScript")):
        target = load_target(str(tmp_path / name))
        assert target.kind == kind
        assert torch.allclose(target.model(x), model(x))


def test_a_run_comes_with_its_data_where_they_are_asked_for(tmp_path: Path) -> None:
    config = RunConfig(
        data=DataConfig(train=40, test=20),
        model=ModelConfig(hidden=(4,)),
        train=TrainConfig(epochs=1),
    )
    with open_run(tmp_path / "run", config):
        with pytest.raises(CheckpointError, match="not finished"):
            load_target(str(tmp_path / "run"))
        data = load_data(config.data)
        model = build_model(config, data)
        fit(model, data, config.rule.build(), run_dir=tmp_path / "run", run=config)
    _, _, model = load_run(tmp_path / "run")
    target = load_target(str(tmp_path / "run"))
    assert target.kind == "run"
    assert target.data is None
    assert torch.equal(target.model(data.x_test), model(data.x_test))
    with_data = load_target(str(tmp_path / "run"), with_data=True).data
    assert with_data is not None
    assert with_data.fingerprint() == data.fingerprint()
