"""Image classifiers of three families and one size, and what is measured of their logits."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holonet._types import RealTensor
from holonet.calculus import sphere_mean
from holonet.data import Dataset
from holonet.errors import UnknownNameError
from holonet.nn import holomorphic_mlp, matched_widths, real_mlp, real_parameter_count
from holonet.nn.modes import evaluating
from holonet.papers.barati2022.settings import Network, Training
from holonet.regularizers import DirichletEnergy
from holonet.training import AnalyticRule, EmpiricalRisk, TrainConfig, fit

__all__ = [
    "FAMILIES",
    "build_network",
    "centered_logits",
    "logit_energy",
    "mean_value_defect",
    "train_network",
]

FAMILIES: Mapping[str, type[nn.Module] | None] = {
    "holomorphic": None,
    "relu": nn.ReLU,
    "softplus": nn.Softplus,
}
"""Each with the activation of its real networks; the holomorphic one has z^2."""


def build_network(
    family: str, in_features: int, num_classes: int, hidden: Sequence[int], seed: int
) -> nn.Module:
    """A perceptron of the family; real ones have the real parameter count of the holomorphic one.

    Args:
        family: a key of `FAMILIES`.
        in_features: entries of one example.
        num_classes: number of logits.
        hidden: widths of the holomorphic one.
        seed: of the weights.

    Raises:
        UnknownNameError: no such family.
    """
    if family not in FAMILIES:
        raise UnknownNameError("family", family, FAMILIES)
    generator = torch.Generator().manual_seed(seed)
    holomorphic = holomorphic_mlp(in_features, hidden, num_classes, generator=generator)
    activation = FAMILIES[family]
    if activation is None:
        return holomorphic

    def build(widths: Sequence[int]) -> nn.Module:
        return real_mlp(
            in_features, widths, num_classes, activation=activation, generator=generator
        )

    count = real_parameter_count(holomorphic)
    return build(matched_widths(count, tuple(hidden), build, real_parameter_count))


def train_network(network: Network, training: Training, data: Dataset, folder: Path) -> nn.Module:
    """The trained network; training resumes from what the folder holds."""
    model = build_network(
        network.family,
        data.x_train[0].numel(),
        data.num_classes,
        training.hidden,
        network.seed,
    )
    config = TrainConfig(
        epochs=training.epochs,
        batch_size=training.batch_size,
        lr=training.lr,
        seed=network.seed,
    )
    rule = AnalyticRule(network.weight) if network.weight else EmpiricalRisk()
    fit(model, data, rule, config, run_dir=folder, resume=True)
    return model.cpu().eval()


def centered_logits(model: Any, x: Float[Tensor, "batch *event"]) -> Float[Tensor, "batch classes"]:
    """The logits less their mean over the classes, which no softmax and no decision sees."""
    logits = model(x)
    return logits - logits.mean(1, keepdim=True)


def logit_energy(model: nn.Module, x: Float[Tensor, "batch *event"]) -> float:
    """(1/2) mean ||J||^2 of the logits in the real coordinates of the data, exactly."""
    with evaluating(model):
        return float(DirichletEnergy(count=None)(model, x).detach())


@torch.no_grad()
def mean_value_defect(
    model: nn.Module,
    x: Float[Tensor, "batch *event"],
    radius: float | int,
    *,
    count: int = 4,
    seed: int = 0,
) -> float:
    """How far the logits are from harmonic in the real coordinates of the data, at a distance.

    With the mean M over the sphere of that radius about x, it is (M u - u(x))^2 over
    M (u - u(x))^2, summed over centered logits and points. No derivative is taken, so that
    corners (of ReLU, whose Laplacian is 0 wherever it exists) are seen.

    Law: in the mean over seeds 0 where the logits are harmonic, and at most 1.

    Args:
        model: real examples to real logits.
        x: the points.
        radius: of the spheres, Euclidean, in the units of the data.
        count: random frames of directions for each point, at least 2.
        seed: of the frames.
    """
    generator = torch.Generator().manual_seed(seed)
    with evaluating(model):
        middle = centered_logits(model, x)

        def differences(points: Tensor) -> RealTensor:  # a stack of frames, each one batch long
            step = centered_logits(model, points) - middle.repeat(len(points) // len(x), 1)
            return torch.stack([step, step.square()], -1)

        mean = sphere_mean(differences, x, radius, count=count, generator=generator)
    gap, spread = mean.value.unbind(-1)
    squared = gap.square() - mean.standard_error[..., 0].square()  # unbiased
    return float(squared.sum() / spread.sum().clamp_min(1e-30))
