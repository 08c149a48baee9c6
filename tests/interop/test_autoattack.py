"""AutoAttack in its own process: errors before it starts, answers after, and our own ensemble."""

import contextlib
import functools
import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cases import each
from few_classes import first_classes
from holonet.attacks import AlarmKind, ThreatModel, margin_of
from holonet.attacks.worst_case import STRONG, worst_case
from holonet.data import load_dataset
from holonet.errors import (
    AttackWarning,
    ConfigError,
    HolonetError,
    InputTypeError,
    MissingDependencyError,
)
from holonet.interop import AutoAttackResult, autoattack
from holonet.interop.autoattack import _alarms, _attack, _next, _started
from holonet.nn import Threshold, holomorphic_mlp

needs_it = pytest.mark.skipif(
    importlib.util.find_spec("pyautoattack") is None, reason="pyautoattack is not installed"
)
BOX = ThreatModel("Linf", 0.1)
QUERIES = 250


def problem(n: int = 6, classes: int = 4) -> tuple[nn.Module, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    model = holomorphic_mlp(6, [5], classes, generator=generator)
    x = torch.rand(n, 6, generator=generator)
    return model, x, model(x).argmax(1)


def trained(classes: int) -> tuple[nn.Module, Tensor, Tensor]:
    """A small network trained on the first classes of the digits, and 45 examples."""
    data = first_classes(load_dataset("digits"), classes)
    generator = torch.Generator().manual_seed(0)
    model = holomorphic_mlp(64, [16], classes, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    x, y = data.x_train, data.y_train
    for _ in range(20):
        for rows in torch.randperm(len(x), generator=generator).split(128):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
            loss.backward()
            optimizer.step()
    return model, data.x_test[:45], data.y_test[:45]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What the process does, done here; only its check for dynamic defenses is left out."""
    import pyautoattack.checks

    monkeypatch.setattr(pyautoattack.checks, "check_dynamic", lambda *_, **__: None)
    logger = logging.getLogger("auto-attack")
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "propagate", True)

    @contextlib.contextmanager
    def started(problems: list[Any], settings: dict[str, Any]) -> Iterator[Any]:
        answers = (
            ("batch", _attack(model, x, y, threat.eps, settings))
            for model, x, y, threat in problems
        )
        yield SimpleNamespace(recv=answers.__next__)

    monkeypatch.setattr(sys.modules["holonet.interop.autoattack"], "_started", started)
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def few_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of its Square, which is the last attack, and takes 5,000 where an example stands."""
    from pyautoattack import AutoAttack

    def few(attack: AutoAttack, version: str) -> None:
        whole(attack, version)
        attack.square.n_queries = QUERIES

    whole = AutoAttack._set_version
    monkeypatch.setattr(AutoAttack, "_set_version", few)


def assert_agreement(classes: int, **attacks: Any) -> None:
    model, x, y = trained(classes)
    threat = ThreatModel("Linf", 0.08)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttackWarning)
        theirs = autoattack(model, x, y, threat, seed=0)
        ours = worst_case(model, x, y, threat, seed=0, **attacks)
    standing = [int((~result.success).sum()) for result in (theirs, ours)]
    assert 9 < standing[0] < 43
    assert abs(standing[0] - standing[1]) <= 2
    assert threat.contains(theirs.x_adv, x).all()
    torch.testing.assert_close(margin_of(model(theirs.x_adv), y).detach(), theirs.margin)
    assert any("square - 1/1" in line for line in theirs.log)


@needs_it
@pytest.mark.usefixtures("here", "few_queries")
def test_our_ensemble_agrees_with_autoattack_at_few_queries() -> None:
    few = functools.partial(STRONG["square"], queries=QUERIES)
    assert_agreement(4, attacks={**STRONG, "square": few})


@needs_it
@pytest.mark.slow
@pytest.mark.usefixtures("forked_processes")
def test_our_ensemble_agrees_with_autoattack() -> None:
    assert_agreement(10)


@needs_it
@pytest.mark.usefixtures("here", "few_queries")
def test_behind_a_threshold_it_searches_the_image_box() -> None:
    """The true robust accuracy of a body that is linear, where plain gradients are all 0."""
    torch.manual_seed(1)
    model = nn.Sequential(Threshold(60.0), nn.Linear(30, 4, bias=False)).requires_grad_(False)
    x, threat = torch.rand(24, 30), ThreatModel("Linf", 0.08)
    y = model(x).argmax(1)
    low, high = (model[0]((x + s * threat.eps).clamp(0, 1)) for s in (-1, 1))
    lead = model[1].weight[y][:, None] - model[1].weight
    least = torch.where(lead > 0, lead * low[:, None], lead * high[:, None]).sum(2)
    stands = least.scatter(1, y[:, None], torch.inf).amin(1) > 0
    assert 3 < int(stands.sum()) < 21
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttackWarning)
        result = autoattack(model, x, y, threat, seed=0, batch_size=16)
    assert result.searched_in == "the image box of Threshold"
    assert torch.equal(~result.success, stands)
    assert threat.contains(result.x_adv, x).all()


