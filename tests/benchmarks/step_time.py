"""Time of a training step by network and rule, side by side: python tests/benchmarks/step_time.py.

Every round takes one step of every contender, in a new order; printed are the median and the
quartiles over rounds, and the median of the ratios within rounds to the standard step of the same
network. On a shared machine the ratios hold where the absolute times do not; --processor counts
processor time, which other work disturbs least. A step is the loss, its backward pass, clipping
and Adam.
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
    "analytic+fgsm-rs": RuleConfig(name="analytic+fgsm-rs"),
}
COMPLEX = ("Dirichlet, complex", "Dirichlet, Cauchy-Riemann")  # not for real networks
MODELS = {
    "holomorphic": ModelConfig(hidden=(256, 256)),
    "real twin": ModelConfig(kind="real-parameter-matched", hidden=(256, 256)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--processor", action="store_true", help="processor time")
    parser.add_argument("--rules", default=";".join(RULES), help="of those, joined by ;")
    chosen = parser.parse_args()
    asked = ["standard", *(r for r in chosen.rules.split(";") if r != "standard")]
    rounds = chosen.rounds
    clock = time.process_time if chosen.processor else time.perf_counter
    x, y = torch.rand(BATCH, INPUTS), torch.randint(CLASSES, (BATCH,))
    steps = {
        (model, rule): _step(MODELS[model].build(INPUTS, CLASSES), RULES[rule], x, y)
        for model in MODELS
        for rule in asked
        if model == "holomorphic" or rule not in COMPLEX
    }
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in steps}
    for number in range(rounds + 3):
        for key in random.Random(number).sample(list(steps), len(steps)):
            began = clock()
            steps[key]()
            if number >= 3:  # the first rounds warm up
                seconds[key].append(clock() - began)
    print(
        f"batch {BATCH}, torch {torch.__version__}, {torch.get_num_threads()} threads, "
        f"{platform.machine()}, {rounds} rounds, "
        f"{'processor' if chosen.processor else 'wall'} time"
    )
    print(f"{'network':<12} {'rule':<27} {'median ms':>9} {'quartiles':>15} {'/ standard':>10}")
    for (model, rule), values in seconds.items():
        low, middle, high = (1000 * q for q in statistics.quantiles(values, n=4))
        standard = seconds[model, "standard"]
        ratio = statistics.median(a / b for a, b in zip(values, standard, strict=True))
        print(f"{model:<12} {rule:<27} {middle:>9.1f} {low:>7.1f}-{high:<7.1f} {ratio:>10.2f}")


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
