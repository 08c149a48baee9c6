"""The time of a training step of several networks and rules, in turn."""

import statistics
import time
from collections.abc import Callable, Sequence

from torch import nn

from holonet._arguments import checked
from holonet.training.config import TrainConfig
from holonet.training.journal import Journal
from holonet.training.parallel import launch
from holonet.training.rules import Rule
from holonet.training.sources import GivenData, source_of
from holonet.training.state import RunState
from holonet.training.step import take_step

__all__ = ["step_times"]

PHASES = 8  # of a training: schedules change what a step does
ROUNDS = 3 * PHASES


@checked
def step_times(
    trainings: Sequence[tuple[nn.Module, Rule]],
    data: GivenData,
    config: TrainConfig,
    on_progress: Callable[[float], None] | None = None,
) -> list[float]:
    """Seconds of a training step of each, as `fit` takes it.

    Each takes one step before any takes the next: other work on the machine, which comes and goes,
    slows all alike, and ratios of these times stay what they are. The median in each eighth of a
    training is taken, and the mean of these.

    Args:
        trainings: models, which are trained by these steps, and their rules.
        data: as `fit` takes it; each step is of the same batch.
        config: of all.
        on_progress: called with the share that is done, after each has taken one step more.

    Raises:
        As `fit`.
    """
    processes, states = launch(config), []
    for model, rule in trainings:
        source = source_of(data, model, config, repeatable=False)
        state = RunState(model.to(processes.device), rule, source, config, Journal(None))
        model.train()
        states.append((state, rule, source.examples(config.batch_size)))
    seconds: list[list[float]] = [[] for _ in states]
    for number in range(-1, ROUNDS):  # the first round warms up
        for (state, rule, batch), own in zip(states, seconds, strict=True):
            now = rule.at((number % PHASES + 0.5) / PHASES)
            began = time.perf_counter()
            take_step(processes, now, state, batch)
            own.append(time.perf_counter() - began)
        if on_progress is not None:
            on_progress((number + 2) / (ROUNDS + 1))
    return [
        statistics.fmean(statistics.median(own[1 + k :: PHASES]) for k in range(PHASES))
        for own in seconds
    ]
