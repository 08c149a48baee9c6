"""Analyticity of models: known answers, invariance, what is refused."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.diagnostics import analyticity
from holonet.errors import (
    ConfigError,
    DataError,
    DomainError,
    NotHolomorphicError,
    ShapeError,
)
from holonet.nn import holomorphic_mlp

PI = math.pi


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def unit(activation: nn.Module, w: Tensor, b: float) -> nn.Module:
    """One unit: activation(<w, x> + b), times 1."""
    net = nn.Sequential(nn.Linear(len(w), 1), activation, nn.Linear(1, 1))
    with torch.no_grad():
        net[0].weight.copy_(w[None])
        net[0].bias.fill_(b)
        net[2].weight.fill_(1.0)
    return net


def poles_of_gelu_by_tanh() -> list[complex]:
    """The solutions of sqrt(2 / pi) (z + 0.044715 z^3) = i pi (k + 1/2)."""
    found = []
    for k in range(-30, 30):
        a, c = 1 / 0.044715, 1j * PI * (k + 0.5) / math.sqrt(2 / PI) / 0.044715
        companion = torch.tensor([[0, -a, c], [1, 0, 0], [0, 1, 0]], dtype=torch.complex128)
        found += torch.linalg.eigvals(companion).tolist()
    return found


UNITS = {
    "tanh": (nn.Tanh(), 0.5, "pole"),
    "sigmoid": (nn.Sigmoid(), 1.0, "pole"),
    "softplus": (nn.Softplus(), 1.0, "logarithm"),
    "silu": (nn.SiLU(), 1.0, "pole"),
    "gelu by tanh": (nn.GELU(approximate="tanh"), None, "pole"),
}


@each("name", list(UNITS))
@settings(max_examples=2)  # a network is worth many lines
@given(seed=st.integers(0, 10**6), scale=st.floats(0.5, 3.0))
def test_one_unit_has_its_singularity_at_that_of_the_activation_over_the_weight(
    name: str, seed: int, scale: float
) -> None:
    activation, turns, kind = UNITS[name]
    w, x = scale * normal(4, seed=seed), normal(2, 4, seed=seed + 1)
    b = float(normal(1, seed=seed + 2))
    net = unit(activation, w, b)
    size = float(w.norm())
    options = {"outputs": "logits", "directions": ["gradient"], "centers": 3}
    found = analyticity(net, x, reach=30 / size, segment=5 / size, **options)
    for i in range(2):
        at = float(x[i] @ w) + b
        if turns is None:
            expected = min(abs(z - at) for z in poles_of_gelu_by_tanh())
        else:
            expected = abs(complex(at, turns * PI))
        if turns is None and found.kinds[i] == ["unresolved"]:
            continue  # poles that are below rounding at the example
        assert float(found.distance[i, 0]) == pytest.approx(expected / size, rel=1e-2)
        assert found.kinds[i] == [kind]


@settings(max_examples=2)
@given(seed=st.integers(0, 10**6))
def test_softmax_over_two_logits_has_a_pole_at_half_a_turn_of_their_difference(seed: int) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Softmax(1))
    w = normal(2, 3, seed=seed)
    with torch.no_grad():
        net[0].weight.copy_(w)
    x = normal(5, 3, seed=seed + 1)
    v = float((w[0] - w[1]).norm())
    found = analyticity(net, x, directions=["gradient"], reach=12 / v)
    with torch.no_grad():
        logits = net[0](x)
    for i in range(5):
        size = abs(complex(float(logits[i, 0] - logits[i, 1]), PI))
        if size < 11:
            assert float(found.distance[i, 0]) == pytest.approx(size / v, rel=1e-2)
            assert found.kinds[i] == ["pole"]
        elif size > 13:
            assert found.kinds[i] == ["none within reach"]


@settings(max_examples=2)
@given(seed=st.integers(0, 10**6))
def test_layer_norm_of_two_numbers_branches_where_the_variance_and_eps_vanish(seed: int) -> None:
    eps = 0.1
    net = nn.Sequential(nn.LayerNorm(2, eps=eps))
    x = normal(8, 2, seed=seed)
    found = analyticity(net, x, outputs="logits", directions=["random"], reach=12.0, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(8, 2, generator=generator, dtype=torch.float64)
    v = v / v.norm(dim=1, keepdim=True)
    for i in range(8):  # ((x0 - x1) / 2 + t (v0 - v1) / 2)^2 + eps = 0
        gap, slope = ((part[i, 0] - part[i, 1]) / 2 for part in (x.double(), v))
        expected = abs(complex(float(gap), math.sqrt(eps))) / abs(float(slope))
        if expected < 11:
            assert float(found.distance[i, 0]) == pytest.approx(expected, rel=1e-2)
            assert found.kinds[i] == ["square root"]


def test_a_polynomial_network_has_none_and_an_infinite_radius() -> None:
    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x

    net = nn.Sequential(nn.Linear(3, 5), Square(), nn.Linear(5, 5), Square(), nn.Linear(5, 2))
    found = analyticity(net, normal(4, 3), torch.tensor([0, 1, 0, 1]))
    assert bool(found.distance.isinf().all())
    assert bool(found.radius[..., 0].isinf().all())
    assert found.kinds == [["none within reach"] * 3] * 4
    assert found.declared == "entire"
    assert "no singularity found" in str(found)
    assert "it has no singularities" in str(found)


def test_a_declared_polynomial_network_is_named_as_declared() -> None:
    found = analyticity(holomorphic_mlp(3, [4], 2), normal(4, 3), torch.tensor([0, 1, 0, 1]))
    assert found.declared == "polynomial"
    assert "declared polynomial" in str(found)
    assert bool(found.distance.isinf().all())


def test_kinks_are_the_answer_where_pieces_are_frozen() -> None:
    net = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 2))
    x = normal(5, 2)
    with pytest.raises(NotHolomorphicError, match="frozen"):
        analyticity(net, x)
    found = analyticity(net, x, directions=["random"], pieces="frozen", reach=30.0)
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(5, 2, generator=generator, dtype=torch.float64)
    v = v / v.norm(dim=1, keepdim=True)
    with torch.no_grad():
        weight = net[0].weight.double()
        t = -(x.double() @ weight.T + net[0].bias.double()) / (v @ weight.T)
    nearest = t.gather(1, t.abs().argmin(1, keepdim=True))
    torch.testing.assert_close(found.place.real, nearest)
    assert found.kinds == [["kink"]] * 5
    assert "no continuation" in str(found)


def test_the_strip_is_the_least_imaginary_part_over_the_segment() -> None:
    def f(x: Tensor) -> Tensor:  # poles at 3 + 0.5i and 1 + 0.9i of the line
        return (1 / ((x[:, :1] - 3) ** 2 + 0.25)) + 1 / ((x[:, :1] - 1) ** 2 + 0.81)

    x = torch.zeros(1, 1, dtype=torch.float64)
    options = {"outputs": "logits", "directions": ["gradient"], "reach": 4.0}
    near = analyticity(f, x, segment=1.5, **options)
    wide = analyticity(f, x, segment=3.5, centers=9, **options)
    assert float(near.strip) == pytest.approx(0.9, rel=1e-3)
    assert float(wide.strip) == pytest.approx(0.5, rel=1e-3)
    assert 0 < float(near.strip_clear) < 0.9
    assert float(near.distance) == pytest.approx(abs(1 + 0.9j), rel=1e-3)
    assert float(wide.distance) == pytest.approx(abs(1 + 0.9j), rel=1e-3)


@pytest.mark.parametrize("scale", [0.3, pytest.param(4.0, marks=pytest.mark.slow)])
def test_places_scale_with_the_input_and_not_with_the_output(scale: float) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    x = normal(3, 3).double()
    options = {"directions": ["random"]}
    base = analyticity(net, x, reach=8.0, **options)
    louder = analyticity(lambda x: scale * net(x) + 1, x, reach=8.0, **options)
    torch.testing.assert_close(louder.place, base.place, rtol=1e-4, atol=1e-4, equal_nan=True)
    finer = analyticity(lambda x: net(x / scale), scale * x, reach=8.0 * scale, **options)
    expected = scale * base.place
    torch.testing.assert_close(finer.place, expected, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_the_model_is_left_as_it_is_and_groups_are_announced() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.SiLU(), nn.Dropout(), nn.Linear(4, 2)).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    calls: list[int] = []
    found = analyticity(net, normal(20, 3), directions=["random"], on_batch=lambda: calls.append(1))
    assert net.training
    assert net[2].training
    assert len(calls) == 2
    assert found.state.shape == (20, 1)
    assert all(p.grad is None and p.dtype == torch.float32 for p in net.parameters())
    for name, value in net.state_dict().items():
        assert torch.equal(value, before[name])


def test_labels_choose_the_margin_and_do_not_depend_on_chunks() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    x, y = normal(3, 3), torch.tensor([2, 0, 1])
    first = analyticity(net, x, y, chunk=50)
    second = analyticity(net, x, y, chunk=5000)
    assert first.classes.tolist() == [2, 0, 1]
    torch.testing.assert_close(first.place, second.place, equal_nan=True)


def test_bad_arguments_are_refused_in_words() -> None:
    net, x = nn.Sequential(nn.Linear(3, 2), nn.Tanh()), normal(2, 3)
    with pytest.raises(DataError, match="at least one"):
        analyticity(net, x[:0])
    with pytest.raises(ConfigError, match="odd number"):
        analyticity(net, x, centers=4)
    with pytest.raises(ConfigError, match="segment is not longer"):
        analyticity(net, x, reach=1.0, segment=2.0)
    with pytest.raises(ConfigError, match="each once"):
        analyticity(net, x, directions=["random", "random"])
    with pytest.raises(ConfigError, match="give reach"):
        analyticity(net, 0 * x)
    with pytest.raises(DomainError, match="labels"):
        analyticity(net, x, torch.tensor([0, 5]))
    with pytest.raises(ShapeError, match="give one for each"):
        analyticity(net, x, torch.tensor([0]))


@settings(max_examples=3)
@given(seed=st.integers(0, 10**6), depth=st.integers(1, 3))
def test_gelu_by_erf_is_entire_and_by_tanh_is_not(seed: int, depth: int) -> None:
    """The networks differ in the form of GELU alone."""
    x = normal(2, 4, seed=seed)
    for form in ("none", "tanh"):
        layers = [layer for _ in range(depth) for layer in (nn.Linear(4, 4), nn.GELU(form))]
        found = analyticity(nn.Sequential(*layers), x, directions=["random"], reach=8.0, seed=seed)
        assert (found.declared == "entire") == (form == "none")
        if form == "none":
            assert found.kinds == [["none within reach"]] * 2
            assert found.distance.isinf().all()
            assert found.radius.isinf().all()
            assert found.strip_clear.isinf().all()
            assert "has no singularities" in str(found)
            assert found.to_json()["clear"][0][0] <= 8.0
