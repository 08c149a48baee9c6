"""A step: its gradient finite and clipped, its random numbers drawn anew, its precision as told."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet.attacks import ThreatModel
from holonet.data import load_digits
from holonet.errors import NumericalError
from holonet.nn import holomorphic_mlp
from holonet.training import (
    AnalyticRule,
    EmpiricalRisk,
    LinearizedRobustOptimization,
    ModelConfig,
    RobustOptimization,
    Rule,
    Trades,
    TrainConfig,
    fit,
)

DATA = load_digits().subset(train=90, test=20)
CONFIG = TrainConfig(epochs=2, batch_size=20, log_every=1, accelerator="cpu", lr=0.01)
TOTAL = 10


def network() -> nn.Module:
    return holomorphic_mlp(64, [5], 10, generator=torch.Generator().manual_seed(1))


def test_global_random_numbers_are_left_alone() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(64, 10))
    before = torch.get_rng_state()
    fit(model, DATA, AnalyticRule(), CONFIG)
    assert torch.equal(torch.get_rng_state(), before)


def test_dropout_draws_anew_at_each_step() -> None:
    masks = []

    class Mask(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            if self.training:
                masks.append(nn.functional.dropout(torch.ones(16), 0.5))
            return x.flatten(1)

    fit(nn.Sequential(Mask(), nn.Linear(64, 10)), DATA, EmpiricalRisk(), CONFIG)
    assert len(masks) == TOTAL
    assert len({tuple(m.tolist()) for m in masks}) > TOTAL / 2


class Conjugated(nn.Module):
    """A layer whose weight gets a lazily conjugated gradient from torch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.1 * torch.randn(64, 10, dtype=torch.cfloat))

    def forward(self, x: Tensor) -> Tensor:
        return (x.flatten(1).to(torch.cfloat) @ self.weight.conj()).real


def test_lazily_conjugated_gradients_train() -> None:
    records = fit(Conjugated(), DATA, EmpiricalRisk(), CONFIG)
    assert records[-1]["train_loss"] < records[0]["loss"]


class SteepAt(Rule):
    """A finite loss whose gradient is not finite from some step on."""

    def __init__(self, step: int) -> None:
        self.step, self.calls = step, 0

    def terms(self, model: Any, x: Any, y: Any, probes: Any = None) -> dict[str, Tensor]:
        self.calls += 1
        offset = 0.0 if self.calls >= self.step else 1.0
        weight = next(model.parameters())
        return {"loss": ((weight - weight).abs() + offset).sqrt().sum() + model(x).mean()}


def test_a_gradient_that_is_not_finite_spoils_no_checkpoint(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    with pytest.raises(NumericalError, match=r"at step 3 .* gradient's norm nan"):
        fit(model, DATA, SteepAt(3), CONFIG, run_dir=tmp_path)
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_clipping(monkeypatch: pytest.MonkeyPatch) -> None:
    norms: list[float] = []
    step = torch.optim.Adam.step

    def watch(self: torch.optim.Adam) -> Any:
        gradients = [p.grad for g in self.param_groups for p in g["params"]]
        norms.append(float(nn.utils.get_total_norm(gradients)))
        return step(self)

    monkeypatch.setattr(torch.optim.Adam, "step", watch)
    for clip in (0.25, None):
        fit(network(), DATA, AnalyticRule(), TrainConfig(**{**CONFIG.model_dump(), "clip": clip}))
    assert norms[:TOTAL] == pytest.approx([0.25] * TOTAL, rel=1e-4)
    assert min(norms[TOTAL:]) > 0.3


@each(
    ("coefficients", "rule"),
    [
        ("real", EmpiricalRisk()),
        ("complex", EmpiricalRisk()),
        ("real", RobustOptimization(ThreatModel("Linf", 0.1), steps=2)),
        ("real", Trades(ThreatModel("Linf", 0.1), steps=2)),
        ("real", LinearizedRobustOptimization(ThreatModel("Linf", 0.1))),
        ("complex", LinearizedRobustOptimization(ThreatModel("Linf", 0.1))),
        ("real", LinearizedRobustOptimization(ThreatModel("Linf", 0.1), at="frank-wolfe")),
        ("real", AnalyticRule(0.1)),
    ],
)
def test_a_step_in_16_bits_is_about_that_in_32(coefficients: Any, rule: Rule) -> None:
    def moved(precision: str) -> tuple[Tensor, float]:
        model = ModelConfig(coefficients=coefficients, hidden=(8,)).build(64, 10)
        before = [p.detach().clone() for p in model.parameters()]
        one = {"epochs": 1, "batch_size": 90, "log_every": 1, "optimizer": "sgd", "clip": None}
        settings: dict[str, Any] = {**one, "precision": precision, "schedule": "constant"}
        first = fit(model, DATA, rule, TrainConfig(**settings, accelerator="cpu"))[0]
        after = list(model.parameters())
        assert [p.dtype for p in after] == [p.dtype for p in before]
        step = [
            torch.view_as_real(d) if d.is_complex() else d for d in map(torch.sub, after, before)
        ]
        return torch.cat([d.detach().flatten() for d in step]), first["loss"]

    (full, loss), (low, other) = moved("full"), moved("bf16")
    assert other == pytest.approx(loss, rel=0.01)
    assert other != loss
    assert (low - full).norm() < 0.1 * full.norm()
