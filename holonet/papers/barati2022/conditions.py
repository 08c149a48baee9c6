"""Problems in the plane, and the conditions that are compared on them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from holonet._types import TensorFunction
from holonet.data import DiscMode, RingPotential
from holonet.errors import ConfigError
from holonet.nn import HolomorphicClassifier, LogModulus, holomorphic_mlp, real_mlp

__all__ = [
    "CONDITIONS",
    "PROBLEMS",
    "Condition",
    "OneVariable",
    "Problem",
    "as_complex",
    "closed_form",
    "planar_model",
]

Problem = DiscMode | RingPotential

PROBLEMS: Mapping[str, Problem] = {
    "disc-2": DiscMode(2),
    "disc-4": DiscMode(4),
    "ring": RingPotential(),
}
"""What is solved. The ring's radii have the ratio e, so that log|z| alone solves it."""

WEIGHT = 0.05
"""Of the energy, in the conditions that have one."""


@dataclass(frozen=True)
class Condition:
    """A network with its risk and energy.

    Args:
        network: "real" (tanh, on R^2), "one variable" (holomorphic in z = x + iy, real part),
            "log-modulus" (the same, log|.|), "affine log-modulus" (of an affine map), "two
            variables" (holomorphic on C^2, at real points).
        weight: of the Dirichlet energy.
        filled: whether the risk is taken over the whole domain instead of its boundary.
        problems: by name.
    """

    network: str
    weight: float
    filled: bool
    problems: tuple[str, ...]


CONDITIONS: Mapping[str, Condition] = {
    "risk": Condition("real", 0.0, False, ("disc-2", "disc-4", "ring")),
    "energy": Condition("real", WEIGHT, False, ("disc-2", "disc-4", "ring")),
    "filled": Condition("real", WEIGHT, True, ("disc-2", "disc-4")),
    "one-variable": Condition("one variable", 0.0, False, ("disc-2", "disc-4", "ring")),
    "log-modulus": Condition("log-modulus", 0.0, False, ("ring",)),
    "affine-log-modulus": Condition("affine log-modulus", 0.0, False, ("ring",)),
    "two-variables": Condition("two variables", 0.0, False, ("disc-2", "disc-4")),
}
"""All that is compared."""


class OneVariable(nn.Module):
    """A classifier of one complex variable, as a function of the plane: (x, y) -> net(x + iy).

    Law: harmonic in x and y where the readout is the real part.
    """

    def __init__(self, net: HolomorphicClassifier) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Float[Tensor, "batch 2"]) -> Float[Tensor, "batch 1"]:
        """The value at each point of the plane."""
        return self.net(torch.complex(x[:, :1], x[:, 1:]))


def planar_model(network: str, width: int, seed: int) -> nn.Module:
    """A small network of that kind (see `Condition`), from the plane to one number.

    Raises:
        ConfigError: no such kind.
    """
    generator = torch.Generator().manual_seed(seed)
    hidden = (width, width)
    match network:
        case "real":
            return real_mlp(2, hidden, 1, activation=nn.Tanh, generator=generator)
        case "one variable":
            return OneVariable(holomorphic_mlp(1, hidden, 1, generator=generator))
        case "log-modulus" | "affine log-modulus":
            hidden = hidden if network == "log-modulus" else ()
            net = holomorphic_mlp(1, hidden, 1, readout=LogModulus(), generator=generator)
            return OneVariable(net)
        case "two variables":
            return holomorphic_mlp(2, hidden, 1, generator=generator)
    raise ConfigError(
        f"network {network!r}: choose 'real', 'one variable', 'log-modulus', "
        "'affine log-modulus' or 'two variables'"
    )


def closed_form(problem: Problem, condition: Condition) -> TensorFunction:
    """The minimizer of the objective, as a function of the plane to shape (batch, 1)."""
    if condition.filled and isinstance(problem, DiscMode):
        return lambda x: problem.filled_solution(as_complex(x), condition.weight)[:, None]
    return lambda x: problem.soft_solution(as_complex(x), condition.weight)[:, None]


def as_complex(x: Float[Tensor, "points 2"]) -> Complex[Tensor, " points"]:
    """The points of the plane as complex numbers."""
    return torch.complex(x[:, 0], x[:, 1])
