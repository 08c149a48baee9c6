"""Attacks of other toolkits: what they return is checked, moved into the set and judged anew."""

import random
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.attacks import AlarmKind, ThreatModel, margin_of
from holonet.attacks.worst_case import worst_case
from holonet.errors import (
    AttackWarning,
    ConfigError,
    InputTypeError,
    MissingDependencyError,
    ShapeError,
)
from holonet.interop import external, from_art, from_foolbox, from_torchattacks
from holonet.interop.toolkits import _seeded, accept
from holonet.nn import holomorphic_mlp

BOX = ThreatModel("Linf", 0.1)


def problem(seed: int = 0, n: int = 8) -> tuple[nn.Module, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    model = holomorphic_mlp(6, [5], 4, generator=generator)
    x = torch.rand(n, 6, generator=generator)
    return model, x, model(x).argmax(1)


@given(
    seed=st.integers(0, 99),
    threat=st.sampled_from([BOX, ThreatModel("L2", 0.2), ThreatModel("L2", 0.2, None)]),
    length=st.sampled_from([0.0, 0.05, 1.0, 50.0]),
)
def test_whatever_comes_back_the_result_is_lawful(seed, threat, length):
    model, x, y = problem(seed)
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed + 1))
    attack = external(lambda model, x, y, threat: x + length * direction, name="throw")
    result = attack(model, x, y, threat, seed=0)
    assert threat.contains(result.x_adv, x).all()
    torch.testing.assert_close(margin_of(model(result.x_adv), y), result.margin)
    assert (result.margin <= margin_of(model(x), y) + 1e-6).all()
    alarms = [(alarm.kind, alarm.count) for alarm in result.alarms]
    if length == 0:
        assert alarms == []
        assert torch.equal(result.x_adv, x)
    if length == 50:
        assert alarms == [(AlarmKind.HEURISTIC, len(x))]


def test_rounding_is_moved_in_without_a_word_and_more_is_not() -> None:
    model, x, y = problem()
    x = x * 0.5 + 0.25
    for excess, count in ((3e-7, 0), (1e-3, 8)):
        push = 0.1 + excess
        result = accept(model, x, y, BOX, x + push, "push")
        assert BOX.contains(result.x_adv, x).all()
        assert sum(alarm.count for alarm in result.alarms) == count


def test_points_that_are_not_finite_are_left_out_with_an_alarm() -> None:
    model, x, y = problem()
    points = x.clone()
    points[2, 0], points[5, 1] = torch.nan, torch.inf
    with pytest.warns(AttackWarning, match="not finite for 2 of 8"):
        result = external(lambda *_: points, name="overflow")(model, x, y, BOX, seed=0)
    assert torch.equal(result.x_adv, x)
    assert [(a.kind, a.count) for a in result.alarms] == [(AlarmKind.NOT_FINITE, 2)]


@pytest.mark.parametrize(
    ("points", "error", "message"),
    [
        (None, InputTypeError, "NoneType"),
        (np.zeros((8, 6)), InputTypeError, "ndarray"),
        (torch.zeros(8, 6, dtype=torch.complex64), InputTypeError, "complex64"),
        (torch.zeros(7, 6), ShapeError, r"\(7, 6\)"),
        (torch.zeros(8, 1, 6), ShapeError, "one perturbed example for each"),
    ],
)
def test_other_things_are_refused(points: Any, error: type[Exception], message: str) -> None:
    model, x, y = problem()
    attack = external(lambda *_: points, name="odd")
    with pytest.raises(error, match=f"odd returned.*{message}"):
        attack(model, x, y, BOX, seed=0)


def test_random_streams_are_seeded_and_put_back() -> None:
    drawn = []

    def draw(model: nn.Module, x: Tensor, y: Tensor, threat: ThreatModel) -> Tensor:
        drawn.append((float(torch.rand(1)), float(np.random.rand()), random.random()))
        return x

    model, x, y = problem()
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    for seed in (1, 1, 2):
        external(draw, name="draw")(model, x, y, BOX, seed=seed)
    assert drawn[0] == drawn[1]
    assert all(a != b for a, b in zip(drawn[0], drawn[2], strict=True))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


def test_pythons_own_stream_too() -> None:
    before = random.getstate()  # beartype draws from it as well, wherever it looks into a container
    with _seeded(3):
        first = random.random()
    after = random.getstate()
    with _seeded(3):
        assert random.random() == first
    assert after == before


def test_the_model_is_in_eval_mode_and_back() -> None:
    seen = []

    def look(model: nn.Module, x: Tensor, y: Tensor, threat: ThreatModel) -> Tensor:
        seen.append((model.training, isinstance(model, nn.Module)))
        return x

    model, x, y = problem()
    external(look, name="look")(model.train(), x, y, BOX, seed=0)
    external(look, name="look")(lambda v: model(v), x, y, BOX, seed=0)
    assert seen == [(False, True), (False, True)]
    assert model.training


def test_an_adapted_attack_is_a_member_of_an_ensemble() -> None:
    model, x, y = problem()
    attack = external(lambda model, x, y, threat: x + threat.eps, name="up")
    result = worst_case(model, x, y, BOX, {"up": attack}, seed=0)
    assert set(result.broken_by) <= {"", "up", "clean"}


# fakes: what the adapters pass on


