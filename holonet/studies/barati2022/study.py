"""The study of Barati et al.: problems in the plane, a range of weights, and transfer."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from holonet._page import Section
from holonet.data import Dataset, load_dataset
from holonet.errors import DataError
from holonet.studies.barati2022.claims import CLAIMS
from holonet.studies.barati2022.conditions import CONDITIONS
from holonet.studies.barati2022.energy import run_energy
from holonet.studies.barati2022.evidence_images import IMAGE_EVIDENCE
from holonet.studies.barati2022.evidence_plane import PLANE_EVIDENCE
from holonet.studies.barati2022.networks import FAMILIES
from holonet.studies.barati2022.planar import run_planar
from holonet.studies.barati2022.transfer import run_transfer
from holonet.studies.claims import Claim, Finding
from holonet.studies.evidence import Evidence
from holonet.studies.study import Cell, Result, Study

__all__ = ["Barati2022"]

SEEDS = 5
PLANAR: Mapping[str, Any] = {"points": 16384, "batch_size": 256, "lr": 1e-2}
QUICK: Mapping[str, Any] = {
    "problems": ("disc-2", "ring"),
    "planar": {"epochs": 13, "width": 24, **PLANAR},
    "planar_seeds": 3,
    "weights": (0.0, 0.003, 0.03, 0.3),
    "transfer_seeds": 2,
    "training": {"hidden": (32,), "epochs": 15, "batch_size": 64, "lr": 1e-2},
    "attack": {"examples": 300, "eps": 0.1, "steps": 20},
    "restarts": 1,
    "train": 1000,
}
FULL: Mapping[str, Any] = {
    "problems": ("disc-2", "disc-4", "ring"),
    "planar": {"epochs": 60, "width": 32, **PLANAR},
    "planar_seeds": 5,
    "weights": (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "transfer_seeds": 4,
    "training": {"hidden": (128,), "epochs": 15, "batch_size": 128, "lr": 3e-3},
    "attack": {"examples": 1000, "eps": 0.1, "steps": 40},
    "restarts": 3,
    "train": 10000,
}
"""The two sizes. Counts of examples are cut down to what the data have."""

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
        return [*self._planar(size), *self._energy(size), self._transfer(size)]

    def _planar(self, size: Mapping[str, Any]) -> list[Cell]:
        planar = dict(size["planar"]) | ({"epochs": self.epochs} if self.epochs else {})
        return [
            Cell(
                f"{problem}-{condition}-seed{seed}",
                {
                    "part": "planar",
                    "problem": problem,
                    "condition": condition,
                    "weight": CONDITIONS[condition].weight,
                    "seed": seed,
                    **planar,
                },
            )
            for seed in range(self.seeds or size["planar_seeds"])
            for condition in CONDITIONS
            for problem in CONDITIONS[condition].problems
            if problem in size["problems"]
        ]

    def _energy(self, size: Mapping[str, Any]) -> list[Cell]:
        common = {**self._images(size), "restarts": size["restarts"]}
        return [
            Cell(
                f"{family}-weight{weight:g}-seed{seed}",
                {"part": "energy", "family": family, "weight": weight, "seed": seed, **common},
            )
            for seed in range(self.seeds or SEEDS)
            for family in FAMILIES
            for weight in size["weights"]
        ]

    def _transfer(self, size: Mapping[str, Any]) -> Cell:
        seeds = range(self.seeds or size["transfer_seeds"])
        kinds = itertools.product(seeds, (0, 1), TRANSFER_WEIGHTS, FAMILIES)
        networks = [
            {
                "key": f"{family}-weight{weight:g}-half{half}-seed{seed}",
                "family": family,
                "weight": weight,
                "half": half,
                "seed": number,  # its own, so that no two start from the same weights
            }
            for number, (seed, half, weight, family) in enumerate(kinds)
        ]
        return Cell("transfer", {"part": "transfer", "networks": networks, **self._images(size)})

    def _images(self, size: Mapping[str, Any]) -> dict[str, Any]:
        """What the parts on images have in common."""
        training = dict(size["training"]) | ({"epochs": self.epochs} if self.epochs else {})
        data = self._all_data
        return {
            **training,
            **size["attack"],
            "train": min(size["train"], len(data.x_train)),
            "data": data.name,
            "fingerprint": data.fingerprint(),
        }

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """Train and measure; what tells the cells apart is part of the result."""
        settings = cell.settings
        if settings["part"] == "planar":
            found = run_planar(settings, folder)
            told = ("part", "problem", "condition", "seed")
        else:
            data = self._all_data
            data = data.subset(
                train=settings["train"], test=min(len(data.x_test), 5 * settings["examples"])
            )
            if settings["part"] == "energy":
                found = run_energy(settings, data, folder)
                told = ("part", "family", "weight", "seed")
            else:
                found = run_transfer(settings, data, folder, on_progress)
                told = ("part",)
        return {key: settings[key] for key in told} | found

    def conclude(self, results: Mapping[str, Result]) -> Sequence[Finding]:
        """Each claim by its own evidence; where too little is left it is not testable."""
        return [_evidence(claim.key, results).finding(claim.key) for claim in CLAIMS]

    def figures(self, results: Mapping[str, Result]) -> Mapping[str, Section]:
        """A figure for each claim that has any; none where too little is left."""
        from holonet.studies.barati2022.figures_images import IMAGE_FIGURES
        from holonet.studies.barati2022.figures_plane import PLANE_FIGURES

        found = {}
        for key, draw in {**PLANE_FIGURES, **IMAGE_FIGURES}.items():
            try:
                found[key] = draw(results)
            except DataError:
                continue  # the verdict says what is missing
        return found


def _evidence(claim: str, results: Mapping[str, Result]) -> Evidence:
    everything = {**PLANE_EVIDENCE, **IMAGE_EVIDENCE}
    if claim not in everything:
        return Evidence(remark="There is no statement to compare numbers with.")
    try:
        return everything[claim](results)
    except DataError as error:
        return Evidence(remark=f"Too little is left: {error}.")
