"""How far the model continues into the complex domain, and whether that foretells its boundary."""

from typing import Literal

from holonet.diagnostics.analyticity import analyticity
from holonet.diagnostics.analyticity_report import Analyticity
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.diagnostics.lines import Direction
from holonet.diagnostics.prepared import Prepared, Settings
from holonet.errors import NotHolomorphicError

__all__ = ["analyticity_section", "on_lines"]

WORST = 5
REACH = 2.0  # of the spread of the data


def analyticity_section(model: Prepared, settings: Settings) -> DiagnosisSection:
    """The nearest singularities on random, gradient and class-to-class lines, or kinks."""
    found = on_lines(model, settings, ("random", "gradient", "class"), slice(settings.examples))
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
    """Singularities of the margins, of frozen pieces the kinks where nothing else continues."""

    def ask(pieces: Literal["refused", "frozen"]) -> Analyticity:
        return analyticity(
            model.model,
            model.points[rows],
            None if model.y is None else model.y[rows],
            outputs="margins" if model.outputs > 1 else "logits",
            directions=directions,
            pieces=pieces,
            reach=REACH * model.spread,  # of all data, also where one line is looked at
            seed=settings.seed,
            on_batch=settings.on_step,
        )

    try:
        return ask("refused")
    except NotHolomorphicError:
        return ask("frozen")


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
