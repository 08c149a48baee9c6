"""Models on lines: directions, continuations of readouts, the first change of the answer."""

import math

import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet.diagnostics.lines import (
    ModelOnLines,
    line_model,
    strongest_rival,
    unit_directions,
)
from holonet.errors import InputTypeError, ShapeError
from holonet.functions import FunctionClass
from holonet.nn import (
    HolomorphicClassifier,
    ImagPart,
    Linear,
    LogModulus,
    Modulus,
    RealPart,
    holomorphic_mlp,
)

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
OWN = torch.tensor([0, 1, 0, 1, 1])
KINDS = ("random", "gradient", "class")


def directions(model, x: Tensor = X, own: Tensor = OWN, kinds=KINDS):
    generator = torch.Generator().manual_seed(0)
    return unit_directions(model, x, own, 1 - own, kinds, generator, (x, own))


def on_lines(f, x: Tensor = X, own: Tensor = OWN, chunk: int = 7) -> ModelOnLines:
    model, points = line_model(f, x, "refused")
    v, _ = directions(model, points, own)
    return ModelOnLines(model, points, v, own, 1 - own, chunk)


def test_directions_are_unit_downhill_and_towards_another_class() -> None:
    weight = torch.tensor([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]], dtype=torch.float64)
    model, _ = line_model(lambda x: x @ weight.T, X, "refused")
    v, defined = directions(model)
    torch.testing.assert_close(v.norm(dim=2), torch.ones(5, 3, dtype=torch.float64))
    assert bool(defined.all())
    downhill = (weight[1 - OWN] - weight[OWN]) / (weight[0] - weight[1]).norm()
    torch.testing.assert_close(v[:, 1], downhill)
    for i in range(5):
        ways = X[OWN[i] != OWN] - X[i]
        nearest = ways[ways.norm(dim=1).argmin()]
        torch.testing.assert_close(v[i, 2], nearest / nearest.norm())


def test_a_constant_model_and_one_class_have_no_directions() -> None:
    model, _ = line_model(lambda x: 0 * x[:, :2], X, "refused")
    v, defined = directions(model, own=torch.zeros(5, dtype=torch.long))
    assert defined.tolist() == [[True, False, False]] * 5
    assert float(v[:, 1:].abs().max()) == 0


def test_values_do_not_depend_on_chunks_and_are_margins_on_the_line() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    rows = torch.tensor([14, 0, 4])
    t = torch.complex(torch.randn(3, 5), torch.randn(3, 5)).to(torch.complex128)
    a, b = (on_lines(net, chunk=size)(rows, t) for size in (4, 100))
    torch.testing.assert_close(a, b)
    lines = on_lines(net)
    real = lines(rows, t.real + 0j)
    with torch.no_grad():
        logits = net.double()(lines.x[4] + t[0].real[:, None] * lines.v[4, 2])
    torch.testing.assert_close(real[0].real, logits[:, 1] - logits[:, 0])
    assert float(real.imag.abs().max()) == 0


@each("readout", [RealPart(), ImagPart(), Modulus(), LogModulus(0.5)])
def test_readouts_are_continued(readout: nn.Module) -> None:
    net = HolomorphicClassifier(holomorphic_mlp(3, [4], 2).backbone, readout)
    lines = on_lines(net)
    rows, t = torch.arange(15), torch.linspace(-1, 1, 4, dtype=torch.float64).expand(15, -1)
    values = lines(rows, t + 0j)
    x = lines.x[rows // 3, None] + t[..., None] * lines.v[rows // 3, rows % 3][:, None]
    logits = net.double()(x.flatten(0, 1)).unflatten(0, (15, 4)).detach()
    own = OWN[rows // 3][:, None, None].expand(-1, 4, 1)
    expected = logits.gather(2, own)[..., 0] - logits.gather(2, 1 - own)[..., 0]
    torch.testing.assert_close(values.real, expected)
    assert float(values.imag.abs().max()) < 1e-12
    z = t + 0.3j
    torch.testing.assert_close(lines(rows, z.conj()), lines(rows, z).conj())
    step = 1e-5  # Cauchy-Riemann
    dx = lines(rows, z + step) - lines(rows, z - step)
    dy = lines(rows, z + 1j * step) - lines(rows, z - 1j * step)
    torch.testing.assert_close(dy, 1j * dx, rtol=1e-5, atol=1e-8)


def test_declared_classes_are_those_of_the_map_in_front_of_the_readout() -> None:
    net = holomorphic_mlp(3, [4], 2)
    model, _ = line_model(net, X, "refused")
    assert model.declared is not None
    assert model.declared.is_entire
    model, _ = line_model(Linear(3, 2), X, "refused")
    assert model.declared is FunctionClass.AFFINE
    model, _ = line_model(nn.Linear(3, 2), X, "refused")
    assert model.declared is FunctionClass.ENTIRE
    model, _ = line_model(nn.Tanh(), X, "refused")
    assert model.declared is None


def test_unknown_continuations_are_refused_in_words() -> None:
    class Real(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, 2, dtype=torch.complex64))

        def forward(self, x: Tensor) -> Tensor:
            return (x.to(self.weight.dtype) @ self.weight).abs()

    with pytest.raises(InputTypeError, match="Give the holomorphic map in front of the readout"):
        on_lines(Real())(torch.tensor([0]), torch.zeros(1, 1, dtype=torch.complex128))


def test_the_boundary_is_the_first_change_of_the_answer() -> None:
    def f(x: Tensor) -> Tensor:
        return torch.stack([torch.cos(x[:, 0]), 0 * x[:, 0]], 1)

    x = torch.zeros(2, 2, dtype=torch.float64)
    model, points = line_model(f, x, "refused")
    v = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[0.6, 0.8], [-1.0, 0.0]]], dtype=torch.float64)
    own = torch.zeros(2, dtype=torch.long)
    lines = ModelOnLines(model, points, v, own, None, 1024)
    half = math.pi / 2
    expected = torch.tensor([[half, math.inf], [half / 0.6, half]], dtype=torch.float64)
    torch.testing.assert_close(lines.boundary(4.0), expected, rtol=1e-10, atol=0)
    assert bool(lines.boundary(1.5).isinf().all())


def test_one_class_has_no_rival() -> None:
    assert strongest_rival(torch.tensor([[3.0, 1.0, 2.0]]), torch.tensor([0])).tolist() == [2]
    with pytest.raises(ShapeError, match="outputs='logits'"):
        strongest_rival(torch.ones(2, 1), torch.zeros(2, dtype=torch.long))