def fake(name: str, monkeypatch: pytest.MonkeyPatch, **attributes: object) -> None:
    module = ModuleType(name)
    vars(module).update(attributes)
    monkeypatch.setitem(sys.modules, name, module)


def test_torchattacks_is_called_with_radius_norm_and_options(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[dict[str, Any]] = []

    class Fancy:
        def __init__(self, model: nn.Module, eps: float, norm: str = "?", steps: int = 1) -> None:
            made.append({"eps": eps, "norm": norm, "steps": steps})

        def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
            made.append({"shape": images.shape})
            return images + 0.05

    class Plain:
        def __init__(self, model: nn.Module) -> None:
            pass

        __call__ = Fancy.__call__

    fake("torchattacks", monkeypatch, Fancy=Fancy, Plain=Plain)
    model, x, y = problem()
    result = from_torchattacks("Fancy", steps=7)(model, x, y, BOX, seed=0)
    assert made == [{"eps": 0.1, "norm": "Linf", "steps": 7}, {"shape": (8, 1, 5, 5)}]
    worse = result.margin < margin_of(model(x), y)
    torch.testing.assert_close(result.x_adv[worse], (x[worse] + 0.05).clamp(max=1))
    from_torchattacks("Plain")(model, x, y, BOX, seed=0)


def test_torchattacks_made_by_hand_and_its_box() -> None:
    model, x, y = problem()
    given = []

    def make(model: nn.Module, threat: ThreatModel) -> Any:
        given.append(threat)
        return lambda images, labels: images - 0.02

    attack = from_torchattacks(make)
    attack(model, x, y, BOX, seed=0)
    assert given == [BOX]
    with pytest.raises(ConfigError, match=r"box \[0, 1\]"):
        attack(model, x, y, ThreatModel("L2", 0.1, None), seed=0)


def test_foolbox_gets_bounds_and_radius(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    class PGD:
        def __init__(self, steps: int = 1) -> None:
            called.append(steps)

        def __call__(self, model: Any, x: Tensor, y: Tensor, *, epsilons: float) -> Any:
            called.append((model, epsilons, y.dtype))
            return None, x + 0.01, None

    wrap = lambda model, bounds, device: (bounds, device)  # noqa: E731
    fake("foolbox", monkeypatch, attacks=SimpleNamespace(PGD=PGD), PyTorchModel=wrap)
    model, x, y = problem()
    from_foolbox("PGD", steps=9)(model, x, y, BOX, seed=0)
    from_foolbox(lambda threat: PGD(int(threat.eps * 100)))(model, x, y, BOX, seed=0)
    expected = (((0.0, 1.0), x.device), 0.1, torch.int64)
    assert called == [9, expected, 10, expected]
    with pytest.raises(ConfigError, match="needs a box"):
        from_foolbox("PGD")(model, x, y, ThreatModel("L2", 0.1, None), seed=0)


def test_art_gets_its_own_names_for_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[Any] = []

    class PGD:
        def __init__(self, estimator: Any, norm: Any, eps: float, steps: int = 1) -> None:
            called.append((norm, eps, steps))

        def generate(self, x: Any, y: Any) -> Any:
            called.append((type(x), x.dtype, y.shape))
            return x + np.float32(0.01)

    def classifier(model: nn.Module, **options: Any) -> Any:
        called.append((options["nb_classes"], options["input_shape"], options["clip_values"]))

    fake("art", monkeypatch)
    fake("art.attacks", monkeypatch, evasion=SimpleNamespace(PGD=PGD))
    fake("art.estimators", monkeypatch)
    fake("art.estimators.classification", monkeypatch, PyTorchClassifier=classifier)
    model, x, y = problem()
    from_art("PGD", steps=3)(model, x, y, ThreatModel("L2", 0.2), seed=0)
    from_art(lambda estimator, threat: PGD(estimator, 1, threat.eps))(model, x, y, BOX, seed=0)
    given = (np.ndarray, np.dtype("float32"), (8,))
    told = (4, (6,), (0.0, 1.0))
    assert called == [told, (2, 0.2, 3), given, told, (1, 0.1, 1), given]


ADAPTERS = {
    "torchattacks": (from_torchattacks, "PGD"),
    "foolbox": (from_foolbox, "LinfPGD"),
    "art": (from_art, "ProjectedGradientDescent"),
}


@pytest.mark.parametrize("toolkit", ADAPTERS)
def test_what_is_not_installed_is_named(toolkit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, toolkit, None)
    monkeypatch.delitem(sys.modules, "art.attacks", raising=False)
    adapter, name = ADAPTERS[toolkit]
    model, x, y = problem()
    with pytest.raises(MissingDependencyError, match=f"{toolkit}.{name} needs .*pip install"):
        adapter(name)(model, x, y, BOX, seed=0)


@pytest.mark.parametrize("toolkit", ADAPTERS)
@pytest.mark.filterwarnings("ignore")
def test_the_toolkit_itself_where_it_is_installed(toolkit: str) -> None:
    pytest.importorskip(toolkit, exc_type=ImportError)
    adapter, name = ADAPTERS[toolkit]
    options = {"verbose": False, "eps_step": 0.02} if toolkit == "art" else {}
    model, x, y = problem(n=30)
    result = adapter(name, **options)(model, x, y, ThreatModel("Linf", 0.2), seed=0)
    assert result.success.any()
    assert not result.alarms
