"""Training on several processes: start them, give them one model, add their gradients."""

import os
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from holonet._optional import require
from holonet._types import Entries
from holonet.errors import ConfigError, ProcessLostError
from holonet.training.config import TrainConfig
from holonet.training.config.section import differences

__all__ = [
    "Processes",
    "broadcast",
    "from_first",
    "is_first_process",
    "launch",
    "real_view",
    "require_equal",
    "sum_terms",
    "summed_gradients",
]

T = TypeVar("T")

MESSAGE = 4 << 20
"""Bytes of gradients that are added at once."""

RANKS = ("RANK", "NODE_RANK", "LOCAL_RANK", "SLURM_PROCID", "JSM_NAMESPACE_RANK")
"""Where launchers of processes write the number of a process."""

RENDEZVOUS = ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK")
"""What a machine has to know to find the others, where no launcher tells it."""


@dataclass(frozen=True)
class Processes:
    """The processes that train together, seen from one of them.

    Args:
        device: of this one.
        world_size: how many there are.
        rank: the number of this one, from 0.
    """

    device: torch.device
    world_size: int = 1
    rank: int = 0

    def wait(self) -> None:
        """Until all of them are here.

        Raises:
            ProcessLostError: one of them is gone.
        """
        if self.world_size > 1:
            with _together():
                torch.distributed.barrier()


def launch(config: TrainConfig) -> Processes:
    """The processes on the devices asked for, started.

    Raises:
        ConfigError: this machine has no such devices; the environment does not say where the other
            machines are, or speaks of another number of processes.
        ProcessLostError: the other processes cannot be reached.
    """
    asked = f"train.accelerator = {config.accelerator!r}, train.devices = {config.devices}"
    if config.processes > 1:
        return _launch_several(config, asked)
    kind = config.accelerator
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"{asked} cannot be had on this machine: torch finds no CUDA device")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    return Processes(torch.device(kind, 0) if kind == "cuda" else torch.device(kind))


def is_first_process(config: TrainConfig) -> bool:
    """Whether this is the first process, which writes; known before the others are met.

    One process is the first, whatever the environment says. Where there are several, the ranks are
    read where Fabric reads them.

    Raises:
        ConfigError: a rank in the environment is no number.
    """
    return config.processes == 1 or not any(_ranks().values())


def _ranks() -> dict[str, int]:
    """The ranks in the environment by the variables that Fabric reads; all 0 for the first."""
    for name in RANKS:  # before Fabric is imported, which reads some of them at once
        rank = os.environ.get(name, "0")
        if not rank.isdecimal():
            raise ConfigError(
                f"{name}={rank!r} in the environment is no number of a process: unset it"
            )
    require("lightning_fabric", "lightning-fabric", "train", "Training on several devices")
    from lightning_fabric.plugins.environments import SLURMEnvironment, TorchElasticEnvironment

    if TorchElasticEnvironment.detect():
        names = ["RANK"]
    elif SLURMEnvironment.detect():
        names = ["SLURM_PROCID"]
    else:
        names = ["NODE_RANK", "LOCAL_RANK"]
    return {name: int(os.environ.get(name, "0")) for name in names}


def _launch_several(config: TrainConfig, asked: str) -> Processes:
    """One process a device, by Fabric, which takes a second to import."""
    _require_rendezvous(config, _ranks())
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    backend = None if config.backend == "auto" else config.backend
    strategy = DDPStrategy(process_group_backend=backend)
    try:
        fabric = Fabric(
            accelerator=config.accelerator,
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=strategy,
        )
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        raise ConfigError(f"{asked} cannot be had on this machine: {error}") from None
    if config.backend == "nccl" and fabric.device.type != "cuda":
        raise ConfigError(
            f"train.backend = 'nccl' with {asked}: NCCL joins CUDA devices; choose gloo or auto"
        )
    with _together():
        fabric.launch()
    if fabric.world_size != config.processes:
        raise ConfigError(
            f"train.devices = {config.devices}, train.num_nodes = {config.num_nodes} are "
            f"{config.processes} processes, and {fabric.world_size} were started: set --devices to "
            "--nproc-per-node of torchrun and --num-nodes to its --nnodes"
        )
    return Processes(fabric.device, fabric.world_size, fabric.global_rank)


def _require_rendezvous(config: TrainConfig, ranks: Mapping[str, int]) -> None:
    """Refuse to wait for machines that nothing leads to."""
    if config.num_nodes == 1 or "NODE_RANK" not in ranks:  # a launcher says where they are
        return
    missing = [name for name in RENDEZVOUS if not os.environ.get(name)]
    asked = f"train.num_nodes = {config.num_nodes}"
    if missing:
        raise ConfigError(
            f"{asked} without {', '.join(missing)} in the environment: start the command on each "
            "machine with torchrun --nnodes, or set MASTER_ADDR and MASTER_PORT to a free port of "
            "the first machine, and NODE_RANK to 0 on it, to 1 on the next"
        )
    if ranks["NODE_RANK"] >= config.num_nodes:
        raise ConfigError(
            f"{asked} with NODE_RANK={ranks['NODE_RANK']}: machines are numbered from 0 to "
            f"{config.num_nodes - 1}"
        )


