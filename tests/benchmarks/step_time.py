"""Time of a training step by network and rule, side by side: python tests/benchmarks/step_time.py.

Every round takes one step of every contender, in a new order; printed are the median and the
quartiles over rounds, and the ratios within rounds to the standard step of the same network, and to
the same rule's step of the plain torch network of that shape. Rounds go through the eighths of
training in turn, since schedules change what a step does; a ratio is the mean over the eighths of
the median in each. On a shared machine the ratios hold where the absolute times do not; --processor
counts processor time, which other work disturbs least. A step is the loss, its backward pass,
clipping and Adam. glibc is told to keep freed memory, unless --glibc-defaults is given.

    python tests/benchmarks/step_time.py --rules linearized --networks "mlp, real;mlp, torch"
"""

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from freed_memory import add_option, keep_freed_memory
from holonet.nn import (
    Activation,
    Conv2d,
    HolomorphicClassifier,
    Linear,
    holomorphic_convnet,
    holomorphic_mlp,
)
from holonet.training import ModelConfig, RuleConfig

IMAGE, INPUTS, CLASSES = (1, 28, 28), 784, 10
PHASES = 8
RULES = {
    "standard": RuleConfig(name="standard"),
    "Dirichlet, reverse": RuleConfig(mode="reverse"),
    "Dirichlet, forward": RuleConfig(mode="forward"),
    "Dirichlet of loss, reverse": RuleConfig(target="loss", mode="reverse"),
    "Dirichlet of loss, forward": RuleConfig(target="loss", mode="forward"),
    "l_1 of loss, reverse": RuleConfig(target="loss", gradient_norm="L1", mode="reverse"),
    "l_1 of loss, forward": RuleConfig(target="loss", gradient_norm="L1", mode="forward"),
    "l_1 of logits, reverse": RuleConfig(gradient_norm="L1", mode="reverse"),
    "l_1 of logits, forward": RuleConfig(gradient_norm="L1", mode="forward"),
    "Dirichlet and harmonic": RuleConfig(harmonic=0.01),
    "Dirichlet, complex": RuleConfig(directions="complex"),
    "Dirichlet, Cauchy-Riemann": RuleConfig(cauchy_riemann=0.1),
    "fgsm": RuleConfig(name="fgsm"),
    "fgsm-rs": RuleConfig(name="fgsm-rs"),
    "pgd, 7 steps": RuleConfig(name="pgd"),
    "trades, 7 steps": RuleConfig(name="trades"),
    "linearized": RuleConfig(name="linearized"),
    "linearized, center": RuleConfig(name="linearized", at="center"),
    "linearized, two-radii": RuleConfig(name="linearized", at="two-radii"),
    "linearized, frank-wolfe": RuleConfig(name="linearized", at="frank-wolfe"),
    "linearized, scheduled": RuleConfig(
        name="linearized", at="frank-wolfe", schedule="linear", warm_up_start=0.1
    ),
    "linearized, curvature": RuleConfig(name="linearized", at="center", curvature=0.1, entries=1),
    "linearized, curvature of 4": RuleConfig(name="linearized", at="center", curvature=0.1),
    "interval": RuleConfig(name="interval", clean_share=0.5),
    "analytic+fgsm-rs": RuleConfig(name="analytic+fgsm-rs"),
}
COMPLEX = ("Dirichlet, complex", "Dirichlet, Cauchy-Riemann")  # for our own networks
CURVATURE = ("linearized, curvature", "linearized, curvature of 4")  # for layers of squares


class Square(nn.Module):
    """The activation of the plain networks."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.square(x)


def plain(model: HolomorphicClassifier) -> nn.Sequential:
    """Torch's own layers of the shape of a network with real coefficients."""
    layers: list[nn.Module] = []
    for layer in model.backbone.children():
        if isinstance(layer, Linear):
            layers.append(nn.Linear(layer.in_features, layer.out_features))
        elif isinstance(layer, Conv2d):
            conv: Any = layer
            sizes = conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride
            layers.append(nn.Conv2d(*sizes, padding=conv.padding))
        else:
            layers.append(Square() if isinstance(layer, Activation) else nn.Flatten())
    return nn.Sequential(*layers)


def perceptron() -> HolomorphicClassifier:
    """784-437-437-10, as many real parameters as 784-256-256-10 complex."""
    return holomorphic_mlp(INPUTS, (437, 437), CLASSES, coefficients="real")


def convnet() -> HolomorphicClassifier:
    """As many real parameters as (16, 32, 100) complex."""
    return holomorphic_convnet(IMAGE, (24, 48), CLASSES, dense=(132,), coefficients="real")


