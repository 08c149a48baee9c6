"""Reading models: containers unrolled, unknown layers named."""

import pytest
import torch
from enclosed import complex_networks, linf, networks, sampled
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.certify import EXACT, Enclosure, certify, read, threat_set
from holonet.certify.network import LAYERS
from holonet.certify.pointwise import Relu
from holonet.certify.rows import Rows
from holonet.certify.step import Step
from holonet.errors import InputTypeError


def test_containers_are_unrolled_in_order_with_the_paths_of_their_layers():
    model = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Threshold(),
            nn.Flatten(),
            nn.Sequential(
                nn.Linear(4, 3), nn.Residual(nn.Sequential(nn.Linear(3, 3), nn.Square()))
            ),
            nn.Linear(3, 2),
        )
    )
    network = read(model)
    assert [step.name for step in network.steps] == [
        "backbone.0 (Threshold)",
        "backbone.1 (Flatten)",
        "backbone.2.0 (Linear)",
        "backbone.2.1 (Residual)",
        "backbone.3 (Linear)",
        "readout (RealPart)",
    ]
    assert network.front == 1
    assert network.tail == 4
    assert network.dtypes == {torch.float32}


@each("name", sorted(networks()))
def test_enclosures_of_points_hold_the_logits(name):
    model, shape = networks()[name]
    x = torch.rand(3, *shape, dtype=torch.float64)
    logits, trace = read(model).enclose(Enclosure(x[None], torch.zeros_like(x[None])), EXACT)
    with torch.no_grad():
        expected = model(x)
    assert torch.allclose(logits.center[0], expected, rtol=1e-9, atol=1e-9)
    assert (logits.radius < 1e-9).all()
    assert len(trace.inputs) >= len(read(model).steps)


class Own(nn.Linear):
    """A subclass, which may compute something else."""


@each(
    ("model", "match"),
    [
        (tnn.Sequential(tnn.Linear(2, 2), tnn.Sequential(tnn.Softplus())), r"1\.0 \(Softplus\)"),
        (Own(2, 2), r"the model \(Own\)"),
        (nn.Product(tnn.Identity(), tnn.Identity()), r"Product"),
        (tnn.Sequential(tnn.Linear(2, 2), tnn.PReLU()), r"1 \(PReLU\)"),
    ],
    ids=str,
)
def test_other_layers_are_refused_by_name(model, match):
    with pytest.raises(InputTypeError, match=match):
        read(model)


def test_hooks_and_forwards_of_instances_are_refused():
    model = tnn.Sequential(tnn.Linear(2, 2))
    hook = model[0].register_forward_hook(lambda *_: None)
    with hook, pytest.raises(InputTypeError, match="hook"):
        read(model)
    model[0].forward = lambda x: x
    with pytest.raises(InputTypeError, match="forward of its own"):
        read(model)


def test_every_layer_of_the_table_is_tried_by_the_networks_of_the_tests():
    models = [model for model, _ in (*networks().values(), *complex_networks().values())]
    used = {type(m) for model in models for m in model.modules()}
    assert set(LAYERS) - used == {nn.RealPart, tnn.Flatten, tnn.Identity} - used


def test_sharpened_enclosures_are_inside_of_intervals_and_hold_samples():
    torch.manual_seed(0)
    sharper = 0
    for name in ("real tanh", "complex square", "relu", "norm and residual", "convolution"):
        model, shape = networks()[name]
        x = torch.rand(2, *shape, dtype=torch.float64)
        box, network = threat_set(x, linf(0.05)), read(model)
        wide, first = network.enclose(box, EXACT)
        narrow, second = network.enclose(box, EXACT, sharpen=True)
        assert (narrow.radius <= wide.radius * (1 + 1e-9)).all()
        sharper += int((narrow.radius < 0.99 * wide.radius).any())
        for step, inside in zip(second.inputs.values(), first.inputs.values(), strict=True):
            assert (step.radius <= inside.radius * (1 + 1e-9)).all()
        points = sampled(x, linf(0.05), 300)
        with torch.no_grad():
            values = model(points.flatten(0, 1)).unflatten(0, points.shape[:2])
        for value in values:
            assert (narrow.contains(value[None]) >= -1e-12).all()
    assert sharper == 5


def test_units_that_relu_does_not_bend_cost_no_forms_and_change_no_margin(monkeypatch):
    counts, entries = [], Rows.entries

    def counted(shape, index, sign):
        counts.append(len(index))
        return entries(shape, index, sign)

    monkeypatch.setattr(Rows, "entries", counted)

    def margins(model, x, y):
        counts.clear()
        proofs = certify(model, x, y, linf(0.1), ["tangents"])
        return torch.tensor([proof.margins for proof in proofs], dtype=torch.float64), sum(counts)

    spent = whole = 0
    for seed in range(8):
        torch.manual_seed(seed)
        layers = [tnn.Linear(6, 12), tnn.ReLU(), tnn.Linear(12, 10), tnn.ReLU(), tnn.Linear(10, 8)]
        model = tnn.Sequential(*layers, tnn.ReLU(), tnn.Linear(8, 3)).double()
        for linear in model[::2]:
            torch.nn.init.normal_(linear.bias, std=0.5)
        x = torch.rand(3, 6, dtype=torch.float64)
        y = model(x).argmax(1)
        found, few = margins(model, x, y)
        with monkeypatch.context() as patch:
            patch.setattr(Relu, "bent", Step.bent)
            expected, all_of_them = margins(model, x, y)
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9)
        assert all_of_them == 2 * (10 + 8)
        spent, whole = spent + few, whole + all_of_them
    assert 0 < spent < whole / 2
