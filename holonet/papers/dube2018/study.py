"""The study of Dube: norms at several resolutions, and indices of critical points."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from holonet.data import Dataset, load_dataset
from holonet.errors import DataError
from holonet.papers.dube2018.claims import CLAIMS
from holonet.papers.dube2018.critical_points import (
    INPUT_FAMILIES,
    WEIGHT_FAMILIES,
    run_inputs,
    run_weights,
)
from holonet.papers.dube2018.images import EXPONENTS, resampled
from holonet.papers.dube2018.matrices import run_matrices
from holonet.papers.dube2018.perturbations import (
    NETWORKS,
    run_best_linear,
    run_random,
    run_trained,
)
from holonet.papers.dube2018.settings import Settings, Size
from holonet.studies.claims import Claim
from holonet.studies.results import Result
from holonet.studies.study import Cell, Study

__all__ = ["Dube2018"]

SEEDS = 5
RANDOM_SEEDS = 20

QUICK = Size()
FULL = Size(
    dimensions=(16, 64, 256, 1024, 4096),
    sides=(12, 16, 24, 32, 48, 64),
    hidden=(128,),
    epochs=15,
    train=20_000,
    field_train=10_000,
    examples=100,
    draws=1_000_000,
    starts=20,
)


class Dube2018(Study):
    """Perturbations of random and trained networks over resolutions; saddles and minima.

    References:
        Dube (2018), reconstructed where the claims say so.
    """

    name: ClassVar[str] = "dube2018"
    title: ClassVar[str] = "High dimensional spaces and adversarial examples (Dube 2018)"
    claims: ClassVar[tuple[Claim, ...]] = CLAIMS
    citation: ClassVar[str] = (
        "@article{dube2018, author={Dube, Simant}, title={High Dimensional Spaces, Deep Learning "
        "and Adversarial Examples}, eprint={1801.00634}, archivePrefix={arXiv}, year={2018}}"
    )
    notes: ClassVar[tuple[str, ...]] = (
        "No full text was at hand: what is reconstructed is marked, and may differ from what the "
        "author did.",
        "Norms are of the least perturbation found, upper bounds, without box, over examples "
        "classified right. Accuracies stand beside the norms: where they differ over resolutions, "
        "so do the classifiers.",
        "From 20 seeds on intervals of slopes are the bootstrap's. Fewer are too few for it: there "
        "verdicts rest on Student's, and the bootstrap's are in results.json.",
        "Networks are perceptrons: real-relu has real coefficients and ReLU, complex-square has "
        "complex ones and z^2. Real networks have as many real parameters as complex ones of the "
        "widths in the settings below.",
        "Trained networks do not follow the best linear classifier of fields. That one draws on "
        "the high frequencies, of which a finer grid has more and whose amplitudes are small. "
        "Training learns large amplitudes first, which is a possible reason and was not tested.",
        "Wilson's intervals count critical points as independent. Those of one network are not: "
        "the intervals are too short by what they share.",
        "Critical points are those that the search reaches from its starts, and no uniform sample: "
        "of a landscape in the weights the start decides whether saddles or minima are met.",
        "Two claims are theorems on C^n. Images are real: of the restriction to R^n, which is what "
        "an adversary of pixels meets, they say nothing.",
    )

    def cells(self, quick: bool) -> Sequence[Cell]:
        """Random networks, fields and matrices; trained networks; critical points."""
        data = _images(self.data)
        size = QUICK if quick else FULL
        if self.epochs is not None:
            size = replace(size, epochs=self.epochs, field_epochs=self.epochs)

        def cell(part: str, seed: int, family: str = "", images: str = "") -> Cell:
            key = "-".join(filter(None, (part, images, family, f"seed{seed}")))
            fingerprint = data.fingerprint()
            return Cell(key, Settings(part, seed, size, data.name, fingerprint, family, images))

        seeds = range(self.seeds or SEEDS)
        parts = [cell("random", seed) for seed in range(self.seeds or RANDOM_SEEDS)]
        parts += [cell(part, seed) for part in ("best-linear", "matrices") for seed in seeds]
        kinds = ("resampled", *EXPONENTS)
        parts += [cell("trained", s, f, k) for s, f, k in itertools.product(seeds, NETWORKS, kinds)]
        parts += [cell("inputs", s, f) for s, f in itertools.product(seeds, INPUT_FAMILIES)]
        return parts + [cell("weights", s, f) for s, f in itertools.product(seeds, WEIGHT_FAMILIES)]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """The part that the settings name."""
        settings: Settings = cell.settings
        data = _images(self.data)
        data = data.subset(train=min(settings.size.train, len(data.x_train)))
        match settings.part:
            case "random":
                return run_random(settings)
            case "best-linear":
                return run_best_linear(settings)
            case "matrices":
                return run_matrices(settings)
            case "trained":
                return run_trained(settings, data, folder, on_progress)
            case "inputs":
                return run_inputs(settings, data, folder, on_progress)
            case _:
                return run_weights(settings, data, on_progress)


def _images(data: Dataset | None) -> Dataset:
    """The data, refused unless they are images of three classes or more."""
    data = load_dataset("digits") if data is None else data
    resampled(data.subset(1, 1), 8)
    present = len(set(data.y_train.tolist()))
    if present < 3:
        raise DataError(
            f"{data.name!r} has {present} classes in its training set: this study compares logits "
            "of three, digits or mnist for example"
        )
    return data
