"""Time of a training step by network and rule, side by side: python tests/benchmarks/step_time.py.

Every round takes one step of every contender, in a new order; printed are the median and the
quartiles over rounds, and the median of the ratios within rounds to the standard step of the same
network. On a shared machine the ratios hold where the absolute times do not.
"""

import argparse
import platform
import random
import statistics
import time

import torch
from torch import nn

from holonet.training import ModelConfig, RuleConfig

BATCH, INPUTS, CLASSES = 256, 784, 10
RULES = {
    "standard": RuleConfig(name="standard"),
    "analytic, reverse": RuleConfig(mode="reverse"),
    "analytic, forward": RuleConfig(mode="forward"),
}
MODELS = {
    "holomorphic": ModelConfig(hidden=(256, 256)),
    "real twin": ModelConfig(kind="real-twin", hidden=(256, 256)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    x, y = torch.rand(BATCH, INPUTS), torch.randint(CLASSES, (BATCH,))
    steps = {
        (model, rule): _step(MODELS[model].build(INPUTS, CLASSES), RULES[rule], x, y)
        for model in MODELS
        for rule in RULES
    }
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in steps}
    for number in range(rounds + 3):
        for key in random.Random(number).sample(list(steps), len(steps)):
            began = time.perf_counter()
            steps[key]()
            if number >= 3:  # the first rounds warm up
                seconds[key].append(time.perf_counter() - began)
    print(
        f"batch {BATCH}, torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{platform.machine()}, {rounds} rounds"
    )
    print(f"{'network':<12} {'rule':<18} {'median ms':>9} {'quartiles':>15} {'/ standard':>10}")
    for (model, rule), values in seconds.items():
        low, middle, high = (1000 * q for q in statistics.quantiles(values, n=4))
        standard = seconds[model, "standard"]
        ratio = statistics.median(a / b for a, b in zip(values, standard, strict=True))
        print(f"{model:<12} {rule:<18} {middle:>9.1f} {low:>7.1f}-{high:<7.1f} {ratio:>10.2f}")


def _step(model: nn.Module, rule: RuleConfig, x: torch.Tensor, y: torch.Tensor):
    optimizer, loss = torch.optim.Adam(model.parameters()), rule.build()

    def step() -> None:
        optimizer.zero_grad()
        loss(model, x, y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
