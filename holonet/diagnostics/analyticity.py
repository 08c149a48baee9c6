"""How far a model can be continued from its data into the complex domain, line by line.

On the line t -> f(x + t v) the nearest complex singularity is found, and beside it the first real t
at which the answer changes. A report says which singularities were confirmed, and up to which
radius nothing is.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import torch

from holonet._arguments import checked
from holonet._types import GivenLabels, GivenPoints, Points, TensorFunction
from holonet.attacks.objectives import require_labels
from holonet.calculus.checks import require_count
from holonet.calculus.examples import lengths
from holonet.diagnostics.analyticity_report import Analyticity, joined
from holonet.diagnostics.analyticity_search import Search
from holonet.diagnostics.lines import (
    Direction,
    ModelOnLines,
    line_model,
    strongest_rival,
    unit_directions,
)
from holonet.errors import ConfigError, DataError, DomainError

__all__ = ["analyticity"]

GROUP = 16  # examples that are looked at together
REACH = 2.0  # of the spread of the data


@checked
def analyticity(
    model: TensorFunction,
    x: GivenPoints,
    y: GivenLabels | None = None,
    *,
    outputs: Literal["logits", "margins"] = "margins",
    directions: Sequence[Direction] = ("random", "gradient", "class"),
    pieces: Literal["refused", "frozen"] = "refused",
    reach: float | int | None = None,
    segment: float | int | None = None,
    centers: int = 5,
    chunk: int = 1024,
    seed: int = 0,
    on_batch: Callable[[], None] | None = None,
) -> Analyticity:
    """The nearest complex singularities of a model on lines through examples.

    In eval mode and in double precision, as a copy; the model is left as it is. A real model is
    continued by `continuation.extend`. A complex one is asked for its holomorphic map, and its
    readout is continued. The cost is about 500 to 3,000 points for each line, the memory that of
    `chunk` points in a forward pass.

    Args:
        model: a module, or a function of batches that takes double precision, each example on its
            own.
        x: the examples, (batch, *event).
        y: labels; None takes the class that the model answers.
        outputs: "margins" for the logit of the label minus that of the class that is strongest
            beside it at the example, "logits" for that of the label.
        directions: of the lines: "random", "gradient" (along which the function falls most),
            "class" (to the nearest example of another class). All have unit length.
        pieces: "frozen" for models made of pieces, as of ReLUs: the nearest kink on the line is
            the answer, exact where all in front of the kinks is affine, else of first order.
        reach: what is looked for has |t| of at most that. None takes twice the root mean square
            distance of the examples from their mean.
        segment: half the length of the part of the line, about its example, over which the width
            of the strip is taken; None takes half the reach.
        centers: on the segment, from which singularities are looked for; odd.
        chunk: points at once.
        seed: of the random directions.
        on_batch: called after each group of 16 examples.

    Law: the same for the model and c times it plus a constant; along 2 v all places are halved.

    Raises:
        NotHolomorphicError: the model is made of pieces, and these are refused.
        ConfigError: reach, segment, centers, chunk or directions out of range.
        DataError: there are no examples.
        InputTypeError: a model that has no continuation that is known.
        ShapeError, DomainError: labels that do not fit.

    Example:
        >>> weight = torch.tensor([3.0, 4.0], dtype=torch.float64)
        >>> f = lambda x: torch.tanh(x @ weight)[:, None]
        >>> x = torch.zeros(1, 2, dtype=torch.float64)
        >>> found = analyticity(f, x, outputs="logits", directions=["gradient"], reach=1.0)
        >>> round(float(found.distance), 6), found.kinds[0][0]
        (0.314159, 'pole')
    """
    if not len(x):
        raise DataError("analyticity of 0 examples: give at least one")
    require_count("chunk", chunk, 1, "analyticity")
    if y is not None:
        require_labels(y, len(x))
    reach = _reach(x) if reach is None else float(reach)
    segment = reach / 2 if segment is None else float(segment)
    _require(directions, reach, segment, centers)
    lines, points = line_model(model, x, pieces)
    with torch.no_grad():
        logits = torch.cat([lines.real(part) for part in points.split(chunk)])
    own = logits.argmax(1) if y is None else y.to(points.device).long()
    if y is not None and not bool((own < logits.shape[1]).all()):
        raise DomainError(f"labels up to {int(own.max())} for {logits.shape[1]} outputs")
    rival = strongest_rival(logits, own) if outputs == "margins" else None
    generator = torch.Generator().manual_seed(seed)
    search = Search(outputs, tuple(directions), reach, segment, centers)
    parts = []
    for rows in torch.arange(len(points)).split(GROUP):
        part, classes = points[rows], own[rows]
        other = None if rival is None else rival[rows]
        v, defined = unit_directions(
            lines, part, classes, other, directions, generator, (points, own)
        )
        on_lines = ModelOnLines(lines, part, v, classes, other, chunk)
        parts.append(search.at(on_lines, defined))
        if on_batch is not None:
            on_batch()
    return joined(parts)


def _require(directions: Sequence[str], reach: float, segment: float, centers: int) -> None:
    if not 0 < segment <= reach < math.inf:
        raise ConfigError(
            f"analyticity up to reach={reach} with segment={segment}: both are positive and "
            "finite, and the segment is not longer than the reach"
        )
    if centers < 1 or not centers % 2:
        raise ConfigError(f"analyticity from {centers} centers: give an odd number, 5 for example")
    if not directions or len(set(directions)) < len(directions):
        raise ConfigError(f"analyticity along {list(directions)}: give one or more, each once")


def _reach(x: Points) -> float:
    """Twice the spread of the examples, or their size where they are all equal."""
    wide = x.to(torch.complex128)
    spread = float(lengths(wide - wide.mean(0)).square().mean().sqrt())
    size = float(lengths(wide).square().mean().sqrt())
    unit = spread if spread > 1e-6 * size else size
    if not 0 < unit < math.inf:
        raise ConfigError("analyticity at examples that are all 0, or not finite: give reach")
    return REACH * unit
