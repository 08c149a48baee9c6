"""The state of a run: what is drawn from its seed, logged at its steps, and kept in checkpoints."""

import logging
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import ConstantLR, LRScheduler, OneCycleLR

from holonet._provenance import versions
from holonet._types import OwnShape
from holonet.errors import CheckpointError, NumericalError
from holonet.training.checkpoint import (
    Checkpoint,
    latest_checkpoint,
    load_state,
    load_tensors,
    save_checkpoint,
    save_tensors,
)
from holonet.training.config import RunConfig, TrainConfig
from holonet.training.config.section import differences
from holonet.training.identity import identity_of, with_defaults
from holonet.training.journal import Journal
from holonet.training.rules import Rule
from holonet.training.run_folder import LAST
from holonet.training.sources import Batch, Source

__all__ = ["Best", "RunState"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Best:
    """The epoch with the least loss on the held-out examples so far, and its weights."""

    epoch: int
    loss: float
    tensors: Mapping[str, OwnShape]


class RunState:
    """A model in training with all that a checkpoint holds of the run.

    Args:
        model: trained in place.
        rule: only its repr is used, to tell runs apart.
        source: of the batches.
        config: of the training.
        journal: where steps and epochs are logged.
        run: the configuration that all of these were made from, if one was.
    """

    def __init__(
        self,
        model: nn.Module,
        rule: Rule,
        source: Source,
        config: TrainConfig,
        journal: Journal,
        run: RunConfig | None = None,
    ) -> None:
        self.model = model
        self.config = config
        self.journal = journal
        self.source = source
        self.steps_per_epoch = source.steps_per_epoch
        self.total_steps = self.steps_per_epoch * config.epochs
        self.optimizer = _optimizer(model, config)
        self.schedule = _schedule(self.optimizer, config, self.total_steps)
        self.step = 0
        self.seconds = 0.0
        self.best: Best | None = None
        self._epoch_loss = 0.0
        self.identity = identity_of(source, rule, config, run, model)
        is_complex = source.examples(1)[0].is_complex()
        self._examples: dict[str, Any] = {
            "shape": list(source.feature_shape),
            "classes": source.num_classes,
            **({"complex": True} if is_complex else {}),
        }
        self._begun: dict[str, Any] = {"versions": versions()}

    @property
    def epoch(self) -> int:
        """Number of the epoch that the latest step belongs to, from 1."""
        return max(self.step - 1, 0) // self.steps_per_epoch + 1

    @property
    def progress(self) -> float:
        """The fraction of all steps that is done."""
        return self.step / self.total_steps

    @property
    def epoch_ended(self) -> bool:
        """Whether the latest step was the last one of its epoch."""
        return self.step > 0 and self.step % self.steps_per_epoch == 0

    @property
    def stopped(self) -> bool:
        """Whether, with an epoch finished, the held-out loss has not fallen for `patience` ones."""
        patience, best = self.config.patience, 0 if self.best is None else self.best.epoch
        return patience is not None and self.epoch_ended and self.epoch - best >= patience

    def batches(self) -> Iterator[Batch]:
        """Each batch that is still to be trained on, for all processes together."""
        while self.step < self.total_steps and not self.stopped:
            yield from self.source.epoch(*divmod(self.step, self.steps_per_epoch))

    def finish_step(self, terms: dict[str, float], seconds: float) -> None:
        """Count a step and its seconds, move the schedule, log."""
        loss = sum(terms.values())
        rate = self.optimizer.param_groups[0]["lr"]
        self.step += 1
        self.seconds += seconds
        if self.step < self.total_steps:
            self.schedule.step()
        self._epoch_loss += loss
        if self.step % self.config.log_every == 0 or self.step == 1:
            own = {"kind": "step", "step": self.step, "epoch": self.epoch, "loss": loss}
            self.journal.write(
                **own,
                **{k: v for k, v in terms.items() if k not in own},
                lr=rate,
                seconds=round(self.seconds, 4),
            )

    def finish_epoch(
        self, test_accuracy: float, diagnosis: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        """Log the epoch, with what else was measured; its weights are kept if they are the best.

        Args:
            test_accuracy: of the weights.
            diagnosis: more of them by name; `validation_loss` decides which are the best.
        """
        loss = diagnosis.get("validation_loss", math.nan)
        if loss < (math.inf if self.best is None else self.best.loss):
            tensors = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            self.best = Best(self.epoch, loss, tensors)
        self.log_epoch(test_accuracy, self._epoch_loss / self.steps_per_epoch, diagnosis)
        self._epoch_loss = 0.0

    @property
    def epoch_lost(self) -> bool:
        """Whether an epoch ended with the latest step and its record is gone."""
        return self.epoch_ended and self.epoch not in self._recorded_epochs()

    def log_epoch(
        self,
        test_accuracy: float,
        train_loss: float | None,
        diagnosis: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Log the epoch that ended with the latest step; its mean loss is None where it is lost."""
        own = {
            "kind": "epoch",
            "epoch": self.epoch,
            "step": self.step,
            "train_loss": train_loss,
            "test_accuracy": test_accuracy,
        }
        self.journal.write(
            **own,
            **{k: v for k, v in diagnosis.items() if k not in own},
            seconds=round(self.seconds, 4),
        )

    def _recorded_epochs(self) -> set[Any]:
        return {r.get("epoch") for r in self.journal.records if r.get("kind") == "epoch"}

    def save(self, folder: Path) -> None:
        """Write a checkpoint, once all that was logged is on the disk.

        Raises:
            NumericalError: the weights are not finite; nothing is written.
        """
        self.require_finite_weights()
        self.journal.flush_to_disk()
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        state: dict[str, Any] = {}
        if self.best is not None:
            tensors |= {f"best/{k}": v for k, v in self.best.tensors.items()}
            state["best"] = {"epoch": self.best.epoch, "loss": self.best.loss}
        optimizer = self.optimizer.state_dict()
        for index, slots in optimizer["state"].items():
            tensors |= {f"optimizer/{index}/{k}": v for k, v in slots.items()}
        state |= {
            "identity": self.identity,
            "groups": optimizer["param_groups"],
            "schedule": self.schedule.state_dict(),
            "epoch_loss": self._epoch_loss,
            "seconds": self.seconds,
            "journal": self.journal.digest(),
            **self._begun,
        }
        save_checkpoint(folder, self.step, tensors, state, self.config.keep_checkpoints)

    def save_weights(self, path: Path) -> None:
        """Write the weights alone, with what they are of: the best, and the last ones beside them.

        Without held-out examples the last ones are written, and nothing beside them.

        Raises:
            NumericalError: they are not finite; nothing is written.
        """
        self.require_finite_weights()
        self.journal.flush_to_disk()
        about = {"identity": self.identity, "examples": self._examples, **self._begun}
        tensors: Mapping[str, OwnShape] = self.model.state_dict()
        if self.best is not None:
            save_tensors(path.with_name(LAST), tensors, about)
            tensors = self.best.tensors
            about["best"] = {"epoch": self.best.epoch, "loss": self.best.loss, "step": self.step}
        before = path.read_bytes() if os.path.isfile(path) and os.access(path, os.R_OK) else None
        save_tensors(path, tensors, about)
        if before not in (None, path.read_bytes()):
            logger.warning(
                "%s was not what this run ends with: it was altered, or another run's. The "
                "weights of this run stand there now",
                path,
            )

    def restore_finished(self, path: Path) -> bool:
        """Take the weights of the finished run; False if it is not finished.

        Raises:
            CheckpointError: they are damaged or of another run, or metrics.jsonl is damaged.
        """
        if not path.exists():
            return False
        tensors, about = load_tensors(path)
        self._require_same(about.get("identity"), str(path), "is")
        load_state(self.model, tensors, str(path))
        self._begun = _begun(about)
        if kept := about.get("best"):
            self.best = Best(kept["epoch"], kept["loss"], tensors)
            last, about = load_tensors(path.with_name(LAST))
            self._require_same(about.get("identity"), str(path.with_name(LAST)), "is")
            load_state(self.model, last, str(path.with_name(LAST)))
        self._go_to(kept["step"] if kept else self.total_steps)
        self.seconds = max((r.get("seconds") or 0.0 for r in self.journal.records), default=0.0)
        return True

    def restore(self, folder: Path) -> bool:
        """Go back to the newest whole checkpoint; False if there is none.

        Raises:
            CheckpointError: the checkpoints are of another run, all of them are damaged, or they
                are gone although metrics.jsonl tells of later steps.
        """
        saved = latest_checkpoint(folder)
        if saved is None:
            self._require_none_due(folder)
            return False
        self._require_same(saved.state.get("identity"), f"the checkpoints in {folder}", "are")
        source = f"the checkpoint of step {saved.step} in {folder}"
        weights = {
            k.removeprefix("model/"): v for k, v in saved.tensors.items() if k.startswith("model/")
        }
        load_state(self.model, weights, source)
        try:
            self._restore_course(saved)
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError):
            raise CheckpointError(
                f"{source} lacks what training needs to go on: remove it, or start the run again "
                "with overwrite"
            ) from None
        self._begun = _begun(saved.state)
        self._go_to(saved.step)
        logs = self.journal.folder is not None  # further processes keep no records
        if logs and self.journal.digest() != saved.state.get("journal"):
            logger.warning(
                "metrics.jsonl in %s is not what was recorded up to step %d: it is altered, cut "
                "or another run's. The weights are whole, and what is measured now is theirs",
                self.journal.folder,
                saved.step,
            )
            self.journal.forget_epochs_from(saved.step)
        return True

    def course(self) -> dict[str, Any]:
        """Where the run stands, without its weights, for `follow` in another process."""
        optimizer = self.optimizer.state_dict()
        optimizer["state"] = {
            index: {k: v.cpu().clone() if isinstance(v, Tensor) else v for k, v in slots.items()}
            for index, slots in optimizer["state"].items()
        }
        best = self.best
        if best is not None:
            best = replace(best, tensors={k: v.cpu() for k, v in best.tensors.items()})
        return {
            "step": self.step,
            "optimizer": optimizer,
            "schedule": self.schedule.state_dict(),
            "epoch_loss": self._epoch_loss,
            "seconds": self.seconds,
            "best": best,
        }

    def follow(self, course: Mapping[str, Any]) -> None:
        """Go to where another process stands.

        Law: two runs of one identity and with equal weights go on alike after
        `other.follow(run.course())`.
        """
        self.step = course["step"]
        self.optimizer.load_state_dict(course["optimizer"])
        self.schedule.load_state_dict(course["schedule"])
        self._epoch_loss = course["epoch_loss"]
        self.seconds = course["seconds"]
        self.best = course["best"]

    def _restore_course(self, saved: Checkpoint) -> None:
        """The optimizer, the schedule and the sums over the epoch."""
        slots: dict[int, dict[str, Tensor]] = {}
        for name, tensor in saved.tensors.items():
            if name.startswith("optimizer/"):
                _, index, slot = name.split("/")
                slots.setdefault(int(index), {})[slot] = tensor
        self.optimizer.load_state_dict({"state": slots, "param_groups": saved.state["groups"]})
        self.schedule.load_state_dict(saved.state["schedule"])
        if kept := saved.state.get("best"):
            tensors = {
                k.removeprefix("best/"): v
                for k, v in saved.tensors.items()
                if k.startswith("best/")
            }
            self.best = Best(kept["epoch"], kept["loss"], tensors)
        self._epoch_loss = float(saved.state["epoch_loss"])
        self.seconds = float(saved.state["seconds"])
        if saved.step > self.total_steps:
            raise ValueError(saved.step)

    def _go_to(self, step: int) -> None:
        self.step = step
        self.journal.rewind(step)
        missing = set(range(1, step // self.steps_per_epoch + 1)) - self._recorded_epochs()
        if missing and self.journal.folder is not None:
            logger.warning(
                "metrics.jsonl in %s lacks %d of %d epochs: the records are lost, the weights are "
                "not",
                self.journal.folder,
                len(missing),
                step // self.steps_per_epoch,
            )

    def _require_same(self, kept: object, source: str, verb: str) -> None:
        found = differences(with_defaults(kept), self.identity)
        if found:
            raise CheckpointError(
                f"{source} {verb} of a run on other data, under another rule or with another "
                f"configuration (kept and asked: {'; '.join(found)}): resume with the same ones, "
                "or start in a new folder"
            )

    def _require_none_due(self, folder: Path) -> None:
        """Refuse to take lost checkpoints for none yet."""
        due = min(self.config.checkpoint_every, self.steps_per_epoch)
        last = max((r["step"] for r in self.journal.on_disk()), default=0)
        if last > due:
            raise CheckpointError(
                f"{folder} has no checkpoint, although metrics.jsonl tells of step {last} and one "
                f"is kept at step {due}: put the checkpoints back, or start the run again with "
                "overwrite"
            )

    def require_finite_weights(self) -> None:
        """Refuse to go on with weights that are lost.

        Raises:
            NumericalError: with the names of the parameters and buffers.
        """
        lost = [k for k, v in self.model.state_dict().items() if not v.isfinite().all()]
        if lost:
            raise NumericalError(
                f"after step {self.step} there are infinite or NaN entries in {', '.join(lost)}: "
                "lower train.lr; the last checkpoint is whole"
            )


def _begun(state: Mapping[str, Any]) -> dict[str, Any]:
    """The versions that a run was begun with, in what is kept of it."""
    return {"versions": state["versions"]} if "versions" in state else {}


def _optimizer(model: nn.Module, config: TrainConfig) -> Optimizer:
    if config.optimizer == "adam":
        return Adam(model.parameters(), lr=config.lr, weight_decay=config.weight_decay)
    return SGD(
        model.parameters(),
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
    )


def _schedule(optimizer: Optimizer, config: TrainConfig, steps: int) -> LRScheduler:
    """One cycle of the rate, of Adam's momentum too, or the same rate throughout."""
    if config.schedule == "constant":
        return ConstantLR(optimizer, factor=1.0)
    cycle = config.optimizer == "adam"  # the momentum of SGD stays what it was set to
    return OneCycleLR(optimizer, max_lr=config.lr, total_steps=steps, cycle_momentum=cycle)
