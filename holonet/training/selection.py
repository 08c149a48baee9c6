"""The weight of a rule, chosen by a procedure and never by looking at the test set."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.progress import MofNCompleteColumn
from torch import nn

from holonet._arguments import checked
from holonet._progress import progress_bar
from holonet.attacks.gradient import pgd
from holonet.data import Dataset
from holonet.data.dataset import stratified_split
from holonet.errors import ConfigError, NumericalError
from holonet.threats import ThreatModel
from holonet.training.config import TrainConfig
from holonet.training.loop import accuracy, fit
from holonet.training.rules import Rule

__all__ = ["Trial", "WeightChoice", "choose_weight", "most_robust"]

GRID = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True)
class Trial:
    """What a short run with one weight reached on the held-out part.

    Args:
        weight: that was tried.
        clean, robust: accuracy there, without and under attack.
        failure: why the run broke off, "" if it did not; its accuracies count as 0.
    """

    weight: float
    clean: float
    robust: float
    failure: str = ""


@dataclass(frozen=True)
class WeightChoice:
    """The weight that was chosen, and all that were tried, by increasing weight."""

    chosen: Trial
    trials: tuple[Trial, ...]

    @property
    def weight(self) -> float:
        """The chosen one."""
        return self.chosen.weight

    @property
    def at_edge(self) -> bool:
        """Whether it is the least or the largest that was tried: then try beyond it."""
        return len(self.trials) > 1 and self.chosen in (self.trials[0], self.trials[-1])


Criterion = Callable[[Sequence[Trial]], Trial]


def most_robust(trials: Sequence[Trial], *, tolerance: float = 0.02) -> Trial:
    """The best accuracy under attack among those whose clean accuracy is near the best.

    Of equal ones the cleaner, then the one of less weight.

    Args:
        trials: at least one.
        tolerance: how far clean accuracy may lie below the best clean accuracy of all.

    Law: the choice does not depend on the order of the trials.

    Example:
        >>> tried = [Trial(0.1, 0.97, 0.5), Trial(0.3, 0.96, 0.7), Trial(1.0, 0.90, 0.8)]
        >>> most_robust(tried).weight
        0.3
    """
    floor = max(trial.clean for trial in trials) - tolerance
    near = [trial for trial in trials if trial.clean >= floor]
    return max(near, key=lambda trial: (trial.robust, trial.clean, -trial.weight))


@checked
def choose_weight(
    build_model: Callable[[], nn.Module],
    make_rule: Callable[[float], Rule],
    data: Dataset,
    config: TrainConfig | None = None,
    *,
    weights: Sequence[float] = GRID,
    refinements: int = 0,
    threat: ThreatModel | None = None,
    steps: int = 20,
    held_out: float = 0.2,
    examples: int | None = None,
    criterion: Criterion = most_robust,
    progress: bool = False,
) -> WeightChoice:
    """Try weights in short runs on part of the training set, judge them on the rest of it.

    1. The training set, or its first `examples`, is cut in two by class, `held_out` of it to
       judge on. The test set is not looked at.
    2. For each weight a new model is trained on the first part by the rule of that weight.
    3. On the second part its accuracy is measured, and its accuracy under PGD.
    4. The criterion chooses. Each refinement then tries the two geometric means between the
       chosen weight and its neighbors, and chooses again.

    Every run has the seed of the configuration, so the choice is the same every time (one
    process, same machine and thread count). A run that breaks off, as its loss is not finite,
    counts with accuracy 0 and leaves the others alone.

    Args:
        build_model: gives a new model with the same weights each time, such as
            `lambda: ModelConfig().build(64, 10, seed=0)`.
        make_rule: the rule of a weight, such as AnalyticRule.
        data: only its training part is used.
        config: of the short runs.
        weights: positive ones, evenly spaced on a logarithmic scale for choice.
        refinements: how often the grid is halved about the choice, two runs each.
        threat: whose radius counts. Unless given, l_inf of radius 0.1, in the data's box.
        steps: of PGD on the margin.
        held_out: fraction of each class to judge on.
        examples: how much of the training set to use, all unless given.
        criterion: which of the trials to choose, `most_robust` unless given.
        progress: draw a progress bar on stderr.

    Law: deterministic; independent of the test set and of the order of the weights.

    Raises:
        ConfigError: no weights, one that is not positive and finite, or negative refinements.
        DomainError: `held_out` is not strictly between 0 and 1.
    """
    if not weights or not all(0 < weight < math.inf for weight in weights) or refinements < 0:
        raise ConfigError(
            f"choose_weight(weights={tuple(weights)}, refinements={refinements}): give positive "
            "finite weights, at least one, and 0 refinements or more"
        )
    config = TrainConfig() if config is None else config
    parts = _split(data if examples is None else data.subset(train=examples), held_out, config.seed)
    threat = ThreatModel(bounds=data.bounds) if threat is None else threat
    tried: dict[float, Trial] = {}
    with progress_bar(progress, MofNCompleteColumn()) as bar:
        grid = sorted(set(map(float, weights)))
        task = bar.add_task("choosing a weight", total=len(grid) + 2 * refinements)
        for number in range(refinements + 1):
            for weight in grid if number == 0 else _between(criterion, tried):
                tried[weight] = _try(
                    build_model(), make_rule(weight), weight, parts, config, threat, steps
                )
                bar.advance(task)
    trials = tuple(tried[weight] for weight in sorted(tried))
    return WeightChoice(criterion(trials), trials)


def _split(data: Dataset, held_out: float, seed: int) -> Dataset:
    """A data set of the training part alone, the held-out part of it in place of the test set."""
    learn, judge = stratified_split(data.y_train, test_fraction=held_out, seed=seed)
    return replace(
        data,
        x_train=data.x_train[learn],
        y_train=data.y_train[learn],
        x_test=data.x_train[judge],
        y_test=data.y_train[judge],
    )


def _try(
    model: nn.Module,
    rule: Rule,
    weight: float,
    data: Dataset,
    config: TrainConfig,
    threat: ThreatModel,
    steps: int,
) -> Trial:
    """Train with one weight and judge."""
    try:
        fit(model, data, rule, config)
        device = next((p.device for p in model.parameters()), data.x_test.device)
        x, y = data.x_test.to(device), data.y_test.to(device)
        attacked = pgd(model, x, y, threat, steps=steps, seed=config.seed)
    except NumericalError as error:
        return Trial(weight, 0.0, 0.0, str(error))
    return Trial(weight, accuracy(model, x, y), attacked.accuracy)


def _between(criterion: Criterion, tried: dict[float, Trial]) -> list[float]:
    """The geometric means of the chosen weight and its neighbors."""
    weights = sorted(tried)
    at = weights.index(criterion([tried[weight] for weight in weights]).weight)
    neighbors = [weights[k] for k in (at - 1, at + 1) if 0 <= k < len(weights)]
    return [math.sqrt(weights[at] * neighbor) for neighbor in neighbors]
