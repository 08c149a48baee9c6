"""Strategies keep what they promise, and shrink towards what is simple."""

import copy

import pytest
import torch
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

import fresh_python
from cases import each
from holonet import nn
from holonet.calculus import Probes, dbar_norm_squared, partial_z_along
from holonet.domains import Annulus, Disc, Domain, Plane, PointSet, Polydisc, Rectangle, SlitPlane
from holonet.errors import DomainError, InputTypeError
from holonet.functions import FunctionClass
from holonet.testing import BLOCKS, COEFFICIENTS
from holonet.testing import strategies as hst

# beartype looks at a random item of every sequence that it checks, inside strategies too
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module:Warning")

C64, C128 = torch.complex64, torch.complex128
BOTH = pytest.mark.parametrize("dtype", [C64, C128])
SEARCH = settings(
    max_examples=300,
    derandomize=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


ANYWHERE = settings(SEARCH, phases=[Phase.generate])


def simplest(strategy, condition=lambda _: True):
    return find(strategy, condition, settings=SEARCH)


def some(strategy, condition):
    return find(strategy, condition, settings=ANYWHERE)


class Half(Domain):
    """The upper half-plane: a domain that the strategies do not know."""

    def clearance(self, z):
        return z.imag.clamp(min=0)

    def distance_to(self, z):
        return (-z.imag).clamp(min=0)

    def sample(self, count, *, generator=None, dtype=C128):
        z = torch.randn(count, generator=generator, dtype=dtype)
        return torch.complex(z.real, z.imag.abs() + 0.2)

    def boundary(self, count, *, dtype=C128):
        return torch.linspace(-1, 1, count, dtype=dtype)


CENTER = torch.tensor([1j, -2.0, 0.5], dtype=C128)
DOMAINS = {
    "plane": Plane(),
    "disc": Disc(3 - 1j, 0.5),
    "annulus": Annulus(1j, 0.5, 2),
    "rectangle": Rectangle(-3, -2, 1, 5),
    "slit plane": SlitPlane((PointSet((0j,)),), 1 + 0j),
    "polydisc": Polydisc(CENTER, 0.7),
    "polydisc of radii": Polydisc(CENTER, torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64)),
    "unknown": Half(),
}
EVERY = each("domain", DOMAINS.values(), ids=DOMAINS)


# ---- discs and numbers


@given(disc=hst.discs(max_center=2, min_radius=0.5, max_radius=4))
def test_discs_keep_their_bounds(disc):
    assert abs(disc.center) <= 2 * (1 + 1e-12)
    assert 0.5 <= disc.radius <= 4


def test_discs_shrink_towards_the_unit_disc():
    assert simplest(hst.discs()) == Disc(0, 1)
    assert simplest(hst.discs(), lambda d: d.radius > 2.5) == Disc(0, 3)
    assert simplest(hst.discs(), lambda d: abs(d.center) > 1.5).radius == 1


@BOTH
@given(data=st.data(), shape=st.sampled_from([(), (0,), (3,), (2, 3), (5, 20)]))
def test_tensors_keep_shape_dtype_and_bound(dtype, data, shape):
    z = data.draw(hst.complex_tensors(shape, dtype, max_magnitude=3))
    assert z.shape == shape
    assert z.dtype == dtype
    assert z.isfinite().all()
    assert (z.abs() <= 3 * (1 + 1e-6)).all()


@BOTH
def test_tensors_shrink_entry_by_entry(dtype):
    tensors = hst.complex_tensors((2, 2), dtype)
    assert not simplest(tensors).any()
    one = simplest(tensors, lambda z: z.abs().max() > 1.5)
    assert sorted(one.abs().flatten().tolist()) == [0, 0, 0, 2]


def test_tensors_are_not_all_alike():
    z = simplest(hst.complex_tensors((2, 2)), lambda z: len(set(z.flatten().tolist())) == 4)
    assert z.abs().max() <= 3


