"""Checkpoints that are whole or refused: planar safetensors beside their SHA-256."""

import json
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._files import digest_path, read_with_digest, write_with_digest
from holonet._types import OwnShape
from holonet.errors import CheckpointError

__all__ = [
    "Checkpoint",
    "kept_steps",
    "latest_checkpoint",
    "load_state",
    "load_tensors",
    "load_weights",
    "read_checkpoint",
    "remove_checkpoints",
    "save_checkpoint",
    "save_tensors",
    "save_weights",
]

logger = logging.getLogger(__name__)

LARGEST = 1 << 36  # bytes of a file
_CHECKPOINT = re.compile(r"step-\d{8,20}\.safetensors")


@dataclass(frozen=True)
class Checkpoint:
    """The tensors and the JSON state that were saved at a step."""

    step: int
    tensors: dict[str, OwnShape]
    state: dict[str, Any]


def save_tensors(
    path: str | Path, tensors: Mapping[str, OwnShape], state: Mapping[str, Any]
) -> Path:
    """Write tensors and JSON state to one safetensors file, atomically, with its digest beside it.

    Complex tensors are stored as real ones with a last axis of two (safetensors knows no
    complex128 and stores lazy conjugates unconjugated); their names are in the header. The
    digest is in the format of sha256sum, so `sha256sum -c *.sha256` checks files by hand. It is
    written first: a crash in between leaves no file of that name, rather than a doubtful one.

    Law: the same tensors and state give the same bytes.
    """
    names = sorted(n for n, t in tensors.items() if t.is_complex())
    header = {"holonet": json.dumps({"complex": names, "state": state})}
    content = safetensors.torch.save({n: _planar(t) for n, t in tensors.items()}, header)
    return write_with_digest(Path(path), content)


def load_tensors(path: str | Path) -> tuple[dict[str, OwnShape], dict[str, Any]]:
    """Read what `save_tensors` wrote.

    Raises:
        CheckpointError: the file or its digest is missing, they do not belong together, or
            something else wrote them.
    """
    content = read_with_digest(Path(path), CheckpointError, limit=LARGEST)
    try:
        tensors = safetensors.torch.load(content)
        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["holonet"])
        for name in header["complex"]:
            tensors[name] = torch.view_as_complex(tensors[name])
        return tensors, {**header["state"]}
    except Exception:  # of any kind: a header may hold anything
        raise CheckpointError(
            f"{path} was not written by holonet: give a file that save_weights or fit wrote"
        ) from None


def save_checkpoint(
    folder: Path,
    step: int,
    tensors: Mapping[str, OwnShape],
    state: Mapping[str, Any],
    keep: int = 2,
) -> Path:
    """Write step-<step>.safetensors; keep it and the newest before it, `keep` in all.

    Checkpoints of later steps are removed too: the run went back behind them because they are
    damaged, or they are of an earlier run.
    """
    path = save_tensors(folder / f"step-{step:08d}.safetensors", tensors, {**state, "step": step})
    names = _checkpoints(folder)
    position = names.index(path)
    for old in [*names[: max(position + 1 - keep, 0)], *names[position + 1 :]]:
        _remove(old)
    _remove_leftovers(folder)
    return path


def remove_checkpoints(folder: Path) -> None:
    """Remove every checkpoint, and nothing else."""
    for path in _checkpoints(folder):
        _remove(path)
    _remove_leftovers(folder)


@checked
def read_checkpoint(path: str | Path) -> Checkpoint:
    """The checkpoint in one file.

    Raises:
        CheckpointError: it is missing or damaged.
    """
    tensors, state = load_tensors(path)
    step = state.pop("step", None)
    if not isinstance(step, int) or step < 0:
        raise CheckpointError(f"{path} is no checkpoint, it has no step: remove it")
    return Checkpoint(step, tensors, state)


@checked
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


@checked
def save_weights(
    path: str | Path, module: nn.Module, state: Mapping[str, Any] = MappingProxyType({})
) -> Path:
    """The state dict of a module and what else there is to know, in the format of checkpoints."""
    return save_tensors(path, module.state_dict(), {**state})


@checked
def load_weights(path: str | Path, module: nn.Module) -> None:
    """Load what `save_weights` wrote into a module of the same shapes and dtypes.

    Raises:
        CheckpointError: the file is damaged, belongs to another network, or holds infinities or
            NaN.
    """
    load_state(module, load_tensors(path)[0], str(path))


def load_state(module: nn.Module, tensors: Mapping[str, OwnShape], source: str) -> None:
    """Load a finite state dict of the same names, shapes and dtypes, and no other.

    Raises:
        CheckpointError: it is of another network, or not finite; the message says what differs.
    """
    own = module.state_dict()
    faults = [f"missing {k}" for k in own.keys() - tensors.keys()]
    faults += [f"unknown {k}" for k in tensors.keys() - own.keys()]
    faults += [
        f"{k} is {_describe(tensors[k])}, not {_describe(own[k])}"
        for k in own.keys() & tensors.keys()
        if _describe(own[k]) != _describe(tensors[k])
    ]
    if faults:
        raise CheckpointError(
            f"{source} is of another network than the one it is loaded into: "
            f"{'; '.join(sorted(faults))}. Build the network as it was when it was saved"
        )
    lost = sorted(k for k, v in tensors.items() if not v.isfinite().all())
    if lost:
        raise CheckpointError(
            f"{source} has infinite or NaN entries in {', '.join(lost)}: no training of holonet "
            "keeps such weights; remove it and train again"
        )
    module.load_state_dict(tensors)


def _planar(tensor: Tensor) -> Tensor:
    """A contiguous real copy on the CPU, lazy conjugation and negation carried out."""
    tensor = tensor.detach().resolve_conj().resolve_neg()
    real = torch.view_as_real(tensor) if tensor.is_complex() else tensor
    return real.cpu().contiguous().clone()


def _describe(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{tuple(tensor.shape)}"


def kept_steps(folder: Path) -> list[int]:
    """The steps that there are checkpoints of, damaged ones too, oldest first."""
    return [int(path.stem.removeprefix("step-")) for path in _checkpoints(folder)]


def _checkpoints(folder: Path) -> list[Path]:
    """Oldest first.

    Raises:
        CheckpointError: the folder cannot be looked into, so that nobody knows.
    """
    if not folder.parent.is_dir():
        return []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CheckpointError(
            f"the checkpoints in {folder} cannot be read: {error.strerror}"
        ) from None
    paths = [folder / name for name in names if _CHECKPOINT.fullmatch(name)]
    return sorted(paths, key=lambda path: (len(path.name), path.name))


def _remove(path: Path) -> None:
    """Remove a checkpoint, the digest last: a crash in between leaves no doubtful one."""
    path.unlink(missing_ok=True)
    digest_path(path).unlink(missing_ok=True)


def _remove_leftovers(folder: Path) -> None:
    """Remove what a process left that was killed while it wrote or removed a checkpoint."""
    for path in folder.glob(".step-*.tmp"):
        path.unlink(missing_ok=True)
    for digest in folder.glob("step-*.sha256"):
        if not digest.with_suffix("").exists():
            digest.unlink(missing_ok=True)
