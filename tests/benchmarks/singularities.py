"""How often is the nearest singularity found? python tests/benchmarks/singularities.py.

Random sums of functions whose singularities are known by formulas, on lines with |t| <= 4. Right is
a distance within 1%, or none where there is none. A confirmed singularity that is no true one, to
1% of its distance from the real axis, is false.
"""

import argparse
import cmath
import collections
import math
import random
import time
from collections.abc import Callable

import torch
from torch import Tensor

from holonet.diagnostics.analyticity_report import FOUND, NONE_WITHIN
from holonet.diagnostics.analyticity_search import Search
from holonet.singularities.nearest import find_singularities

REACH, CENTERS = 4.0, 5
Term = tuple[Callable[[Tensor], Tensor], list[complex]]

FAMILIES = {
    "rational": ("pole", "pole", "double pole", "sine"),
    "tanh": ("tanh",),
    "softplus": ("softplus",),
    "SiLU": ("silu",),
    "roots": ("root", "inverse root"),
    "logarithms": ("log",),
    "mixed": ("pole", "tanh", "softplus", "root", "sine", "Gaussian", "log"),
    "tanh of tanh": ("composed",),
}


def term(kind: str, draw: random.Random) -> Term:
    """A function and its singularities in the upper half-plane."""
    c = draw.choice([-1, 1]) * math.exp(draw.uniform(-2, 2))
    a, b = draw.uniform(-3, 3), math.exp(draw.uniform(math.log(0.1), math.log(4)))
    w, d, e = math.exp(draw.uniform(-1, 1.5)), draw.uniform(-2, 2), draw.uniform(-1, 1)
    steep = math.exp(draw.uniform(-0.5, 1))

    def square(t: Tensor) -> Tensor:
        return (t - a) ** 2 + b * b

    def turns(first: float) -> list[complex]:
        return [(1j * math.pi * (first + k) - d) / w for k in range(0, 18, 1 if first < 1 else 2)]

    inner = [cmath.atanh((1j * math.pi * (k + 0.5) - e) / steep) for k in range(-20, 20)]
    composed = [(u + 1j * math.pi * m - d) / w for u in inner for m in range(-3, 4)]
    table: dict[str, Term] = {
        "pole": (lambda t: c / square(t), [complex(a, b)]),
        "double pole": (lambda t: c / square(t) ** 2, [complex(a, b)]),
        "sine": (lambda t: c * torch.sin(1.3 * t + a), []),
        "Gaussian": (lambda t: c * torch.exp(-t * t / 2), []),
        "tanh": (lambda t: c * torch.tanh(w * t + d), turns(0.5)),
        "softplus": (lambda t: c * torch.log(1 + torch.exp(w * t + d)), turns(1.0)),
        "silu": (lambda t: c * (w * t + d) / (1 + torch.exp(-w * t - d)), turns(1.0)),
        "root": (lambda t: c * torch.sqrt(square(t)), [complex(a, b)]),
        "inverse root": (lambda t: c / torch.sqrt(square(t)), [complex(a, b)]),
        "log": (lambda t: c * torch.log(square(t)), [complex(a, b)]),
        "composed": (lambda t: c * torch.tanh(steep * torch.tanh(w * t + d) + e), composed),
    }
    f, places = table[kind]
    return f, [complex(p.real, abs(p.imag)) for p in places]


def main() -> None:
    """Print a table by family, and what went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    families = [list(FAMILIES)[i % len(FAMILIES)] for i in range(arguments.count)]
    sums = [
        [term(draw.choice(FAMILIES[family]), draw) for _ in range(draw.randint(1, 5))]
        for family in families
    ]

    def g(rows: Tensor, t: Tensor) -> Tensor:
        values = torch.empty_like(t)
        for row in set(rows.tolist()):
            at = rows == row
            values[at] = sum(f(t[at]) for f, _ in sums[row])
        return values

    rows = torch.arange(arguments.count).repeat_interleave(CENTERS)
    centers = torch.linspace(-2, 2, CENTERS, dtype=torch.float64).repeat(arguments.count)
    start = time.process_time()
    found = find_singularities(g, rows, centers, REACH)
    seconds = time.process_time() - start
    search = Search("logits", ("random",), REACH, REACH / 2, CENTERS)
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for row, family in enumerate(families):
        truth = [p for _, places in sums[row] for p in places]
        nearest = min(map(abs, truth), default=math.inf)
        middle = row * CENTERS + CENTERS // 2
        known = found.known.at(found.known.row == row)
        radius = found.discs.radius_of_convergence(middle)
        line = search.line(known, found.discs.radius[middle], found.candidate[middle], radius)
        state, distance = int(line["state"]), float(line["place"].abs())
        right = state == FOUND and abs(distance - nearest) <= 0.01 * nearest
        right |= state == NONE_WITHIN and nearest > 0.99 * REACH
        outcome = "right" if right else "wrong" if state in (FOUND, NONE_WITHIN) else "unresolved"
        counts[family][outcome] += 1
        if nearest < math.inf:
            counts[family]["radius in its bar"] += radius.lower <= nearest <= radius.upper
        for place in known.place[known.confirmed].tolist():
            off = min((abs(place - p) for p in truth), default=math.inf)
            counts[family]["false"] += off > 0.01 * place.imag
        if not right:
            print(f"{family} {row}: {outcome}, {distance:.4f} for {nearest:.4f}")
    for family, counter in counts.items():
        print(f"{family:<14}", ", ".join(f"{name} {n}" for name, n in sorted(counter.items())))
    total = sum(counts.values(), collections.Counter())
    print("all", dict(total), f"{1e3 * seconds / arguments.count:.0f} ms a line")


if __name__ == "__main__":
    main()
