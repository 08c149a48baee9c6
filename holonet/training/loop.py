"""The one optimization loop: resumable to the bit, the same on one process and on several."""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn
from torch import nn

from holonet._arguments import checked
from holonet._files import folder_lock
from holonet._progress import progress_bar
from holonet._types import GivenLabels, GivenPoints
from holonet.attacks.objectives import logits_of, require_labels
from holonet.calculus import Probes
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DomainError,
    InputTypeError,
    RunExistsError,
    ShapeError,
)
from holonet.nn.modes import evaluating
from holonet.training.chance import LOOKED_AT, chance_warning
from holonet.training.config import RunConfig, TrainConfig
from holonet.training.journal import Journal
from holonet.training.parallel import (
    Processes,
    broadcast,
    from_first,
    launch,
    require_equal,
    sum_terms,
)
from holonet.training.randomness import drawing, mix_seed
from holonet.training.rules import Rule
from holonet.training.run_folder import (
    CHECKPOINTS,
    EVENTS,
    WEIGHTS,
    forget_run,
    require_inside,
)
from holonet.training.sources import VALIDATING, GivenData, Source, source_of
from holonet.training.state import RunState
from holonet.training.step import take_step
from holonet.training.tensorboard import require_tensorboard, shown_in_tensorboard

__all__ = ["accuracy", "fit"]

logger = logging.getLogger(__name__)

Record = dict[str, Any]


