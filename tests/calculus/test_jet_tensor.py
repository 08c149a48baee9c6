"""What torch and Python see of a jet, and what it refuses."""

import dataclasses
import operator

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cases import each
from holonet._types import ComplexTensor
from holonet.calculus.jet_tensor import Jet, Line, Part, RuleBook, name_of, terms_of, value_of
from holonet.calculus.jets import jet
from holonet.errors import InputTypeError, NotHolomorphicError

C128 = torch.complex128
Z, V = torch.randn(2, 2, 4, 4, dtype=C128, generator=torch.Generator().manual_seed(0))


def along_z(f, z=Z, v=V, order=2):
    return jet(f, z, v, order)


def seen(z=Z, v=V, order=3):
    """The jet that a function is given."""
    inside = []
    along_z(lambda z: inside.append(z) or z, z, v, order)
    return inside[0]


def test_a_jet_looks_like_its_value():
    x = seen()
    assert isinstance(x, Jet)
    assert isinstance(x, ComplexTensor)  # pyright: ignore[reportArgumentType]
    assert (x.shape, x.dtype, x.device, x.ndim) == (Z.shape, Z.dtype, Z.device, 3)
    assert (x.dim(), x.size(1), x.numel(), len(x)) == (3, 4, 32, 2)
    assert x.is_complex()
    assert not x.is_floating_point()
    assert not x.requires_grad
    assert repr(x).startswith("Jet(tensor(")
    assert len({x, x}) == 1
    assert [row.shape for row in x] == [Z[0].shape] * 2


def test_coefficients_are_broadcast_and_converted_to_the_first():
    x = Jet.of([Z, torch.tensor(1.0)], seen().line)
    assert [(c.shape, c.dtype) for c in x.terms] == [(Z.shape, C128)] * 2
    assert torch.equal(x.terms[1], torch.ones_like(Z))


def test_constants_have_one_coefficient():
    x = seen()
    assert terms_of(x) is x.terms
    assert value_of(x) is x.value is x.terms[0]
    assert terms_of(2j) == [2j]
    assert value_of(2j) == 2j


@each(
    "f",
    [
        lambda x: x == Z,
        lambda x: x != Z,
        torch.isfinite,
        lambda x: x.real > 0,
        lambda x: x.imag <= 0,
        lambda x: x.abs() <= 1,
        lambda x: x.abs() < x.real,
        lambda x: x.detach(),
        lambda x: x.real.detach(),
        torch.zeros_like,
        lambda x: torch.ones_like(x.real),
        lambda x: torch.full_like(x, 2),
        lambda x: x.new_tensor([1.0]),
        lambda x: x.new_zeros(3),
    ],
)
def test_decisions_and_constants_see_the_value(f):
    got = f(seen())
    assert type(got) is Tensor
    assert torch.equal(got, f(Z))


def test_comparisons_of_whole_tensors():
    x = seen()
    assert torch.equal(x, Z)
    assert torch.allclose(x, Z)
    assert not torch.allclose(x, Z + 1)


@each(
    ("f", "match"),
    [
        (lambda x: x.add_(1), "'add_'.*in place"),
        (lambda x: Z.clone().add_(x), "'add_'.*in place"),
        (lambda x: x.__setitem__(0, 1), "'setitem'.*in place"),
        (lambda x: Z.clone().__setitem__(0, x[0]), "'setitem'.*in place"),
        (lambda x: operator.iadd(x, 1), "'add_'.*in place"),
        (lambda x: operator.imatmul(x, x), "'matmul_'.*in place"),
        (lambda x: x.erfinv(), "'erfinv'.*with_derivative"),
        (lambda x: torch.mul(x, x, out=Z.clone()), "'mul' with.*out"),
        (lambda x: x.sum().item(), "'item'"),
        (lambda x: bool(x[0, 0, 0]), "'bool'"),
        (lambda x: x.numpy(), "'numpy'"),
    ],
)
def test_what_jets_have_no_rule_for(f, match):
    with pytest.raises(InputTypeError, match=match):
        f(seen())


