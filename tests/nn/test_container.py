"""Random networks: the composed class, and holomorphy wherever the margin is positive."""

import functools
from collections import OrderedDict

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn as tnn

from holonet import nn
from holonet.calculus import Probes, dbar_norm_squared, partial_z_along
from holonet.domains import Plane
from holonet.errors import InputTypeError, NotHolomorphicError, ShapeError
from holonet.functions import CATALOGUE, FunctionClass, compose, moebius, multiply

C128 = torch.complex128
WIDTH = 3


def linear():
    layer = nn.Linear(WIDTH, WIDTH, dtype=C128)
    nn.init.kaiming_normal_(layer.weight, 0.5)
    return layer


plans = st.recursive(
    st.sampled_from(["linear", "norm", *CATALOGUE]),
    lambda inner: st.tuples(
        st.sampled_from(["residual", "product", "sequential", "plain sequential"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
"""A block is the name of a layer, or that of a container with the blocks inside."""

cases = st.tuples(st.lists(plans, min_size=1, max_size=4), st.integers(0, 2**32), st.booleans())


def build(plan):
    """The block C^3 -> C^3 of a plan, and its class composed by hand."""
    if plan == "linear":
        return linear(), FunctionClass.AFFINE
    if plan == "norm":
        norm = nn.FrozenNorm(WIDTH, dtype=C128)
        norm.measure(torch.randn(9, WIDTH, dtype=C128))
        return norm, FunctionClass.AFFINE
    if isinstance(plan, str):
        return nn.Activation(plan), CATALOGUE[plan].function_class
    kind, inside = plan
    modules, classes = zip(*map(build, inside), strict=True)
    if kind == "residual":
        return nn.Residual(modules[0]), FunctionClass.AFFINE | classes[0]
    if kind == "product":
        return nn.Product(*modules), functools.reduce(multiply, classes)
    container = nn.Sequential if kind == "sequential" else tnn.Sequential
    return container(*modules), functools.reduce(lambda done, f: compose(f, done), classes)


def network(case):
    """A random network, every block behind an affine layer, with its class composed by hand."""
    plan, seed, train = case
    torch.manual_seed(seed)
    layers, total = [], FunctionClass.AFFINE
    for block, its_class in map(build, plan):
        layers += [linear(), block]
        total = compose(its_class, total)
    net = nn.Sequential(*layers)
    with torch.no_grad():  # as after some training
        for parameter in net.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, dtype=C128))
    return net.train(train), total


@given(cases)
def test_the_class_is_composed_from_the_layers(case):
    net, expected = network(case)
    assert net.function_class is expected
    entire = all(m.function_class.is_entire for m in net.modules() if isinstance(m, nn.Activation))
    assert net.domain == (Plane() if entire else None)
    found = [s for m in net.modules() if isinstance(m, nn.Activation) for s in m.singularities]
    assert [*net.singularities] == found


def witnessed(net, f):
    """|dbar|^2 and |df/dz v|^2 of f at the random points where net is tame."""
    z = 0.7 * torch.randn(30, WIDTH, dtype=C128)
    with torch.no_grad():
        across = dbar_norm_squared(f, z, probes=Probes(0))
        slope = partial_z_along(net, z, Probes(0).like(z)).abs().square().sum(1)
        tame = (net.margin(z) > 0.05) & (net(z).abs().amax(1) < 1e3)
    tame &= (slope > 1e-12) & (slope < 1e6)  # no overflow on the way: towers of exp are wild
    assume(tame.any())
    return across[tame], slope[tame]


@settings(max_examples=10)
@given(cases)
def test_random_networks_are_holomorphic_where_the_margin_is_positive(case):
    net, _ = network(case)
    across, slope = witnessed(net, net)
    assert (across <= 1e-18 * (1 + slope)).all()


@given(cases)
def test_a_leak_of_a_millionth_is_seen(case):
    """The same networks with a conjugate behind them: the law above has the power to find it."""
    net, _ = network(case)
    across, _ = witnessed(net, lambda z: net(z) + 1e-6 * z.conj())
    torch.testing.assert_close(across, torch.full_like(across, WIDTH * 1e-12), rtol=1e-2, atol=0)


def test_sequential_applies_its_layers_in_turn():
    first, last = linear(), linear()
    z = torch.randn(4, WIDTH, dtype=C128)
    expected = last(torch.exp(first(z)))
    assert torch.equal(nn.Sequential(first, nn.Exp(), last)(z), expected)
    named = nn.Sequential(OrderedDict(first=first, act=nn.Exp(), last=last))
    assert torch.equal(named(z), expected)
    assert next(iter(named.state_dict())) == "first.weight"
    plain = tnn.Sequential(first, nn.Exp(), last)
    assert list(plain.state_dict()) == list(nn.Sequential(first, nn.Exp(), last).state_dict())


def test_sequential_may_grow_and_be_sliced():
    net = nn.Sequential(linear())
    assert net.function_class is FunctionClass.AFFINE
    net.append(nn.Tanh())
    assert net.function_class is FunctionClass.MEROMORPHIC
    assert isinstance(net[:1], nn.Sequential)
    assert net[:1].function_class is FunctionClass.AFFINE
    net.append(tnn.ReLU())
    with pytest.raises(NotHolomorphicError, match="'2'"):
        net.function_class  # noqa: B018


def test_an_empty_sequential_is_the_identity():
    z = torch.randn(2, 3, dtype=C128)
    assert torch.equal(nn.Sequential()(z), z)
    assert nn.Sequential().function_class is FunctionClass.AFFINE


def test_residual_adds_and_product_multiplies():
    z = torch.randn(4, WIDTH, dtype=C128)
    body = linear()
    torch.testing.assert_close(nn.Residual(body)(z), z + body(z))
    torch.testing.assert_close(nn.Product(body)(z), body(z))
    net = nn.Product(body, nn.Exp(), nn.Square())
    torch.testing.assert_close(net(z), body(z) * z.exp() * z**2)


def test_a_product_with_a_zero_factor_has_its_gradient():
    z = torch.zeros(1, 1, dtype=C128, requires_grad=True)
    nn.Product(tnn.Identity(), nn.Exp(), nn.Activation("cos"))(z).real.sum().backward()
    assert z.grad.item() == 1


def test_flatten():
    z = torch.randn(4, 2, 3, 5, dtype=torch.complex64)
    assert torch.equal(nn.Flatten()(z), z.flatten(1))
    assert torch.equal(nn.Flatten(1, 2)(z), z.flatten(1, 2))
    assert nn.Flatten().function_class is FunctionClass.AFFINE


def test_shapes_that_do_not_fit_are_refused():
    z = torch.zeros(4, 3, dtype=C128)
    with pytest.raises(ShapeError, match=r"\(4, 1\) to its input of shape \(4, 3\)"):
        nn.Residual(nn.Linear(3, 1, dtype=C128))(z)
    with pytest.raises(ShapeError, match=r"Product .*\(4, 1\)"):
        nn.Product(tnn.Identity(), nn.Linear(3, 1, dtype=C128))(z)


CONTAINERS = [nn.Sequential(), nn.Residual(nn.Exp()), nn.Product(nn.Exp()), nn.Flatten()]


@pytest.mark.parametrize("net", CONTAINERS, ids=lambda m: type(m).__name__)
def test_real_input_stays_real(net):
    x = torch.rand(2, 3)
    assert net.takes_real
    assert torch.equal(net(x), net(x + 0j).real)
    with pytest.raises(InputTypeError, match=rf"{type(net).__name__} got a tensor of integers"):
        net(torch.zeros(2, 3, dtype=torch.int64))


def test_real_input_is_taken_as_the_layers_inside_take_it():
    moebius_layer, real = nn.Activation(moebius(1, 1j, 2, 1)), nn.Linear(3, 3, dtype=torch.float32)
    for container in (nn.Sequential, nn.Residual, nn.Product):
        assert not container(moebius_layer).takes_real
    assert nn.Sequential(real, nn.Linear(3, 3), moebius_layer).takes_real  # complex by then
    assert not nn.Sequential(real, moebius_layer).takes_real
    assert not nn.Product(real, moebius_layer).takes_real
    with pytest.raises(InputTypeError, match=r"moebius.*got a real tensor"):
        nn.Sequential(real, moebius_layer)(torch.zeros(2, 3))


def test_real_layers_in_front_of_complex_ones_compose():
    torch.manual_seed(0)
    layers = nn.Linear(3, 4, dtype=torch.float64), nn.Tanh(), nn.Linear(4, 2, dtype=C128), nn.Exp()
    net, x = nn.Sequential(*layers), torch.rand(5, 3, dtype=torch.float64)
    assert layers[1](layers[0](x)).dtype is torch.float64
    assert net(x).dtype is C128
    torch.testing.assert_close(net(x), net(x.to(C128)))
    back = nn.Sequential(layers[2], nn.Linear(2, 3, dtype=torch.float64), nn.Square())
    assert back(torch.rand(5, 4, dtype=torch.float64)).dtype is C128


def test_flatten_says_that_the_batch_is_missing():
    with pytest.raises(ShapeError, match=r"shape \(4,\).*unsqueeze"):
        nn.holomorphic_mlp(4, [3], 2)(torch.zeros(4))
