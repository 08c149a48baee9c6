"""Train several networks under several rules and seeds, and attack each."""

import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from torch import nn

from holonet._cache import keep, read_kept, recall, tensor_digest
from holonet._files import digest_path, folder_lock, write_atomically
from holonet._progress import progress_bar
from holonet.data import Dataset
from holonet.diagnostics import RobustnessPoint
from holonet.errors import CheckpointError, ConfigError, RunExistsError
from holonet.experiments.protocol import Protocol, batches, measure_robustness
from holonet.nn import real_parameter_count
from holonet.statistics import Interval, paired_difference
from holonet.training import (
    DataConfig,
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
    accuracy,
    fit,
    load_weights,
    step_times,
)
from holonet.training.run_folder import CONFIG, WEIGHTS, require_fitting

__all__ = ["Contender", "Outcome", "accuracy_difference", "compare", "relative_cost"]

logger = logging.getLogger(__name__)

REAL_NORMS, COMPLEX_NORMS = ("Linf", "L2", "L1"), ("polydisc", "complex_ball")


@dataclass(frozen=True)
class Contender:
    """A network and the rule it is trained by."""

    label: str
    model: ModelConfig
    rule: RuleConfig

    def untrained(self, data: Dataset, seed: int) -> nn.Module:
        """The network for these data, with the first weights of a seed."""
        return self.model.build(
            data.x_train.shape[1:], data.num_classes, seed=seed, examples=data.x_train
        )


@dataclass(frozen=True)
class Outcome:
    """The result of one contender with one seed.

    `step_ms` is the time of a training step, measured in turn with those of the other contenders
    (`training.step_times`).
    """

    label: str
    seed: int
    parameters: int
    clean: float
    curve: tuple[RobustnessPoint, ...]
    step_ms: float
    train_seconds: float
    records: tuple[dict[str, Any], ...]
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """Accuracies by radius with their intervals, parameters and times."""
        return {
            "label": self.label,
            "seed": self.seed,
            "parameters": self.parameters,
            "clean": self.clean,
            "robust": {str(p.eps): p.accuracy for p in self.curve},
            "intervals": {str(p.eps): list(p.interval) for p in self.curve},
            "searched_in": {str(p.eps): p.searched_in for p in self.curve},
            "step_ms": self.step_ms,
            "train_seconds": self.train_seconds,
            "folder": str(self.folder),
        }

    def at(self, eps: float) -> RobustnessPoint:
        """The point of the curve at a radius.

        Raises:
            ConfigError: the curve has no such radius.
        """
        for point in self.curve:
            if point.eps == eps:
                return point
        raise ConfigError(f"eps {eps} was not attacked: {[p.eps for p in self.curve]}")


