"""The untrained twin of a network: the same architecture, its parameters drawn anew."""

from dataclasses import dataclass

import torch
from torch import nn

from holonet._arguments import checked
from holonet.errors import ConfigError, InputTypeError
from holonet.nn.precision import copied

__all__ = ["UntrainedTwin", "untrained_twin"]


@dataclass(frozen=True)
class UntrainedTwin:
    """A network with new parameters.

    Args:
        model: the copy, in the modes of the original.
        kept: paths of parameters that are as in the original, as no layer can draw them.
    """

    model: nn.Module
    kept: tuple[str, ...]


@checked
def untrained_twin(model: nn.Module, *, seed: int = 0) -> UntrainedTwin:
    """A copy of the network in which every layer has drawn its parameters anew.

    Each layer does so by its own `reset_parameters`. Running statistics of torch's batch norms
    start anew as well. What a network is initialized with from outside is not repeated.

    Args:
        model: left as it is.
        seed: of torch's generator on the CPU and of the network's device, put back afterwards.

    Raises:
        ConfigError: no layer has `reset_parameters`, and there are parameters.
        InputTypeError: the model cannot be copied.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> twin = untrained_twin(nn.Sequential(layer))
        >>> twin.kept, torch.equal(twin.model[0].weight, layer.weight)
        ((), False)
    """
    try:
        twin = copied(model)
    except InputTypeError as error:
        raise InputTypeError(
            f"{error}. Or build the untrained twin yourself and give it as baseline="
        ) from error
    drawn: set[int] = set()
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), torch.no_grad():
        torch.manual_seed(seed)
        for module in twin.modules():
            reset = getattr(module, "reset_parameters", None)
            reset = getattr(module, "_reset_parameters", None) if reset is None else reset
            if callable(reset):
                reset()
                drawn |= {id(parameter) for parameter in module.parameters(recurse=False)}
    kept = tuple(path for path, parameter in twin.named_parameters() if id(parameter) not in drawn)
    if kept and not drawn:
        raise ConfigError(
            f"no layer of {type(model).__name__} has reset_parameters, so its untrained twin is "
            "not known: build one and give it as baseline=, or baseline=None for none"
        )
    return UntrainedTwin(twin, kept)
