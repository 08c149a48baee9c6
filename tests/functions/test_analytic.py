"""The given derivative is used in every mode and order."""

import pytest
import torch
from torch import Tensor
from torch.func import jvp, vjp, vmap

from holonet.functions.analytic import with_derivative

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")


def cube(z: Tensor) -> Tensor:
    """z^3, its value computed in a way that autograd cannot see through."""
    return with_derivative(z, lambda z: (z * z * z).detach(), square)


def square(z: Tensor) -> Tensor:
    return with_derivative(z, lambda z: (3 * z * z).detach(), lambda z: 6 * z)


@pytest.fixture
def z():
    return torch.randn(5, dtype=torch.complex128)


def one(f, z):
    return jvp(f, (z,), (torch.ones_like(z),))[1]


def pulled(f, z):
    out, pull, *_ = vjp(f, z)
    return pull(torch.ones_like(out))[0]


def test_forward_mode(z):
    torch.testing.assert_close(one(cube, z), 3 * z**2)
    torch.testing.assert_close(one(lambda z: one(cube, z), z), 6 * z)
    torch.testing.assert_close(one(lambda z: one(lambda z: one(cube, z), z), z), 6 + 0 * z)


def test_reverse_mode_conjugates(z):
    torch.testing.assert_close(pulled(cube, z), (3 * z**2).conj())
    torch.testing.assert_close(pulled(lambda z: one(cube, z), z), (6 * z).conj())


def test_vmap_in_every_mode(z):
    torch.testing.assert_close(vmap(cube)(z), z**3)
    torch.testing.assert_close(vmap(lambda a: one(cube, a))(z), 3 * z**2)
    torch.testing.assert_close(vmap(lambda a: pulled(cube, a))(z), (3 * z**2).conj())


def test_numerical_derivatives_of_both_orders(z):
    def seen(z: Tensor) -> Tensor:
        return with_derivative(z, lambda z: z * z * z, square)

    z.requires_grad_()
    assert torch.autograd.gradcheck(
        seen, (z,), check_forward_ad=True, check_batched_grad=True, check_batched_forward_grad=True
    )
    assert torch.autograd.gradgradcheck(seen, (z,), check_fwd_over_rev=True)


def test_tensors_that_override_torch_functions_are_asked(z):
    class Double(Tensor):
        """Answers with twice the first argument, and the name of what was called."""

        asked = ()

        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            if func.__name__ == "__get__":  # of an attribute
                return super().__torch_function__(func, types, args, kwargs or {})
            cls.asked = (func.__name__, *args[1:])
            return 2 * args[0].as_subclass(Tensor)

    found = with_derivative(z.as_subclass(Double), torch.exp, square)
    assert torch.equal(found, 2 * z)
    assert Double.asked == ("with_derivative", torch.exp, square)


def test_a_wrong_derivative_is_noticed(z):
    def wrong(z: Tensor) -> Tensor:
        return with_derivative(z, lambda z: z * z, lambda z: 2.01 * z)

    assert not torch.autograd.gradcheck(wrong, (z.requires_grad_(),), raise_exception=False)