@checked
def fit(
    model: nn.Module,
    data: GivenData,
    rule: Rule,
    config: TrainConfig | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: bool = False,
    run: RunConfig | None = None,
    tensorboard: bool = False,
    progress: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> list[Record]:
    """Train a model in place, by Adam with a one-cycle schedule unless told; return the metrics.

    Weights of the rule that have schedules follow the fraction of the steps that is done.

    With held-out examples (`config.validation`, or a third loader) the model ends with the weights
    of the epoch with the least loss on them: that of the rule at the end of its schedules.
    `config.patience` ends training when that loss has not fallen for as many epochs. The test
    examples decide nothing. The schedules are those of all epochs, however early training ends.

    Every random number, dropout's too, is drawn from (seed, step) or (seed, epoch), so a run that
    was killed at any moment and resumed ends with the weights of one that was not, bit for bit
    (one process, same machine and thread count). With several devices each process takes its
    part of every batch and the gradients are summed, which is the same run up to rounding
    (unless layers draw numbers of their own, or mix examples as batch norm does).

    Args:
        model: real or complex data in, real logits out.
        data: a `Dataset`; the tensors (x_train, y_train, x_test, y_test); or torch DataLoaders
            (train, test), or (train, test, validation), of batches (x, y), whose data need not
            fit into memory. The batch size is the loader's, random orders come from the seed of
            `config`, and classes are as many as the model has logits. A run that is resumed
            within an epoch loads the batches before again. With `run_dir` a loader is refused that
            could not be resumed bit by bit: with persistent workers, or with an order or random
            changes that do not come from torch's generators (`training.sources.Loaders`). A
            difference that the first batches do not show is not seen. Each of several processes
            loads whole batches.
        rule: the loss.
        config: how long, how fast, on what; batch size and rate are those of all processes.
        run_dir: where metrics.jsonl, checkpoints/ and model.safetensors go, and last.safetensors
            where model.safetensors has the weights of another epoch; None keeps nothing.
            Without `resume` those of an earlier run are removed. The folder is held: a second
            process is refused.
        resume: go on from the newest whole checkpoint in run_dir, from the start if there is
            none yet. A finished run is read back, and nothing is trained.
        run: the configuration that data, network and rule were made from. It is kept with the
            weights, which `load_run` and `load` need.
        tensorboard: write the records as scalars into run_dir/tensorboard too, for `tensorboard
            --logdir`.
        progress: draw a progress bar on stderr.
        on_step: called with the number of finished steps after each.

    Returns:
        The records of metrics.jsonl: {"kind": "step", step, epoch, loss, the rule's terms, lr,
        seconds} every `log_every` steps, {"kind": "epoch", epoch, step, train_loss,
        test_accuracy, train_accuracy, validation_loss and validation_accuracy where examples are
        held out, the rule's diagnosis, seconds} at each epoch's end; train_loss is the mean over
        its batches, train_accuracy is that on the first 1000 training examples (with loaders on the
        first batch), the diagnosis what `rule.diagnose` has to say on the first `batch_size` ones,
        seconds are of training alone. Where train_accuracy is at the end no better than one answer
        to all, the last record has a "warning" too, which is logged.

    Raises:
        CheckpointError: the checkpoint is from a run on other data, under another rule, of
            another configuration or network, or every checkpoint is damaged or gone.
        ConfigError: this machine has no such devices; `config` is not that of `run`; processes of
            one training differ in their data or settings; class weights or a precision that do
            not fit; patience without held-out examples; a loader without length, or one that
            could not be resumed.
        DataError: a loader that gives no pairs of examples and labels, or too few batches.
        InputTypeError, ShapeError, DomainError: an argument of another type; the model does not
            answer the data with logits, or has nothing to train.
        MissingDependencyError: tensorboard is asked for and not installed.
        RunExistsError: another process has run_dir, or it has a link out of it.
        ProcessLostError: one of several processes is gone; the last checkpoint stays.
        NumericalError: the loss, a gradient or a weight is not finite; the last checkpoint stays
            and is finite.
    """
    if run is not None and config not in (None, run.train):
        raise ConfigError("fit(config=..., run=...): config is not run.train, leave it out")
    config = (TrainConfig() if run is None else run.train) if config is None else config
    if tensorboard:
        require_tensorboard()
        if run_dir is None:
            raise ConfigError("fit(tensorboard=True) has no folder to write into: give run_dir")
    processes = launch(config)
    model = model.to(processes.device)
    first = processes.rank == 0
    _require_trainable(model, config)
    source = source_of(data, model, config, repeatable=run_dir is not None)
    if config.patience is not None and not source.holds_out:
        raise ConfigError(
            f"train.patience = {config.patience}, and no examples are held out: set "
            "train.validation = 0.1, or give a third loader (train, test, validation)"
        )
    x, y = next(source.test())
    accuracy(model, x[:1], y[:1])  # refuses a model that does not fit them
    rule = _weighted(rule, source, config)
    folder = None if run_dir is None else Path(run_dir)
    kept = folder if first else None  # the first process alone reads and writes
    earlier = kept if resume else None
    with nullcontext() if kept is None else folder_lock(kept, RunExistsError):
        if kept is not None:
            require_inside(kept)
        state = RunState(model, rule, source, config, Journal(kept), run)
        require_equal(processes, state.identity)
        model.train()
        if earlier is None or not _restored(state, earlier):
            if kept is not None and earlier is None:
                forget_run(kept)
            state.journal.clear()
        if resume and processes.world_size > 1:
            state.follow(from_first(processes, state.course()))
        broadcast(processes, model)
        diagnosis: dict[str, float] = {}
        if state.epoch_lost:
            latest = rule.at((state.step - 1) / state.total_steps)
            diagnosis = _diagnosis(latest, state) | _validation(rule, state)
            state.log_epoch(_test_accuracy(state), None, _learned(state) | diagnosis)
        first_step = state.step
        columns = MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}")
        shown = nullcontext()
        if tensorboard and kept is not None:
            shown = shown_in_tensorboard(state.journal, kept / EVENTS)
        with shown, progress_bar(progress and first, *columns) as bar:
            task = bar.add_task("training", total=state.total_steps, completed=state.step, note="")
            for batch in state.batches():
                began = time.perf_counter()
                now = rule.at(state.progress)
                terms = take_step(processes, now, state, batch)
                state.finish_step(terms, time.perf_counter() - began)
                if state.epoch_ended:
                    judged = _mean(processes, _validation(rule, state))
                    diagnosis = _diagnosis(now, state) | judged
                    state.finish_epoch(_test_accuracy(state), _learned(state) | diagnosis)
                noted = {"loss": sum(terms.values())} | diagnosis
                note = ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in noted.items())
                bar.update(task, completed=state.step, note=note)
                due = state.epoch_ended or state.step % config.checkpoint_every == 0
                if kept is not None and due:
                    state.save(kept / CHECKPOINTS)
                if on_step is not None:
                    on_step(state.step)
        state.require_finite_weights()
        if kept is not None:
            state.save_weights(kept / WEIGHTS)
        if state.best is not None:
            model.load_state_dict(state.best.tensors)
        processes.wait()
    warning = state.journal.records[-1].get("warning") if state.journal.records else None
    if first and state.step > first_step and warning is not None:
        logger.warning("%s", warning)
    return state.journal.records


def _require_trainable(model: nn.Module, config: TrainConfig) -> None:
    """Refuse what no gradient can reach, and what the precision does not go with.

    Raises:
        InputTypeError: no parameter of the model takes a gradient; torch is in inference mode.
        ConfigError: 16 bits are asked of a network in double precision.
    """
    if torch.is_inference_mode_enabled():
        raise InputTypeError(
            "fit inside torch.inference_mode(): call it outside, it needs gradients"
        )
    if not any(p.requires_grad for p in model.parameters()):
        raise InputTypeError(
            f"{type(model).__name__} has no parameter that requires a gradient, so that there is "
            "nothing to train: requires_grad_(True), or give a model with parameters"
        )
    doubles = (p.dtype for p in model.parameters() if p.dtype in (torch.float64, torch.complex128))
    if config.precision == "bf16" and (dtype := next(doubles, None)) is not None:
        raise ConfigError(
            f"train.precision = 'bf16' with parameters of {dtype}, whose products torch.autocast "
            "leaves as they are: give the model in single precision, or choose 'full'"
        )


