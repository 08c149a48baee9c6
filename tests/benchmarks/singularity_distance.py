"""Does the nearest singularity foretell the nearest adversarial example?

python tests/benchmarks/singularity_distance.py [--data-root DIR]: small networks of tanh, GELU (by
tanh), SiLU and softplus are trained on the digits, and with a folder of MNIST on 6,000 of its
images, by standard, linearized and PGD training. For test images that are classified right, the
distance of the nearest complex singularity on the line along the gradient of the margin is held
against the first change of the answer on that line, and against the minimum norm of a perturbation
(L2, no box). Beside it stand the margin, the norm of its gradient, and their quotient, the distance
to first order; and the rank correlation that is left when the last is given.
"""

import argparse
import itertools
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata
from torch import nn

from holonet.attacks import ThreatModel
from holonet.attacks.objectives import input_gradient, margin_of
from holonet.data import Dataset, load_digits, load_mnist
from holonet.diagnostics import analyticity, minimum_norm_perturbations
from holonet.errors import DataError
from holonet.statistics import mean_interval, rank_correlation_interval
from holonet.training import TrainConfig, accuracy, fit
from holonet.training.rules import EmpiricalRisk, LinearizedRobustOptimization, RobustOptimization

ACTIVATIONS = {
    "tanh": nn.Tanh,
    "gelu": lambda: nn.GELU(approximate="tanh"),
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
}
ENTIRE = "gelu by erf"  # without any singularity: the control
PREDICTORS = ("singularity", "first order", "margin", "gradient norm")
TARGETS = ("boundary on the line", "minimum norm")


def rules(eps: float):
    """By name, at a radius of Linf."""
    threat = ThreatModel("Linf", eps)
    return {
        "standard": EmpiricalRisk(),
        "linearized": LinearizedRobustOptimization(threat),
        "pgd": RobustOptimization(threat, steps=5),
    }


def network(inputs: int, width: int, activation: str, seed: int) -> nn.Module:
    """Two hidden layers."""
    torch.manual_seed(seed)
    act = nn.GELU if activation == ENTIRE else ACTIVATIONS[activation]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(inputs, width),
        act(),
        nn.Linear(width, width),
        act(),
        nn.Linear(width, 10),
    )


def examples(model: nn.Module, data: Dataset, count: int):
    """The first test images that are classified right, their labels, and how far they spread."""
    model.eval()
    with torch.no_grad():
        right = model(data.x_test).argmax(1) == data.y_test
    x, y = data.x_test[right][:count], data.y_test[right][:count]
    return x, y, float((x - x.mean(0)).flatten(1).norm(dim=1).square().mean().sqrt())


def minimum_norms(model: nn.Module, x: torch.Tensor, y: torch.Tensor, reach: float) -> torch.Tensor:
    """L2, without a box."""
    threat = ThreatModel("L2", reach, None)
    return minimum_norm_perturbations(model, x, y, threat, targets=3, steps=10, rounds=6).distance


def measured(model: nn.Module, data: Dataset, count: int) -> dict[str, list[float]]:
    """The distances and the predictors."""
    x, y, spread = examples(model, data, count)
    found = analyticity(model, x, y, directions=["gradient"], centers=3, reach=4 * spread)
    point = x.clone().requires_grad_()
    margin = margin_of(model(point), y)
    gradient, _ = input_gradient(margin, point)
    slope = gradient.flatten(1).norm(dim=1)
    least = minimum_norms(model, x, y, found.reach)
    beyond = 2 * found.reach
    numbers = {
        "singularity": found.distance[:, 0].clamp(max=beyond),
        "first order": margin.detach() / slope,
        "margin": margin.detach(),
        "gradient norm": -slope,  # the steeper, the nearer
        TARGETS[0]: found.boundary[:, 0].clamp(max=beyond),
        TARGETS[1]: least.clamp(max=beyond),
    }
    use = ~numbers["singularity"].isnan()
    return {name: v[use].double().tolist() for name, v in numbers.items()} | {
        "unresolved": [float((~use).sum())],
        "censored": [float(found.distance[:, 0].isinf().sum())],
    }


def correlation(x: list[float], y: list[float]) -> float:
    """Spearman's, NaN where one of them is constant."""
    try:
        return float(rank_correlation_interval(x, y, resamples=1).estimate)
    except DataError:
        return math.nan


