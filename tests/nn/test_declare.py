"""Declarations: what is declared is believed, what is not is refused, nothing is inherited."""

import re

import pytest
import torch
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.domains import Disc
from holonet.errors import ConfigError, InputTypeError, NotHolomorphicError
from holonet.functions import FunctionClass, Singularity, get_function
from holonet.nn.declare import layers_in_order, require_holomorphic, require_module
from holonet.nn.module import layer_domain, layer_singularities


class Cubed(tnn.Module):
    def forward(self, z):
        return z**3


class Undeclared(tnn.Module):
    def forward(self, z):
        return z


def linear():
    return nn.Linear(2, 2)


def test_an_undeclared_type_is_refused_with_the_way_out():
    with pytest.raises(
        NotHolomorphicError,
        match=r"^layer '0': .*Undeclared is not declared.*nn.declare\(Undeclared, ",
    ):
        nn.Sequential(Undeclared())
    with pytest.raises(NotHolomorphicError, match=r"^\w+'s Undeclared is not declared"):
        nn.declared_class(Undeclared())


def test_a_declaration_is_for_the_very_type():
    nn.declare(Cubed, FunctionClass.POLYNOMIAL)

    class Cubedder(Cubed):
        pass

    assert nn.declared_class(Cubed()) is FunctionClass.POLYNOMIAL
    assert nn.Sequential(Cubed()).function_class is FunctionClass.POLYNOMIAL
    with pytest.raises(NotHolomorphicError, match="Cubedder is not declared"):
        nn.declared_class(Cubedder())

    class Lineaire(tnn.Linear):
        pass

    with pytest.raises(NotHolomorphicError, match="Lineaire is not declared"):
        nn.Sequential(Lineaire(2, 2))


def test_ours_declare_themselves():
    with pytest.raises(ConfigError, match=r"Linear.*Set function_class in the body"):
        nn.declare(nn.Linear, FunctionClass.ENTIRE)


def test_a_declaration_may_look_at_the_instance():
    class Switch(tnn.Module):
        pass

    nn.declare(Switch, lambda m: FunctionClass.PIECEWISE if m.training else FunctionClass.AFFINE)
    assert nn.declared_class(Switch().eval()) is FunctionClass.AFFINE
    net = nn.Sequential(Switch().eval())
    assert net.function_class is FunctionClass.AFFINE
    with pytest.raises(NotHolomorphicError, match=r"^layer '0': .*Switch is piecewise"):
        net.train().function_class  # noqa: B018


def test_a_later_declaration_replaces_an_earlier_one():
    class Layer(tnn.Module):
        pass

    nn.declare(Layer, FunctionClass.SMOOTH)
    nn.declare(Layer, FunctionClass.ENTIRE)
    assert nn.declared_class(Layer()) is FunctionClass.ENTIRE


def test_a_domain_and_singularities_may_be_declared():
    class Layer(tnn.Module):
        pass

    poles = (Singularity(get_function("tanh").obstacles[0]),)
    nn.declare(Layer, FunctionClass.MEROMORPHIC, domain=Disc(), singularities=poles)
    assert layer_domain(Layer()) == Disc()
    assert layer_singularities(Layer()) == poles
    assert nn.Sequential(nn.Residual(Layer())).singularities == poles
    assert layer_domain(Undeclared()) is None
    assert layer_singularities(Undeclared()) == ()


def test_a_plain_sequential_is_composed():
    plain = tnn.Sequential(linear(), nn.Exp(), tnn.Sequential(linear(), nn.Tanh()))
    assert nn.declared_class(plain) is FunctionClass.MEROMORPHIC
    assert nn.Sequential(linear(), plain).function_class is FunctionClass.MEROMORPHIC
    assert nn.declared_class(tnn.Sequential()) is FunctionClass.AFFINE


def test_a_shared_layer_counts_in_each_of_its_places():
    tanh, layer = nn.Tanh(), linear()
    for kind in (tnn.Sequential, nn.Sequential):
        model = kind(tanh, layer, tanh)
        assert nn.declared_class(model) is FunctionClass.HOLOMORPHIC
        assert [name for name, _ in layers_in_order(model)] == ["0", "1", "2"]
    assert nn.Product(layer, layer).function_class is FunctionClass.POLYNOMIAL


