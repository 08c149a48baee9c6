"""Boxes, and the monotone layers in front of a network."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.attacks import Box, leading_monotone
from holonet.errors import InputTypeError, ShapeError
from holonet.functions import FunctionClass
from holonet.threats.box import require_monotone

seeds = st.integers(0, 2**32)


def random_box(seed, n=3, entries=4):
    """Sides of very different lengths, one of them 0."""
    generator = torch.Generator().manual_seed(seed)
    low = torch.randn(n, entries, generator=generator, dtype=torch.float64)
    sides = torch.rand(n, entries, generator=generator, dtype=torch.float64) ** 4
    sides[:, 0] = 0
    return Box(low, low + sides)


def corners(box):
    """All corners, (corners, batch, entries)."""
    choices = itertools.product((0.0, 1.0), repeat=box.low.shape[1])
    shares = torch.tensor(list(choices), dtype=torch.float64)[:, None]
    return box.low + shares * (box.high - box.low)


@given(seed=seeds)
def test_no_corner_is_larger_than_the_maximizer(seed):
    box = random_box(seed)
    gradient = torch.randn(3, 4, dtype=torch.float64)
    gradient[0, 1] = 0
    best = (corners(box) * gradient).sum(-1).amax(0)
    w = box.maximizer(gradient)
    torch.testing.assert_close((w * gradient).sum(-1), best)
    assert box.contains(w).all()
    assert w[0, 1] == box.center[0, 1]
    point = box.random_point()
    expected = best - (point * gradient).sum(-1)
    torch.testing.assert_close(box.rise(gradient, point), expected)


@given(seed=seeds)
def test_projections_are_nearest_and_fix_the_box(seed):
    box = random_box(seed)
    points = 3 * torch.randn(3, 4, dtype=torch.float64)
    nearest = box.project(points)
    assert box.contains(nearest).all()
    assert torch.equal(box.project(nearest), nearest)
    distance = (nearest - points).square().sum(-1)
    assert ((corners(box) - points).square().sum(-1) >= distance - 1e-12).all()
    assert ((box.random_point() - points).square().sum(-1) >= distance - 1e-12).all()


@given(seed=seeds)
def test_random_points_are_uniform_in_the_box_and_come_from_the_generator(seed):
    box = random_box(seed)
    big = Box(box.low[:1].expand(4000, -1), box.high[:1].expand(4000, -1))
    points = big.random_point(torch.Generator().manual_seed(seed))
    assert big.contains(points).all()
    share = ((points - big.low) / (big.high - big.low).clamp(min=1e-12))[:, 1:]
    assert (share.mean(0) - 0.5).abs().max() < 0.03
    assert (share.var(0) - 1 / 12).abs().max() < 0.01
    assert torch.equal(points, big.random_point(torch.Generator().manual_seed(seed)))


def test_shares_and_sides():
    box = random_box(0)
    assert torch.equal(box.at(torch.zeros(3, 4).double()), box.low)
    torch.testing.assert_close(box.at(torch.full((3, 4), 0.5).double()), box.center)
    torch.testing.assert_close(box.center + box.radii, box.high)
    torch.testing.assert_close(box.center - box.radii, box.low)


def test_points_outside_are_told_from_those_inside():
    box = random_box(1)
    beyond = box.high.clone()
    beyond[1, 2] += 1e-9
    assert box.contains(beyond).tolist() == [True, False, True]
    below = box.low.clone()
    below[2, 0] -= 1e-9
    assert box.contains(below).tolist() == [True, True, False]


def test_corners_of_two_shapes_are_refused():
    with pytest.raises(ShapeError, match="both corners"):
        Box(torch.zeros(2, 3), torch.zeros(2, 4))


# ---- the layers in front


def threshold():
    return nn.Threshold(5.0, 0.4)


def real(before, after):
    return nn.Linear(before, after, dtype=torch.float32)


FRONTS = {
    "torch": (lambda: tnn.Sequential(threshold(), tnn.Flatten(), tnn.Linear(4, 3)), 1),
    "ours": (lambda: nn.Sequential(threshold(), nn.Flatten(), nn.Linear(4, 3)), 1),
    "classifier": (
        lambda: nn.HolomorphicClassifier(
            nn.Sequential(threshold(), nn.Flatten(), nn.Linear(4, 3), nn.Square(), nn.Linear(3, 2))
        ),
        1,
    ),
    "two": (
        lambda: nn.HolomorphicClassifier(
            nn.Sequential(nn.Flatten(), threshold(), threshold(), nn.Linear(4, 3))
        ),
        3,
    ),
    "reshaped between": (
        lambda: tnn.Sequential(threshold(), tnn.Flatten(), threshold(), tnn.Linear(4, 3)),
        3,
    ),
    "nested": (
        lambda: tnn.Sequential(tnn.Sequential(tnn.Flatten(), threshold(), tnn.Linear(4, 3))),
        2,
    ),
    "nested apart": (
        lambda: tnn.Sequential(
            tnn.Sequential(threshold()), tnn.Sequential(nn.Flatten(), threshold(), tnn.ReLU())
        ),
        3,
    ),
    "activations": (
        lambda: nn.HolomorphicClassifier(
            nn.Sequential(nn.Tanh(), nn.Activation("cube"), nn.Square(), nn.Flatten(), real(4, 3))
        ),
        2,
    ),
    "real coefficients": (
        lambda: nn.HolomorphicClassifier(nn.Sequential(nn.Flatten(), threshold(), real(4, 3))),
        2,
    ),
    "double precision behind a layer without parameters": (
        lambda: nn.HolomorphicClassifier(
            nn.Sequential(nn.Tanh(), nn.Flatten(), nn.Linear(4, 3, dtype=torch.complex128))
        ),
        1,
    ),
    "one layer": (threshold, 1),
    "lifted": (
        lambda: nn.HolomorphicClassifier(
            nn.Sequential(threshold(), nn.Flatten(), nn.Sin(), nn.Linear(4, 3))
        ),
        1,
    ),
    "none": (lambda: tnn.Sequential(tnn.Flatten(), tnn.Linear(4, 3), threshold()), 0),
    "none in a classifier": (lambda: nn.HolomorphicClassifier(nn.Linear(2, 3)), 0),
    "a layer that is not ours": (lambda: tnn.Sequential(tnn.Tanh(), tnn.Flatten()), 0),
}


@each("name", FRONTS)
def test_layers_and_body_are_the_model(name):
    build, count = FRONTS[name]
    model, x = build(), torch.rand(5, 2, 2)
    layers, body = leading_monotone(model)
    in_precision = count > 0 and isinstance(model, nn.HolomorphicClassifier)
    assert len(layers) == count + in_precision
    if not count:
        assert body is model
    value = x
    for layer in layers:
        value = layer(value)
    torch.testing.assert_close(body(value), model(x))
    require_monotone(layers)
    assert leading_monotone(body)[0] == []


@each("name", ["activations", "real coefficients", "lifted"])
def test_layers_round_to_the_precision_that_a_classifier_takes_points_in(name):
    model = FRONTS[name][0]()
    x = torch.rand(5, 2, 2, dtype=torch.float64)
    layers, body = leading_monotone(model)
    value = x
    for layer in layers:
        value = layer(value)
    assert value.dtype == torch.float32
    torch.testing.assert_close(body(value), model(x), rtol=0, atol=0)


def test_the_body_learns_with_the_model_and_shares_its_modes():
    model = tnn.Sequential(threshold(), tnn.Flatten(), tnn.Linear(4, 3), tnn.Dropout())
    _, body = leading_monotone(model.eval())
    assert [id(p) for p in body.parameters()] == [id(p) for p in model[2].parameters()]
    assert not body[2].training


def test_what_may_compute_something_else_is_left_whole():
    class Reversed(tnn.Sequential):
        def forward(self, input):
            for layer in reversed(self):
                input = layer(input)
            return input

    hooked = tnn.Sequential(threshold(), tnn.Linear(2, 2))
    hooked.register_forward_pre_hook(lambda module, inputs: (inputs[0] / 2,))
    exchanged = tnn.Sequential(threshold(), tnn.Linear(2, 2))
    exchanged.forward = lambda input: input
    for model in (Reversed(threshold(), tnn.Linear(2, 2)), hooked, exchanged, torch.sin):
        layers, body = leading_monotone(model)
        assert layers == []
        assert body is model


def test_a_declaration_is_not_inherited_by_another_forward():
    class Falling(nn.Threshold):
        function_class = FunctionClass.ENTIRE

        def forward(self, input):
            return 1 - nn.Threshold.forward(self, input)

    class Doubled(Falling):
        function_class = FunctionClass.ENTIRE
        monotone = True

        def forward(self, input):
            return 2 * nn.Threshold.forward(self, input)

    class Renamed(nn.Threshold):
        pass

    exchanged = threshold()
    exchanged.forward = lambda input: -input
    counts = [len(leading_monotone(t)[0]) for t in (Falling(), exchanged, Doubled(), Renamed())]
    assert counts == [0, 0, 1, 1]


def test_layers_that_are_not_monotone_are_refused_by_name():
    require_monotone([nn.Threshold(), nn.Flatten(), tnn.Flatten(), nn.Tanh()])
    for layer in (nn.Square(), tnn.ReLU(), nn.Linear(2, 2)):
        with pytest.raises(InputTypeError, match=type(layer).__name__):
            require_monotone([nn.Threshold(), layer])


def test_the_reach_is_the_farther_side():
    box = Box(torch.tensor([[0.0, 0.5]]), torch.tensor([[1.0, 1.0]]))
    assert box.reach(torch.tensor([[0.25, 1.0]])).tolist() == [[0.75, 0.5]]


def test_a_shared_layer_stands_in_each_of_its_places():
    front, linear = threshold(), tnn.Linear(2, 2)
    layers, body = leading_monotone(tnn.Sequential(front, front, linear, tnn.Tanh(), linear))
    assert layers == [front, front]
    assert list(body) == [linear, body[1], linear]
