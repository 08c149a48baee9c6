"""The one optimization loop: resumable to the bit, the same on one process and on several."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

from holonet.calculus import Probes
from holonet.data import Dataset
from holonet.errors import CheckpointError, NumericalError
from holonet.training.checkpoint import latest_checkpoint, save_checkpoint, save_weights
from holonet.training.config import TrainConfig
from holonet.training.journal import Journal
from holonet.training.rules import Rule

__all__ = ["accuracy", "fit"]

Record = dict[str, Any]


def fit(
    model: nn.Module,
    data: Dataset,
    rule: Rule,
    config: TrainConfig | None = None,
    *,
    run_dir: Path | None = None,
    resume: bool = False,
    progress: bool = False,
    on_step: Callable[[int], None] | None = None,
) -> list[Record]:
    """Train a model in place by Adam with a one-cycle schedule; return the metrics.

    Every random number is drawn from (seed, step) or (seed, epoch), so a run that was killed at
    any moment and resumed ends with the weights of one that was not, bit for bit (one process,
    same machine and thread count). With several devices each process takes its part of every
    batch and the gradients are summed, which is the same run up to rounding; they are summed by
    hand, since torch's DistributedDataParallel wrapper cannot be differentiated in forward mode.

    Args:
        model: real or complex data in, real logits out.
        data: the data set.
        rule: the loss.
        config: how long, how fast, on what; batch size and rate are those of all processes.
        run_dir: where metrics.jsonl, checkpoints/ and model.safetensors go; None keeps nothing.
        resume: go on from the newest whole checkpoint in run_dir, from the start if none is.
        progress: draw a progress bar on stderr.
        on_step: called with the number of finished steps after each.

    Returns:
        The records of metrics.jsonl: {"kind": "step", step, epoch, loss, the rule's terms, lr,
        seconds} every `log_every` steps, {"kind": "epoch", epoch, step, train_loss,
        test_accuracy, seconds} at each epoch's end; seconds are of training alone.

    Raises:
        CheckpointError: the checkpoint is from a run on other data or of another length, or
            every checkpoint is damaged.
        NumericalError: the loss is not finite; the last checkpoint stays.
    """
    config = TrainConfig() if config is None else config
    fabric = _launch(config)
    model = fabric.to_device(model)
    state = _State(model, data, config, Journal(run_dir if fabric.is_global_zero else None))
    _broadcast(fabric, model)
    checkpoints = None if run_dir is None else run_dir / "checkpoints"
    if resume and checkpoints is not None:
        state.restore(checkpoints)
    else:
        state.journal.clear()
    seconds = state.seconds
    model.train()
    with _bar(progress and fabric.is_global_zero) as bar:
        task = bar.add_task("training", total=state.total_steps, completed=state.step, note="")
        for batch in state.batches():
            began = time.perf_counter()
            terms = _step(fabric, rule, state, data, batch)
            seconds += time.perf_counter() - began
            state.finish_step(terms, seconds)
            if state.epoch_ended:
                state.finish_epoch(accuracy(model, data.x_test, data.y_test), seconds)
            bar.update(task, completed=state.step, note=f"loss {sum(terms.values()):.3f}")
            if (
                checkpoints is not None
                and fabric.is_global_zero
                and (state.step % config.checkpoint_every == 0 or state.epoch_ended)
            ):
                state.save(checkpoints, seconds)
            if on_step is not None:
                on_step(state.step)
    if run_dir is not None and fabric.is_global_zero:
        save_weights(run_dir / "model.safetensors", model)
    fabric.barrier()
    return state.journal.records


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor, batch_size: int = 1000) -> float:
    """Fraction of examples classified correctly, in eval mode; the mode is restored."""
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    right = sum(
        int((model(a.to(device)).argmax(1).cpu() == b).sum())
        for a, b in zip(x.split(batch_size), y.split(batch_size), strict=True)
    )
    model.train(was_training)
    return right / len(y)


@dataclass(frozen=True)
class _Batch:
    """Positions in the training set of a whole batch, for all processes."""

    step: int
    index: Tensor


class _State:
    """The model with all that a checkpoint holds of a run."""

    def __init__(
        self, model: nn.Module, data: Dataset, config: TrainConfig, journal: Journal
    ) -> None:
        self.model = model
        self.config = config
        self.journal = journal
        self.size = len(data.x_train)
        self.steps_per_epoch = -(-self.size // config.batch_size)
        self.total_steps = self.steps_per_epoch * config.epochs
        self.optimizer: Optimizer = Adam(model.parameters(), lr=config.lr)
        self.schedule: LRScheduler = OneCycleLR(
            self.optimizer, max_lr=config.lr, total_steps=self.total_steps
        )
        self.step = 0
        self.seconds = 0.0
        self._epoch_loss = 0.0
        self._identity = {"data": data.fingerprint(), "train": _identity(config)}

    @property
    def epoch(self) -> int:
        """Number of the epoch that the latest step belongs to, from 1."""
        return max(self.step - 1, 0) // self.steps_per_epoch + 1

    @property
    def epoch_ended(self) -> bool:
        return self.step % self.steps_per_epoch == 0

    def batches(self) -> Iterator[_Batch]:
        """The batches that are still to be trained on; epoch e is shuffled by (seed, e)."""
        while self.step < self.total_steps:
            epoch, position = divmod(self.step, self.steps_per_epoch)
            generator = torch.Generator().manual_seed(_mix(self.config.seed, 1, epoch))
            order = torch.randperm(self.size, generator=generator)
            for index in order.split(self.config.batch_size)[position:]:
                yield _Batch(self.step, index)

    def finish_step(self, terms: dict[str, float], seconds: float) -> None:
        """Count the step, move the schedule, log."""
        loss = sum(terms.values())
        if not torch.tensor(loss).isfinite():
            raise NumericalError(
                f"the loss is {loss} at step {self.step + 1} "
                f"({', '.join(f'{k} {v:.3g}' for k, v in terms.items())}): lower train.lr or "
                "model.gain, or keep train.clip on; the last checkpoint is whole"
            )
        rate = self.optimizer.param_groups[0]["lr"]
        self.step += 1
        if self.step < self.total_steps:
            self.schedule.step()
        self._epoch_loss += loss
        if self.step % self.config.log_every == 0 or self.step == 1:
            self.journal.write(
                kind="step", step=self.step, epoch=self.epoch, loss=loss, **terms, lr=rate,
                seconds=round(seconds, 4),
            )

    def finish_epoch(self, test_accuracy: float, seconds: float) -> None:
        """Log the epoch."""
        self.journal.write(
            kind="epoch", epoch=self.epoch, step=self.step,
            train_loss=self._epoch_loss / self.steps_per_epoch,
            test_accuracy=test_accuracy, seconds=round(seconds, 4),
        )
        self._epoch_loss = 0.0

    def save(self, folder: Path, seconds: float) -> None:
        """Write a checkpoint."""
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        optimizer = self.optimizer.state_dict()
        for index, slots in optimizer["state"].items():
            tensors |= {f"optimizer/{index}/{k}": v for k, v in slots.items()}
        state = {
            "identity": self._identity,
            "groups": optimizer["param_groups"],
            "schedule": self.schedule.state_dict(),
            "epoch_loss": self._epoch_loss,
            "seconds": seconds,
        }
        save_checkpoint(folder, self.step, tensors, state, self.config.keep_checkpoints)

    def restore(self, folder: Path) -> None:
        """Go back to the newest whole checkpoint, if there is one."""
        found = latest_checkpoint(folder)
        if found is None:
            self.journal.clear()
            return
        if found.state["identity"] != self._identity:
            raise CheckpointError(
                f"the checkpoints in {folder} are of a run on other data or with another "
                "training configuration: resume with the same ones, or start in a new folder"
            )
        weights = {k.removeprefix("model/"): v for k, v in found.tensors.items() if "model/" in k}
        self.model.load_state_dict(weights)
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in found.tensors.items():
            if name.startswith("optimizer/"):
                _, index, slot = name.split("/")
                slots.setdefault(int(index), {})[slot] = tensor
        self.optimizer.load_state_dict({"state": slots, "param_groups": found.state["groups"]})
        self.schedule.load_state_dict(found.state["schedule"])
        self.step = found.step
        self._epoch_loss = found.state["epoch_loss"]
        self.seconds = found.state["seconds"]
        self.journal.rewind(self.step)


def _launch(config: TrainConfig) -> Fabric:
    """Fabric on the devices asked for, its processes started."""
    strategy: Any = "auto"
    if config.devices > 1:
        backend = None if config.backend == "auto" else config.backend
        strategy = DDPStrategy(process_group_backend=backend)
    fabric = Fabric(accelerator=config.accelerator, devices=config.devices, strategy=strategy)
    fabric.launch()
    return fabric


def _step(
    fabric: Fabric, rule: Rule, state: _State, data: Dataset, batch: _Batch
) -> dict[str, float]:
    """One optimizer step on this process's part of the batch; the terms over all of it."""
    whole = len(batch.index)
    parts = batch.index.tensor_split(fabric.world_size)
    mine = parts[fabric.global_rank]
    first = sum(len(p) for p in parts[: fabric.global_rank])
    probes = Probes(_mix(state.config.seed, 2, batch.step), first=first, total=whole)
    state.optimizer.zero_grad()
    x, y = fabric.to_device(data.x_train[mine]), fabric.to_device(data.y_train[mine])
    share = len(mine) / whole
    terms = rule.terms(state.model, x, y, probes) if len(mine) else {}
    if terms:
        (torch.stack(list(terms.values())).sum() * share).backward()
    _sum_gradients(fabric, state.model)
    if state.config.clip is not None:
        nn.utils.clip_grad_norm_(state.model.parameters(), state.config.clip)
    state.optimizer.step()
    values = {k: float(v.detach()) * share for k, v in terms.items()}
    if fabric.world_size > 1:
        gathered: list[dict[str, float]] = [{} for _ in range(fabric.world_size)]
        torch.distributed.all_gather_object(gathered, values)
        values = {k: sum(g.get(k, 0.0) for g in gathered) for k in gathered[0]}
    return values


