"""The study of Gao et al.: kernels, training in a ball, capacity, and two balls that shatter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from holonet.papers.gao2019.capacity import Capacity, Fit, Wide, capacity, wide
from holonet.papers.gao2019.claims import CLAIMS
from holonet.papers.gao2019.evidence import TRAINED
from holonet.papers.gao2019.kernels import Kernels, kernels
from holonet.papers.gao2019.networks import KINDS
from holonet.papers.gao2019.training import Problem, Training, train
from holonet.papers.gao2019.two_balls import TwoBalls, two_balls
from holonet.studies.claims import Claim
from holonet.studies.results import Result
from holonet.studies.study import Cell, Study

__all__ = ["Gao2019"]

SEEDS = 8
SPARSE, DENSE = Problem(20, 10, 0.75), 5  # problem of the training; dimensions of the capacity
WORK = {
    Kernels: ("kernel", kernels),
    Training: ("training", train),
    Wide: ("wide", wide),
    Capacity: ("capacity", capacity),
    TwoBalls: ("balls", two_balls),
}


@dataclass(frozen=True)
class Size:
    """Of the whole study."""

    kernel_widths: tuple[int, ...]
    widths: tuple[int, ...]
    steps: int
    fit: Fit
    wide_fit: Fit
    examples: tuple[int, ...]
    cap: int


QUICK = Size(
    kernel_widths=(16, 64, 256, 1024),
    widths=(16, 64, 256),
    steps=300,
    fit=Fit(steps=300, restarts=4, attack=5),
    wide_fit=Fit(steps=300, restarts=1, attack=10),
    examples=(10, 40),
    cap=64,
)
FULL = Size(
    kernel_widths=(16, 64, 256, 1024, 4096),
    widths=(16, 64, 256, 1024),
    steps=1000,
    fit=Fit(steps=500, restarts=8, attack=10),
    wide_fit=Fit(steps=1000, restarts=2, attack=10),
    examples=(10, 20, 40, 80),
    cap=128,
)


class Gao2019(Study):
    """Two-layer networks at random unit vectors, real and holomorphic, in the lazy regime and out.

    All data are made from the seed: data that are given are not used. Epochs are steps of training.

    References:
        Gao et al. (2019); Jacot, Gabriel and Hongler (2018); Kim, Moon and Yun (2025).
    """

    name: ClassVar[str] = "gao2019"
    title: ClassVar[str] = "Convergence of adversarial training (Gao et al. 2019)"
    claims: ClassVar[tuple[Claim, ...]] = CLAIMS
    citation: ClassVar[str] = (
        "@article{gao2019, author={Gao, Ruiqi and others}, title={Convergence of Adversarial "
        "Training in Overparametrized Neural Networks}, eprint={1906.07916}, "
        "archivePrefix={arXiv}, year={2019}}"
    )
    notes: ClassVar[tuple[str, ...]] = (
        "No full text was at hand: what is reconstructed is marked. The widths that the theorems "
        "ask for are asymptotic, with unknown constants: no run of any size tests them.",
        "The radii of the balls (5, 15, 30, 60), the ratios of the attack, the tolerance 0.05 and "
        "all rates were fixed before the claims were judged, and are the same for all networks. "
        "They were chosen on seed 0, which is among the seeds. A first short run had five seeds "
        "and a weaker training for the smallest widths, many of which met the cap.",
        "Is the attack too weak? Training meets 10 steps from the point itself, every robust loss "
        "50 steps from 6 starts. For x^2 an eigenvalue problem gives the exact worst point, and "
        "the tests compare the attack with it. For sin z the two attacks can differ much; the "
        "table shows both.",
        "The lower bound of the optimal robust loss holds for a network that is linear in its "
        "weights, so for lazy ones up to their curvature. The tests compare it with the optimum of "
        "a linear network.",
        "A small surrogate loss is not a small robust loss: sin z reaches small surrogate losses "
        "with weights at which the strong attack finds large ones. The theorem is about the first.",
        "Data are random vectors with random labels: nothing is said about test data, as in the "
        "paper, whose theorems are about training loss.",
        "On real data a z^2 network is an x^2 network of twice the width, since Re (u + iv)^2 = "
        "u^2 - v^2: it is trained under that name alone.",
        "Smallest widths are upper bounds: a width counts as too small when training found no fit.",
    )

    def cells(self, quick: bool) -> Sequence[Cell]:
        """The two balls, then kernels, training, wide networks and capacity of each seed."""
        size = QUICK if quick else FULL
        steps = self.epochs or size.steps
        work: list[Any] = [TwoBalls()]
        for seed in range(self.seeds or SEEDS):
            work += [Kernels(network, seed, size.kernel_widths) for network in KINDS]
            for network in TRAINED:
                work += [
                    Training(network, width, 10, seed, SPARSE, (5.0, 15.0, 30.0, 60.0), steps)
                    for width in size.widths
                ]
                work += [
                    Training(network, size.widths[-1], attack, seed, SPARSE, (15.0,), steps)
                    for attack in (0, 1)
                ]
                work.append(Wide(network, seed, SPARSE, size.widths, size.wide_fit))
                work += [
                    Capacity(network, seed, Problem(n, DENSE, 0.5), size.cap, size.fit)
                    for n in size.examples
                ]
        return [Cell(_key(settings), settings) for settings in work]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """Measure; what tells the cells apart is part of the result."""
        part, measure = WORK[type(cell.settings)]
        told = {n: getattr(cell.settings, n, None) for n in ("network", "width", "attack", "seed")}
        return {"part": part, **told, **measure(cell.settings)}


def _key(settings: Any) -> str:
    """The part and what differs within it."""
    match settings:
        case Training(network, width, attack, seed):
            parts = (network, f"width{width}", f"attack{attack}", f"seed{seed}")
        case Capacity(network, seed, problem):
            parts = (network, f"n{problem.examples}", f"seed{seed}")
        case Kernels(network, seed) | Wide(network, seed):
            parts = (network, f"seed{seed}")
        case _:
            parts = ()
    return "-".join([WORK[type(settings)][0], *parts]).replace(" ", "-").replace("^", "")
