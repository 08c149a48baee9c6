"""The networks of the study."""

from pathlib import Path

import torch

from holonet.data import load_digits
from holonet.nn import real_parameter_count
from holonet.papers.dube2018.settings import build_network, train_network
from holonet.training import accuracy


def test_families_have_as_many_real_parameters() -> None:
    counts = [
        real_parameter_count(build_network(family, (1, 8, 8), 10, (32,), 0))
        for family in ("complex-square", "real-square", "real-relu", "real-tanh")
    ]
    assert max(counts) - min(counts) < 0.02 * max(counts)


def test_real_families_have_real_weights() -> None:
    for family, is_complex in (("real-square", False), ("complex-square", True)):
        weights = build_network(family, (4,), 2, (3,), 0).parameters()
        assert all(p.is_complex() == is_complex for p in weights)


def test_a_network_is_trained_once_and_read_back(tmp_path: Path) -> None:
    data = load_digits().subset(600, 100)
    model = train_network("real-square", data, (16,), 5, 0, tmp_path)
    assert accuracy(model, data.x_test, data.y_test) > 0.7
    again = train_network("real-square", data, (16,), 5, 0, tmp_path)
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)
