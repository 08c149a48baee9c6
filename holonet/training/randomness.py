"""Random numbers without state: each purpose and moment of a run has a seed of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["drawing", "mix_seed"]


def mix_seed(seed: int, stream: int, counter: int) -> int:
    """A seed for one purpose and one moment, far from its neighbors' (splitmix64)."""
    value = (seed * 0x9E3779B97F4A7C15 + stream * 0xBF58476D1CE4E5B9 + counter) % 2**64
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = ((value ^ (value >> shift)) * factor) % 2**64
    return (value ^ (value >> 31)) % 2**63


@contextmanager
def drawing(seed: int, device: torch.device) -> Iterator[None]:
    """Let torch's global streams start from a seed, and put them back at the end."""
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if on_cuda:
            torch.cuda.manual_seed(seed)
        yield
