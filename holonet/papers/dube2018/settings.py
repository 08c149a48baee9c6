"""What the results of the cells depend on, and the networks of the study."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from holonet.data import Dataset
from holonet.training import EmpiricalRisk, ModelConfig, TrainConfig, fit

__all__ = ["Settings", "Size", "build_network", "train_network"]


@dataclass(frozen=True)
class Size:
    """Of all parts of the study; the quick run has these.

    Args:
        dimensions: n of random hyperplanes and networks.
        factors: sides of resampled images, in sides of the original ones.
        sides: of fields.
        hidden: widths of classifiers with complex coefficients.
        epochs, train: of classifiers of images; those of fields have `field_train` examples.
        examples: searched for perturbations at each resolution.
        draws: random matrices of each order.
        starts: of a search for critical points.
    """

    dimensions: tuple[int, ...] = (16, 64, 256, 1024)
    factors: tuple[float | int, ...] = (1, 1.5, 2.5, 4)
    sides: tuple[int, ...] = (12, 16, 24, 32)
    hidden: tuple[int, ...] = (32,)
    epochs: int = 10
    train: int = 2000
    field_epochs: int = 4
    field_train: int = 3000
    examples: int = 32
    draws: int = 50_000
    starts: int = 6


@dataclass(frozen=True)
class Settings:
    """Of one cell; family ("real-relu") and images where its part has several."""

    part: str
    seed: int
    size: Size
    data: str
    fingerprint: str
    family: str = ""
    images: str = ""


def build_network(
    family: str, shape: Sequence[int], num_classes: int, hidden: Sequence[int], seed: int
) -> nn.Module:
    """A perceptron; real ones have as many real parameters as complex ones of these widths."""
    coefficients, activation = family.split("-")
    settings = {"coefficients": coefficients, "activation": activation, "hidden": tuple(hidden)}
    match = "parameters" if coefficients == "real" else "none"
    config = ModelConfig.model_validate({**settings, "match": match})
    return config.build(tuple(shape), num_classes, seed=seed)


def train_network(
    family: str, data: Dataset, hidden: Sequence[int], epochs: int, seed: int, folder: Path
) -> nn.Module:
    """The network after training on the risk alone; training resumes from the folder."""
    model = build_network(family, data.feature_shape, data.num_classes, hidden, seed)
    config = TrainConfig(epochs=epochs, seed=seed, checkpoint_every=10**6, log_every=10**6)
    fit(model, data, EmpiricalRisk(), config, run_dir=folder, resume=True)
    return model.cpu().eval()
