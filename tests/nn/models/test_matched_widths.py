"""Twins: real networks of the size of a holomorphic one."""

from functools import partial

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from holonet import nn
from holonet.errors import ConfigError

FEW = 2  # every example builds about a hundred networks


def on_meta(build, *arguments, **options):
    with torch.device("meta"):
        return build(*arguments, **options)


def gap(target, widths, build, measure):
    return abs(measure(on_meta(build, widths)) - target)


def neighbors(widths):
    for k, width in enumerate(widths):
        for other in (width - 1, width + 1):
            if other:
                yield (*widths[:k], other, *widths[k + 1 :])


@pytest.mark.parametrize("by", ["parameters", "macs"])
@settings(max_examples=FEW)
@given(
    in_features=st.integers(20, 800),
    hidden=st.lists(st.integers(24, 300), min_size=1, max_size=3),
    num_classes=st.integers(2, 20),
    residual=st.integers(0, 2),
)
def test_perceptrons(by, in_features, hidden, num_classes, residual):
    def build(widths):
        return nn.real_mlp(in_features, widths, num_classes, residual=residual)

    measure = (
        nn.real_parameter_count if by == "parameters" else partial(nn.macs, in_shape=(in_features,))
    )
    complex_net = on_meta(nn.holomorphic_mlp, in_features, hidden, num_classes, residual=residual)
    target = measure(complex_net)
    widths = nn.matched_widths(target, hidden, build, measure)
    found = gap(target, widths, build, measure)
    assert found <= 0.01 * target
    assert found <= 1e-3 * target or all(
        found <= gap(target, other, build, measure) for other in neighbors(widths)
    )
    factors = [twin / width for twin, width in zip(widths, hidden, strict=True)]
    assert max(factors) < 1.3 * min(factors)
    assert min(factors) > 1.2
    assert max(factors) < 4.3  # real images, lifted, cost four times as much in the first layer


@pytest.mark.parametrize("by", ["parameters", "macs"])
@settings(max_examples=FEW)
@given(
    side=st.integers(8, 28),
    channels=st.lists(st.integers(6, 32), min_size=1, max_size=2),
    dense=st.lists(st.integers(20, 120), min_size=1, max_size=2),
    kernel_size=st.sampled_from([3, 5]),
    residual=st.integers(0, 1),
    pooling=st.integers(1, 2),
)
def test_convolutional_networks(by, side, channels, dense, kernel_size, residual, pooling):
    shape = (1, side, side)
    options = {
        "kernel_size": kernel_size,
        "residual": residual,
        "pooling": pooling,
        "stride": 3 - pooling,
    }

    def build(widths):
        inner, outer = widths[: len(channels)], widths[len(channels) :]
        return nn.real_convnet(shape, inner, 10, dense=outer, **options)

    measure = nn.real_parameter_count if by == "parameters" else partial(nn.macs, in_shape=shape)
    target = measure(on_meta(nn.holomorphic_convnet, shape, channels, 10, dense=dense, **options))
    widths = nn.matched_widths(target, [*channels, *dense], build, measure)
    found = gap(target, widths, build, measure)
    assert found <= 0.01 * target
    assert found <= 1e-3 * target or all(
        found <= gap(target, other, build, measure) for other in neighbors(widths)
    )


def test_the_prototype_and_its_twins():
    shape = (1, 28, 28)
    net = nn.holomorphic_convnet(shape, [16, 32], 10)

    def build(widths):
        return nn.real_convnet(shape, widths[:2], 10, dense=widths[2:])

    for measure in (nn.real_parameter_count, partial(nn.macs, in_shape=shape)):
        target = measure(net)
        widths = nn.matched_widths(target, [16, 32, 100], build, measure)
        assert abs(measure(build(widths)) / target - 1) < 0.003


@pytest.mark.parametrize("family", ["perceptron", "convolutional"])
@pytest.mark.parametrize("by", ["parameters", "macs"])
def test_networks_with_real_coefficients_match_complex_ones(family, by):
    shape = (784,) if family == "perceptron" else (1, 28, 28)
    widths = [256, 256] if family == "perceptron" else [16, 32, 100]

    def build(widths, coefficients="real"):
        if family == "perceptron":
            return nn.holomorphic_mlp(784, widths, 10, coefficients=coefficients)
        return nn.holomorphic_convnet(
            shape, widths[:2], 10, dense=widths[2:], coefficients=coefficients
        )

    measure = nn.real_parameter_count if by == "parameters" else partial(nn.macs, in_shape=shape)
    target = measure(on_meta(build, widths, "complex"))
    twin = nn.matched_widths(target, widths, build, measure)
    assert gap(target, twin, build, measure) < 0.003 * target
    network = on_meta(build, twin)
    assert all(p.dtype is torch.float32 for p in network.parameters())
    if (family, by) == ("perceptron", "parameters"):
        assert twin == (437, 437)
    assert all(real > whole for real, whole in zip(twin, widths, strict=True))


def test_small_networks_have_twins_too():
    """Here single widths alone come no nearer than 1.6 percent."""

    def build(widths):
        return nn.real_convnet((1, 11, 11), widths[:1], 10, kernel_size=3, dense=widths[1:])

    net = nn.holomorphic_convnet((1, 11, 11), [8], 10, kernel_size=3, dense=[20])
    target = nn.real_parameter_count(net)
    widths = nn.matched_widths(target, [8, 20], build)
    assert abs(nn.real_parameter_count(build(widths)) / target - 1) < 0.01


def test_even_proportions_are_kept_where_they_fit():
    count = nn.real_parameter_count(nn.holomorphic_mlp(784, [256, 256], 10))
    assert nn.matched_widths(count, [256, 256], lambda w: nn.real_mlp(784, w, 10)) == (437, 437)


@example(target=2610, a=14, b=10, widths=[3, 8])  # the last width making up is not enough
@given(
    target=st.integers(1, 3000),
    a=st.integers(1, 30),
    b=st.integers(1, 30),
    widths=st.lists(st.integers(1, 20), min_size=1, max_size=3),
)
def test_any_size_that_grows_with_the_widths(target, a, b, widths):
    """Judged on a size that costs nothing: a sum of squares of the widths."""
    sizes = {}

    def build(found):
        layer = torch.nn.Module()
        sizes[layer] = a * sum(w * w for w in found) + b * sum(found)
        return layer

    def missed(found):
        return abs(a * sum(w * w for w in found) + b * sum(found) - target)

    found = nn.matched_widths(target, widths, build, sizes.__getitem__)
    assert min(found) >= 1
    assert missed(found) <= 1e-3 * target or all(
        missed(found) <= missed(other) for other in neighbors(found)
    )


def test_building_takes_no_memory_and_no_random_numbers():
    devices = set()

    def build(widths):
        net = nn.real_mlp(10, widths, 2)
        devices.add(next(net.parameters()).device.type)
        return net

    state = torch.get_rng_state()
    nn.matched_widths(500, [7], build)
    assert devices == {"meta"}
    assert torch.equal(torch.get_rng_state(), state)


def test_a_twin_has_at_least_one_unit():
    for widths in ([64], [64, 32]):
        found = nn.matched_widths(1, widths, lambda w: nn.real_mlp(784, w, 10))
        assert found == (1,) * len(widths)


def test_bad_arguments_are_refused():
    with pytest.raises(ConfigError, match="at least one hidden layer"):
        nn.matched_widths(1000, [], lambda w: nn.real_mlp(10, w, 2))
    with pytest.raises(ConfigError, match="size 0"):
        nn.matched_widths(0, [3], lambda w: nn.real_mlp(10, w, 2))
