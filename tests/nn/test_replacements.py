"""Every module class of torch.nn is declared, or answered with what stands in for it."""

import inspect
import re

import complextorch.nn as ctnn
import pytest
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import NotHolomorphicError
from holonet.nn.declare import require_holomorphic
from holonet.nn.module import DECLARATIONS
from holonet.nn.replacements import WAYS_OUT, way_out_for

TORCH = [
    kind for kind in vars(tnn).values() if inspect.isclass(kind) and issubclass(kind, tnn.Module)
]
COMPOSED = {tnn.Sequential, tnn.Module}
"""Looked into, and the base of all."""


def refusal(kind):
    """The message for an instance, without the constructor's arguments."""
    with pytest.raises(NotHolomorphicError) as caught:
        require_holomorphic(object.__new__(kind))
    return str(caught.value)


def test_every_layer_of_torch_is_declared_or_answered():
    open_ = {k for k in TORCH if k not in DECLARATIONS and not way_out_for(k)} - COMPOSED
    assert not open_
    both = {k for k in TORCH if k in DECLARATIONS and way_out_for(k)}
    assert {DECLARATIONS[k].function_class.is_holomorphic for k in both} == {False}


@each("kind", [k for k in TORCH if way_out_for(k)], ids=lambda k: k.__name__)
def test_no_message_proposes_a_declaration_that_would_be_false(kind):
    message = refusal(kind)
    assert "nn.declare(" not in message
    assert "FunctionClass" not in message
    assert f"{kind.__name__} {way_out_for(kind)}" in message


def test_what_is_named_exists():
    for text in WAYS_OUT.values():
        for name in re.findall(r"nn\.(\w+)", text):
            assert hasattr(nn, name)


@each(
    ("kind", "words"),
    [
        (tnn.BatchNorm2d, "FrozenNorm"),
        (tnn.LayerNorm, "FrozenNorm"),
        (ctnn.BatchNorm1d, "FrozenNorm"),
        (tnn.Softmax, "cross_entropy"),
        (tnn.Tanh, r"nn\.Tanh\(\) of holonet"),
        (tnn.Softplus, r"nn\.Softplus\(\) of holonet"),
        (tnn.ReLU, "'gelu', 'silu' and 'softplus'"),
        (tnn.MaxPool3d, "AvgPool1d"),
        (tnn.Dropout, "take it out"),
        (tnn.MultiheadAttention, "softmax"),
        (tnn.MSELoss, "behind the readout"),
    ],
)
def test_the_way_out_is_named(kind, words):
    assert re.search(words, refusal(kind))


def test_a_subclass_is_answered_as_its_base_and_a_foreign_name_is_not():
    class Mine(tnn.BatchNorm1d):
        pass

    class LayerNorm(tnn.Module):
        pass

    assert "FrozenNorm" in refusal(Mine)
    assert re.search(r"nn\.declare\(LayerNorm, function_class\)", refusal(LayerNorm))
    assert "FunctionClass.ENTIRE" not in refusal(LayerNorm)
