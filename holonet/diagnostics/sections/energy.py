"""How steep the logits are: Dirichlet energy and the spectrum of their Jacobian in the input."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from holonet._subject import Subject
from holonet._types import Points, TensorFunction
from holonet.calculus import gradient
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.diagnostics.prepared import Prepared, Settings
from holonet.regularizers.sampled import unit_directions
from holonet.statistics import Interval, bootstrap_interval

__all__ = ["MEASURES", "energy_section"]

NUMBERS = 2**24  # in the Jacobians that are held at once
MEASURES = {
    "energy": "Dirichlet energy, |J|_F^2 / 2",
    "spectral": "largest singular value of J",
    "frobenius": "Frobenius norm of J",
    "stable_rank": "stable rank of J, |J|_F^2 over the square of the largest singular value",
    "slope_2": "margin's gradient, Euclidean norm",
    "slope_1": "margin's gradient, l_1 norm (the slope under an l_inf attack)",
}
"""What is measured, in words."""


def energy_section(model: Prepared, settings: Settings) -> DiagnosisSection:
    """Medians over the examples with intervals, beside the baseline; J in real coordinates."""
    x = model.x[: settings.examples]
    own = _steepness(model.logits, x, settings)
    beside = None if settings.baseline is None else _steepness(settings.baseline, x, settings)
    lines, numbers = [], {}
    for name, words in MEASURES.items():
        if name not in own:
            continue
        interval = _median(own[name])
        line = f"{words}: {_words(interval)}"
        numbers[name] = {"median": interval.estimate, "interval": list(interval.ends)}
        if beside is not None:
            other = _median(beside[name])
            line += f"; {settings.baseline_name}: {_words(other)}"
            numbers[name] |= {"baseline": other.estimate, "baseline_interval": list(other.ends)}
        lines.append(line)
    numbers |= {"examples": {name: values.tolist() for name, values in own.items()}}
    energy = numbers["energy"]
    verdict = f"the Dirichlet energy is {energy['median']:.3g} in the median"
    advice: tuple[str, ...] = ()
    if beside is not None:
        verdict += f", {energy['median'] / max(energy['baseline'], 1e-300):.3g} times that of the "
        verdict += f"{settings.baseline_name} model"
    if beside is not None and energy["interval"][0] > energy["baseline_interval"][1]:
        advice = (
            "against steep logits: regularizers.DirichletEnergy in the loss, or the rule "
            "training.LinearizedRobustOptimization, which was stronger where both were measured "
            "(docs/results.md)",
        )
    worst = own["frobenius"].argsort(descending=True)[:5].tolist()
    return DiagnosisSection(
        "energy", "measured", verdict, tuple(lines), advice, tuple(worst), numbers
    )


def _steepness(
    logits: TensorFunction, x: Points, settings: Settings
) -> dict[str, Float[Tensor, " examples"]]:
    parts: list[dict[str, Tensor]] = []
    for values, jacobian in _jacobians(logits, x):
        singular = torch.linalg.svdvals(jacobian)
        square = singular.square().sum(1)
        largest = singular[:, 0]
        part = {
            "energy": square / 2,
            "spectral": largest,
            "frobenius": square.sqrt(),
            "stable_rank": square / largest.square().clamp(min=1e-300),
        }
        if values.shape[1] > 1:
            first, second = values.topk(2, dim=1).indices.unbind(1)
            rows = torch.arange(len(values), device=values.device)
            slope = jacobian[rows, first] - jacobian[rows, second]
            part["slope_2"] = torch.linalg.vector_norm(slope, dim=1)
            part["slope_1"] = slope.abs().sum(1)
        parts.append({name: numbers.cpu() for name, numbers in part.items()})
        settings.on_step()
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _jacobians(
    logits: TensorFunction, x: Points
) -> Iterator[tuple[Float[Tensor, "group outputs"], Float[Tensor, "group outputs coordinates"]]]:
    """Values and Jacobians of groups of examples, in double precision and real coordinates."""
    subject = Subject(logits, x, lift=False)
    parameters = () if subject.module is None else subject.module.parameters()
    for parameter in parameters:
        parameter.requires_grad_(False)
    outputs = len(subject.f(subject.z[:1])[0])
    group = max(1, NUMBERS // (outputs * subject.z[0].numel()))
    for part in subject.z.split(group):
        with torch.no_grad():
            values = subject.f(part.clone())
        rows = [gradient(subject.f, part, w) for w in unit_directions(values)]
        rows = [torch.view_as_real(row) if row.is_complex() else row for row in rows]
        yield values, torch.stack([row.flatten(1) for row in rows], 1)


def _median(values: Float[Tensor, " examples"]) -> Interval:
    return bootstrap_interval(lambda rows: np.median(rows[..., 0], -1), values[:, None].numpy())


def _words(interval: Interval) -> str:
    low, high = interval.ends
    return f"median {interval.estimate:.3g} (95% interval {low:.3g} to {high:.3g})"
