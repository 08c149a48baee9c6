"""The base of modules: the margin, and the checks that every layer uses."""

import functools

import numpy as np
import pytest
import torch
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.domains import Disc, PointSet, SlitPlane
from holonet.errors import DomainError, InputTypeError, NotHolomorphicError, ShapeError
from holonet.functions import FunctionClass
from holonet.nn.module import (
    forward_hooks,
    require_numbers,
    require_size,
    require_tensor,
)


def test_the_margin_is_measured_in_front_of_every_layer():
    double = nn.Linear(1, 1)
    double.load_state_dict({"weight": torch.tensor([[2 + 0j]]), "bias": torch.tensor([0j])})
    net = nn.Sequential(nn.Activation("reciprocal"), double, nn.Activation("log"))
    z = torch.tensor([[2j], [0.1 + 0j], [-1 + 0j]])
    # 1/z is |z| from its pole, log is |2/z| from its cut, or less if the cut is nearer than 0
    torch.testing.assert_close(net.margin(z), torch.tensor([1.0, 0.1, 0.0]))


def test_entire_modules_have_an_infinite_margin():
    z = torch.randn(4, 3, dtype=torch.complex128)
    margin = nn.Sequential(nn.Linear(3, 2, dtype=torch.complex128), nn.Sin()).margin(z)
    assert margin.dtype is torch.float64
    assert margin.isinf().all()


@pytest.mark.parametrize("shape", [(0,), (5,), (5, 3), (5, 2, 3), (0, 3)])
def test_the_margin_is_one_number_for_each_example(shape):
    z = 0.1 * torch.randn(shape, dtype=torch.complex64)
    margin = nn.Tanh().margin(z)
    assert margin.shape == shape[:1]
    assert ((margin > 0.5) & (margin < torch.pi)).all()


def test_the_least_margin_of_an_example_counts():
    z = torch.tensor([[0, 1.5j], [1.5j, 3]], dtype=torch.complex128)
    torch.testing.assert_close(
        nn.Tanh().margin(z), torch.full((2,), torch.pi / 2 - 1.5, dtype=torch.float64)
    )


def test_the_margin_leaves_no_hook_behind_even_after_an_error():
    net = nn.Sequential(nn.Tanh(), nn.Linear(3, 2))
    net.margin(torch.zeros(1, 3, dtype=torch.complex64))
    with pytest.raises(ShapeError):
        net.margin(torch.zeros(1, 4, dtype=torch.complex64))
    assert not any(m._forward_pre_hooks for m in net.modules())


def test_the_margin_of_a_classifier_takes_real_points():
    net = nn.HolomorphicClassifier(nn.Sequential(nn.Tanh(), nn.Linear(3, 2)))
    torch.testing.assert_close(net.margin(torch.zeros(2, 3)), torch.full((2,), torch.pi / 2))


class Foreign(tnn.Module):
    def forward(self, z):
        return 1 / (z - 1)


class ForeignWithDomain(Foreign):
    pass


def test_the_margin_of_a_foreign_layer_needs_its_domain():
    nn.declare(Foreign, FunctionClass.RATIONAL)
    net = nn.Sequential(Foreign())
    assert net.domain is None
    with pytest.raises(DomainError, match=r"margin of Foreign .*domain=\.\.\."):
        net.margin(torch.zeros(1, 1, dtype=torch.complex64))
    nn.declare(ForeignWithDomain, FunctionClass.RATIONAL, domain=SlitPlane((PointSet((1 + 0j,)),)))
    z = torch.tensor([[3j], [1 + 0j]])
    net = nn.Sequential(ForeignWithDomain())
    assert net.domain is None
    torch.testing.assert_close(net.margin(z), torch.tensor([10**0.5, 0]))


def test_a_module_may_live_on_a_bounded_domain():
    class OnDisc(nn.HolomorphicModule):
        function_class = FunctionClass.HOLOMORPHIC
        domain = Disc()

        def forward(self, z):
            return (1 - z * z).sqrt()

    z = torch.tensor([0.25j, 2.0])
    torch.testing.assert_close(nn.Sequential(OnDisc()).margin(z), torch.tensor([0.75, 0]))


class Entire(nn.HolomorphicModule):
    function_class = FunctionClass.ENTIRE

    def forward(self, z):
        return self.inner(z)

    def inner(self, z):
        return z.exp()

    builtin = torch.exp
    partial = functools.partialmethod(inner)


class ByHand(nn.DeclaredModule):
    def __init__(self, function_class):
        super().__init__()
        self.function_class = function_class

    def forward(self, z):
        return z