def _weighted(rule: Rule, source: Source, config: TrainConfig) -> Rule:
    """The rule with the class weights of the configuration.

    Raises:
        ConfigError: not one for each class, or balanced ones of examples that nobody has counted.
    """
    weights = config.class_weights
    if weights == "none":
        return rule
    if weights == "balanced":
        counts = source.class_counts()
        if counts is None:
            raise ConfigError(
                "train.class_weights = 'balanced' with loaders, whose examples are not counted: "
                "give a weight for each class"
            )
        balanced = counts.sum() / (source.num_classes * counts.clamp(min=1))
        return rule.weighted(balanced.tolist())
    if len(weights) != source.num_classes:
        raise ConfigError(
            f"train.class_weights has {len(weights)} numbers, and there are {source.num_classes} "
            "classes: give one for each"
        )
    return rule.weighted([float(w) for w in weights])


def _restored(state: RunState, folder: Path) -> bool:
    """Go back to the newest whole checkpoint, else to the end; False if nothing was kept yet.

    Raises:
        CheckpointError: what was kept is damaged, gone, or of another run.
    """
    try:
        restored, refused = state.restore(folder / CHECKPOINTS), None
    except CheckpointError as error:
        restored, refused = False, error
    if restored or state.restore_finished(folder / WEIGHTS):
        return True
    if refused is not None:
        raise refused
    return False


@checked
@torch.no_grad()
def accuracy(model: nn.Module, x: GivenPoints, y: GivenLabels, batch_size: int = 1000) -> float:
    """Fraction of examples classified correctly, in eval mode; the modes are restored.

    An example with a NaN among its logits is not classified correctly.

    Raises:
        ShapeError: no examples; not one label for each; the model does not answer with one row of
            logits for each.
        InputTypeError: labels that are no integers, examples of another precision than the model.
        DomainError: a label that is no class; batch_size is not positive.
    """
    if batch_size < 1:
        raise DomainError(f"accuracy(batch_size={batch_size}): choose 1 or more")
    if len(x) == 0:
        raise ShapeError("accuracy of no examples: give at least one")
    require_labels(y, len(x))
    device = next(model.parameters(), x).device
    right = 0
    with evaluating(model):
        for a, b in zip(x.split(batch_size), y.split(batch_size), strict=True):
            logits = logits_of(model, a.to(device), b.to(device))
            hit = (logits.argmax(1) == b.to(device)) & ~logits.isnan().any(1)
            right += int(hit.sum())
    return right / len(y)


def _test_accuracy(state: RunState) -> float:
    """The accuracy on all test examples."""
    right = count = 0
    for x, y in state.source.test():
        right += round(accuracy(state.model, x, y) * len(y))
        count += len(y)
    return right / count


def _mean(processes: Processes, found: dict[str, float]) -> dict[str, float]:
    """What processes agree on, whose running statistics may differ."""
    return sum_terms(processes, {k: v / processes.world_size for k, v in found.items()})


def _validation(rule: Rule, state: RunState) -> dict[str, float]:
    """The loss of the rule of the end of training, and the accuracy, on the held-out examples.

    The random numbers are the same in every epoch.
    """
    if not state.source.holds_out:
        return {}
    device = next(state.model.parameters()).device
    rule = rule.at(1.0)
    loss, right, count = 0.0, 0, 0
    for number, batch in enumerate(state.source.validation()):
        x, y = (t.to(device) for t in batch)
        seed = mix_seed(state.config.seed, VALIDATING, number)
        with evaluating(state.model), drawing(seed, device), torch.enable_grad():
            terms = rule.terms(state.model, x, y, Probes(seed))
            loss += float(sum(t.detach() for t in terms.values())) * len(y)
        right += round(accuracy(state.model, x, y) * len(y))
        count += len(y)
    return {"validation_loss": loss / count, "validation_accuracy": right / count}


def _learned(state: RunState) -> dict[str, Any]:
    """The accuracy on training examples; at the end of a training, a warning where it is chance.

    Nothing where there are more labels than logits: to a rule of one's own they are no classes.
    """
    x, y = state.source.examples(LOOKED_AT)
    try:
        right = accuracy(state.model, x, y)
    except DomainError:
        return {}
    ended = state.step == state.total_steps
    warning = chance_warning(right, y, complex_data=x.is_complex()) if ended else None
    return {"train_accuracy": right} | ({} if warning is None else {"warning": warning})


def _diagnosis(rule: Rule, state: RunState) -> dict[str, float]:
    """What a rule has to say of the model, on examples that are the same in every epoch."""
    device = next(state.model.parameters()).device
    x, y = (t.to(device) for t in state.source.examples(state.config.batch_size))
    with drawing(mix_seed(state.config.seed, 2, state.step), device):
        return rule.diagnose(state.model, x, y)