def compare(
    contenders: Sequence[Contender],
    data: Dataset,
    train: TrainConfig,
    protocol: Protocol,
    *,
    folder: Path,
    source: DataConfig | None = None,
    seeds: Sequence[int] = (0,),
    progress: bool = False,
) -> list[Outcome]:
    """Train and attack every contender with every seed; finished runs are read back.

    Each run has a folder of its own with metrics, checkpoints, weights and result.json. That file
    holds its identity, and its digest lies beside it. Called again after a crash, finished
    runs are read back and an interrupted one resumes from its last checkpoint, or after the last
    batch that an ensemble of attacks finished; a network of another
    configuration is trained anew, one under another protocol only attacked anew. A result that is
    damaged, or of other weights than those beside it, is computed again, with a warning. Before all
    runs steps.json gets the time of a training step of each contender, in turn.

    Args:
        contenders: networks and rules.
        data: trained on; the first `protocol.examples` of its test set are attacked.
        train: epochs, batches, rates; its seed is replaced by each of `seeds`.
        protocol: the attack.
        folder: where the runs go.
        source: of `data`. With it `load_run` reads each run.
        seeds: of weights, batches, probes.
        progress: draw progress bars on stderr.

    Raises:
        ConfigError: two labels that would share a folder; a network, a rule or a threat that does
            not fit real or complex data.
        RunExistsError: another process is at work in the folder.
    """
    slugs = [_slug(contender.label) for contender in contenders]
    shared = [c.label for c, slug in zip(contenders, slugs, strict=True) if slugs.count(slug) > 1]
    if shared:
        raise ConfigError(
            f"the labels {', '.join(map(repr, shared))} name the same folder: each contender needs "
            "letters or digits of its own"
        )
    for contender in contenders:
        require_fitting(contender.model, contender.rule, data)
    if protocol.threat.is_complex != data.is_complex:
        kind, norms = ("complex", COMPLEX_NORMS) if data.is_complex else ("real", REAL_NORMS)
        raise ConfigError(
            f"the attack's norm is {protocol.threat.norm!r} and {data.name!r} is {kind}: choose "
            f"{' or '.join(norms)} (--norm)"
        )
    with folder_lock(folder, RunExistsError):
        seeded = [train.model_copy(update={"seed": seed}) for seed in seeds]
        times: list[float] = []
        if seeded:
            times = _step_times(contenders, data, seeded[0], folder / "steps.json", progress)
        return [
            _run(
                contender,
                data,
                source,
                config,
                protocol,
                folder / f"{slug}-seed{config.seed}",
                step_ms,
                progress,
            )
            for config in seeded
            for contender, slug, step_ms in zip(contenders, slugs, times, strict=True)
        ]


def accuracy_difference(
    outcomes: Sequence[Outcome], label: str, reference: str, eps: float | None = None
) -> Interval:
    """Accuracy minus that of another contender, paired over the seeds that both have.

    Args:
        outcomes: of `compare`.
        label, reference: of the two contenders.
        eps: radius of the attack; None for the accuracy on the whole clean test set.

    Raises:
        ConfigError: no seed has both, or the radius was not attacked.
    """

    def accuracies(of: str) -> dict[int, float]:
        own = [o for o in outcomes if o.label == of]
        return {o.seed: o.clean if eps is None else o.at(eps).accuracy for o in own}

    first, second = accuracies(label), accuracies(reference)
    seeds = [seed for seed in first if seed in second]
    if not seeds:
        raise ConfigError(
            f"{label!r} and {reference!r} have no seed in common: the labels are "
            f"{', '.join(repr(name) for name in dict.fromkeys(o.label for o in outcomes))}"
        )
    return paired_difference([first[s] for s in seeds], [second[s] for s in seeds])


def relative_cost(outcomes: Sequence[Outcome], label: str, baseline: str) -> float | None:
    """Time of a training step over that of another contender; None where that one is not there."""
    times = {o.label: o.step_ms for o in outcomes}
    return times[label] / times[baseline] if baseline in times else None


def _step_times(
    contenders: Sequence[Contender],
    data: Dataset,
    train: TrainConfig,
    path: Path,
    progress: bool,
) -> list[float]:
    """Milliseconds of a training step of each, kept in a file."""
    identity = {
        "contenders": [
            RunConfig(model=c.model, rule=c.rule).model_dump(mode="json", include={"model", "rule"})
            for c in contenders
        ],
        "train": train.model_dump(mode="json", exclude={"seed"}),
        "data": data.fingerprint(),
    }

    def read(path: Path) -> list[float]:
        times = [float(ms) for ms in read_kept(path, identity)["step_ms"]]
        if len(times) != len(contenders) or not all(0 < ms < math.inf for ms in times):
            raise CheckpointError(f"{path} has no time for each contender")
        return times

    times = recall(path, read)
    if times is None:
        models = [c.untrained(data, train.seed) for c in contenders]
        rules = [c.rule.build() for c in contenders]
        with progress_bar(progress) as bar:
            task = bar.add_task("timing steps", total=1)
            seconds = step_times(
                [*zip(models, rules, strict=True)],
                data,
                train,
                lambda share: bar.update(task, completed=share),
            )
        times = keep(path, identity, step_ms=[1000 * s for s in seconds])["step_ms"]
    return times


