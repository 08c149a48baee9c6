"""Minimum-norm perturbations at several resolutions."""

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from holonet._types import Numbers
from holonet.attacks import ThreatModel
from holonet.data import Dataset
from holonet.diagnostics import minimum_norm_perturbations
from holonet.papers.dube2018.images import (
    EXPONENTS,
    best_linear_distances,
    random_fields,
    resampled,
)
from holonet.papers.dube2018.settings import Settings, build_network, train_network
from holonet.studies.results import Result
from holonet.training import accuracy

__all__ = ["NETWORKS", "mean_norm", "run_best_linear", "run_random", "run_trained"]

NETWORKS = ("real-relu", "real-square", "complex-square")
"""The families whose perturbations are measured."""

LIMIT = 10.0  # of the search at standard normal points


def _distances(model: nn.Module, x: Tensor, y: Tensor, limit: float, steps: int = 20) -> Numbers:
    """Euclidean distances by search, without box; 0 if misclassified, infinite if not found."""
    threat = ThreatModel("L2", limit, None)
    return minimum_norm_perturbations(model, x, y, threat, steps=steps, rounds=11).distance


def mean_norm(distances: Numbers) -> float:
    """The mean over examples that are classified right and were brought across the boundary."""
    return float(distances[(distances > 0) & distances.isfinite()].mean())


def _gain(model: nn.Module, x: Tensor, y: Tensor, limit: float, plain: Numbers) -> float:
    """The fraction by which a search with three times the steps lowers the mean norm."""
    stronger = torch.minimum(plain, _distances(model, x, y, limit, steps=60))
    return 1 - mean_norm(torch.where(plain.isinf(), plain, stronger)) / mean_norm(plain)


def run_random(settings: Settings) -> Result:
    """Random hyperplanes through 0 and random networks, at standard normal points of R^n.

    The hyperplanes have closed forms: |<w, x>| / |w| for w in R^n, and Re <w, x> over |w| in C^n
    where the perturbation is complex as w is. Labels are the networks' own.

    Returns:
        Mean Euclidean norms by condition. "search": the largest relative error of the search for
        the real hyperplane, and what three times the steps gain on each network.
    """
    size, seed = settings.size, settings.seed
    names = ("real hyperplane", "complex hyperplane, C^n", *NETWORKS)
    norms: dict[str, list[float]] = {name: [] for name in names}
    search: dict[str, float] = {}
    for n in size.dimensions:
        generator = torch.Generator().manual_seed(1000 * seed + n)
        x = torch.randn(20 * size.examples, n, generator=generator)
        w = torch.randn(n, generator=generator, dtype=torch.complex64)
        for name, vector in zip(names, (w.real, w), strict=False):
            distances = (x @ w.real).abs() / torch.linalg.vector_norm(vector)
            norms[name].append(float(distances.mean()))
        x = x[: size.examples]
        for family in NETWORKS:
            model = build_network(family, (n,), 2, size.hidden, seed)
            y = model(x).argmax(1)
            distances = _distances(model, x, y, LIMIT)
            norms[family].append(mean_norm(distances))
            if n == min(size.dimensions):
                search[family] = _gain(model, x, y, LIMIT, distances)
        if n == min(size.dimensions):
            linear = nn.Linear(n, 2, bias=False)
            linear.weight = nn.Parameter(torch.stack([w.real, -w.real]))
            exact = (x @ w.real).abs() / torch.linalg.vector_norm(w.real)
            distances = _distances(linear, x, linear(x).argmax(1), LIMIT)
            search["hyperplane"] = float((distances / exact - 1).abs().max())
    shared = {"part": "random", "seed": seed, "n": list(size.dimensions)}
    return {**shared, "norms": norms, "search": search}


def run_trained(
    settings: Settings, data: Dataset, folder: Path, on_progress: Callable[[float], None]
) -> Result:
    """One classifier for each resolution, of resampled images or of fields."""
    size, family, seed, kind = settings.size, settings.family, settings.seed, settings.images
    fields = kind in EXPONENTS
    sides = size.sides if fields else [round(f * data.feature_shape[-1]) for f in size.factors]
    epochs = size.field_epochs if fields else size.epochs
    columns: dict[str, list[float]] = {"n": [], "norms": [], "accuracy": [], "missing": []}
    search = 0.0
    for number, side in enumerate(sides):
        images = (
            random_fields(side, EXPONENTS[kind], seed, size.field_train, 400)
            if fields
            else resampled(data, side)
        )
        model = train_network(family, images, size.hidden, epochs, seed, folder / f"side-{side}")
        x, y = images.x_test[: size.examples], images.y_test[: size.examples]
        limit = 0.5 * math.sqrt(x[0].numel())
        distances = _distances(model, x, y, limit)
        columns["n"].append(x[0].numel())
        columns["norms"].append(mean_norm(distances))
        columns["accuracy"].append(accuracy(model, images.x_test, images.y_test))
        columns["missing"].append(int(distances.isinf().sum()))
        search = search if number else _gain(model, x, y, limit, distances)
        on_progress((number + 1) / len(sides))
    shared = {"part": "trained", "images": kind, "family": family, "seed": seed}
    return {**shared, **columns, "search": {family: search}}


def run_best_linear(settings: Settings) -> Result:
    """The best linear classifier of fields in closed form, on grids up to four times as fine."""
    sides = sorted({factor * side for side in settings.size.sides for factor in (1, 4)})
    norms = {
        name: [mean_norm(best_linear_distances(s, exponent, settings.seed, 200)) for s in sides]
        for name, exponent in EXPONENTS.items()
    }
    n = [side**2 for side in sides]
    return {"part": "best-linear", "seed": settings.seed, "n": n, "norms": norms}
