"""Do perturbations made for one network fool another: source against target, with a control."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from holonet._arguments import checked
from holonet._types import GivenLabels, GivenPoints, IntTensor, Labels, Points, RealTensor
from holonet.attacks import Alarm, AlarmKind, ThreatModel, pgd
from holonet.attacks.objectives import Model, input_gradient, logits_of, loss_named, require_labels
from holonet.attacks.worst_case import Attack
from holonet.calculus import Probes
from holonet.calculus.examples import per_example
from holonet.errors import ConfigError, DataError
from holonet.nn.modes import evaluating
from holonet.statistics import wilson_interval

__all__ = ["Rate", "TransferMatrix", "transfer_matrix"]


@dataclass(frozen=True)
class Rate:
    """A proportion with its Wilson interval at 95%; both are None where there are no trials."""

    successes: int
    trials: int

    @property
    def value(self) -> float | None:
        """The proportion."""
        return self.successes / self.trials if self.trials else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's interval of it."""
        return wilson_interval(self.successes, self.trials).ends if self.trials else None

    def to_json(self) -> dict[str, Any]:
        """Counts, proportion and interval."""
        return {**asdict(self), "value": self.value, "interval": self.interval}


@dataclass(frozen=True)
class TransferMatrix:
    """Rates at which examples made for a source fool a target: a row a source, a column a target.

    Args:
        names: of the models, in the order of rows and columns.
        threat: the set.
        examples: how many points all models classify correctly; the rest is left out.
        fooled: the target is fooled, of all these points; on the diagonal, the attack itself.
        fooled_if_source: the target is fooled, of the points where the source is.
        same_mistake: both give the same wrong class, of the points where both are fooled.
        control: for each target, fooled by random signs of the same norm.
        cosine: mean over points of the cosine between the two loss gradients.
        searched_in: for each source, where its attack searched, if not in the threat set itself.
        alarms: a target that is fooled more often by another's points than by its own.
    """

    names: tuple[str, ...]
    threat: ThreatModel
    examples: int
    fooled: tuple[tuple[Rate, ...], ...]
    fooled_if_source: tuple[tuple[Rate, ...], ...]
    same_mistake: tuple[tuple[Rate, ...], ...]
    control: tuple[Rate, ...]
    cosine: tuple[tuple[float, ...], ...]
    searched_in: tuple[str, ...]
    alarms: tuple[Alarm, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything, with intervals."""
        rates = ("fooled", "fooled_if_source", "same_mistake")
        return {
            "names": list(self.names),
            "threat": asdict(self.threat),
            "examples": self.examples,
            **{k: [[r.to_json() for r in row] for row in getattr(self, k)] for k in rates},
            "control": [rate.to_json() for rate in self.control],
            "cosine": [list(row) for row in self.cosine],
            "searched_in": list(self.searched_in),
            "alarms": [{**asdict(a), "kind": a.kind.value, "text": str(a)} for a in self.alarms],
        }


@checked
def transfer_matrix(
    models: Mapping[str, Model],
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    *,
    attack: Attack = pgd,
    seed: int = 0,
    batch_size: int = 500,
    on_batch: Callable[[], None] | None = None,
) -> TransferMatrix:
    """Attack each model and show what it yields to every model.

    Only points that all models classify correctly count, so that every rate is about the same
    points. The control is noise of random signs (phases for complex data) with the norm that the
    attack may use: a rate that does not stand out from it is no transfer. Give several seeds of
    one architecture different names, to see what transfers within an architecture.

    Args:
        models: name -> real inputs to real logits.
        x, y: examples and labels.
        threat: the set.
        attack: makes the points; PGD on the margin with 40 steps unless given.
        seed: of the attack and the noise.
        batch_size: examples at once.
        on_batch: called after each batch of each source.

    Law: a model against itself transfers as its white-box attack succeeds, with cosine 1 where
        its gradient is not 0; the cosines are symmetric.

    Raises:
        DataError: no point is classified correctly by all models.
        ConfigError: no models, or batch_size below 1.

    References:
        Szegedy et al. (2014); Demontis et al. (2019) for the cosine of gradients.
    """
    require_labels(y, len(x))
    if not models or batch_size < 1:
        raise ConfigError(
            f"transfer_matrix of {len(models)} models with batch_size={batch_size}: at least 1 each"
        )
    x = x.detach()
    rows = torch.arange(len(y), device=y.device).split(batch_size)
    right = [torch.cat([_classes(f, x[r], y[r]) for r in rows]) == y for f in models.values()]
    common = torch.stack(right).all(0)
    if not common.any():
        raise DataError(
            f"no point is classified correctly by all of {', '.join(models)}: compare models that "
            "are trained on these data, or give more examples"
        )
    batches = [
        _batch(models, part_x, part_y, threat, attack, seed, on_batch)
        for part_x, part_y in zip(
            x[common].split(batch_size), y[common].split(batch_size), strict=True
        )
    ]
    *tables, places = zip(*batches, strict=True)
    given, noise, cosines = (torch.cat(parts, -1) for parts in tables)
    searched = tuple(
        " and ".join(sorted({*of_source} - {""})) for of_source in zip(*places, strict=True)
    )
    return _counted(
        tuple(models), y[common].to(given.device), threat, given, noise, cosines, searched
    )


def _batch(
    models: Mapping[str, Model],
    x: Points,
    y: Labels,
    threat: ThreatModel,
    attack: Attack,
    seed: int,
    on_batch: Callable[[], None] | None,
) -> tuple[IntTensor, IntTensor, RealTensor, list[str]]:
    """Classes (source, target, example), under noise (target, example); cosines; places."""
    given, places = [], []
    for source in models.values():
        result = attack(source, x, y, threat, seed=seed)
        points = result.x_adv
        places.append(result.searched_in)
        given.append(torch.stack([_classes(target, points, y) for target in models.values()]))
        if on_batch is not None:
            on_batch()
    noisy = _equal_norm_noise(x, threat, seed)
    noise = torch.stack([_classes(target, noisy, y) for target in models.values()])
    gradients = torch.stack([_direction(model, x, y) for model in models.values()])
    cosines = torch.einsum("sbi,tbi->stb", gradients, gradients)
    return torch.stack(given), noise, cosines, places


def _counted(
    names: tuple[str, ...],
    y: IntTensor,
    threat: ThreatModel,
    given: IntTensor,
    noise: IntTensor,
    cosines: RealTensor,
    searched_in: tuple[str, ...],
) -> TransferMatrix:
    fooled = given != y
    number = len(names)
    own = torch.stack([fooled[s, s] for s in range(number)])
    mistakes = torch.stack([given[s, s] for s in range(number)])
    both = fooled & own[:, None]
    same = both & (given == mistakes[:, None])
    rates = _table(fooled, torch.ones_like(fooled))
    return TransferMatrix(
        names=names,
        threat=threat,
        examples=len(y),
        fooled=rates,
        fooled_if_source=_table(both, own[:, None].expand_as(both)),
        same_mistake=_table(same, both),
        control=tuple(Rate(int(row.sum()), len(y)) for row in noise != y),
        cosine=tuple(map(tuple, cosines.mean(-1).tolist())),
        searched_in=searched_in,
        alarms=_masked(names, rates),
    )


def _table(successes: Tensor, trials: Tensor) -> tuple[tuple[Rate, ...], ...]:
    """Counts over the last axis."""
    pairs = zip(successes.sum(-1).tolist(), trials.sum(-1).tolist(), strict=True)
    return tuple(tuple(Rate(int(a), int(b)) for a, b in zip(*row, strict=True)) for row in pairs)


def _masked(names: Sequence[str], fooled: Sequence[Sequence[Rate]]) -> tuple[Alarm, ...]:
    """An alarm for each target whose own attack does worse than one made for another model."""
    alarms = []
    for t, target in enumerate(names):
        best = max(range(len(names)), key=lambda s: fooled[s][t].successes)
        excess = fooled[best][t].successes - fooled[t][t].successes
        if excess > 0:
            advice = (
                f"{target!r} falls more often to points made for {names[best]!r} than to its own "
                "attack: its gradients are masked, attack it harder before believing it"
            )
            alarms.append(Alarm(AlarmKind.BLACK_BOX_WINS, excess, fooled[t][t].trials, advice))
    return tuple(alarms)


def _classes(model: Model, x: Points, y: Labels) -> Labels:
    """What the model answers; -1 where a logit is NaN."""
    with evaluating(model), torch.no_grad():
        logits = logits_of(model, x, y)
    return logits.argmax(1).masked_fill(logits.isnan().any(1), -1)


def _direction(model: Model, x: Points, y: Labels) -> RealTensor:
    """The gradient of the margin loss at length 1, complex entries as pairs of real ones."""
    with evaluating(model), torch.enable_grad():
        point = x.clone().requires_grad_()
        gradient, _ = input_gradient(loss_named("margin", logits_of(model, point, y), y), point)
    flat = torch.view_as_real(gradient) if gradient.is_complex() else gradient
    return torch.nn.functional.normalize(flat.flatten(1).double(), dim=1)


def _equal_norm_noise(x: Points, threat: ThreatModel, seed: int) -> Points:
    """The examples moved by eps in the threat's norm along random signs, inside the box."""
    signs = Probes(seed).like(x)
    length = per_example(threat.distance(x + signs, x), x)
    return threat.project(x + signs * (threat.eps / length), x)
