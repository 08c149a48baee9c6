"""Time of a continuation at complex points beside the real model's forward, at equal batch.

    python tests/benchmarks/continuation.py --threads 1

Both run in turn, so that what else the machine does meets both. Times are the least of all rounds,
of one thread its processor time. The ratio is that of the two times, and beside it the median of
the ratios of the rounds. Memory is the peak of torch's allocator during the pass. glibc is told to
keep freed memory, unless --glibc-defaults is given.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

from freed_memory import add_option, keep_freed_memory
from holonet.bench.memory import Work, peak
from holonet.continuation import extend


def convolutional(width: int) -> nn.Module:
    layers: list[nn.Module] = []
    channels = 3
    for stride in (1, 2, 2):
        layers += [nn.Conv2d(channels, width, 3, stride, 1), nn.BatchNorm2d(width), nn.SiLU()]
        channels, width = width, 2 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def attention() -> nn.Module:
    return nn.TransformerEncoderLayer(128, 4, 512, activation="gelu", batch_first=True)


def rounds(*calls: Callable[[], object], count: int = 60) -> list[list[float]]:
    """The times of each call, round by round."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(count):
        for call, own in zip(calls, times, strict=True):
            start = clock()
            call()
            own.append(clock() - start)
    return [own[1:] for own in times]


def megabytes(call: Callable[[], object]) -> float:
    return peak(lambda: Work(call, lambda: None)).activations / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    add_option(parser)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if not arguments.glibc_defaults:
        print(keep_freed_memory())
    torch.manual_seed(0)
    cases = {
        **{
            f"3 convolutions of width {width}, {n} x 3 x 32 x 32": (
                convolutional(width),
                torch.randn(n, 3, 32, 32),
            )
            for width, n in ((32, 32), (64, 16), (128, 4))
        },
        "50 tanh, 4 x 4": (nn.Sequential(*[nn.Tanh()] * 50), torch.randn(4, 4)),
        "transformer encoder layer, 16 x 64 x 128": (attention(), torch.randn(16, 64, 128)),
    }
    print("| model | real, ms | complex, ms | ratio | median | real, MB | complex, MB |")
    print("|---|---|---|---|---|---|---|")
    for name, (model, x) in cases.items():
        model.eval()
        f, z = extend(model), torch.complex(x, 0.1 * torch.randn_like(x))
        calls = (lambda m=model, x=x: m(x), lambda f=f, z=z: f(z))
        with torch.no_grad():
            real, extended = rounds(*calls)
            memory = " | ".join(f"{megabytes(call):.1f}" for call in calls)
        median = statistics.median(b / a for a, b in zip(real, extended, strict=True))
        a, b = min(real), min(extended)
        times = f"{1e3 * a:.1f} | {1e3 * b:.1f} | {b / a:.2f} | {median:.2f}"
        print(f"| {name} | {times} | {memory} |")


if __name__ == "__main__":
    main()