# ---- points


@EVERY
@given(data=st.data(), dtype=st.sampled_from([C64, C128]))
def test_points_are_inside(domain, data, dtype):
    z = data.draw(hst.points_in(domain, dtype=dtype))
    assert z.dtype == dtype
    assert 1 <= len(z) <= 8
    assert z.shape[1:] == (CENTER.shape if isinstance(domain, Polydisc) else ())
    assert domain.contains(z).all()


@EVERY
@given(data=st.data(), count=st.integers(1, 10), clearance=st.sampled_from([0.05, 0.1, 0.2]))
def test_points_keep_their_clearance_and_count(domain, data, count, clearance):
    z = data.draw(hst.points_in(domain, count=count, clearance=clearance))
    assert len(z) == count
    assert (domain.clearance(z) > clearance).all()


@pytest.mark.parametrize(
    ("domain", "reach"),
    [
        (DOMAINS["disc"], 0.15),
        (DOMAINS["annulus"], 0.5),
        (DOMAINS["rectangle"], 0.5),
        (Polydisc(CENTER[:1], 0.7), 0.2),
    ],
)
def test_points_come_near_every_side(domain, reach):
    """The whole domain is drawn from, not the middle only."""
    for side in domain.boundary(5):
        near = hst.points_in(domain, count=1).filter(
            lambda z, side=side: (z[0] - side).abs().max() < reach
        )
        assert len(some(near, lambda _: True)) == 1


def test_points_shrink_towards_the_center():
    for domain in (Disc(3 - 1j, 0.5), Plane(), SlitPlane((PointSet((0j,)),), 1 + 0j)):
        z = simplest(hst.points_in(domain))
        assert z.tolist() == [getattr(domain, "center", 0)]
    assert torch.equal(simplest(hst.points_in(DOMAINS["polydisc"])), CENTER[None])
    assert len(simplest(hst.points_in(Disc()), lambda z: len(z) > 3)) == 4


@pytest.mark.parametrize("name", ["disc", "annulus", "rectangle", "polydisc"])
def test_a_clearance_that_no_point_has_is_refused(name):
    with pytest.raises(DomainError, match="empty"):
        hst.points_in(DOMAINS[name], clearance=0.8)


def test_another_dtype_is_refused():
    with pytest.raises(InputTypeError, match="float32"):
        hst.complex_tensors((2,), torch.float32)
    with pytest.raises(InputTypeError, match="complex32"):
        hst.points_in(Plane(), dtype=torch.complex32)


# ---- functions (their laws are tested with LocalFunction)


def test_functions_shrink_towards_z():
    functions = hst.holomorphic_functions()
    assert simplest(functions).formula == "z"
    entire = simplest(functions, lambda f: f.function_class is FunctionClass.ENTIRE)
    assert entire.formula == "exp(z)"
    assert not simplest(functions, lambda f: not f.function_class.is_entire).formula.count("*")
    assert simplest(functions, lambda f: f.name == "sum").formula == "z + z"
    assert simplest(functions, lambda f: f.name == "product").formula == "z*z"
    nested = simplest(functions, lambda f: f.formula[:4] == "exp(" and f.formula != "exp(z)")
    assert len(nested.formula) <= len("exp(z + z)")


@pytest.mark.parametrize("inside", ["erf(", "tanh(", "log(", "1/2*z**3", ")*sin(z)"])
def test_records_and_operations_are_drawn(inside):
    found = some(hst.holomorphic_functions(), lambda f: inside in f.formula)
    assert found.region.radius > 0


@given(f=hst.holomorphic_functions(max_leaves=1))
def test_leaves_are_limited(f):
    assert f.name == "composition"


# ---- modules and networks


def is_holomorphic_at(module, z):
    probes = Probes(1)
    slope = partial_z_along(module, z, probes.like(z)).abs().square().sum()
    size = module(z).abs().square().sum()
    return bool(dbar_norm_squared(module, z, probes=probes).sum() <= 1e-22 * (1 + slope + size))


