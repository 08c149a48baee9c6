"""The baselines compute what our networks compute."""

from functools import partial

import pytest
import torch
from torch import nn as tnn

from cases import each
from holonet.audit import layer_types
from holonet.bench import baselines
from holonet.bench.baselines import ACTIVATIONS, BaselineNetwork, affine_layers, compilers
from holonet.functions import CATALOGUE
from holonet.nn import holomorphic_mlp


@each("name", ACTIVATIONS)
def test_activations_are_the_records(name):
    z = 0.5 * torch.randn(50, dtype=torch.complex128) + 0.2
    torch.testing.assert_close(ACTIVATIONS[name](z), CATALOGUE[name](z))


@pytest.mark.parametrize("kind", [tnn.Linear, layer_types()["Linear"]])
def test_the_network_is_ours_with_the_same_weights(kind):
    ours = holomorphic_mlp(6, [5, 4], 3, activation="sin")
    baseline = BaselineNetwork(affine_layers(kind, (6, 5, 4, 3)), torch.sin)
    with torch.no_grad():
        for mine, its in zip(ours.parameters(), baseline.parameters(), strict=True):
            its.copy_(mine)
    x = torch.rand(7, 1, 6)
    torch.testing.assert_close(baseline(x), ours(x))


def test_compilers_are_torchs():
    assert "torch.compile" in compilers()


@pytest.mark.skipif(not baselines._ISOLATED, reason="torch shares compiled code before 2.13")
def test_every_compiler_compiles_anew(monkeypatch):
    plain, graphs = torch.compile, []

    def eager(graph, inputs):
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", partial(plain, backend=eager))
    for compiled in compilers().values():
        for _ in range(2):
            compiled(torch.sin)(torch.zeros(2))
    assert len(graphs) == 2 * len(compilers())
