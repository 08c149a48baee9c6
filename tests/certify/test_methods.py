"""Methods: how far forms are pulled, and what they need of a network."""

import torch
from enclosed import F64, linf, networks

from holonet.certify import EXACT, METHODS, read, threat_set
from holonet.certify.methods import INTERVALS, TANGENTS


def test_methods_have_names_theorems_and_hypotheses():
    for name, method in METHODS.items():
        assert method.name == name
        assert method.theorem
        assert len(method.hypotheses) >= 2


def test_tangents_begin_behind_a_threshold_where_the_box_is_exact():
    torch.manual_seed(1)
    model, _ = networks()["threshold"]
    x, y = torch.tensor([[0.05, 0.95, 0.0, 0.46]], dtype=F64), torch.tensor([0])
    network = read(model)
    box = threat_set(x, linf(0.1), EXACT)
    bounds = [m.margins(network, box, y, EXACT)[0] for m in (INTERVALS, TANGENTS)]
    assert network.front == 1
    assert (bounds[1] >= bounds[0] - 1e-9).all()


def test_an_affine_network_has_one_form():
    model, _ = networks()["affine"]
    x, y = torch.rand(2, 4, dtype=F64), torch.tensor([0, 2])
    box = threat_set(x, linf(0.1), EXACT)
    network = read(model)
    assert network.tail == network.front == 0
    first, second = (m.margins(network, box, y, EXACT)[0] for m in (INTERVALS, TANGENTS))
    assert torch.equal(first, second)
