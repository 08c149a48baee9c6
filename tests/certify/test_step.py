"""Reshapes, parts and residual blocks."""

import math

import pytest
import torch
from torch import nn as tnn

from holonet.certify import EXACT, Enclosure
from holonet.certify.enclosure import Ball
from holonet.certify.rows import Rows
from holonet.certify.step import Reshape, Residual, TakePart, Trace, stored
from holonet.errors import NumericalError

F64 = torch.float64


def box(*shape, parts=1):
    return Enclosure(torch.randn(parts, *shape, dtype=F64), torch.rand(parts, *shape, dtype=F64))


def form(step, image, trace, rows=4):
    shape = (len(image.center), image.center.shape[1], rows, *image.center.shape[2:])
    value = torch.randn(shape, dtype=F64)
    numbers = torch.zeros(shape[1:3], dtype=F64)
    given = Rows(value, torch.zeros_like(value), numbers, numbers)
    return given, step.pull(given, trace)


def test_a_reshape_keeps_every_entry_forward_and_backward():
    trace, x = Trace(EXACT), box(2, 3, 4, 5, parts=2)
    step = Reshape("flat", tnn.Flatten())
    image = step.forward(x, trace)
    assert image.center.shape == (2, 2, 60)
    given, pulled = form(step, image, trace)
    assert pulled.value.shape == (2, 2, 4, 3, 4, 5)
    assert torch.allclose(pulled.lower(x), given.lower(image))


def test_a_reshape_keeps_a_ball_and_other_steps_leave_it_out():
    x = box(2, 3, 4)
    ball = Ball(x.center, torch.tensor([1.0, 2.0], dtype=F64))
    x = Enclosure(x.center, x.radius, ball)
    image = Reshape("flat", tnn.Flatten()).forward(x, Trace(EXACT))
    assert torch.equal(image.ball.middle, image.center)
    assert torch.equal(image.ball.length, ball.length)
    assert TakePart("readout", 0).forward(x, Trace(EXACT)).ball is None


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_part_of_a_form_is_a_form_in_that_part(part, parts):
    trace, x = Trace(EXACT), box(2, 3, parts=parts)
    step = TakePart("readout", part)
    image = step.forward(x, trace)
    given, pulled = form(step, image, trace)
    assert pulled.value.shape == (parts, 2, 4, 3)
    assert torch.allclose(pulled.lower(x), given.lower(image))
    if (part, parts) == (1, 1):
        assert not image.radius.any()


def test_a_residual_block_adds_its_input_forward_and_backward():
    trace, x = Trace(EXACT), box(2, 3)
    step = Residual("block", [Reshape("body", tnn.Identity())])
    image = step.forward(x, trace)
    assert torch.equal(image.center, 2 * x.center)
    given, pulled = form(step, image, trace)
    assert torch.allclose(pulled.value, 2 * given.value)


def test_stored_numbers_are_exact_and_refused_where_they_are_not_finite():
    weight = torch.randn(3, dtype=torch.complex64)
    real, imaginary = stored("layer", weight)
    assert torch.equal(torch.complex(real, imaginary).to(torch.complex64), weight)
    with pytest.raises(NumericalError, match=r"layer: .*NaN"):
        stored("layer", torch.tensor([0.0, math.nan]))
