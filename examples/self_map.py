"""Networks that map the polydisc into itself, and what the lemma of Schwarz and Pick proves.

Complex networks of Blaschke products learn the digits, with their rows shrunk after each step
(nn.to_self_map_). Printed for each depth: accuracy, what PGD leaves, and what three kinds of
certificates prove of the same test images in exact arithmetic, with the time an image. The last
line of each depth is the control: the same network and training with rows as large as they like.

Run: python examples/self_map.py
"""

import argparse
import time

import torch

from holonet import nn
from holonet.attacks import pgd
from holonet.certify import certify
from holonet.data import Dataset, load_digits
from holonet.functions import blaschke
from holonet.threats import ThreatModel
from holonet.training import LinearizedRobustOptimization, TrainConfig, accuracy, fit

METHODS = ("intervals", "schwarz_pick", "tangents")
THREAT = ThreatModel("Linf", eps=0.02)


def trained(data: Dataset, depth: int, seed: int, epochs: int, self_map: bool) -> torch.nn.Module:
    """Layers of width 64 behind 64 pixels, and a linear readout of any size."""
    torch.manual_seed(seed)
    layers = [part() for _ in range(depth) for part in (_linear, _activation)]
    body = nn.Sequential(nn.Flatten(), *layers)
    model = nn.HolomorphicClassifier(nn.Sequential(body, nn.Linear(64, data.num_classes)))

    def shrink(step: int = 0) -> None:
        del step
        if self_map:
            nn.to_self_map_(body)

    shrink()
    config = TrainConfig(epochs=epochs, batch_size=64, lr=3e-3, seed=seed)
    fit(model, data, LinearizedRobustOptimization(THREAT), config, on_step=shrink)
    return model


def _linear() -> nn.Linear:
    return nn.Linear(64, 64)


def _activation() -> nn.Activation:
    return nn.Activation(blaschke([0.5]))


def main(quick: bool = False) -> None:
    """Train every depth with every seed, print a line for each kind of network."""
    depths, seeds, epochs, count = ((2, 4), (0, 1, 2), 60, 359) if not quick else ((2,), (0,), 3, 8)
    data = load_digits()
    x, y = data.x_test[:count], data.y_test[:count]
    print(f"digits, width 64, {epochs} epochs, {len(y)} test images, seeds {seeds}, {THREAT}")
    print("percent of the images, and milliseconds an image")
    head = "".join(f"{method:>20}" for method in METHODS)
    print(f"{'depth':>5} {'rows':>8} {'clean':>6} {'PGD':>6}{head}")
    for depth in depths:
        for self_map in (True, False):
            rows = []
            for seed in seeds:
                model = trained(data, depth, seed, epochs, self_map)
                shares = [accuracy(model, x, y), pgd(model, x, y, THREAT).accuracy]
                rows.append([*shares, *(v for m in METHODS for v in proved(model, x, y, m))])
            clean, attacked, *found = torch.tensor(rows).mean(0).tolist()
            cells = "".join(
                f"{100 * share:>10.1f} {1000 * seconds / len(y):>6.1f} ms"
                for share, seconds in zip(found[::2], found[1::2], strict=True)
            )
            kind = "at most 1" if self_map else "free"
            print(f"{depth:>5} {kind:>9} {100 * clean:>5.1f} {100 * attacked:>6.1f}{cells}")


def proved(
    model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, method: str
) -> tuple[float, float]:
    """The share of the images with a certificate, and seconds for all of them."""
    start = time.perf_counter()
    proofs = certify(model, x, y, THREAT, [method])
    return sum(p.holds for p in proofs) / len(proofs), time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one depth, one seed, few epochs")
    main(parser.parse_args().quick)
