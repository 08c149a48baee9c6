"""The first violating layer is named in random networks, in containers and between modules."""

import re
from collections.abc import Callable

import complextorch.nn as ctnn
import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet.diagnostics import FirstViolation, first_violation
from holonet.errors import InputTypeError, NotHolomorphicError, NumericalError
from holonet.functions import FunctionClass
from holonet.nn import (
    Activation,
    FrozenNorm,
    HolomorphicClassifier,
    HolomorphicModule,
    Linear,
    RealPart,
    Residual,
    Square,
    holomorphic_mlp,
)
from holonet.testing import random_network

QUICK, SLOW = range(10), range(50)


def points(n: int = 4, features: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, features, dtype=torch.complex128, generator=generator)


def normalized(z: Tensor) -> Tensor:
    return z / z.abs().square().flatten(1).mean(1).sqrt().view(-1, *[1] * (z.ndim - 1))


PARTS: dict[str, Callable[[Tensor], Tensor]] = {
    "conj": torch.conj,
    "modulus": lambda z: z.abs() + 0j,
    "split tanh": lambda z: torch.complex(z.real.tanh(), z.imag.tanh()),
    "modReLU": lambda z: z * (1 + 0.1 / z.abs()),
    "real part": lambda z: z.real + 0j,
    "magnitude normalization": normalized,
}
LIBRARY: tuple[type[nn.Module], ...] = (
    ctnn.CTanh,
    ctnn.CReLU,
    ctnn.CSigmoid,
    ctnn.modReLU,
    ctnn.zReLU,
    ctnn.CVCardiod,
    ctnn.CVPolarTanh,
    ctnn.CGELU,
)


class Planted(nn.Module):
    """z plus a small multiple of what is not holomorphic."""

    def __init__(self, name: str, strength: float) -> None:
        super().__init__()
        self.name, self.strength = name, strength

    def forward(self, z: Tensor) -> Tensor:
        return z + self.strength * PARTS[self.name](z)


def planted_network(seed: int, strength: float | None = None) -> tuple[nn.Module, Tensor, str]:
    """A random holomorphic network with one planted layer, points, and the path of that layer."""
    generator = torch.Generator().manual_seed(1000 + seed)

    def below(n: int) -> int:
        return int(torch.randint(n, (), generator=generator))

    network, z = random_network(seed, dtype=torch.complex128)
    layers = list(network)
    if strength is None and below(3) == 0:
        planted: nn.Module = LIBRARY[below(len(LIBRARY))]()
    else:
        drawn = 10.0 ** -below(7) if strength is None else strength
        planted = Planted(list(PARTS)[below(len(PARTS))], drawn)
    at = below(len(layers))  # never at the end, where nothing hides it
    layers.insert(at, planted)
    if below(2):  # a nested container from somewhere in front of it to behind it
        first = below(at + 1)
        inner = nn.Sequential(*layers[first : at + 2])
        model = nn.Sequential(*layers[:first], inner, *layers[at + 2 :])
    else:
        model = nn.Sequential(*layers)
    path = next(path for path, module in model.named_modules() if module is planted)
    return model, z, path


def misnamed(seeds: range, strength: float | None = None) -> list[str]:
    faults = []
    for seed in seeds:
        model, z, path = planted_network(seed, strength)
        found = first_violation(model, z, seed=seed)
        if found is None or found.path != path:
            faults.append(f"seed {seed}: {model.get_submodule(path)} at {path!r}, named {found}")
    return faults


def test_the_planted_layer_is_named_in_10_of_10_random_networks() -> None:
    assert misnamed(QUICK) == []


@pytest.mark.slow
def test_the_planted_layer_is_named_in_50_of_50_random_networks() -> None:
    assert misnamed(SLOW) == []


@pytest.mark.slow
@each("strength", [1e-6, 1e-10])
def test_weak_planted_layers_are_named(strength: float) -> None:
    assert misnamed(SLOW, strength) == []


def test_holomorphic_networks_have_no_violation() -> None:
    for seed in range(2):
        network, z = random_network(seed, dtype=torch.complex128)
        assert first_violation(network, z[:4], seed=seed) is None


def violation(model: nn.Module, z: Tensor | None = None) -> FirstViolation:
    found = first_violation(model, points() if z is None else z)
    assert found is not None
    return found