def test_jets_along_different_lines_do_not_mix():
    x, y = seen(), seen()
    with pytest.raises(InputTypeError, match="do not nest"):
        x.add(y)
    with pytest.raises(InputTypeError, match="do not nest"):
        along_z(lambda z: z + y)
    with pytest.raises(InputTypeError, match="do not nest"):
        torch.cat([x, y])
    with pytest.raises(InputTypeError, match="do not nest"):
        along_z(lambda z: along_z(lambda w: w * z))
    with pytest.raises(InputTypeError, match="do not nest"):
        along_z(lambda z: jet(torch.exp, z, V, 1))


@each(
    ("f", "match"),
    [
        (lambda z: z.real, "only: the real part is not one.*holomorphic_map"),
        (torch.imag, "only: the imaginary part is not one"),
        (torch.abs, "only: the modulus is not one"),
        (lambda z: z.abs() ** 2, "torch.pow of the modulus"),
        (lambda z: z.real * z, "torch.mul of the real part"),
        (lambda z: z * z.imag, "torch.mul of the imaginary part"),
        (lambda z: torch.complex(z.real, -z.imag), "torch.neg of the imaginary part"),
        (lambda z: torch.complex(z.imag, z.real), "torch.complex of the imaginary part"),
        (lambda z: torch.complex(z.real, z.real), "torch.complex of the real part"),
        (lambda z: torch.complex(z.real, (2 * z).imag), "torch.complex"),
        (lambda z: torch.complex(z.abs(), z.imag), "torch.complex of the modulus"),
        (lambda z: torch.complex(z.real, Z.imag), "torch.complex"),
        (
            lambda z: torch.complex(
                functional.avg_pool2d(z.real, 2), functional.avg_pool2d(z.imag, 2, 1)
            ),
            "complex",
        ),
        (lambda z: torch.complex(functional.avg_pool2d(z.real, 4, 1), z.imag), "complex"),
        (lambda z: functional.max_pool2d(z.real, 2), "max_pool2d of the real part"),
        (lambda z: torch.where(z.real > 0, z.real, 0), "torch.where of the real part"),
    ],
)
def test_parts_are_refused_along_a_complex_line(f, match):
    with pytest.raises(NotHolomorphicError, match=match):
        along_z(f)


def test_a_part_looks_like_its_value():
    part = seen().real
    assert isinstance(part, Part)
    assert (part.dtype, part.shape) == (torch.float64, Z.shape)
    assert repr(part).startswith("Part(tensor(")


def test_parts_mapped_alike_are_put_together_again():
    def pool(x):
        pooled = functional.adaptive_avg_pool2d(functional.avg_pool2d(x, 2, stride=1), 2)
        return functional.interpolate(pooled, scale_factor=2)

    def pooled_square(z):
        square = z * z
        return torch.complex(pool(square.real), pool(square.imag))

    found = along_z(pooled_square)
    square = along_z(lambda z: z * z)
    expected = torch.stack([torch.complex(pool(c.real), pool(c.imag)) for c in square])
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert torch.equal(along_z(lambda z: torch.complex(z.real, z.imag)), along_z(lambda z: z))


def test_torchs_own_transforms_do_not_see_through_jets():
    with pytest.raises(InputTypeError, match="no rule"):
        along_z(lambda z: torch.func.jvp(torch.exp, (z,), (V,))[1])


def test_rules_go_by_name():
    assert name_of(torch.mul) == name_of(Tensor.mul) == name_of(Tensor.__mul__) == "mul"
    assert name_of(Tensor.real.__get__) == "real"  # pyright: ignore[reportAttributeAccessIssue]
    assert name_of(Tensor.add_) == "add_"
    book = RuleBook()

    @book("double twice")
    def double(order, func, x):
        return [2 * c for c in x.terms]

    assert book == {"double": double, "twice": double}


def test_a_line_is_itself_alone():
    line = Line(2, False, {})
    assert line != dataclasses.replace(line)
    with pytest.raises(InputTypeError, match="'exp'"):
        torch.exp(Jet.of([Z], line))