def _run(
    contender: Contender,
    data: Dataset,
    source: DataConfig | None,
    train: TrainConfig,
    protocol: Protocol,
    run: Path,
    step_ms: float,
    progress: bool,
) -> Outcome:
    parts = {"model": contender.model, "rule": contender.rule, "train": train}
    config = RunConfig(**parts) if source is None else RunConfig(data=source, **parts)
    trained = {
        "run": config.model_dump(mode="json", include={"model", "rule", "train"}),
        "data": data.fingerprint(),
    }
    identity = {**trained, "protocol": asdict(protocol)}

    def read(path: Path) -> Outcome:
        saved = read_kept(path, identity)
        model = contender.untrained(data, train.seed)
        load_weights(run / WEIGHTS, model)
        if saved["weights"] != _weights_digest(model):
            for file in (run / WEIGHTS, digest_path(run / WEIGHTS)):
                file.unlink(missing_ok=True)  # training resumes from its checkpoints
            raise CheckpointError(f"{path} is the result of other weights than those beside it")
        return _outcome(contender.label, protocol, train.seed, step_ms, model, saved, run)

    outcome = recall(run / "result.json", read)
    if outcome is not None:
        return outcome
    started = run / "identity.json"
    resume = recall(started, lambda path: read_kept(path, trained)) is not None
    keep(started, trained)
    if source is not None:
        write_atomically(run / CONFIG, config.to_toml())
    if progress:
        Console(stderr=True).print(f"[bold]{contender.label}[/bold], seed {train.seed}")

    def train_it(resume: bool) -> tuple[nn.Module, list[dict[str, Any]]]:
        model, rule = contender.untrained(data, train.seed), contender.rule.build()
        own = {"run_dir": run, "run": config, "resume": resume, "progress": progress}
        return model, fit(model, data, rule, **own)

    try:
        model, records = train_it(resume)
    except CheckpointError as error:
        if not resume:
            raise
        logger.warning("%s; the training starts again", error)
        model, records = train_it(resume=False)
    with progress_bar(progress) as bar:
        task = bar.add_task("attacking", total=batches(data, protocol))
        model, attacked = model.to(torch.device("cpu")), run / "attacks"
        curve = measure_robustness(model, data, protocol, lambda: bar.advance(task), attacked)
    saved = keep(
        run / "result.json",
        identity,
        weights=_weights_digest(model),
        clean=accuracy(model, data.x_test, data.y_test),
        curve=[asdict(point) for point in curve],
        records=records,
    )
    shutil.rmtree(attacked, ignore_errors=True)
    return _outcome(contender.label, protocol, train.seed, step_ms, model, saved, run)


def _weights_digest(model: nn.Module) -> str:
    weights = model.state_dict()
    return tensor_digest(weights.values(), [*weights])


def _outcome(
    label: str,
    protocol: Protocol,
    seed: int,
    step_ms: float,
    model: nn.Module,
    saved: dict[str, Any],
    run: Path,
) -> Outcome:
    """What a result.json holds.

    Raises:
        CheckpointError: it is not what this comparison writes.
    """
    last = saved["records"][-1]
    curve = tuple(RobustnessPoint(**point) for point in saved["curve"])
    outcome = Outcome(
        label=label,
        seed=seed,
        parameters=real_parameter_count(model),
        clean=float(saved["clean"]),
        curve=curve,
        step_ms=step_ms,
        train_seconds=float(last["seconds"]),
        records=tuple(saved["records"]),
        folder=run,
    )
    numbers = (outcome.clean, outcome.train_seconds)
    if [p.eps for p in curve] != [*protocol.eps] or not all(map(math.isfinite, numbers)):
        raise CheckpointError(f"{run / 'result.json'} has no finite result for each radius")
    return outcome


def _slug(label: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in label.lower()).split())
