"""What the model withstands at a few radii, by a small ensemble of attacks."""

import functools
import warnings
from collections.abc import Mapping
from types import MappingProxyType

from holonet._types import Labels, Points, TensorFunction
from holonet.attacks import Attack, ThreatModel, apgd, square
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.diagnostics.evaluation import evaluate_radii
from holonet.diagnostics.prepared import Prepared, Settings
from holonet.diagnostics.report import RobustnessReport, merge_alarms
from holonet.errors import AttackWarning

__all__ = ["ATTACKS", "robustness_section"]

ATTACKS: Mapping[str, Attack] = MappingProxyType(
    {
        "apgd-ce": functools.partial(apgd, steps=30, loss="cross_entropy"),
        "apgd-dlr": functools.partial(apgd, steps=30, loss="dlr"),
        "square": functools.partial(square, queries=200),
    }
)
"""A few steps each: `holonet evaluate` attacks longer."""

SHARES = (0.02, 0.05, 0.1)  # of the range of the data
BATCH = 100


def robustness_section(model: Prepared, settings: Settings) -> DiagnosisSection:
    """Accuracies at radii with Wilson intervals, alarms, and the examples broken first."""
    if model.y is None:
        return _not_applicable("it needs labels: give y")
    if model.outputs < 2:
        return _not_applicable("a model with one output has no classes")
    x, y = model.x[: settings.attacked], model.y[: settings.attacked]
    threat, radii = _threat(x, settings)
    reports = _reports(model.logits, model, y, threat, radii, settings)
    beside = []
    if settings.baseline is not None and settings.baseline_name != "untrained":
        beside = _reports(settings.baseline, model, y, threat, radii, settings)
    lines = [f"% right without attack: {reports[0].clean}"]
    for name, these in (("", reports[1:]), ("baseline, ", beside[1:])):
        for report in these:
            radius = f"{threat.norm} {report.threat.eps:.3g}"
            lines.append(f"{name}% right under {radius}, at most: {report.robust}")
    alarms = merge_alarms(alarm for report in reports for alarm in report.alarms)
    lines += [f"doubt: {alarm}" for alarm in alarms]
    middle = reports[(len(reports) + 1) // 2]
    low, high = (100 * end for end in middle.robust.interval)
    return DiagnosisSection(
        "robustness",
        "measured",
        f"{100 * reports[0].clean.accuracy:.1f}% of {len(y)} examples are classified right, and "
        f"under {threat.norm} attacks of size {middle.threat.eps:.3g} at most "
        f"{100 * middle.robust.accuracy:.1f}% (95% interval {low:.1f} to {high:.1f}); attacks "
        "give upper bounds, and these are short ones",
        tuple(lines),
        advice=_advice(reports, bool(alarms)),
        worst=tuple(_worst(reports)),
        numbers={
            "reports": [report.to_json() for report in reports],
            "baseline": [report.to_json() for report in beside],
            "broken_by": [report.broken_by for report in reports],
        },
    )


def _not_applicable(why: str) -> DiagnosisSection:
    return DiagnosisSection("robustness", "not applicable", why)


def _threat(x: Points, settings: Settings) -> tuple[ThreatModel, tuple[float, ...]]:
    """The set of perturbations, and the radii with 0 in front."""
    if x.is_complex():
        size, bounds, norm = float(x.abs().max()), None, "polydisc"
    else:
        low, high = float(x.min()), float(x.max())
        is_image = low >= 0 and high <= 1
        size, bounds, norm = (1.0, (0.0, 1.0), "Linf") if is_image else (high - low, None, "Linf")
    radii = settings.eps or tuple(share * size for share in SHARES)
    return ThreatModel(norm, 0.0, bounds), (0.0, *sorted(set(radii) - {0.0}))


def _reports(
    logits: TensorFunction,
    model: Prepared,
    y: Labels,
    threat: ThreatModel,
    radii: tuple[float, ...],
    settings: Settings,
) -> list[RobustnessReport]:
    with warnings.catch_warnings():  # the reports have them as alarms
        warnings.simplefilter("ignore", AttackWarning)
        return evaluate_radii(
            logits,
            model.x[: len(y)],
            y,
            radii,
            threat,
            attacks=ATTACKS,
            seed=settings.seed,
            batch_size=min(BATCH, model.chunk),
            on_batch=settings.on_step,
        )


def _worst(reports: list[RobustnessReport]) -> list[int]:
    """The examples that are classified right and break at the smallest radius, worst first."""
    first = reports[min(1, len(reports) - 1)]
    right = (reports[0].margin > 0).nonzero().squeeze(1)
    order = right[first.margin[right].argsort()]
    return [int(k) for k in order[:5] if first.margin[k] <= 0]


def _advice(reports: list[RobustnessReport], doubtful: bool) -> tuple[str, ...]:
    advice = []
    if doubtful:
        advice.append("against the doubts: holonet evaluate, or diagnostics.evaluate_robustness")
    last = reports[-1]
    if last.robust.interval[1] < last.clean.interval[0]:
        eps = f"eps={last.threat.eps:.3g}"
        advice.append(
            f"for robustness: the rule training.LinearizedRobustOptimization(ThreatModel({eps}))"
        )
    return tuple(advice)