@given(case=hst.holomorphic_modules())
def test_modules_are_what_they_declare(case):
    module, z = case
    assert module.function_class.is_holomorphic
    assert (module.margin(z) > 0).all()
    value = module(z)
    assert value.isfinite().all()
    assert len(value) == len(z)
    assert is_holomorphic_at(module, z)


@given(data=st.data())
def test_modules_come_in_single_precision(data):
    module, z = data.draw(hst.holomorphic_modules(dtype=C64))
    assert z.dtype == module(z).dtype == C64
    assert all(p.dtype in (C64, torch.float32) for p in module.parameters())


@given(data=st.data(), coefficients=st.sampled_from(COEFFICIENTS))
def test_coefficients_are_those_that_were_requested(data, coefficients):
    module, z = data.draw(hst.holomorphic_modules(coefficients=[coefficients]))
    network, _ = data.draw(hst.networks(max_depth=2, coefficients=[coefficients]))
    fields = {p.is_complex() for p in module.parameters()}
    assert fields <= {"complex": {True}, "real": {False}, "mixed": {True, False}}[coefficients]
    assert {p.is_complex() for p in network.parameters()} == {
        "complex": {True},
        "real": {False},
        "mixed": {True, False},
    }[coefficients]
    if coefficients == "real" and not isinstance(module, nn.Activation):
        torch.testing.assert_close(module(z.conj()), module(z).conj().resolve_conj())
        torch.testing.assert_close(module(z.real) + 0j, module(z.real + 0j))


@pytest.mark.parametrize("coefficients", COEFFICIENTS)
def test_every_field_of_coefficients_occurs(coefficients):
    mixed = {"complex": {True}, "real": {False}, "mixed": {True, False}}[coefficients]
    for cases in (hst.holomorphic_modules(), hst.networks(max_depth=2)):
        module, _ = simplest(
            cases, lambda case: {p.is_complex() for p in case[0].parameters()} == mixed
        )
        assert module.function_class.is_holomorphic