class Mixed(nn.Module):
    """z + a conj(z), where the antiholomorphic share is a^2 / (1 + a^2) in every direction."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = a

    def forward(self, z: Tensor, conjugate: bool = True) -> Tensor:
        return z + self.a * z.conj() if conjugate else z


@each("a", [1e-6, 0.1, 1.0, 3.0])
def test_the_share_of_a_known_mixture_is_exact(a: float) -> None:
    found = violation(nn.Sequential(Mixed(a), Square()))
    assert found.path == "0"
    assert found.share == pytest.approx(a**2 / (1 + a**2), rel=1e-6)
    assert found.defect == pytest.approx(a / (1 + a), rel=1e-6)
    assert found.witness == "derivative"


def test_the_share_of_a_large_output_is_estimated_within_its_error() -> None:
    found = violation(nn.Sequential(Mixed(1.0)), points(4, 5000))
    assert found.share == pytest.approx(0.5, rel=0.2)


class Between(nn.Module):
    """Two layers with an operation in front of, between or behind them."""

    def __init__(self, where: int) -> None:
        super().__init__()
        self.where = where
        self.a = nn.Sequential(Linear(3, 4, dtype=torch.complex128))
        self.b = Linear(4, 3, dtype=torch.complex128)

    def forward(self, z: Tensor) -> Tensor:
        for place, layer in enumerate((self.a, self.b, nn.Identity())):
            if place == self.where:
                z = torch.abs(z) + z
            z = layer(z)
        return z


@each(
    ("where", "behind", "before", "words"),
    [
        (0, None, "0.a", "in the forward of '0' (Between), in front of '0.a':"),
        (1, "0.a", "0.b", "in the forward of '0' (Between), behind '0.a' and in front of '0.b':"),
        (2, "0.b", None, "in the forward of '0' (Between), behind '0.b':"),
    ],
)
def test_an_operation_between_modules_is_named_by_its_neighbors(
    where: int, behind: str | None, before: str | None, words: str
) -> None:
    found = violation(nn.Sequential(Between(where), Square()))
    assert (found.path, found.inside, found.behind, found.before) == ("0", True, behind, before)
    assert words in str(found)
    root = violation(Between(where))
    assert (root.path, root.type_name) == ("", "Between")


class Twice(nn.Module):
    """One module that is called twice, the second time with a conjugate."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = Mixed(0.5)

    def forward(self, z: Tensor) -> Tensor:
        return self.mix(self.mix(z, conjugate=False), conjugate=True)


def test_the_second_call_of_a_module_is_named() -> None:
    found = violation(nn.Sequential(Twice()))
    assert (found.path, found.call) == ("0.mix", 2)
    assert "call 2" in str(found)


class Branches(nn.Module):
    """Gives a tuple and a mapping of what it is given."""

    def __init__(self, bad: bool) -> None:
        super().__init__()
        self.bad = bad

    def forward(self, z: Tensor) -> tuple[Tensor, dict[str, list[Tensor]]]:
        return z, {"other": [z.conj().resolve_conj() if self.bad else 2 * z]}


class Joined(nn.Module):
    def __init__(self, bad: bool) -> None:
        super().__init__()
        self.split, self.mix = Branches(bad), Mixed(0.5)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        a, rest = self.split(z)
        return self.mix(z=a, conjugate=False), self.mix(z=rest["other"][0])


def test_tuples_mappings_and_keywords_are_looked_into() -> None:
    assert violation(Joined(bad=True)).path == "split"
    found = violation(Joined(bad=False))
    assert (found.path, found.call) == ("mix", 2)


def test_what_a_module_repairs_inside_is_no_violation() -> None:
    gauss = ctnn.gauss.Linear(3, 2)
    assert any(isinstance(m, nn.Linear) for m in gauss.children())  # real layers, given real parts
    assert first_violation(nn.Sequential(gauss, Square()), points()) is None
    assert violation(nn.Sequential(gauss, Mixed(0.1), Square())).path == "1"


def test_a_layer_with_jumps_is_found_on_a_circle_in_front_of_a_conjugate() -> None:
    found = violation(nn.Sequential(Linear(3, 8), ctnn.zReLU(), Linear(8, 3), Mixed(0.5)))
    assert (found.path, found.witness) == ("1", "circle")
    assert 0 < found.share < 1


