"""What an ensemble of attacks found for each example, and the accuracies that follow."""

import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holonet._files import write_atomically
from holonet._types import AnyTensor, BoolTensor, IntTensor, RealTensor
from holonet.attacks import Alarm, AlarmKind, ThreatModel
from holonet.diagnostics.robustness import RobustnessPoint
from holonet.errors import CheckpointError

__all__ = ["RobustnessReport", "merge_alarms"]

_TENSORS = ("y", "predicted", "clean_margin", "margin", "x_adv")


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

    Law: `robust` counts the examples whose `broken_by` is "", and `after` falls from the clean
        accuracy to it.
    """

    threat: ThreatModel
    attacks: tuple[str, ...]
    seed: int
    y: IntTensor
    predicted: IntTensor
    clean_margin: RealTensor
    margin: RealTensor
    broken_by: tuple[str, ...]
    x_adv: AnyTensor
    alarms: tuple[Alarm, ...] = ()

    @property
    def standing(self) -> BoolTensor:
        """Which examples no attack broke."""
        return self.margin > 0

    @property
    def clean(self) -> RobustnessPoint:
        """Accuracy without attack."""
        return RobustnessPoint(0.0, int((self.clean_margin > 0).sum()), len(self.y))

    @property
    def robust(self) -> RobustnessPoint:
        """Accuracy in the worst case over the ensemble; an upper bound, never a guarantee."""
        return RobustnessPoint(float(self.threat.eps), int(self.standing.sum()), len(self.y))

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
            points[name] = RobustnessPoint(float(self.threat.eps), correct, len(self.y))
        return points

    def to_json(self) -> dict[str, Any]:
        """The accuracies with their intervals, how they were found, and the alarms."""
        return {
            "threat": asdict(self.threat),
            "seed": self.seed,
            "examples": len(self.y),
            "clean": _point(self.clean),
            "robust": _point(self.robust),
            "after": {name: _point(point) for name, point in self.after.items()},
            "alarms": [{**asdict(a), "kind": a.kind.value, "text": str(a)} for a in self.alarms],
        }

    def save(self, path: Path) -> Path:
        """Write everything to one .npz file, atomically and without pickle."""
        header = {
            "threat": asdict(self.threat),
            "attacks": self.attacks,
            "seed": self.seed,
            "broken_by": self.broken_by,
            "alarms": [{**asdict(a), "kind": a.kind.value} for a in self.alarms],
        }
        content = io.BytesIO()
        arrays = {name: _array(getattr(self, name)) for name in _TENSORS}
        np.savez(content, header=np.array(json.dumps(header)), allow_pickle=False, **arrays)
        return write_atomically(path, content.getvalue())

    @classmethod
    def load(cls, path: Path) -> "RobustnessReport":
        """Read what `save` wrote.

        Raises:
            CheckpointError: the file is missing, damaged or something else.
        """
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                header = json.loads(str(file["header"]))
                tensors = {name: torch.from_numpy(file[name]) for name in _TENSORS}
            bounds = header["threat"].pop("bounds")
            threat = ThreatModel(**header["threat"], bounds=None if bounds is None else (*bounds,))
            alarms = [Alarm(**{**a, "kind": AlarmKind(a["kind"])}) for a in header["alarms"]]
            return cls(
                threat=threat,
                attacks=tuple(header["attacks"]),
                seed=header["seed"],
                broken_by=tuple(header["broken_by"]),
                alarms=tuple(alarms),
                **tensors,
            )
        except FileNotFoundError:
            raise CheckpointError(
                f"{path} does not exist: give a file that a report wrote"
            ) from None
        except (OSError, zipfile.BadZipFile, LookupError, ValueError, TypeError, EOFError) as error:
            raise CheckpointError(
                f"{path} is damaged, or no report was saved there ({error}): remove it and "
                "evaluate again"
            ) from None

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
            **tensors,
        )


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


def _point(point: RobustnessPoint) -> dict[str, Any]:
    return {**asdict(point), "accuracy": point.accuracy, "interval": list(point.interval)}


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().resolve_conj().resolve_neg().numpy()
