"""Checkpoints that are whole or refused: planar safetensors beside their SHA-256."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from holonet._files import write_atomically
from holonet.errors import CheckpointError

__all__ = [
    "Checkpoint",
    "latest_checkpoint",
    "load_tensors",
    "load_weights",
    "read_checkpoint",
    "save_checkpoint",
    "save_tensors",
    "save_weights",
]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Checkpoint:
    """The tensors and the JSON state that were saved at a step."""

    step: int
    tensors: dict[str, Tensor]
    state: dict[str, Any]


def save_tensors(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
    """Write tensors and JSON state to one safetensors file, atomically, with its digest beside it.

    Complex tensors are stored as real ones with a last axis of two (safetensors knows no
    complex128 and stores lazy conjugates unconjugated); their names are in the header. The
    digest is in the format of sha256sum, so `sha256sum -c *.sha256` checks files by hand. It is
    written last: a file without it was cut off.
    """
    planar = {
        name: (torch.view_as_real(t.resolve_conj()) if t.is_complex() else t)
        .detach()
        .cpu()
        .contiguous()
        .clone()
        for name, t in tensors.items()
    }
    header = {
        "complex": json.dumps(sorted(n for n, t in tensors.items() if t.is_complex())),
        "state": json.dumps(state),
    }
    content = safetensors.torch.save(planar, header)
    write_atomically(path, content)
    digest = hashlib.sha256(content).hexdigest()
    write_atomically(_digest_path(path), f"{digest}  {path.name}\n")
    return path


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises:
        CheckpointError: the file or its digest is missing, or they do not belong together.
    """
    try:
        content = path.read_bytes()
        digest = _digest_path(path).read_text().split()
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path}: {Path(error.filename).name} is missing, so the file is absent or was cut "
            "off while being written"
        ) from None
    except UnicodeDecodeError:
        digest = []
    found = hashlib.sha256(content).hexdigest()
    if not digest or digest[0] != found:
        raise CheckpointError(
            f"{path} is damaged: its {len(content)} bytes do not have the SHA-256 in "
            f"{_digest_path(path).name}. It is cut short or altered; remove both files, or use "
            "an earlier checkpoint"
        )
    tensors = safetensors.torch.load(content)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])["__metadata__"]
    for name in json.loads(header["complex"]):
        tensors[name] = torch.view_as_complex(tensors[name])
    return tensors, json.loads(header["state"])


def save_checkpoint(
    folder: Path, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any], keep: int = 2
) -> Path:
    """Write step-<step>.safetensors and remove all but the newest `keep` checkpoints."""
    path = save_tensors(folder / f"step-{step:08d}.safetensors", tensors, {**state, "step": step})
    for old in _checkpoints(folder)[:-keep]:
        _digest_path(old).unlink(missing_ok=True)
        old.unlink(missing_ok=True)
    return path


def read_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in one file.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    tensors, state = load_tensors(path)
    return Checkpoint(state.pop("step"), tensors, state)


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint; damaged ones are refused with a logged warning.

    None if there is no checkpoint at all.

    Raises:
        CheckpointError: there are checkpoints and every one is damaged.
    """
    refused: list[str] = []
    for path in reversed(_checkpoints(folder)):
        try:
            return read_checkpoint(path)
        except CheckpointError as error:
            logger.warning("%s; falling back to the one before", error)
            refused.append(path.name)
    if refused:
        raise CheckpointError(
            f"every checkpoint in {folder} is damaged ({', '.join(refused)}): "
            "start the run again with overwrite"
        )
    return None


def save_weights(path: Path, module: nn.Module) -> Path:
    """The state dict of a module, in the format of the checkpoints."""
    return save_tensors(path, module.state_dict(), {})


def load_weights(path: Path, module: nn.Module) -> None:
    """Load what `save_weights` wrote into a module of the same shapes and dtypes.

    Raises:
        CheckpointError: the file is damaged or belongs to another network.
    """
    tensors, _ = load_tensors(path)
    own = module.state_dict()
    faults = [f"missing {k}" for k in own.keys() - tensors.keys()]
    faults += [f"unknown {k}" for k in tensors.keys() - own.keys()]
    faults += [
        f"{k} is {_describe(tensors[k])}, not {_describe(own[k])}"
        for k in own.keys() & tensors.keys()
        if _describe(own[k]) != _describe(tensors[k])
    ]
    if faults:
        raise CheckpointError(f"{path} is of another network: {'; '.join(sorted(faults))}")
    module.load_state_dict(tensors)


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{tuple(tensor.shape)}"


def _checkpoints(folder: Path) -> list[Path]:
    """Oldest first."""
    return sorted(folder.glob("step-*.safetensors"))


def _digest_path(path: Path) -> Path:
    return path.with_suffix(".sha256")
