"""Training on problems in the plane, whose harmonic solutions are known."""

import copy
import math
from pathlib import Path
from typing import Any

import torch

from holonet._types import Labels, Points, Scalar
from holonet.calculus import Probes
from holonet.data import Dataset, HarmonicProblem
from holonet.errors import ConfigError
from holonet.nn import to_precision
from holonet.papers.barati2022.conditions import CONDITIONS, PROBLEMS, as_complex, planar_model
from holonet.papers.barati2022.planar_measures import measure_planar
from holonet.papers.barati2022.settings import PlanarSettings
from holonet.regularizers import DirichletEnergy
from holonet.training import Rule, TrainConfig, fit

__all__ = ["PlanarRule", "planar_data", "run_planar"]


class PlanarRule(Rule):
    """Mean square error at the points of class 1, plus weight * energy at those of class 0.

    Args:
        problem: gives the values to be met.
        weight: of the Dirichlet energy (1/2) mean |grad u|^2 over the plane's two coordinates.
        share: of the points that are of class 1; batches are weighted so that the mean over
            batches is the mean over all points.

    Raises:
        ConfigError: a weight below 0, or a share not strictly between 0 and 1.
    """

    def __init__(self, problem: HarmonicProblem, weight: float, share: float = 0.5) -> None:
        if not (0 <= weight < math.inf and 0 < share < 1):
            raise ConfigError(
                f"PlanarRule(weight={weight}, share={share}): choose weight >= 0, 0 < share < 1"
            )
        self.problem = problem
        self.weight = weight
        self.share = share

    def terms(
        self, model: Any, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """`risk` and, where it has a weight, `energy`."""
        paid, free = x[y == 1], x[y == 0]
        error = model(paid).squeeze(1) - self.problem.solution(as_complex(paid))
        terms = {"risk": error.square().sum() / (self.share * len(x))}
        if self.weight:
            energy = DirichletEnergy(count=None)(model, free)
            present = len(free) / ((1 - self.share) * len(x))
            terms["energy"] = self.weight * present * energy
        return terms

    def __repr__(self) -> str:
        return f"PlanarRule({self.problem!r}, {self.weight!r}, {self.share!r})"


def planar_data(problem: HarmonicProblem, filled: bool, count: int, seed: int) -> Dataset:
    """Points of the plane: class 1 where the risk is taken, class 0 where the energy is.

    The first half of them is on the boundary, or all over the domain where `filled`.
    """
    generator = torch.Generator().manual_seed(seed)
    paid = (
        problem.domain.sample(count // 2, generator=generator)
        if filled
        else problem.domain.boundary(count // 2)
    )
    free = problem.domain.sample(count - count // 2, generator=generator)
    x = torch.view_as_real(torch.cat([paid, free])).float()
    y = torch.cat([torch.ones(len(paid)), torch.zeros(len(free))]).long()
    return Dataset(x, y, x[-2:], y[-2:], num_classes=2, name="points of the plane")


def run_planar(settings: PlanarSettings, folder: Path) -> dict[str, Any]:
    """Train one network of the plane and measure it as `measure_planar` does.

    Args:
        settings: of the network and its training.
        folder: for checkpoints.
    """
    problem, condition = PROBLEMS[settings.problem], CONDITIONS[settings.condition]
    seed, training = settings.seed, settings.training
    model = planar_model(condition.network, training.width, seed)
    config = TrainConfig(
        epochs=training.epochs,
        batch_size=training.batch_size,
        lr=training.lr,
        seed=seed,
        checkpoint_every=10**6,
        log_every=10**6,
    )
    data = planar_data(problem, condition.filled, training.points, seed)
    fit(model, data, PlanarRule(problem, settings.weight), config, run_dir=folder, resume=True)
    double = to_precision(copy.deepcopy(model).cpu(), torch.complex128)
    return measure_planar(double, problem, condition, seed)
