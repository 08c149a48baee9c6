"""Whether training came to anything: its accuracy beside that of one constant answer."""

import math

from jaxtyping import Int
from torch import Tensor

__all__ = ["LOOKED_AT", "chance_warning"]

LOOKED_AT = 1000
"""Training examples, the first ones, on which the accuracy of each epoch is measured."""

ERRORS = 2
"""Standard errors of guesses by which an accuracy must exceed chance."""


def chance_warning(
    accuracy: float, y: Int[Tensor, " examples"], *, complex_data: bool = False
) -> str | None:
    """What to try where an accuracy is no better than one constant answer; None where it is.

    Chance is the share of the most frequent label, which is what the best constant answer gets. An
    accuracy counts as chance up to two standard errors of a proportion above that, unless it is 1.

    Args:
        accuracy: on the examples with these labels.
        y: labels; those of one class alone give no warning.
        complex_data: whether the examples are complex, for the advice.

    Example:
        >>> import torch
        >>> y = torch.arange(1000) % 10
        >>> chance_warning(0.9, y), chance_warning(0.11, y)[:48]
        (None, 'accuracy on the training examples is 11.0%, and ')
    """
    share = float(y.bincount().max()) / len(y)
    slack = ERRORS * math.sqrt(share * (1 - share) / len(y))
    if share == 1 or accuracy == 1 or accuracy > share + slack:
        return None
    phase = (
        "model.readout = 'modulus' or 'log-modulus', if the phase of the data is unknown; "
        if complex_data
        else ""
    )
    return (
        f"accuracy on the training examples is {100 * accuracy:.1f}%, and one answer to all has "
        f"{100 * share:.1f}%: nothing was learned. Try {phase}another train.lr (a tenth, ten "
        "times as much); more train.epochs; a smaller rule.eps or rule.weight; model.gain = 'data'"
    )
