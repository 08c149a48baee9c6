"""The Cauchy-Riemann equations in three forms, and the defect of a differential."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each
from holonet import nn
from holonet.calculus import dbar, dbar_along
from holonet.calculus.cauchy_riemann import cauchy_riemann, directional_defect, relative_defect
from holonet.calculus.channels import complex_from_channels
from holonet.errors import DomainError, InputTypeError, ShapeError, UnknownNameError
from holonet.functions import CATALOGUE

C128 = torch.complex128
FORMS = ["wirtinger", "cartesian", "polar"]
seeds = st.integers(0, 2**32)
every_form = each("form", FORMS)


def randn(seed, *shape, dtype=C128):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


class Mixed:
    """The sum of c_ab z^a conj(z)^b for a, b < 4, entry by entry."""

    def __init__(self, seed):
        self.c = randn(seed, 4, 4)

    def __call__(self, z):
        terms = [self.c[a, b] * z**a * z.conj() ** b for a in range(4) for b in range(4)]
        return torch.stack(terms).sum(0)

    def by_conj(self, z):
        terms = [
            b * self.c[a, b] * z**a * z.conj() ** (b - 1) for a in range(4) for b in range(1, 4)
        ]
        return torch.stack(terms).sum(0)

    def scale(self, z):
        return 1 + self.c.abs().max().item() * z.abs().max().item() ** 5


@every_form
@settings(max_examples=3)
@given(seed=seeds)
def test_every_form_is_the_closed_form(form, seed):
    f, z = Mixed(seed), randn(seed + 1, 7)
    factor = {"wirtinger": 1, "cartesian": 2, "polar": 2 * z.abs() / z}[form]
    expected = factor * f.by_conj(z)
    found = cauchy_riemann(f, z, form)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12 * f.scale(z))


@settings(max_examples=4)
@given(seed=seeds)
def test_the_forms_are_linked(seed):
    f, z = Mixed(seed), randn(seed + 1, 7)
    wirtinger, cartesian, polar = (cauchy_riemann(f, z, form) for form in FORMS)
    turned, atol = torch.exp(-1j * z.angle()) * cartesian, 1e-12 * f.scale(z)
    assert torch.equal(wirtinger, dbar(f, z))
    torch.testing.assert_close(cartesian, 2 * wirtinger, rtol=1e-12, atol=atol)
    torch.testing.assert_close(polar, turned, rtol=1e-12, atol=atol)


@every_form
@each("record", CATALOGUE.values(), ids=lambda r: r.name)
def test_holomorphic_functions_satisfy_them(form, record):
    z = record.domain.sample(20, generator=torch.Generator().manual_seed(0))
    residual = cauchy_riemann(record, z, form).abs()
    assert (residual <= 1e-13 * (1 + record.derivative(z).abs())).all()


@every_form
@each("dtype", [torch.complex64, C128])
def test_they_are_exact_where_arithmetic_is(form, dtype):
    z = torch.tensor([[3 + 4j], [-8j], [2 + 0j]], dtype=dtype)
    slack = 1e-5 if form == "polar" else 0  # the angle is rounded
    assert (cauchy_riemann(torch.square, z, form).abs() <= slack).all()
    assert (cauchy_riemann(torch.ones_like, z, form) == 0).all()
    assert (cauchy_riemann(torch.conj, z, form).abs() >= 1 - 1e-6).all()
    assert cauchy_riemann(torch.conj, z, form).dtype is dtype


def test_the_polar_form_reaches_the_smallest_numbers():
    z = torch.tensor([1e-300 + 1e-300j, 1e-310j, -5e-324], dtype=C128)
    expected = 2 * torch.polar(torch.ones(3, dtype=torch.float64), -z.angle())
    torch.testing.assert_close(cauchy_riemann(torch.conj, z, "polar"), expected)


def test_the_polar_form_stops_at_zero():
    z = torch.tensor([1 + 1j, 0j])
    with pytest.raises(DomainError, match=r'z = 0.*form="wirtinger"'):
        cauchy_riemann(torch.square, z, "polar")
    for form in ("wirtinger", "cartesian"):
        assert (cauchy_riemann(torch.square, z, form) == 0).all()


def test_an_unknown_form_is_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'cartesian'"):
        cauchy_riemann(torch.square, randn(0, 2), "cartesan")


class Matrices:
    """A z + B conj(z) + (C z)^2, with the antilinear part of its differential."""

    def __init__(self, seed, inputs=3, outputs=2):
        self.a, self.b, self.c = randn(seed, 3, outputs, inputs)

    def __call__(self, z):
        return z @ self.a.mT + z.conj() @ self.b.mT + (z @ self.c.mT) ** 2

    def antilinear(self, v):
        return v.conj() @ self.b.mT


@given(seed=seeds, turn=st.floats(0, 7))
def test_the_defect_is_twice_the_antilinear_part(seed, turn):
    f, (z, v) = Matrices(seed), randn(seed + 1, 2, 5, 3)
    found = directional_defect(f, z, v)
    torch.testing.assert_close(found, 2 * torch.linalg.vector_norm(f.antilinear(v), dim=1))
    torch.testing.assert_close(found, 2 * torch.linalg.vector_norm(dbar_along(f, z, v), dim=1))
    phase = torch.polar(torch.ones(()), torch.tensor(turn)).to(C128)
    torch.testing.assert_close(directional_defect(f, z, phase * v), found, rtol=1e-6, atol=0)


@settings(max_examples=5)
@given(seed=seeds)
def test_the_defect_of_entries_is_that_of_cauchy_riemann(seed):
    f, z = Mixed(seed), randn(seed + 1, 7)
    found = directional_defect(f, z, torch.ones_like(z))
    expected = cauchy_riemann(f, z, "cartesian").abs()
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12 * f.scale(z))


@settings(max_examples=5)
@given(seed=seeds, c=st.sampled_from([1, -3j, 1e-200, 1e200, 1e-300 + 1e-300j]))
def test_the_relative_defect_has_no_scale(seed, c):
    f, (z, v) = Matrices(seed), randn(seed + 1, 2, 5, 3)
    found = relative_defect(f, z, v)
    along = v @ f.a.mT + 2 * (z @ f.c.mT) * (v @ f.c.mT)
    sizes = [torch.linalg.vector_norm(along + s * f.antilinear(v), dim=1) for s in (1, -1)]
    torch.testing.assert_close(found, directional_defect(f, z, v) / sum(sizes))
    assert (found > 0).all()
    assert (found < 1).all()
    torch.testing.assert_close(relative_defect(lambda z: c * f(z), z, v), found)
    torch.testing.assert_close(relative_defect(f, z, 1e-200 * v), found)


def test_the_ends_of_the_relative_defect():
    z, v = randn(0, 2, 5, 3)
    zero, one = torch.zeros(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    assert (relative_defect(torch.sin, z, v) < 1e-15).all()
    assert torch.equal(relative_defect(torch.ones_like, z, v), zero)
    torch.testing.assert_close(relative_defect(lambda z: z.conj() ** 2, z, v), one)
    nowhere = relative_defect(lambda z: z * float("inf"), z, v)
    assert nowhere.isnan().all()


@each("defect", [directional_defect, relative_defect])
@each(("batch", "event"), [(5, ()), (5, (2, 3)), (0, (3,)), (5, (0,))])
def test_examples_of_any_shape(defect, batch, event):
    z = randn(0, batch, *event)
    found = defect(lambda z: z + 1 / 3 * z.conj(), z, torch.ones_like(z))
    n = torch.Size(event).numel()
    expected = {directional_defect: 2 / 3 * n**0.5, relative_defect: 1 / 3}[defect] * (n > 0)
    torch.testing.assert_close(found, torch.full((batch,), expected, dtype=torch.float64))


def test_a_real_network_in_two_channels_has_a_defect_and_a_holomorphic_one_has_none():
    z, v = randn(0, 2, 5, 3)
    real = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 4))
    assert (relative_defect(complex_from_channels(real.double()), z, v) > 1e-2).all()
    net = nn.to_precision(nn.holomorphic_mlp(3, [8], 2, activation="sin"), C128)
    assert (relative_defect(net.holomorphic_map, z, v) < 1e-13).all()


ASKED = {
    **{form: lambda f, z, form=form: cauchy_riemann(f, z, form) for form in FORMS},
    "directional": lambda f, z: directional_defect(f, z, torch.ones_like(z)),
    "relative": lambda f, z: relative_defect(f, z, torch.ones_like(z)),
}
every = each("ask", ASKED.values(), ids=ASKED)


@every
def test_real_valued_functions_are_refused(ask):
    with pytest.raises(InputTypeError, match=r"only if it is constant.*readout.*laplacian"):
        ask(lambda z: z.real**2, randn(0, 4))


@every
@each("dtype", [torch.float64, torch.int64])
def test_real_points_are_refused(ask, dtype):
    with pytest.raises(InputTypeError, match=r"Lift the points first: z\.to"):
        ask(torch.square, torch.ones(4, dtype=dtype))


@pytest.mark.parametrize("defect", [directional_defect, relative_defect])
def test_a_batch_is_needed(defect):
    with pytest.raises(ShapeError, match=r"unsqueeze\(0\)"):
        defect(torch.square, randn(0), randn(1))
