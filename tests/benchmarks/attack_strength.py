"""Are our attacks as strong as those of torchattacks and foolbox at equal budgets?

Run: python tests/benchmarks/attack_strength.py [--count 1000] [--jobs 2] [--json FILE]

Network k is drawn from seed k: a real or holomorphic perceptron of random width, depth and
activation, trained for a few dozen steps on digits or on a random mixture of images, with a norm
and a radius at which PGD leaves about half of the examples standing. Every attack meets the same
examples with the same number of steps, restarts or queries. Each point found by another toolkit is
projected into the threat set and judged by our margin, ties as errors. The windows of torchattacks'
Square (3.5.1) never reach the last row and column, which counts on small images: it is compared as
it is, and with its corners drawn from all places. Needs `pip install torchattacks foolbox`.
"""

import argparse
import functools
import importlib
import json
import math
import multiprocessing
import os
import random
import statistics
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from holonet.attacks import ThreatModel
from holonet.attacks.apgd import apgd, apgd_targeted
from holonet.attacks.gradient import pgd
from holonet.attacks.objectives import margin_of
from holonet.attacks.square import square
from holonet.data import load_digits
from holonet.nn import holomorphic_mlp, real_mlp

PAIRS = {  # ours -> the attacks of other toolkits that it must match
    "apgd-ce": ["torchattacks APGD-CE"],
    "apgd-t": ["torchattacks APGDT"],
    "pgd margin": ["torchattacks PGD", "foolbox PGD"],
    "pgd cross-entropy": ["torchattacks PGD", "foolbox PGD"],
    "square": ["torchattacks Square", "the same, mended"],
}
Found = dict[str, float]


def mixture(generator: torch.Generator, classes: int) -> tuple[Tensor, Tensor]:
    """Random images in [0, 1], several clusters to a class."""
    centers = torch.rand(3 * classes, 1, 8, 8, generator=generator)
    which = torch.randint(3 * classes, (400,), generator=generator)
    noise = 0.2 * torch.randn(400, 1, 8, 8, generator=generator)
    return (centers[which] + noise).clamp(0, 1), which % classes


