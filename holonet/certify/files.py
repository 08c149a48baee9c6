"""Networks and certificates as files for an independent check: `check.py` beside this module."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from holonet._arguments import checked
from holonet._cache import module_digest, tensor_digest
from holonet._files import write_atomically
from holonet._types import GivenPoints
from holonet.certify.affine import Affine
from holonet.certify.certificate import Certificate
from holonet.certify.chain import Chain
from holonet.certify.expansion import SquareNetwork
from holonet.certify.network import read
from holonet.certify.pointwise import ThresholdStep
from holonet.certify.step import Reshape
from holonet.errors import ConfigError, InputTypeError

__all__ = ["save_certificate", "save_network"]


@checked
def save_network(model: nn.Module, x: GivenPoints, path: Path) -> str:
    """Write a network of two layers of squares as the matrices of its three affine layers.

    Args:
        model: of those that second order takes; each of the three is one layer, so that its matrix
            is exact. In front a threshold may stand.
        x: an example with its batch axis, for its shape.
        path: of the .npz file.

    Returns:
        The SHA-256 of the arrays, which certificates name.

    Raises:
        InputTypeError: another network; the message names the layer.
    """
    network, shape = read(model), x.shape[1:]
    arrays: dict[str, Any] = {"log_slope": np.zeros(0), "middle": np.zeros(0)}
    front = [s for s in network.steps[: network.front] if not isinstance(s, Reshape)]
    if front:
        (step, *others) = front
        if others or not isinstance(step, ThresholdStep):
            raise InputTypeError(
                f"{front[-1].name}: files hold networks with one threshold in front"
            )
        column = (-1,) + (1,) * max(len(shape) - 1, 0) if step.slope.ndim else ()
        for name, numbers in (("log_slope", step.log_slope), ("middle", step.middle)):
            arrays[name] = numbers.view(column).expand(shape).flatten().numpy()
    squares = SquareNetwork(network, torch.Size(shape))
    if len(squares.chains) != 3:
        raise InputTypeError(
            f"files hold networks of two layers of squares, and this one has "
            f"{len(squares.chains) - 1}"
        )
    size = torch.Size(shape).numel()
    for number, chain in enumerate(squares.chains, start=1):
        _require_one_layer(chain)
        arrays[f"weight{number}"] = chain.linear(torch.eye(size, dtype=torch.float64)).T.numpy()
        size = len(chain.bias)
        arrays[f"bias{number}"] = chain.bias.numpy()
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + np.ascontiguousarray(arrays[name], "<f8").tobytes())
    _write(path, weights=module_digest(model), **arrays)
    return digest.hexdigest()


@checked
def save_certificate(proof: Certificate, x: GivenPoints, network: str, path: Path) -> Path:
    """Write a certificate with its claim, its margins and its witness.

    Args:
        proof: of `second_order` or `splits`.
        x: the example, with its batch axis.
        network: the SHA-256 that `save_network` returned.
        path: of the .npz file.

    Raises:
        ConfigError: the certificate is of another example, or has no witness.
    """
    if tensor_digest([x[0]]) != proof.example:
        raise ConfigError("save_certificate: the certificate is of another example")
    if not proof.witness:
        raise ConfigError(
            f"save_certificate: {proof.method} leaves no witness, second_order and splits do"
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


def _require_one_layer(chain: Chain) -> None:
    affine = [step for step in chain.steps if isinstance(step, Affine)]
    if len(affine) != 1 or len(affine[0].weight) != 1:
        names = ", ".join(step.name for step in affine) or "no affine layer"
        raise InputTypeError(
            f"files hold networks with one real affine layer in front of each layer of squares and "
            f"one at the end, and this one has {names}"
        )


def _write(path: Path, **arrays: Any) -> Path:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    return write_atomically(path, content.getvalue())