@each(
    ("build", "path", "name"),
    [
        (lambda: nn.Sequential(linear(), tnn.ReLU()), "1", "torch's ReLU is piecewise"),
        (lambda: nn.Sequential(linear(), tnn.Sequential(linear(), tnn.ReLU())), "1.1", "ReLU"),
        (
            lambda: nn.Sequential(tnn.Sequential(tnn.Sequential(Undeclared()), linear())),
            "0.0.0",
            "Undeclared is not declared",
        ),
        (lambda: nn.Residual(tnn.ReLU()), "body", "ReLU"),
        (lambda: nn.Residual(tnn.Sequential(linear(), tnn.ReLU())), "body.1", "ReLU"),
        (lambda: nn.Product(linear(), tnn.ReLU()), "branches.1", "ReLU"),
        (lambda: nn.Product(linear(), tnn.Sequential(tnn.ReLU())), "branches.1.0", "ReLU"),
        (lambda: nn.HolomorphicClassifier(tnn.ReLU()), "backbone", "ReLU"),
        (lambda: nn.HolomorphicClassifier(tnn.Sequential(linear(), tnn.ReLU())), "backbone.1", "R"),
        (lambda: nn.Sequential(linear(), tnn.ReLU(), linear()), "1", "ReLU is piecewise"),
        (lambda: nn.Sequential(nn.RealPart(), linear()), "0", "move it there"),
        (lambda: nn.Sequential(linear(), nn.RealPart(), nn.RealPart()), "1", "move it there"),
        (lambda: nn.Sequential(nn.Sequential(linear(), nn.Modulus()), linear()), "0", "subharm"),
        (lambda: nn.Sequential(tnn.Sequential(nn.ImagPart()), linear()), "0", "ImagPart|very end"),
        (lambda: nn.Residual(nn.RealPart()), "body", "RealPart is harmonic"),
        (lambda: nn.Product(linear(), nn.RealPart()), "branches.1", "RealPart is harmonic"),
        (lambda: nn.HolomorphicClassifier(nn.RealPart()), "backbone", "RealPart is harmonic"),
        (lambda: nn.HolomorphicClassifier(linear(), Undeclared()), "readout", "not declared"),
    ],
)
def test_what_is_at_fault_is_named_by_its_path(build, path, name):
    with pytest.raises(NotHolomorphicError, match=rf"^layer '{re.escape(path)}': .*({name})"):
        build()


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda inner: nn.Sequential(linear(), inner), "1.2"),
        (nn.Residual, "body.2"),
        (lambda inner: nn.Product(linear(), inner), "branches.1.2"),
        (nn.HolomorphicClassifier, "backbone.2"),
        (lambda inner: nn.Sequential(nn.Residual(nn.Product(inner))), "0.body.branches.0.2"),
    ],
)
def test_a_layer_appended_inside_is_noticed_with_its_whole_path(wrap, path):
    inner = nn.Sequential(linear(), nn.Exp())
    outer = wrap(inner)
    assert outer.function_class in (FunctionClass.ENTIRE, FunctionClass.HARMONIC)
    inner.append(tnn.ReLU())
    with pytest.raises(NotHolomorphicError, match=rf"^layer '{re.escape(path)}': torch's ReLU"):
        outer.function_class  # noqa: B018


def test_named_layers_are_named():
    plain = tnn.Sequential()
    plain.add_module("gate", tnn.ReLU())
    with pytest.raises(NotHolomorphicError, match=r"^layer 'body\.gate'"):
        nn.Residual(plain)


def test_a_readout_may_end_a_network():
    for readout, expected in [
        (nn.RealPart(), FunctionClass.HARMONIC),
        (nn.LogModulus(), FunctionClass.SUBHARMONIC),
    ]:
        net = nn.Sequential(linear(), nn.Tanh(), readout)
        assert net.function_class is expected
        assert not net(torch.zeros(1, 2, dtype=torch.complex64)).is_complex()


def test_require_holomorphic_gives_the_class():
    assert require_holomorphic(nn.Exp()) is FunctionClass.ENTIRE
    with pytest.raises(NotHolomorphicError, match=r"^torch's ReLU is piecewise.*RealPart"):
        require_holomorphic(tnn.ReLU())


@pytest.mark.parametrize("wrong", [torch.conj, "sin", None, [nn.Sin()]])
def test_what_is_no_module_is_refused(wrong):
    with pytest.raises(InputTypeError, match=f"layer '0': a {type(wrong).__name__} stands where"):
        require_module(wrong, "0")
