"""Training on several processes: start them, give them one model, add their gradients."""

from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor, nn

from holonet.errors import ConfigError
from holonet.training.config import TrainConfig

__all__ = ["broadcast", "launch", "sum_gradients", "sum_terms"]


def launch(config: TrainConfig) -> Fabric:
    """Fabric on the devices asked for, its processes started.

    Raises:
        ConfigError: this machine has no such devices.
    """
    asked = f"train.accelerator = {config.accelerator!r}, train.devices = {config.devices}"
    strategy: Any = "auto"
    if config.devices > 1:
        backend = None if config.backend == "auto" else config.backend
        strategy = DDPStrategy(process_group_backend=backend)
    try:
        fabric = Fabric(accelerator=config.accelerator, devices=config.devices, strategy=strategy)
    except (RuntimeError, ValueError, MisconfigurationException) as error:
        raise ConfigError(f"{asked} cannot be had on this machine: {error}") from None
    if config.devices > 1 and config.backend == "nccl" and fabric.device.type != "cuda":
        raise ConfigError(
            f"train.backend = 'nccl' with {asked}: NCCL joins CUDA devices; choose gloo or auto"
        )
    fabric.launch()
    return fabric


def broadcast(fabric: Fabric, model: nn.Module) -> None:
    """Give every process the parameters and buffers of the first."""
    if fabric.world_size > 1:
        for tensor in model.state_dict().values():
            torch.distributed.broadcast(_real_view(tensor), src=0)


def sum_gradients(fabric: Fabric, model: nn.Module) -> None:
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


def sum_terms(fabric: Fabric, terms: dict[str, float]) -> dict[str, float]:
    """Add the terms of all processes; one without examples has none."""
    if fabric.world_size == 1:
        return terms
    gathered: list[dict[str, float]] = [{} for _ in range(fabric.world_size)]
    torch.distributed.all_gather_object(gathered, terms)
    return {k: sum(g.get(k, 0.0) for g in gathered) for k in gathered[0]}


def _real_view(tensor: Tensor) -> Tensor:
    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
