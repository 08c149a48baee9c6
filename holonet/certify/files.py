"""Networks and certificates as files for an independent check: `check.py` beside this module."""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._cache import module_digest, tensor_digest
from holonet._files import write_atomically
from holonet._types import GivenPoints
from holonet.certify.affine import Affine
from holonet.certify.certificate import Certificate
from holonet.certify.chain import Chain
from holonet.certify.methods import INTERVALS, TANGENTS
from holonet.certify.network import Network, read
from holonet.certify.pointwise import Pointwise, ThresholdStep
from holonet.certify.schwarz_pick import SCHWARZ_PICK
from holonet.certify.step import Reshape, TakePart
from holonet.errors import ConfigError, InputTypeError
from holonet.functions import get_function

__all__ = ["save_certificate", "save_network"]


_WITHOUT_WITNESS = (INTERVALS.name, TANGENTS.name, SCHWARZ_PICK.name)

_LARGEST = 1 << 26
"""Numbers of one matrix, half a gigabyte of them."""


@checked
def save_network(model: nn.Module, x: GivenPoints, path: Path) -> str:
    """Write a network of squares as the matrices of its affine layers.

    Args:
        model: of real affine layers with stored weights, and squares. In front a threshold may
            stand.
        x: an example with its batch axis, for its shape.
        path: of the .npz file.

    Returns:
        The SHA-256 of the arrays, which certificates name.

    Raises:
        InputTypeError: another network; the message names the layer.
    """
    network, shape = read(model), torch.Size(x.shape[1:])
    arrays: dict[str, Any] = {"log_slope": np.zeros(0), "middle": np.zeros(0)}
    names = [step.name for step in network.steps if isinstance(step, ThresholdStep)]
    for step in network.steps[: network.front]:
        if isinstance(step, Reshape):
            shape = Chain([step], shape).shape
        elif isinstance(step, ThresholdStep) and len(names) == 1:
            column = (-1,) + (1,) * max(len(shape) - 1, 0) if step.slope.ndim else ()
            for name, numbers in (("log_slope", step.log_slope), ("middle", step.middle)):
                arrays[name] = numbers.view(column).expand(shape).flatten().numpy()
        else:
            raise InputTypeError(f"{step.name}: files hold networks with one threshold in front")
    squares: list[float] = []
    for weight, bias, squared in _layers(network, shape):
        squares.append(float(squared))
        arrays[f"weight{len(squares)}"] = weight.numpy()
        arrays[f"bias{len(squares)}"] = bias.numpy()
    arrays["squares"] = np.array(squares)
    digest = hashlib.sha256()
    for name in sorted(arrays):
        numbers = np.ascontiguousarray(arrays[name], "<f8")
        digest.update(f"{name} {numbers.shape}".encode() + numbers.tobytes())
    _write(path, weights=module_digest(model), **arrays)
    return digest.hexdigest()


def _layers(network: Network, shape: torch.Size) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """Matrix and bias of each affine layer, and whether squares follow.

    The identity stands where squares have no affine layer in front, or the logits none.
    """
    last: tuple[Tensor, Tensor] | None = None
    for step in network.steps[network.front :]:
        if isinstance(step, Pointwise) and step.record is get_function("square"):
            yield *(last or _identity(shape)), True
            last = None
        elif isinstance(step, Affine):
            if last is not None:
                yield *last, False
            last, shape = _matrix(step, shape)
        elif isinstance(step, Reshape) or (isinstance(step, TakePart) and step.part == 0):
            shape = Chain([step], shape).shape
        else:
            raise InputTypeError(
                f"{step.name}: files hold networks of real affine layers and squares behind one "
                "threshold or none"
            )
    yield *(last or _identity(shape)), False


def _identity(shape: torch.Size) -> tuple[Tensor, Tensor]:
    return torch.eye(shape.numel(), dtype=torch.float64), torch.zeros(shape.numel()).double()


def _matrix(step: Affine, shape: torch.Size) -> tuple[tuple[Tensor, Tensor], torch.Size]:
    """Of one layer at inputs of a shape, and the shape of its values."""
    if step.is_rounded or max(len(step.weight), len(step.bias or ())) > 1:
        raise InputTypeError(
            f"{step.name}: files hold matrices of stored real numbers, not of complex or rounded "
            "ones"
        )
    chain, size = Chain([step], shape), shape.numel()
    if size * len(chain.bias) > _LARGEST:
        raise InputTypeError(
            f"{step.name}: files hold matrices of at most {_LARGEST} numbers, and this one has "
            f"{size} x {len(chain.bias)}"
        )
    matrix = chain.linear(torch.eye(size, dtype=torch.float64)).T
    return (matrix, chain.bias), chain.shape


@checked
def save_certificate(proof: Certificate, x: GivenPoints, network: str, path: Path) -> Path:
    """Write a certificate with its claim, its margins and its witness.

    Args:
        proof: of one of the methods that the check knows.
        x: the example, with its batch axis.
        network: the SHA-256 that `save_network` returned.
        path: of the .npz file.

    Raises:
        ConfigError: the certificate is of another example or another norm than Linf, or of a
            method that needs a witness and left none.
    """
    if tensor_digest([x[0]]) != proof.example:
        raise ConfigError("save_certificate: the certificate is of another example")
    if proof.threat.norm != "Linf":
        raise ConfigError(
            f"save_certificate: files hold certificates of norm 'Linf', not {proof.threat.norm!r}"
        )
    if not proof.witness and proof.method not in _WITHOUT_WITNESS:
        raise ConfigError(
            f"save_certificate: this certificate of {proof.method} has no witness. Those of "
            "second_order and splits have one unless nothing is proved; the others need none"
        )
    claim = {
        "claim": proof.claim,
        "label": proof.label,
        "eps": proof.threat.eps,
        "bounds": proof.threat.bounds,
        "method": proof.method,
        "semantics": proof.semantics,
        "theorem": proof.theorem,
        "weights": proof.weights,
        "network": network,
        "witness": {str(k): witness for k, witness in proof.witness.items()},
    }
    example = x[0].detach().double().cpu().flatten().numpy()
    return _write(path, claim=json.dumps(claim), margins=np.array(proof.margins), example=example)


def _write(path: Path, **arrays: Any) -> Path:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return write_atomically(path, content.getvalue())
