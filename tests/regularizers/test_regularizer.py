"""The interface of regularizers, on the smallest one."""

import pytest
import torch

from holonet.calculus import Probes
from holonet.regularizers import Regularizer
from holonet.regularizers.regularizer import mean_square_norm


class Size(Regularizer):
    """Mean |f(z) + noise|^2: a penalty that uses its probes."""

    def value_and_penalty(self, f, z, probes=None):
        value = f(z)
        return value, mean_square_norm(value + (probes or Probes()).like(value))


def test_a_regularizer_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        Regularizer()  # pyright: ignore[reportAbstractUsage]


def test_a_call_is_the_penalty_and_hands_the_probes_on():
    z = torch.randn(4, 3)
    value, penalty = Size().value_and_penalty(torch.sin, z, Probes(2))
    assert torch.equal(value, torch.sin(z))
    assert torch.equal(Size()(torch.sin, z, Probes(2)), penalty)
    assert not torch.equal(Size()(torch.sin, z, Probes(3)), penalty)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", [(4,), (4, 3), (4, 2, 3)])
def test_the_mean_square_norm(dtype, shape):
    v = torch.randn(shape, dtype=dtype)
    expected = torch.stack([(x * x.conj()).sum().real for x in v]).mean()
    torch.testing.assert_close(mean_square_norm(v), expected)