@needs_it
@pytest.mark.usefixtures("forked_processes")
def test_batches_are_joined_in_their_order_and_nothing_here_is_touched() -> None:
    """At a radius where the first attack leaves nothing to the others."""
    model, x, y = problem(45, 11)
    trace = sys.gettrace()
    weights = {k: (v.data_ptr(), v.is_shared()) for k, v in model.state_dict().items()}
    done: list[AutoAttackResult] = []
    threat = ThreatModel("Linf", 0.8)
    result = autoattack(model, x, y, threat, seed=0, batch_size=30, on_batch=done.append)
    assert threat.contains(result.x_adv, x).all()
    assert [len(part.margin) for part in done] == [30, 15]
    assert torch.equal(torch.cat([part.margin for part in done]), result.margin)
    assert torch.equal(torch.cat([part.x_adv for part in done]), result.x_adv)
    torch.testing.assert_close(margin_of(model(result.x_adv), y).detach(), result.margin)
    assert any("apgd-ce" in line for line in result.log)
    assert result.provenance is not None
    assert result.provenance["attacks"] == ["apgd-ce", "apgd-t", "fab-t", "square"]
    assert (result.provenance["version"], result.provenance["seed"]) == ("standard", 0)
    assert result.provenance["pyautoattack"]
    assert result.provenance["targets"] == 9
    assert sys.gettrace() is trace
    assert weights == {k: (v.data_ptr(), v.is_shared()) for k, v in model.state_dict().items()}


@needs_it
@pytest.mark.usefixtures("here")
def test_few_classes_double_precision_and_flat_examples() -> None:
    generator = torch.Generator().manual_seed(0)
    model = nn.Linear(6, 4).double()
    x = torch.rand(6, 6, generator=generator).double()
    y = model(x).argmax(1)
    settings = {"norm": "L2", "version": "rand", "seed": 1}
    points, log, provenance = _attack(model, x, y, 1.5, settings)
    assert points.shape == (6, 6)
    assert points.dtype == x.numpy().dtype
    assert provenance["targets"] == 3
    assert (torch.from_numpy(points) - x).norm(dim=1).max() < 1.5 + 1e-5
    assert any(level == logging.DEBUG for level, _ in log)


@needs_it
@pytest.mark.usefixtures("forked_processes")
def test_a_failure_in_the_process_is_told() -> None:
    _, x, _ = problem()
    in_place = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 4))  # refused under autograd
    with pytest.raises(HolonetError, match=r"AutoAttack failed: RuntimeError.*in-place"):
        autoattack(in_place, x, in_place(x.clone()).argmax(1), BOX)


