"""Comparisons, maxima and sorting at a frozen base point."""

import pytest
import torch
from torch import nn

from cases import each
from holonet.continuation import extend
from holonet.continuation.order import ORDER
from holonet.errors import NotHolomorphicError

FUNCTIONS = {
    "max": lambda x: x.max(1).values,
    "min": lambda x: x.min(1, keepdim=True)[0],
    "max of all": lambda x: x.max() * x,
    "amax": lambda x: x.amax(-1) + x.amin((1,)),
    "amax of all": lambda x: x.amax() + x,
    "maximum": lambda x: torch.maximum(x, -x) + torch.min(x, x * x) + torch.max(x, x.new_zeros(4)),
    "where": lambda x: torch.where(x > 0, x, x * x) + (x <= 0.3) * x,
    "control flow": lambda x: x if x.sum() > 0 else -x,
    "sort": lambda x: x.sort(-1).values + x.sort(dim=1, descending=True)[0],
    "topk": lambda x: x.topk(2).values,
    "argmax": lambda x: x.gather(1, x.argmax(1, keepdim=True)) + x[:, x.argmin() % 4, None],
    "argsort": lambda x: x.gather(1, x.argsort(1)),
}
POOLS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, 2, 1),
    nn.AdaptiveMaxPool2d(2),
    nn.Sequential(nn.Flatten(2), nn.MaxPool1d(3)),
]


@each("name", FUNCTIONS)
def test_choice_of_the_base_point(name: str) -> None:
    f, x = FUNCTIONS[name], torch.randn(3, 4, dtype=torch.float64)
    near = x + 1e-6 * torch.randn_like(x)
    for y in (x, near):
        extended = extend(f, pieces="frozen")(y.to(torch.complex128), base=x)
        torch.testing.assert_close(extended.real, f(y))


@each("name", FUNCTIONS)
def test_refused(name: str) -> None:
    with pytest.raises(NotHolomorphicError, match="have no order"):
        extend(FUNCTIONS[name])(torch.randn(3, 4, dtype=torch.complex64))


@each("layer", POOLS)
def test_pooling_takes_the_entries_that_are_largest_at_the_base(layer: nn.Module) -> None:
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    z = torch.complex(x, torch.randn_like(x))
    value = extend(layer, pieces="frozen")(z)
    assert torch.equal(value.real, layer(x))
    assert (value.flatten(1)[:, :, None] == z.flatten(1)[:, None]).any(-1).all()


def reach(f, x: list[float], v: list[float]) -> float:
    at = torch.tensor([x], dtype=torch.float64), torch.tensor([v], dtype=torch.float64)
    return float(extend(f, pieces="frozen").reach(*at))


def test_reach_of_choices() -> None:
    x, v = [1.0, 3.0, 2.0], [2.0, 0.0, 4.0]
    assert reach(lambda x: x.max(1).values, x, v) == 0.25  # 2 + 4t = 3
    assert reach(lambda x: x.argmax(1)[:, None] * x, x, v) == 0.25
    assert reach(lambda x: x.topk(1).values, x, v) == 0.25
    assert reach(lambda x: x.topk(2).values, x, [0.0, 0.0, -2.0]) == 0.5  # the second one
    assert reach(lambda x: x.sort().values, x, [4.0, 0.0, 0.0]) == 0.25
    assert reach(lambda x: torch.where(x > 2.5, x, 0), x, v) == 0.125
    assert reach(lambda x: torch.maximum(x, 2 * x), x, v) == float("inf")
    assert reach(lambda x: x.clamp(0, 5), x, v) == 0.75
    assert ORDER["max"].rule is not None


def test_several_axes_at_once_are_refused() -> None:
    with pytest.raises(NotHolomorphicError, match="one axis"):
        extend(lambda x: x.amax((0, 1)), "frozen")(torch.ones(2, 2, dtype=torch.complex64))
    with pytest.raises(NotHolomorphicError, match="no distances"):
        extend(nn.MaxPool1d(2), "frozen").reach(torch.ones(2, 2, 4), torch.ones(2, 2, 4))
