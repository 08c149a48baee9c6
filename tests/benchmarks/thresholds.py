"""From which size on is compiled code faster than torch's? python tests/benchmarks/thresholds.py.

For each record and number of entries: how many times longer the record's torch code takes than the
compiled code, forwards, and forwards and backwards. Above 1 compiled code is faster. The thresholds
in `holonet/ops/pointwise/compiled.py` follow from this table.
"""

import argparse
from functools import partial

import torch

from holonet.bench import interleave, ratio
from holonet.functions import CATALOGUE, HolomorphicFunction
from holonet.ops import pointwise, use

RECORDS = ("square", "cube", "exp", "sin", "tanh", "reciprocal", "sigmoid", "softplus", "moebius")
SIZES = (64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 65_536, 131_072, 262_144)


def forced(backend: str, record: HolomorphicFunction, z: torch.Tensor, g: torch.Tensor | None):
    """One call on a backend, with a gradient if there is something to pull back."""
    with use(backend):
        value = pointwise(record, z)
        return value if g is None else torch.autograd.grad(value, z, g)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"{'record':<12} {'entries':>8} {'forward':>8} {'and back':>8}")
    for name in RECORDS:
        record = CATALOGUE[name]
        for size in SIZES:
            z, g = 0.5 * torch.randn(2, size, dtype=torch.complex64) + 0.2
            gains = []
            for at, pulled in ((z, None), (z.clone().requires_grad_(), g)):
                backends = {
                    backend: partial(forced, backend, record, at, pulled)
                    for backend in ("compiled", "reference")
                }
                times = interleave(backends, rounds=rounds, warmup=2)
                gains.append(ratio(times["reference"], times["compiled"]).median)
            print(f"{name:<12} {size:>8} {gains[0]:>8.2f} {gains[1]:>8.2f}")


if __name__ == "__main__":
    main()
