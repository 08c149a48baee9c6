"""A margin on a complex line and on a real plane through one example, for pictures."""

import math
from typing import Any

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from holonet._subject import Subject
from holonet._types import TensorFunction
from holonet.calculus import gradient
from holonet.diagnostics.analyticity_report import KINDS
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.diagnostics.lines import line_model, strongest_rival
from holonet.diagnostics.prepared import Prepared, Settings
from holonet.diagnostics.sections.analyticity import on_lines
from holonet.errors import InputTypeError, NotHolomorphicError

__all__ = ["slices_section"]

WIDE = 4.0  # steps to the boundary, on both sides of the example
WIDEST = 40.0  # where a singularity is that far
COLUMNS, ROWS = 120, 90
SIDE = 61  # points along an edge of the plane
DIGITS = 6


def slices_section(model: Prepared, settings: Settings) -> DiagnosisSection:
    """The example nearest to the decision boundary to first order, and two slices through it.

    The step from 0 to 1 on the line is the steepest way to the boundary, to first order. The plane
    has that direction and one across, towards the nearest example of another class.
    """
    if model.outputs < 2:
        return DiagnosisSection("slices", "not applicable", "a model with one output has no margin")
    subject = Subject(model.logits, model.x[: settings.examples], lift=False)
    y = None if model.y is None else model.y[: settings.examples]
    at, label, rival, step = _nearest(subject, y)
    point = subject.z[at]
    numbers: dict[str, Any] = {
        "example": at,
        "classes": [label, rival],
        "step": float(torch.linalg.vector_norm(step)),
    }
    across = _across(model, at, step)
    plane = _plane(subject.f, point, (step, across), (label, rival), model.chunk)
    numbers["plane"] = {"box": [-WIDE, WIDE, -WIDE, WIDE], "values": _rounded(plane)}
    settings.on_step()
    why = ""
    try:
        place, kind = _singularity(model, settings, at, numbers["step"])
        wide = max(WIDE, 1.5 * abs(place)) if abs(place) < WIDEST / 1.5 else WIDE
        box = (-wide, wide, -0.75 * wide, 0.75 * wide)
        line = _line(model, at, step, (label, rival), box)
        numbers["line"] = {"box": list(box), "real": _rounded(line.real)}
        numbers["line"]["imag"] = _rounded(line.imag)
        if abs(place) < wide:
            numbers["line"]["singularity"] = [place.real, place.imag, kind]
    except (NotHolomorphicError, InputTypeError) as error:
        why = f"; no complex line: {str(error).removeprefix('extend: ').split('. ')[0]}"
    settings.on_step()
    return DiagnosisSection(
        "slices",
        "drawn",
        f"example {at} is nearest to the decision boundary to first order: class {label} against "
        f"{rival}, at distance {numbers['step']:.3g}{why}",
        worst=(at,),
        numbers=numbers,
    )


def _nearest(subject: Subject, y: Tensor | None) -> tuple[int, int, int, Tensor]:
    """The example with the shortest step to the boundary, its class, its rival, and the step.

    Of examples with labels those that are classified right are looked at.
    """
    z = subject.z
    with torch.no_grad():
        logits = subject.f(z.clone())
    label = logits.argmax(1) if y is None else y.long()
    rival = strongest_rival(logits, label)
    rows = torch.arange(len(z), device=z.device)
    w = torch.zeros_like(logits)
    w[rows, label], w[rows, rival] = 1.0, -1.0
    slope = gradient(subject.f, z, w)
    margin = (logits * w).sum(1)
    square = slope.abs().square().flatten(1).sum(1)
    distance = margin / square.sqrt()
    distance = torch.where(distance.isfinite() & (distance > 0), distance, torch.inf)
    at = int(distance.argmin())
    step = -margin[at] / square[at] * slope[at]
    if not bool(step.isfinite().all()):  # a constant margin
        step = torch.ones_like(step) / math.sqrt(step.numel())
    return at, int(label[at]), int(rival[at]), step


def _singularity(model: Prepared, settings: Settings, at: int, step: float) -> tuple[complex, str]:
    """The nearest one on the line of the gradient, in steps, and its kind; infinity without."""
    found = on_lines(model, settings, ("gradient",), slice(at, at + 1))
    if found.kinds[0][0] not in KINDS or found.kinds[0][0] == "kink":
        return complex(math.inf), ""
    return complex(found.place[0, 0]) / step, found.kinds[0][0]


def _across(model: Prepared, at: int, step: Tensor) -> Tensor:
    """A direction across, of the length of the step, towards the nearest other example."""
    x = model.x[:500].to(step)
    towards = x - x[at]
    length = towards.abs().square().flatten(1).sum(1)
    length[at] = torch.inf
    v = towards[int(length.argmin())] if bool(length.isfinite().any()) else step.flip(-1)
    v = v - (v.conj() * step).sum().real / step.abs().square().sum() * step
    size = torch.linalg.vector_norm(v)
    return v / size.clamp(min=1e-12) * torch.linalg.vector_norm(step)


@torch.no_grad()
def _line(
    model: Prepared,
    at: int,
    step: Tensor,
    classes: tuple[int, int],
    box: tuple[float, float, float, float],
) -> Complex[Tensor, "rows columns"]:
    """The continuation of the difference of two logits at pixels of the complex line."""
    left, right, bottom, top = box
    x = left + (torch.arange(COLUMNS, dtype=torch.float64) + 0.5) * ((right - left) / COLUMNS)
    y = bottom + (torch.arange(ROWS, dtype=torch.float64) + 0.5) * ((top - bottom) / ROWS)
    lines, point = line_model(model.model, model.points[at : at + 1], "refused")
    t = torch.complex(*torch.meshgrid(x, y, indexing="xy")).flatten().to(point.device)
    v = step.to(point)[None]
    label, rival = classes
    parts = []
    for part in t.split(model.chunk):
        shape = (len(part), *point.shape[1:])
        values = lines.at(point.expand(shape), v.expand(shape), part)
        parts.append(values[:, label] - values[:, rival])
    return torch.cat(parts).cpu().view(ROWS, COLUMNS)


@torch.no_grad()
def _plane(
    f: TensorFunction,
    point: Tensor,
    steps: tuple[Tensor, Tensor],
    classes: tuple[int, int],
    chunk: int,
) -> Float[Tensor, "side side"]:
    """The difference of two logits on a grid of the real plane."""
    side = torch.linspace(-WIDE, WIDE, SIDE, dtype=torch.float64, device=point.device)
    grid = torch.stack(torch.meshgrid(side, side, indexing="xy")).flatten(1)
    label, rival = classes
    parts = []
    for part in grid.split(chunk, 1):
        t, s = part.view(2, -1, *[1] * point.ndim)
        values = f(point + t * steps[0].to(point) + s * steps[1].to(point))
        parts.append(values[:, label] - values[:, rival])
    return torch.cat(parts).cpu().view(SIDE, SIDE)


def _rounded(values: Float[Tensor, "rows columns"]) -> list[list[float]]:
    return [[float(f"{v:.{DIGITS}g}") for v in row] for row in values.tolist()]
