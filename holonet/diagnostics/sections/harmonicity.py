"""How harmonic logits and margins are, on the data and between classes, beside the baseline."""

from dataclasses import replace

import torch
from torch import Tensor

from holonet._types import Points
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.diagnostics.harmonicity import Coordinates, Outputs, harmonicity
from holonet.diagnostics.harmonicity_report import Harmonicity
from holonet.diagnostics.prepared import Prepared, Settings

__all__ = ["between_classes", "harmonicity_section"]

PUSH = (
    "towards harmonic outputs: add regularizers.LaplacianPenalty or regularizers.MeanValuePenalty "
    "to the loss"
)
PUSH_COMPLEX = (
    "towards pluriharmonic outputs: add regularizers.PluriharmonicPenalty to the loss, or end a "
    "holomorphic network with nn.RealPart, as nn.HolomorphicClassifier does"
)


def harmonicity_section(model: Prepared, settings: Settings) -> DiagnosisSection:
    """Logits on the data, margins there and half way to the nearest example of another class.

    Complex models are asked in complex coordinates, where real parts of holomorphic functions are
    harmonic, and on real data in real ones as well.
    """
    x = model.x[: settings.examples]
    y = None if model.y is None else model.y[: settings.examples]
    coordinates: Coordinates = "complex" if model.is_complex else "real"
    few = max(1, settings.examples // 2)

    def ask(
        points: Points, outputs: Outputs, y: Tensor | None, coordinates: Coordinates
    ) -> Harmonicity:
        found = harmonicity(
            model.logits,
            points,
            outputs=outputs,
            y=y,
            baseline=settings.baseline,
            coordinates=coordinates,
            chunk=model.chunk,
            seed=settings.seed,
            on_batch=settings.on_step,
        )
        return replace(found, baseline_name=settings.baseline_name)

    parts = {"logits": ask(x, "logits", None, coordinates)}
    if model.is_complex and not x.is_complex():
        parts["logits, real coordinates"] = ask(x, "logits", None, "real")
    if model.outputs > 1:
        parts["margins"] = ask(x[:few], "margins", None if y is None else y[:few], coordinates)
        middle = between_classes(model)[:few]
        if len(middle):
            parts["margins between classes"] = ask(middle, "margins", None, coordinates)
    first = parts["logits"]
    lines = [line for name, found in parts.items() for line in _lines(name, found)]
    push = PUSH_COMPLEX if model.is_complex else PUSH
    return DiagnosisSection(
        "harmonicity",
        "yes" if first.is_harmonic else "no",
        first.text().split("\n")[0] + _beside(first, settings),
        tuple(lines),
        advice=() if first.is_harmonic else (push,),
        worst=tuple(dict.fromkeys(point.example for point in first.worst())),
        numbers={name: {**found.to_json(), **_gaps(found)} for name, found in parts.items()},
    )


@torch.no_grad()
def between_classes(model: Prepared, pool: int = 500) -> Points:
    """The middles between examples and their nearest ones of another class.

    Args:
        model: with its points.
        pool: examples that are looked through, the first ones.
    """
    x = model.x[:pool]
    y = model.y
    if y is None:
        y = torch.cat([model.logits(part).argmax(1) for part in x.split(model.chunk)])
    y = y[:pool]
    flat = torch.view_as_real(x) if x.is_complex() else x
    distance = torch.cdist(flat.flatten(1), flat.flatten(1))
    distance = distance.masked_fill(y[:, None] == y[None, :], torch.inf)
    nearest, at = distance.min(1)
    rows = nearest.isfinite().nonzero().squeeze(1)
    return (x[rows] + x[at[rows]]) / 2


def _beside(found: Harmonicity, settings: Settings) -> str:
    """The comparison with the baseline as a second sentence, or why there is none."""
    if found.baseline is None:
        return f". No baseline: {settings.no_baseline}" if settings.no_baseline else ""
    return ". " + found.text().split("\n")[1].capitalize().rstrip(".")


def _lines(name: str, found: Harmonicity) -> list[str]:
    """What an affine fit leaves and is not harmonic, radius by radius, beside the baseline."""
    lines = [f"{name}: share that is not harmonic, of what an affine fit leaves"]
    besides = found.baseline.summary if found.baseline else (None,) * len(found.radii)
    for own, beside in zip(found.summary, besides, strict=True):
        line = f"  radius {own.radius:.3g}: {own.text()}"
        line += "" if beside is None else f"; {found.baseline_name}: {beside.text()}"
        lines.append(f"{line}; balls with an extreme value inside: {own.extremes.estimate:.0%}")
    return lines


def _gaps(found: Harmonicity) -> dict[str, object]:
    """The root mean square of the mean-value gap at each radius, and of its error."""

    def rms(of: Tensor) -> list[float]:
        return of.square().flatten(1).mean(1).sqrt().tolist()

    gaps: dict[str, object] = {
        "rms_gap": rms(found.gap.value),
        "rms_gap_error": rms(found.gap.standard_error),
    }
    if found.baseline is not None:
        gaps["baseline_rms_gap"] = rms(found.baseline.gap.value)
        gaps["baseline_rms_gap_error"] = rms(found.baseline.gap.standard_error)
    return gaps
