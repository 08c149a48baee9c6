"""Train several networks under several rules and seeds, attack each, keep what is finished."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from torch import nn

from holonet._files import write_atomically
from holonet.data import Dataset
from holonet.diagnostics import RobustnessPoint
from holonet.errors import ConfigError, DataError
from holonet.experiments.protocol import Protocol, batches, measure_robustness
from holonet.nn import real_parameter_count
from holonet.training import (
    ModelConfig,
    RuleConfig,
    RunConfig,
    TrainConfig,
    accuracy,
    fit,
    load_weights,
)

__all__ = ["Contender", "Outcome", "compare", "relative_cost"]


@dataclass(frozen=True)
class Contender:
    """A network and the rule it is trained by."""

    label: str
    model: ModelConfig
    rule: RuleConfig


@dataclass(frozen=True)
class Outcome:
    """What one contender reached with one seed."""

    label: str
    seed: int
    parameters: int
    clean: float
    curve: tuple[RobustnessPoint, ...]
    step_ms: float
    train_seconds: float
    records: tuple[dict[str, Any], ...]
    folder: Path

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
    seeds: Sequence[int] = (0,),
    progress: bool = False,
) -> list[Outcome]:
    """Train and attack every contender with every seed; what is finished is not done again.

    Each run has a folder of its own with metrics, checkpoints, weights and result.json. Called
    again after a crash, finished runs are read back and a broken-off one goes on from its last
    checkpoint; a network of another configuration is trained anew, one under another protocol
    only attacked anew.

    Args:
        contenders: networks and rules.
        data: trained on; the first `protocol.examples` of its test set are attacked.
        train: epochs, batches, rates; its seed is replaced by each of `seeds`.
        protocol: the attack.
        folder: where the runs go.
        seeds: of weights, batches, probes.
        progress: draw progress bars on stderr.
    """
    return [
        _run(contender, data, train.model_copy(update={"seed": seed}), protocol, folder, progress)
        for seed in seeds
        for contender in contenders
    ]


def relative_cost(outcomes: Sequence[Outcome], label: str, baseline: str) -> list[float]:
    """Time of a training step over that of another contender's, for each seed that both have."""
    of = {o.seed: o.step_ms for o in outcomes if o.label == baseline}
    return [o.step_ms / of[o.seed] for o in outcomes if o.label == label and o.seed in of]


def _run(
    contender: Contender,
    data: Dataset,
    train: TrainConfig,
    protocol: Protocol,
    folder: Path,
    progress: bool,
) -> Outcome:
    run = folder / f"{_slug(contender.label)}-seed{train.seed}"
    trained = {
        "run": RunConfig(model=contender.model, rule=contender.rule, train=train).model_dump(
            mode="json", include={"model", "rule", "train"}
        ),
        "data": data.fingerprint(),
    }
    identity = json.loads(json.dumps({**trained, "protocol": asdict(protocol)}))
    if data.is_complex:
        raise DataError(
            f"{data.name} is complex: this comparison attacks real inputs and has real contenders"
        )
    model = contender.model.build(
        data.x_train.shape[1:], data.num_classes, seed=train.seed, examples=data.x_train
    )
    result = run / "result.json"
    if result.exists():
        saved = json.loads(result.read_text())
        if saved["identity"] == identity:
            load_weights(run / "model.safetensors", model)
            return _outcome(contender.label, train.seed, model, saved, run)
    started = run / "identity.json"
    resume = started.exists() and json.loads(started.read_text()) == trained
    write_atomically(started, json.dumps(trained, indent=1))
    if progress:
        Console(stderr=True).print(f"[bold]{contender.label}[/bold], seed {train.seed}")
    records = fit(
        model, data, contender.rule.build(), train, run_dir=run, resume=resume, progress=progress
    )
    saved = {
        "identity": identity,
        "clean": accuracy(model, data.x_test, data.y_test),
        "curve": [asdict(p) for p in _attack(model, data, protocol, progress)],
        "records": records,
    }
    write_atomically(result, json.dumps(saved))
    return _outcome(contender.label, train.seed, model, saved, run)


def _attack(
    model: nn.Module, data: Dataset, protocol: Protocol, progress: bool
) -> list[RobustnessPoint]:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        console=Console(stderr=True),
        disable=not progress,
    )
    with bar:
        task = bar.add_task("attacking", total=batches(data, protocol))
        return measure_robustness(
            model.to(torch.device("cpu")), data, protocol, on_batch=lambda: bar.advance(task)
        )


def _outcome(label: str, seed: int, model: nn.Module, saved: dict[str, Any], run: Path) -> Outcome:
    last = saved["records"][-1]
    return Outcome(
        label=label,
        seed=seed,
        parameters=real_parameter_count(model),
        clean=saved["clean"],
        curve=tuple(RobustnessPoint(**p) for p in saved["curve"]),
        step_ms=1000 * last["seconds"] / last["step"],
        train_seconds=last["seconds"],
        records=tuple(saved["records"]),
        folder=run,
    )


def _slug(label: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in label.lower()).split())
