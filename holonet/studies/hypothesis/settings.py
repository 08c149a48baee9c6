"""What the study of the analytic-framework hypothesis trains, attacks and measures."""

from dataclasses import dataclass

__all__ = [
    "ACTIVATIONS",
    "ANALYTIC",
    "CONTROL_SEEDS",
    "NARROW",
    "PIECEWISE",
    "RULES",
    "Attack",
    "Member",
    "Network",
    "Population",
    "Size",
    "Training",
    "Trial",
    "size_for",
]

ANALYTIC = ("square", "gelu", "softplus", "tanh", "sin", "erf")
PIECEWISE = ("relu", "leaky-relu", "maxout")
ACTIVATIONS = (*ANALYTIC, *PIECEWISE)
RULES = ("linearized", "standard", "pgd")

NARROW = ("square", "gelu", "tanh", "relu")
"""Activations of the narrower networks in the population."""

CONTROL_SEEDS = 3
"""Of controls, which decide nothing."""


@dataclass(frozen=True)
class Network:
    """A perceptron, or a mixture of several.

    Args:
        activation: of `ANALYTIC` or `PIECEWISE`.
        coefficients: "real", or "complex" for the analytic ones.
        match: "parameters" or "macs", of which a real network has as many as the complex one.
        hidden: widths of the complex network.
        experts: networks in a mixture, which have the size of one together.
        regions: of the experts: "k-means" on training images, or "random".
    """

    activation: str
    coefficients: str
    match: str
    hidden: tuple[int, ...]
    experts: int = 1
    regions: str = ""

    @property
    def name(self) -> str:
        """A part of a file's name."""
        match = "-macs" if self.match == "macs" else ""
        mixture = f"-{self.experts}x{self.regions}" if self.experts > 1 else ""
        widths = "x".join(map(str, self.hidden))
        return f"{self.coefficients}-{self.activation}{match}-{widths}{mixture}"


@dataclass(frozen=True)
class Training:
    """The same for every network: Adam, one cycle; the radius rises over the first half."""

    epochs: int
    batch_size: int
    lr: float
    eps: float
    pgd_steps: int = 7


@dataclass(frozen=True)
class Attack:
    """On the first test images: "pgd", "strong" (`attacks.STRONG`) or "autoattack"."""

    name: str
    eps: float
    examples: int
    steps: int = 40
    restarts: int = 2


@dataclass(frozen=True)
class Trial:
    """What all cells have in common."""

    training: Training
    attack: Attack
    data: str
    fingerprint: str
    train: int


@dataclass(frozen=True)
class Member:
    """One network under one rule, trained and attacked."""

    network: Network
    rule: str
    seed: int
    trial: Trial

    @property
    def key(self) -> str:
        """Of its cell."""
        return f"{self.network.name}-{self.rule}-seed{self.seed}"


@dataclass(frozen=True)
class Population:
    """Networks that are looked at together, by the keys of their cells.

    Args:
        part: what is done: "measures" of a single one, or "transfer" between all.
        members: of the population.
        examples: test images that are looked at.
        radius: Euclidean, of the spheres about them.
    """

    part: str
    members: tuple[Member, ...]
    examples: int
    radius: float


@dataclass(frozen=True)
class Size:
    """Of the whole study."""

    hidden: tuple[int, ...]
    narrow: tuple[int, ...]
    seeds: int
    train: int
    epochs: int
    batch_size: int
    lr: float
    attacked: int
    looked_at: int


def size_for(examples: int, quick: bool) -> Size:
    """The size for data with that many training examples."""
    if quick:
        return Size((16, 16), (12, 12), 3, 1000, 6, 64, 1e-2, 200, 20)
    if examples <= 10_000:
        return Size((32, 32), (16, 16), 8, examples, 12, 64, 1e-2, 1000, 25)
    return Size((64, 64), (32, 32), 3, examples, 6, 256, 3e-3, 1000, 10)
