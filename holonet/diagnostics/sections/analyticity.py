"""How far the model continues into the complex domain, and whether that foretells its boundary."""

from typing import Literal

import torch

from holonet._subject import Subject, random_lines
from holonet.calculus import relative_defect
from holonet.diagnostics.analyticity import analyticity
from holonet.diagnostics.analyticity_report import Analyticity
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.diagnostics.lines import Direction
from holonet.diagnostics.prepared import Prepared, Settings
from holonet.errors import NotHolomorphicError

__all__ = ["analyticity_section", "on_lines"]

WORST = 5
EXAMPLES = 8  # at which a complex model is asked whether it is holomorphic
NOISE = 1e-6  # of differences, where torch has no forward mode
REACH = 2.0  # of the spread of the data


def analyticity_section(model: Prepared, settings: Settings) -> DiagnosisSection:
    """The nearest singularities on random, gradient and class-to-class lines, or kinks."""
    directions = ("random", "gradient", "class")
    try:
        found = on_lines(model, settings, directions, slice(settings.examples))
    except NotHolomorphicError as error:
        return DiagnosisSection("analyticity", "not applicable", str(error))
    nearest = found.distance.nan_to_num(nan=float("inf")).amin(1)
    order = nearest.argsort()
    verdict, *lines = found.text().split("\n")
    advice: tuple[str, ...] = ()
    if bool((found.distance < found.boundary).any()) and not _is_of_pieces(found):
        advice = (
            "singularities nearer than the decision boundary: entire activations, such as "
            "nn.GELU(approximate='none') or holonet.nn.Sin, and no division by norms have none",
        )
    return DiagnosisSection(
        "analyticity",
        "measured",
        verdict + _correlations(found),
        tuple(lines),
        advice,
        tuple(int(k) for k in order[:WORST] if bool(nearest[k].isfinite())),
        found.to_json(),
    )


def on_lines(
    model: Prepared, settings: Settings, directions: tuple[Direction, ...], rows: slice
) -> Analyticity:
    """Singularities of the margins, of frozen pieces the kinks where nothing else continues.

    Raises:
        NotHolomorphicError: a complex model that is not holomorphic at the data.
    """
    _require_holomorphic(model)

    def ask(pieces: Literal["refused", "frozen"]) -> Analyticity:
        return analyticity(
            model.model,
            model.points[rows],
            None if model.y is None else model.y[rows],
            outputs="margins" if model.outputs > 1 else "logits",
            directions=directions,
            pieces=pieces,
            reach=REACH * model.spread,  # of all data, also where one line is looked at
            chunk=model.chunk,
            seed=settings.seed,
            on_batch=settings.on_step,
        )

    try:
        return ask("refused")
    except NotHolomorphicError:
        if model.is_complex:
            raise
        return ask("frozen")


def _require_holomorphic(model: Prepared) -> None:
    """Refuse a complex model whose values at complex points continue nothing."""
    if model.holomorphic is None:
        return
    subject = Subject(model.holomorphic, model.z[:EXAMPLES])
    v = random_lines(subject.z, torch.Generator().manual_seed(0))
    with torch.no_grad():
        if not subject.f(subject.z.clone()).is_complex():
            return  # behind a readout: what is known of those is decided there
        defect = float(relative_defect(subject.f, subject.z, v).max())
    if defect > NOISE:
        raise NotHolomorphicError(
            f"the model is not holomorphic (defect {defect:.2g}), so that its values at complex "
            "points are no continuation of those at real ones"
        )


def _is_of_pieces(found: Analyticity) -> bool:
    return any(kind == "kink" for row in found.kinds for kind in row)


def _correlations(found: Analyticity) -> str:
    """Whether the distance of the singularity goes with that of the boundary, in words."""
    interval = found.rank_correlation("gradient")
    if interval is None:
        return ""
    words = "cannot be told from none"
    if interval.is_above(0.0) or interval.is_below(0.0):
        words = "is " + ("positive" if interval.is_above(0.0) else "negative")
    return (
        f". The rank correlation of that distance with the distance to a change of the answer, "
        f"along the gradient, {words}: {interval.text(2)}"
    )