def network(seed: int) -> tuple[str, nn.Module, Tensor, Tensor]:
    """A trained network, and examples that it has not seen."""
    draw, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    if draw.random() < 0.5:
        digits = load_digits()
        chosen = torch.randperm(len(digits.x_train), generator=generator)[:400]
        (x, y), classes = (digits.x_train[chosen], digits.y_train[chosen]), 10
    else:
        classes = draw.randint(4, 8)
        x, y = mixture(generator, classes)
    hidden = [draw.randint(8, 40)] * draw.randint(1, 3)
    kind = draw.choice(["relu", "tanh", "square", "exp", "sin"])
    if kind in ("relu", "tanh"):
        layer = nn.ReLU if kind == "relu" else nn.Tanh
        model: nn.Module = real_mlp(64, hidden, classes, activation=layer, generator=generator)
    else:
        hidden = hidden[: 2 if kind == "sin" else 1]
        model = holomorphic_mlp(64, hidden, classes, activation=kind, gain=0.5, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(draw.randint(20, 80)):
        rows = torch.randint(320, (64,), generator=generator)
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return kind, model.eval().requires_grad_(False), x[320:], y[320:]


def radius(model: nn.Module, x: Tensor, y: Tensor, norm: str) -> float:
    """Where a short PGD leaves about half of the examples standing."""
    low, high = 0.0, 1.0 if norm == "Linf" else 8.0
    for _ in range(8):
        middle = (low + high) / 2
        stands = pgd(model, x, y, ThreatModel(norm, middle), steps=10).accuracy > 0.5
        low, high = (middle, high) if stands else (low, middle)
    return high


def ours(steps: int, queries: int, seed: int) -> dict[str, Callable[..., object]]:
    """Our attacks at this budget."""
    return {
        "apgd-ce": functools.partial(apgd, steps=steps, seed=seed),
        "apgd-t": functools.partial(apgd_targeted, steps=steps, seed=seed),
        "pgd margin": functools.partial(pgd, steps=steps, seed=seed),
        "pgd cross-entropy": functools.partial(pgd, steps=steps, loss="cross_entropy", seed=seed),
        "square": functools.partial(square, queries=queries, seed=seed),
    }


def toolkits() -> tuple[Any, Any]:
    """Foolbox and torchattacks, or the end of the run."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # foolbox looks for git when imported
    try:
        return importlib.import_module("foolbox"), importlib.import_module("torchattacks")
    except ImportError as missing:
        sys.exit(f"{missing}: this comparison needs pip install torchattacks foolbox")


def theirs(
    model: nn.Module, threat: ThreatModel, classes: int, steps: int, queries: int, seed: int
) -> dict[str, Callable[[Tensor, Tensor], Tensor]]:
    """The attacks of other toolkits at the same budget: (x, y) -> points."""
    foolbox, torchattacks = toolkits()
    eps, alpha = threat.eps, 2.5 * threat.eps / steps
    ascent = {"norm": threat.norm, "eps": eps, "steps": steps, "seed": seed}
    linf = threat.norm == "Linf"
    plain = (
        torchattacks.PGD(model, eps=eps, alpha=alpha, steps=steps)
        if linf
        else torchattacks.PGDL2(model, eps=eps, alpha=alpha, steps=steps)
    )
    fool = (foolbox.attacks.LinfPGD if linf else foolbox.attacks.L2PGD)(
        abs_stepsize=alpha, steps=steps
    )
    searches = [
        torchattacks.Square(model, norm=threat.norm, eps=eps, n_queries=queries, seed=seed)
        for _ in range(2)
    ]
    searches[1].random_int = lambda low=0, high=1, shape=(1,): torch.randint(
        int(low), int(high) + 1, tuple(shape)
    )
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device="cpu")
    return {
        "torchattacks APGD-CE": torchattacks.APGD(model, loss="ce", **ascent),
        "torchattacks APGDT": torchattacks.APGDT(model, n_classes=min(classes, 10), **ascent),
        "torchattacks PGD": plain,
        "foolbox PGD": lambda x, y: fool(wrapped, x, y, epsilons=eps)[1],
        "torchattacks Square": searches[0],
        "the same, mended": searches[1],
    }


def compare(seed: int, steps: int, queries: int) -> tuple[str, str, Found]:
    """Robust accuracy of one network under every attack, in points."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    torch.manual_seed(seed)
    kind, model, x, y = network(seed)
    norm = "Linf" if seed % 2 else "L2"
    threat = ThreatModel(norm, radius(model, x, y, norm))
    found = {"clean": 100 * float((margin_of(model(x), y) > 0).double().mean())}
    for name, attack in ours(steps, queries, seed).items():
        found[name] = 100 * attack(model, x, y, threat).accuracy  # type: ignore[attr-defined]
    classes = model(x[:1]).shape[1]
    for name, attack in theirs(model, threat, classes, steps, queries, seed).items():
        points = threat.project(attack(x, y).detach(), x)
        stands = (margin_of(model(points), y) > 0) & (margin_of(model(x), y) > 0)
        found[name] = 100 * float(stands.double().mean())
    return norm, kind, found


def interval(values: list[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95% interval (normal)."""
    spread = statistics.stdev(values) if len(values) > 1 else math.inf
    return statistics.fmean(values), 1.96 * spread / math.sqrt(len(values))


def report(results: list[tuple[str, str, Found]], console: Console) -> bool:
    """Print the tables; whether, over all, no attack of ours is more than half a point weaker."""
    holds = True
    for chosen in ("all", "L2", "Linf"):
        rows = [found for norm, _, found in results if chosen in ("all", norm)]
        if not rows:
            continue
        table = Table(title=f"{chosen}: {len(rows)} networks, robust accuracy in points")
        for column in ("ours", "mean", "theirs", "mean", "ours - theirs", "95% interval"):
            table.add_column(column)
        for name, others in PAIRS.items():
            for other in others:
                mean, half = interval([row[name] - row[other] for row in rows])
                table.add_row(
                    name,
                    f"{statistics.fmean(row[name] for row in rows):.2f}",
                    other,
                    f"{statistics.fmean(row[other] for row in rows):.2f}",
                    f"{mean:+.2f}",
                    f"[{mean - half:+.2f}, {mean + half:+.2f}]",
                )
                holds &= mean <= 0.5 or chosen != "all"
        console.print(table)
    return holds


def main() -> None:
    """Run, print the tables, and exit with 1 if an attack of ours is weaker."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--json", type=Path, help="where to write every number")
    chosen = parser.parse_args()
    toolkits()
    seeds = range(chosen.first, chosen.first + chosen.count)
    examine = functools.partial(compare, steps=chosen.steps, queries=chosen.queries)
    with multiprocessing.get_context("spawn").Pool(chosen.jobs) as pool:
        results = list(track(pool.imap(examine, seeds), total=len(seeds)))
    console = Console(width=120)
    holds = report(results, console)
    by_kind = defaultdict(list)
    for _, kind, found in results:
        by_kind[kind].append(found["clean"])
    clean = {kind: round(statistics.fmean(values), 1) for kind, values in sorted(by_kind.items())}
    console.print(f"clean accuracy by activation: {clean}")
    console.print(f"no attack of ours is more than half a point weaker: {holds}")
    if chosen.json:
        chosen.json.write_text(json.dumps([[n, k, f] for n, k, f in results], indent=1))
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
