"""Arithmetic of parts: that of complex numbers."""

import copy
import pickle

import pytest
import torch
from torch import Tensor
from torch import nn as tnn

from cases import each
from holonet.functions import CATALOGUE
from holonet.interop.real_layers import (
    Affine,
    Constant,
    EachPart,
    Formula,
    Lift,
    Product,
    Residual,
    Scaled,
    copysign,
    plus,
    times,
)
from holonet.ops.planar import Sheet
from holonet.ops.tracing import trace

COMPLEX = torch.tensor([[1.5 - 2j, 0.25 + 3j], [-1 + 1j, 2 + 0.5j]], dtype=torch.complex128)
REAL = torch.tensor([[0.5, -2.0], [3.0, 1.0]], dtype=torch.float64)


def parts(z: Tensor) -> Tensor | tuple[Tensor, Tensor]:
    return (z.real, z.imag) if z.is_complex() else z


def joined(z: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    return z if isinstance(z, Tensor) else torch.complex(*z)


@each(("a", "b"), [(a, b) for a in (COMPLEX, REAL) for b in (COMPLEX.mT, REAL.mT)], ids=str)
def test_sums_and_products_are_those_of_complex_numbers(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(joined(plus(parts(a), parts(b))), a + b)
    torch.testing.assert_close(joined(times(parts(a), parts(b))), a * b)
    torch.testing.assert_close(joined(Residual(tnn.Identity())(parts(a))), 2 * a)
    product = Product([tnn.Identity(), Constant(b[0], -1)])
    torch.testing.assert_close(joined(product(parts(a))), a * b[0])


def test_copysign_is_torch_s_also_at_zeros_and_infinities() -> None:
    values = torch.tensor([-torch.inf, -2.0, -0.0, 0.0, 3.0, torch.inf])
    size, sign = torch.meshgrid(values, values, indexing="ij")
    found, wanted = copysign(size, sign), torch.copysign(size, sign)
    assert torch.equal(found, wanted)
    assert torch.equal(found.signbit(), wanted.signbit())


@each("axis", [-1, -2, 1, 2])
def test_constants_stand_along_their_axis(axis: int) -> None:
    z = torch.randn(4, 2, 2, dtype=torch.complex128)
    numbers = COMPLEX[0]
    shape = [1, 1, 1]
    shape[axis] = 2
    scaled = Scaled(Constant(numbers, axis), Constant(REAL[0], axis))
    expected = numbers.view(shape) * z + REAL[0].view(shape)
    torch.testing.assert_close(joined(scaled(parts(z))), expected)


@each("z", [COMPLEX, REAL], ids=str)
def test_an_affine_map_of_parts_is_the_complex_one(z: Tensor) -> None:
    weight, bias = torch.randn(3, 2, dtype=torch.complex128), torch.randn(3, dtype=torch.complex128)
    layers = [tnn.Linear(2, 3, bias=False, dtype=torch.float64) for _ in range(2)]
    with torch.no_grad():
        layers[0].weight.copy_(weight.real)
        layers[1].weight.copy_(weight.imag)
    form = Affine(layers, Constant(bias, -1))
    expected = z.to(weight.dtype) @ weight.mT + bias
    torch.testing.assert_close(joined(form(parts(z))), expected)
    first = Affine(layers[:1], Constant(bias.real, -1))
    real = joined(first(parts(z)))
    torch.testing.assert_close(real, z @ weight.real.mT.to(z.dtype) + bias.real)


def test_parts_are_taken_one_by_one_and_lifted() -> None:
    torch.testing.assert_close(joined(EachPart(tnn.Flatten(0))(parts(COMPLEX))), COMPLEX.flatten())
    torch.testing.assert_close(joined(Lift()(REAL)), REAL + 0j)


@each("name", CATALOGUE)
def test_a_formula_is_the_record_s_value_and_travels(name: str) -> None:
    record = CATALOGUE[name]
    z = record.base_point + 0.4 * torch.randn(50, dtype=torch.complex128)
    form = Formula(trace(record.value, Sheet(double=True).complex_input("z")))
    for copied in (form, copy.deepcopy(form), pickle.loads(pickle.dumps(form))):
        torch.testing.assert_close(
            joined(copied(parts(z))), record.value(z), rtol=1e-11, atol=1e-12
        )


def test_a_constant_value_has_the_shape_of_the_input() -> None:
    form = Formula(trace(lambda z: torch.full_like(z, 2 - 1j), Sheet(True).complex_input("z")))
    assert torch.equal(joined(form(parts(COMPLEX))), torch.full_like(COMPLEX, 2 - 1j))
    assert "operations" in repr(form)


def test_a_formula_without_a_translation_is_no_formula() -> None:
    with pytest.raises(NotImplementedError):
        trace(torch.special.gammaln, Sheet().complex_input("z"))
