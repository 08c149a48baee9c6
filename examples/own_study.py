"""A study of one's own: whether a network of twice the width is more robust.

holonet reproduce examples/own_study.py:WiderIsMoreRobust --quick

A claim is stated, with its test, before anything is measured. A cell is a unit of work whose
result is kept: after a crash the same command resumes. Cells run in parallel processes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from holonet.attacks import ThreatModel
from holonet.data import load_dataset
from holonet.diagnostics import robustness_curve
from holonet.nn import holomorphic_mlp
from holonet.statistics import paired_difference
from holonet.studies import Cell, Claim, Criterion, Evidence, Results, Standing, Study
from holonet.training import LinearizedRobustOptimization, TrainConfig, fit

EPS = 0.1


@dataclass(frozen=True)
class Settings:
    """All that the result of a cell depends on."""

    width: int
    seed: int
    epochs: int
    examples: int


def wider_minus_narrower(results: Results) -> Evidence:
    """The difference of robust accuracies, paired by seed."""
    of = {(r["width"], r["seed"]): r["robust"] for r in results.values()}
    seeds = sorted({seed for _, seed in of})
    difference = paired_difference([of[32, s] for s in seeds], [of[16, s] for s in seeds])
    return Evidence(
        [Criterion({"32 minus 16 units": difference}, "above", factor=100, unit=" points")]
    )


class WiderIsMoreRobust(Study):
    """Two widths, several seeds, one claim."""

    name = "wider"
    title = "Is the wider network more robust?"
    claims = (
        Claim(
            "wider",
            "A holomorphic network of 32 units is more robust than one of 16.",
            "An example; nobody says so.",
            "Robust accuracy of both under PGD at l_inf 0.1, trained by the linearized rule, by "
            "seed. Confirmed if the 95% interval of the difference lies above 0.",
            wider_minus_narrower,
            standing=Standing.ADDED,
        ),
    )
    notes = ("PGD gives upper bounds on robust accuracy.",)

    def cells(self, quick: bool) -> Sequence[Cell]:
        """One network each."""
        epochs, examples = (4, 100) if quick else (20, 350)
        return [
            Cell(f"width{width}-seed{seed}", Settings(width, seed, self.epochs or epochs, examples))
            for seed in range(self.seeds or 5)
            for width in (16, 32)
        ]

    def run_cell(
        self, cell: Cell, folder: Path, on_progress: Callable[[float], None]
    ) -> dict[str, Any]:
        """Train a network and attack it; training resumes in the folder."""
        settings: Settings = cell.settings
        data = self.data or load_dataset("digits")
        threat = ThreatModel("Linf", EPS, data.bounds)
        generator = torch.Generator().manual_seed(settings.seed)
        model = holomorphic_mlp(
            data.x_train[0].numel(), [settings.width], data.num_classes, generator=generator
        )
        train = TrainConfig(epochs=settings.epochs, seed=settings.seed)
        fit(model, data, LinearizedRobustOptimization(threat), train, run_dir=folder, resume=True)
        x, y = data.x_test[: settings.examples], data.y_test[: settings.examples]
        (point,) = robustness_curve(model, x, y, [EPS], threat=threat)
        return {"width": settings.width, "seed": settings.seed, "robust": point.accuracy}
