"""The study of Barati et al.: problems in the plane, a range of weights, and transfer."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from holonet.data import Dataset, load_dataset
from holonet.errors import ConfigError
from holonet.papers.barati2022.claims import CLAIMS
from holonet.papers.barati2022.conditions import CONDITIONS
from holonet.papers.barati2022.energy import run_energy
from holonet.papers.barati2022.networks import FAMILIES
from holonet.papers.barati2022.planar import run_planar
from holonet.papers.barati2022.settings import (
    Attack,
    EnergySettings,
    ImageData,
    Network,
    PlanarSettings,
    PlanarTraining,
    Training,
    TransferSettings,
)
from holonet.papers.barati2022.transfer import run_transfer
from holonet.studies.claims import Claim
from holonet.studies.results import Result
from holonet.studies.study import Cell, Study

__all__ = ["Barati2022"]

SEEDS = 5


@dataclass(frozen=True)
class Size:
    """Of the whole study. Counts of examples are cut down to what the data have."""

    problems: tuple[str, ...]
    planar: PlanarTraining
    planar_seeds: int
    weights: tuple[float, ...]
    transfer_seeds: int
    training: Training
    attack: Attack
    train: int


QUICK = Size(
    problems=("disc-2", "ring"),
    planar=PlanarTraining(epochs=13, width=24),
    planar_seeds=3,
    weights=(0.0, 0.003, 0.03, 0.3),
    transfer_seeds=2,
    training=Training(hidden=(32,), epochs=15, batch_size=64, lr=1e-2),
    attack=Attack(examples=300, eps=0.1, steps=20),
    train=1000,
)
FULL = Size(
    problems=("disc-2", "disc-4", "ring"),
    planar=PlanarTraining(epochs=60, width=32),
    planar_seeds=5,
    weights=(0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    transfer_seeds=4,
    training=Training(hidden=(128,), epochs=15, batch_size=128, lr=3e-3),
    attack=Attack(examples=1000, eps=0.1, steps=40, restarts=3),
    train=10000,
)

TRANSFER_WEIGHTS = (0.0, 0.03)
"""The two rules that networks of the transfer part are trained by."""


class Barati2022(Study):
    """Harmonic solutions in the plane; energy, robustness and transfer of image classifiers.

    References:
        Barati, Safabakhsh and Rahmati (2022), reconstructed where the claims say so.
    """

    name: ClassVar[str] = "barati2022"
    title: ClassVar[str] = "Harmonic hypotheses and transfer (Barati, Safabakhsh, Rahmati 2022)"
    claims: ClassVar[tuple[Claim, ...]] = CLAIMS
    citation: ClassVar[str] = (
        "@article{barati2022, author={Barati, Ramin and Safabakhsh, Reza and Rahmati, Mohammad}, "
        "title={An Analytic Framework for Robust Training of Artificial Neural Networks}, "
        "eprint={2205.13502}, archivePrefix={arXiv}, year={2022}}"
    )
    notes: ClassVar[tuple[str, ...]] = (
        "No full text was at hand: what is reconstructed is marked, and may differ from what the "
        "authors did.",
        "Harmonic means three things that must not be confused: in the two coordinates of the "
        "plane; over all 2d real coordinates of C^d, which holds for the real part of every "
        "holomorphic network; over the d real coordinates of the data, which does not.",
        "Intervals over seeds are for one training and one test set, and say nothing about other "
        "data. Of several intervals behind one verdict each is at 95%, and all must agree.",
        "The percentile bootstrap behind energy-robustness is too short with few networks.",
        "Projected gradient attacks give upper bounds on robust accuracy, never guarantees, and "
        "are known to flatter networks that were trained with a penalty on gradients.",
        "The range of weights was chosen on the bundled digits, before the verdicts.",
        "All families have one learning rate, and which of them leads can depend on it: one seed "
        "on MNIST at weight 0.1 left holomorphic 72.2 and ReLU 73.1 percent at rate 0.01, 72.9 and "
        "69.5 at rate 0.003, that of the full run, which was chosen after these four numbers.",
        "A correlation over networks is not a cause: the weight moves energy, clean and robust "
        "accuracy together, and families differ in more than harmonicity.",
    )

    @cached_property
    def _all_data(self) -> Dataset:
        return load_dataset("digits") if self.data is None else self.data

    def cells(self, quick: bool) -> Sequence[Cell]:
        """The plane's problems, then the range of weights, then one cell for transfer."""
        size = QUICK if quick else FULL
        if self.epochs:
            size = replace(
                size,
                planar=replace(size.planar, epochs=self.epochs),
                training=replace(size.training, epochs=self.epochs),
            )
        return [*self._planar(size), *self._energy(size), self._transfer(size)]

    def _planar(self, size: Size) -> list[Cell]:
        return [
            Cell(
                f"{problem}-{name}-seed{seed}",
                PlanarSettings(problem, name, condition.weight, seed, size.planar),
            )
            for seed in range(self.seeds or size.planar_seeds)
            for name, condition in CONDITIONS.items()
            for problem in condition.problems
            if problem in size.problems
        ]

    def _energy(self, size: Size) -> list[Cell]:
        data = self._data(size)
        return [
            Cell(
                f"{family}-weight{weight:g}-seed{seed}",
                EnergySettings(Network(family, weight, seed), size.training, size.attack, data),
            )
            for seed in range(self.seeds or SEEDS)
            for family in FAMILIES
            for weight in size.weights
        ]

    def _transfer(self, size: Size) -> Cell:
        seeds = range(self.seeds or size.transfer_seeds)
        kinds = itertools.product(seeds, (0, 1), TRANSFER_WEIGHTS, FAMILIES)
        networks = {
            # a seed of its own, so that no two networks start from the same weights
            f"{family}-weight{weight:g}-half{half}-seed{seed}": Network(
                family, weight, number, half
            )
            for number, (seed, half, weight, family) in enumerate(kinds)
        }
        attack = replace(size.attack, restarts=1)
        return Cell("transfer", TransferSettings(networks, size.training, attack, self._data(size)))

    def _data(self, size: Size) -> ImageData:
        data = self._all_data
        return ImageData(data.name, data.fingerprint(), min(size.train, len(data.x_train)))

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """Train and measure; what tells the cells apart is part of the result."""
        match cell.settings:
            case PlanarSettings(problem, condition, _, seed) as settings:
                named = {"problem": problem, "condition": condition, "seed": seed}
                result = run_planar(settings, folder)
            case EnergySettings(network) as settings:
                named = {"family": network.family, "weight": network.weight, "seed": network.seed}
                result = run_energy(settings, self._images(settings), folder)
            case TransferSettings() as settings:
                named = {}
                result = run_transfer(settings, self._images(settings), folder, on_progress)
            case settings:
                raise ConfigError(f"{settings!r} are not the settings of a cell of this study")
        return {"part": settings.part, **named, **result}

    def _images(self, settings: EnergySettings | TransferSettings) -> Dataset:
        test = min(len(self._all_data.x_test), 5 * settings.attack.examples)
        return self._all_data.subset(train=settings.data.train, test=test)