def derived(base, **body):
    return type("Mine", (base,), body)


def anything(self, z):
    return z.conj()


@pytest.mark.parametrize("base", [nn.HolomorphicModule, nn.DeclaredModule, nn.Readout])
def test_a_module_without_a_class_is_refused_at_construction(base):
    kind = derived(base, forward=anything)
    with pytest.raises(NotHolomorphicError, match=r"^Mine declares no function_class\. Say in its"):
        kind()


@each(
    ("base", "name", "arguments"),
    [
        (nn.Linear, "forward", (2, 2)),
        (nn.Sin, "forward", ()),
        (nn.Sequential, "forward", (nn.Exp(),)),
        (nn.HolomorphicClassifier, "holomorphic_map", (nn.Exp(),)),
        (nn.RealPart, "__call__", ()),
        (nn.Conv2d, "_conv_forward", (1, 1, 1)),
        (Entire, "inner", ()),
        (Entire, "builtin", ()),
        (Entire, "partial", ()),
    ],
)
def test_a_class_is_not_inherited_by_what_computes_something_else(base, name, arguments):
    with pytest.raises(NotHolomorphicError, match=rf"Mine overrides {name} and inherits"):
        derived(base, **{name: anything})(*arguments)
    again = derived(base, **{name: anything}, function_class=FunctionClass.SMOOTH)
    assert again(*arguments).function_class is FunctionClass.SMOOTH
    mixin = type("Mixin", (), {name: anything})
    with pytest.raises(NotHolomorphicError, match=name):
        type("Mixed", (mixin, base), {})(*arguments)


def test_a_constructor_declares_for_its_own_class():
    for body in ({}, {"function_class": FunctionClass.SMOOTH}):  # which the constructor covers
        with pytest.raises(NotHolomorphicError, match="Mine overrides forward"):
            derived(ByHand, forward=anything, **body)(FunctionClass.ENTIRE)

    class Again(ByHand):
        def __init__(self):
            super().__init__(FunctionClass.SMOOTH)

        def forward(self, z):
            return z.conj()

    assert Again().function_class is FunctionClass.SMOOTH


def test_a_class_is_inherited_by_what_is_built_differently():
    class Pair(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)

        def reset_parameters(self):
            torch.nn.init.ones_(self.weight)

    assert Pair().function_class is FunctionClass.AFFINE
    assert ByHand(FunctionClass.RATIONAL).function_class is FunctionClass.RATIONAL


def test_a_class_must_be_one():
    with pytest.raises(InputTypeError, match="function_class = 'entire'"):
        ByHand("entire")
    with pytest.raises(InputTypeError, match="function_class = 'entire'"):
        derived(nn.HolomorphicModule, forward=anything, function_class="entire")()
    for of_instance in (property(lambda self: "entire"), lambda self: FunctionClass.ENTIRE):
        with pytest.raises(InputTypeError, match="declares function_class = "):
            derived(nn.HolomorphicModule, forward=anything, function_class=of_instance)()
    missing = property(lambda self: self.nothing)
    with pytest.raises(InputTypeError, match="cannot tell its function_class"):
        derived(nn.HolomorphicModule, forward=anything, function_class=missing)()


@pytest.mark.parametrize("wrong", [{"domain": "everywhere"}, {"singularities": 3}])
def test_a_domain_and_singularities_must_be_some(wrong):
    with pytest.raises(InputTypeError, match=f"declares {next(iter(wrong))} = "):
        derived(Entire, **wrong)()


