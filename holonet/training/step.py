"""One step of the optimizer."""

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn

from holonet.calculus import Probes
from holonet.errors import NumericalError
from holonet.training.augmentation import augmented
from holonet.training.config import TrainConfig
from holonet.training.parallel import Processes, real_view, sum_terms, summed_gradients
from holonet.training.randomness import drawing, mix_seed
from holonet.training.rules import Rule
from holonet.training.sources import Batch
from holonet.training.state import RunState

__all__ = ["take_step"]


def take_step(processes: Processes, rule: Rule, state: RunState, batch: Batch) -> dict[str, float]:
    """One optimizer step on this process's part of the batch; the terms over all of it.

    Raises:
        NumericalError: a term or the gradient is not finite; the weights are left as they were.
    """
    whole = len(batch[1])
    sizes = [len(part) for part in torch.arange(whole).tensor_split(processes.world_size)]
    first, mine = sum(sizes[: processes.rank]), sizes[processes.rank]
    probes = Probes(mix_seed(state.config.seed, 2, state.step), first=first, total=whole)
    state.optimizer.zero_grad()
    x, y = (t[first : first + mine].to(processes.device) for t in batch)
    share = mine / whole
    seed = mix_seed(state.config.seed, 3 + processes.rank, state.step)
    with drawing(seed, processes.device), torch.enable_grad():
        x = augmented(x, state.config.augment, state.config.shift)
        with _precision(state.config, processes.device):
            terms = rule.terms(state.model, x, y, probes) if mine else {}
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


def _precision(config: TrainConfig, device: torch.device) -> AbstractContextManager[Any]:
    """The context in which a rule is evaluated.

    Without torch's cache of cast weights, which passes with and without gradients would share.
    """
    if config.precision == "full":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16, cache_enabled=False)
