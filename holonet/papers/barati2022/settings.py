"""What the results of the cells depend on."""

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Attack",
    "EnergySettings",
    "ImageData",
    "Network",
    "PlanarSettings",
    "PlanarTraining",
    "Training",
    "TransferSettings",
]


@dataclass(frozen=True)
class PlanarTraining:
    """Of a network of the plane.

    Half of the points carry the risk, half the energy.
    """

    epochs: int
    width: int
    points: int = 16384
    batch_size: int = 256
    lr: float = 1e-2


@dataclass(frozen=True)
class PlanarSettings:
    """One network of the plane; the weight is that of the energy."""

    problem: str
    condition: str
    weight: float
    seed: int
    training: PlanarTraining
    part: Literal["planar"] = "planar"


@dataclass(frozen=True)
class Network:
    """A classifier of images.

    Args:
        family: a key of `FAMILIES`.
        weight: of the Dirichlet energy of the logits; 0 for the risk alone.
        seed: of weights, batches and attacks.
        half: of the training set, 0 or 1; None for all of it.
    """

    family: str
    weight: float
    seed: int
    half: int | None = None


@dataclass(frozen=True)
class Training:
    """Of a classifier of images."""

    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    lr: float


@dataclass(frozen=True)
class Attack:
    """Projected gradient ascent on the margin in l_inf, on the first test examples."""

    examples: int
    eps: float
    steps: int
    restarts: int = 1


@dataclass(frozen=True)
class ImageData:
    """The images, and the number of training examples."""

    name: str
    fingerprint: str
    train: int


@dataclass(frozen=True)
class EnergySettings:
    """One classifier of the range of weights."""

    network: Network
    training: Training
    attack: Attack
    data: ImageData
    part: Literal["energy"] = "energy"

    @property
    def seed(self) -> int:
        """That of the network."""
        return self.network.seed


@dataclass(frozen=True)
class TransferSettings:
    """All classifiers between which examples are transferred, by name."""

    networks: dict[str, Network]
    training: Training
    attack: Attack
    data: ImageData
    part: Literal["transfer"] = "transfer"
