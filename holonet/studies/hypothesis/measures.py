"""Train, attack and measure: single networks, and pairs of them."""

import shutil
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from holonet._types import RealTensor
from holonet.attacks import STRONG, ThreatModel, pgd
from holonet.attacks.objectives import input_gradient, margin_of
from holonet.data import Dataset
from holonet.diagnostics import analyticity, evaluate_robustness, harmonicity, transfer_matrix
from holonet.errors import AttackWarning, DataError
from holonet.interop import autoattack
from holonet.nn import macs, real_parameter_count
from holonet.nn.modes import evaluating
from holonet.regularizers import DirichletEnergy
from holonet.studies.hypothesis.networks import build
from holonet.studies.hypothesis.settings import Attack, Member
from holonet.training import EmpiricalRisk, LinearRamp, TrainConfig, accuracy, fit, load_weights
from holonet.training.rules import LinearizedRobustOptimization, RobustOptimization, Rule
from holonet.training.run_folder import WEIGHTS

__all__ = ["attacked", "harmonic_gradients", "measured", "train", "trained", "transfer"]

BATCH = 500  # test images that an ensemble attacks at once, and keeps
FEWEST = 20  # test images that every network of a transfer matrix must classify correctly

Json = dict[str, Any]


def train(
    member: Member, data: Dataset, folder: Path, on_progress: Callable[[float], None]
) -> Json:
    """Train and attack a network; training and ensembles of attacks resume in the folder."""
    model = _trained(member, data, folder, on_progress)
    return {
        "part": "member",
        **asdict(member.network),
        "name": member.network.name,
        "rule": member.rule,
        "seed": member.seed,
        "parameters": _parameters(model),
        "macs": macs(model, data.feature_shape) if member.network.experts == 1 else None,
        "clean": accuracy(model, data.x_test, data.y_test),
        **attacked(model, data, member.trial.attack, folder),
    }


def trained(member: Member, data: Dataset, folder: Path) -> nn.Module:
    """The network whose training ended in a folder."""
    model = build(member.network, data.x_train, data.num_classes, member.seed)
    load_weights(folder / WEIGHTS, model)
    return model.eval()


def _trained(
    member: Member, data: Dataset, folder: Path, on_progress: Callable[[float], None]
) -> nn.Module:
    """Train the network; training resumes from what the folder holds."""
    training = member.trial.training
    model = build(member.network, data.x_train, data.num_classes, member.seed)
    config = TrainConfig(
        epochs=training.epochs,
        batch_size=training.batch_size,
        lr=training.lr,
        seed=member.seed,
        accelerator="cpu",
    )
    total = training.epochs * -(-len(data.x_train) // training.batch_size)
    share = 0.5 if member.trial.attack.name == "autoattack" else 0.9
    fit(
        model,
        data,
        _rule(member, data),
        config,
        run_dir=folder,
        resume=True,
        on_step=lambda step: on_progress(share * step / total),
    )
    return model.eval()


def attacked(model: nn.Module, data: Dataset, attack: Attack, folder: Path) -> Json:
    """Robust accuracy on the first test images, and for how many examples which alarm was given."""
    attacks = {
        "pgd": {"pgd": partial(pgd, steps=attack.steps, restarts=attack.restarts)},
        "strong": dict(STRONG),
        "autoattack": {"autoattack": _autoattack},
    }[attack.name]
    x, y = data.x_test[: attack.examples], data.y_test[: attack.examples]
    threat = ThreatModel("Linf", attack.eps, data.bounds)
    kept = None if attack.name == "pgd" else folder / "attacks"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttackWarning)  # they are in the result
        report = evaluate_robustness(
            model, x, y, threat, attacks=attacks, batch_size=BATCH, folder=kept
        )
    if kept is not None:
        shutil.rmtree(kept, ignore_errors=True)
    alarms: Counter[str] = Counter()
    for alarm in report.alarms:
        alarms[str(alarm.kind)] += alarm.count
    return {
        "attack": attack.name,
        "robust": report.robust.accuracy,
        "examples": len(y),
        "alarms": dict(alarms),
    }


def measured(
    model: nn.Module,
    x: Float[Tensor, "batch *event"],
    y: Int[Tensor, " batch"],
    radius: float,
) -> Json:
    """How harmonic, steep and far from singular a network is on images.

    Returns:
        defect: of the margins, the part that is not harmonic of what an affine fit leaves, on
        spheres of the radius; energy: the Dirichlet energy of the centered logits over their mean
        square; raw_energy: without that quotient; singularity: the median distance of the nearest
        complex singularity (kink, of piecewise networks) on the line along the margin's gradient,
        twice the reach of the search for networks without one; unresolved: lines left out;
        first_order: the median of margin / |gradient|_1, the distance to first order in l_inf.

    Raises:
        DataError: no line is resolved.
    """
    spheres = harmonicity(
        model, x, y=y, outputs="margins", radii=[radius], baseline=None, count=6, probes=4
    )
    found = analyticity(model, x, y, directions=["gradient"], centers=3, pieces="frozen")
    distances = found.distance[:, 0]
    if found.declared in ("affine", "polynomial", "entire"):
        distances = torch.full_like(distances, torch.inf)
    resolved = distances[~distances.isnan()]
    if not len(resolved):
        raise DataError("the search for singularities resolved no line")
    with evaluating(model):
        energy = float(DirichletEnergy(count=None)(partial(_centered, model), x).detach())
        size = float(_centered(model, x).square().sum(1).mean().detach())
        point = x.clone().requires_grad_()
        margin = margin_of(model(point), y)
        gradient, _ = input_gradient(margin, point)
    quotient = margin.detach() / gradient.flatten(1).abs().sum(1).clamp_min(1e-12)
    return {
        "defect": float(spheres.summary[0].share),
        "energy": energy / max(size, 1e-12),
        "raw_energy": energy,
        "singularity": float(resolved.clamp(max=2 * found.reach).median()),
        "unresolved": len(distances) - len(resolved),
        "first_order": float(quotient.median()),
    }


