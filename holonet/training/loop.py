"""The one optimization loop: resumable to the bit, the same on one process and on several."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from rich.progress import MofNCompleteColumn, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._files import folder_lock
from holonet._progress import progress_bar
from holonet._types import GivenLabels, GivenPoints
from holonet.attacks.objectives import logits_of, require_labels
from holonet.calculus import Probes
from holonet.data import Dataset
from holonet.errors import (
    CheckpointError,
    ConfigError,
    DomainError,
    InputTypeError,
    NumericalError,
    RunExistsError,
    ShapeError,
)
from holonet.nn.modes import evaluating
from holonet.training.augmentation import augmented
from holonet.training.config import RunConfig, TrainConfig
from holonet.training.journal import Journal
from holonet.training.parallel import (
    Processes,
    broadcast,
    from_first,
    launch,
    real_view,
    require_equal,
    sum_terms,
    summed_gradients,
)
from holonet.training.rules import Rule
from holonet.training.run_folder import CHECKPOINTS, WEIGHTS, forget_run, require_inside
from holonet.training.state import RunState, mix_seed

__all__ = ["accuracy", "fit"]

Record = dict[str, Any]


@checked
def fit(
    model: nn.Module,
    data: Dataset,
    rule: Rule,
    config: TrainConfig | None = None,
    *,
    run_dir: str | Path | None = None,
    resume: bool = False,
    run: RunConfig | None = None,
    progress: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> list[Record]:
    """Train a model in place, by Adam with a one-cycle schedule unless told; return the metrics.

    Weights of the rule that have schedules follow the fraction of the steps that is done.

    Every random number, dropout's too, is drawn from (seed, step) or (seed, epoch), so a run that
    was killed at any moment and resumed ends with the weights of one that was not, bit for bit
    (one process, same machine and thread count). With several devices each process takes its
    part of every batch and the gradients are summed, which is the same run up to rounding
    (unless layers draw numbers of their own, or mix examples as batch norm does).

    Args:
        model: real or complex data in, real logits out.
        data: the data set.
        rule: the loss.
        config: how long, how fast, on what; batch size and rate are those of all processes.
        run_dir: where metrics.jsonl, checkpoints/ and model.safetensors go; None keeps nothing.
            Without `resume` those of an earlier run are removed. The folder is held: a second
            process is refused.
        resume: go on from the newest whole checkpoint in run_dir, from the start if there is
            none yet. A finished run is read back, and nothing is trained.
        run: the configuration that data, network and rule were made from. It is kept with the
            weights, which `load_run` and `load` need.
        progress: draw a progress bar on stderr.
        on_step: called with the number of finished steps after each.

    Returns:
        The records of metrics.jsonl: {"kind": "step", step, epoch, loss, the rule's terms, lr,
        seconds} every `log_every` steps, {"kind": "epoch", epoch, step, train_loss,
        test_accuracy, the rule's diagnosis, seconds} at each epoch's end; train_loss is the mean
        over its batches, the diagnosis what `rule.diagnose` has to say on the first `batch_size`
        training examples, seconds are of training alone.

    Raises:
        CheckpointError: the checkpoint is from a run on other data, under another rule, of
            another configuration or network, or every checkpoint is damaged or gone.
        ConfigError: this machine has no such devices; `config` is not that of `run`; processes of
            one training differ in their data or settings.
        InputTypeError, ShapeError, DomainError: an argument of another type; the model does not
            answer the data with logits, or has nothing to train.
        RunExistsError: another process has run_dir, or it has a link out of it.
        ProcessLostError: one of several processes is gone; the last checkpoint stays.
        NumericalError: the loss, a gradient or a weight is not finite; the last checkpoint stays
            and is finite.
    """
    if run is not None and config not in (None, run.train):
        raise ConfigError("fit(config=..., run=...): config is not run.train, leave it out")
    config = (TrainConfig() if run is None else run.train) if config is None else config
    processes = launch(config)
    model = model.to(processes.device)
    first = processes.rank == 0
    _require_trainable(model)
    accuracy(model, data.x_test[:1], data.y_test[:1])  # refuses a model that does not fit them
    folder = None if run_dir is None else Path(run_dir)
    kept = folder if first else None  # the first process alone reads and writes
    earlier = kept if resume else None
    with nullcontext() if kept is None else folder_lock(kept, RunExistsError):
        if kept is not None:
            require_inside(kept)
        state = RunState(model, rule, data, config, Journal(kept), run)
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
            diagnosis = _diagnosis(latest, state, data)
            state.log_epoch(accuracy(model, data.x_test, data.y_test), None, diagnosis)
        columns = MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[note]}")
        with progress_bar(progress and first, *columns) as bar:
            task = bar.add_task("training", total=state.total_steps, completed=state.step, note="")
            for batch in state.batches():
                began = time.perf_counter()
                now = rule.at(state.progress)
                terms = _step(processes, now, state, data, batch)
                state.finish_step(terms, time.perf_counter() - began)
                if state.epoch_ended:
                    diagnosis = _diagnosis(now, state, data)
                    state.finish_epoch(accuracy(model, data.x_test, data.y_test), diagnosis)
                shown = {"loss": sum(terms.values())} | diagnosis
                note = ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in shown.items())
                bar.update(task, completed=state.step, note=note)
                due = state.epoch_ended or state.step % config.checkpoint_every == 0
                if kept is not None and due:
                    state.save(kept / CHECKPOINTS)
                if on_step is not None:
                    on_step(state.step)
        state.require_finite_weights()
        if kept is not None:
            state.save_weights(kept / WEIGHTS)
        processes.wait()
    return state.journal.records


def _require_trainable(model: nn.Module) -> None:
    """Refuse what no gradient can reach.

    Raises:
        InputTypeError: no parameter of the model takes a gradient; torch is in inference mode.
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


def _step(
    processes: Processes, rule: Rule, state: RunState, data: Dataset, batch: Int[Tensor, " batch"]
) -> dict[str, float]:
    """One optimizer step on this process's part of the batch; the terms over all of it.

    Raises:
        NumericalError: a term or the gradient is not finite; the weights are left as they were.
    """
    whole = len(batch)
    parts = batch.tensor_split(processes.world_size)
    mine = parts[processes.rank]
    first = sum(len(p) for p in parts[: processes.rank])
    probes = Probes(mix_seed(state.config.seed, 2, state.step), first=first, total=whole)
    state.optimizer.zero_grad()
    x, y = (t[mine].to(processes.device) for t in (data.x_train, data.y_train))
    share = len(mine) / whole
    seed = mix_seed(state.config.seed, 3 + processes.rank, state.step)
    with _drawing(seed, processes.device), torch.enable_grad():
        x = augmented(x, state.config.augment)
        terms = rule.terms(state.model, x, y, probes) if len(mine) else {}
        with summed_gradients(processes, state.model):
            if terms:
                (torch.stack(list(terms.values())).sum() * share).backward()
    parameters = list(state.model.parameters())
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad = parameter.grad.resolve_conj()  # torch may leave it lazily conjugated
    values = sum_terms(processes, {k: float(v.detach()) * share for k, v in terms.items()})
    # as real numbers: torch's norms of complex tensors take four times as long
    total = nn.utils.get_total_norm([real_view(p.grad) for p in parameters if p.grad is not None])
    nn.utils.clip_grads_with_norm_(parameters, state.config.clip, total)
    norm = float(total)
    if not all(map(math.isfinite, (*values.values(), norm))):
        raise NumericalError(
            f"at step {state.step + 1} the loss is {sum(values.values()):g} "
            f"({', '.join(f'{k} {v:.3g}' for k, v in values.items())}) and its gradient's norm "
            f"{norm:g}: lower train.lr or model.gain, or keep train.clip on; the last checkpoint "
            "is whole"
        )
    state.optimizer.step()
    return values


def _diagnosis(rule: Rule, state: RunState, data: Dataset) -> dict[str, float]:
    """What a rule has to say of the model, on examples that are the same in every epoch."""
    device = next(state.model.parameters()).device
    count = state.config.batch_size
    x, y = (t[:count].to(device) for t in (data.x_train, data.y_train))
    with _drawing(mix_seed(state.config.seed, 2, state.step), device):
        return rule.diagnose(state.model, x, y)


@contextmanager
def _drawing(seed: int, device: torch.device) -> Iterator[None]:
    """Let torch's global streams start from a seed, and put them back at the end."""
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            torch.cuda.manual_seed(seed)
        yield
