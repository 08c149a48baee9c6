"""Cost of the penalties in forward-backward passes: python tests/benchmarks/penalty_cost.py.

The unit is one forward and backward pass of the same network, |f|^2 in the mean, in the same
round. "step" is value_and_penalty with the backward pass through both, "alone" the penalty and
its backward pass. Time is processor time, which other work on a shared machine disturbs least
(--wall for the clock on the wall). Rounds run every contender in a new order; printed are the
median of the ratios within rounds and the ratio of the minima, which should agree. The last rows
take the matrix of all first or second derivatives in the real coordinates, by torch.func per
example, with its backward pass; they run on fewer examples, and the time is scaled up to the
batch ("scaled").
"""

import argparse
import itertools
import platform
import random
import statistics
import time
from collections.abc import Callable

import complextorch.nn as cnn
import torch
from torch import Tensor, nn

from holonet.nn import Square
from holonet.regularizers import (
    CauchyRiemannPenalty,
    DirichletEnergy,
    HardyPenalty,
    LaplacianPenalty,
    MeanValuePenalty,
    PluriharmonicPenalty,
    Regularizer,
)

BATCH, INPUTS, HIDDEN, OUTPUTS = 256, 784, 256, 10
WARM_UP = 3
Contender = Callable[[nn.Module, Tensor], Tensor]
Clock = Callable[[], float]


def network(activation: Callable[[], nn.Module], dtype: torch.dtype) -> nn.Sequential:
    sizes = [INPUTS, HIDDEN, HIDDEN, OUTPUTS]
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs, dtype=dtype), activation()]
    return nn.Sequential(*layers[:-1])


NETWORKS = {
    "complex, split tanh": (cnn.CTanh, torch.complex64),
    "complex, z^2": (Square, torch.complex64),
    "real, tanh": (nn.Tanh, torch.float32),
    "real, softplus": (nn.Softplus, torch.float32),
}

REAL = {
    "DirichletEnergy()": DirichletEnergy(),
    "LaplacianPenalty()": LaplacianPenalty(),
    "LaplacianPenalty(every=1)": LaplacianPenalty(every=1),
    "MeanValuePenalty(0.1)": MeanValuePenalty(0.1),
}
COMPLEX = {
    **REAL,
    "CauchyRiemannPenalty()": CauchyRiemannPenalty(),
    "CauchyRiemannPenalty(every=1)": CauchyRiemannPenalty(every=1),
    "CauchyRiemannPenalty(mode='forward', every=1)": CauchyRiemannPenalty(1, "forward", 1),
    "PluriharmonicPenalty()": PluriharmonicPenalty(),
    "HardyPenalty(0.1)": HardyPenalty(0.1),
}


def energy(value: Tensor) -> Tensor:
    parts = torch.view_as_real(value) if value.is_complex() else value
    return parts.square().sum() / len(value)


def plain(f: nn.Module, z: Tensor) -> Tensor:
    return energy(f(z))


def step(penalty: Regularizer) -> Contender:
    def contender(f: nn.Module, z: Tensor) -> Tensor:
        value, amount = penalty.value_and_penalty(f, z)
        return energy(value) + amount

    return contender


def real_view(f: nn.Module, z: Tensor) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """f of one example as a function of its real coordinates, and the examples."""
    if not z.is_complex():
        return lambda x: f(x[None])[0], z

    def of_coordinates(x: Tensor) -> Tensor:
        return torch.view_as_real(f(torch.view_as_complex(x.view(1, -1, 2)))[0]).flatten()

    return of_coordinates, torch.view_as_real(z).flatten(1)


def full_jacobian(f: nn.Module, z: Tensor) -> Tensor:
    """||df/dzbar||^2 from all of the real Jacobian, by reverse mode for the few outputs."""
    u, x = real_view(f, z)
    j = torch.func.vmap(torch.func.jacrev(u))(x).unflatten(2, (-1, 2)).unflatten(1, (-1, 2))
    real = j[:, :, 0, :, 0] - j[:, :, 1, :, 1]
    imaginary = j[:, :, 1, :, 0] + j[:, :, 0, :, 1]
    return (real.square() + imaginary.square()).sum() / 4 / len(z)


