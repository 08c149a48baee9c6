"""Measured sweeps: no number in both parts, true labels, gain and phase unknown, one set a seed."""

import sys

import pytest
import torch
from torch import Tensor

from holonet.data import Dataset, load_reflections, reflections
from holonet.data.reflections import DEVICES
from holonet.errors import MissingDependencyError


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Without noise, of devices whose coefficient at frequency number k is k + 1000 (label + 1)."""
    lengths = [[101], [201] * 3, [201], [201], [201], [201]]
    traces = [
        [torch.arange(n) + 1000.0 * (label + 1) + 0j for n in counts]
        for label, counts in enumerate(lengths)
    ]
    traces = [[trace.to(torch.complex128) for trace in device] for device in traces]
    monkeypatch.setattr(reflections, "_measured", lambda: traces)
    monkeypatch.setattr(reflections, "NOISE", 0.0)
    return load_reflections(seed=2)


def numbers(x: Tensor, y: Tensor) -> Tensor:
    """The numbers of the frequencies of each example: ratios know neither gain nor phase."""
    step = torch.where(y == 0, 6, 12)
    first = step / ((x[:, 1] / x[:, 0]).real - 1)
    index = first[:, None] + step[:, None] * torch.arange(16) - 1000.0 * (y[:, None] + 1)
    assert float((index - index.round()).abs().max()) < 0.3
    return index.round().long()


def test_the_parts_have_the_promised_shapes_and_classes_of_equal_size() -> None:
    data = load_reflections()
    assert (data.x_train.shape, data.x_test.shape) == ((2400, 16), (900, 16))
    assert data.x_train.dtype == torch.complex64
    assert data.y_train.bincount().tolist() == [400] * 6
    assert data.y_test.bincount().tolist() == [150] * 6
    assert (data.name, data.num_classes, data.bounds) == ("reflections", len(DEVICES), None)


def test_training_sweeps_have_even_frequencies_and_test_sweeps_odd_ones(numbered: Dataset) -> None:
    for parity, part in enumerate(("train", "test")):
        y = getattr(numbered, f"y_{part}")
        index = numbers(getattr(numbered, f"x_{part}").to(torch.complex128), y)
        assert set((index % 2).flatten().tolist()) == {parity}
        ends = [int(index[y == label].max()) for label in range(6)]
        assert ends[0] <= 100
        assert max(ends[1:]) <= 200


def test_gain_and_phase_tell_nothing(numbered: Dataset) -> None:
    x = numbered.x_train
    assert torch.allclose(x.abs().square().mean(1), torch.ones(len(x)), atol=1e-5)
    phase = (x[:, 0] / x[:, 0].abs()).to(torch.complex128)
    assert float(phase.mean().abs()) < 0.1  # 5 standard errors
    assert float((phase**2).mean().abs()) < 0.1


def test_noise_has_the_promised_size_in_all_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = load_reflections().x_test
    monkeypatch.setattr(reflections, "NOISE", 0.0)
    noise = (noisy - load_reflections().x_test).flatten()
    size = float(noise.abs().square().mean().sqrt())
    assert size == pytest.approx(0.05, rel=0.03)
    assert float(noise.square().mean().abs()) < 0.05 * size**2


def test_the_seed_draws_everything() -> None:
    first, same, other = (load_reflections(seed) for seed in (4, 4, 5))
    assert first.fingerprint() == same.fingerprint() != other.fingerprint()


def test_the_measurements_are_those_of_the_documented_numbers() -> None:
    """It fails where another scikit-rf has other files, as numbers then differ too."""
    measured = reflections._measured()
    shapes = [[len(trace) for trace in device] for device in measured]
    assert shapes == [[101], [201] * 3, [201], [201], [201], [201]]
    means = [float(torch.cat(device).abs().mean()) for device in measured]
    assert means == pytest.approx([0.534, 0.200, 0.179, 0.179, 0.176, 0.023], abs=1e-3)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skrf", None)
    with pytest.raises(MissingDependencyError, match=r"scikit-rf.*holonet\[datasets\]"):
        load_reflections()
