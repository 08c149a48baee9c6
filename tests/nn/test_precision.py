"""Changing precision, and torch's own ways of doing it, which go wrong."""

import copy
import warnings

import pytest
import torch
from torch import nn as tnn
from torch.nn.utils import prune

from cases import each
from holonet import nn
from holonet.errors import InputTypeError

C64, C128 = torch.complex64, torch.complex128


def mixed():
    """A network with complex, real and integer parameters and buffers."""
    net = tnn.Sequential(tnn.Linear(3, 4, dtype=C64), nn.FrozenNorm(4), tnn.Linear(4, 2))
    net.register_buffer("steps", torch.tensor(3))
    return net


def test_there_and_back_changes_nothing():
    net = mixed()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    assert nn.to_precision(net, C128) is net
    double = {k: v.dtype for k, v in net.state_dict().items()}
    assert double["0.weight"] is double["1.mean"] is C128
    assert double["1.scale"] is double["2.weight"] is torch.float64
    assert double["steps"] is torch.int64
    nn.to_precision(net, C64)
    for key, value in net.state_dict().items():
        assert value.dtype is before[key].dtype
        assert torch.equal(value, before[key])


def test_parameters_stay_parameters_and_gradients_follow():
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2, dtype=C64)).abs().sum().backward()
    weight = layer.weight
    nn.to_precision(layer, C128)
    assert layer.weight is weight
    assert layer.weight.requires_grad
    assert layer.weight.grad.dtype is C128


def test_the_network_computes_in_double_precision():
    net = nn.to_precision(nn.holomorphic_mlp(3, [4], 2), C128)
    assert net(torch.zeros(1, 3)).dtype is torch.float64


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.int64])
def test_a_real_dtype_is_refused(dtype):
    with pytest.raises(InputTypeError, match=r"torch.complex64 for single"):
        nn.to_precision(nn.Linear(1, 1), dtype)


def test_torchs_double_leaves_complex64():
    """If this fails torch has repaired `double`: holonet needs nothing for it."""
    assert tnn.Linear(2, 2, dtype=C64).double().weight.dtype is C64


def test_torchs_to_float64_drops_the_imaginary_part():
    """If this fails torch has repaired `to`: holonet needs nothing for it."""
    layer = tnn.Linear(2, 2, dtype=C64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer.to(torch.float64)
    assert not layer.weight.is_complex()


def ours():
    """Ours around torch's, with complex and real numbers."""
    return nn.HolomorphicClassifier(
        nn.Sequential(nn.Linear(3, 4), nn.FrozenNorm(4), tnn.Linear(4, 2, dtype=C64)),
        nn.RealPart(),
    )


def holder(inner):
    """A module of the user's around one of holonet's."""
    outer = tnn.Module()
    outer.inner = inner
    outer.register_buffer("steps", torch.tensor(3))
    return outer


@each("wrap", [lambda m: m, tnn.Sequential, holder])
@each(
    "convert",
    [
        lambda m: m.double(),
        lambda m: m.to(torch.float64),
        lambda m: m.to("cpu", torch.float64),
        lambda m: m.to(torch.zeros(1, dtype=torch.float64)),
        lambda m: m.type(torch.float64),
        lambda m: m.to(torch.complex128),
        lambda m: m.type(torch.complex128),
    ],
)
@pytest.mark.filterwarnings("ignore:Complex modules are a new feature")
def test_every_conversion_of_torchs_gives_double_precision(wrap, convert):
    inner = ours()
    weight, before = inner.backbone[0].weight, copy.deepcopy(inner)
    inner(torch.ones(1, 3)).sum().backward()
    convert(wrap(inner))
    assert inner.backbone[0].weight is weight
    assert weight.grad.dtype is C128
    for key, value in inner.state_dict().items():
        old = before.state_dict()[key]
        assert value.dtype is (C128 if old.is_complex() else torch.float64)
        assert torch.equal(value, old.to(value.dtype))
        assert not value._is_view()
    for back in (lambda m: m.float(), lambda m: m.to(torch.float32), lambda m: m.type(C64)):
        back(wrap(inner))
        assert same(inner, before)


def same(one, other):
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(a.dtype is b.dtype and torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_are_refused_before_anything_is_converted(dtype):
    net = ours()
    before = copy.deepcopy(net)
    for convert in (lambda m: m.to(dtype), lambda m: m.type(dtype)):
        with pytest.raises(InputTypeError, match=r"HolomorphicClassifier has complex .*autocast"):
            convert(net)
    with pytest.raises(InputTypeError, match="complex"):
        tnn.Sequential(net).to(dtype)
    assert same(net, before)


def test_what_is_no_change_of_precision_is_left_to_torch():
    net = ours()
    pointers = [t.data_ptr() for t in net.state_dict().values()]
    net.to("cpu").cpu().float()
    assert [t.data_ptr() for t in net.state_dict().values()] == pointers
    layer = nn.Conv2d(3, 2, 2).to(torch.float64, memory_format=torch.channels_last)
    assert layer.weight.dtype is C128
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    empty = copy.deepcopy(net).to_empty(device="meta")
    assert empty.backbone[0].weight.dtype is C64
    assert empty.backbone[0].weight.is_meta


def test_double_copies_leave_the_original_alone():
    layer = nn.Linear(2, 2)
    copied, module = nn.double_copy(layer)
    assert copied is module
    assert module.weight.dtype == torch.complex128
    assert layer.weight.dtype == torch.complex64
    torch.testing.assert_close(module.weight.to(torch.complex64), layer.weight)
    classifier = nn.HolomorphicClassifier(layer)
    method, owner = nn.double_copy(classifier.holomorphic_map)
    assert isinstance(owner, nn.HolomorphicClassifier)
    assert method(torch.zeros(1, 2, dtype=torch.complex128)).dtype == torch.complex128
    assert nn.double_copy(torch.sin) == (torch.sin, None)


def test_a_module_that_cannot_be_copied_is_told_how_it_can():
    layer = nn.Linear(3, 2)
    prune.l1_unstructured(layer, "weight", 2)
    with pytest.raises(InputTypeError, match=r"prune\.remove"):
        nn.double_copy(layer)
    prune.remove(layer, "weight")
    assert nn.double_copy(layer)[1].weight.dtype is C128
