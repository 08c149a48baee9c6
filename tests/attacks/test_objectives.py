"""Margins, losses and goals by hand, and what is asked of a model."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.attacks import ThreatModel, margin_of, pgd
from holonet.attacks.objectives import (
    Goal,
    input_gradient,
    logits_of,
    loss_named,
    require_examples,
    require_targets,
)
from holonet.errors import ConfigError, DomainError, InputTypeError, ShapeError

seeds = st.integers(0, 2**32)


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=seeds, classes=st.integers(1, 5), n=st.integers(0, 4))
def test_margin_by_hand(seed, classes, n):
    logits = randn(seed, n, classes)
    y = torch.arange(n) % classes
    for k, margin in enumerate(margin_of(logits, y.int()).tolist()):
        row = logits[k].tolist()
        label = row.pop(int(y[k]))
        assert margin == pytest.approx(label - max(row, default=-math.inf), rel=1e-5, abs=1e-6)


@each(
    ("row", "margin"),
    [
        ([math.nan, 1.0], -math.inf),
        ([1.0, math.nan], -math.inf),
        ([math.inf, math.inf], -math.inf),
        ([math.inf, 1.0], math.inf),
        ([1.0, -math.inf], math.inf),
        ([1.0, math.inf], -math.inf),
    ],
)
def test_margins_at_the_end_of_the_numbers(row: list[float], margin: float) -> None:
    assert float(margin_of(torch.tensor([row]), torch.tensor([0]))) == margin


@given(seed=seeds, classes=st.integers(3, 6))
def test_losses_by_hand(seed, classes):
    logits, y = randn(seed, 4, classes), torch.arange(4) % classes
    margin, entropy, dlr = (loss_named(n, logits, y) for n in ("margin", "cross_entropy", "dlr"))
    for k, row in enumerate(logits.tolist()):
        label, ranked = row[int(y[k])], sorted(row, reverse=True)
        other = max(v for j, v in enumerate(row) if j != int(y[k]))
        assert float(margin[k]) == pytest.approx(other - label)
        assert float(entropy[k]) == pytest.approx(math.log(sum(map(math.exp, row))) - label)
        assert float(dlr[k]) == pytest.approx((other - label) / (ranked[0] - ranked[2]))
    torch.testing.assert_close(loss_named("dlr", 1e6 * logits, y), dlr)


def test_losses_that_cannot_be() -> None:
    logits, y = torch.zeros(1, 2), torch.tensor([0])
    with pytest.raises(ConfigError, match="2 classes: it needs 3"):
        loss_named("dlr", logits, y)
    with pytest.raises(ConfigError, match="loss='hinge'"):
        loss_named("hinge", logits, y)


@given(seed=seeds, loss=st.sampled_from(["margin", "cross_entropy", "dlr"]))
def test_goals(seed, loss):
    """Reached where the loss was made large enough: the other class ahead, the target first."""
    logits, y = randn(seed, 6, 4), torch.arange(6) % 4
    free, aimed = Goal(y), Goal(y, (y + 1) % 4)
    assert torch.equal(free.margin(logits), margin_of(logits, y))
    assert torch.equal(free.margin(logits) <= 0, logits.argmax(1) != y)
    assert torch.equal(aimed.margin(logits) <= 0, logits.argmax(1) == (y + 1) % 4)
    torch.testing.assert_close(free.loss(loss, logits), loss_named(loss, logits, y))
    if loss == "dlr":
        ranked = logits.sort(1, descending=True).values
        expected = -aimed.margin(logits) / (ranked[:, 0] - (ranked[:, 2] + ranked[:, 3]) / 2)
        with pytest.raises(ConfigError, match="3 classes: it needs 4"):
            aimed.loss(loss, logits[:, :3])
    else:
        expected = -loss_named(loss, logits, (y + 1) % 4)
    torch.testing.assert_close(aimed.loss(loss, logits), expected)
    index = torch.tensor([4, 1])
    for goal in (free, aimed):
        assert torch.equal(goal.at(index).margin(logits[index]), goal.margin(logits)[index])
    spoiled = logits.index_fill(1, torch.tensor([2]), math.nan)
    for goal in (free, aimed):
        assert goal.margin(spoiled).tolist() == [-math.inf] * 6


def test_gradients_are_torchs_and_zero_where_not_finite() -> None:
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]], requires_grad=True)
    gradient, finite = input_gradient((x.log() * x.detach()).sum(1), x)
    assert finite.tolist() == [True, True, False]
    assert gradient.tolist() == [[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]
    z = torch.tensor([[1 + 2j]], requires_grad=True)
    gradient, _ = input_gradient(z.abs().square().sum(1), z)
    assert gradient.tolist() == [[2 + 4j]]
    gradient, _ = input_gradient((1j * z).conj().real.sum(1), z)
    assert gradient.tolist() == [[-1j]]  # Re(conj(iz)) = -y
    assert not gradient.is_conj()
    with torch.no_grad():
        gradient, _ = input_gradient(_square(x), x)
    assert torch.equal(gradient, 2 * x.detach())


def _square(x: Tensor) -> Tensor:
    with torch.enable_grad():
        return x.square().sum(1)


def test_gradients_that_cannot_be_followed() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    for objective in (x.detach().sum(1), (2 * torch.ones(2, 2, requires_grad=True)).sum(1)):
        with pytest.raises(InputTypeError, match="autograd cannot follow"):
            input_gradient(objective, x)


def test_logits_must_be_real_one_row_each_and_know_the_labels() -> None:
    x, y = torch.zeros(3, 2), torch.tensor([0, 1, 1])
    assert torch.equal(logits_of(nn.Identity(), x, y), x)
    with pytest.raises(InputTypeError, match=r"complex logits.*nn\.RealPart"):
        logits_of(lambda x: x + 0j, x, y)
    for wrong in (lambda x: x[:, 0], lambda x: x[:2]):
        with pytest.raises(ShapeError, match=r"logits of shape .* for 3 labels"):
            logits_of(wrong, x, y)
    for label in (-1, 2):
        with pytest.raises(DomainError, match=f"labels from .*{label}.* for logits of 2 classes"):
            logits_of(nn.Identity(), x, torch.tensor([0, 1, label]))


def test_examples_and_targets_must_fit() -> None:
    x, y = torch.full((3, 2), 0.5), torch.tensor([0, 1, 1])
    require_examples(x, y, ThreatModel())
    with pytest.raises(ShapeError, match="3 examples and 2 labels"):
        require_examples(x, y[:2], ThreatModel())
    with pytest.raises(DomainError, match=r"3 of 3 .* \(0\.0, 1\.0\) or not finite"):
        require_examples(x + 1, y, ThreatModel())
    require_examples(x + 1, y, ThreatModel(bounds=None))
    with pytest.raises(DomainError, match="1 of 3"):
        require_examples(x.index_fill(0, y[:1], math.nan), y, ThreatModel(bounds=None))
    require_targets(None, y, 2)
    require_targets(1 - y, y, 2)
    with pytest.raises(ShapeError, match="2 targets for 3 labels"):
        require_targets(y[:2], y, 2)
    with pytest.raises(DomainError, match="targets from 0 to 1 for logits of 1 classes"):
        require_targets(y, y, 1)


class InPlace(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mul_(2)


def test_a_model_may_overwrite_its_input():
    x, y = torch.tensor([[0.2, 0.4, 0.1]]), torch.tensor([1])
    kept = x.clone()
    found = pgd(InPlace(), x, y, ThreatModel("Linf", 0.1), steps=3)
    assert torch.equal(x, kept)
    expected = pgd(lambda x: 2 * x, x, y, ThreatModel("Linf", 0.1), steps=3)
    torch.testing.assert_close(found.margin, expected.margin)


def test_labels_of_every_integer_type_and_logits_of_none():
    logits = torch.tensor([[3.0, 1.0, 2.0]])
    for dtype in (torch.uint8, torch.uint16, torch.uint32, torch.int8, torch.int64):
        assert margin_of(logits, torch.tensor([0]).to(dtype)).item() == 1
    with pytest.raises(InputTypeError, match=r"returns torch.int64 logits: .* real numbers"):
        logits_of(lambda x: x.long(), logits, torch.tensor([0]))
