"""Run by test_loop: trains, kills itself with SIGKILL, and resumes.

A child is killed in front of its n-th change to a file, so that every moment between two changes
is reached: half a checkpoint, a digest without its file, a record of the epoch without its
checkpoint, a digest without the weights.
"""

import json
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path

import torch
import torch._dynamo  # which the first step of Adam needs: imported once for all children
from torch import nn

from holonet.data import load_digits
from holonet.nn import holomorphic_mlp
from holonet.training import AnalyticRule, EmpiricalRisk, TrainConfig, fit

torch.set_num_threads(1)
DATA = load_digits().subset(train=90, test=20)
CONFIG = TrainConfig(
    epochs=3, batch_size=20, checkpoint_every=2, log_every=1, accelerator="cpu", seed=5
)


def network(kind):
    torch.manual_seed(1)
    if kind == "stopped":
        return holomorphic_mlp(64, [5], 10), EmpiricalRisk()
    if kind == "holomorphic":
        return holomorphic_mlp(64, [5], 10), AnalyticRule(0.3, "logits", 1, "forward")
    layers = [nn.Flatten(), nn.Linear(64, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 10)]
    return nn.Sequential(*layers), EmpiricalRisk()


def train(kind, folder, last=None):
    """Train or resume, killed in front of the last change; the number of changes to files."""
    changes = 0

    def hook(event, arguments):
        nonlocal changes
        changing = event in ("os.rename", "os.remove") or (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wxa")
        )
        if changing and str(arguments[0]).startswith(str(folder)):
            changes += 1
            if changes == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    torch.manual_seed(os.getpid())  # a new process has other global numbers
    model, rule = network(kind)
    config = CONFIG
    if kind == "stopped":
        early = {"epochs": 9, "lr": 0.3, "validation": 0.2, "patience": 1}
        config = CONFIG.model_copy(update=early)
    fit(model, DATA, rule, config, run_dir=folder, resume=True)
    return changes


def in_child(work):
    """Whether the work was finished, and not killed."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def resumed(kind, folder, kills):
    """Train, killed in front of the n-th change for each n, until it is finished."""
    for n in kills:
        if in_child(partial(train, kind, folder, n)):
            return True
    return in_child(partial(train, kind, folder))


if __name__ == "__main__":
    kind, root, plans = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
    model, rule = network(kind)  # as the first derivative in forward mode imports more
    rule.terms(model, DATA.x_train[:2], DATA.y_train[:2])
    count = root / "count"
    assert in_child(lambda: count.write_text(str(train(kind, root / "whole"))))
    total = int(count.read_text())
    for index, plan in enumerate(plans):
        kills = [1 + int(share * total) for share in plan]
        assert resumed(kind, root / f"killed-{index}", kills), kills