def test_a_forward_set_on_an_instance_is_not_declared():
    class Patched(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.forward = torch.conj

    with pytest.raises(NotHolomorphicError, match="Patched overrides forward"):
        Patched()
    for layer in (nn.Linear(2, 2), torch.nn.Linear(2, 2)):
        net = nn.Sequential(layer)
        layer.forward = torch.conj
        with pytest.raises(NotHolomorphicError, match=r"Linear .*forward"):
            _ = net.function_class


def test_the_margin_is_not_infinite_where_no_domain_was_declared():
    class Inverse(nn.HolomorphicModule):
        function_class = FunctionClass.RATIONAL

        def forward(self, z):
            return 1 / z

    class Network(nn.HolomorphicModule):  # which has its poles from the layer inside
        function_class = FunctionClass.MEROMORPHIC

        def __init__(self):
            super().__init__()
            self.layer = nn.Tanh()

        def forward(self, z):
            return self.layer(z)

    z = torch.zeros(1, 1, dtype=torch.complex64)
    with pytest.raises(DomainError, match="margin of Inverse is not known"):
        nn.Sequential(Inverse()).margin(z)
    torch.testing.assert_close(Network().margin(z), torch.tensor([torch.pi / 2]))


@pytest.mark.filterwarnings("ignore:ComplexHalf")
def test_what_is_no_tensor_is_refused():
    with pytest.raises(InputTypeError, match=r"Linear got a list.*as_tensor"):
        require_numbers([1.0, 2.0], nn.Linear(2, 2))
    for wrong in (None, np.zeros(2)):
        with pytest.raises(InputTypeError, match=f"got a {type(wrong).__name__}, it takes tensors"):
            require_tensor(wrong, nn.Sin())
    half = torch.zeros(2, dtype=torch.complex64).to(torch.complex32)
    with pytest.raises(InputTypeError, match="come in single and double precision"):
        require_numbers(half, nn.Sin())


def test_hooks_are_removed_whatever_happens():
    layer = tnn.Identity()
    handles = (layer.register_forward_hook(lambda *_: None) for _ in range(2))
    with pytest.raises(ZeroDivisionError), forward_hooks(handles):
        raise ZeroDivisionError
    assert not layer._forward_hooks


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_integers_are_refused_with_the_way_out(dtype):
    z = torch.zeros(2, 3, dtype=dtype)
    with pytest.raises(InputTypeError, match=r"Sin got a tensor of integers .*z\.float\(\)"):
        require_numbers(z, nn.Sin())
    require_numbers(z.float(), nn.Sin())


def test_the_other_precision_is_refused_with_the_way_out():
    z = torch.zeros(2, 3, dtype=torch.complex128)
    require_numbers(z, nn.Sin())
    with pytest.raises(InputTypeError, match=r"to_precision\(module, torch.complex128\)"):
        require_numbers(z, nn.Sin(), torch.complex64)
    for coefficients in (torch.complex64, torch.float32):
        require_numbers(z.real.float(), nn.Sin(), coefficients)
        with pytest.raises(InputTypeError, match=r"z\.to\(torch.float32\)"):
            require_numbers(z.real.double(), nn.Sin(), coefficients)
        with pytest.raises(InputTypeError, match=r"z\.to\(torch.complex64\)"):
            require_numbers(z, nn.Sin(), coefficients)
    with torch.autocast("cpu", dtype=torch.bfloat16):  # torch converts real tensors
        require_numbers(z.real.bfloat16(), nn.Sin(), torch.float32)


@pytest.mark.parametrize(("shape", "axis"), [((3, 2), -1), ((), -1), ((3,), -2)])
def test_the_wrong_size_is_refused(shape, axis):
    z = torch.zeros(shape, dtype=torch.complex64)
    with pytest.raises(ShapeError, match=r"Sin was built for 3 features .*reshape"):
        require_size(z, axis, 3, nn.Sin(), "features")
    require_size(torch.zeros(2, 3), -1, 3, nn.Sin(), "features")


@pytest.mark.parametrize("outer", [nn.Sequential, tnn.Sequential])
def test_real_numbers_are_not_assigned_in_the_place_of_complex_ones(outer):
    net = outer(nn.Linear(3, 2))
    real = {name: p.detach().real.clone() for name, p in net.state_dict().items()}
    with pytest.raises(InputTypeError, match=r"assign=True.*0.weight.*without assign"):
        net.load_state_dict(real, assign=True)
    assert net[0].weight.is_complex()
    net.load_state_dict(real)
    torch.testing.assert_close(net[0].weight.real, real["0.weight"])
    double = {name: p.to(torch.complex128) for name, p in net.state_dict().items()}
    net.load_state_dict(double, assign=True)
    assert net[0].weight.dtype is torch.complex128


@pytest.mark.parametrize("assign", [True, False])
def test_complex_numbers_are_not_loaded_in_the_place_of_real_ones(assign):
    net = nn.Sequential(nn.Linear(3, 2, dtype=torch.float32))
    before = net[0].weight.clone()
    with pytest.raises(InputTypeError, match=r"0.weight.*real coefficients.*imaginary parts"):
        net.load_state_dict(nn.Sequential(nn.Linear(3, 2)).state_dict(), assign=assign)
    assert torch.equal(net[0].weight, before)
    net.load_state_dict({k: 2 * v for k, v in net.state_dict().items()}, assign=assign)
    assert torch.equal(net[0].weight, 2 * before)