def full_hessian(f: nn.Module, z: Tensor) -> Tensor:
    """|Laplacian|^2 from all of the real Hessian, forward over reverse."""
    u, x = real_view(f, z)
    hessians = torch.func.vmap(torch.func.jacfwd(torch.func.jacrev(u)))(x)
    return torch.einsum("boii->bo", hessians).square().sum() / len(z)


def seconds(contender: Contender, f: nn.Module, z: Tensor, clock: Clock) -> float:
    f.zero_grad()
    began = clock()
    contender(f, z).backward()
    return clock() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--skip-full", action="store_true", help="leave the full matrices out")
    parser.add_argument("--wall", action="store_true", help="time by the clock on the wall")
    arguments = parser.parse_args()
    clock = time.perf_counter if arguments.wall else time.process_time
    print(
        f"batch {BATCH}, {INPUTS}-{HIDDEN}-{HIDDEN}-{OUTPUTS}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, {platform.machine()}, {arguments.rounds} rounds, "
        f"{'wall' if arguments.wall else 'processor'} time"
    )
    for name, (activation, dtype) in NETWORKS.items():
        torch.manual_seed(0)
        f, z = network(activation, dtype), torch.rand(BATCH, INPUTS).to(dtype)
        table(name, f, z, arguments.rounds, clock)
        if not arguments.skip_full:
            full(f, z, clock)


def table(name: str, f: nn.Module, z: Tensor, rounds: int, clock: Clock) -> None:
    penalties = COMPLEX if z.is_complex() else REAL
    contenders: dict[str, Contender] = {"plain": plain}
    contenders |= {f"{p}, step": step(penalty) for p, penalty in penalties.items()}
    contenders |= {f"{p}, alone": penalty for p, penalty in penalties.items()}
    times: dict[str, list[float]] = {c: [] for c in contenders}
    for number in range(rounds + WARM_UP):
        for c in random.Random(number).sample(list(contenders), len(contenders)):
            spent = seconds(contenders[c], f, z, clock)
            if number >= WARM_UP:
                times[c].append(spent)
    unit = times["plain"]
    print(
        f"\n{name}: plain forward-backward {1000 * statistics.median(unit):.1f} ms (median), "
        f"{1000 * min(unit):.1f} ms (min)"
    )
    print(f"{'':<46} {'step':>6} {'min':>6} {'alone':>8} {'min':>6}")
    for p in penalties:
        ratios = []
        for kind in ("step", "alone"):
            found = times[f"{p}, {kind}"]
            ratios.append(statistics.median(a / b for a, b in zip(found, unit, strict=True)))
            ratios.append(min(found) / min(unit))
        print(f"{p:<46} {ratios[0]:>6.2f} {ratios[1]:>6.2f} {ratios[2]:>8.2f} {ratios[3]:>6.2f}")


def full(f: nn.Module, z: Tensor, clock: Clock) -> None:
    ways = [("full Hessian, Laplacian", full_hessian, 1)]
    if z.is_complex():
        ways.insert(0, ("full Jacobian, Cauchy-Riemann", full_jacobian, 32))
    for name, way, examples in ways:
        few = z[:examples]
        seconds(way, f, few, clock)
        pairs = [(seconds(way, f, few, clock), seconds(plain, f, z, clock)) for _ in range(3)]
        scaled = statistics.median(a * BATCH / examples / b for a, b in pairs)
        least = min(a for a, _ in pairs) * BATCH / examples / min(b for _, b in pairs)
        label = f"{name} ({examples} of {BATCH}, scaled)"
        print(f"{label:<46} {'':>6} {'':>6} {scaled:>8.1f} {least:>6.1f}")


if __name__ == "__main__":
    main()
