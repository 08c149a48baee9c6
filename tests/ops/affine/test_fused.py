"""The kernel of phi(W z + b), in Triton's interpreter where there is no card, against torch."""

from importlib import resources

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

pytest.importorskip("triton", reason="triton exists for Linux only")
from holonet.functions import CATALOGUE
from holonet.ops.affine import fused, mixed
from holonet.ops.planar import Planar, Program, Sheet

# entries outside of the tensor are computed too, and dropped; numpy warns of what it meets there
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
TANH, SQUARE = CATALOGUE["tanh"], CATALOGUE["square"]
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
C64, C128 = torch.complex64, torch.complex128
EPS = torch.finfo(torch.float32).eps
SIZES = st.sampled_from([0, 1, 2, 15, 16, 17, 31, 33])


@pytest.fixture(autouse=True)
def poisoned(monkeypatch):
    """Fresh memory holds NaN, so what is not written shows."""
    for name in ("empty", "empty_like"):
        make = getattr(torch, name)
        monkeypatch.setattr(
            fused.torch, name, lambda *a, make=make, **k: make(*a, **k).fill_(complex("nan+nanj"))
        )


def tensors(rows, columns, depth, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((rows, depth), (columns, depth), (columns,))
    return [0.5 * torch.randn(s, generator=generator, dtype=C64).to(DEVICE) for s in shapes]


def exact(z, weight, bias):
    z, weight = z.to(C128), weight.to(C128)
    u = z @ weight.mT
    return u if bias is None else u + bias.to(C128)


def size(z, weight, bias):
    """|W| |z| + |b|, what errors are relative to."""
    bias = None if bias is None else bias.abs()
    return exact(z.abs(), weight.abs(), bias).real


def assert_is_layer(z, weight, bias, precision="ieee", products=4, unit=2 * EPS):
    value, u = fused.layer(SQUARE, z, weight, bias, precision, products, keep=True)
    expected = exact(z, weight, bias)
    bound = (unit * (1 + z.shape[-1] / 4)) * size(z, weight, bias)
    assert u is not None
    assert u.shape == value.shape == expected.shape
    assert bool(((u - expected).abs() <= bound).all())
    torch.testing.assert_close(value, u.square(), rtol=1e-5, atol=1e-6)
    alone, nothing = fused.layer(SQUARE, z, weight, bias, precision, products)
    assert nothing is None
    assert torch.equal(alone, value)


@settings(max_examples=10)
@given(
    rows=SIZES,
    columns=SIZES,
    depth=SIZES,
    products=st.sampled_from([3, 4]),
    with_bias=st.booleans(),
    seed=st.integers(0, 99),
)
@example(rows=33, columns=17, depth=18, products=4, with_bias=True, seed=0)
@example(rows=17, columns=33, depth=1, products=3, with_bias=True, seed=0)
@example(rows=1, columns=1, depth=0, products=4, with_bias=True, seed=0)
def test_ragged_and_tiny_sizes(rows, columns, depth, products, with_bias, seed):
    z, weight, bias = tensors(rows, columns, depth, seed)
    unit = 2 * EPS if products == 4 else 8 * EPS
    assert_is_layer(z, weight, bias if with_bias else None, "ieee", products, unit)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_record(name):
    record = CATALOGUE[name]
    z, weight, bias = tensors(7, 20, 3)
    bias = bias + record.base_point
    weight = weight / 4
    value, u = fused.layer(record, z, weight, bias, "ieee", keep=True)
    assert u is not None
    clear = record.clearance(u.cpu()).to(DEVICE) > 0.1
    expected = record.value(u.to(C128))
    error = (value - expected).abs() / (1 + expected.abs())
    assert clear.float().mean() > 0.3
    assert error[clear].max() < 100 * EPS


@pytest.mark.parametrize("products", [3, 4])
def test_numbers_of_bfloat16_are_multiplied_exactly(products):
    shapes = ((20, 18, 2), (17, 18, 2), (17, 2))
    parts = (torch.randint(-8, 8, s).float().to(DEVICE) for s in shapes)
    z, weight, bias = map(torch.view_as_complex, parts)
    for precision in ("bf16", "tf32", "ieee"):
        _, u = fused.layer(SQUARE, z, weight, bias, precision, products, keep=True)
        assert u is not None
        assert torch.equal(u, exact(z, weight, bias).to(C64))


@pytest.mark.parametrize(("products", "largest"), [(4, 2.1), (3, 8.1)])
def test_bfloat16_is_within_its_law(products, largest):
    given = tensors(20, 17, 40)
    _, u = fused.layer(SQUARE, *given, "bf16", products, keep=True)
    assert u is not None
    error = (u - exact(*given)).abs() / size(*given)
    # Triton's interpreter cuts off where a card rounds
    assert error.max() <= largest * 2**-8 * (2 if fused.interpreted() else 1)
    assert error.max() > 2**-12  # it does round
    assert (u - mixed.affine(*given)).abs().max() > 0 or not fused.interpreted()


def test_strided_lazy_broadcast_and_misaligned_inputs():
    base, weight, bias = tensors(9, 8, 19)
    long = tensors(1, 1, 9 * 19 + 1)[0]
    for z in (
        base.conj(),
        base[:, 1:].T,
        base[:, 1:],
        base[::2, ::3],
        long.view(-1)[1:].view(9, 19),
        base[:1].expand(9, 19),
        base[:, :1].expand(9, 19),
        torch._neg_view(base),
        base.real.to(C64).imag.add(0).to(C64),
    ):
        w = weight.repeat(1, 2)[:, : z.shape[1]]
        assert_is_layer(z, w, bias)
    assert_is_layer(base, weight.conj(), bias.conj())
    assert_is_layer(base, torch._neg_view(weight), torch._neg_view(bias))
    assert_is_layer(base[:, :8], weight[:, :8].mH, bias[::2].repeat(2))
    assert_is_layer(base, weight[::2, :], bias[1::2])
    assert_is_layer(base, weight, bias[:1].expand(8))


def test_batch_axes_may_be_broadcast():
    z, weight, bias = tensors(6, 5, 4)
    for points in (z.view(2, 3, 4), z.view(1, 6, 4).expand(3, 6, 4), z[0], z.view(2, 3, 4).mT.mT):
        value, _ = fused.layer(SQUARE, points, weight, bias, "ieee")
        expected = exact(points, weight, bias).square()
        torch.testing.assert_close(value.to(C128), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("where", [0, 1, 2])
@pytest.mark.parametrize("what", ["nan", "inf", "-infj"])
def test_undefined_and_infinite_entries(where, what):
    given = tensors(18, 17, 5)
    given[where].view(-1)[3] = complex(what)
    value, u = fused.layer(TANH, *given, "ieee", keep=True)
    assert u is not None
    assert torch.equal(u.isfinite(), torch.nn.functional.linear(*given).isfinite())
    assert value[u.isfinite()].isfinite().all()
    assert value[u.isnan()].isnan().all()


def test_a_constant_activation_is_spread_over_the_tile():
    sheet = Sheet()
    z = sheet.complex_input("z")
    text = fused.source(Program(["z"], [Planar(sheet.constant(2.0), z.re)]))
    assert "store(out_ptr, at, inside, tl.full((ROWS, COLUMNS), 2.0, tl.float32), u_re," in text


def test_offsets_are_wide_enough_for_two_gigabytes():
    text = resources.files("holonet.ops.affine").joinpath("product.triton").read_text()
    for line in (
        "row = tl.program_id(0).to(tl.int64) * ROWS",
        "column = tl.program_id(1).to(tl.int64) * COLUMNS",
        "k = start + tl.arange(0, DEPTH).to(tl.int64)",
        "2 * (row[:, None] * z_row + k[None, :] * z_step)",
        "2 * (column[None, :] * w_row + k[:, None] * w_step)",
        "at = 2 * (row[:, None] * columns + column[None, :])",
    ):
        assert line in text


def test_tiles_are_what_a_card_can_run():
    for rows, columns, depth, warps, stages in fused.TILES:
        for number in (rows, columns, depth, warps):
            assert number & (number - 1) == 0
        assert min(rows, columns, depth) >= 16
        assert stages * depth * (rows + columns) * 8 <= 160 * 1024  # shared memory, in bytes
