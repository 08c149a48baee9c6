"""Programs compute what the formula says, in every mode of differentiation."""

import copy
import pickle

import mpmath
import pytest
import sympy
import torch
from torch.func import jvp, vmap

from cases import each, some_of
from holonet.calculus import dbar, derivative
from holonet.errors import ConfigError, NumericalError
from holonet.symbolic.formula import parse_formula
from holonet.symbolic.program import TorchFunction, compile_formula

C128 = torch.complex128
Z = sympy.Symbol("z")
FORMULAS = [
    "z",
    "3*z - I",
    "z**5 - 2*z**2 + 1",
    "z*exp(-z**2)",
    "1/(1 + exp(-z))",
    "1/(1 + exp(z/2))**3",
    "log(1 + exp(2*z))",
    "z/sqrt(1 + z**2)",
    "(1 + z**2/9)**(3/2)",
    "(z + 5)**(1/3)",
    "(z + 5)**I",
    "(z + 5)**z",
    "2**z",
    "(-2)**z",
    "sin(z)*cosh(2*z)/(4 + z)",
    "tanh(z/3)*erf(z) + erfi(z)*erfc(z/2)",
    "(z - 7)**(-4)*acos(z/9)",
    "sqrt(2)*pi*z**2 + E",
]


def program(text):
    return compile_formula(parse_formula(text), Z)


def points(dtype=C128):
    return torch.tensor([0.3 + 0.4j, -0.8 + 0.6j, 1.1 - 0.5j, -0.2 - 0.9j], dtype=dtype)


@some_of("text", FORMULAS, slice(None, None, 4))
@each("order", [0, 1, 2])
def test_every_order_is_sympys_derivative(text, order):
    formula = sympy.lambdify(Z, parse_formula(text).diff(Z, order), "mpmath")
    z = points()
    with mpmath.workdps(30):
        expected = [complex(formula(mpmath.mpc(p))) for p in z.tolist()]
    got = TorchFunction(program(text), order)(z)
    torch.testing.assert_close(got, torch.tensor(expected, dtype=C128), rtol=1e-12, atol=1e-12)


@some_of("text", FORMULAS, slice(None, None, 4))
def test_torch_differentiates_programs_in_both_modes(text):
    z = points()
    f, df, d2f = (TorchFunction(program(text), k) for k in range(3))
    torch.testing.assert_close(derivative(f, z), df(z), rtol=1e-11, atol=1e-11)
    assert dbar(f, z).abs().max() < 1e-11
    second = jvp(lambda w: derivative(f, w), (z,), (torch.ones_like(z),))[1]
    torch.testing.assert_close(second, d2f(z), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(vmap(f)(z), f(z))
    w = z.clone().requires_grad_()
    (grad,) = torch.autograd.grad(f(w).real.sum(), w)
    torch.testing.assert_close(grad, df(z).conj(), rtol=1e-11, atol=1e-11)


@some_of("text", FORMULAS, slice(None, None, 5))
@each("dtype", [torch.complex64, C128])
@each("shape", [(), (0,), (2, 3)])
def test_shape_and_precision_are_kept(text, dtype, shape):
    z = 0.3 * torch.randn(shape, dtype=dtype)
    before = z.clone()
    for order in range(3):
        out = TorchFunction(program(text), order)(z)
        assert out.shape == z.shape
        assert out.dtype is dtype
    assert torch.equal(z, before)


@each("text", ["1/(1 + exp(-z))", "z/(1 + exp(-z))**2", "log(1 + exp(z))"])
@each("order", [0, 1, 2])
def test_logistic_forms_do_not_overflow(text, order):
    z = torch.tensor([1000 + 1j, -1000 + 1j, 100j + 2], dtype=torch.complex64)
    assert TorchFunction(program(text), order)(z).isfinite().all()


def test_equal_subexpressions_are_computed_once():
    steps = program("sin(z)**2 + exp(sin(z)) + cos(sin(z))").steps
    assert sum(step[0] == "sin" for step in steps) == 1


def test_programs_can_be_pickled_and_copied_without_the_formula():
    f = TorchFunction(program("z*exp(-z**2)"), 1)
    for twin in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f)):
        assert twin == f
        assert torch.equal(twin(points()), f(points()))


def test_what_cannot_be_computed_is_refused():
    with pytest.raises(ConfigError, match="gamma"):
        compile_formula(sympy.gamma(Z), Z)
    with pytest.raises(NumericalError, match="double precision"):
        compile_formula(Z * sympy.Integer(10) ** 400, Z)
