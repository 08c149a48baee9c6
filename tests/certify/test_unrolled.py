"""Containers are opened in order, and what may compute anything is refused."""

import pytest
from torch import nn as tnn

from holonet import nn
from holonet.certify.unrolled import label, unrolled
from holonet.errors import InputTypeError


def test_layers_come_in_order_with_their_paths():
    model = nn.HolomorphicClassifier(
        nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Square(), nn.Residual(nn.Linear(2, 2))))
    )
    found = [(path, type(layer).__name__) for path, layer in unrolled(model)]
    assert found == [
        ("backbone.0", "Linear"),
        ("backbone.1.0", "Square"),
        ("backbone.1.1", "Residual"),
        ("readout", "RealPart"),
    ]


def test_a_single_layer_is_its_own_chain():
    layer = tnn.Linear(2, 2)
    assert list(unrolled(layer)) == [("", layer)]
    assert label("", layer) == "the model (Linear)"
    assert next(unrolled(layer, "body"))[0] == "body"


def test_hooks_inside_of_containers_are_refused():
    model = tnn.Sequential(tnn.Sequential(tnn.Linear(2, 2)))
    with (
        model[0].register_forward_hook(lambda *_: None),
        pytest.raises(InputTypeError, match=r"0 \(Sequential\) has hooks"),
    ):
        list(unrolled(model))


def test_a_shared_layer_is_in_each_of_its_places():
    square, linear = nn.Square(), nn.Linear(2, 2)
    model = nn.HolomorphicClassifier(nn.Sequential(linear, square, linear, square, linear))
    assert [path for path, _ in unrolled(model)][:5] == [f"backbone.{k}" for k in range(5)]
    assert [layer for _, layer in unrolled(model)][:5] == list(model.backbone)
