"""The tangent kernel: its laws, finite differences, and what a gradient step does."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.calculus import tangent_kernel
from holonet.errors import ConfigError, InputTypeError, ShapeError
from holonet.nn import Activation, Conv1d, Flatten, Linear, RealPart, holomorphic_mlp

REAL, COMPLEX = torch.float64, torch.complex128
dtypes = st.sampled_from([REAL, COMPLEX])
names = st.sampled_from(["square", "sin", "tanh", "gelu", "exp"])
seeds = st.integers(0, 999)


def network(name: str, dtype: torch.dtype, seed: int, width: int = 4) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            Linear(3, width, dtype=dtype), Activation(name), Linear(width, 2, dtype=dtype)
        )


def draw(*shape: int, dtype: torch.dtype, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=dtype, generator=generator)


def finite_difference_jacobian(model: nn.Module, x: Tensor, step: float = 1e-3) -> Tensor:
    """By central differences of fourth order, real steps in every parameter."""
    columns = []
    for parameter in model.parameters():
        entries = parameter.detach().view(-1)
        for index in range(len(entries)):
            value, outputs = entries[index].clone(), []
            for multiple in (-2, -1, 1, 2):
                entries[index] = value + multiple * step
                outputs.append(model(x).detach().flatten())
            entries[index] = value
            far, near = outputs[0] - outputs[3], outputs[2] - outputs[1]
            columns.append((far + 8 * near) / (12 * step))
    return torch.stack(columns, 1)


@settings(max_examples=6)
@given(names, dtypes, seeds)
def test_kernel_is_hermitian_and_semidefinite(name: str, dtype: torch.dtype, seed: int) -> None:
    kernel = tangent_kernel(network(name, dtype, seed), draw(4, 3, dtype=dtype, seed=seed))
    assert kernel.shape == (8, 8)
    assert kernel.dtype == dtype
    torch.testing.assert_close(kernel, kernel.mH)
    eigenvalues = torch.linalg.eigvalsh(kernel)
    assert eigenvalues[0] >= -1e-12 * eigenvalues[-1]


@settings(max_examples=6)
@given(names, dtypes, seeds)
def test_kernel_is_that_of_finite_differences(name: str, dtype: torch.dtype, seed: int) -> None:
    model, x = network(name, dtype, seed), draw(3, 3, dtype=dtype, seed=seed) / 2
    jacobian = finite_difference_jacobian(model, x)
    torch.testing.assert_close(
        tangent_kernel(model, x), jacobian @ jacobian.mH, rtol=1e-7, atol=1e-7
    )


def test_kernel_of_distinct_points_is_definite_for_a_wide_network() -> None:
    x = draw(6, 3, dtype=COMPLEX, seed=1)
    eigenvalues = torch.linalg.eigvalsh(tangent_kernel(network("sin", COMPLEX, 0, 64), x))
    assert eigenvalues[0] > 1e-4 * eigenvalues[-1]


@settings(max_examples=4)
@given(dtypes, seeds)
def test_kernel_of_other_points_is_a_block(dtype: torch.dtype, seed: int) -> None:
    model, x = network("sin", dtype, seed), draw(5, 3, dtype=dtype, seed=seed)
    whole = tangent_kernel(model, x)
    torch.testing.assert_close(tangent_kernel(model, x[:2], x[2:]), whole[:4, 4:])
    torch.testing.assert_close(tangent_kernel(model, x[2:], x[:2]), whole[:4, 4:].mH)


@settings(max_examples=4)
@given(names, seeds)
def test_readout_by_the_real_part_has_the_real_part_of_the_kernel(name: str, seed: int) -> None:
    model, x = network(name, COMPLEX, seed), draw(3, 3, dtype=COMPLEX, seed=seed)
    readout = tangent_kernel(nn.Sequential(model, RealPart()), x)
    assert readout.dtype == REAL
    torch.testing.assert_close(readout, tangent_kernel(model, x).real)


@settings(max_examples=6)
@given(names, dtypes, seeds)
def test_gradient_step_moves_outputs_by_the_kernel(
    name: str, dtype: torch.dtype, seed: int
) -> None:
    model, x = network(name, dtype, seed), draw(3, 3, dtype=dtype, seed=seed) / 2
    goal, rate = draw(3, 2, dtype=dtype, seed=seed + 1), 1e-6
    before, kernel = model(x), tangent_kernel(model, x)
    loss = (before - goal).abs().square().sum() / 2
    loss.backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.sub_(rate * parameter.grad)
        moved = (model(x) - before).flatten() / rate
    expected = -kernel @ (before - goal).detach().flatten()
    scale = expected.abs().max().item()
    torch.testing.assert_close(moved, expected, rtol=0, atol=1e-4 * max(1.0, scale) ** 2)


@settings(max_examples=2)
@given(names, seeds)
def test_real_coefficients_have_the_continuation_of_the_real_kernel(name: str, seed: int) -> None:
    model, x = network(name, REAL, seed), draw(2, 3, dtype=REAL, seed=seed)
    real = tangent_kernel(model, x)
    torch.testing.assert_close(tangent_kernel(model, x.to(COMPLEX)), real.to(COMPLEX))
    z, w, v = (draw(1, 3, dtype=COMPLEX, seed=seed + k) / 3 for k in range(3))
    scale = tangent_kernel(model, z, w).abs().max().item()

    def step(first: bool, direction: Tensor) -> Tensor:
        at = lambda t: (z + t * direction, w) if first else (z, w + t * direction)  # noqa: E731
        return (tangent_kernel(model, *at(1e-5)) - tangent_kernel(model, *at(-1e-5))) / 2e-5

    torch.testing.assert_close(step(True, 1j * v), 1j * step(True, v), rtol=1e-5, atol=1e-5 * scale)
    torch.testing.assert_close(
        step(False, 1j * v), -1j * step(False, v), rtol=1e-5, atol=1e-5 * scale
    )


def test_frozen_parameters_are_left_out() -> None:
    model = nn.Sequential(Linear(2, 3, dtype=REAL), Linear(3, 1, dtype=REAL))
    model[0].requires_grad_(False)
    x = draw(4, 2, dtype=REAL, seed=0)
    hidden = model[0](x).detach()
    torch.testing.assert_close(tangent_kernel(model, x), hidden @ hidden.mT + 1)


def test_model_is_unchanged_and_parameters_of_both_kinds_are_taken() -> None:
    model = nn.Sequential(Conv1d(1, 2, 2, dtype=REAL), Flatten(), Linear(4, 1, dtype=COMPLEX))
    x = draw(2, 1, 3, dtype=COMPLEX, seed=0)
    before = [p.detach().clone() for p in model.parameters()]
    jacobian = finite_difference_jacobian(model, x)
    torch.testing.assert_close(tangent_kernel(model, x), jacobian @ jacobian.mH)
    for old, new in zip(before, model.parameters(), strict=True):
        assert new.grad is None
        torch.testing.assert_close(new.detach(), old)


def test_single_precision_and_ready_networks_are_taken() -> None:
    model = holomorphic_mlp(3, [4], 2)
    kernel = tangent_kernel(model, torch.randn(2, 3))
    assert kernel.dtype in (torch.float32, torch.complex64)
    assert kernel.shape == (4, 4)


class Conjugating(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, dtype=COMPLEX))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.conj()


def test_outputs_not_holomorphic_in_the_parameters_are_refused() -> None:
    x = draw(2, 3, dtype=COMPLEX, seed=0)
    with pytest.raises(InputTypeError, match="real readout"):
        tangent_kernel(Conjugating(), x)
    kernel = tangent_kernel(nn.Sequential(Conjugating(), RealPart()), x)
    torch.testing.assert_close(kernel, (x @ x.mH).real)


def test_bad_arguments_are_refused() -> None:
    x = draw(2, 3, dtype=REAL, seed=0)
    with pytest.raises(ConfigError, match="no parameter"):
        tangent_kernel(nn.Flatten(), x)
    with pytest.raises(ConfigError, match="no parameter"):
        tangent_kernel(Linear(3, 1, dtype=REAL).requires_grad_(False), x)
    with pytest.raises(ShapeError, match="one value"):
        tangent_kernel(nn.Sequential(Linear(3, 1, dtype=REAL), nn.Flatten(0), Sum()), x)
    with pytest.raises(InputTypeError, match="model"):
        tangent_kernel(torch.square, x)  # pyright: ignore[reportArgumentType]


class Sum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum()
