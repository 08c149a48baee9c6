"""The Laplacian, the Levi form and the complex Hessian against closed forms and reverse mode."""

import itertools

import complextorch
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each, some_of
from holonet import nn
from holonet.calculus import Probes
from holonet.calculus.laplacian import (
    complex_hessian,
    laplacian,
    laplacian_estimate,
    laplacian_over_real_part,
    levi_form,
    levi_form_polarized,
    pluriharmonic_defect,
)
from holonet.errors import ConfigError, InputTypeError, ShapeError
from holonet.functions import CATALOGUE

C128 = torch.complex128
seeds = st.integers(0, 2**32)
values = st.sampled_from(["real", "complex"])


def randn(seed, *shape, dtype=C128):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def close(found, expected, scale=None):
    """Equal up to rounding, in numbers of the size of `scale`."""
    scale = expected if scale is None else scale
    atol = 1e-12 * (1 + scale.abs().max().item())
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=atol)


class Quartic:
    """(a.z)^2 conj(b.z)^2 or its real part, for 2 outputs, with all second derivatives."""

    def __init__(self, seed, values="complex", inputs=3):
        self.a, self.b = randn(seed, 2, 2, inputs)
        self.values = values

    def __call__(self, z):
        value = (z @ self.a.mT) ** 2 * (z @ self.b.mT).conj() ** 2
        return value.real if self.values == "real" else value

    def hessians(self, z):
        """d2/dz_j dz_k, d2/dz_j dzbar_k, d2/dzbar_j dzbar_k, shape (batch, outputs, n, n)."""
        at_a, at_b = (z @ self.a.mT)[..., None, None], (z @ self.b.mT).conj()[..., None, None]
        a, b = self.a, self.b.conj()
        by_z = 2 * at_b**2 * a[:, :, None] * a[:, None, :]
        mixed = 4 * at_a * at_b * a[:, :, None] * b[:, None, :]
        by_conj = 2 * at_a**2 * b[:, :, None] * b[:, None, :]
        if self.values == "real":
            by_z = (by_z + by_conj.conj()) / 2
            mixed, by_conj = (mixed + mixed.mH) / 2, by_z.conj()
        return by_z, mixed, by_conj

    def as_value(self, number):
        return number.real if self.values == "real" else number


def trace(matrices):
    return matrices.diagonal(dim1=-2, dim2=-1).sum(-1)


def paired(matrices, v, w):
    """v^T M conj(w) for each example and output."""
    return torch.einsum("bj,bojk,bk->bo", v, matrices, w.conj())


def by_reverse_mode(u, x):
    """The Laplacian at real x by double backward, a coordinate and an output at a time."""
    x = x.clone().requires_grad_()
    columns = []
    for column in u(x).flatten(1).unbind(1):
        (gradient,) = torch.autograd.grad(column.sum(), x, create_graph=True)
        flat = gradient.flatten(1)
        seconds = [
            torch.autograd.grad(flat[:, j].sum(), x, retain_graph=True)[0].flatten(1)[:, j]
            for j in range(flat.shape[1])
        ]
        columns.append(torch.stack(seconds).sum(0))
    return torch.stack(columns, 1)


def as_real_function(u):
    """u of the two real channels of z, the first half of axis 1 its real part."""
    return lambda x: u(torch.complex(*x.chunk(2, 1)))


# the Laplacian


@given(seed=seeds, values=values)
def test_the_laplacian_at_complex_points_is_the_closed_form(seed, values):
    u, z = Quartic(seed, values), randn(seed + 1, 4, 3)
    mixed = u.hessians(z)[1]
    close(laplacian(u, z), u.as_value(4 * trace(mixed)), mixed)


@given(seed=seeds, dtype=st.sampled_from([torch.float64, C128]))
def test_the_laplacian_at_real_points_is_the_closed_form(seed, dtype):
    x, (a, b) = randn(seed, 4, 3, dtype=torch.float64), randn(seed + 1, 2, 3, dtype=dtype)

    def u(x):
        x = x.to(dtype)
        return (x @ a) ** 3 + torch.sin(x @ b)

    lifted = x.to(dtype)
    expected = 6 * (lifted @ a) * (a**2).sum() - torch.sin(lifted @ b) * (b**2).sum()
    close(laplacian(u, x), expected)


