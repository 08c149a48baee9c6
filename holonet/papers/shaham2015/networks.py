"""The network, the images and the measurements of the study of Shaham et al."""

import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from holonet._types import RealTensor
from holonet.attacks import ThreatModel
from holonet.attacks.gradient import fgsm, pgd
from holonet.data import Dataset
from holonet.errors import AttackWarning, DataError
from holonet.nn.modes import evaluating
from holonet.training import accuracy

__all__ = ["at_32", "attacked", "network"]

BATCH = 500


def network(width: int, num_classes: int, seed: int) -> nn.Sequential:
    """The authors' network for 1 x 32 x 32 at width 32; torch's own initial weights from the seed.

    Example:
        >>> sum(p.numel() for p in network(32, 10, 0).parameters())
        105506
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        hidden = 200 * width // 32
        return nn.Sequential(
            nn.Conv2d(1, width, 5),
            nn.ReLU(),
            nn.MaxPool2d(3),
            nn.Conv2d(width, 2 * width, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(8 * width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, num_classes),
        )


def at_32(data: Dataset) -> Dataset:
    """Gray images enlarged by a whole factor, padded to 32 x 32, with mean 0 and deviation 1.

    The mean and the deviation are those of all training pixels, the padding included.

    Raises:
        DataError: the data are not real square images of one channel with at most 32 rows.
    """
    shape = data.feature_shape
    if data.is_complex or len(shape) != 3 or shape[0] != 1 or shape[1] != shape[2] or shape[1] > 32:
        raise DataError(
            f"{data.name!r} has features {shape}{' (complex)' if data.is_complex else ''}: this "
            "study is about gray images, real (1, n, n) with n at most 32, digits or mnist"
        )
    factor, side = 32 // shape[1], shape[1]
    margin = 32 - factor * side
    pad = (margin // 2, margin - margin // 2) * 2

    def enlarged(x: Tensor) -> Tensor:
        large = x.repeat_interleave(factor, 2).repeat_interleave(factor, 3)
        return functional.pad(large, pad)

    train, test = enlarged(data.x_train), enlarged(data.x_test)
    mean, deviation = train.mean(), train.std()
    return replace(data, x_train=(train - mean) / deviation, x_test=(test - mean) / deviation)


def attacked(
    model: nn.Module,
    baseline: nn.Module,
    data: Dataset,
    threats: Mapping[str, ThreatModel],
    *,
    steps: int,
    seed: int,
) -> dict[str, dict[str, float] | dict[str, int]]:
    """Accuracies of a network on the test images, for each threat.

    Args:
        model: the network.
        baseline: another one, whose adversarial examples `model` is shown too.
        data: its test images are attacked.
        threats: by name.
        steps: of PGD.
        seed: of PGD's random starts.

    Returns:
        "one_step", "pgd", "existing", "change", each by the threat's name: accuracy under one
        step; under both that and PGD on the margin; on the one-step examples for the baseline;
        and how far the class probabilities move to PGD's points, in total variation. And
        "alarms": for how many examples, over all threats, PGD gave which alarm; its warnings are
        not issued.

    Law: "pgd" is at most "one_step", and that at most the clean accuracy.
    """
    device = next(model.parameters()).device
    baseline = baseline.to(device)
    quantities = ("one_step", "pgd", "existing", "change")
    shares: dict[str, dict[str, float]] = {quantity: {} for quantity in quantities}
    alarms: Counter[str] = Counter()
    for name, threat in threats.items():
        sums = dict.fromkeys(quantities, 0.0)
        for images, labels in zip(data.x_test.split(BATCH), data.y_test.split(BATCH), strict=True):
            x, y = images.to(device), labels.to(device)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AttackWarning)  # they are in the result
                one = fgsm(model, x, y, threat)
                many = pgd(model, x, y, threat, steps=steps, seed=seed)
                existing = fgsm(baseline, x, y, threat).x_adv
            alarms.update({str(alarm.kind): alarm.count for alarm in many.alarms})
            sums["one_step"] += int((~one.success).sum())
            sums["pgd"] += int((~one.success & ~many.success).sum())
            sums["existing"] += accuracy(model, existing, y) * len(y)
            sums["change"] += float(_variation(model, x, many.x_adv).sum())
        for key, value in sums.items():
            shares[key][name] = value / len(data.y_test)
    return shares | {"alarms": dict(alarms)}


@torch.no_grad()
def _variation(model: nn.Module, x: Tensor, x_adv: Tensor) -> RealTensor:
    """Total variation between the class probabilities at both points of each pair."""
    with evaluating(model):
        return (model(x).softmax(1) - model(x_adv).softmax(1)).abs().sum(1) / 2
