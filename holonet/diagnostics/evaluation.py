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
from holonet._cache import recall, tensor_digest
from holonet._files import write_atomically
from holonet.attacks import ThreatModel
from holonet.attacks.ensemble import STRONG, Attack, worst_case
from holonet.attacks.objectives import Model, logits_of, margin_of, require_labels
from holonet.diagnostics.report import RobustnessReport
from holonet.errors import CheckpointError, DomainError, InputTypeError, ShapeError
from holonet.nn.modes import evaluating

__all__ = ["evaluate_radii", "evaluate_robustness"]


@checked
def evaluate_robustness(
    model: Model,
    x: Tensor,
    y: Tensor,
    threat: ThreatModel,
    *,
    attacks: Mapping[str, Attack] | None = None,
    seed: int = 0,
    batch_size: int = 500,
    folder: Path | None = None,
    known: RobustnessReport | None = None,
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
        attacks: name -> attack, in the order in which they run; `attacks.ensemble.STRONG` unless
            given.
        seed: of all random numbers; each batch draws the same ones.
        batch_size: examples attacked at once.
        folder: where batches are kept; None keeps them in memory alone.
        known: a report on the same examples at a smaller radius. What it broke is broken here,
            at the same point, and is not attacked again.
        on_batch: called after each batch, for a progress bar.

    Law: x_adv is in the threat set; the accuracy is at most the clean one, and at most that of
        `known`; a run that was cut off and goes on ends with the same report.

    Raises:
        DomainError: no examples or no attacks, batch_size below 1, or `known` is of a larger
            radius or another set.
        ShapeError: `known` is of other examples, or labels are missing.
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
    if not len(y) or batch_size < 1 or not attacks:
        raise DomainError(
            f"evaluate_robustness of {len(y)} examples with {len(attacks)} attacks and "
            f"batch_size={batch_size}: at least 1 each"
        )
    _require_nested(known, x, threat)
    attack = functools.partial(_attack, model, threat, attacks, seed)
    if folder is not None:
        identity = _identity(model, x, y, threat, attacks, seed, batch_size, known)
        asked = (threat, tuple(attacks), seed)
        attack = functools.partial(_keeping, attack, _home(folder, identity), identity, asked)
    parts = []
    for number, first in enumerate(range(0, len(y), batch_size)):
        rows = slice(first, first + batch_size)
        parts.append(attack(number, x[rows], y[rows], _rows(known, rows)))
        if on_batch is not None:
            on_batch()
    return RobustnessReport.join(parts)


@checked
def evaluate_radii(
    model: Model,
    x: Tensor,
    y: Tensor,
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
        DomainError: a radius is negative or not finite, or `evaluate_robustness` refuses.
    """
    threats = {radius: replace(threat, eps=radius) for radius in eps}  # refused before any work
    reports: dict[float, RobustnessReport] = {}
    known = options.pop("known", None)
    for radius, at_radius in sorted(threats.items()):
        known = evaluate_robustness(model, x, y, at_radius, known=known, **options)
        reports[radius] = known
    return [reports[radius] for radius in eps]


def _attack(
    model: Model,
    threat: ThreatModel,
    attacks: Mapping[str, Attack],
    seed: int,
    number: int,
    x: Tensor,
    y: Tensor,
    known: RobustnessReport | None,
) -> RobustnessReport:
    """The report of one batch, which does not depend on its number."""
    x = x.detach()
    with evaluating(model), torch.no_grad():
        logits = logits_of(model, x, y)
    clean = margin_of(logits, y).cpu()
    predicted = logits.argmax(1).masked_fill(logits.isnan().any(1), -1).cpu()
    margin, x_adv = clean.clone(), x.cpu().clone()
    broken_by = ["" if m > 0 else "clean" for m in clean.tolist()]
    alarms = ()
    if known is not None:
        margin, x_adv = known.margin.clone(), known.x_adv.clone()
        broken_by = list(known.broken_by)
    left = (margin > 0).nonzero().squeeze(1)
    if len(left) and threat.eps > 0:
        on_device = left.to(x.device)
        found = worst_case(
            model,
            x[on_device],
            y[on_device.to(y.device)],
            threat,
            attacks,
            seed=seed,
            batch_size=len(left),
        )
        margin[left], x_adv[left] = found.margin.cpu(), found.x_adv.detach().cpu()
        for position, name in zip(left.tolist(), found.broken_by, strict=True):
            broken_by[position] = name
        alarms = found.alarms
    return RobustnessReport(
        threat=threat,
        attacks=tuple(attacks),
        seed=seed,
        y=y.cpu(),
        predicted=predicted,
        clean_margin=clean,
        margin=margin,
        broken_by=tuple(broken_by),
        x_adv=x_adv,
        alarms=alarms,
    )


def _require_nested(known: RobustnessReport | None, x: Tensor, threat: ThreatModel) -> None:
    """Whether what `known` found lies in this threat set too."""
    if known is None:
        return
    if known.x_adv.shape != x.shape:
        raise ShapeError(
            f"the known report is of examples of shape {tuple(known.x_adv.shape)}, and these have "
            f"{tuple(x.shape)}: pass a report on the same examples"
        )
    if replace(known.threat, eps=threat.eps) != threat or known.threat.eps > threat.eps:
        raise DomainError(
            f"the known report is of {known.threat}, whose points need not lie in {threat}: pass "
            "one of the same norm and box, at a smaller radius"
        )


def _rows(known: RobustnessReport | None, rows: slice) -> RobustnessReport | None:
    if known is None:
        return None
    tensors = ("y", "predicted", "clean_margin", "margin", "broken_by", "x_adv")
    return replace(known, **{name: getattr(known, name)[rows] for name in tensors})


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
    asked: tuple[ThreatModel, tuple[str, ...], int],
    number: int,
    x: Tensor,
    y: Tensor,
    known: RobustnessReport | None,
) -> RobustnessReport:
    """The report of a batch that was finished before; else attacks it, and keeps the report."""
    path = home / f"batch-{number:05d}.npz"
    identity = {**evaluation, "batch": number, "examples": tensor_digest([x, y])}

    def read(path: Path) -> RobustnessReport:
        report = RobustnessReport.load(path, identity)
        same_points = (report.x_adv.shape, report.x_adv.dtype) == (x.shape, x.dtype)
        same_attacks = (report.threat, report.attacks, report.seed) == asked
        if not (same_attacks and same_points and torch.equal(report.y, y.cpu())):
            raise CheckpointError(f"{path} is a report of other examples or attacks")
        return report

    report = recall(path, read)
    if report is None:
        report = attack(number, x, y, known)
        report.save(path, identity)
    return report


def _identity(
    model: Model,
    x: Tensor,
    y: Tensor,
    threat: ThreatModel,
    attacks: Mapping[str, Attack],
    seed: int,
    batch_size: int,
    known: RobustnessReport | None,
) -> dict[str, Any]:
    """Everything that the result depends on, as JSON."""
    if not isinstance(model, nn.Module):
        raise InputTypeError(
            f"evaluate_robustness(folder=...) of a {type(model).__name__}: results are kept with a "
            "digest of the weights, so wrap the function in an nn.Module, or pass folder=None"
        )
    weights = dict(sorted(model.state_dict().items()))
    carried = None if known is None else tensor_digest([known.margin, known.x_adv], known.broken_by)
    return {
        "data": tensor_digest([x, y]),
        "model": tensor_digest(weights.values(), (*weights, repr(model))),
        "threat": asdict(threat),
        "attacks": [[name, _describe(attack)] for name, attack in attacks.items()],
        "seed": seed,
        "batch_size": batch_size,
        "known": carried,
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
