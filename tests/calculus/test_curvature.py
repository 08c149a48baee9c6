"""The trace and the norm of second derivatives, exact and estimated, against known Hessians."""

import importlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.calculus import Probes, curvature, laplacian, pluriharmonic_defect
from holonet.errors import ConfigError, InputTypeError

module = importlib.import_module("holonet.calculus.curvature")
seeds = st.integers(0, 2**32)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def quadratic(hessian: Tensor):
    return lambda x: torch.einsum("bi,ij,bj->b", x, hessian, x) / 2


@settings(max_examples=4)
@given(seed=seeds, few=st.sampled_from([0, 16]))
def test_quadratics_have_the_trace_and_the_norm_of_their_hessians(seed, few):
    hessian = normal(seed, 5, 5)
    hessian = hessian + hessian.T
    found = curvature(
        quadratic(hessian), normal(seed + 1, 3, 5), count=100, probes=Probes(seed), few=few
    )
    trace, square = hessian.trace().expand(3), hessian.square().sum().expand(3)
    assert found.exact is (few == 16)
    for estimate, truth in ((found.laplacian, trace), (found.square_norm, square)):
        assert bool((estimate.value - truth).abs().le(6 * estimate.standard_error + 1e-9).all())
    assert found.mixed_square_norm is None
    defect = trace.abs() / (5 * square).sqrt()
    error = 6 * found.defect.standard_error + 1e-9
    assert bool((found.defect.value - defect).abs().le(error).all())


@each("few", [0, 16])
def test_complex_points_have_twice_the_coordinates(few: int) -> None:
    z = normal(0, 3, 2, dtype=torch.complex128)
    square = curvature(lambda z: z.abs().square().sum(1), z, count=40, probes=Probes(0), few=few)
    assert square.coordinates == 4
    assert square.laplacian.value == pytest.approx(8.0, abs=1e-9)  # 2 for each coordinate
    assert square.square_norm.value == pytest.approx(16.0, rel=0.9 if few == 0 else 1e-9)
    assert square.defect.value == pytest.approx(1.0, rel=0.5 if few == 0 else 1e-9)
    assert square.mixed_share.value == pytest.approx(1.0, rel=1e-9)


@each("few", [0, 16])
def test_only_the_real_part_of_a_holomorphic_function_has_no_mixed_share(few: int) -> None:
    z = normal(0, 3, 2, dtype=torch.complex128)
    real = curvature(lambda z: (z[:, 0] ** 2 * z[:, 1].exp()).real, z, few=few, probes=Probes(0))
    assert bool((real.mixed_share.value < 1e-25).all())
    assert bool((real.laplacian.value.abs() < 1e-12).all())
    harmonic = curvature(
        lambda z: z[:, 0].abs().square() - z[:, 1].abs().square(), z, few=few, probes=Probes(0)
    )
    assert bool((harmonic.mixed_share.value > 0.99).all())


def test_it_agrees_with_the_laplacian_and_the_complex_hessian() -> None:
    a, z = normal(1, 2, 3), normal(0, 4, 3, dtype=torch.complex128)

    def u(z: Tensor) -> Tensor:
        return torch.sin(z.real @ a.T) * torch.exp(0.3 * z.imag @ a.T)

    found = curvature(u, z)
    torch.testing.assert_close(found.laplacian.value, laplacian(u, z))
    # v^T H conj(v) doubled as a real form has 8 times the square norm of H
    torch.testing.assert_close(
        found.mixed_square_norm.value, 8 * pluriharmonic_defect(u, z).square()
    )


def test_nested_forward_mode_that_is_wrong_is_replaced_by_differences() -> None:
    layers = nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 2)).double()
    x = normal(0, 3, 4)
    found = curvature(layers, x)
    assert found.by_differences

    def written_out(x: Tensor) -> Tensor:
        hidden = layers[0](x)
        hidden = hidden - hidden.mean(1, keepdim=True)
        scaled = hidden / (hidden.square().mean(1, keepdim=True) + 1e-5).sqrt()
        return layers[3](scaled.tanh())

    expected = curvature(written_out, x)
    assert not expected.by_differences
    torch.testing.assert_close(
        found.laplacian.value, expected.laplacian.value, rtol=1e-4, atol=1e-5
    )


def test_a_function_without_forward_mode_is_differenced() -> None:
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.square()

        @staticmethod
        def backward(ctx, *grad_outputs):
            return 2 * ctx.saved_tensors[0] * grad_outputs[0]

    found = curvature(lambda x: Square.apply(x).sum(1), normal(0, 3, 2))
    assert found.by_differences
    assert found.laplacian.value == pytest.approx(4.0, abs=1e-5)


def test_affine_functions_have_no_defect() -> None:
    found = curvature(lambda x: 3 * x[:, 0] + 1, normal(0, 2, 3))
    assert bool((found.laplacian.value == 0).all())
    assert bool(found.defect.value.isnan().all())


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(InputTypeError, match="complex-valued"):
        curvature(torch.sin, normal(0, 2, 3, dtype=torch.complex128))
    with pytest.raises(ConfigError, match="count=1"):
        curvature(lambda x: x.sum(1), normal(0, 2, 3), count=1)


def test_a_wrong_number_of_coordinates_fails_a_known_answer(monkeypatch) -> None:
    monkeypatch.setattr(module, "dimensions", lambda z: z[0].numel() + 1)
    with pytest.raises(AssertionError):
        test_quadratics_have_the_trace_and_the_norm_of_their_hessians.hypothesis.inner_test(0, 16)
