"""Networks change from complextorch to holonet and back with their values and weights."""

import complextorch.nn as ctnn
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import InputTypeError
from holonet.interop import from_complextorch, to_complextorch


class Branches(tnn.Module):
    """A user's module: a layer that stands twice in it, in a list and by name."""

    def __init__(self, layer: tnn.Module) -> None:
        super().__init__()
        self.first = layer
        self.again = tnn.ModuleList([layer, ctnn.CTanh()])

    def forward(self, z: Tensor) -> Tensor:
        return self.again[1](self.first(z)) + self.again[0](z)


def complex_points(*shape: int, dtype: torch.dtype = torch.complex64) -> Tensor:
    return torch.randn(*shape, dtype=dtype)


LAYERS = {
    "Linear": (ctnn.Linear, (4, 3), {}, (5, 4), nn.Linear),
    "Linear, no bias": (ctnn.Linear, (4, 3), {"bias": False}, (5, 4), nn.Linear),
    "Conv1d": (ctnn.Conv1d, (2, 3, 3), {"stride": 2, "padding": 1}, (5, 2, 7), nn.Conv1d),
    "Conv2d": (
        ctnn.Conv2d,
        (2, 4, 3),
        {"groups": 2, "dilation": 2, "padding": 1, "padding_mode": "circular"},
        (5, 2, 7, 6),
        nn.Conv2d,
    ),
    "ConvTranspose2d": (
        ctnn.ConvTranspose2d,
        (2, 3, 3),
        {"stride": 2, "output_padding": 1, "bias": False},
        (5, 2, 4, 4),
        nn.ConvTranspose2d,
    ),
    "gauss.Linear": (ctnn.gauss.Linear, (4, 3), {}, (5, 4), nn.Linear),
    "gauss.Conv1d": (ctnn.gauss.Conv1d, (2, 3, 3), {"padding": 1}, (5, 2, 7), nn.Conv1d),
    "gauss.Conv2d": (ctnn.gauss.Conv2d, (2, 3, 3), {"bias": False}, (5, 2, 7, 7), nn.Conv2d),
    "gauss.ConvTranspose2d": (
        ctnn.gauss.ConvTranspose2d,
        (2, 3, 3),
        {"stride": 2},
        (5, 2, 4, 4),
        nn.ConvTranspose2d,
    ),
}


@each(("kind", "arguments", "options", "shape", "expected"), list(LAYERS.values()))
def test_a_layer_becomes_the_one_of_the_same_settings(
    kind: type[tnn.Module],
    arguments: tuple[int, ...],
    options: dict[str, object],
    shape: tuple[int, ...],
    expected: type[tnn.Module],
) -> None:
    layer = kind(*arguments, **options)
    for p in layer.parameters():  # biases are 0 at first in some
        torch.nn.init.normal_(p)
    ours = from_complextorch(layer)
    assert type(ours) is expected
    z = complex_points(*shape)
    torch.testing.assert_close(ours(z), layer(z), rtol=1e-5, atol=1e-5)
    theirs = to_complextorch(ours)
    torch.testing.assert_close(theirs(z), layer(z), rtol=1e-5, atol=1e-5)
    if "gauss" not in kind.__module__:
        assert type(theirs) is kind
        assert theirs.state_dict().keys() == layer.state_dict().keys()
        assert all(map(torch.equal, theirs.state_dict().values(), layer.state_dict().values()))
        layer.load_state_dict(theirs.state_dict())


@given(
    widths=st.lists(st.integers(1, 4), min_size=2, max_size=4),
    double=st.booleans(),
    seed=st.integers(0, 99),
)
def test_there_and_back_is_the_same_network(widths: list[int], double: bool, seed: int) -> None:
    dtype = torch.complex128 if double else torch.complex64
    generator = torch.Generator().manual_seed(seed)
    network = nn.holomorphic_mlp(widths[0], widths[1:], 3, activation="sin", generator=generator)
    network = nn.to_precision(network, dtype)
    theirs = to_complextorch(network)
    assert any(isinstance(m, ctnn.Linear) for m in theirs.modules())
    assert not any(isinstance(m, nn.Linear) for m in theirs.modules())
    x = torch.rand(4, widths[0], dtype=torch.float64 if double else torch.float32)
    torch.testing.assert_close(theirs(x), network(x))
    back = from_complextorch(theirs)
    assert repr(back) == repr(network)
    assert back.state_dict().keys() == network.state_dict().keys()
    assert all(map(torch.equal, back.state_dict().values(), network.state_dict().values()))


def test_a_layer_that_a_sequence_holds_twice_is_exchanged_in_both_places() -> None:
    layer = nn.Linear(3, 3)
    theirs = to_complextorch(nn.Sequential(layer, nn.Square(), layer))
    assert theirs[0] is theirs[2]
    assert isinstance(theirs[2], ctnn.Linear)


def test_modules_of_users_are_searched_and_shared_layers_stay_shared() -> None:
    network = Branches(ctnn.Linear(3, 3))
    network.first.linear.weight.requires_grad_(False)
    network.first.eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    ours = from_complextorch(network)
    assert ours.first is ours.again[0]
    assert type(ours.first) is nn.Linear
    assert type(ours.again[1]) is ctnn.CTanh
    assert (ours.training, ours.first.training) == (True, False)
    assert not to_complextorch(ours).first.training
    assert [p.requires_grad for p in ours.parameters()] == [False, True]
    z = complex_points(4, 3)
    torch.testing.assert_close(ours(z), network(z))
    with torch.no_grad():
        ours.first.bias += 1
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_layers_in_parts_keep_what_is_trained_and_the_mode() -> None:
    layer = ctnn.gauss.Linear(3, 3).eval()
    layer.linear_r.weight.requires_grad_(False)
    ours = from_complextorch(layer)
    assert not ours.training
    assert not ours.weight.requires_grad


def test_layers_of_complextorch_that_differ_stay_as_they_are() -> None:
    layer = ctnn.gauss.Conv1d(2, 2, 3, padding=1, padding_mode="circular")
    assert type(from_complextorch(layer)) is ctnn.gauss.Conv1d


def test_a_converted_network_takes_real_images_and_a_rule() -> None:
    layers = [tnn.Flatten(), ctnn.Linear(16, 4), nn.Square(), ctnn.Linear(4, 3)]
    network = from_complextorch(nn.HolomorphicClassifier(nn.Sequential(*layers)))
    x = torch.rand(5, 1, 4, 4)
    assert network(x).shape == (5, 3)
    assert not network(x).is_complex()
    assert network.backbone[1].takes_real


def test_real_coefficients_are_refused() -> None:
    network = nn.holomorphic_mlp(4, [3], 2, coefficients="real")
    with pytest.raises(InputTypeError, match=r"real coefficients \(torch.float32\)"):
        to_complextorch(network)