def partial(x: list[float], y: list[float], given: list[float]) -> float:
    """Spearman's correlation of x and y with that of both with a third taken out."""
    xy, xz, yz = (correlation(a, b) for a, b in ((x, y), (x, given), (y, given)))
    rest = (1 - xz * xz) * (1 - yz * yz)
    return (xy - xz * yz) / math.sqrt(rest) if rest > 0 else math.nan


def networks(arguments: argparse.Namespace):
    """(name, model, data), trained."""
    sets = [(load_digits(), 0.1, arguments.epochs, arguments.widths)]
    if arguments.data_root:
        whole = load_mnist(arguments.data_root)
        few = Dataset(
            whole.x_train[:6000],
            whole.y_train[:6000],
            whole.x_test[:1000],
            whole.y_test[:1000],
            num_classes=10,
            name="mnist",
        )
        sets.append((few, 0.1, 4, arguments.widths[-1:]))
    seed = arguments.seed
    for data, eps, epochs, widths in sets:
        inputs = data.x_train[0].numel()
        for activation, width, rule in itertools.product(
            [*ACTIVATIONS, ENTIRE], widths, rules(eps)
        ):
            seed += 1
            model = network(inputs, width, activation, seed)
            config = TrainConfig(epochs=epochs, batch_size=64, lr=5e-3, seed=seed)
            fit(model, data, rules(eps)[rule], config)
            yield (data.name, activation, width, rule, seed), model, data


def main() -> None:
    """Train, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--count", type=int, default=40, help="images of each network")
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="all numbers, as JSON lines")
    arguments = parser.parse_args()
    rows = []
    for key, model, data in networks(arguments):
        start = time.perf_counter()
        if key[1] == ENTIRE:
            x, y, spread = examples(model, data, arguments.count)
            least = float(minimum_norms(model, x, y, 4 * spread).median())
            print(f"{' '.join(map(str, key)):<34} minimum norm {least:.3f}", flush=True)
            continue
        numbers = measured(model, data, arguments.count)
        row = {
            "network": key,
            "accuracy": accuracy(model, data.x_test, data.y_test),
            "numbers": numbers,
            "seconds": time.perf_counter() - start,
        }
        rows.append(row)
        medians = {name: float(np.median(numbers[name])) for name in (*PREDICTORS, *TARGETS)}
        print(
            f"{' '.join(map(str, key)):<34} accuracy {row['accuracy']:.3f}"
            f" singularity {medians['singularity']:.2f} minimum norm {medians['minimum norm']:.3f}"
            f" unresolved {numbers['unresolved'][0]:.0f} censored {numbers['censored'][0]:.0f}"
            f" of {arguments.count}, {row['seconds']:.0f} s",
            flush=True,
        )
        if arguments.out:
            with arguments.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
    for name in sorted({row["network"][0] for row in rows}):
        report(name, [row["numbers"] for row in rows if row["network"][0] == name])
        for activation in ACTIVATIONS:
            some = [row["numbers"] for row in rows if row["network"][:2] == (name, activation)]
            if len(some) > 3:
                report(f"{name}, {activation}", some)


def report(title: str, rows: list[dict[str, list[float]]]) -> None:
    """Rank correlations within networks (mean over networks), and across their medians."""
    print(f"\n{title}: {len(rows)} networks")
    for target in TARGETS:
        for name in PREDICTORS:
            within = [correlation(row[name], row[target]) for row in rows]
            print(f"  {target}, by {name}: within networks {interval(within)}", end="")
            print(f"; across {across(rows, name, target)}")
        given = [partial(row["singularity"], row[target], row["first order"]) for row in rows]
        print(f"  {target}, by singularity given first order: within networks {interval(given)}")


def interval(values: list[float]) -> str:
    """The mean over networks, by Student's t."""
    finite = [v for v in values if math.isfinite(v)]
    return mean_interval(finite).text(2) if finite else "not defined"


def across(rows: list[dict[str, list[float]]], name: str, target: str) -> str:
    """Of the medians of the networks, with a bootstrap interval over networks."""
    medians = [[float(np.median(row[k])) for row in rows] for k in (name, target)]
    if len(rows) < 5 or any(len(set(rankdata(m))) < 2 for m in medians):
        return "not defined"
    return rank_correlation_interval(*medians).text(2)


if __name__ == "__main__":
    main()
