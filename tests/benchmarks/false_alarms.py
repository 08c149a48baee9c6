"""Does `assert_holomorphic` accuse the innocent? Random holomorphic networks, as many as you like.

Run: python tests/benchmarks/false_alarms.py [--count 2000] [--jobs 2]

Network k is `testing.random_network(k)`: depths 1 to 6, every activation of the catalogue and
members of its families, complex64 for odd k and complex128 for even k; the assertion looks at eval
and train mode, moved statistics and perturbed parameters. Prints every alarm, then counts.
"""

import argparse
import collections
import multiprocessing
import time

import torch
from rich.progress import track

from holonet.nn import Activation
from holonet.testing import assert_holomorphic, random_network


def examine(seed: int) -> tuple[int, str, float, int, list[str]]:
    """One network: seed, alarm or '', error, depth, activations."""
    torch.set_num_threads(1)
    network, points = random_network(seed, dtype=torch.complex64 if seed % 2 else torch.complex128)
    names = [m.function.name for m in network.modules() if isinstance(m, Activation)]
    try:
        error = assert_holomorphic(network, points)
    except Exception as alarm:
        return seed, f"{type(alarm).__name__}: {alarm}", float("nan"), len(names), names
    return seed, "", error, len(names), names


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    seeds = range(chosen.first, chosen.first + chosen.count)
    start = time.perf_counter()
    with multiprocessing.get_context("spawn").Pool(chosen.jobs) as pool:
        found = list(track(pool.imap_unordered(examine, seeds, chunksize=8), total=len(seeds)))
    alarms = [f"seed {seed}: {alarm}" for seed, alarm, *_ in sorted(found) if alarm]
    print("\n".join(alarms))
    depths = collections.Counter(depth for *_, depth, _ in found)
    activations = collections.Counter(name for *_, names in found for name in names)
    seconds = time.perf_counter() - start
    print(f"{len(alarms)} false alarms in {len(seeds)} networks, {seconds:.0f} s")
    print(f"largest error {max(error for _, alarm, error, *_ in found if not alarm):.2g}")
    print("activations per network:", dict(sorted(depths.items())))
    print("activations:", dict(sorted(activations.items())))


if __name__ == "__main__":
    main()
