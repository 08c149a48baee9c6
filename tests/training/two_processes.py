"""Run by test_parallel: trains on two processes, joined by gloo."""

import sys
from pathlib import Path

import torch

from holonet.data import load_digits
from holonet.nn import holomorphic_mlp, real_mlp
from holonet.training import AnalyticRule, TrainConfig, fit

CASES = {
    # whole batches of 16, then one of 1: a process is left without examples
    "holomorphic, single": (holomorphic_mlp, 49, 16, AnalyticRule(0.3, "logits", 1, "forward")),
    # odd batches of 15 and 10
    "real, odd": (real_mlp, 40, 15, AnalyticRule(0.3, "loss", 2, "reverse")),
}


def train(name, folder, devices):
    network, size, batch_size, rule = CASES[name]
    config = TrainConfig(
        epochs=2,
        batch_size=batch_size,
        log_every=1,
        accelerator="cpu",
        devices=devices,
        backend="gloo",
        lr=0.01,
    )
    model = network(64, [6, 5], 10, generator=torch.Generator().manual_seed(1))
    data = load_digits().subset(train=size, test=20)
    fit(model, data, rule, config, run_dir=folder)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in CASES:
        train(name, Path(sys.argv[1]) / name, devices=2)