@given(seed=seeds, values=values)
def test_over_the_real_part_all_three_hessians_count(seed, values):
    u, z = Quartic(seed, values), randn(seed + 1, 4, 3)
    by_z, mixed, by_conj = u.hessians(z)
    expected = trace(by_z) + 2 * trace(mixed) + trace(by_conj)
    close(laplacian_over_real_part(u, z), u.as_value(expected), by_z.abs() + mixed.abs())


def test_the_two_laplacians_differ_at_the_real_part_of_a_square():
    z = randn(0, 5, 2)

    def u(z):
        return (z**2).real.sum(1)

    assert torch.equal(laplacian(u, z), torch.zeros(5, dtype=torch.float64))
    assert torch.equal(laplacian_over_real_part(u, z), torch.full((5,), 4.0, dtype=torch.float64))


@given(seed=seeds)
def test_over_the_real_part_is_the_laplacian_of_real_data(seed):
    u, x, y = Quartic(seed, "real"), *randn(seed, 2, 4, 3, dtype=torch.float64)
    found = laplacian_over_real_part(u, torch.complex(x, y))
    close(found, laplacian(lambda x: u(torch.complex(x, y.repeat(len(x) // 4, 1))), x))


@each("record", CATALOGUE.values(), ids=lambda r: r.name)
def test_real_parts_of_holomorphic_functions_are_harmonic(record):
    z = record.domain.sample(20, generator=torch.Generator().manual_seed(0))

    def u(z):
        return record(z).real

    second = record.second_derivative(z)
    slack = 1e-9 * (1 + second.abs() + record.derivative(z).abs())
    assert (laplacian(u, z).abs() <= slack).all()
    assert ((laplacian_over_real_part(u, z) - second.real).abs() <= slack).all()


@pytest.mark.parametrize("kind", ["real", "complex"])
@settings(max_examples=5)
@given(seed=seeds)
def test_rotations_of_the_coordinates_change_nothing(kind, seed):
    z = randn(seed, 4, 3, dtype=torch.float64 if kind == "real" else C128)
    turn, _ = torch.linalg.qr(randn(seed + 1, 3, 3, dtype=z.dtype))
    quartic = Quartic(seed + 2)

    def u(z):
        return quartic(z.to(C128))

    scale = torch.stack([m.abs().amax() for m in quartic.hessians(z.to(C128))])
    close(laplacian(lambda z: u(z @ turn), z), laplacian(u, z @ turn), 100 * scale)


@pytest.mark.parametrize(
    "chunk", [2, 100, *(pytest.param(chunk, marks=pytest.mark.slow) for chunk in (1, 4))]
)
def test_chunks_change_nothing(chunk):
    u, z = Quartic(0, "real"), randn(1, 4, 3)
    close(laplacian(u, z, chunk=chunk), laplacian(u, z))
    close(laplacian_over_real_part(u, z, chunk=chunk), laplacian_over_real_part(u, z))
    close(complex_hessian(u, z, chunk=chunk), complex_hessian(u, z))
    close(pluriharmonic_defect(u, z, chunk=chunk), pluriharmonic_defect(u, z))


def test_a_chunk_bounds_the_batch():
    sizes = []

    def u(x):
        sizes.append(len(x))
        return x.square().sum(1)

    laplacian(u, torch.ones(3, 7), chunk=2)
    assert sizes == [6, 6, 6, 3]


SHAPES = [*itertools.product([0, 1, 3], [(), (2,), (2, 1, 3)], [(), (2,), (2, 2)])]


@some_of(("batch", "event", "out"), SHAPES, slice(None, None, 4))
def test_examples_and_values_of_any_shape(batch, event, out):
    z = randn(0, batch, *event)
    n = z[:1].numel() if batch else torch.Size(event).numel()

    def u(z):
        total = (z.real**2 + z.imag**2).unsqueeze(-1).flatten(1).sum(1)
        return total.view(-1, *[1] * len(out)).expand(-1, *out)

    shape = (batch, *out)
    expected = torch.full(shape, 4.0 * n, dtype=torch.float64)
    torch.testing.assert_close(laplacian(u, z), expected)
    torch.testing.assert_close(laplacian_over_real_part(u, z), expected / 2)
    hessian = torch.eye(n, dtype=C128).expand(*shape, n, n)
    torch.testing.assert_close(complex_hessian(u, z), hessian)
    torch.testing.assert_close(pluriharmonic_defect(u, z), expected.fill_(n**0.5))
    length = (z.real**2 + z.imag**2).reshape(batch, n).sum(1)
    torch.testing.assert_close(
        levi_form(u, z, z), length.reshape(batch, *[1] * len(out)).expand(shape)
    )
    estimate = laplacian_estimate(u, z, count=2)
    assert estimate.value.shape == estimate.standard_error.shape == shape


def test_the_precision_is_that_of_the_points():
    z = randn(0, 2, 3, dtype=torch.complex64)
    assert laplacian(lambda z: z.real**2, z).dtype is torch.float32
    assert laplacian(lambda z: z * z.conj(), z).dtype is torch.complex64
    assert complex_hessian(lambda z: z.real**2, z).dtype is torch.complex64


# estimates


@pytest.mark.parametrize("kind", ["real points", "complex points", "complex values"])
def test_the_estimate_is_unbiased_and_knows_its_error(kind):
    quartic = Quartic(0, "complex" if kind == "complex values" else "real")
    z = randn(1, 1, 3, dtype=torch.float64 if kind == "real points" else C128)
    rows, count = 20_000, 3

    def u(z):
        return quartic(z.to(C128))

    found = laplacian_estimate(u, z.expand(rows, 3), count, Probes(0))
    exact = laplacian(u, z)
    spread = found.value.std(0)  # of the estimate, over the rows
    assert (spread > 0.1 * exact.abs()).all()  # there is something to be estimated
    assert ((found.value.mean(0) - exact[0]).abs() < 4 * spread / rows**0.5).all()
    claimed = found.standard_error.square().mean(0).sqrt()
    torch.testing.assert_close(claimed, spread, rtol=0.05, atol=0)


def test_estimates_are_exact_where_there_is_nothing_to_mix():
    x = randn(0, 4, 3, dtype=torch.float64)
    found = laplacian_estimate(lambda x: (x**3).sum(1), x, 2)
    close(found.value, 6 * x.sum(1))
    assert (found.standard_error < 1e-12 * (1 + x.abs().sum())).all()
    z = randn(0, 4, 3)
    found = laplacian_estimate(lambda z: (z.real**2 + z.imag**2).sum(1), z, 2)
    close(found.value, torch.full((4,), 12.0, dtype=torch.float64))


def test_random_levi_forms_see_nothing_of_what_is_pluriharmonic():
    z = randn(0, 200, 3)

    def u(z):
        return (z.real**2 + z.imag**2).sum(1) + 100 * (z.prod(1) + z.sum(1) ** 2).real

    found = 4 * levi_form(u, z, Probes(0).like(z))
    torch.testing.assert_close(found, torch.full((200,), 12.0, dtype=torch.float64))
    assert laplacian_estimate(u, z, 2, Probes(0)).standard_error.mean() > 100


def test_the_probes_are_drawn_in_order():
    u, z = Quartic(0, "real"), randn(1, 4, 3)
    whole = laplacian_estimate(u, z, 3, Probes(5))
    first = laplacian_estimate(u, z[:1], 3, Probes(5, total=4))
    rest = laplacian_estimate(u, z[1:], 3, Probes(5, first=1, total=4))
    torch.testing.assert_close(torch.cat([first.value, rest.value]), whole.value)
    torch.testing.assert_close(
        torch.cat([first.standard_error, rest.standard_error]), whole.standard_error
    )


# the Levi form and the complex Hessian


@settings(max_examples=5)
@given(seed=seeds, values=values)
def test_the_complex_hessian_is_the_closed_form(seed, values):
    u, z = Quartic(seed, values), randn(seed + 1, 4, 3)
    found, expected = complex_hessian(u, z), u.hessians(z)[1]
    close(found, expected)
    close(4 * trace(found), laplacian(u, z).to(C128), expected)
    if values == "real":
        close(found, found.mH)


@settings(max_examples=5)
@given(seed=seeds, values=values)
def test_the_levi_form_is_that_of_the_complex_hessian(seed, values):
    u, (z, v, w) = Quartic(seed, values), randn(seed + 1, 3, 4, 3)
    mixed = u.hessians(z)[1]
    scale = 100 * mixed.abs().amax() * v.abs().amax() * (v.abs().amax() + w.abs().amax())
    close(levi_form(u, z, v), u.as_value(paired(mixed, v, v)), scale)
    close(levi_form_polarized(u, z, v, w), paired(mixed, v, w), scale)


@settings(max_examples=3)
@given(seed=seeds, values=values, t=st.complex_numbers(min_magnitude=0.1, max_magnitude=10))
def test_the_polarized_levi_form_is_sesquilinear(seed, values, t):
    u, (z, v, w) = Quartic(seed, values), randn(seed + 1, 3, 4, 3)
    form = levi_form_polarized(u, z, v, w)
    scale = 1e4 * (1 + u.hessians(z)[1].abs().amax() * v.abs().amax() * w.abs().amax())
    close(levi_form_polarized(u, z, t * v, w), t * form, scale)
    close(levi_form_polarized(u, z, v, t * w), complex(t).conjugate() * form, scale)
    close(levi_form(u, z, t * v), abs(t) ** 2 * levi_form(u, z, v), scale * v.abs().amax())
    close(levi_form_polarized(u, z, v, v), levi_form(u, z, v).to(C128), scale * v.abs().amax())
    if values == "real":
        close(levi_form_polarized(u, z, w, v), form.conj().resolve_conj(), scale)


class Polynomial:
    """z -> (a.z)^2 + b.z + 1, holomorphic, two outputs."""

    def __init__(self, seed):
        self.a, self.b = randn(seed, 2, 2, 3)

    def __call__(self, z):
        return (z @ self.a.mT) ** 2 + z @ self.b.mT + 1

    def derivative_along(self, z, v):
        return 2 * (z @ self.a.mT) * (v @ self.a.mT) + v @ self.b.mT


@settings(max_examples=5)
@given(seed=seeds)
def test_moduli_squared_are_plurisubharmonic(seed):
    f, (z, v) = Polynomial(seed), randn(seed + 1, 2, 4, 3)

    def u(z):
        return f(z).real.square() + f(z).imag.square()

    along = f.derivative_along(z, v)
    close(levi_form(u, z, v), along.real.square() + along.imag.square())
    hessian = complex_hessian(u, z)
    smallest = torch.linalg.eigvalsh(hessian)[..., 0]
    assert (smallest >= -1e-11 * (1 + hessian.abs().amax((-2, -1)))).all()


@settings(max_examples=5)
@given(seed=seeds)
def test_real_parts_and_log_moduli_are_pluriharmonic(seed):
    f, z = Polynomial(seed), randn(seed + 1, 4, 3)
    basis = torch.eye(3, dtype=C128)
    slope = torch.stack([f.derivative_along(z, e.expand(4, 3)).abs() for e in basis])
    steep = 1 + slope.amax() / f(z).abs()
    assert (pluriharmonic_defect(lambda z: f(z).real, z) < 1e-10 * (1 + slope.amax() ** 2)).all()
    assert (pluriharmonic_defect(lambda z: f(z).abs().log(), z) < 1e-10 * steep**2).all()


@settings(max_examples=5)
@given(seed=seeds, values=values)
def test_what_is_pluriharmonic_is_harmonic(seed, values):
    u, z = Quartic(seed, values), randn(seed + 1, 4, 3)
    bound = laplacian(u, z).abs() / (4 * 3**0.5)
    defect = pluriharmonic_defect(u, z)
    assert (bound <= defect * (1 + 1e-12)).all()
    close(defect, torch.linalg.matrix_norm(u.hessians(z)[1]))


def test_what_is_harmonic_need_not_be_pluriharmonic():
    z = randn(0, 4, 2)

    def u(z):
        size = z.real.square() + z.imag.square()
        return size[:, 0] - size[:, 1]

    zero = torch.zeros(4, dtype=torch.float64)
    assert torch.equal(laplacian(u, z), zero)
    torch.testing.assert_close(pluriharmonic_defect(u, z), zero + 2**0.5)


# real and complex models


def test_a_plain_real_network():
    cnn = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3),
        torch.nn.Softplus(),
        torch.nn.Flatten(),
        torch.nn.Linear(8, 3),
    ).double()
    x = randn(0, 2, 1, 4, 4, dtype=torch.float64)
    expected = by_reverse_mode(cnn, x)
    assert expected.abs().min() > 1e-4
    close(laplacian(cnn, x, chunk=5), expected)


def test_a_network_of_complextorch():
    net = torch.nn.Sequential(
        complextorch.nn.Linear(3, 4), complextorch.nn.CTanh(), complextorch.nn.Linear(4, 2)
    )
    net = nn.to_precision(net, C128)
    z = randn(0, 4, 3)

    def u(z):
        return net(z).real

    x = torch.cat([z.real, z.imag], 1)
    expected = by_reverse_mode(as_real_function(u), x)
    assert expected.abs().min() > 1e-4
    close(laplacian(u, z), expected)
    assert (pluriharmonic_defect(u, z) > 1e-2).all()


def test_layer_norm_must_be_written_out():
    """The way out that the module's docstring gives for layers that torch differentiates wrong."""
    x = randn(0, 4, 5, dtype=torch.float64)
    weight = randn(1, 5, dtype=torch.float64)

    def written_out(x):
        centered = x - x.mean(1, keepdim=True)
        normal = centered / (centered.square().mean(1, keepdim=True) + 1e-5).sqrt()
        return (weight * normal**2).sum(1, keepdim=True)

    def by_torch(x):
        return (weight * torch.nn.functional.layer_norm(x, (5,)) ** 2).sum(1, keepdim=True)

    close(laplacian(written_out, x), by_reverse_mode(by_torch, x))


@pytest.mark.parametrize("fast", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_everything_can_be_differentiated_in_parameters(fast):
    z, v = randn(0, 2, 2, 2)

    def penalties(a, b):
        def u(z):
            return ((z @ a) ** 2 * (z @ b).conj()).real

        return (
            laplacian(u, z),
            laplacian_over_real_part(u, z),
            laplacian_estimate(u, z, 2, Probes(0)).value,
            levi_form(u, z, v),
            pluriharmonic_defect(u, z),
        )

    parameters = tuple(p.requires_grad_() for p in randn(1, 2, 2).unbind())
    assert torch.autograd.gradcheck(penalties, parameters, fast_mode=fast)


# bad inputs

FUNCTIONS = {
    "laplacian": laplacian,
    "laplacian_over_real_part": laplacian_over_real_part,
    "laplacian_estimate": lambda u, z: laplacian_estimate(u, z, 2),
    "levi_form": lambda u, z: levi_form(u, z, z),
    "levi_form_polarized": lambda u, z: levi_form_polarized(u, z, z, z),
    "complex_hessian": complex_hessian,
    "pluriharmonic_defect": pluriharmonic_defect,
}
REAL_TOO = {"laplacian", "laplacian_estimate"}
every = each("name", FUNCTIONS)


@every
def test_integers_are_refused(name):
    with pytest.raises(InputTypeError, match=r"torch.int64.*z\.to"):
        FUNCTIONS[name](torch.square, torch.ones(2, 3, dtype=torch.int64))


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - REAL_TOO))
def test_real_points_are_refused_where_i_is_needed(name):
    with pytest.raises(InputTypeError, match=r"complex ones are needed\..*z\.to"):
        FUNCTIONS[name](torch.square, torch.ones(2, 3))


@every
@each("shape", [(), (2, 0)])
def test_points_without_a_batch_or_coordinates_are_refused(name, shape):
    with pytest.raises(ShapeError, match=r"unsqueeze\(0\) makes a batch"):
        FUNCTIONS[name](torch.square, randn(0, *shape))


@every
@each("u", [lambda z: z.real.sum(), lambda z: z.real.sum(0)[None]])
def test_functions_that_lose_the_batch_are_refused(name, u):
    with pytest.raises(ShapeError, match="one value for each example"):
        FUNCTIONS[name](u, randn(0, 2, 3))


@each("chunk", [0, -3])
@each("ask", [laplacian, laplacian_over_real_part, complex_hessian, pluriharmonic_defect])
def test_empty_chunks_are_refused(ask, chunk):
    with pytest.raises(ConfigError, match=f"chunk={chunk}"):
        ask(torch.square, randn(0, 2, 3), chunk=chunk)


@pytest.mark.parametrize("count", [1, 0, -1])
def test_one_direction_tells_nothing_of_its_error(count):
    with pytest.raises(ConfigError, match=f"count={count}"):
        laplacian_estimate(torch.square, randn(0, 2, 3), count)


def test_directions_of_another_shape_are_refused():
    z = randn(0, 2, 3)
    for ask in (
        lambda: levi_form(torch.square, z, z[:1]),
        lambda: levi_form_polarized(torch.square, z, z[:1], z),
        lambda: levi_form_polarized(torch.square, z, z, z[0]),
    ):
        with pytest.raises(ShapeError, match="one direction for each point"):
            ask()
