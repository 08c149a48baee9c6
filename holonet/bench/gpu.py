"""What is measured on a GPU: compiled functions beside torch's and the bandwidth of a copy."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from holonet import ops
from holonet.bench.baselines import ACTIVATIONS, BaselineNetwork, affine_layers
from holonet.bench.case import (
    Case,
    Contender,
    Least,
    complex_products,
    cross_entropy,
    entrywise,
    of_products,
    training_step,
)
from holonet.errors import ConfigError
from holonet.functions import get_function
from holonet.nn import holomorphic_mlp

__all__ = ["gpu_cases"]

ENTRIES = 1 << 26
PRODUCT = 4096
LAYERS = (2048, (2048,) * 4, 4096)  # inputs, hidden widths, batch
CLASSES = 10


def gpu_cases(quick: bool = False) -> Iterator[Case]:
    """Entrywise functions, products and a training step on the GPU.

    Raises:
        ConfigError: there is no CUDA device.
    """
    if not torch.cuda.is_available():
        raise ConfigError(
            "the suite 'gpu' needs a CUDA device, and torch sees none: run it on a machine with "
            "one, with a CUDA build of torch and pip install 'holonet[triton]'"
        )
    for case in _cases("cuda", ("tanh",) if quick else ("exp", "sin", "square", "tanh")):
        yield replace(
            case,
            contenders=_awaited(case.contenders),
            lower_bounds=_awaited(case.lower_bounds),
        )


def _cases(device: str, names: tuple[str, ...]) -> Iterator[Case]:
    """The cases on a device; calls may return before it is done."""
    for name in names:
        functions = {
            "holonet": partial(ops.pointwise, get_function(name)),
            "torch": ACTIVATIONS[name],
        }
        yield from entrywise(name, functions, *_points(2, ENTRIES, device=device), roofline=True)
    yield from _products(device)
    yield from _steps(device)


def _awaited(contenders: Mapping[str, Contender]) -> Mapping[str, Contender]:
    """Contenders that return when the device is done."""

    def awaiting(run: Contender) -> Contender:
        return lambda: (run(), torch.cuda.synchronize())

    return MappingProxyType({name: awaiting(run) for name, run in contenders.items()})


def _products(device: str) -> Iterator[Case]:
    """Complex products in the precisions that a card has."""
    z, w = _points(2, PRODUCT, PRODUCT, device=device)

    def rounded(run: Callable[[], Tensor]) -> Contender:
        def under_autocast() -> Tensor:
            with torch.autocast(device, torch.bfloat16):
                return run()

        return under_autocast

    product, eager = partial(ops.affine, z, w), partial(nn.functional.linear, z, w)
    for dtype, contenders in (
        (torch.float32, {"holonet": product, "torch": eager}),
        (torch.bfloat16, {"holonet": rounded(product), "torch, complex64": eager}),
    ):
        real = torch.randn(PRODUCT, PRODUCT, device=device, dtype=dtype)
        name = f"real {str(dtype).removeprefix('torch.')} product"
        yield Case(
            f"product, {PRODUCT} by {PRODUCT}, on {name}s",
            contenders,
            {name: partial(torch.matmul, real, real)},
            Least("flop", 8 * PRODUCT**3, name, 2 * PRODUCT**3),
        )


def _steps(device: str) -> Iterator[Case]:
    """A training step; holonet's in complex64 and under autocast."""
    inputs, hidden, batch = LAYERS
    x = torch.rand(batch, inputs, device=device)
    y = torch.randint(CLASSES, (batch,), device=device)
    widths = (inputs, *hidden, CLASSES)
    for name in ("square", "tanh"):

        def ours(name: str = name) -> nn.Module:
            return holomorphic_mlp(inputs, hidden, CLASSES, activation=name, gain=0.5).to(device)

        def rounded(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
            with torch.autocast(device, torch.bfloat16):
                logits = model(x)
            return nn.functional.cross_entropy(logits, y)

        eager = BaselineNetwork(affine_layers(nn.Linear, widths), ACTIVATIONS[name]).to(device)
        yield Case(
            f"step, {name}, {'-'.join(map(str, widths))}, batch {batch}",
            {
                "holonet": training_step(ours(), rounded, x, y),
                "holonet, complex64": training_step(ours(), cross_entropy, x, y),
                "torch": training_step(eager, cross_entropy, x, y),
                "torch, tf32": _in_tf32(training_step(eager, cross_entropy, x, y)),
            },
            {"complex products": complex_products(widths, batch, device)},
            of_products(widths, batch),
        )


def _in_tf32(run: Contender) -> Contender:
    def allowed() -> None:
        matmul = torch.backends.cuda.matmul
        before, matmul.allow_tf32 = matmul.allow_tf32, True
        try:
            run()
        finally:
            matmul.allow_tf32 = before

    return allowed


def _points(*shape: int, device: str) -> Tensor:
    return 0.5 * torch.randn(shape, dtype=torch.complex64, device=device) + 0.2
