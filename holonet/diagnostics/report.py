"""What an ensemble of attacks found for each example, and the accuracies that follow."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from holonet._arguments import checked
from holonet._cache import require_identity
from holonet._files import MIB, read_with_digest, write_with_digest
from holonet._types import Labels, Mask, Numbers, Points
from holonet.attacks import Alarm, AlarmKind, ThreatModel
from holonet.diagnostics.robustness import RobustnessPoint
from holonet.errors import CheckpointError, DataError, ShapeError

__all__ = ["RobustnessReport", "merge_alarms"]

_TENSORS = ("y", "predicted", "clean_margin", "margin", "x_adv")
_LIMIT = 4096 * MIB


@dataclass(frozen=True, eq=False)
class RobustnessReport:
    """The worst case of an ensemble, example by example.

    Args:
        threat: the set that was searched.
        attacks: names, in the order in which they ran; each saw only what still stood.
        seed: of the attacks.
        y: labels.
        predicted: class of each clean example; -1 where a logit is NaN.
        clean_margin: logit of the label minus the largest other, at the clean example.
        margin: the same at `x_adv`.
        broken_by: the attack that broke each example, "clean" if none was needed, "" if it
            withstood.
        x_adv: the worst point found.
        alarms: reasons to doubt that the rest withstands.
        searched_in: where the attacks searched, if not in the threat set itself.

    Law: `robust` counts the examples whose `broken_by` is "", and `after` falls from the clean
        accuracy to it.

    Raises:
        ShapeError: not every field has one entry for each example.
        DataError: `broken_by` and `margin` disagree about which examples are broken.
    """

    threat: ThreatModel
    attacks: tuple[str, ...]
    seed: int
    y: Labels
    predicted: Labels
    clean_margin: Numbers
    margin: Numbers
    broken_by: tuple[str, ...]
    x_adv: Points
    alarms: tuple[Alarm, ...] = ()
    searched_in: str = ""

    def __post_init__(self) -> None:
        counts = {name: len(getattr(self, name)) for name in (*_TENSORS, "broken_by")}
        flat = all(getattr(self, name).ndim == 1 for name in _TENSORS if name != "x_adv")
        if len(set(counts.values())) > 1 or not flat:
            raise ShapeError(
                f"a report needs one entry for each example in every field, and has {counts}"
            )
        if [by == "" for by in self.broken_by] != self.robust_mask.tolist():
            raise DataError(
                'a report whose broken_by and margin disagree: broken_by is "" where the margin '
                "is positive, and nowhere else"
            )

    @property
    def robust_mask(self) -> Mask:
        """Which examples no attack broke."""
        return self.margin > 0

    @property
    def clean(self) -> RobustnessPoint:
        """Accuracy without attack."""
        return RobustnessPoint(0.0, int((self.clean_margin > 0).sum()), len(self.y))

    @property
    def robust(self) -> RobustnessPoint:
        """Accuracy in the worst case over the ensemble; an upper bound, never a guarantee."""
        return self._point(int(self.robust_mask.sum()))

    @property
    def after(self) -> dict[str, RobustnessPoint]:
        """Accuracy left after each attack of the ensemble in turn.

        A point found at a smaller radius counts under the name that found it there, and from the
        first attack on if that is none of these.
        """
        points = {}
        for number, name in enumerate(self.attacks):
            later = self.attacks[number + 1 :]
            correct = sum(by == "" or by in later for by in self.broken_by)
            points[name] = self._point(correct)
        return points

    def _point(self, correct: int) -> RobustnessPoint:
        return RobustnessPoint(float(self.threat.eps), correct, len(self.y), self.searched_in)

    def __str__(self) -> str:
        title = f"accuracy under {self.threat.norm} at eps={self.threat.eps:g}, in %"
        after = (f"  after {name}: {point}" for name, point in self.after.items())
        lines = [title, f"  clean: {self.clean}", *after, f"  worst case: {self.robust}"]
        return "\n".join([*lines, *(f"  doubt: {alarm}" for alarm in self.alarms)])

    def to_json(self) -> dict[str, Any]:
        """The accuracies with their intervals, how they were found, and the alarms."""
        return {
            "threat": asdict(self.threat),
            "seed": self.seed,
            "searched_in": self.searched_in,
            "examples": len(self.y),
            "clean": self.clean.to_json(),
            "robust": self.robust.to_json(),
            "after": {name: point.to_json() for name, point in self.after.items()},
            "alarms": [{**asdict(a), "kind": a.kind.value, "text": str(a)} for a in self.alarms],
        }

    def save(self, path: Path, identity: Mapping[str, Any] | None = None) -> Path:
        """Write everything to one .npz file, atomically, without pickle, its digest beside it.

        Args:
            path: of the file.
            identity: what the report is of, in types that JSON knows; goes into the file.
        """
        header = {
            "identity": identity,
            "threat": asdict(self.threat),
            "attacks": self.attacks,
            "seed": self.seed,
            "broken_by": self.broken_by,
            "searched_in": self.searched_in,
            "alarms": [{**asdict(a), "kind": a.kind.value} for a in self.alarms],
        }
        content = io.BytesIO()
        arrays = {name: getattr(self, name).numpy(force=True) for name in _TENSORS}
        np.savez(content, header=np.array(json.dumps(header)), allow_pickle=False, **arrays)
        return write_with_digest(path, content.getvalue())

    @classmethod
    def load(cls, path: Path, identity: Mapping[str, Any] | None = None) -> "RobustnessReport":
        """Read what `save` wrote.

        Args:
            path: of the file.
            identity: what the report must be of; anything unless given.

        Raises:
            CheckpointError: the file or its digest is missing or damaged, it is of something
                else, or it is no report.
        """
        content = read_with_digest(path, CheckpointError, limit=_LIMIT)
        try:
            arrays = _arrays(content)
            header = json.loads(str(arrays.pop("header")))
            own = header["identity"]
            bounds = header["threat"].pop("bounds")
            threat = ThreatModel(**header["threat"], bounds=None if bounds is None else (*bounds,))
            alarms = [Alarm(**{**a, "kind": AlarmKind(a["kind"])}) for a in header["alarms"]]
            report = cls(
                threat=threat,
                attacks=tuple(header["attacks"]),
                seed=header["seed"],
                broken_by=tuple(header["broken_by"]),
                alarms=tuple(alarms),
                searched_in=header["searched_in"],
                **{name: torch.from_numpy(arrays[name]) for name in _TENSORS},
            )
        except Exception as error:  # numpy, zipfile and zlib have no common one
            raise CheckpointError(
                f"{path} is damaged, or no report was saved there ({type(error).__name__}: "
                f"{error}): remove it and evaluate again"
            ) from None
        if identity is not None:
            require_identity(path, own, identity)
        return report

    @classmethod
    def join(cls, parts: Sequence["RobustnessReport"]) -> "RobustnessReport":
        """One report from those of consecutive batches; its alarms are of all examples."""
        tensors = {name: torch.cat([getattr(p, name) for p in parts]) for name in _TENSORS}
        first, total = parts[0], sum(len(part.y) for part in parts)
        merged = merge_alarms(alarm for part in parts for alarm in part.alarms)
        return cls(
            threat=first.threat,
            attacks=first.attacks,
            seed=first.seed,
            broken_by=tuple(by for part in parts for by in part.broken_by),
            alarms=tuple(replace(alarm, examples=total) for alarm in merged),
            searched_in=max(part.searched_in for part in parts),
            **tensors,
        )


@checked
def merge_alarms(alarms: Iterable[Alarm]) -> tuple[Alarm, ...]:
    """One alarm for each kind and advice, the counts added.

    Example:
        >>> one = Alarm(AlarmKind.NOT_FINITE, 1, 10, "look")
        >>> [(a.count, a.examples) for a in merge_alarms([one, one])]
        [(2, 20)]
    """
    merged: dict[tuple[AlarmKind, str], Alarm] = {}
    for alarm in alarms:
        key = (alarm.kind, alarm.advice)
        count, examples = alarm.count, alarm.examples
        if key in merged:
            count, examples = count + merged[key].count, examples + merged[key].examples
        merged[key] = Alarm(alarm.kind, count, examples, alarm.advice)
    return tuple(merged.values())


def _arrays(content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file that is not compressed, so that none is larger than the file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("it is compressed")
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return {name: file[name] for name in ("header", *_TENSORS)}
