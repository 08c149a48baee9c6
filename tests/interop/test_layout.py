"""Laying examples out as images changes neither them nor the model's answers."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.interop import ImageLayout

shapes = st.lists(st.integers(1, 7), min_size=1, max_size=4).map(tuple)


class Weighted(nn.Module):
    """Two logits that see every entry, and the dtype they were given."""

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten(1)
        weights = torch.arange(1.0, flat.shape[1] + 1, dtype=x.dtype)
        return torch.stack([flat @ weights, flat.sum(1)], 1)


@given(
    shape=shapes,
    n=st.integers(1, 3),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 99),
)
def test_nothing_changes(shape: tuple[int, ...], n: int, dtype: torch.dtype, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, other = (torch.rand(n, *shape, generator=generator, dtype=dtype) for _ in range(2))
    layout = ImageLayout(Weighted(), x)
    images = layout.spread(x)
    assert images.ndim == 4
    assert images.dtype == layout(images).dtype == torch.float32
    assert min(images.shape[2:]) >= 5
    assert torch.equal(layout.gather(images), x.float().to(dtype))
    torch.testing.assert_close(layout(images), Weighted()(x).float())
    moved = (images - layout.spread(other)).flatten(1)
    kept = (x.float() - other.float()).flatten(1)
    for order in (1, 2, torch.inf):
        torch.testing.assert_close(moved.norm(order, 1), kept.norm(order, 1))
    assert ((images >= 0) & (images <= 1)).all()


@each(
    ("shape", "expected"),
    [
        ((64,), (1, 8, 8)),
        ((8, 8), (1, 8, 8)),
        ((3, 8, 8), (3, 8, 8)),
        ((1, 5, 7), (1, 5, 7)),
        ((3, 4, 4), (1, 7, 7)),
        ((2,), (1, 5, 5)),
        ((65,), (1, 9, 9)),
    ],
)
def test_shapes(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    x = torch.rand(2, *shape)
    assert ImageLayout(Weighted(), x).spread(x).shape[1:] == expected


def test_gradients_come_through_and_unseen_pixels_have_none() -> None:
    x = torch.rand(2, 7)
    layout = ImageLayout(Weighted(), x)
    images = layout.spread(x).requires_grad_()
    layout(images)[:, 0].sum().backward()
    assert images.grad is not None
    gradient = images.grad.flatten(1)
    torch.testing.assert_close(gradient[:, :7], torch.arange(1.0, 8).expand(2, 7))
    assert not gradient[:, 7:].any()


def test_parameters_are_the_models_own() -> None:
    model = nn.Linear(3, 2)
    layout = ImageLayout(model, torch.rand(1, 3))
    assert next(layout.parameters()) is model.weight
