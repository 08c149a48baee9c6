"""What is timed: entrywise functions, training steps, training rules, each beside its rivals."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from holonet import ops
from holonet.experiments.bench.rivals import ACTIVATIONS, RivalNetwork, affine_layers, compilers
from holonet.functions import get_function
from holonet.interop import layer_types
from holonet.nn import holomorphic_mlp
from holonet.training import ModelConfig, RuleConfig

__all__ = ["SUITES", "Case", "Contender"]

Contender = Callable[[], object]

LARGE = 2_000_000
SIZES = (64, 512, 4096, 65_536, LARGE)
BATCH, INPUTS, CLASSES = 256, 784, 10


@dataclass(frozen=True)
class Case:
    """Contenders that do the same work, "holonet" among them, and floors that bound it.

    Args:
        name: of the case.
        contenders: by name.
        floors: things that are no rivals (a copy of the input, products alone).
    """

    name: str
    contenders: Mapping[str, Contender]
    floors: Mapping[str, Contender]


def pointwise_cases(quick: bool = False) -> Iterator[Case]:
    """phi(z) forwards, and forwards and backwards, against torch's own, over sizes."""
    for size in (LARGE,) if quick else SIZES:
        z = 0.5 * torch.randn(size, dtype=torch.complex64) + 0.2
        g = torch.randn_like(z)
        leaf = z.clone().requires_grad_()
        for name, eager in ACTIVATIONS.items():
            record = get_function(name)
            copy = {"copy": z.clone}
            functions = {"holonet": partial(ops.pointwise, record), "torch": eager}
            if size == LARGE and not quick:
                functions |= {who: compiled(eager) for who, compiled in compilers().items()}
            yield Case(
                f"{name}, {size} entries, forward",
                {who: partial(f, z) for who, f in functions.items()},
                copy,
            )
            yield Case(
                f"{name}, {size} entries, forward and backward",
                {who: _pulled(f, leaf, g) for who, f in functions.items()},
                copy,
            )


def step_cases(quick: bool = False) -> Iterator[Case]:
    """A training step (loss, backward, Adam) against torch, complextorch and real networks."""
    shapes: dict[str, tuple[int, tuple[int, ...], int]] = {
        "784-512-512-10, batch 256": (784, (512, 512), 256)
    }
    if not quick:
        shapes["32-32-32-32-10, batch 65536"] = (32, (32, 32, 32), 65_536)
    for shape, (inputs, hidden, batch) in shapes.items():
        x, y = torch.rand(batch, inputs), torch.randint(CLASSES, (batch,))
        widths = (inputs, *hidden, CLASSES)
        for name in ("square", "sin", "tanh"):
            act = ACTIVATIONS[name]
            real = ModelConfig(kind="real-flops-twin", hidden=hidden)
            models = {
                "holonet": holomorphic_mlp(inputs, hidden, CLASSES, activation=name, gain=0.5),
                "torch": RivalNetwork(affine_layers(nn.Linear, widths), act),
                "complextorch": RivalNetwork(affine_layers(layer_types()["Linear"], widths), act),
            }
            if not quick:
                for who, compiled in compilers().items():
                    models[who] = compiled(RivalNetwork(affine_layers(nn.Linear, widths), act))
            yield Case(
                f"step, {name}, {shape}",
                {who: _step(model, _cross_entropy, x, y) for who, model in models.items()},
                {
                    "real network of equal flops": _step(
                        real.build((inputs,), CLASSES), _cross_entropy, x, y
                    ),
                    "complex products": _products(widths, batch),
                },
            )


def rule_cases(quick: bool = False) -> Iterator[Case]:
    """Training rules in units of the standard step of the same network."""
    x, y = torch.rand(BATCH, INPUTS), torch.randint(CLASSES, (BATCH,))
    names = (
        ["analytic", "linearized", "pgd"]
        if quick
        else [
            "analytic",
            "linearized",
            "fgsm-rs",
            "pgd",
            "trades",
        ]
    )
    for activation in ("square", "sin"):
        config = ModelConfig(hidden=(512, 512), activation=activation)
        model = config.build(INPUTS, CLASSES)
        rules = {name: RuleConfig.model_validate({"name": name}).build() for name in names}
        yield Case(
            f"rules, {activation}, 784-512-512-10, batch 256",
            {name: _step(model, rule, x, y) for name, rule in rules.items()},
            {"standard step": _step(model, RuleConfig(name="standard").build(), x, y)},
        )


SUITES: Mapping[str, Callable[[bool], Iterator[Case]]] = MappingProxyType(
    {"pointwise": pointwise_cases, "step": step_cases, "rules": rule_cases}
)
"""Name -> its cases; True for the few that take seconds."""


def _pulled(function: Callable[[Tensor], Tensor], leaf: Tensor, g: Tensor) -> Contender:
    return lambda: torch.autograd.grad(function(leaf), leaf, g)


def _cross_entropy(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    return nn.functional.cross_entropy(model(x), y)


def _step(
    model: nn.Module, loss: Callable[[nn.Module, Tensor, Tensor], Tensor], x: Tensor, y: Tensor
) -> Contender:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-5)

    def step() -> None:
        optimizer.zero_grad()
        loss(model, x, y).backward()
        optimizer.step()

    return step


def _products(widths: Sequence[int], batch: int) -> Contender:
    """The matrix products of a step, alone: forwards, and backwards to inputs and weights."""
    pairs = [
        (torch.randn(batch, n, dtype=torch.cfloat), torch.randn(m, n, dtype=torch.cfloat))
        for n, m in itertools.pairwise(widths)
    ]

    def run() -> None:
        for k, (z, w) in enumerate(pairs):
            out = z @ w.T
            _ = out.T @ z
            if k:
                _ = out @ w

    return run
