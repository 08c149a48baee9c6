"""One JSON line an example, that a killed process has not lost."""

import hashlib
import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from holonet._cache import module_digest, tensor_digest
from holonet._files import naming, read_bounded, write_atomically
from holonet._types import GivenLabels, GivenPoints, Mask
from holonet.certify.enclosure import Semantics
from holonet.certify.ladder import certify
from holonet.certify.methods import Method
from holonet.certify.radius import certified_radius
from holonet.certify.splits import Splits
from holonet.errors import CheckpointError
from holonet.threats import ThreatModel

__all__ = ["Records", "certify_recorded", "radii_recorded", "without_splits"]

logger = logging.getLogger(__name__)

_LIMIT = 1 << 30
_CHUNK = 8
"""Examples between two writes."""


def certify_recorded(
    model: nn.Module,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    methods: Sequence[Method],
    semantics: Semantics,
    path: Path,
    broken: Mask,
    on_examples: Callable[[int], None],
) -> list[dict[str, Any]]:
    """A record for each example, those of the file where it has them.

    A proof with fewer pieces of boxes stands, so that more pieces are tried on open examples alone.

    Args:
        model, x, y, threat, methods, semantics: as `certify` takes them.
        path: of the file of records.
        broken: examples that an attack broke; no pieces of boxes are looked at for them.
        on_examples: called with how many examples are done.
    """
    ladders = [
        (part, max((m.nodes for m in part if isinstance(m, Splits)), default=0))
        for part in (methods, without_splits(methods))
    ]
    records = Records(path, _settings(model, threat, methods, semantics))
    keys = [{**key, "broken": bool(fell)} for key, fell in zip(_keys(x, y), broken, strict=True)]
    for chunk in torch.arange(len(y)).split(_CHUNK):
        parts = (chunk[~broken[chunk]], chunk[broken[chunk]])
        for examples, (ladder, nodes) in zip(parts, ladders, strict=True):
            found = (records.find(keys[i]) for i in examples.tolist())
            index = examples[torch.tensor([not _stands(record, nodes) for record in found]).bool()]
            if not len(index):
                continue  # nothing of the network is read
            start = time.perf_counter()
            proofs = certify(model, x[index], y[index], threat, ladder, semantics)
            for i, proof in zip(index.tolist(), proofs, strict=True):
                records.append(
                    keys[i],
                    certified=proof.holds,
                    margin=_finite(proof.margin),
                    margins=[_finite(margin) for margin in proof.margins],
                    method=proof.method,
                    theorem=proof.theorem,
                    hypotheses=proof.hypotheses,
                    notes=proof.notes,
                    nodes=nodes,
                    seconds=round((time.perf_counter() - start) / len(index), 4),
                )
        on_examples(len(chunk))
    return [record for key in keys if (record := records.find(key)) is not None]


def radii_recorded(
    model: nn.Module,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    methods: Sequence[Method],
    semantics: Semantics,
    path: Path,
    tolerance: float,
    on_examples: Callable[[int], None],
) -> list[float]:
    """The certified radius of each example, that of the file where it has one.

    Args:
        model, x, y, threat, methods, semantics, tolerance: as `certified_radius` takes them.
        path: of the file of records.
        on_examples: called with how many examples are done.
    """
    settings = _settings(model, threat, methods, semantics) | {"tolerance": tolerance}
    records = Records(path, settings)
    keys = _keys(x, y)
    for chunk in torch.arange(len(y)).split(8 * _CHUNK):
        index = torch.tensor([i for i in chunk.tolist() if records.find(keys[i]) is None]).long()
        radii = certified_radius(
            model, x[index], y[index], threat, methods, semantics, tolerance=tolerance
        )
        for i, radius in zip(index.tolist(), radii.tolist(), strict=True):
            records.append(keys[i], radius=radius)
        on_examples(len(chunk))
    return [record["radius"] for key in keys if (record := records.find(key)) is not None]


def without_splits(methods: Sequence[Method]) -> Sequence[Method]:
    """The cheaper methods; the first one where there are none."""
    return [method for method in methods if not isinstance(method, Splits)] or methods[:1]


def _stands(record: Mapping[str, Any] | None, nodes: int) -> bool:
    """Whether this number of pieces would say the same: a proof by fewer, or open with more."""
    if record is None:
        return False
    looked_at = record.get("nodes", 0)
    return looked_at == nodes or record["certified"] == (looked_at < nodes)


def _keys(x: GivenPoints, y: GivenLabels) -> list[dict[str, Any]]:
    """What tells the examples apart."""
    return [
        {"index": i, "label": int(label), "example": tensor_digest([point])}
        for i, (point, label) in enumerate(zip(x, y, strict=True))
    ]


def _settings(
    model: nn.Module, threat: ThreatModel, methods: Sequence[Method], semantics: Semantics
) -> dict[str, Any]:
    return {
        "weights": module_digest(model),
        "threat": [threat.norm, threat.eps, threat.bounds],
        "methods": [m.name for m in methods],
        "semantics": str(semantics),
    }


class Records:
    """Records of examples in a file, to be found again by all that they depend on.

    Lines that were cut off or damaged are removed, with a warning. Lines of other settings stay.

    Args:
        path: of the file; made with its folder.
        settings: what all records of this use have in common, in types that JSON knows.

    Raises:
        CheckpointError: there is something at the path that cannot be read.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "records.jsonl"
        >>> Records(path, {"eps": 0.1}).append({"example": "a"}, certified=True)
        >>> Records(path, {"eps": 0.1}).find({"example": "a"})["certified"]
        True
        >>> Records(path, {"eps": 0.2}).find({"example": "a"}) is None
        True
    """

    def __init__(self, path: Path, settings: Mapping[str, Any]) -> None:
        self.path, self.settings = path, json.loads(json.dumps(settings))
        self._found: dict[str, dict[str, Any]] = {}
        lines = []
        if os.path.lexists(path):
            lines = read_bounded(path, CheckpointError, limit=_LIMIT).splitlines(keepends=True)
        whole = [line for line in lines if self._remember(line)]
        if len(whole) < len(lines):
            logger.warning(
                "%d lines of %s are damaged; they are done again", len(lines) - len(whole), path
            )
        if len(whole) < len(lines) or not lines:
            write_atomically(path, b"".join(whole))

    def find(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """The record of an example under these settings, None if there is none."""
        return self._found.get(_text({**self.settings, **key}))

    def append(self, key: Mapping[str, Any], **content: Any) -> None:
        """Write the record of an example: its key, the settings and the content."""
        known = {**self.settings, **key}
        record = {"key": known, **content}
        with naming(self.path), self.path.open("a") as file:
            file.write(json.dumps({**record, "sha256": _digest(record)}) + "\n")
        self._found[_text(known)] = json.loads(_text(record))

    def _remember(self, line: bytes) -> bool:
        """Whether a line is a whole record."""
        try:
            record = json.loads(line)
            stated = record.pop("sha256")
            whole = line.endswith(b"\n") and stated == _digest(record)
            self._found |= {_text(record["key"]): record} if whole else {}
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return False
        return whole


def _finite(margin: float) -> float | None:
    """JSON has no infinity, which stands at the label and where nothing is proved."""
    return margin if math.isfinite(margin) else None


def _text(key: Mapping[str, Any]) -> str:
    return json.dumps(key, sort_keys=True)


def _digest(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(_text(record).encode()).hexdigest()