def convolutional(**settings: Any) -> Callable[[], nn.Module]:
    """A convnet of about as many real parameters as (16, 32, 100) complex."""
    config = ModelConfig(**{"family": "convnet", "match": "parameters"} | settings)
    return lambda: config.build(IMAGE, CLASSES)


REAL: dict[str, Any] = {"coefficients": "real"}
RELU: dict[str, Any] = {"coefficients": "real", "activation": "relu"}
MODELS: dict[str, Callable[[], nn.Module]] = {
    "holomorphic": lambda: ModelConfig(hidden=(256, 256)).build(INPUTS, CLASSES),
    "real twin": lambda: ModelConfig(
        coefficients="real", activation="relu", match="parameters", hidden=(256, 256)
    ).build(INPUTS, CLASSES),
    "mlp, real": perceptron,
    "mlp, torch": lambda: plain(perceptron()),
    "convnet": lambda: holomorphic_convnet(IMAGE, (16, 32), CLASSES),
    "convnet, real": convnet,
    "convnet, torch": lambda: plain(convnet()),
    "convnet, threshold": lambda: ModelConfig(family="convnet", threshold="shared").build(
        IMAGE, CLASSES
    ),
    "convnet, real, threshold": convolutional(**REAL, threshold="shared"),
    "two squares, threshold": convolutional(
        **REAL, threshold="shared", channels=(16,), dense=(64,), match="none"
    ),
    "convnet, relu": convolutional(**RELU),
    "convnet, relu, threshold": convolutional(**RELU, threshold="shared"),
}
PLAIN = {"mlp, real": "mlp, torch", "convnet, real": "convnet, torch"}


def _takes(model: nn.Module, rule: str) -> bool:
    """Whether the rule is for the network."""
    ours = isinstance(model, HolomorphicClassifier)
    if rule in CURVATURE:
        return ours and not any(isinstance(layer, nn.ReLU) for layer in model.modules())
    return ours or rule not in COMPLEX


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--processor", action="store_true", help="processor time")
    parser.add_argument("--rules", default=";".join(RULES), help="of those, joined by ;")
    parser.add_argument("--networks", default=";".join(MODELS), help="of those, joined by ;")
    parser.add_argument("--batch", type=int, default=256)
    add_option(parser)
    chosen = parser.parse_args()
    if not chosen.glibc_defaults:
        print(keep_freed_memory())
    asked = ["standard", *(r for r in chosen.rules.split(";") if r != "standard")]
    rounds = max(chosen.rounds, PHASES)
    clock = time.process_time if chosen.processor else time.perf_counter
    x, y = torch.rand(chosen.batch, *IMAGE), torch.randint(CLASSES, (chosen.batch,))
    steps = {
        (model, rule): _step(MODELS[model](), RULES[rule], x, y)
        for model in chosen.networks.split(";")
        for rule in asked
        if _takes(MODELS[model](), rule)
    }
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in steps}
    for number in range(rounds + 3):
        for key in random.Random(number).sample(list(steps), len(steps)):
            began = clock()
            steps[key]((number % PHASES + 0.5) / PHASES)
            if number >= 3:  # the first rounds warm up
                seconds[key].append(clock() - began)
    print(
        f"batch {chosen.batch}, torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{platform.machine()}, {rounds} rounds, "
        f"{'processor' if chosen.processor else 'wall'} time"
    )
    print(
        f"{'network':<24} {'rule':<27} {'median ms':>9} {'quartiles':>15} {'/ standard':>10} "
        f"{'/ torch':>8}"
    )
    for (model, rule), values in seconds.items():
        low, middle, high = (1000 * q for q in statistics.quantiles(values, n=4))
        ratio = _ratio(values, seconds[model, "standard"])
        twin = seconds.get((PLAIN.get(model, ""), rule))
        beside = "" if twin is None else f"{_ratio(values, twin):>8.2f}"
        times = f"{middle:>9.1f} {low:>7.1f}-{high:<7.1f}"
        print(f"{model:<24} {rule:<27} {times} {ratio:>10.2f} {beside}")


def _ratio(values: list[float], others: list[float]) -> float:
    """The mean over phases of training of the median ratio within rounds."""
    ratios = [a / b for a, b in zip(values, others, strict=True)]
    return statistics.mean(statistics.median(ratios[i::PHASES]) for i in range(PHASES))


def _step(model: nn.Module, rule: RuleConfig, x: torch.Tensor, y: torch.Tensor):
    optimizer, loss = torch.optim.Adam(model.parameters()), rule.build()

    def step(progress: float) -> None:
        optimizer.zero_grad()
        loss.at(progress)(model, x, y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
