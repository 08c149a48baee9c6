"""Peak tensor memory of a training step, from torch's profiler."""

import bisect
import itertools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from torch.profiler import ProfilerActivity, profile, record_function

__all__ = ["Peak", "Work", "peak"]

DIFFERENTIATE, UPDATE = "holonet: differentiate", "holonet: update"


@dataclass(frozen=True)
class Work:
    """A training step in its two halves.

    Args:
        differentiate: computes the loss and leaves gradients behind.
        update: uses them.
    """

    differentiate: Callable[[], object]
    update: Callable[[], object]


@dataclass(frozen=True)
class Peak:
    """Peak bytes of tensors during a step.

    Args:
        whole: of everything made since `build` was called: parameters, gradients, the
            optimizer's state, data, activations.
        activations: of what `differentiate` allocates and frees: activations, directions, an
            attack's iterates, but neither parameters nor gradients.
    """

    whole: int
    activations: int


def peak(build: Callable[[], Work]) -> Peak:
    """The peak of a step's second run; the first run makes the optimizer's state.

    It counts the blocks of torch's allocator on the CPU. Memory that a library allocates for itself
    is not counted. Building is recorded too: the profiler misses the end of a block whose
    beginning it has missed.

    Law: the same at every call, whatever the load on the machine.

    Example:
        >>> import torch
        >>> def build():
        ...     weights = torch.empty(1000, dtype=torch.uint8)
        ...     return Work(lambda: torch.empty(300, dtype=torch.uint8), weights.zero_)
        >>> peak(build)
        Peak(whole=1300, activations=300)
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True, acc_events=True) as log:
        work = build()
        for _ in range(2):
            with record_function(DIFFERENTIATE):
                work.differentiate()
            with record_function(UPDATE):
                work.update()
    events = _trace(log)
    began, between = _last(events, DIFFERENTIATE)
    _, ended = _last(events, UPDATE)
    blocks = sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"])
    sizes = [block["args"]["Bytes"] for block in blocks]
    first, middle, last = (
        bisect.bisect(blocks, moment, key=lambda e: e["ts"]) for moment in (began, between, ended)
    )
    held = list(itertools.accumulate(sizes, initial=0))  # held[k]: when k of them have happened
    return Peak(max(held[first : last + 1]), _passing(blocks[first:middle]))


def _passing(blocks: list[dict[str, Any]]) -> int:
    """The most bytes at once of the blocks that are both taken and given back among these."""
    taken: dict[int, int] = {}
    short: set[int] = set()
    for k, block in enumerate(blocks):
        address, size = block["args"]["Addr"], block["args"]["Bytes"]
        if size > 0:
            taken[address] = k
        elif address in taken:
            short |= {taken.pop(address), k}
    return max(itertools.accumulate((blocks[k]["args"]["Bytes"] for k in sorted(short)), initial=0))


def _trace(log: profile) -> list[dict[str, Any]]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        log.export_chrome_trace(str(path))
        return json.loads(path.read_text())["traceEvents"]


def _last(events: list[dict[str, Any]], name: str) -> tuple[float, float]:
    """When what has that name ran last: its beginning and its end."""
    ran = max((e for e in events if e["name"] == name), key=lambda e: e["ts"])
    return ran["ts"], ran["ts"] + ran["dur"]
