"""What is measured: entrywise functions, training steps, rules and penalties beside baselines."""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

from holonet import ops
from holonet._provenance import last_level_cache
from holonet.audit import layer_types
from holonet.bench.baselines import ACTIVATIONS, BaselineNetwork, affine_layers, compilers
from holonet.bench.case import (
    Case,
    Contender,
    Loss,
    MemoryCase,
    complex_products,
    cross_entropy,
    entrywise,
    of_products,
    traffic,
    training_step,
    training_work,
)
from holonet.bench.gpu import gpu_cases
from holonet.bench.memory import Work
from holonet.functions import get_function
from holonet.nn import HolomorphicClassifier, holomorphic_mlp
from holonet.regularizers import (
    CauchyRiemannPenalty,
    DirichletEnergy,
    LaplacianPenalty,
    Regularizer,
)
from holonet.training import ModelConfig, RuleConfig

__all__ = ["SUITES"]

LARGE = 2_000_000
SIZES = (64, 512, 4096, 65_536, LARGE)
CLASSES = 10
LAYERS = (784, (512, 512), 256)  # inputs, hidden widths, batch
SMALL = (32, (32, 32, 32), 65_536)
CACHES = 4  # last-level caches that streamed data fill, as STREAM asks


def pointwise_cases(quick: bool = False) -> Iterator[Case]:
    """phi(z) forwards, and forwards and backwards, against torch's own, over sizes.

    At the largest size also forwards on inputs and outputs that no cache holds.
    """
    pool = _pool()
    for size in (LARGE,) if quick else SIZES:
        z = 0.5 * torch.randn(size, dtype=torch.complex64) + 0.2
        g = torch.randn_like(z)
        for name, eager in ACTIVATIONS.items():
            functions = {"holonet": partial(ops.pointwise, get_function(name)), "torch": eager}
            if size == LARGE and not quick:
                functions |= {who: compiled(eager) for who, compiled in compilers().items()}
            yield from entrywise(name, functions, z, g)
            if size == LARGE:
                *streamed, copies = _streamed([*functions.values(), torch.clone], pool)
                yield Case(
                    f"{name}, {size} entries, forward, from memory",
                    dict(zip(functions, streamed, strict=True)),
                    {"copy": copies},
                    traffic(z, 2),
                )


def step_cases(quick: bool = False) -> Iterator[Case]:
    """A training step (loss, backward, Adam) against torch, complextorch and real networks.

    In the wide and deep network products take the time, in the small one on many examples the
    entrywise functions, for minutes.
    """
    for inputs, hidden, batch in (LAYERS,) if quick else (LAYERS, SMALL):
        x, y = _batch(batch, inputs)
        widths = (inputs, *hidden, CLASSES)
        for name in ("square", "sin", "tanh"):
            act = ACTIVATIONS[name]
            real = ModelConfig(coefficients="real", activation="relu", match="macs", hidden=hidden)
            models = {
                "holonet": holomorphic_mlp(inputs, hidden, CLASSES, activation=name, gain=0.5),
                "torch": BaselineNetwork(affine_layers(nn.Linear, widths), act),
                "complextorch": BaselineNetwork(
                    affine_layers(layer_types()["Linear"], widths), act
                ),
            }
            steps = {
                who: training_step(model, cross_entropy, x, y) for who, model in models.items()
            }
            if not quick:
                for who, compiled in compilers().items():
                    network = BaselineNetwork(affine_layers(nn.Linear, widths), act)
                    steps[who] = training_step(network, _through(compiled(network)), x, y)
            yield Case(
                f"step, {name}, {_shape(inputs, hidden, batch)}",
                steps,
                {
                    "real network of equal MACs": training_step(
                        real.build((inputs,), CLASSES), cross_entropy, x, y
                    ),
                    "complex products": complex_products(widths, batch),
                },
                of_products(widths, batch),
            )


def rule_cases(quick: bool = False) -> Iterator[Case]:
    """Training rules in units of the standard step of the same network."""
    names = ["analytic", "linearized", "pgd"]
    if not quick:
        names += ["fgsm-rs", "trades"]
    yield from _against_standard("rules", _rules(names))


