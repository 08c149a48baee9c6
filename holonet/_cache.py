"""Results in files: each with its identity, all that it depends on, and with its digest."""

import hashlib
import inspect
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from holonet._files import MIB, parse_json, read_with_digest, write_with_digest
from holonet._types import OwnShape
from holonet.errors import CheckpointError, HolonetError

__all__ = [
    "code_digest",
    "keep",
    "module_digest",
    "read_kept",
    "recall",
    "require_identity",
    "tensor_digest",
]

logger = logging.getLogger(__name__)

LIMIT = 16 * MIB  # JSON takes up to 25 times its size in memory
SHOWN = 3  # differences that a message names

Identity = Mapping[str, Any]
"""All that a result depends on, in types that JSON knows."""

T = TypeVar("T")


def keep(path: Path, identity: Identity, **content: Any) -> dict[str, Any]:
    """Write a result as JSON, with its identity in it and its digest beside it.

    Returns:
        What is in the file, as `read_kept` gives it back.
    """
    text = json.dumps({"identity": identity, **content}, indent=1)
    write_with_digest(path, text + "\n")
    return json.loads(text)


def read_kept(path: Path, identity: Identity) -> dict[str, Any]:
    """Read what `keep` wrote.

    Raises:
        CheckpointError: the file or its digest is missing or damaged, or it is the result of
            something else.
    """
    content = read_with_digest(path, CheckpointError, limit=LIMIT)
    result = parse_json(content, path, CheckpointError)
    own = result.get("identity") if isinstance(result, dict) else None
    require_identity(path, own, identity)
    return result


def recall(path: Path, read: Callable[[Path], T]) -> T | None:
    """What `read` makes of a file; None if there is none.

    A file that cannot be read, or is not what it should be, gives None and a warning that says
    why.
    """
    if not os.path.lexists(path):
        return None
    try:
        return read(path)
    except HolonetError as error:
        logger.warning("%s; it is done again", error)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        reason = f"{type(error).__name__}: {error}"
        logger.warning("%s is no result of holonet (%s); it is done again", path, reason)
    return None


def require_identity(path: Path, own: object, expected: Identity) -> None:
    """Refuse a result of something else.

    Raises:
        CheckpointError: it names what differs.
    """
    expected = json.loads(json.dumps(expected))
    if own == expected:
        return
    leaves, others = _leaves(own), _leaves(expected)
    differing = [
        f"{key or 'identity'} is {leaves.get(key, 'absent')}, not {others.get(key, 'absent')}"
        for key in {**others, **leaves}
        if leaves.get(key) != others.get(key)
    ]
    more = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    raise CheckpointError(
        f"{path} is the result of something else: {'; '.join(differing[:SHOWN])}{more}"
    )


def tensor_digest(tensors: Iterable[OwnShape], texts: Sequence[str] = ()) -> str:
    """The SHA-256 of tensors, with their dtypes and shapes, and of texts.

    Law: the same for equal contents, whatever the device and the layout in memory.
    """
    digest = hashlib.sha256(json.dumps(list(texts)).encode())
    for tensor in tensors:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
        digest.update(f"{plain.dtype}{tuple(plain.shape)}".encode())
        digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def module_digest(module: nn.Module) -> str:
    """The SHA-256 of the weights and buffers of a module, of its text, and of its code.

    Classes of torch and of this package are known by their names. What classes call is not seen.
    """
    state = {k: v for k, v in module.state_dict().items() if isinstance(v, torch.Tensor)}
    weights = dict(sorted(state.items()))
    return tensor_digest(weights.values(), (*weights, repr(module), *_codes(module)))


def code_digest(module: nn.Module) -> str:
    """The SHA-256 of the code of a module and of those in it, as `module_digest` sees it."""
    return tensor_digest([], _codes(module))


def _codes(module: nn.Module) -> list[str]:
    return list(dict.fromkeys(map(_code, module.modules())))


def _code(module: nn.Module) -> str:
    """The source of a module's class, or its name where there is none, or it is a library's.

    Exported programs and TorchScript have a code of their own.
    """
    if isinstance(code := getattr(module, "code", None), str):
        return code
    kind = type(module)
    if kind.__module__.split(".")[0] not in ("torch", "holonet"):
        try:
            return inspect.getsource(kind)
        except (OSError, TypeError):  # made in an interpreter
            pass
    return f"{kind.__module__}.{kind.__qualname__}"


def _leaves(value: object, name: str = "") -> dict[str, str]:
    """The leaves of nested dictionaries as short texts, by their dotted names."""
    if not isinstance(value, dict) or not value:
        text = repr(value)
        return {name: text if len(text) <= 40 else f"{text[:37]}..."}
    leaves = {}
    for key, inner in value.items():
        leaves |= _leaves(inner, f"{name}.{key}".removeprefix("."))
    return leaves