@needs_it
@pytest.mark.parametrize("bad", ["lambda", "local class"])
def test_models_that_cannot_be_handed_over(bad: str) -> None:
    model, x, y = problem()

    class Local(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return model(x)

    with pytest.raises(InputTypeError, match="top of a module"):
        autoattack((lambda v: model(v)) if bad == "lambda" else Local(), x, y, BOX)


@needs_it
@each(
    ("threat", "options", "message"),
    [
        (ThreatModel("Linf", 0.1, None), {}, r"on the box \[0, 1\]"),
        (ThreatModel("L2", 0.1, (-1.0, 1.0)), {}, r"on the box \[0, 1\]"),
        (ThreatModel("polydisc", 0.1, None), {}, "Linf, L2 and L1"),
        (BOX, {"version": "custom"}, "custom"),
        (BOX, {"batch_size": 0}, "batch_size=0"),
        (BOX, {"threads": 0}, "threads=0"),
    ],
)
def test_other_sets_and_options_are_refused(
    threat: ThreatModel, options: dict[str, Any], message: str
) -> None:
    model, x, y = problem()
    try:
        autoattack(model, x, y, threat, **options)
    except ConfigError as error:
        assert message.replace("\\", "") in str(error)  # noqa: PT017
    except Exception as error:  # a version that the annotation refuses already
        assert "version" in options, error  # noqa: PT017
    else:
        pytest.fail("it was accepted")


@needs_it
def test_fewer_than_four_classes_are_refused() -> None:
    model, x, y = problem(classes=3)
    with pytest.raises(ConfigError, match=r"3 classes.*needs 4"):
        autoattack(model, x, y, BOX)


@needs_it
def test_no_examples_start_no_process() -> None:
    model, x, y = problem()
    result = autoattack(model, x[:0], y[:0], BOX)
    assert (len(result.x_adv), len(result.margin), result.provenance) == (0, 0, None)


def test_without_pyautoattack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyautoattack", None)
    model, x, y = problem()
    with pytest.raises(MissingDependencyError, match=r"holonet\[attacks\]"):
        autoattack(model, x, y, BOX)


def test_log_lines_of_warning_become_alarms() -> None:
    lines = {
        "there are 3 points with zero gradient!": (AlarmKind.ZERO_GRADIENT, 3),
        "it seems to be a randomized defense!": (AlarmKind.HEURISTIC, 8),
        "it seems that the output is a probability distribution": (AlarmKind.FLAT_LOSS, 8),
        "Square Attack has decreased the robust accuracy of 25.0%.": (AlarmKind.BLACK_BOX_WINS, 2),
        "it seems to be a dynamic defense!": (AlarmKind.HEURISTIC, 8),
        "something new": (AlarmKind.HEURISTIC, 8),
    }
    log = [(logging.WARNING, line) for line in lines]
    log += [(logging.DEBUG, "running apgd-ce"), log[0]]
    alarms = _alarms(log, 8)
    assert [(alarm.kind, alarm.count) for alarm in alarms] == list(lines.values())
    assert all(line in alarm.advice for line, alarm in zip(lines, alarms, strict=True))
    assert {alarm.examples for alarm in alarms} == {8}


@needs_it
@pytest.mark.usefixtures("forked_processes")
def test_a_process_that_dies_early_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a pipe holds is on its way when the process dies."""
    monkeypatch.setattr(sys.modules["holonet.interop.autoattack"], "_serve", sys.exit)
    work = [(nn.Linear(1, 1), torch.zeros(10**6))]
    with pytest.raises(HolonetError, match="__main__"), _started(work, {}) as pipe:
        _next(pipe)


def test_a_process_that_ends_without_an_answer() -> None:
    class Ended:
        def recv(self) -> object:
            raise EOFError

    class Failed:
        def recv(self) -> object:
            return "error", "RuntimeError: no"

    with pytest.raises(HolonetError, match="__main__"):
        _next(Ended())
    with pytest.raises(HolonetError, match="AutoAttack failed: RuntimeError: no"):
        _next(Failed())
