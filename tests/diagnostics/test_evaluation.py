"""Worst case over an ensemble: what is attacked, what is kept, and going on after a crash."""

import json
import logging
import math
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet._files import write_with_digest
from holonet.attacks import Alarm, AlarmKind, AttackResult, ThreatModel, margin_of, pgd
from holonet.diagnostics import RobustnessReport, evaluate_radii, evaluate_robustness
from holonet.errors import ConfigError, DataError, InputTypeError, ShapeError
from holonet.nn import holomorphic_mlp

QUICK = {"weak": partial(pgd, steps=1), "pgd": partial(pgd, steps=3)}


def problem(seed: int = 0, n: int = 10) -> tuple[nn.Module, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    model = holomorphic_mlp(6, [5], 3, generator=generator)
    x = torch.rand(n, 6, generator=generator)
    y = model(x).argmax(1)
    wrong = torch.rand(n, generator=generator) < 0.2
    return model, x, torch.where(wrong, (y + 1) % 3, y)


def same(a: RobustnessReport, b: RobustnessReport) -> bool:
    return all(
        torch.equal(x, y) if isinstance(x, Tensor) else x == y
        for x, y in ((getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    )


class Scripted:
    """An attack that breaks what lies below a threshold, and remembers what it was given."""

    def __init__(
        self, threshold: float, margin: float = -1.0, fail_at: float | None = None
    ) -> None:
        self.threshold, self.margin, self.fail_at = threshold, margin, fail_at
        self.seen: list[float] = []
        self.seeds: set[int] = set()

    def __repr__(self) -> str:
        return f"Scripted({self.threshold})"

    def __call__(
        self, model: object, x: Tensor, y: Tensor, threat: ThreatModel, *, seed: int
    ) -> AttackResult:
        flat = x[:, 0].tolist()
        if self.fail_at in flat:
            raise MemoryError("out of luck")
        self.seen += flat
        self.seeds.add(seed)
        broken = x[:, 0] < self.threshold
        alarm = Alarm(AlarmKind.HEURISTIC, int(broken.sum()), len(x), "scripted")
        return AttackResult(x, torch.where(broken, -1.0, 1.0), (alarm,))


def points(*first: float) -> tuple[nn.Module, Tensor, Tensor]:
    """Examples that a linear model gets right unless the first entry is negative."""
    model = nn.Linear(1, 2, bias=False)
    model.weight.data = torch.tensor([[1.0], [-1.0]])
    return model, torch.tensor(first)[:, None], torch.zeros(len(first), dtype=torch.int64)


WIDE = ThreatModel("Linf", 0.5, None)


@pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")  # a flat loss is no fault
@settings(max_examples=10)
@given(
    seed=st.integers(0, 50),
    norm=st.sampled_from(["Linf", "L2"]),
    eps=st.sampled_from([0.0, 0.02, 0.1, 0.3]),
    batch_size=st.sampled_from([3, 7, 500]),
)
def test_points_are_in_the_set_and_the_verdicts_are_theirs(seed, norm, eps, batch_size):
    model, x, y = problem(seed)
    threat = ThreatModel(norm, eps)
    report = evaluate_robustness(
        model, x, y, threat, attacks=QUICK, seed=seed, batch_size=batch_size
    )
    assert threat.contains(report.x_adv, x).all()
    clean, worst = (margin_of(model(v), y).detach() for v in (x, report.x_adv))
    torch.testing.assert_close(report.clean_margin, clean)
    torch.testing.assert_close(report.margin, worst)
    assert (report.margin <= report.clean_margin + 1e-5).all()
    assert report.predicted.tolist() == model(x).argmax(1).tolist()
    for by, before, after in zip(report.broken_by, clean, worst, strict=True):
        assert (by == "clean") == bool(before <= 0)
        assert (by == "") == bool(after > 0)
    assert report.attacks == ("weak", "pgd")
    assert (report.threat, report.seed) == (threat, seed)


def test_each_attack_sees_what_is_left_and_gets_the_credit() -> None:
    model, x, y = points(-1.0, 0.1, 0.3, 0.6, 0.9)
    first, second = Scripted(0.2), Scripted(0.7)
    report = evaluate_robustness(
        model, x, y, WIDE, attacks={"a": first, "b": second}, seed=3, batch_size=2
    )
    assert report.broken_by == ("clean", "a", "b", "b", "")
    assert first.seen == pytest.approx([0.1, 0.3, 0.6, 0.9])
    assert second.seen == pytest.approx([0.3, 0.6, 0.9])
    assert [p.correct for p in (report.clean, *report.after.values())] == [4, 3, 1]
    counts = {alarm.advice.split(": ")[0]: (alarm.count, alarm.examples) for alarm in report.alarms}
    assert counts == {"a": (1, 5), "b": (2, 5)}
    again, other = Scripted(0.2), Scripted(0.2)
    evaluate_robustness(model, x, y, WIDE, attacks={"a": again}, seed=3)
    evaluate_robustness(model, x, y, WIDE, attacks={"a": other}, seed=4)
    assert again.seeds == first.seeds
    assert not other.seeds & first.seeds


def test_batches_are_told_and_none_is_larger_than_asked() -> None:
    model, x, y = problem()
    calls: list[int] = []
    sizes: list[int] = []
    told = partial(calls.append, 1)

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            sizes.append(len(x))
            return model(x)

    threat = ThreatModel()
    evaluate_robustness(Watched(), x, y, threat, attacks=QUICK, batch_size=4, on_batch=told)
    assert len(calls) == 3
    assert max(sizes) == 4


def test_the_ensemble_of_record_is_the_default() -> None:
    from holonet.attacks.worst_case import STRONG

    model, x, y = problem(n=6)
    report = evaluate_robustness(model, x, y, ThreatModel("Linf", 0.3))
    assert report.attacks == tuple(STRONG)


def test_nan_logits_count_as_broken() -> None:
    model, x, y = points(0.2, 0.8)

    class Holed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.where(x > 0.5, math.nan, model(x))

    report = evaluate_robustness(Holed(), x, y, WIDE, attacks={"a": Scripted(0)})
    assert report.predicted.tolist() == [0, -1]
    assert report.clean_margin[1] == report.margin[1] == -math.inf
    assert report.broken_by == ("", "clean")


@settings(max_examples=6)
@given(seed=st.integers(0, 20), eps=st.permutations([0.0, 0.05, 0.2, 0.05]))
def test_the_curve_never_rises_and_keeps_the_order(seed, eps):
    model, x, y = problem(seed)
    reports = evaluate_radii(model, x, y, eps, ThreatModel("L2"), attacks=QUICK, seed=seed)
    assert [r.threat.eps for r in reports] == eps
    by_radius = sorted(reports, key=lambda r: r.threat.eps)
    correct = [r.robust.correct for r in by_radius]
    assert correct == sorted(correct, reverse=True)
    assert correct[0] == reports[0].clean.correct
    for report in reports:
        assert report.threat.contains(report.x_adv, x).all()
        torch.testing.assert_close(margin_of(model(report.x_adv), y).detach(), report.margin)


def test_what_a_smaller_radius_broke_is_not_attacked_again() -> None:
    model, x, y = points(0.1, 0.3, 0.9)
    small = evaluate_robustness(model, x, y, replace(WIDE, eps=0.2), attacks={"a": Scripted(0.2)})
    attack = Scripted(0.0)
    large = evaluate_robustness(
        model, x, y, WIDE, attacks={"b": attack}, smaller=small, batch_size=2
    )
    assert attack.seen == pytest.approx([0.3, 0.9])
    assert large.broken_by == ("a", "", "")
    assert large.after["b"].correct == 2


# going on


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "evaluation"


def test_a_crash_loses_no_finished_batch(folder: Path) -> None:
    model, x, y = points(0.1, 0.2, 0.3, 0.4, 0.5)
    run = partial(evaluate_robustness, model, x, y, WIDE, batch_size=2, folder=folder)
    with pytest.raises(MemoryError):
        run(attacks={"a": Scripted(0.35, fail_at=float(x[4]))})
    rest = Scripted(0.35)
    calls: list[int] = []
    report = run(attacks={"a": rest}, on_batch=lambda: calls.append(1))
    assert rest.seen == [0.5]  # the batch that failed, and no other
    assert len(calls) == 3
    assert same(report, evaluate_robustness(model, x, y, WIDE, attacks={"a": Scripted(0.35)}))
    again = Scripted(0.35)
    assert same(run(attacks={"a": again}), report)
    assert again.seen == []


CHANGES: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "weights": lambda k: {**k, "model": _shifted(k["model"])},
    "architecture": lambda k: {**k, "model": nn.Sequential(k["model"])},
    "data": lambda k: {**k, "x": k["x"] + 1e-6},
    "labels": lambda k: {**k, "y": 1 - k["y"]},
    "threat": lambda k: {**k, "threat": replace(WIDE, eps=0.6)},
    "box": lambda k: {**k, "threat": replace(WIDE, bounds=(0.0, 1.0))},
    "name": lambda k: {**k, "attacks": {"b": k["attacks"]["a"]}},
    "settings": lambda k: {**k, "attacks": {"a": partial(pgd, steps=3)}},
    "attack": lambda k: {**k, "attacks": {"a": Scripted(0.0)}},
    "seed": lambda k: {**k, "seed": 1},
    "batches": lambda k: {**k, "batch_size": 1},
}


def _shifted(model: nn.Module) -> nn.Module:
    other = nn.Linear(1, 2, bias=False)
    other.load_state_dict({k: v + 1e-6 for k, v in model.state_dict().items()})
    return other


@pytest.mark.parametrize("change", [*CHANGES, "nothing"])
def test_only_the_same_evaluation_is_resumed(folder: Path, change: str) -> None:
    model, x, y = points(0.1, 0.2)
    attacks = {"a": partial(pgd, steps=2)}
    asked: dict[str, Any] = {"model": model, "x": x, "y": y, "threat": WIDE, "attacks": attacks}
    evaluate_robustness(**asked, folder=folder)
    if change != "nothing":
        asked = CHANGES[change](asked)
    evaluate_robustness(**asked, folder=folder)
    homes = list(folder.iterdir())
    assert len(homes) == (1 if change == "nothing" else 2)
    for home in homes:
        assert json.loads((home / "identity.json").read_text())["seed"] in (0, 1)


def test_another_known_report_is_another_evaluation(folder: Path) -> None:
    model, x, y = points(0.1, 0.2)
    run = partial(evaluate_robustness, model, x, y, WIDE, attacks={"a": Scripted(0.0)})
    run(folder=folder)
    small = evaluate_robustness(model, x, y, replace(WIDE, eps=0.2), attacks={"a": Scripted(0.15)})
    assert run(folder=folder, smaller=small).robust.correct == 1


def test_a_damaged_batch_is_attacked_again(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, x, y = points(0.1, 0.2)
    run = partial(evaluate_robustness, model, x, y, WIDE, folder=folder, batch_size=1)
    before = run(attacks={"a": Scripted(0.15)})
    (damaged,) = folder.rglob("batch-00001.npz")
    damaged.write_bytes(damaged.read_bytes()[:100])
    again = Scripted(0.15)
    with caplog.at_level(logging.WARNING):
        assert same(run(attacks={"a": again}), before)
    assert again.seen == pytest.approx([0.2])
    assert "batch-00001.npz is damaged" in caplog.text
    assert same(RobustnessReport.load(damaged), RobustnessReport.load(damaged))


def _exchange(folder: Path, kind: str) -> None:
    """Put a whole report of something else in the place of a batch, with a right digest."""
    first, second = sorted(folder.rglob("batch-*.npz"))
    report = RobustnessReport.load(second)
    with np.load(second) as file:
        own = json.loads(str(file["header"]))["identity"]
    if kind == "batch":
        write_with_digest(second, first.read_bytes())
        return
    if kind == "bytes":
        second.write_bytes(first.read_bytes())
        return
    changes: dict[str, Any] = {
        "threat": {"threat": replace(report.threat, eps=0.4)},
        "attacks": {"attacks": ("b",)},
        "seed": {"seed": 1},
        "labels": {"y": 1 - report.y},
        "examples": {"x_adv": report.x_adv.double()},
        "shorter": {
            name: getattr(report, name)[:1]
            for name in ("y", "predicted", "clean_margin", "margin", "x_adv", "broken_by")
        },
    }
    if kind in changes:
        replace(report, **changes[kind]).save(second, own)
    else:
        report.save(second, {**own, kind: "of another"})


@pytest.mark.parametrize(
    "kind",
    [
        *("batch", "bytes", "threat", "attacks", "seed", "labels", "examples", "shorter"),
        *("data", "model", "known"),
    ],
)
def test_a_batch_of_something_else_is_attacked_again(
    folder: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    model, x, y = points(0.1, 0.12, 0.2, 0.21)
    run = partial(evaluate_robustness, model, x, y, WIDE, folder=folder, batch_size=2)
    before = run(attacks={"a": Scripted(0.15)})
    _exchange(folder, kind)
    again = Scripted(0.15)
    with caplog.at_level(logging.WARNING):
        assert same(run(attacks={"a": again}), before)
    assert again.seen == pytest.approx([0.2, 0.21])
    assert "batch-00001.npz" in caplog.text
    assert "done again" in caplog.text


def test_a_function_has_no_weights_to_compare(folder: Path) -> None:
    model, x, y = points(0.1)
    with pytest.raises(InputTypeError, match=r"nn\.Module"):
        evaluate_robustness(lambda x: model(x), x, y, WIDE, folder=folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": torch.zeros(0, 1), "y": torch.zeros(0, dtype=torch.int64)}, "of 0 examples"),
        ({"attacks": {}}, "with 0 attacks"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_nothing_to_do_is_refused(options: dict[str, Any], message: str) -> None:
    model, x, y = points(0.1)
    with pytest.raises((ConfigError, DataError), match=message):
        evaluate_robustness(**{"model": model, "x": x, "y": y, "threat": WIDE, **options})


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
def test_bad_radii_are_refused_before_any_work(bad: float) -> None:
    _, x, y = points(0.1)

    class Never(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise AssertionError

    with pytest.raises(ConfigError, match="eps="):
        evaluate_radii(Never(), x, y, [0.1, bad], WIDE)


@pytest.mark.parametrize(
    "threat", [ThreatModel("Linf", 0.4, None), ThreatModel("L2", 0.6, None), ThreatModel()]
)
def test_a_known_report_of_another_set_is_refused(threat: ThreatModel) -> None:
    model, x, y = points(0.1)
    known = evaluate_robustness(model, x, y, WIDE, attacks={"a": Scripted(0.0)})
    with pytest.raises(ConfigError, match="at a smaller radius"):
        evaluate_robustness(model, x, y, threat, attacks={"a": Scripted(0.0)}, smaller=known)


def test_other_examples_and_missing_labels_are_refused() -> None:
    model, x, y = points(0.1, 0.2)
    known = evaluate_robustness(model, x, y, WIDE, attacks={"a": Scripted(0.0)})
    with pytest.raises(ShapeError, match="at a smaller radius"):
        evaluate_robustness(model, x[:1], y[:1], WIDE, smaller=known)
    with pytest.raises(ShapeError, match="2 examples and 1 labels"):
        evaluate_robustness(model, x, y[:1], WIDE)
