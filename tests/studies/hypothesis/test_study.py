"""The cells of the study, a tiny run of all of it, and data that are refused."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from holonet.attacks import STRONG
from holonet.data import Dataset, load_digits
from holonet.errors import ConfigError, DataError, UnknownNameError
from holonet.studies.hypothesis import Hypothesis, evidence
from holonet.studies.hypothesis import study as module
from holonet.studies.hypothesis.settings import Attack, Member, Population, size_for
from holonet.studies.runner import reproduce


def test_the_population_has_at_least_40_networks_in_every_size() -> None:
    for quick in (False, True):
        cells = Hypothesis().cells(quick)
        measured = [c for c in cells if getattr(c.settings, "part", "") == "measures"]
        assert len(measured) >= 40
        networks = {c.settings.members[0].network for c in measured}
        assert {n.coefficients for n in networks} == {"real", "complex"}
        assert len({n.hidden for n in networks}) == 2
        assert {c.settings.members[0].rule for c in measured} == {"linearized", "standard", "pgd"}
    (transfer,) = [c for c in cells if c.key == "transfer"]
    assert len(transfer.needs) == 45


def test_chosen_claims_alone_are_worked_for() -> None:
    keys = {c.key for c in Hypothesis(claims=("H1b",), seeds=2).cells(False)}
    assert len(keys) == 2 * 18
    assert all("linearized" in key for key in keys)
    assert len(Hypothesis(claims=("H4",), seeds=2).cells(False)) == 2 * 5
    both = Hypothesis(claims=("H1a", "H1b"), attack="strong", seeds=3).cells(False)
    assert len(both) == 3 * (27 + 12)
    more = Hypothesis(claims=("H1a",), attack="strong", seeds=5).cells(False)
    assert len(more) == 3 * 27 + 2 * 9  # controls have three seeds
    assert all(isinstance(c.settings, Member) for c in both)


def test_activations_and_controls_can_be_left_out() -> None:
    options = {"attack": "autoattack", "seeds": 2, "controls": False}
    study = Hypothesis(claims=("H1a", "H1b"), activations=("relu", "square"), **options)
    names = {c.settings.network.name for c in study.cells(False)}
    assert names == {f"{n}-32x32" for n in ("real-relu", "real-square", "complex-square")} | {
        "real-square-macs-32x32"
    }
    assert {c.settings.rule for c in study.cells(False)} == {"linearized"}
    (mixture, one) = Hypothesis(claims=("H4",), controls=False, seeds=2).cells(False)[:2]
    assert {mixture.settings.network.experts, one.settings.network.experts} == {1, 4}
    with pytest.raises(UnknownNameError, match="relu6"):
        Hypothesis(activations=("relu6",))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study of small networks, attacked and tested in few steps."""
    size = replace(
        size_for(0, True), hidden=(6,), narrow=(4,), train=150, attacked=60, looked_at=4, lr=0.03
    )
    monkeypatch.setattr(module, "size_for", lambda examples, quick: size)
    monkeypatch.setattr(evidence, "PERMUTATIONS", 19)
    monkeypatch.setattr(evidence, "RESAMPLES", 20)
    monkeypatch.setattr(module.measures, "FEWEST", 1)
    monkeypatch.setattr(module, "Attack", partial(Attack, steps=8, restarts=1))
    few = {"steps": 3}
    short = {"apgd-ce": few, "apgd-dlr": few, "apgd-t": few, "square": {"queries": 20}}
    strong = {name: partial(STRONG[name], **options) for name, options in short.items()}
    monkeypatch.setattr(module.measures, "STRONG", strong)


@pytest.mark.usefixtures("tiny")
def test_the_chosen_claims_of_a_tiny_study_get_a_verdict(tmp_path: Path) -> None:
    claims, both = ("H1a", "H4"), ("square", "relu")
    data = load_digits().subset(train=60, test=20)
    study = Hypothesis(data, seeds=2, epochs=1, claims=claims, activations=both, controls=False)
    done = reproduce(study, tmp_path)
    assert not done.failed
    verdicts = {f.claim: str(f.verdict) for f in done.findings}
    assert {claim for claim, verdict in verdicts.items() if verdict != "not testable"} == {*claims}
    html = done.report.read_text()
    assert "What would have changed the verdict" in html
    assert "Stated and not run: gelu, softplus, tanh, sin, erf, leaky-relu, maxout." in html
    assert (tmp_path / "results.csv").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("tiny")
def test_all_claims_of_a_tiny_study_get_a_verdict(tmp_path: Path) -> None:
    data, both = load_digits().subset(train=150, test=60), ("square", "relu")
    study = Hypothesis(data, seeds=2, epochs=3, activations=both)
    done = reproduce(study, tmp_path)
    assert not done.failed
    assert len(done.findings) == 7
    assert "not testable" not in {str(f.verdict) for f in done.findings}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 1}, "seeds=1: an interval over seeds needs at least 2, .* corrected level 8"),
        ({"attack": "fgsm"}, "choose pgd, strong or autoattack"),
        ({"eps": 0.0}, "positive"),
        ({"lr": -1.0}, "positive"),
    ],
)
def test_settings_that_test_nothing_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Hypothesis(**options)


def test_data_of_one_class_and_complex_data_are_refused_before_any_work(tmp_path: Path) -> None:
    x, y = torch.rand(20, 4), torch.ones(20, dtype=torch.long)
    one = Dataset(x, y, x, y, num_classes=3, name="ones")
    lifted = Dataset(x.to(torch.complex64), y % 2, x.to(torch.complex64), y % 2, 2, "lifted")
    for data, words in ((one, "ones is of one class"), (lifted, "lifted is complex")):
        with pytest.raises(DataError, match=words):
            reproduce(Hypothesis(data), tmp_path)
    assert not (tmp_path / "cells").exists()


def test_settings_of_others_are_refused(tmp_path: Path) -> None:
    cell = Hypothesis().cells(True)[0]
    with pytest.raises(ConfigError, match="not the settings"):
        Hypothesis().run_cell(replace(cell, settings=size_for(0, True)), tmp_path, print)
    assert isinstance(Hypothesis(claims=("H3",)).cells(True)[-1].settings, Population)
