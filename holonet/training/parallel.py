"""Training on several processes: start them, give them one model, add their gradients."""

from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from holonet._optional import require
from holonet._types import Entries
from holonet.errors import ConfigError
from holonet.training.config import TrainConfig

__all__ = ["Processes", "broadcast", "launch", "real_view", "sum_gradients", "sum_terms"]


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
        """Until all of them are here."""
        if self.world_size > 1:
            torch.distributed.barrier()


def launch(config: TrainConfig) -> Processes:
    """The processes on the devices asked for, started.

    Raises:
        ConfigError: this machine has no such devices.
    """
    asked = f"train.accelerator = {config.accelerator!r}, train.devices = {config.devices}"
    if config.devices > 1:
        return _launch_several(config, asked)
    kind = config.accelerator
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"{asked} cannot be had on this machine: torch finds no CUDA device")
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "cpu"
    return Processes(torch.device(kind, 0) if kind == "cuda" else torch.device(kind))


def _launch_several(config: TrainConfig, asked: str) -> Processes:
    """One process a device, by Fabric, which takes a second to import."""
    require("lightning_fabric", "lightning-fabric", "train", "Training on several devices")
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import DDPStrategy
    from lightning_fabric.utilities.exceptions import MisconfigurationException

    backend = None if config.backend == "auto" else config.backend
    strategy = DDPStrategy(process_group_backend=backend)
    try:
        fabric = Fabric(accelerator=config.accelerator, devices=config.devices, strategy=strategy)
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        raise ConfigError(f"{asked} cannot be had on this machine: {error}") from None
    if config.backend == "nccl" and fabric.device.type != "cuda":
        raise ConfigError(
            f"train.backend = 'nccl' with {asked}: NCCL joins CUDA devices; choose gloo or auto"
        )
    fabric.launch()
    return Processes(fabric.device, fabric.world_size, fabric.global_rank)


def broadcast(processes: Processes, model: nn.Module) -> None:
    """Give every process the parameters and buffers of the first."""
    if processes.world_size > 1:
        for tensor in model.state_dict().values():
            torch.distributed.broadcast(real_view(tensor), src=0)


def sum_gradients(processes: Processes, model: nn.Module) -> None:
    """Add the gradients of all processes, in one message of real numbers."""
    if processes.world_size == 1:
        return
    parameters = [p for p in model.parameters() if p.requires_grad]
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    real = [real_view(p.grad) for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in real])
    torch.distributed.all_reduce(flat)
    for gradient, total in zip(real, flat.split([g.numel() for g in real]), strict=True):
        gradient.copy_(total.view_as(gradient))


def sum_terms(processes: Processes, terms: dict[str, float]) -> dict[str, float]:
    """Add the terms of all processes; one without examples has none."""
    if processes.world_size == 1:
        return terms
    gathered: list[dict[str, float]] = [{} for _ in range(processes.world_size)]
    torch.distributed.all_gather_object(gathered, terms)
    return {k: sum(g.get(k, 0.0) for g in gathered) for k in gathered[0]}


def real_view(tensor: Entries) -> Shaped[Tensor, "*view"]:
    """The tensor, a complex one as pairs of real numbers."""
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
