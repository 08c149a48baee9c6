"""Make a network nearly holomorphic by a penalty instead of by construction, and see the price.

A complextorch network with split tanh, which is not holomorphic, learns the digits under the
Cauchy-Riemann penalty with several weights. Printed for each: accuracy on the test images, the
residual ||df/dzbar|| relative to ||df/dz|| there (root mean squares of the exact penalties), and
the share of negative Fourier modes on random complex lines through test points.
"""

import argparse
import math
from dataclasses import dataclass

import complextorch.nn as cnn
import torch
from torch import Tensor, nn

from holonet.data import embed, load_digits
from holonet.regularizers import CauchyRiemannPenalty, DirichletEnergy, HardyPenalty

WEIGHTS = (0.0, 0.1, 1.0, 10.0, 100.0)
SEEDS = (0, 1, 2)
HIDDEN = 64


@dataclass(frozen=True)
class Row:
    """What is measured of one trained network."""

    accuracy: float
    residual: float
    negative: float


def network(inputs: int, outputs: int) -> nn.Sequential:
    """Two hidden layers that take the tanh of real and imaginary parts."""
    return nn.Sequential(
        cnn.Linear(inputs, HIDDEN),
        cnn.CTanh(),
        cnn.Linear(HIDDEN, HIDDEN),
        cnn.CTanh(),
        cnn.Linear(HIDDEN, outputs),
    )


def train(f: nn.Module, z: Tensor, y: Tensor, weight: float, epochs: int) -> None:
    """Cross-entropy of Re f, and the penalty on the complex map f: an ordinary loop."""
    optimizer = torch.optim.Adam(f.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    penalty = CauchyRiemannPenalty()
    for _ in range(epochs):
        for rows in torch.randperm(len(z)).split(128):
            value, amount = penalty.value_and_penalty(f, z[rows])
            loss = nn.functional.cross_entropy(value.real, y[rows]) + weight * amount
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


def measure(f: nn.Module, z: Tensor, y: Tensor) -> Row:
    """Accuracy, relative dbar and negative modes on the test images."""
    f.requires_grad_(False)
    accuracy = (f(z).real.argmax(1) == y).float().mean().item()
    antilinear = CauchyRiemannPenalty(count=None)(f, z).item()
    both = 2 * DirichletEnergy(count=None)(f, z).item()  # ||df/dz||^2 + ||df/dzbar||^2
    lines = HardyPenalty(radius=0.5, samples=32, count=4, every=1)
    negative = lines(f, z).item()
    positive = lines(lambda z: f(z.conj()), z.conj()).item()  # turns the circles the other way
    return Row(
        accuracy, math.sqrt(antilinear / (both - antilinear)), negative / (negative + positive)
    )


def main(quick: bool = False) -> None:
    """Train with every weight and seed, print a line for every weight."""
    weights, seeds, epochs = (WEIGHTS, SEEDS, 80) if not quick else ((0.0, 1.0), (0,), 8)
    digits = load_digits()
    z, test = embed(digits.x_train.flatten(1)), embed(digits.x_test.flatten(1))
    print(f"digits, 64-{HIDDEN}-{HIDDEN}-10, {epochs} epochs, seeds {', '.join(map(str, seeds))}")
    print(f"{'weight':>6} {'accuracy %':>16} {'residual':>20} {'negative modes':>20}")
    for weight in weights:
        rows = []
        for seed in seeds:
            torch.manual_seed(seed)
            f = network(z.shape[1], digits.num_classes)
            train(f, z, digits.y_train, weight, epochs)
            rows.append(measure(f, test, digits.y_test))
        accuracy = spread([100 * row.accuracy for row in rows], "{:.1f}")
        residual = spread([row.residual for row in rows], "{:.2g}")
        negative = spread([row.negative for row in rows], "{:.2g}")
        print(f"{weight:>6g} {accuracy:>16} {residual:>20} {negative:>20}")


def spread(values: list[float], form: str) -> str:
    """The mean and half the range."""
    half = (max(values) - min(values)) / 2
    return f"{form.format(sum(values) / len(values))} +- {form.format(half)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two weights, one seed, few epochs")
    main(parser.parse_args().quick)
