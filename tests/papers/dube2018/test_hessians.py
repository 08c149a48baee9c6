"""Critical points of functions that are known, and functions that have none."""

import math

import pytest
import torch
from torch import Tensor

from cases import each
from holonet.nn import holomorphic_mlp
from holonet.papers.dube2018.hessians import (
    extreme_eigenvalues,
    find_critical_point,
    gradient_and_hessian,
)


def vector(*entries: float) -> Tensor:
    return torch.tensor(entries, dtype=torch.float64)


def test_gradient_and_hessian_of_a_polynomial() -> None:
    def u(x: Tensor) -> Tensor:
        return x[:, 0] ** 3 + 2 * x[:, 0] * x[:, 1] - x[:, 1] ** 2

    gradient, hessian = gradient_and_hessian(u, vector(2.0, 3.0))
    assert gradient.tolist() == [18.0, -2.0]
    assert hessian.tolist() == [[12.0, 2.0], [2.0, -2.0]]
    _, product = gradient_and_hessian(u, vector(2.0, 3.0), vector(1.0, 1.0)[None])
    assert product.tolist() == [[14.0, 0.0]]


@each("signs", [(1, 1, 1), (1, -1, 1), (-1, -1, 1), (-1, -1, -1)])
def test_the_center_of_a_quadratic_is_found_with_its_signs(signs: tuple[int, ...]) -> None:
    center = vector(1.0, -2.0, 0.5)
    scales = vector(*signs) * vector(1.0, 2.0, 3.0)
    found = find_critical_point(
        lambda x: ((x - center).square() * scales).sum(1), vector(4.0, 4.0, 4.0)
    )
    assert found is not None
    torch.testing.assert_close(found[0], center)
    torch.testing.assert_close(found[1], (2 * scales).sort().values)


@each(
    ("reason", "u"),
    [
        ("its gradient has a least modulus that is not 0", lambda x: (x + x**3).sum(1)),
        ("its gradient vanishes only in the limit", lambda x: torch.exp(-x).sum(1)),
        ("it is flat far out", lambda x: torch.tanh(x).sum(1)),
        ("its critical point is degenerate", lambda x: x[:, 0] ** 4 + x[:, 1] ** 2),
        ("it is not finite", lambda x: torch.log(x).sum(1)),
    ],
)
def test_what_is_no_nondegenerate_critical_point_is_not_counted(reason: str, u: object) -> None:
    assert find_critical_point(u, vector(1.5, 0.7)) is None, reason


def test_an_unfinished_search_is_not_counted() -> None:
    def u(x: Tensor) -> Tensor:
        return (x**4 / 4 + x.square() / 2).sum(1)

    start = vector(50.0, -30.0)
    assert find_critical_point(u, start, evaluations=3) is None
    found = find_critical_point(u, start, evaluations=200)
    assert found is not None
    torch.testing.assert_close(found[0], vector(0.0, 0.0))


def test_directions_of_a_symmetry_are_left_out() -> None:
    def u(x: Tensor) -> Tensor:  # a circle of minima
        return (x[:, :2].square().sum(1) - 1) ** 2 - x[:, 2] ** 2

    start = vector(0.9, 0.5, 0.3)
    assert find_critical_point(u, start) is None
    found = find_critical_point(u, start, symmetries=1)
    assert found is not None
    torch.testing.assert_close(found[1], vector(-2.0, 8.0))


def test_the_real_part_of_a_holomorphic_network_has_pairs_and_half_the_index() -> None:
    generator = torch.Generator().manual_seed(0)
    model = holomorphic_mlp(2, [4, 4], 1, generator=generator, dtype=torch.complex128)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias"):
                p.copy_(torch.randn(p.shape, generator=generator, dtype=p.dtype))

    def u(x: Tensor) -> Tensor:
        return model(torch.view_as_complex(x.unflatten(1, (-1, 2))))[:, 0]

    starts = torch.randn(6, 4, generator=generator, dtype=torch.float64)
    found = [point for s in starts if (point := find_critical_point(u, s, evaluations=200))]
    assert len(found) >= 3
    for _, eigenvalues in found:
        assert int((eigenvalues < 0).sum()) == 2
        torch.testing.assert_close(eigenvalues, -eigenvalues.flip(0))


def test_lanczos_equals_the_whole_spectrum() -> None:
    generator = torch.Generator().manual_seed(1)
    a = torch.randn(12, 12, generator=generator, dtype=torch.float64)
    form = a + a.mT

    def u(x: Tensor) -> Tensor:
        return (x @ form * x).sum(1) / 2 + torch.sin(x).sum(1)

    x = torch.randn(12, generator=generator, dtype=torch.float64)
    exact = torch.linalg.eigvalsh(gradient_and_hessian(u, x)[1])
    low, high = extreme_eigenvalues(u, x)
    assert math.isclose(low, float(exact[0]), rel_tol=1e-7)
    assert high == pytest.approx(float(exact[-1]), rel=1e-7)
    assert low < 0 < high
