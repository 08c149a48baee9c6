"""Complex arithmetic on planar expressions against Python's own."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from holonet.ops.evaluate import evaluate
from holonet.ops.planar import Planar, Sheet, in_order

numbers = st.complex_numbers(max_magnitude=100, allow_nan=False)
special = st.sampled_from([0j, 1 + 0j, -1 + 0j, 1j, -1j, 2 + 0j, 3j])


def written(sheet, number, known):
    if known:
        return Planar(sheet.constant(number.real), sheet.constant(number.imag))
    return sheet.complex_input("z")


@given(a=numbers | special, b=numbers | special, known=st.booleans(), swap=st.booleans())
def test_arithmetic_is_that_of_complex_numbers(a, b, known, swap):
    sheet = Sheet(double=True)
    p, q = written(sheet, a, False), written(sheet, b, True) if known else sheet.complex_input("w")
    if swap:
        p, q, first, second = q, p, b, a
    else:
        first, second = a, b
    outputs = [p.plus(q), p.minus(q), p.times(q), p.negative(), p.conj(), p.times_i()]
    at = {
        "z": torch.tensor([a], dtype=torch.complex128),
        "w": torch.tensor([b], dtype=torch.complex128),
    }
    expected = [
        first + second,
        first - second,
        first * second,
        -first,
        first.conjugate(),
        1j * first,
    ]
    for value, number in zip(evaluate(outputs, at), expected, strict=True):
        torch.testing.assert_close(value, torch.tensor([number], dtype=torch.complex128))


def test_what_is_written_twice_is_one_node():
    sheet = Sheet()
    z = sheet.complex_input("z")
    once = z.times(z)
    assert z.times(z).re is once.re
    nodes = list(in_order([*once, *z.times(z).plus(once)]))
    assert len(nodes) == len({id(n) for n in nodes}) == 2 + 3 + 2 + 2  # xy is yx
    for position, node in enumerate(nodes):
        assert all(any(a is n for n in nodes[:position]) for a in node.args)


def test_known_zeros_and_ones_cost_nothing():
    sheet = Sheet()
    z = sheet.complex_input("z")
    zero, one = sheet.constant(0.0), sheet.constant(1.0)
    assert z.times(Planar(one, zero)) == z
    assert z.plus(Planar(-zero, -zero)) == z  # where 0.0 would change -0.0
    assert z.plus(Planar(zero, zero)).re.op == "add"
    doubled = z.times(Planar(sheet.constant(2.0), zero))
    assert (doubled.re.op, doubled.im.op) == ("mul", "mul")
    assert z.times(Planar(zero, one)).im is z.re


def test_zeros_of_both_signs_and_nan_are_different_constants():
    sheet = Sheet()
    assert sheet.constant(0.0) is not sheet.constant(-0.0)
    assert sheet.constant(math.nan) is sheet.constant(math.nan)
    assert (sheet.constant(2.0) * 3.0).value == 6.0


@pytest.mark.parametrize("value", [0.0, 1.5])
def test_an_output_may_be_a_constant(value):
    sheet = Sheet()
    (result,) = evaluate(
        [Planar(sheet.constant(value), sheet.constant(0.0))],
        {"z": torch.zeros(3, dtype=torch.cfloat)},
    )
    assert result.tolist() == [complex(value)] * 3
