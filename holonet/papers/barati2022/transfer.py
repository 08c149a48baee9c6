"""Transfer: how often what fools one network fools another, and how far the two agree."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holonet._types import RealTensor
from holonet.attacks import ThreatModel, pgd
from holonet.data import Dataset
from holonet.diagnostics.transfer import transfer_matrix
from holonet.errors import DataError
from holonet.nn.modes import evaluating
from holonet.papers.barati2022.networks import (
    centered_logits,
    logit_energy,
    mean_value_defect,
    train_network,
)
from holonet.papers.barati2022.settings import TransferSettings
from holonet.training import accuracy

__all__ = ["FEWEST", "halves", "pair_measures", "run_transfer"]

FEWEST = 20
"""Examples that every network must classify correctly for rates to mean anything."""


def run_transfer(
    settings: TransferSettings,
    data: Dataset,
    folder: Path,
    on_progress: Callable[[float], None],
) -> dict[str, Any]:
    """Train all networks, attack each, and show its adversarial examples to all others.

    Args:
        settings: of the networks, their training and their attack.
        data: what they are trained and tested on.
        folder: for their checkpoints.
        on_progress: called with the fraction that is done.

    Returns:
        networks: key, family, weight, half, seed, clean accuracy, energy and defect of each;
        examples: how many all of them classify correctly, which are attacked; rates: of these,
        the share that the target gets wrong at the source's points, source in rows; control: the
        same of each target at random signs; cosine: the mean cosine of the margins' gradients;
        alarms; and `pair_measures`.

    Raises:
        DataError: fewer than `FEWEST` examples are left.
    """
    parts, models, attack = halves(data), {}, settings.attack
    for number, (key, network) in enumerate(settings.networks.items()):
        on_progress(0.9 * number / len(settings.networks))
        own = data if network.half is None else parts[network.half]
        models[key] = train_network(network, settings.training, own, folder / key)
    x, y = _all_correct(models, data, attack.examples)
    threat = ThreatModel("Linf", attack.eps, data.bounds)
    radius = attack.eps * x[0].numel() ** 0.5
    search = partial(pgd, steps=attack.steps, restarts=attack.restarts)
    matrix = transfer_matrix(models, x, y, threat, attack=search)
    on_progress(0.97)
    return {
        "networks": [
            {
                "key": key,
                **asdict(network),
                "clean": accuracy(model, data.x_test, data.y_test),
                "energy": logit_energy(model, x),
                "defect": mean_value_defect(model, x[:100], radius),
            }
            for (key, network), model in zip(
                settings.networks.items(), models.values(), strict=True
            )
        ],
        "examples": len(x),
        "rates": [[rate.value for rate in row] for row in matrix.fooled],
        "control": [rate.value for rate in matrix.control],
        "cosine": [list(row) for row in matrix.cosine],
        "alarms": [str(alarm) for alarm in matrix.alarms],
        **{name: m.tolist() for name, m in pair_measures(models, x).items()},
    }


def halves(data: Dataset) -> tuple[Dataset, Dataset]:
    """The same data set with the first, and with the second half of the training set."""
    middle = len(data.x_train) // 2
    first = replace(data, x_train=data.x_train[:middle], y_train=data.y_train[:middle])
    second = replace(data, x_train=data.x_train[middle:], y_train=data.y_train[middle:])
    return first, second


def pair_measures(
    models: Mapping[str, nn.Module], x: Float[Tensor, "batch *event"]
) -> dict[str, Float[Tensor, "networks networks"]]:
    """How far the logit functions differ at the points x, for each pair, as square matrices.

    Returns:
        logit_distance: root mean square difference of centered logits, each network's scaled to
        mean square 1 (0 to 2); probability_distance: that of the softmax.

    Law: symmetric; a network with itself has distance 0; the first does not change when a
        network's logits are scaled.
    """
    logits, probabilities = [], []
    for model in models.values():
        with evaluating(model), torch.no_grad():
            u = centered_logits(model, x).double()
        logits.append((u / u.square().mean().sqrt().clamp_min(1e-30)).flatten())
        probabilities.append(u.softmax(1).flatten())
    return {
        "logit_distance": _root_mean_square(torch.stack(logits)),
        "probability_distance": _root_mean_square(torch.stack(probabilities)),
    }


def _root_mean_square(rows: Tensor) -> RealTensor:
    """Of the differences of all pairs of rows."""
    return (rows[:, None] - rows[None]).square().mean(-1).sqrt()


def _all_correct(
    models: Mapping[str, nn.Module], data: Dataset, examples: int
) -> tuple[Tensor, Tensor]:
    x, y = data.x_test[:examples], data.y_test[:examples]
    with torch.no_grad():
        right = torch.stack([model(x).argmax(1) == y for model in models.values()]).all(0)
    if int(right.sum()) < FEWEST:
        raise DataError(
            f"only {int(right.sum())} of {len(x)} examples are right in all {len(models)} "
            f"networks, and at least {FEWEST} are needed: train longer, or show more examples"
        )
    return x[right], y[right]
