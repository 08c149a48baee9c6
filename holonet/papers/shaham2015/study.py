"""Shaham, Yamada and Negahban (2015): robust optimization against one step, in three norms."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from holonet.attacks import ThreatModel
from holonet.data import Dataset, load_dataset
from holonet.papers.shaham2015.claims import CLAIMS
from holonet.papers.shaham2015.evidence import NETS, RADII
from holonet.papers.shaham2015.networks import at_32, attacked, network
from holonet.studies.claims import Claim
from holonet.studies.results import Result
from holonet.studies.study import Cell, Study
from holonet.training import EmpiricalRisk, TrainConfig, accuracy, fit, load_weights
from holonet.training.rules import Rule, shaham
from holonet.training.run_folder import WEIGHTS

__all__ = ["Settings", "Shaham2015", "Size", "rule_of"]

SEEDS = 5


@dataclass(frozen=True)
class Size:
    """Of the networks, their training and their attacks."""

    epochs: int
    width: int
    batch_size: int
    attacked: int
    pgd_steps: int


FULL = Size(epochs=10, width=32, batch_size=100, attacked=2000, pgd_steps=40)
QUICK = Size(epochs=12, width=8, batch_size=50, attacked=200, pgd_steps=20)


@dataclass(frozen=True)
class Settings:
    """Of one network."""

    net: str
    seed: int
    size: Size
    data: str
    fingerprint: str
    train: int
    test: int
    quick: bool
    lr: float = 1e-2
    momentum: float = 0.9
    weight_decay: float = 1e-3
    radii: Mapping[str, float] = field(default_factory=lambda: dict(RADII))


class Shaham2015(Study):
    """The authors' network and steps: a baseline and three robust networks, attacked by all.

    The quick run has a quarter of the channels, on at most 2000 training images. The full run has
    the authors' network, rate, momentum, L2 penalty and batches on all of the data, but 10 epochs
    unless told: their 120, with 4 networks and 5 seeds, are days of work for two cores.

    References:
        Shaham, Yamada and Negahban (2015).
    """

    name: ClassVar[str] = "shaham2015"
    title: ClassVar[str] = "Robust optimization against one step (Shaham, Yamada, Negahban 2015)"
    claims: ClassVar[tuple[Claim, ...]] = CLAIMS
    citation: ClassVar[str] = (
        "@article{shaham2015, author={Shaham, Uri and Yamada, Yutaro and Negahban, Sahand}, "
        "title={Understanding Adversarial Training: Increasing Local Stability of Neural Nets "
        "through Robust Optimization}, eprint={1511.05432}, archivePrefix={arXiv}, year={2015}}"
    )
    notes: ClassVar[tuple[str, ...]] = (
        "The intervals are over seeds of weights and batches, on one training and one test set: "
        "they say nothing about other data.",
        "Three or six intervals stand behind one verdict, each at 95%, and all must agree.",
        "The authors train 120 epochs with a rate that falls by a quarter; here the number of "
        "epochs is among the settings and the rate is constant.",
        "On the bundled digits, 8x8 enlarged to 32x32, the radii of MNIST are not the same threat.",
        "Attacks give upper bounds on robust accuracy, never guarantees.",
    )

    def cells(self, quick: bool) -> Sequence[Cell]:
        """One for each seed and network, the baseline first, whose examples the others see."""
        data = _raw(self.data, quick)
        size = QUICK if quick else FULL
        if self.epochs is not None:
            size = replace(size, epochs=self.epochs)
        of_data = (data.name, data.fingerprint(), len(data.x_train), len(data.x_test))
        return [
            Cell(
                f"{net}-seed{seed}",
                Settings(net, seed, size, *of_data, quick),
                (f"baseline-seed{seed}",) if NETS[net] else (),
            )
            for seed in range(self.seeds or SEEDS)
            for net in NETS
        ]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """Train one network, attack it, and show it the baseline's examples."""
        settings: Settings = cell.settings
        net, seed, size = settings.net, settings.seed, settings.size
        data = at_32(_raw(self.data, settings.quick))
        train = TrainConfig(
            epochs=size.epochs,
            batch_size=size.batch_size,
            lr=settings.lr,
            clip=math.inf,
            optimizer="sgd",
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            schedule="constant",
            seed=seed,
        )
        model = network(size.width, data.num_classes, seed)
        baseline = model
        for need in cell.needs:
            baseline = network(size.width, data.num_classes, seed)
            load_weights(folder.parent / need / WEIGHTS, baseline)
        total = train.epochs * -(-len(data.x_train) // train.batch_size)
        records = fit(
            model,
            data,
            rule_of(NETS[net]),
            train,
            run_dir=folder,
            resume=True,
            on_step=lambda step: on_progress(0.8 * step / total),
        )
        return {
            "net": net,
            "seed": seed,
            "clean": accuracy(model, data.x_test, data.y_test),
            "train_loss": records[-1]["train_loss"],
            "train_seconds": records[-1]["seconds"],
            **attacked(
                model,
                baseline,
                data.subset(test=min(size.attacked, len(data.x_test))),
                {norm: _threat(norm) for norm in RADII},
                steps=size.pgd_steps,
                seed=seed,
            ),
        }


def _raw(data: Dataset | None, quick: bool) -> Dataset:
    data = load_dataset("digits") if data is None else data
    if not quick:
        return data
    return data.subset(train=min(2000, len(data.x_train)), test=min(500, len(data.x_test)))


def rule_of(norm: str) -> Rule:
    """The rule of the network that is trained against a norm; "" is the baseline's."""
    return shaham(_threat(norm)) if norm else EmpiricalRisk()


def _threat(norm: str) -> ThreatModel:
    return ThreatModel(norm, RADII[norm], None)
