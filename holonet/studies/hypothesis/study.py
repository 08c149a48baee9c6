"""The study of the analytic-framework hypothesis: which networks, for which claims."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from holonet.data import Dataset, load_dataset
from holonet.errors import ConfigError, DataError, UnknownNameError
from holonet.interop import require_autoattack
from holonet.statistics import fewest_pairs
from holonet.studies.claims import Claim
from holonet.studies.evidence import Finding
from holonet.studies.hypothesis import evidence, measures
from holonet.studies.hypothesis.claims import CLAIMS, TESTS
from holonet.studies.hypothesis.settings import (
    ACTIVATIONS,
    ANALYTIC,
    CONTROL_SEEDS,
    NARROW,
    RULES,
    Attack,
    Member,
    Network,
    Population,
    Size,
    Training,
    Trial,
    size_for,
)
from holonet.studies.results import Result, Results
from holonet.studies.study import Cell, Study

__all__ = ["Hypothesis"]


class Hypothesis(Study):
    """Analytic and complex networks, their harmonicity, transfer and mixtures, put to the test.

    Args:
        data: real images or features; None for the bundled digits.
        seeds: how many, from 0.
        epochs: of each training.
        claims: keys of those that are tested. All that are stated are corrected for.
        activations: of H1a, H1b and the population. The report says which were left out.
        controls: train what decides nothing too: H1a under other rules, random experts of H4.
        attack: "pgd", "strong" or "autoattack".
        eps: radius in l_inf, of training and of the attack.
        lr: learning rate, the same for all networks; None for that of the size.

    Raises:
        ConfigError: fewer than 2 seeds, an unknown attack, a radius or rate that is not positive.
        UnknownNameError: an activation that is not among those stated.
        DataError: complex data, or data of one class.
        MissingDependencyError: AutoAttack is asked for and not installed.
    """

    name: ClassVar[str] = "hypothesis"
    title: ClassVar[str] = "The analytic-framework hypothesis, put to the test"
    claims: ClassVar[tuple[Claim, ...]] = CLAIMS
    citation: ClassVar[str] = (
        "@article{barati2022, author={Barati, Ramin and Safabakhsh, Reza and Rahmati, Mohammad}, "
        "title={An Analytic Framework for Robust Training of Artificial Neural Networks}, "
        "eprint={2205.13502}, archivePrefix={arXiv}, year={2022}}"
    )
    notes: ClassVar[tuple[str, ...]] = (
        "What is the linearized rule? Training on cross-entropy in which each wrong logit is "
        "raised by as much as the linear part at the image allows in the l_inf ball. What is pgd? "
        "Training on the points of 7 steps of projected gradient ascent.",
        "Was each activation tuned? No. All networks have one learning rate, one schedule, one "
        "radius ramp and one scheme of first weights, fixed beforehand. --lr repeats the study at "
        "another rate. An activation that needs another rate is at a disadvantage here.",
        "Are the attacks strong enough? PGD on the margin gives upper bounds. The tables show what "
        "Auto-PGD on three losses and Square break in addition, and alarms of gradient masking. "
        "--attack autoattack takes AutoAttack for all.",
        "Are the units independent? Seeds are: weights, batches and random numbers differ. All "
        "share one training and one test set, so intervals say nothing about other data. Networks "
        "of a population share rules and activations, and pairs share networks: the tests permute "
        "within rules, and whole networks.",
        "Were claims chosen afterwards? Statement, test, least effect and correction of each claim "
        f"stand in the code. p-values are corrected by Holm for all {evidence.CLAIMS_STATED}, "
        "whether or not all are run; intervals that decide are simultaneous (Bonferroni). "
        "p-values are one-sided, intervals two-sided: one can reach 0 where the claim holds.",
        "Do six activations stand for analytic ones, and three for piecewise ones? The seeds do "
        "not say: each activation is shown. The verdict is about these.",
        "Harmonic means here: in the real coordinates of the images. The real part of a "
        "holomorphic network is harmonic in the coordinates of C^n, and in general not in these.",
        "A correlation over networks is no cause.",
    )

    def __init__(
        self,
        data: Dataset | None = None,
        *,
        seeds: int | None = None,
        epochs: int | None = None,
        claims: Sequence[str] = tuple(TESTS),
        activations: Sequence[str] = ACTIVATIONS,
        controls: bool = True,
        attack: str = "pgd",
        eps: float = 0.1,
        lr: float | None = None,
    ) -> None:
        super().__init__(data, seeds=seeds, epochs=epochs)
        if seeds is not None and seeds < 2:
            raise ConfigError(
                f"seeds={seeds}: an interval over seeds needs at least 2, and a permutation test "
                f"at the corrected level {fewest_pairs(evidence.CORRECTED)}"
            )
        if attack not in ("pgd", "strong", "autoattack"):
            raise ConfigError(f"attack={attack!r}: choose pgd, strong or autoattack")
        if eps <= 0 or (lr is not None and lr <= 0):
            raise ConfigError(f"eps={eps}, lr={lr}: both are positive")
        for name in activations:
            if name not in ACTIVATIONS:
                raise UnknownNameError("activation", name, ACTIVATIONS)
        if attack == "autoattack":
            require_autoattack()  # before the training
        self.activations, self.controls = tuple(activations), controls
        self.chosen, self.attack, self.eps, self.lr = tuple(claims), attack, eps, lr

    @cached_property
    def _all_data(self) -> Dataset:
        data = load_dataset("digits") if self.data is None else self.data
        if data.is_complex or len(data.y_train.unique()) < 2:
            what = "complex" if data.is_complex else "of one class"
            raise DataError(f"{data.name} is {what}: give real data of at least 2 classes")
        return data

    def cells(self, quick: bool) -> Sequence[Cell]:
        """Networks of seed 0, what is measured of them, then networks of the other seeds."""
        data = self._all_data
        size = size_for(len(data.x_train), quick)
        training = Training(
            self.epochs or size.epochs, size.batch_size, self.lr or size.lr, self.eps
        )
        attack = Attack(self.attack, self.eps, min(size.attacked, len(data.x_test)))
        train = min(size.train, len(data.x_train))
        trial = Trial(training, attack, data.name, data.fingerprint(), train)
        members = {
            member.key: member
            for seed in range(self.seeds or size.seeds)
            for network, rule in self._wanted(size, seed)
            for member in [Member(network, rule, seed, trial)]
        }
        first, others = (
            [Cell(key, m) for key, m in members.items() if (m.seed == 0) == is_first]
            for is_first in (True, False)
        )
        cells = list(first)
        radius = self.eps * data.x_train[0].numel() ** 0.5
        look = Population("", (), min(size.looked_at, len(data.x_test)), radius)
        if "H1a" in self.chosen and self.attack == "pgd":
            checked = [m for m in members.values() if m.seed == 0 and m.network in self._real(size)]
            cells += [_of("check", [m], look) for m in checked if m.rule == "linearized"]
        population = [Member(network, rule, 0, trial) for network, rule in self._population(size)]
        if any(key.startswith("H2") for key in self.chosen):
            cells += [_of("measures", [member], look) for member in population]
        if "H3" in self.chosen:
            wide = [m for m in population if m.network.hidden == size.hidden]
            cells.append(replace(_of("transfer", wide, look), enough=2))
        return [*cells, *others]

    def _wanted(self, size: Size, seed: int) -> Iterator[tuple[Network, str]]:
        """Networks and rules of the chosen claims."""
        real, complex_ones = self._real(size), self._complex(size)
        if "H1a" in self.chosen:
            controls = self.controls and seed < CONTROL_SEEDS
            yield from itertools.product(real, RULES if controls else RULES[:1])
        if "H1b" in self.chosen:
            twins = [replace(one, coefficients="real") for one in complex_ones]
            matched = [replace(one, match="macs") for one in twins]
            yield from itertools.product([*complex_ones, *twins, *matched], RULES[:1])
        if "H4" in self.chosen:
            square = Network("square", "complex", "parameters", size.hidden)
            mixed = replace(square, experts=4, regions="k-means")
            random = replace(mixed, regions="random")
            real_ones = [replace(one, coefficients="real") for one in (square, mixed)]
            controls = [random, *real_ones] if self.controls else []
            yield from itertools.product([square, mixed, *controls], RULES[:1])
        if seed == 0 and any(key.startswith(("H2", "H3")) for key in self.chosen):
            yield from self._population(size)

    def _real(self, size: Size) -> list[Network]:
        return [Network(name, "real", "parameters", size.hidden) for name in self.activations]

    def _complex(self, size: Size) -> list[Network]:
        analytic = [name for name in self.activations if name in ANALYTIC]
        return [Network(name, "complex", "parameters", size.hidden) for name in analytic]

    def _population(self, size: Size) -> list[tuple[Network, str]]:
        narrow = self._real(replace(size, hidden=size.narrow))
        narrow = [one for one in narrow if one.activation in NARROW]
        return list(itertools.product([*self._real(size), *self._complex(size), *narrow], RULES))

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        """Train and attack a network, or measure networks that are trained."""
        match cell.settings:
            case Member() as member:
                return measures.train(member, self._part(member), folder, on_progress)
            case Population(part, members, examples, radius):
                data, attack = self._part(members[0]), members[0].trial.attack
                models = {
                    member.key: measures.trained(member, data, folder.parent / member.key)
                    for member in members
                    if member.key in cell.needs
                }
                if part == "transfer":
                    return measures.transfer(models, data, attack, radius)
                named = {"part": part, "of": cell.needs[0], "rule": members[0].rule}
                model = models[cell.needs[0]]
                if part == "check":
                    strong = replace(attack, name="strong")
                    return {**named, **measures.attacked(model, data, strong, folder)}
                x, y = data.x_test[:examples], data.y_test[:examples]
                robust = measures.attacked(model, data, attack, folder)["robust"]
                return {**named, "robust": robust, **measures.measured(model, x, y, radius)}
            case settings:
                raise ConfigError(f"{settings!r} are not the settings of a cell of this study")

    def _part(self, member: Member) -> Dataset:
        return self._all_data.subset(train=member.trial.train)

    def findings(self, results: Results) -> tuple[Finding, ...]:
        """One for each claim, corrected for all of them."""
        return evidence.judged(TESTS, results, self.chosen)


def _of(part: str, members: Sequence[Member], look: Population) -> Cell:
    """A cell that measures members."""
    keys = tuple(member.key for member in members)
    name = part if len(members) > 1 else f"{part}-{keys[0]}"
    return Cell(name, replace(look, part=part, members=tuple(members)), keys)
