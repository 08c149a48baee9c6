"""Known answers of a diagnosis, what it leaves as it was, and what it keeps."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet.diagnostics import diagnose
from holonet.diagnostics import diagnose as function
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.errors import ConfigError, InputTypeError, UnknownNameError

module = __import__("sys").modules[function.__module__]
SMALL = {"examples": 2, "attacked": 4, "eps": [0.05]}


def network(activation: nn.Module | None = None) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        middle = nn.Tanh() if activation is None else activation
        return nn.Sequential(nn.Linear(4, 5), middle, nn.Dropout(), nn.Linear(5, 3))


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(8, 4, generator=generator), torch.arange(8) % 3


class Saddle(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x[:, :1] ** 2 - x[:, 1:2] ** 2) @ torch.ones(1, 2).to(x)


class Square(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return (x**2).sum(1, keepdim=True)


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx, *grad: Tensor) -> Tensor:
        return 2 * grad[0]


class Custom(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Doubled.apply(x)


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > -1e9 else -x


def test_a_real_network_gets_every_section() -> None:
    x, y = data()
    found = diagnose(network(), x, y, **SMALL)
    assert {one.name: one.answer for one in found.sections} == {
        "holomorphy": "yes",
        "harmonicity": "no",
        "analyticity": "measured",
        "energy": "measured",
        "robustness": "measured",
        "slices": "drawn",
    }
    assert found.subject["baseline"] == "untrained"
    json.dumps(found.to_json(), allow_nan=False)


def test_a_harmonic_polynomial_and_the_square_of_the_norm_are_told_apart() -> None:
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert diagnose(Saddle(), x, sections=["harmonicity"])["harmonicity"].answer == "yes"
    found = diagnose(Square(), x, sections=["harmonicity"])["harmonicity"]
    assert found.answer == "no"
    assert "no untrained twin" in found.verdict


def test_modes_gradients_statistics_and_random_numbers_stay() -> None:
    x, y = data()
    model = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.GELU(), nn.Linear(5, 3)).train()
    model[1].eval()
    gradient = torch.ones_like(model[0].weight)
    model[0].weight.grad = gradient.clone()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    state = torch.get_rng_state()
    diagnose(model, x, y, **SMALL)
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(model[0].weight.grad, gradient)
    assert all(p.grad is None for p in model[3].parameters())
    assert all(p.requires_grad for p in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


@each(
    ("model", "words"),
    [(Custom(), "autograd.Function"), (Branching(), "compares")],
    ids=lambda case: type(case).__name__,
)
def test_what_cannot_be_continued_is_said_and_real_points_are_measured(
    model: nn.Module, words: str
) -> None:
    x, y = data()
    found = diagnose(model, x, y, sections=["holomorphy", "harmonicity", "robustness"], **SMALL)
    assert found["holomorphy"].answer != "yes"
    assert words in found["holomorphy"].verdict
    assert "affine to rounding" in found["harmonicity"].verdict
    assert found["robustness"].answer == "measured"


def test_what_a_section_cannot_measure_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> DiagnosisSection:
        raise RuntimeError("no such kernel\nmore")

    monkeypatch.setattr(module, "SECTIONS", {"energy": fails})
    found = diagnose(network(), data()[0])
    assert found["energy"].answer == "not applicable"
    assert found["energy"].verdict == "could not be measured: no such kernel"


def test_a_baseline_stands_beside() -> None:
    x, y = data()
    names = ["harmonicity", "energy", "robustness"]
    found = diagnose(network(), x, y, baseline=network(nn.GELU()), sections=names, **SMALL)
    assert found.subject["baseline"] == "baseline"
    assert found["robustness"].numbers["baseline"]
    assert found["energy"].numbers["energy"]["baseline"] > 0
    none = diagnose(network(), x, y, baseline=None, sections=["energy"], **SMALL)
    assert "baseline" not in none["energy"].numbers["energy"]
    with pytest.raises(InputTypeError, match="answers the same question"):
        diagnose(network(), x, y, baseline=nn.Linear(4, 7), **SMALL)


def counted(monkeypatch: pytest.MonkeyPatch, fails: str = "") -> list[str]:
    """The sections that are measured; one may be interrupted."""
    names: list[str] = []

    def section(name: str):
        def run(model: object, settings: object) -> DiagnosisSection:
            if name == fails:
                raise KeyboardInterrupt
            names.append(name)
            return DiagnosisSection(name, "measured", f"{name} is measured", worst=(1,))

        return run

    monkeypatch.setattr(module, "SECTIONS", {n: section(n) for n in ("holomorphy", "energy")})
    return names


def test_an_interrupted_diagnosis_resumes_at_the_section(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    x, y = data()
    names = counted(monkeypatch, fails="energy")
    with pytest.raises(KeyboardInterrupt):
        diagnose(network(), x, y, folder=tmp_path)
    assert names == ["holomorphy"]
    names = counted(monkeypatch)
    found = diagnose(network(), x, y, folder=tmp_path)
    assert names == ["energy"]
    assert found == diagnose(network(), x, y, folder=tmp_path)
    assert names == ["energy"]


def test_other_weights_data_or_settings_are_measured_anew(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    x, y = data()
    names = counted(monkeypatch)
    model, other = network(), network()
    with torch.no_grad():
        other[0].weight[0, 0] += 1
    calls = [
        lambda: diagnose(model, x, y, folder=tmp_path),
        lambda: diagnose(other, x, y, folder=tmp_path),
        lambda: diagnose(model, x + 1, y, folder=tmp_path),
        lambda: diagnose(model, x, folder=tmp_path),
        lambda: diagnose(model, x, y, folder=tmp_path, seed=1),
        lambda: diagnose(model, x, y, folder=tmp_path, eps=[0.1]),
        lambda: diagnose(model, x, y, folder=tmp_path, baseline=None),
    ]
    for number, call in enumerate(calls, 1):
        call()
        assert len(names) == 2 * number
    calls[0]()
    assert len(names) == 2 * len(calls)


def test_a_damaged_section_is_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    x, _ = data()
    names = counted(monkeypatch)
    diagnose(network(), x, folder=tmp_path)
    (kept,) = tmp_path.glob("*/energy.json")
    kept.write_text("{}")
    diagnose(network(), x, folder=tmp_path)
    assert names == ["holomorphy", "energy", "energy"]
    assert "it is done again" in caplog.text


def test_each_part_of_the_work_is_told() -> None:
    steps: list[str] = []
    names = ["holomorphy", "energy"]
    diagnose(network(), data()[0], sections=names, on_step=steps.append, **SMALL)
    assert list(dict.fromkeys(steps)) == names
    assert steps.count("energy") >= 2


def test_bad_calls_are_refused() -> None:
    x, y = data()
    with pytest.raises(UnknownNameError, match="harmonicity"):
        diagnose(network(), x, sections=["harmony"])
    with pytest.raises(ConfigError, match="examples"):
        diagnose(network(), x, examples=0)
    with pytest.raises(InputTypeError, match="folder"):
        diagnose(lambda x: x, x, y, folder=Path("nowhere"))