def _sum_gradients(fabric: Fabric, model: nn.Module) -> None:
    """Add the gradients of all processes, in one message of real numbers."""
    if fabric.world_size == 1:
        return
    parameters = [p for p in model.parameters() if p.requires_grad]
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    real = [_real_view(p.grad) for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in real])
    torch.distributed.all_reduce(flat)
    for gradient, total in zip(real, flat.split([g.numel() for g in real]), strict=True):
        gradient.copy_(total.view_as(gradient))


def _broadcast(fabric: Fabric, model: nn.Module) -> None:
    """Give every process the parameters and buffers of the first."""
    if fabric.world_size > 1:
        for tensor in model.state_dict().values():
            torch.distributed.broadcast(_real_view(tensor), src=0)


def _real_view(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor


def _identity(config: TrainConfig) -> dict[str, Any]:
    """The part of the configuration that the trajectory depends on."""
    free = {"checkpoint_every", "keep_checkpoints", "log_every", "accelerator", "devices"}
    return config.model_dump(mode="json", exclude={*free, "backend"})


def _mix(seed: int, stream: int, counter: int) -> int:
    """A seed for one purpose and one moment, far from its neighbors' (splitmix64)."""
    value = (seed * 0x9E3779B97F4A7C15 + stream * 0xBF58476D1CE4E5B9 + counter) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = ((value ^ (value >> shift)) * factor) % 2**64
    return (value ^ (value >> 31)) % 2**63


def _bar(shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        disable=not shown,
    )