@pytest.mark.parametrize(
    "kinds",
    [
        pytest.param((nn.Activation, nn.Residual), id="some"),
        pytest.param(
            (nn.Linear, nn.FrozenNorm, nn.Threshold, nn.Product, nn.Conv2d, nn.AvgPool2d),
            id="others",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_kind_of_module_shrinks_to_zeros(kinds):
    for kind in kinds:
        module, z = simplest(
            hst.holomorphic_modules(), lambda case, kind=kind: isinstance(case[0], kind)
        )
        assert len(z) == 1, kind
        assert not z.any()
        assert not any(p.any() for p in module.parameters())
        assert all(p.numel() == 1 for p in module.parameters())
        if kind is nn.Activation:
            assert module.function.formula == "z"


def test_drawn_weights_are_the_modules_own():
    biased = simplest(
        hst.holomorphic_modules(),
        lambda case: isinstance(case[0], nn.Linear) and case[0].bias.abs().max() > 1.5,
    )[0]
    assert biased.bias.abs().max() == 2
    assert not biased.weight.any()


def test_drawn_statistics_are_the_norms_own():
    norm, _ = some(
        hst.holomorphic_modules(),
        lambda case: (
            isinstance(case[0], nn.FrozenNorm)
            and bool((case[0].scale != 1).any() and case[0].mean.any())
        ),
    )
    assert 0.5 <= norm.scale.min() <= norm.scale.max() <= 2
    assert norm.mean.abs().max() <= 2 * (1 + 1e-6)


@given(case=hst.networks(max_depth=4, dtype=C128))
def test_networks_are_holomorphic_at_their_points(case):
    network, z = case
    assert z.dtype == C128
    assert (network.margin(z) > 0.2).all()
    assert 1 <= len([m for m in network.modules() if isinstance(m, nn.Activation)]) <= 4
    assert is_holomorphic_at(network, z)


def test_networks_shrink_towards_one_plain_block():
    network, z = simplest(hst.networks())
    assert [type(layer) for layer in network] == [nn.Linear, nn.Activation, nn.Linear]
    assert network[1].function.name == "identity"
    assert z.dtype == C64


def test_deep_networks_shrink_to_plain_blocks_of_the_identity(monkeypatch):
    monkeypatch.setattr(hst, "random_network", lambda seed, **rest: (seed, rest))
    seed, rest = simplest(hst.networks(), lambda drawn: drawn[1]["depth"] > 2)
    simple = {
        "depth": 3,
        "dtype": C64,
        "coefficients": "complex",
        "activations": ["identity"],
        "blocks": ["plain"],
    }
    assert (seed, rest) == (0, simple)
    kinds = {"residual", "convolution", "norm", "product"}
    assert kinds == set(BLOCKS) - {"plain"}
    for kind in kinds:
        _, rest = simplest(hst.networks(), lambda drawn, kind=kind: kind in drawn[1]["blocks"])
        assert rest == {**simple, "depth": 1, "blocks": [kind]}


# ---- perturbations


def small():
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 2), nn.Tanh(), torch.nn.Identity(), nn.Linear(2, 1))


@given(data=st.data())
def test_a_perturbed_module_is_a_copy_with_noise(data):
    module = small()
    before = copy.deepcopy(module.state_dict())
    twin = data.draw(hst.perturbed(module, size=0.05))
    assert type(twin) is type(module)
    for name, parameter in twin.named_parameters():
        assert parameter.dtype == C64
        assert parameter.requires_grad
        assert (parameter - before[name]).abs().max() <= 0.05 * 6
        assert parameter.data_ptr() != module.get_parameter(name).data_ptr()
    assert all(
        torch.equal(a, b)
        for a, b in zip(before.values(), module.state_dict().values(), strict=True)
    )


def test_perturbations_shrink_to_none():
    module = small()
    plain = simplest(hst.perturbed(module))
    weight = module.get_parameter("0.weight")
    assert torch.equal(plain.get_parameter("0.weight"), weight)

    zero_bias = simplest(hst.perturbed(module), lambda m: bool(m.get_parameter("0.bias").all()))
    assert (zero_bias.get_parameter("0.bias").abs() > 0).all()


def test_perturbations_reach_their_size_and_do_not_exceed_it():
    layer = nn.Linear(20, 20)

    def moved(twin):
        return float((twin.weight - layer.weight).detach().abs().square().mean().sqrt())

    assert simplest(hst.perturbed(layer, size=0.05), lambda twin: moved(twin) > 0.04)
    with pytest.raises(NoSuchExample):
        simplest(hst.perturbed(layer, size=0.05), lambda twin: moved(twin) > 0.06)


@given(data=st.data())
def test_real_parameters_stay_real(data):
    layer = torch.nn.Linear(2, 2)
    assert data.draw(hst.perturbed(layer)).weight.dtype == torch.float32


# ---- randomness and the dependency


@settings(max_examples=15)
@given(data=st.data())
def test_torchs_global_stream_is_left_alone(data):
    module = small()
    state = torch.get_rng_state()
    data.draw(hst.networks(max_depth=2))
    data.draw(hst.holomorphic_modules())
    data.draw(hst.holomorphic_functions())
    data.draw(hst.points_in(Half()))
    data.draw(hst.perturbed(module))
    assert torch.equal(torch.get_rng_state(), state)


def test_only_strategies_need_hypothesis_and_say_so():
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import holonet.testing\n"
        "try:\n    from holonet.testing import strategies\n"
        "except ImportError as error:\n    print(type(error).__name__, error)"
    )
    done = fresh_python.run("-c", code)
    assert done.stdout.startswith("MissingDependencyError holonet.testing.strategies needs")
    assert "pip install 'holonet[testing]'" in done.stdout
