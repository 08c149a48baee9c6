"""Run by test_parallel: two machines of one process each, joined by gloo.

The machines are forked from one process that has imported everything. Each has a folder of its own;
that of the second must stay unused.
"""

import importlib
import os
import signal
import socket
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import torch
import torch._dynamo  # which the first step of Adam needs

from holonet.calculus import Probes
from holonet.data import load_digits
from holonet.errors import ProcessLostError
from holonet.nn import holomorphic_mlp, real_mlp
from holonet.training import AnalyticRule, TrainConfig, fit

DIGITS = load_digits()
CASES = {
    # whole batches of 16, then one of 1: a process is left without examples
    "holomorphic": (holomorphic_mlp, 49, 16, AnalyticRule(0.3, "logits", 1, "forward"), 5),
    # odd batches of 15 and 10, in double precision
    "real": (real_mlp, 40, 15, AnalyticRule(0.3, "loss", 2, "reverse"), 7),
}
KILLED, LOST = 11, 3  # the step at which a machine dies; what the other one ends with


def start(name):
    network, size, batch_size, rule, epochs = CASES[name]
    model = network(64, [6, 5], 10, generator=torch.Generator().manual_seed(1))
    data = DIGITS.subset(train=size, test=20)
    if name == "real":
        double = {f"x_{part}": getattr(data, f"x_{part}").double() for part in ("train", "test")}
        model, data = model.double(), replace(data, **double)
    config = TrainConfig(
        epochs=epochs,
        batch_size=batch_size,
        log_every=1,
        checkpoint_every=4,
        lr=0.01,
        accelerator="cpu",
    )
    return model, data, rule, config


def train(name, folder, nodes=1, **options):
    model, data, rule, config = start(name)
    if nodes > 1:
        config = config.model_copy(update={"num_nodes": nodes, "backend": "gloo"})
    fit(model, data, rule, config, run_dir=folder, **options)


def machines(root, kill=None, resume=False):
    """Train every case, or the first one until a machine dies; what the machines end with."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    children = []
    for rank in range(2):
        child = os.fork()
        if child == 0:
            os.environ["NODE_RANK"] = str(rank)
            os._exit(machine(root / f"machine-{rank}", rank == kill, resume))
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def machine(folder, dies, resume):
    def on_step(step):
        if dies and step == KILLED:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        for name in ["holomorphic"] if dies or resume else CASES:
            train(name, folder / name, nodes=2, resume=resume, on_step=on_step)
    except ProcessLostError:
        return LOST
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    importlib.import_module("lightning_fabric.strategies")
    importlib.import_module("torch._dynamo")  # which the first step of Adam needs
    torch.set_num_threads(1)
    for name in CASES:  # what derivatives import, for all children
        model, data, rule, _ = start(name)
        rule.terms(model, data.x_train[:2], data.y_train[:2], Probes(0, first=0, total=2))
    root = Path(sys.argv[1])
    assert machines(root / "whole") == [0, 0]
    assert machines(root / "killed", kill=1) == [LOST, -signal.SIGKILL]
    assert machines(root / "killed", resume=True) == [0, 0]
