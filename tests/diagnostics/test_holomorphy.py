"""The holomorphy check passes what is holomorphic and nothing else."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cases import each
from holonet.diagnostics import HolomorphyCheck, holomorphy_check
from holonet.errors import ConfigError, DomainError, InputTypeError
from holonet.functions import FunctionClass
from holonet.functions.catalogue import CATALOGUE
from holonet.nn import (
    Activation,
    AvgPool2d,
    Conv2d,
    Flatten,
    HolomorphicClassifier,
    Linear,
    Product,
    RealPart,
    Residual,
    Sequential,
    Square,
    holomorphic_mlp,
    init,
    to_precision,
)

FEW = settings(max_examples=2)
ENTIRE = [
    name
    for name, record in CATALOGUE.items()
    if record.function_class
    in (FunctionClass.AFFINE, FunctionClass.POLYNOMIAL, FunctionClass.ENTIRE)
]


def points(n: int = 4, features: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, features, dtype=torch.complex128, generator=generator)


def network(
    name: str, seed: int, gain: float, dtype: torch.dtype, real: bool = False
) -> Sequential:
    dtype = dtype.to_real() if real else dtype
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for inner, outer in ((3, 4), (4, 4)):
        layer = Linear(inner, outer, dtype=dtype)
        init.kaiming_normal_(layer.weight, gain, generator=generator)
        layer.bias.data.fill_(0.8)  # away from the singularities of log and 1/z at 0
        layers += [layer, Activation(name)]
    return Sequential(*layers, Linear(4, 2, dtype=dtype))


def clearance(model: Sequential, z: Tensor, radius: float) -> float:
    """The least distance to a singularity on discs about the points."""
    turns = torch.polar(torch.ones(16), torch.arange(16) * math.pi / 8).to(z.dtype)
    discs = [z + r * radius * t for r in (0.0, 0.5, 1.0, 1.5) for t in turns]
    return float(model.margin(torch.cat(discs)).min())


@each("name", list(CATALOGUE))
@FEW
@given(
    seed=st.integers(0, 2**32),
    dtype=st.sampled_from([torch.complex64, torch.complex128]),
    real=st.booleans(),
)
def test_random_networks_pass_with_every_activation(name, seed, dtype, real):
    z, radius = points(2, seed=seed), 0.05
    double = to_precision(network(name, seed, 0.2, dtype, real), torch.complex128)
    assume(clearance(double, z, radius) > 0.3)  # where a singularity is near nothing is promised
    check = holomorphy_check(to_precision(double, dtype), z, radius=radius, seed=seed)
    assert check.passed, (check.dbar, check.negative_modes)


@each("name", ENTIRE)
@FEW
@given(seed=st.integers(0, 2**32))
def test_entire_networks_pass_on_large_circles(name, seed):
    check = holomorphy_check(network(name, seed, 0.4, torch.complex64), points(2, seed=seed))
    assert check.passed, (check.dbar, check.negative_modes)


class Conj(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.conj()


def split_tanh(z: Tensor) -> Tensor:
    return torch.complex(z.real.tanh(), z.imag.tanh())


def z_relu(z: Tensor) -> Tensor:
    return torch.where((z.real > 0) & (z.imag > 0), z, 0)


def larger(z: Tensor) -> Tensor:
    return torch.where(z.abs() > z.roll(1, -1).abs(), z, z.roll(1, -1))


IMPOSTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "a little conj": lambda z: z + 1e-6 * z.conj(),
    "very little conj": lambda z: z.exp() + 1e-10 * z.conj(),
    "little conj beside a constant": lambda z: 1.0 + 1e-8 * z.conj(),
    "conj": torch.conj,
    "real part as complex": lambda z: z.real + 0j,
    "modulus as complex": lambda z: z.abs() + 0j,
    "modulus in one of many": lambda z: torch.cat([z, z, z, 1e-3 * z.abs() + 0j], 1),
    "split tanh": split_tanh,
    "zReLU": z_relu,
    "maximum by modulus": larger,
    "modReLU": lambda z: z * (1 + 0.1 / z.abs()),
    "a jump": lambda z: z + 1e-3 * (z.real > 0),
    "anti-holomorphic": lambda z: z.conj().square(),
    "one variable of three": lambda z: z * torch.stack([z[:, 0], z[:, 1], z[:, 2].conj()], 1),
}


@each("name", list(IMPOSTORS))
@FEW
@given(seed=st.integers(0, 2**32))
def test_impostors_are_rejected(name, seed):
    check = holomorphy_check(IMPOSTORS[name], points(5, seed=seed), seed=seed)
    assert not check.passed, (check.dbar, check.negative_modes)


@FEW
@given(seed=st.integers(0, 2**32), where=st.integers(0, 2))
def test_one_hidden_conj_is_found(seed, where):
    torch.manual_seed(seed)
    layers: list[nn.Module] = [Linear(3, 4), Square(), Linear(4, 2)]
    layers.insert(where + 1, Conj())
    check = holomorphy_check(nn.Sequential(*layers), points(seed=seed))
    assert check.dbar > 0.01
    assert not check.passed


def test_piecewise_functions_need_the_circles() -> None:
    check = holomorphy_check(z_relu, points())
    assert check.dbar == 0
    assert check.negative_modes > 0.01
    assert not check.passed


@FEW
@given(scale=st.sampled_from([1e-30, 1e-8, 1.0, 1e8, 1e30]), seed=st.integers(0, 2**32))
def test_the_verdict_does_not_depend_on_scale(scale, seed):
    z = points(seed=seed)
    assert holomorphy_check(lambda z: scale * z.sin(), z).passed
    assert not holomorphy_check(lambda z: scale * (z + 1e-6 * z.conj()), z).passed


@pytest.mark.parametrize(
    "f",
    [
        lambda z: 0 * z,
        lambda z: 0 * z + 0.3,
        lambda z: 0 * z + 0.3j + 1e-14 * z,
        lambda z: 1e6 + z.square(),
        torch.square,  # at 0 its derivative vanishes
    ],
)
def test_constants_and_flat_functions_pass(f: Callable[[Tensor], Tensor]) -> None:
    for z in (points(), torch.zeros(2, 3)):
        check = holomorphy_check(f, z, samples=48)
        assert check.passed, (check.dbar, check.negative_modes)


@each("bad", [math.nan, math.inf])
@each("where", ["everywhere", "at one point", "off the points"])
def test_values_that_are_not_finite_fail(bad: float, where: str) -> None:
    z = points(1 if where == "off the points" else 4)

    def f(w: Tensor) -> Tensor:
        distance = (w - z[-1]).abs().amax(1, keepdim=True)
        wrong = {
            "everywhere": distance >= 0,
            "at one point": distance < 1e-9,
            "off the points": distance > 0.2,
        }
        return torch.where(wrong[where], bad * w, w)

    check = holomorphy_check(f, z)
    assert not check.passed
    assert math.isnan(check.dbar) is (where != "off the points")
    assert math.isnan(check.negative_modes) is (where != "at one point")


def test_values_too_large_to_be_squared_fail() -> None:
    assert not holomorphy_check(lambda z: 1e160 * z + 1e150 * z.conj(), points()).passed


def test_circles_are_off_center() -> None:
    # at 0 its dbar vanishes, and on circles about 0 it is a multiple of z
    check = holomorphy_check(lambda z: z * z.abs().square(), torch.zeros(1, 1))
    assert check.dbar == 0
    assert check.negative_modes > 0.01


def test_poles_inside_the_circles_fail_and_outside_pass() -> None:
    z = torch.zeros(1, 1)
    assert not holomorphy_check(lambda z: 1 / (z - 0.5), z, radius=1.0).passed
    assert holomorphy_check(lambda z: 1 / (z - 0.5), z, radius=0.1).passed


def test_high_modes_are_not_taken_for_negative_ones() -> None:
    z, one = torch.zeros(1, 1), torch.ones(1, 1)
    assert holomorphy_check(lambda z: (12 * z).exp(), z, radius=2.0).passed
    assert holomorphy_check(lambda z: 1 / (z - 3 * one), z, radius=1.0, samples=8).passed
    assert len(holomorphy_check(torch.square, one, samples=32).modes) == 32


@FEW
@given(seed=st.integers(0, 100))
def test_a_bound_method_is_converted_as_its_module_is(seed):
    model = holomorphic_mlp(6, [5], 3, generator=torch.Generator().manual_seed(seed))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    z = torch.rand(3, 6)
    checks = [holomorphy_check(f, z) for f in (model.holomorphic_map, model.backbone)]
    assert all(c.passed for c in checks)
    assert checks[0].dbar == checks[1].dbar
    for key, value in model.state_dict().items():
        assert value.dtype == torch.complex64
        assert torch.equal(value, before[key])


def test_images_are_points_too() -> None:
    convolutional = Sequential(
        Conv2d(2, 3, 3), Residual(Square()), AvgPool2d(2), Flatten(), Linear(3 * 9, 4)
    )
    z = torch.rand(2, 2, 8, 8)
    assert holomorphy_check(convolutional, z).passed
    assert holomorphy_check(HolomorphicClassifier(convolutional).holomorphic_map, z).passed
    assert not holomorphy_check(lambda z: z.mean((2, 3)) * z.abs().mean((2, 3)), z).passed


def test_plain_numbers_are_points_too() -> None:
    assert holomorphy_check(torch.sin, torch.randn(5)).passed
    assert holomorphy_check(Product(nn.Identity(), Square()), torch.randn(5)).passed
    assert not holomorphy_check(torch.conj, torch.randn(5)).passed


def test_a_real_valued_function_is_refused() -> None:
    model = holomorphic_mlp(6, [5], 3)
    with pytest.raises(InputTypeError, match=r"HolomorphicClassifier\.holomorphic_map"):
        holomorphy_check(model.forward, torch.rand(2, 6))
    with pytest.raises(InputTypeError, match="real-valued"):
        holomorphy_check(Sequential(model.backbone, RealPart()), torch.rand(2, 6))


def test_a_classifier_stands_for_the_map_in_front_of_its_readout() -> None:
    model, z = holomorphic_mlp(6, [5], 3), torch.rand(2, 6)
    check, other = holomorphy_check(model, z), holomorphy_check(model.holomorphic_map, z)
    assert check.passed
    assert torch.equal(check.modes, other.modes)


@each(
    ("z", "radius", "samples", "message"),
    [
        (torch.zeros(0, 3), None, 64, r"shape \(0, 3\)"),
        (torch.zeros(2, 3), 0.0, 64, "radius=0.0"),
        (torch.zeros(2, 3), -1.0, 64, "radius=-1.0"),
        (torch.zeros(2, 3), math.nan, 64, "radius=nan"),
        (torch.zeros(2, 3), math.inf, 64, "radius=inf"),
        (torch.zeros(2, 3), None, 4, "samples=4"),
    ],
)
def test_arguments_out_of_range(
    z: Tensor, radius: float | None, samples: int, message: str
) -> None:
    with pytest.raises((ConfigError, DomainError), match=message):
        holomorphy_check(torch.sin, z, radius=radius, samples=samples)


def test_a_check_passes_when_all_three_numbers_are_below_the_limit() -> None:
    def check(dbar: float, negative: float) -> bool:
        return HolomorphyCheck(dbar, negative, 0.0, 1e-12, torch.zeros(8)).passed

    assert check(0.0, 1e-13)
    for bad in (1e-11, math.nan, math.inf):
        assert not check(bad, 0.0)
        assert not check(0.0, bad)


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [
        ((0.0, 1e-13, 0.0), "no violation of holomorphy found"),
        ((0.5, 1e-13, math.nan), "not holomorphic"),
        ((0.0, math.nan, 0.0), "undecided"),
    ],
)
def test_a_check_prints_its_verdict(numbers: tuple[float, float, float], verdict: str) -> None:
    text = str(HolomorphyCheck(*numbers, 1e-12, torch.zeros(8)))
    assert text.startswith(f"{verdict}: dbar {numbers[0]:.1e}, negative modes {numbers[1]:.1e}")
    assert text.endswith("(limit 1.0e-12)")


def test_the_same_seed_gives_the_same_numbers_and_global_ones_are_left_alone() -> None:
    state = torch.get_rng_state()
    first, again, other = (holomorphy_check(split_tanh, points(), seed=s) for s in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert (first.dbar, first.negative_modes) == (again.dbar, again.negative_modes)
    assert first.negative_modes != other.negative_modes
