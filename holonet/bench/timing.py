"""Times of several contenders in turn, so that load on the machine affects all alike."""

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from holonet.errors import ConfigError

__all__ = ["Timing", "interleave", "ratio"]

SHORTEST = 2e-3  # seconds that a sample should take, in repetitions


@dataclass(frozen=True)
class Timing:
    """Seconds of one call, a sample from each round."""

    samples: tuple[float, ...]

    @property
    def quartiles(self) -> tuple[float, float, float]:
        """The lower quartile, the median, the upper quartile."""
        low, middle, high = np.quantile(self.samples, (0.25, 0.5, 0.75)).tolist()
        return low, middle, high


def ratio(slow: Timing, fast: Timing) -> Timing:
    """The time of one over that of the other, round by round."""
    return Timing(tuple(a / b for a, b in zip(slow.samples, fast.samples, strict=True)))


def interleave(
    contenders: Mapping[str, Callable[[], object]],
    *,
    rounds: int = 15,
    warmup: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Every contender once a round, in a new order each round; the first rounds do not count.

    A sample is the mean over as many calls as take about 2 ms.

    Args:
        contenders: what is timed, by name.
        rounds: samples of each.
        warmup: rounds before the first sample, in which things are compiled and caches fill.
        clock: seconds; `time.process_time` counts processor time instead.

    Raises:
        ConfigError: rounds below 1.
    """
    if rounds < 1 or warmup < 0:
        raise ConfigError(f"rounds={rounds}, warmup={warmup}: at least 1 and 0")
    calls = dict.fromkeys(contenders, 1)
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(warmup + rounds):
        for name in random.Random(number).sample(list(contenders), len(contenders)):
            run = contenders[name]
            began = clock()
            for _ in range(calls[name]):
                run()
            seconds = (clock() - began) / calls[name]
            if number >= warmup:
                samples[name].append(seconds)
            elif seconds < SHORTEST:
                calls[name] = math.ceil(SHORTEST / max(seconds, 1e-9))
    return {name: Timing(tuple(values)) for name, values in samples.items()}
