"""Overhead of adding gradients of two machines: python tests/benchmarks/communication.py.

Two processes, joined by gloo, take steps on half of a batch each. The contenders are a step without
communication, one whose gradients leave during the backward pass (what training does), and one that
sends them in one message after it; all three add the terms of the loss but the first. Rounds run
every contender in a new order; printed are medians of the clock on the wall, with quartiles.

--link 1gbit joins the processes by a link of that rate, both directions together: in a network
namespace of its own, with a token bucket filter on its loopback device. It needs root on Linux.
"""

import argparse
import itertools
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch

from holonet._provenance import versions
from holonet.attacks import ThreatModel
from holonet.calculus import Probes
from holonet.nn import holomorphic_mlp
from holonet.training import EmpiricalRisk, LinearizedRobustOptimization, Rule, TrainConfig
from holonet.training.parallel import MESSAGE, Processes, launch, sum_terms, summed_gradients

SIZES, BATCH, WARM_UP = (784, 512, 512, 10), 256, 3
RULES: dict[str, Rule] = {
    "standard": EmpiricalRisk(),
    "linearized": LinearizedRobustOptimization(ThreatModel("Linf", 0.1)),
}


def contenders(processes: Processes, rule: Rule) -> dict[str, Callable[[], object]]:
    model = holomorphic_mlp(SIZES[0], SIZES[1:-1], SIZES[-1])
    x, y = torch.rand(BATCH // 2, SIZES[0]), torch.arange(BATCH // 2) % SIZES[-1]

    def step(together: Processes, message: int) -> None:
        model.zero_grad()
        terms = rule.terms(model, x, y, Probes(0, first=0, total=BATCH))
        with summed_gradients(together, model, message):
            torch.stack(list(terms.values())).sum().backward()
        sum_terms(together, {k: float(v.detach()) for k, v in terms.items()})

    alone = Processes(processes.device)
    return {
        "no communication": lambda: step(alone, MESSAGE),
        f"messages of {MESSAGE >> 20} MiB": lambda: step(processes, MESSAGE),
        "messages of 1 MiB": lambda: step(processes, 1 << 20),
        "one message at the end": lambda: step(processes, 1 << 40),
        "terms alone": lambda: sum_terms(processes, {"risk": 0.5, "gap": 0.1}),
    }


def measure(processes: Processes, rounds: int) -> None:
    for name, rule in RULES.items():
        torch.manual_seed(0)
        ways = contenders(processes, rule)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(rounds + WARM_UP):
            for way in random.Random(number).sample(list(ways), len(ways)):
                processes.wait()
                began = time.perf_counter()
                ways[way]()
                processes.wait()
                if number >= WARM_UP:
                    times[way].append(1000 * (time.perf_counter() - began))
        if processes.rank == 0:
            unit = statistics.median(times["no communication"])
            print(f"\n{name:<24} {'ms':>8} {'quartiles':>18} {'overhead':>10}")
            for way, found in times.items():
                low, middle, high = statistics.quantiles(found, n=4)
                overhead = "" if way == "terms alone" else f"{100 * (middle / unit - 1):.0f}%"
                print(f"{way:<24} {middle:>8.2f} {low:>8.2f} to {high:<7.2f} {overhead:>9}")


def in_namespace(rate: str) -> int:
    """This command again, where the loopback device has that rate."""
    shape = f"ip link set lo up && tc qdisc add dev lo root tbf rate {rate} burst 256kb latency 1s"
    again = [sys.executable, *sys.argv, "--inside"]
    return subprocess.call(["unshare", "--net", "sh", "-c", f'{shape} && exec "$@"', "sh", *again])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--link", help="rate, such as 1gbit; loopback as it is without it")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.link and not arguments.inside:
        return in_namespace(arguments.link)
    torch.set_num_threads(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    parameters = sum(a * b + b for a, b in itertools.pairwise(SIZES))
    print(
        f"{'-'.join(map(str, SIZES))}, complex64, {parameters:,} parameters ({8 * parameters:,} "
        f"bytes), batch 2 x {BATCH // 2}, one thread each, {arguments.rounds} rounds, link: "
        f"{arguments.link or 'loopback'}; {platform.processor() or platform.machine()}, "
        f"{', '.join(f'{k} {v}' for k, v in versions().items())}",
        flush=True,
    )
    child = os.fork()
    os.environ["NODE_RANK"] = str(int(child == 0))
    config = TrainConfig(num_nodes=2, accelerator="cpu", backend="gloo")
    processes = launch(config)
    measure(processes, arguments.rounds)
    processes.wait()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if child else 0


if __name__ == "__main__":
    sys.exit(main())
