"""The curve of robust accuracy."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.attacks import AttackResult, ThreatModel, margin_of, pgd
from holonet.diagnostics import RobustnessPoint, robustness_curve
from holonet.errors import AttackWarning, ConfigError, DataError
from holonet.nn import Threshold, holomorphic_mlp
from holonet.statistics import wilson_interval

radii = st.lists(st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.4]), max_size=5)


def problem(seed: int = 0, n: int = 30) -> tuple[nn.Module, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    model = holomorphic_mlp(6, [5], 3, generator=generator)
    x = torch.rand(n, 6, generator=generator)
    y = model(x).argmax(1)
    wrong = torch.rand(n, generator=generator) < 0.2
    return model, x, torch.where(wrong, (y + 1) % 3, y)


@settings(max_examples=8)
@given(
    eps=radii,
    seed=st.integers(0, 2**32),
    norm=st.sampled_from(["Linf", "L2"]),
    batch_size=st.sampled_from([1, 5, 12, 500]),
)
def test_the_curve_never_rises_and_keeps_the_order(eps, seed, norm, batch_size):
    model, x, y = problem(seed % 100, 12)
    curve = robustness_curve(
        model, x, y, eps, threat=ThreatModel(norm), steps=2, seed=seed, batch_size=batch_size
    )
    assert [p.eps for p in curve] == eps
    by_radius = [p.correct for p in sorted(curve, key=lambda p: p.eps)]
    assert by_radius == sorted(by_radius, reverse=True)
    clean = int((margin_of(model(x), y) > 0).sum())
    for point in curve:
        assert point.examples == 12
        assert point.correct <= clean
        assert point.eps > 0 or point.correct == clean
    assert len({(p.eps, p.correct) for p in curve}) == len(set(eps))


@pytest.mark.parametrize("norm", ["Linf", "L2"])
def test_one_radius_is_pgd(norm: str) -> None:
    model, x, y = problem()
    options: dict[str, Any] = {"steps": 5, "restarts": 2, "seed": 3}
    (point,) = robustness_curve(model, x, y, [0.1], threat=ThreatModel(norm), **options)
    found = pgd(model, x, y, ThreatModel(norm, 0.1), **options)
    assert point.accuracy == pytest.approx(found.accuracy)
    assert 0 < point.correct < 30


def test_the_box_of_the_threat_is_kept() -> None:
    model = nn.Linear(1, 2)
    model.weight.data, model.bias.data = torch.tensor([[1.0], [-1.0]]), torch.tensor([0.5, 0.0])
    x, y = (
        torch.zeros(4, 1),
        torch.zeros(4, dtype=torch.int64),
    )  # margin 2x + 0.5, in [0, 1] never lost
    with pytest.warns(AttackWarning, match="flat loss"):  # some start in the corner already
        boxed = robustness_curve(model, x, y, [0.3])
    free = robustness_curve(model, x, y, [0.2, 0.3], threat=ThreatModel(bounds=None))
    assert [p.correct for p in (*boxed, *free)] == [4, 4, 0]


def test_what_is_broken_stays_broken_and_is_not_attacked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attacked = []

    def attack(model: nn.Module, x: Tensor, y: Tensor, threat: ThreatModel, **_: Any) -> Any:
        attacked.append((threat.eps, x.flatten().tolist()))
        broken = (x.flatten() <= threat.eps) & torch.tensor(threat.eps < 0.5)
        return AttackResult(x, torch.where(broken, -1.0, 1.0))

    monkeypatch.setattr("holonet.diagnostics.robustness.pgd", attack)
    x, y = torch.tensor([[0.75], [0.25], [0.5]]), torch.zeros(3, dtype=torch.int64)
    curve = robustness_curve(nn.Linear(1, 2), x, y, [1.0, 0.25, 0.0], batch_size=2)
    assert [p.correct for p in curve] == [2, 2, 3]  # the attack of radius 1 finds nothing
    whole = [0.75, 0.25], [0.5]
    assert attacked == [
        (0.0, whole[0]),
        (0.0, whole[1]),
        (0.25, whole[0]),
        (0.25, whole[1]),
        (1.0, [0.75]),
        (1.0, [0.5]),
    ]


def test_every_batch_is_told_and_none_is_larger_than_asked() -> None:
    calls, sizes = [], []
    model, x, y = problem()

    def watched(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return model(x)

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return watched(x)

    robustness_curve(
        Watched(), x, y, [0.4, 0.2, 0.2], steps=1, batch_size=8, on_batch=lambda: calls.append(1)
    )
    assert len(calls) == 2 * 4
    assert sizes[:1] == [8]
    assert max(sizes) <= 8


def test_the_curve_says_where_the_attack_searched() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(Threshold(), nn.Linear(6, 3))
    x = torch.rand(30, 6)
    y = model(x).argmax(1)
    clean, broken, empty = robustness_curve(model, x, y, [0.0, 0.9, 1.0], steps=3)
    assert clean.searched_in == ""
    assert broken.searched_in == "the image box of Threshold"
    assert broken.correct == 0  # so that nothing is left to be attacked at the next radius
    assert empty.searched_in == "the image box of Threshold"
    assert broken.to_json()["searched_in"] == "the image box of Threshold"
    assert str(broken).endswith("0 of 30, searched in the image box of Threshold")
    (plain,) = robustness_curve(model, x, y, [0.3], threat=ThreatModel("L2"), steps=3)
    assert plain.searched_in == ""
    assert str(plain).endswith("of 30")


def test_a_point_has_accuracy_and_interval() -> None:
    point = RobustnessPoint(0.1, 30, 40)
    assert point.accuracy == 0.75
    assert point.interval == wilson_interval(30, 40).ends


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_bad_radii_are_refused_before_any_work(bad: float) -> None:
    _, x, y = problem()

    class Never(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError

    with pytest.raises(ConfigError, match="eps="):
        robustness_curve(Never(), x, y, [0.1, bad])


def test_no_examples_and_no_batch() -> None:
    model, x, y = problem()
    with pytest.raises(DataError, match="of 0 examples"):
        robustness_curve(model, x[:0], y[:0], [0.1])
    with pytest.raises(ConfigError, match="batch_size=0"):
        robustness_curve(model, x, y, [0.1], batch_size=0)
    assert robustness_curve(model, x, y, []) == []


@pytest.mark.parametrize(("correct", "examples"), [(3, 2), (-1, 2), (0, 0)])
def test_counts_that_cannot_be_are_refused(correct: int, examples: int) -> None:
    with pytest.raises(ConfigError, match=f"{correct} correct of {examples}"):
        RobustnessPoint(0.1, correct, examples)