@contextmanager
def _together() -> Iterator[None]:
    """What several processes do together: say in words that one of them is gone."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ProcessLostError(
            f"another process of this training is gone or cannot be reached ({reason}): what it "
            "says itself is the cause; start all of them again, with --resume to go on from the "
            "last checkpoint"
        ) from error


def require_equal(processes: Processes, identity: Mapping[str, Any]) -> None:
    """Refuse to train together what is not the same training.

    Raises:
        ConfigError: on every process, where the identity of one differs from that of the first.
        ProcessLostError: one of them is gone.
    """
    if processes.world_size == 1:
        return
    identities: list[Mapping[str, Any]] = [{}] * processes.world_size
    with _together():
        torch.distributed.all_gather_object(identities, identity)
    for rank, other in enumerate(identities):
        if found := differences(identities[0], other):
            raise ConfigError(
                f"process {rank} of {processes.world_size} trains on other data or by other "
                f"settings than the first one ({'; '.join(found)}): give all machines the same "
                "files and options"
            )


def from_first(processes: Processes, thing: T) -> T:
    """What the first process has, on all of them.

    Raises:
        ProcessLostError: one of them is gone.
    """
    if processes.world_size == 1:
        return thing
    message = [thing]
    with _together():
        torch.distributed.broadcast_object_list(message, src=0)
    return message[0]


def broadcast(processes: Processes, model: nn.Module) -> None:
    """Give every process the parameters and buffers of the first.

    Raises:
        ProcessLostError: one of them is gone.
    """
    if processes.world_size > 1:
        with _together():
            for tensor in model.state_dict().values():
                torch.distributed.broadcast(real_view(tensor), src=0)


@contextmanager
def summed_gradients(
    processes: Processes, model: nn.Module, message: int = MESSAGE
) -> Iterator[None]:
    """Add the gradients of all processes; inside, one backward pass fills them.

    Gradients travel as real numbers, in messages that leave as soon as the backward pass has filled
    them, the last layer's first. Nothing is wrapped around the model, so that rules may
    differentiate it in both modes, and call it as often as they like.

    Args:
        processes: that train.
        model: its gradients are None on entry. A process without examples makes no backward pass.
        message: bytes of gradients that are added at once; the same on all processes.

    Law: every gradient is the sum over the processes, whatever the size of the messages.

    Raises:
        ProcessLostError: one of them is gone.
    """
    if processes.world_size == 1:
        yield
        return
    waiting = deque(_messages(model, message))
    sent = []
    filled: set[nn.Parameter] = set()

    def send() -> None:
        gradients = []
        for p in waiting.popleft():  # torch may leave a gradient lazily conjugated
            p.grad = torch.zeros_like(p) if p.grad is None else p.grad.resolve_conj()
            gradients.append(real_view(p.grad))
        flat = torch.cat([g.flatten() for g in gradients])
        with _together():
            sent.append((gradients, flat, torch.distributed.all_reduce(flat, async_op=True)))

    def fill(parameter: nn.Parameter) -> None:
        filled.add(parameter)
        while waiting and filled.issuperset(waiting[0]):  # in one order on all processes
            send()

    hooks = [
        p.register_post_accumulate_grad_hook(fill) for parameters in waiting for p in parameters
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
    while waiting:
        send()
    for gradients, flat, work in sent:
        with _together():
            work.wait()
        for gradient, total in zip(
            gradients, flat.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(total.view_as(gradient))


def _messages(model: nn.Module, size: int) -> Iterator[list[nn.Parameter]]:
    """The parameters in the order in which a backward pass fills them, split by bytes."""
    message: list[nn.Parameter] = []
    count = 0
    for p in reversed(list(model.parameters())):
        if not p.requires_grad:
            continue
        message.append(p)
        count += p.numel() * p.element_size()
        if count >= size:
            yield message
            message, count = [], 0
    if message:
        yield message


def sum_terms(processes: Processes, terms: dict[str, float]) -> dict[str, float]:
    """Add the terms of all processes; one without examples has none.

    Raises:
        ProcessLostError: one of them is gone.
    """
    if processes.world_size == 1:
        return terms
    gathered: list[dict[str, float]] = [{} for _ in range(processes.world_size)]
    with _together():
        torch.distributed.all_gather_object(gathered, terms)
    return {k: sum(g.get(k, 0.0) for g in gathered) for k in gathered[0]}


def real_view(tensor: Entries) -> Shaped[Tensor, "*view"]:
    """The tensor, a complex one as pairs of real numbers."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
