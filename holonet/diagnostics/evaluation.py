"""Clean and robust accuracy, worst case over an ensemble, kept batch by batch."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._cache import module_digest, recall, tensor_digest
from holonet._files import write_atomically
from holonet._types import GivenLabels, GivenPoints, IntTensor, Labels, Points
from holonet.attacks import ThreatModel
from holonet.attacks.objectives import Model, require_labels, require_some
from holonet.attacks.worst_case import STRONG, Attack, worst_case
from holonet.diagnostics.report import RobustnessReport
from holonet.errors import CheckpointError, ConfigError, InputTypeError, ShapeError

__all__ = ["evaluate_radii", "evaluate_robustness"]


@checked
def evaluate_robustness(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    attacks: Mapping[str, Attack] | None = None,
    seed: int = 0,
    batch_size: int = 500,
    folder: Path | None = None,
    smaller: RobustnessReport | None = None,
    on_batch: Callable[[], None] | None = None,
) -> RobustnessReport:
    """Attack every example with an ensemble until one attack breaks it.

    With a folder, each finished batch is kept there, in a subfolder named after a digest of the
    data, the threat, the attacks, the seed and the weights. A second call with the same ones
    takes finished batches from there and attacks only the rest; any other call does not see them.
    Each file says which examples it is of, and its digest lies beside it: a batch that is damaged,
    or of something else, is attacked again, with a warning.

    Args:
        model: real inputs to real logits; in eval mode during the attacks.
        x, y: examples and labels.
        threat: the set.
        attacks: name -> attack, in the order in which they run; `attacks.STRONG` unless
            given.
        seed: of all random numbers; each batch draws the same ones.
        batch_size: examples attacked at once.
        folder: where batches are kept; None keeps them in memory alone.
        smaller: the report on the same examples at a smaller radius. What is broken in it is
            broken here, at the same point, and is not attacked again.
        on_batch: called after each batch.

    Law: x_adv is in the threat set; the accuracy is at most the clean one, and at most that of
        `smaller`; an interrupted call that is resumed ends with the same report.

    Raises:
        ConfigError: no attacks, or batch_size below 1; `smaller` is of a larger radius or another
            set.
        DataError: there are no examples.
        ShapeError: `smaller` is of other examples, or labels are missing.
        InputTypeError: a folder for a model that is no module: its weights cannot be compared.

    Example:
        >>> model, x = nn.Linear(2, 2), torch.rand(4, 2)
        >>> y = model(x).argmax(1)
        >>> report = evaluate_robustness(model, x, y, ThreatModel("Linf", 0.0))
        >>> report.clean.accuracy, report.robust.accuracy
        (1.0, 1.0)
    """
    attacks = STRONG if attacks is None else attacks
    require_labels(y, len(x))
    require_some(y, "evaluate_robustness")
    if batch_size < 1 or not attacks:
        raise ConfigError(
            f"evaluate_robustness with {len(attacks)} attacks and batch_size={batch_size}: at "
            "least 1 each"
        )
    _require_nested(smaller, x, threat)
    attack = functools.partial(_attack, model, threat, attacks, seed)
    if folder is not None:
        identity = _identity(model, x, y, threat, attacks, seed, batch_size, smaller)
        settings = (threat, tuple(attacks), seed)
        attack = functools.partial(_keeping, attack, _home(folder, identity), identity, settings)
    parts = []
    for number, first in enumerate(range(0, len(y), batch_size)):
        rows = slice(first, first + batch_size)
        parts.append(attack(number, x[rows], y[rows], _rows(smaller, rows)))
        if on_batch is not None:
            on_batch()
    return RobustnessReport.join(parts)


@checked
def evaluate_radii(
    model: Model,
    x: GivenPoints,
    y: GivenLabels,
    eps: Sequence[float],
    threat: ThreatModel,
    **options: Any,
) -> list[RobustnessReport]:
    """One report for each radius; what breaks at a radius is broken at every larger one.

    Args:
        model, x, y: as in `evaluate_robustness`.
        eps: the radii.
        threat: norm and box; its own radius is not used.
        options: of `evaluate_robustness`.

    Law: robust accuracy does not increase with eps; that at radius 0 is the clean one.

    Raises:
        ConfigError: a radius is negative or not finite.
        ConfigError, DataError, ShapeError, InputTypeError: as `evaluate_robustness`.
    """
    threats = {radius: replace(threat, eps=radius) for radius in eps}  # refused before any work
    reports: dict[float, RobustnessReport] = {}
    smaller = options.pop("smaller", None)
    for radius, at_radius in sorted(threats.items()):
        smaller = evaluate_robustness(model, x, y, at_radius, smaller=smaller, **options)
        reports[radius] = smaller
    return [reports[radius] for radius in eps]


def _attack(
    model: Model,
    threat: ThreatModel,
    attacks: Mapping[str, Attack],
    seed: int,
    number: int,
    x: Points,
    y: Labels,
    smaller: RobustnessReport | None,
) -> RobustnessReport:
    """The report of one batch, which does not depend on its number."""
    del number
    robust = torch.arange(len(y)) if smaller is None else smaller.robust_mask.nonzero().squeeze(1)
    if smaller is not None and not len(robust):
        return replace(smaller, threat=threat, attacks=tuple(attacks), seed=seed, alarms=())
    there, size = robust.to(x.device), max(len(robust), 1)
    worst = worst_case(model, x[there], y[there], threat, attacks, seed=seed, batch_size=size)
    found = RobustnessReport(
        threat=threat,
        attacks=tuple(attacks),
        seed=seed,
        y=y[there].cpu(),
        predicted=worst.predicted.cpu(),
        clean_margin=worst.clean_margin.cpu(),
        margin=worst.margin.cpu(),
        broken_by=worst.broken_by,
        x_adv=worst.x_adv.cpu(),
        alarms=worst.alarms,
        searched_in=worst.searched_in,
    )
    return found if smaller is None else _with_rows(smaller, robust, found)


def _with_rows(
    smaller: RobustnessReport, rows: IntTensor, found: RobustnessReport
) -> RobustnessReport:
    """The report at the larger radius: what was found for these rows, else what was known."""
    margin, x_adv = smaller.margin.clone(), smaller.x_adv.clone()
    margin[rows], x_adv[rows] = found.margin, found.x_adv
    broken_by = list(smaller.broken_by)
    for row, name in zip(rows.tolist(), found.broken_by, strict=True):
        broken_by[row] = name
    return replace(
        found,
        y=smaller.y,
        predicted=smaller.predicted,
        clean_margin=smaller.clean_margin,
        margin=margin,
        broken_by=tuple(broken_by),
        x_adv=x_adv,
    )


def _require_nested(smaller: RobustnessReport | None, x: Tensor, threat: ThreatModel) -> None:
    """Whether what `smaller` found lies in this threat set too."""
    if smaller is None:
        return
    if smaller.x_adv.shape != x.shape:
        raise ShapeError(
            f"the report at a smaller radius is of examples of shape {tuple(smaller.x_adv.shape)}, "
            f"and these have {tuple(x.shape)}: pass a report on the same examples"
        )
    if replace(smaller.threat, eps=threat.eps) != threat or smaller.threat.eps > threat.eps:
        raise ConfigError(
            f"the report at a smaller radius is of {smaller.threat}, whose points need not lie in "
            f"{threat}: pass one of the same norm and box"
        )


def _rows(smaller: RobustnessReport | None, rows: slice) -> RobustnessReport | None:
    if smaller is None:
        return None
    tensors = ("y", "predicted", "clean_margin", "margin", "broken_by", "x_adv")
    return replace(smaller, **{name: getattr(smaller, name)[rows] for name in tensors})


def _home(folder: Path, identity: Mapping[str, Any]) -> Path:
    """The subfolder of this evaluation, with its identity written down for readers."""
    text = json.dumps(identity, indent=1, sort_keys=True)
    home = folder / tensor_digest([], [text])[:16]
    if not (home / "identity.json").exists():
        write_atomically(home / "identity.json", text)
    return home


def _keeping(
    attack: Callable[..., RobustnessReport],
    home: Path,
    evaluation: Mapping[str, Any],
    settings: tuple[ThreatModel, tuple[str, ...], int],
    number: int,
    x: Points,
    y: Labels,
    smaller: RobustnessReport | None,
) -> RobustnessReport:
    """The report of a batch that was finished before; else attacks it, and keeps the report."""
    path = home / f"batch-{number:05d}.npz"
    identity = {**evaluation, "batch": number, "examples": tensor_digest([x, y])}

    def read(path: Path) -> RobustnessReport:
        report = RobustnessReport.load(path, identity)
        same_points = (report.x_adv.shape, report.x_adv.dtype) == (x.shape, x.dtype)
        same_attacks = (report.threat, report.attacks, report.seed) == settings
        if not (same_attacks and same_points and torch.equal(report.y, y.cpu())):
            raise CheckpointError(f"{path} is a report of other examples or attacks")
        return report

    report = recall(path, read)
    if report is None:
        report = attack(number, x, y, smaller)
        report.save(path, identity)
    return report


def _identity(
    model: Model,
    x: Points,
    y: Labels,
    threat: ThreatModel,
    attacks: Mapping[str, Attack],
    seed: int,
    batch_size: int,
    smaller: RobustnessReport | None,
) -> dict[str, Any]:
    """Everything that the result depends on, as JSON."""
    if not isinstance(model, nn.Module):
        raise InputTypeError(
            f"evaluate_robustness(folder=...) of a {type(model).__name__}: results are kept with a "
            "digest of the weights, so wrap the function in an nn.Module, or pass folder=None"
        )
    carried = None
    if smaller is not None:
        carried = tensor_digest([smaller.margin, smaller.x_adv], smaller.broken_by)
    return {
        "data": tensor_digest([x, y]),
        "model": module_digest(model),
        "threat": asdict(threat),
        "attacks": [[name, _describe(attack)] for name, attack in attacks.items()],
        "seed": seed,
        "batch_size": batch_size,
        "smaller": carried,
    }


def _describe(attack: object) -> str:
    """The attack with its settings, the same in every process."""
    if isinstance(attack, functools.partial):
        settings = ", ".join(f"{k}={v!r}" for k, v in sorted(attack.keywords.items()))
        return f"{_describe(attack.func)}({', '.join([*map(repr, attack.args), settings])})"
    if hasattr(attack, "__qualname__"):
        return f"{getattr(attack, '__module__', '')}.{attack.__qualname__}"  # pyright: ignore
    described = repr(attack)
    return type(attack).__qualname__ if " at 0x" in described else described
