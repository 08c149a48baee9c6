"""The section train: optimizer, length, checkpoints, devices."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from holonet.training.config.section import NonNegative, Positive, PositiveInt, Section, Seed

__all__ = ["TrainConfig"]

ClassWeights = Annotated[tuple[NonNegative, ...], Field(min_length=1, max_length=10**6)]


class TrainConfig(Section):
    """How long, how fast, how often saved. Batches and rates are those of all processes."""

    epochs: PositiveInt = 40
    """Passes over the training set."""
    batch_size: PositiveInt = 64
    """Examples of one step, of all processes together."""
    lr: Positive = 1e-2
    """Learning rate; the peak of the one-cycle schedule."""
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of a gradient; inf for no limit."""
    optimizer: Literal["adam", "sgd"] = "adam"
    """Optimizer."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Of sgd, without dampening; adam has its own."""
    weight_decay: NonNegative = 0.0
    """Factor of the weights that is added to their gradients."""
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    """Schedule of the learning rate."""
    augment: Literal["none", "flip", "shift", "flip-shift"] = "none"
    """What is done to training images at random: mirrored left to right, moved."""
    shift: PositiveInt | None = None
    """Pixels that augment moves an image by, at most; none for an eighth of each side."""
    class_weights: Literal["none", "balanced"] | ClassWeights = "none"
    """Factors of the loss of an example by its class, a number for each class; or balanced, with
    examples / (classes * examples of the class)."""
    validation: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Fraction of each class of the training examples that is held out, to keep the weights of the
    epoch with the least loss of the rule on it; 0 to keep the last weights."""
    patience: PositiveInt | None = None
    """Epochs without a smaller loss on the held-out examples after which training ends; none for
    all epochs."""
    precision: Literal["full", "bf16"] = "full"
    """Products in training steps: in the precision of the network, or in bfloat16 (torch.autocast).
    Weights, gradients and accuracies keep the network's precision."""
    seed: Seed = 0
    """Of weights, order of examples and random directions."""
    checkpoint_every: PositiveInt = 200
    """Steps between checkpoints."""
    keep_checkpoints: PositiveInt = 2
    """Number of checkpoints that are kept, the newest ones."""
    log_every: PositiveInt = 20
    """Steps between records in metrics.jsonl."""
    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """Device; auto is cuda where there is one."""
    devices: PositiveInt = 1
    """Number of devices of a machine, a process each."""
    num_nodes: PositiveInt = 1
    """Number of machines, with as many devices each; torchrun or MASTER_ADDR, MASTER_PORT and
    NODE_RANK say which is which."""
    backend: Literal["auto", "gloo", "nccl"] = "auto"
    """How several processes communicate."""

    def ignored(self) -> dict[str, tuple[str, ...]]:
        """What other optimizers, moved images, held-out examples and several devices have."""
        ignored = {}
        if self.optimizer == "adam":
            ignored["optimizer = 'adam'"] = ("momentum",)
        if "shift" not in self.augment:
            ignored[f"augment = {self.augment!r}"] = ("shift",)
        if self.validation == 0:
            ignored["validation = 0.0"] = ("patience",)
        if self.processes == 1:
            ignored["devices = 1"] = ("backend",)
        return ignored

    @property
    def processes(self) -> int:
        """How many processes train together."""
        return self.devices * self.num_nodes

    @field_validator("clip", mode="before")
    @classmethod
    def _none_is_no_limit(cls, value: object) -> object:
        return math.inf if value is None else value  # TOML has inf and no null

    @field_validator("precision", mode="before")
    @classmethod
    def _half_precision_is_not_offered(cls, value: object) -> object:
        if str(value).lower() in ("16", "fp16", "float16", "half", "16-mixed"):
            raise ValueError(
                "float16 needs a scaled loss (torch.amp.GradScaler), and rules take derivatives of "
                "the loss in the examples, which the scale would spoil: choose bf16, which has the "
                "range of float32"
            )
        return value

    @field_validator("momentum")
    @classmethod
    def _momentum_is_of_sgd(cls, value: float, info: Any) -> float:
        if value and info.data.get("optimizer") == "adam":
            raise ValueError("adam takes none, set optimizer to sgd or leave momentum out")
        return value
