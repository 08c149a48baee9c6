"""Critical points of networks, in their inputs and in their weights."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from scipy.optimize import minimize
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.functional import cross_entropy

from holonet.data import Dataset
from holonet.nn import to_precision
from holonet.papers.dube2018.hessians import (
    Function,
    extreme_eigenvalues,
    find_critical_point,
    gradient_and_hessian,
)
from holonet.papers.dube2018.images import resampled
from holonet.papers.dube2018.settings import Settings, build_network, train_network
from holonet.studies.results import Result

__all__ = ["INPUT_FAMILIES", "WEIGHT_FAMILIES", "run_inputs", "run_weights", "weight_loss"]

INPUT_FAMILIES = ("real-square", "real-sin", "complex-square")
WEIGHT_FAMILIES = ("real-tanh", "real-square", "complex-square")

SIDES = (2, 4, 16)  # of the images whose pixels are the inputs
LARGEST_EXACT = 4  # the side up to which whole Hessians are computed; Lanczos beyond
HIDDEN = (12, 12)
UNITS = 2  # hidden, of the classifier whose weights are looked at
DECAY = 1e-2  # (DECAY / 2) |weights|^2 is added to the loss: its critical points are isolated


def run_inputs(
    settings: Settings, data: Dataset, folder: Path, on_progress: Callable[[float], None]
) -> Result:
    """Critical points of logit differences of random and trained networks, on R^n and on C^n.

    Each start is a test image plus noise and has a pair of classes of its own, so that no point is
    counted twice. On the largest images the Hessian's extreme eigenvalues at a test image.
    """
    family, seed, size = settings.family, settings.seed, settings.size
    generator = torch.Generator().manual_seed(seed)
    searches, spectra = [], []
    classes = list(itertools.combinations(range(data.num_classes), 2))[: size.starts]
    networks = list(itertools.product(SIDES, ("random", "trained")))
    for number, (side, state) in enumerate(networks):
        images = resampled(data, side)
        shape = images.feature_shape
        model = (
            build_network(family, shape, data.num_classes, HIDDEN, seed)
            if state == "random"
            else train_network(family, images, HIDDEN, size.epochs, seed, folder / f"side-{side}")
        )
        if state == "random":
            _randomize_biases(model, generator)
        model = to_precision(model, torch.complex128)
        for space in ("R^n", "C^n"):
            points = images.x_test[: len(classes)].flatten(1).double()
            if space == "C^n":
                points = torch.stack([points, torch.zeros_like(points)], -1).flatten(1)
            shared = {"state": state, "space": space, "dimension": points.shape[1]}
            if side > LARGEST_EXACT:
                u = _logit_difference(model, (0, 1), shape, space)
                low, high = extreme_eigenvalues(u, points[0])
                spectra.append({**shared, "low": low, "high": high})
                continue
            noise = 0.5 * torch.randn(points.shape, generator=generator, dtype=points.dtype)
            found = [
                find_critical_point(_logit_difference(model, pair, shape, space), start)
                for pair, start in zip(classes, points + noise, strict=False)
            ]
            eigenvalues = [point[1] for point in found if point is not None]
            indices = [int((e < 0).sum()) for e in eigenvalues]
            searches.append({**shared, "starts": len(found), "indices": indices})
        on_progress((number + 1) / len(networks))
    shared = {"part": "inputs", "family": family, "seed": seed}
    return {**shared, "searches": searches, "spectra": spectra}


def _logit_difference(model: nn.Module, pair: tuple[int, int], shape: Any, space: str) -> Function:
    """One logit minus another: on R^n, or on C^n given as R^2n, pairs (Re z, Im z)."""

    def u(x: Tensor) -> Tensor:
        points = torch.view_as_complex(x.unflatten(1, (-1, 2))) if space == "C^n" else x
        logits = model(points.reshape(len(x), *shape))
        return logits[:, pair[0]] - logits[:, pair[1]]

    return u


@torch.no_grad()
def _randomize_biases(model: nn.Module, generator: torch.Generator) -> None:
    """Normal biases: with none 0 is a degenerate critical point of a polynomial network."""
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            p.copy_(0.5 * torch.randn(p.shape, generator=generator, dtype=p.dtype))


def run_weights(settings: Settings, data: Dataset, on_progress: Callable[[float], None]) -> Result:
    """Critical points of the loss of a small classifier in its weights.

    Half of the starts are random, half near a minimum that descent (L-BFGS) found from there.
    Points of one loss are one point, as hidden units change places and signs.
    """
    family, seed, starts = settings.family, settings.seed, 2 * settings.size.starts
    loss, dimension = weight_loss(family, data, seed)
    # with z^2 and complex weights, exp(it) w into a unit and exp(-2it) v out of it do as w and v
    symmetries = UNITS if family == "complex-square" else 0
    generator = torch.Generator().manual_seed(seed)

    def value_and_gradient(theta: Any) -> tuple[float, Any]:
        point = torch.from_numpy(theta)
        gradient, _ = gradient_and_hessian(loss, point, point[None])
        return float(loss(point[None])), gradient.numpy()

    points: list[Result] = []
    for number in range(starts):
        start = 0.7 * torch.randn(dimension, generator=generator, dtype=torch.float64)
        origin = ("random", "near a minimum")[number % 2]
        if origin != "random":
            end = minimize(value_and_gradient, start.numpy(), jac=True, method="L-BFGS-B").x
            start = torch.from_numpy(end) + 0.1 * start
        found = find_critical_point(loss, start, symmetries=symmetries)
        if found is not None:
            value, index = float(loss(found[0][None])), int((found[1] < 0).sum())
            if all(abs(value - p["loss"]) > 1e-7 for p in points):
                points.append({"origin": origin, "loss": value, "index": index})
        on_progress((number + 1) / starts)
    shared = {"part": "weights", "family": family, "seed": seed, "starts": starts}
    return {**shared, "dimension": dimension - symmetries, "points": points}


def weight_loss(family: str, data: Dataset, seed: int) -> tuple[Function, int]:
    """Cross entropy plus decay, in all real parameters, and their number.

    The data are 60 images of the first three classes, 2 x 2, with mean 0 and deviation 1.
    """
    chosen = data.y_train < 3
    x, y = resampled(data, 2).x_train[chosen][:60].double(), data.y_train[chosen][:60]
    x = (x - x.mean(0)) / x.std()
    model = to_precision(build_network(family, x.shape[1:], 3, (UNITS,), seed), torch.complex128)
    weights = {name: p.detach() for name, p in model.named_parameters()}
    sizes = [p.numel() * (1 + p.is_complex()) for p in weights.values()]

    def loss(theta: Tensor) -> Tensor:
        named = {}
        for (name, p), part in zip(weights.items(), theta.split(sizes, 1), strict=True):
            if p.is_complex():
                part = torch.view_as_complex(part.unflatten(1, (-1, 2)))  # noqa: PLW2901
            named[name] = part.reshape(len(theta), *p.shape)
        logits = vmap(lambda own: functional_call(model, own, (x,)))(named)
        targets = y.expand(len(theta), -1)
        risk = cross_entropy(logits.transpose(1, 2), targets, reduction="none").mean(1)
        return risk + DECAY / 2 * theta.square().sum(1)

    return loss, sum(sizes)
