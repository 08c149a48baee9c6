"""Two derivatives of the loss against torch's, its bound, its continuation, its random start."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet.errors import DomainError
from holonet.functions import get_function
from holonet.papers.deng2020.networks import ACTIVATIONS, BOUNDS, ENTIRE, NETS, loss_of

SMOOTH = [net for net in NETS if net != "real-relu"]


def points(count: int, inputs: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, inputs, generator=generator, dtype=torch.float64)


@each("name", BOUNDS)
def test_activations_are_those_of_the_catalogue(name: str) -> None:
    record = get_function(name)
    u = torch.linspace(-6, 6, 49, dtype=torch.float64)
    if name in ENTIRE:
        u = torch.complex(u, u.flip(0) / 3 + 0.1)
    z = u + 0j
    expected = (record.value(z), record.derivative(z), record.second_derivative(z))
    for own, theirs in zip(ACTIVATIONS[name], expected, strict=True):
        torch.testing.assert_close(own(u) + 0j, theirs, rtol=1e-12, atol=1e-12)


def test_relu_is_torchs() -> None:
    u = points(1, 20)[0].requires_grad_()
    value, first, second = (f(u) for f in ACTIVATIONS["relu"])
    assert torch.equal(value, torch.relu(u))
    assert torch.equal(first, torch.autograd.grad(value.sum(), u)[0])
    assert not second.any()


@each("net", NETS)
def test_gradient_and_hessian_are_those_of_the_value(net: str) -> None:
    loss, _ = loss_of(net, 1, 5, 12)
    x = points(3, 5)
    for row in x:

        def one(v: torch.Tensor) -> torch.Tensor:
            return loss.value(v[None])[0]

        torch.testing.assert_close(
            loss.gradient(row[None])[0], torch.autograd.functional.jacobian(one, row)
        )
        torch.testing.assert_close(
            loss.hessian(row[None])[0], torch.autograd.functional.hessian(one, row)
        )


@each("net", NETS)
def test_the_value_is_the_quadratic_loss_of_the_formula(net: str) -> None:
    loss, _ = loss_of(net, 2, 4, 6)
    x = points(1, 4)[0]
    output = sum(
        complex(a) * complex(ACTIVATIONS[loss.activation][0]((w * x).sum()))
        for w, a in zip(loss.weights, loss.outer, strict=True)
    )
    expected = (output.real - loss.target) ** 2 / 2
    assert float(loss.value(x[None])) == pytest.approx(expected)


@each("net", SMOOTH)
@given(seed=st.integers(0, 10**6), radius=st.floats(0.01, 3))
def test_the_bound_is_above_every_hessian_in_the_ball(net: str, seed: int, radius: float) -> None:
    loss, x = loss_of(net, seed, 3, 10)
    delta = points(30, 3, seed)
    delta = delta * (radius / delta.norm(dim=1)).clamp(max=1)[:, None]
    center, radii = x.expand(30, -1), torch.full((30,), radius, dtype=torch.float64)
    norms = torch.linalg.matrix_norm(loss.hessian(center + delta), 2)
    assert (norms <= loss.lipschitz_bound(center, radii) * (1 + 1e-12)).all()


def test_bounds_are_attained_by_linear_growth() -> None:
    r = torch.tensor([0.5, 2.0], dtype=torch.float64)
    assert torch.equal(BOUNDS["square"][0](r), ACTIVATIONS["square"][1](r))
    tanh = ACTIVATIONS["tanh"][2](torch.linspace(-3, 3, 100001, dtype=torch.float64))
    assert float(tanh.abs().max()) == pytest.approx(float(BOUNDS["tanh"][1](r)[0]))


@each("net", [net for net in NETS if net.split("-")[1] in ENTIRE])
def test_the_continuation_is_the_loss_at_real_inputs_and_harmonic(net: str) -> None:
    loss, _ = loss_of(net, 3, 4, 9)
    complex_loss, x = loss.continued(), points(5, 4)
    real = torch.cat([x, torch.zeros_like(x)], 1)
    torch.testing.assert_close(complex_loss.value(real), loss.value(x))
    torch.testing.assert_close(complex_loss.gradient(real)[:, :4], loss.gradient(x))
    z = points(5, 8, 1)
    # Re F is harmonic, so the Laplacian of the loss is the squared slope of Re F
    laplacian = complex_loss.hessian(z).diagonal(dim1=1, dim2=2).sum(1)
    slope = complex_loss.gradient(z).square().sum(1) / (2 * complex_loss.value(z))
    torch.testing.assert_close(laplacian, slope)


@each("net", ["real-tanh", "real-softplus", "real-relu"])
def test_what_is_not_entire_has_no_continuation(net: str) -> None:
    with pytest.raises(DomainError, match="not entire"):
        loss_of(net, 0, 2, 3)[0].continued()


@each("net", NETS)
def test_random_starts_have_the_scales_that_are_stated(net: str) -> None:
    loss, x = loss_of(net, 5, 100, 400)
    again, other = loss_of(net, 5, 100, 400)[0], loss_of(net, 6, 100, 400)[0]
    assert torch.equal(loss.weights, again.weights)
    assert not torch.equal(loss.weights, other.weights)
    assert float(x.norm()) == pytest.approx(1)
    assert float((loss.weights + 0j).abs().square().mean()) == pytest.approx(1, rel=0.02)
    torch.testing.assert_close(loss.outer.abs(), torch.full((400,), 0.05, dtype=torch.float64))
    assert loss.weights.is_complex() == net.startswith("complex")
    assert {loss_of(net, seed, 2, 2)[0].target for seed in range(12)} == {-1.0, 1.0}