def penalty_cases(quick: bool = False) -> Iterator[Case]:
    """Cross-entropy and a penalty at lifted points, in units of the standard step at real ones."""
    yield from _against_standard("penalties", _penalties())


def memory_cases(quick: bool = False) -> Iterator[MemoryCase]:
    """The peaks of rules and penalties in units of that of the standard step."""
    losses = {**_rules(["analytic", "linearized", "pgd"]), **_penalties()}
    for activation in ("square", "sin"):
        yield MemoryCase(
            f"memory, {activation}, {_shape(*LAYERS)}",
            {name: partial(_training, activation, loss) for name, loss in losses.items()},
            {"standard step": partial(_training, activation, _standard())},
        )


SUITES: Mapping[str, Callable[[bool], Iterator[Case | MemoryCase]]] = MappingProxyType(
    {
        "pointwise": pointwise_cases,
        "step": step_cases,
        "rules": rule_cases,
        "penalties": penalty_cases,
        "memory": memory_cases,
        "gpu": gpu_cases,
    }
)
"""Name -> its cases; True for the few that take seconds."""


def _pool() -> list[Tensor]:
    """Inputs of the largest size that together are `CACHES` last-level caches."""
    size = LARGE * torch.complex64.itemsize
    count = math.ceil(CACHES * last_level_cache() / size)
    return [0.5 * torch.randn(LARGE, dtype=torch.complex64) + 0.2 for _ in range(count)]


def _streamed(
    functions: Sequence[Callable[[Tensor], Tensor]], pool: Sequence[Tensor]
) -> list[Contender]:
    """Functions that take the inputs of a pool in turn, all in one turn, and keep as many outputs.

    So whoever runs, what it reads and what it writes was last touched a whole pool ago. Outputs
    are kept from the start, so that no call is the first to touch its memory.
    """
    turn: Iterator[Tensor] = itertools.cycle(pool)
    outputs: deque[Tensor] = deque((z.clone() for z in pool), maxlen=len(pool))

    def streaming(function: Callable[[Tensor], Tensor]) -> Contender:
        return lambda: outputs.append(function(next(turn)))

    return [streaming(function) for function in functions]


def _rules(names: Sequence[str]) -> dict[str, Loss]:
    return {name: RuleConfig.model_validate({"name": name}).build() for name in names}


def _standard() -> Loss:
    return RuleConfig(name="standard").build()


def _penalties() -> dict[str, Loss]:
    penalties = (CauchyRiemannPenalty(), LaplacianPenalty(), DirichletEnergy())
    return {type(penalty).__name__: partial(_penalized, penalty) for penalty in penalties}


def _penalized(penalty: Regularizer, model: HolomorphicClassifier, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy, and the penalty of the holomorphic map at the inputs as complex points."""
    value, amount = penalty.value_and_penalty(model.holomorphic_map, x.to(model.dtype))
    return nn.functional.cross_entropy(model.readout(value), y) + amount


def _against_standard(suite: str, losses: Mapping[str, Loss]) -> Iterator[Case]:
    """Steps of the z^2 and the sin network under losses, beside the standard step."""
    inputs, _, batch = LAYERS
    x, y = _batch(batch, inputs)
    for activation in ("square", "sin"):
        model = _network(activation)
        yield Case(
            f"{suite}, {activation}, {_shape(*LAYERS)}",
            {name: training_step(model, loss, x, y) for name, loss in losses.items()},
            {"standard step": training_step(model, _standard(), x, y)},
        )


def _training(activation: str, loss: Loss) -> Work:
    inputs, _, batch = LAYERS
    return training_work(_network(activation), loss, *_batch(batch, inputs))


def _network(activation: str) -> nn.Module:
    inputs, hidden, _ = LAYERS
    return ModelConfig(hidden=hidden, activation=activation).build(inputs, CLASSES)


def _batch(size: int, inputs: int) -> tuple[Tensor, Tensor]:
    return torch.rand(size, inputs), torch.randint(CLASSES, (size,))


def _shape(inputs: int, hidden: Sequence[int], batch: int) -> str:
    return f"{'-'.join(map(str, (inputs, *hidden, CLASSES)))}, batch {batch}"


def _through(run: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """The cross-entropy of a compiled form of the network that is trained."""
    return lambda network, x, y: nn.functional.cross_entropy(run(x), y)
