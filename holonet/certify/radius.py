"""The largest radius at which the class of an example is proved."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from holonet._arguments import checked
from holonet._types import GivenLabels, GivenPoints, Mask, Numbers
from holonet.calculus.checks import require_count
from holonet.certify.enclosure import EXACT, Enclosure, Semantics
from holonet.certify.ladder import ladder_of, readable, threat_set
from holonet.certify.methods import Method
from holonet.certify.network import Network
from holonet.errors import ConfigError
from holonet.threats import ThreatModel

__all__ = ["certified_radius"]

_FLOOR = 1e-9
"""Radii below this share of the limit count as 0."""


@checked
@torch.no_grad()
def certified_radius(
    model: nn.Module,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    methods: Sequence[str | Method] = ("intervals",),
    semantics: Semantics = EXACT,
    *,
    tolerance: float = 0.01,
    batch_size: int = 128,
    on_examples: Callable[[int], None] | None = None,
) -> Numbers:
    """For each example a radius at which its class is proved: a lower bound of its robust radius.

    Found by bisection, for all examples of a batch at once, each at a radius of its own.

    Args:
        model, x, y, methods, semantics, batch_size: as `certify` takes them.
        threat: norm and bounds; its radius is the limit of the search.
        tolerance: relative: a bound fails at some radius that is larger by a factor of at most
            1 / (1 - tolerance), or the radius is the limit.
        on_examples: called with how many examples are done.

    Law: `certify` holds at the radius, and so does the claim at every smaller one. It is 0 where
        the example itself is not proved to be of its class, or where nothing above 1e-9 of the
        limit is.

    Returns:
        In float64, one for each example.

    Raises:
        ConfigError: the limit is 0, the tolerance not between 0 and 1, or as `certify`.
        DomainError, InputTypeError, NumericalError, ShapeError, UnknownNameError: as `certify`.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> _ = model.weight.data.copy_(torch.eye(2)), model.bias.data.zero_()
        >>> x, y = torch.tensor([[0.8, 0.2], [0.2, 0.8]]), torch.tensor([0, 0])
        >>> certified_radius(model, x, y, ThreatModel("Linf", 1.0)).round(decimals=2)
        tensor([0.3000, 0.0000], dtype=torch.float64)
    """
    if not threat.eps > 0 or not 0 < tolerance < 1:
        raise ConfigError(
            f"certified_radius up to {threat.eps} with tolerance={tolerance}: the threat's radius "
            "is positive, and the tolerance between 0 and 1"
        )
    require_count("batch_size", batch_size, 1, "certified_radius")
    threat_set(x, threat, semantics)  # refused at once
    ladder, network = ladder_of(methods, threat), readable(model, x, y, semantics)
    labels, radii = y.detach().cpu().long(), torch.zeros(len(x), dtype=torch.float64)

    for index in torch.arange(len(x)).split(batch_size):

        def proved(rows: torch.Tensor, at: Numbers, index: torch.Tensor = index) -> Mask:
            box = threat_set(x[index[rows]], threat, semantics, at)
            return _proved(network, ladder, box, labels[index[rows]], semantics)

        radii[index] = _bisected(proved, len(index), threat.eps, tolerance)
        if on_examples is not None:
            on_examples(len(index))
    return radii


def _bisected(
    proved: Callable[[torch.Tensor, Numbers], Mask], count: int, limit: float, tolerance: float
) -> Numbers:
    """The largest radii found at which rows are proved, all open rows in one step."""
    low = torch.zeros(count, dtype=torch.float64)
    high = low.clone()
    rows = torch.arange(count)
    rows = rows[proved(rows, low)]
    high[rows] = limit
    low[rows] = high[rows] * proved(rows, high[rows])
    while True:
        rows = ((high - low > tolerance * high) & (high > _FLOOR * limit)).nonzero()[:, 0]
        if not len(rows):
            return low
        # in steps of a factor while nothing is proved, then by the geometric mean
        middle = torch.where(low > 0, (low * high).sqrt(), high / 8)[rows]
        held = proved(rows, middle)
        low[rows] = torch.where(held, middle, low[rows])
        high[rows] = torch.where(held, high[rows], middle)


def _proved(
    network: Network,
    ladder: Sequence[Method],
    box: Enclosure,
    labels: torch.Tensor,
    semantics: Semantics,
) -> Mask:
    """Which examples one of the methods proves."""
    held = torch.zeros(len(labels), dtype=torch.bool)
    for method in ladder:
        rows = (~held).nonzero()[:, 0]
        if not len(rows):
            break
        margins, _, _ = method.margins(network, box.at(rows), labels[rows], semantics)
        margins.scatter_(1, labels[rows, None], float("inf"))
        held[rows] = margins.amin(1) > 0
    return held
