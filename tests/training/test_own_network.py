"""Networks by the name of what makes them: made anew each time, or refused in words."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from cases import each
from holonet.errors import ConfigError
from holonet.training.own_network import made_by, own_network

SOURCE = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=3):
        super().__init__(nn.Linear(2, width), nn.Tanh())

class Needs(nn.Module):
    def __init__(self, width):
        super().__init__()

def breaks():
    raise ValueError("no weights. More")

def wrong():
    return 3

made = nn.Linear(2, 4)
number = 7
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "own_nets.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("own_nets", None)


def test_a_network_is_made_anew_each_time(folder: Path) -> None:
    torch.manual_seed(0)
    one, other = own_network("own_nets:Net"), own_network("own_nets:Net")
    assert isinstance(one, nn.Sequential)
    assert not torch.equal(*(next(net.parameters()) for net in (one, other)))


def test_a_module_is_copied_so_that_training_leaves_it_as_it_is(folder: Path) -> None:
    copied = own_network("own_nets:made")
    original = sys.modules["own_nets"].made
    assert copied is not original
    assert torch.equal(copied.weight, original.weight)
    assert made_by(original, "made") is original


@each(
    ("name", "message"),
    [
        ("own_nets:nothing", "has no nothing; it has"),
        ("own_nets:Needs", "needs the arguments width"),
        ("own_nets:breaks", r"breaks\(\) fails: ValueError: no weights$"),
        ("own_nets:wrong", "object of type int: let it return a"),
        ("own_nets:number", "of type int: name a torch.nn.Module"),
        ("own_elsewhere:net", "no module own_elsewhere in the working folder"),
    ],
)
def test_what_makes_no_network_is_refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        own_network(name)
