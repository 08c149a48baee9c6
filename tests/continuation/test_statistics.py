"""Variances, norms and softmax, and the branch of the logarithm of a sum of exponentials."""

import math

import pytest
import torch
from torch.nn import functional

from cases import each
from continuations import assert_continuation
from holonet.continuation import extend
from holonet.continuation.statistics import log_softmax, logsumexp, softmax
from holonet.errors import InputTypeError, NotHolomorphicError

LABELS = torch.tensor([0, 3, 1])
STATISTICS = {
    "variances": lambda x: x.var(1) + x.var(1, unbiased=False) + torch.var(x, 1, correction=2),
    "deviations": lambda x: x.std(1, keepdim=True) + x.std(dim=1, keepdim=True),
    "pairs": lambda x: torch.stack(torch.var_mean(x, 1) + torch.std_mean(x, [1]), 1),
    "norms": lambda x: x.norm(dim=1) + torch.linalg.vector_norm(x, dim=1) + x.norm(2, 1),
    "normalize": lambda x: functional.normalize(x) + functional.normalize(x, p=2, dim=-1),
    "cosine": lambda x: functional.cosine_similarity(x, x.flip(1)),
    "distance": lambda x: functional.pairwise_distance(x, x * x + 3),
    "softmax": lambda x: x.softmax(1) + functional.softmin(x, 1) + torch.softmax(x, -1),
    "logarithms": lambda x: functional.log_softmax(x, 1) + x.logsumexp(1, keepdim=True),
    "sums": lambda x: torch.logaddexp(x, 2 * x) + torch.logsumexp(x[:, None], (1, 2))[:, None],
}


@each("name", STATISTICS)
def test_statistics(name: str) -> None:
    assert_continuation(STATISTICS[name], torch.randn(3, 4, dtype=torch.float64), height=0.1)


def test_losses() -> None:
    x = torch.randn(3, 4, dtype=torch.float64)
    z = x.to(torch.complex128)
    for options in ({}, {"reduction": "sum"}, {"reduction": "none"}):
        f = lambda x, o=options: functional.cross_entropy(x, LABELS, **o)  # noqa: E731
        torch.testing.assert_close(extend(f)(z).real, f(x))
    for loss in (functional.nll_loss, functional.cross_entropy):
        torch.testing.assert_close(extend(loss)(z, LABELS).real, loss(x, LABELS))
    binary = functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(extend(binary)(z, x.sigmoid()).real, binary(x, x.sigmoid()))
    soft = lambda x: functional.cross_entropy(x, torch.full((3, 4), 0.25).double())  # noqa: E731
    torch.testing.assert_close(extend(soft)(z).real, soft(x))


def test_variance_over_all_entries() -> None:
    z = torch.randn(3, 4, dtype=torch.complex128)
    deviation = z - z.mean()
    torch.testing.assert_close(extend(torch.var)(z), (deviation**2).sum() / 11)
    torch.testing.assert_close(extend(lambda x: x.var(False))(z), (deviation**2).mean())


def test_branch_goes_on_up_to_a_spread_of_pi() -> None:
    """Along a vertical line the value changes by its derivative, without a jump."""
    x = torch.tensor([0.3, 0.1, -2.0], dtype=torch.float64)
    slope = torch.tensor([5.0, 5.0 + 0.999 * math.pi, 6.0], dtype=torch.float64)
    t = torch.linspace(0, 1, 2001, dtype=torch.float64)[:, None]
    values = extend(lambda x: functional.log_softmax(x, 1))(torch.complex(x + 0 * t, slope * t))
    assert values.diff(dim=0).abs().max() < 0.5
    total = torch.exp(torch.complex(x + 0 * t, slope * t)).sum(1)
    torch.testing.assert_close(
        torch.exp(values[:, 0]) * total, torch.exp(x[0] + 1j * slope[0] * t[:, 0])
    )


def test_normalize_is_the_models_at_zero() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0]], dtype=torch.float64)
    z = x.to(torch.complex128).requires_grad_()
    value = extend(functional.normalize)(z)
    assert torch.equal(value[0].real, torch.zeros(2).double())
    torch.testing.assert_close(value[1].real, torch.tensor([0.6, 0.8]).double())
    value[1].sum().abs().backward()
    assert z.grad is not None
    assert z.grad.isfinite().all()


def test_large_logits_do_not_overflow() -> None:
    z = torch.tensor([[1e3 + 1j, 0.0, -1e3]], dtype=torch.complex128)
    assert softmax(z, 1).isfinite().all()
    assert log_softmax(z, 1).isfinite().all()
    torch.testing.assert_close(logsumexp(z, 1), z[:, :1])


def test_moduli_are_refused() -> None:
    z = torch.ones(2, 3, dtype=torch.complex64)
    for f in (lambda x: x.norm(1), lambda x: functional.normalize(x, p=1)):
        with pytest.raises(NotHolomorphicError, match="exponent 1"):
            extend(f)(z)
    with pytest.raises(InputTypeError, match="smoothing"):
        extend(lambda x: functional.cross_entropy(x, LABELS[:2], label_smoothing=0.1))(z)