class Pole(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return 1 / (z - 0.25)


def test_a_pole_inside_the_circle_is_no_violation() -> None:
    assert first_violation(nn.Sequential(Pole(), Square()), torch.zeros(1, 1)) is None
    cuts = nn.Sequential(Linear(3, 3), Activation("log"), Activation("sqrt"))
    z = 3 + 0.1 * points()
    with torch.no_grad():
        cuts[0].weight.copy_(torch.eye(3))
        cuts[0].bias.zero_()
    assert first_violation(cuts, z, radius=50.0) is None  # halved until it misses the cuts


class DropsOut(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z * torch.nn.functional.dropout(torch.ones_like(z.real), 0.5, self.training)


def test_random_draws_are_the_same_in_all_passes() -> None:
    model = nn.Sequential(DropsOut(), Square(), DropsOut())
    assert model.training
    assert first_violation(model, points(4, 8)) is None


class Centered(nn.Module):
    """Running statistics: holomorphic in eval mode, and over the whole batch in train mode too."""

    def __init__(self, modulus: bool) -> None:
        super().__init__()
        self.modulus = modulus
        self.register_buffer("mean", torch.zeros(3, dtype=torch.complex64))

    def forward(self, z: Tensor) -> Tensor:
        if not self.training:
            return z - self.mean
        self.mean = 0.9 * self.mean + 0.1 * z.detach().mean(0)
        centered = z - z.mean(0)
        return centered / centered.abs().mean(0) if self.modulus else centered


def test_the_mode_is_kept_and_the_model_is_left_as_it_is() -> None:
    model = nn.Sequential(Linear(3, 3), Centered(modulus=True), Linear(3, 2).eval())
    state = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    assert violation(model).path == "1"
    assert [m.training for m in model.modules()] == [True, True, True, False]
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), generator)
    assert first_violation(model.eval(), points()) is None
    assert first_violation(nn.Sequential(Centered(modulus=False), Square()), points()) is None


def test_a_constant_inside_is_no_violation() -> None:
    class Constant(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            return torch.full_like(z, 0.3j) + (z - z) + (z + 0.7) - z

    assert first_violation(nn.Sequential(Constant(), Linear(3, 2)), points()) is None


def test_the_readout_of_a_classifier_is_named_and_its_map_passes() -> None:
    model = holomorphic_mlp(6, [5], 3)
    found = violation(model, points(4, 6))
    assert (found.path, found.type_name) == ("readout", "RealPart")
    assert "holomorphic_map" in found.suggestion
    assert first_violation(model.holomorphic_map, points(4, 6)) is None
    assert isinstance(model, HolomorphicClassifier)
    assert isinstance(model.readout, RealPart)


class Wrong(HolomorphicModule):
    function_class = FunctionClass.ENTIRE

    def forward(self, z: Tensor) -> Tensor:
        return z + 0.1 * z.conj()


@each(
    ("layer", "words"),
    [
        (ctnn.CTanh(), "CTanh is smooth: use a holomorphic activation"),
        (ctnn.CVSplitTanh(), "replace CVSplitTanh by a layer of holonet.nn"),
        (ctnn.LayerNorm(3), "nn.FrozenNorm measures them once"),
        (Wrong(), "Wrong is declared entire: correct the declaration"),
        (Mixed(0.1), "replace Mixed by a layer of holonet.nn"),
    ],
)
def test_the_suggestion_says_what_is_known_of_the_layer(layer: nn.Module, words: str) -> None:
    found = violation(nn.Sequential(FrozenNorm(3), layer, Linear(3, 2)))
    assert (found.path, found.inside) == ("1", False)
    assert words in found.suggestion
    sentence = str(found)
    assert sentence.startswith(f"the first violation of holomorphy is in '1' ({found.type_name}):")
    assert found.suggestion in sentence
    assert "\n" not in sentence
    assert found.to_json()["path"] == "1"


def test_residual_and_nested_containers_are_looked_into() -> None:
    residual = Residual(nn.Sequential(Linear(3, 3), Wrong()))
    assert violation(nn.Sequential(residual, Square())).path == "0.body.1"


class Forked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = Linear(3, 3), Linear(3, 3)

    def forward(self, z: Tensor) -> Tensor:
        branch = self.a if float(z.real.sum()) * 1e12 % 2 < 1 else self.b
        return branch(z)


def test_what_cannot_be_asked_is_refused_in_words() -> None:
    with pytest.raises(InputTypeError, match="which is no module"):
        first_violation(torch.sin, points())
    with pytest.raises(InputTypeError, match="real parameters"):
        first_violation(nn.Sequential(nn.Linear(3, 2)), points())
    with pytest.raises(NotHolomorphicError, match="calls other modules at other points"):
        first_violation(Forked(), points())
    with pytest.raises(NumericalError, match=re.escape("'0' gives values")):
        first_violation(nn.Sequential(Pole(), Square()), torch.full((1, 1), 0.25))