def transfer(models: Mapping[str, nn.Module], data: Dataset, attack: Attack, radius: float) -> Json:
    """Transfer between all pairs of networks, and how far each pair agrees.

    Returns:
        networks: names; examples: images that all classify correctly, which are attacked; rates:
        of these, those that fool the target (column) when made for the source (row); harmonic:
        mean cosine of the gradients of the harmonic parts of the centered logits; gradients: mean
        cosine of the margins' gradients; answers: share of images with the same answer; logits:
        mean cosine of the centered logits; alarms.

    Raises:
        DataError: fewer than `FEWEST` images are classified correctly by all.
    """
    x, y = data.x_test[: attack.examples], data.y_test[: attack.examples]
    with torch.no_grad():
        logits = torch.stack([_centered(model, x).double() for model in models.values()])
    right = (logits.argmax(-1) == y).all(0)
    if int(right.sum()) < FEWEST:
        raise DataError(
            f"only {int(right.sum())} of {len(x)} images are right in all {len(models)} networks, "
            f"and at least {FEWEST} are needed: train longer, or give more test images"
        )
    threat = ThreatModel("Linf", attack.eps, data.bounds)
    matrix = transfer_matrix(
        models, x[right], y[right], threat, attack=partial(pgd, steps=attack.steps)
    )
    part = x[right][:50]
    harmonic = torch.stack([harmonic_gradients(model, part, radius) for model in models.values()])
    answers = logits.argmax(-1)
    return {
        "part": "transfer",
        "networks": list(models),
        "examples": matrix.examples,
        "rates": [[rate.value for rate in row] for row in matrix.fooled],
        "harmonic": _cosines(harmonic),
        "gradients": [list(row) for row in matrix.cosine],
        "answers": (answers[:, None] == answers).double().mean(-1).tolist(),
        "logits": _cosines(logits),
        "alarms": [str(alarm) for alarm in matrix.alarms],
    }


@torch.no_grad()
def harmonic_gradients(
    model: nn.Module, x: Float[Tensor, "batch *event"], radius: float, *, seed: int = 0
) -> Float[Tensor, "batch gradients"]:
    """The gradients at images of the harmonic parts of the centered logits in balls about them.

    The harmonic part u in the ball of radius R about x is the harmonic function with the values
    of the network on the sphere; its gradient at x is (n / R^2) times the mean of u(y) (y - x)
    over the sphere. The mean is over the 2n ends of a random orthonormal frame, which is exact for
    affine functions.

    Law: the gradient itself, of affine functions; 0 of even functions about x.
    """
    n = x[0].numel()
    generator = torch.Generator().manual_seed(seed)
    frame = torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=torch.float64))[0]
    steps = radius * frame.to(x).reshape(n, *x.shape[1:])
    gradients = []
    for image in x:
        ends = _centered(model, torch.cat([image + steps, image - steps])).double()
        slopes = (ends[:n] - ends[n:]) / (2 * radius)
        gradients.append((slopes.T @ frame).flatten())
    return torch.stack(gradients)


def _centered(model: nn.Module, x: Tensor) -> RealTensor:
    logits = model(x)
    return logits - logits.mean(1, keepdim=True)


def _cosines(vectors: Float[Tensor, "networks examples entries"]) -> list[list[float]]:
    """The mean over examples, of each pair."""
    rows = [cosine_similarity(one, vectors, dim=-1).mean(-1) for one in vectors]
    return torch.stack(rows).tolist()


def _parameters(model: nn.Module) -> int:
    """Real ones, the centers of a mixture among them."""
    return real_parameter_count(model) + sum(b.numel() for b in model.buffers())


def _rule(member: Member, data: Dataset) -> Rule:
    training = member.trial.training
    threat, radius = ThreatModel("Linf", training.eps, data.bounds), LinearRamp(1.0, end=0.5)
    if member.rule == "linearized":
        return LinearizedRobustOptimization(threat, radius=radius)
    if member.rule == "pgd":
        return RobustOptimization(threat, radius=radius, steps=training.pgd_steps)
    return EmpiricalRisk()


def _autoattack(model: Any, x: Tensor, y: Tensor, threat: ThreatModel, *, seed: int) -> Any:
    """AutoAttack with the seed that its results are reported with."""
    del seed
    return autoattack(model, x, y, threat, seed=0, batch_size=BATCH)
