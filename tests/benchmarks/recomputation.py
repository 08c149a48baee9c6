"""Peaks of memory with activations recomputed: python tests/benchmarks/recomputation.py.

Steps with the loss alone, and with the Dirichlet energy of one probe by double backward: through
torch.func as in the library, and through torch.autograd.grad, which checkpointed layers pass.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from holonet.bench import Work, peak
from holonet.calculus import pullback
from holonet.nn import HolomorphicClassifier, holomorphic_mlp

SHAPES = ((784, (512, 512), 256), (784, (32,) * 16, 16_384))
Pull = Callable[[Callable[[Tensor], Tensor], Tensor], tuple[Tensor, Callable[[Tensor], Tensor]]]


def retaining(f: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Callable]:
    leaf = x.clone().requires_grad_()
    value = f(leaf)
    return value, lambda w: torch.autograd.grad(value, leaf, w, create_graph=True)[0]


def in_segments(network: HolomorphicClassifier) -> Callable[[Tensor], Tensor]:
    """The network, its layers recomputed in pairs in the backward pass."""
    layers = list(network.backbone.children())
    segments = [nn.Sequential(*layers[k : k + 2]) for k in range(0, len(layers), 2)]

    def forward(z: Tensor) -> Tensor:
        for segment in segments:
            z = checkpoint(segment, z, use_reentrant=False)
        return network.readout(z)

    return forward


def training(
    shape: tuple[int, tuple[int, ...], int], pull: Pull | None, recompute: bool
) -> Callable[[], Work]:
    inputs, hidden, batch = shape

    def build() -> Work:
        network = holomorphic_mlp(inputs, hidden, 10)
        f = in_segments(network) if recompute else network
        x, y = torch.rand(batch, inputs), torch.randint(10, (batch,))
        optimizer = torch.optim.Adam(network.parameters())

        def differentiate() -> None:
            optimizer.zero_grad()
            if pull is None:
                nn.functional.cross_entropy(f(x), y).backward()
                return
            value, backward = pull(f, x)
            energy = backward(torch.randn_like(value)).square().sum()
            (nn.functional.cross_entropy(value, y) + energy).backward()

        return Work(differentiate, optimizer.step)

    return build


def main() -> None:
    ways = {
        "standard": (None, False),
        "standard, recomputed": (None, True),
        "energy, torch.func": (pullback, False),
        "energy, autograd.grad": (retaining, False),
        "energy, autograd.grad, recomputed": (retaining, True),
    }
    for shape in SHAPES:
        print(f"\n{shape[0]}, {len(shape[1])} hidden layers of {shape[1][0]}, batch {shape[2]}")
        for name, (pull, recompute) in ways.items():
            found = peak(training(shape, pull, recompute))
            print(
                f"{name:<36} {found.whole / 2**20:>7.1f} MiB, of them activations "
                f"{found.activations / 2**20:>7.1f}"
            )


if __name__ == "__main__":
    main()
