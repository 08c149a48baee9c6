"""Jets of linear maps against Cauchy's formula on a circle, one test for every rule."""

import pytest
import torch
from torch.nn import functional

from cases import each
from holonet.calculus import directional_derivative, fourier_coefficients
from holonet.calculus.jet_maps import MAPS
from holonet.calculus.jets import jet
from holonet.errors import InputTypeError, NotHolomorphicError

C128 = torch.complex128
SHAPE = (2, 3, 4)
ORDER = 5


def randn(seed, *shape, dtype=C128):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


Z, V = randn(0, *SHAPE), randn(1, *SHAPE)
M44, M53, W = randn(2, 4, 4), randn(3, 5, 3), randn(4, 4)
INDEX = torch.tensor([2, 0])
MASK = randn(5, *SHAPE).real > 0
FILTERS, BIAS = randn(6, 5, 3, 2), randn(7, 5)


def image(x):
    return x.unsqueeze(0)


def volume(x):
    return x.reshape(1, 2, 3, 2, 2)


TABLE = {
    "neg negative": lambda x: -x,
    "positive": lambda x: +x,
    "sum": lambda x: x.sum(1) + torch.sum(x),
    "mean": lambda x: x.mean((0, 2), keepdim=True),
    "cumsum": lambda x: x.cumsum(1),
    "trace": lambda x: x[0].trace(),
    "diagonal": lambda x: x.diagonal(0, 1, 2),
    "tril": torch.tril,
    "triu": lambda x: x.triu(1),
    "getitem": lambda x: x[:, INDEX, None, ..., 1:],
    "clone": torch.clone,
    "contiguous": lambda x: x.mT.contiguous(),
    "to": lambda x: x.to(C128) + x.to(x * x),
    "type_as": lambda x: x.type_as(x * x),
    "cfloat": lambda x: x.cfloat().to(C128) * 1e-9,
    "cdouble": lambda x: x.cdouble(),
    "view": lambda x: x.view(6, -1),
    "view_as": lambda x: x.view_as(x * x),
    "reshape": lambda x: torch.reshape(x, (4, 6)),
    "reshape_as": lambda x: x.reshape_as((x * x).flatten()),
    "flatten": lambda x: x.flatten(1),
    "unflatten": lambda x: x.unflatten(2, (2, 2)),
    "ravel": torch.ravel,
    "squeeze": lambda x: x[:1].squeeze(0),
    "unsqueeze": lambda x: x.unsqueeze(-1),
    "permute": lambda x: x.permute(2, 0, 1),
    "transpose": lambda x: x.transpose(0, 2),
    "t": lambda x: x[0].t(),
    "T": lambda x: x[0].T,
    "mT": lambda x: x.mT,
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "swapdims": lambda x: x.swapdims(0, 1),
    "movedim": lambda x: torch.movedim(x, 0, 2),
    "moveaxis": lambda x: x.moveaxis(0, 2),
    "expand": lambda x: x.expand(5, -1, -1, -1),
    "expand_as": lambda x: x[:1].expand_as(x),
    "broadcast_to": lambda x: x.broadcast_to(5, *SHAPE),
    "repeat": lambda x: x.repeat(2, 1, 1),
    "tile": lambda x: x.tile(2),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 0),
    "roll": lambda x: x.roll(1, 2),
    "flip": lambda x: x.flip(1),
    "narrow": lambda x: x.narrow(2, 1, 2),
    "select": lambda x: x.select(1, 2),
    "index_select": lambda x: x.index_select(1, INDEX),
    "gather": lambda x: x.gather(1, INDEX.expand(2, 1, 2).mT),
    "take_along_dim": lambda x: x.take_along_dim(INDEX[:, None, None], 1),
    "chunk": lambda x: x.chunk(2, 2)[1],
    "split": lambda x: x.split([1, 3], 2)[1],
    "tensor_split": lambda x: x.tensor_split(3, 1)[1],
    "unbind": lambda x: x.unbind(1)[2] + torch.stack(list(x), 2)[1].mT,
    "unfold": lambda x: functional.unfold(image(x), (2, 2)),
    "fold": lambda x: functional.fold(x.reshape(1, 4, 6), (3, 4), (2, 2)),
    "fft_fft": torch.fft.fft,
    "fft_ifft": lambda x: torch.fft.ifft(x, dim=1),
    "fft_fft2": torch.fft.fft2,
    "fft_ifft2": torch.fft.ifft2,
    "fft_fftn": torch.fft.fftn,
    "fft_ifftn": torch.fft.ifftn,
    "fft_fftshift": torch.fft.fftshift,
    "fft_ifftshift": torch.fft.ifftshift,
    "matmul": lambda x: (x @ M44) @ x.mT + torch.matmul(M53, x).sum() + (M53 @ x).mean(),
    "mm": lambda x: torch.mm(x[0], x[1].mT),
    "bmm": lambda x: torch.bmm(x, x.mT),
    "mv": lambda x: torch.mv(x[0], W) + x[1].mv(x[0, 1]),
    "dot": lambda x: torch.dot(x[0, 0], x[1, 2]),
    "inner": lambda x: torch.inner(x, x),
    "outer": lambda x: torch.outer(x[0, 0], W),
    "einsum": lambda x: torch.einsum("bij,bkj,jl->bikl", x, x, M44),
    "tensordot": lambda x: torch.tensordot(x, x.permute(1, 2, 0), 2),
    "kron": lambda x: torch.kron(x[0], M44),
    "linear": lambda x: functional.linear(x, M44, W) + functional.linear(input=x, weight=M44),
    "conv1d": lambda x: functional.conv1d(x, FILTERS, BIAS, padding=1),
    "conv2d": lambda x: functional.conv2d(image(x), randn(8, 5, 2, 2, 2), BIAS, stride=(1, 2)),
    "conv3d": lambda x: functional.conv3d(volume(x), randn(8, 5, 2, 2, 1, 1), BIAS),
    "conv_transpose1d": lambda x: functional.conv_transpose1d(x, FILTERS.mT[:3], randn(9, 2)),
    "conv_transpose2d": lambda x: functional.conv_transpose2d(image(x), randn(8, 2, 5, 2, 2), BIAS),
    "conv_transpose3d": lambda x: functional.conv_transpose3d(
        volume(x), randn(8, 2, 5, 2, 1, 1), BIAS
    ),
    "pad": lambda x: (
        functional.pad(x, (1, 2), value=3.0) + functional.pad(x[..., :3], (2, 2), mode="circular")
    ),
    "masked_fill": lambda x: x.masked_fill(MASK, 3.0),
    "addmm": lambda x: torch.addmm(x[0], M53[:3], x[1], beta=2, alpha=3),
    "addmv": lambda x: torch.addmv(W[:3], x[1], x[0, 1]),
    "baddbmm": lambda x: torch.baddbmm(x, x[:, :, :3], x),
    "cat concat": lambda x: torch.cat([x, Z, x * x], 1),
    "stack": lambda x: torch.stack([Z, x, x * x], 1),
    "hstack": lambda x: torch.hstack([x, Z]),
    "vstack": lambda x: torch.vstack([Z, x]),
    "where": lambda x: torch.where(MASK, x, 2.0) + torch.where(MASK, Z[0], x * x),
}
REAL = {  # linear over the reals, or for real tensors only
    "real": lambda x: lifted(x).real + torch.real(lifted(x)),
    "imag": lambda x: lifted(x).imag,
    "complex": lambda x: torch.complex(x, x * x),
    "conj": lambda x: lifted(x).conj(),
    "resolve_conj": lambda x: lifted(x).conj().resolve_conj(),
    "adjoint": lambda x: lifted(x).adjoint(),
    "H": lambda x: lifted(x)[0].H,
    "mH": lambda x: lifted(x).mH,
    "view_as_real": lambda x: torch.view_as_real(lifted(x)),
    "view_as_complex": lambda x: torch.view_as_complex(x.view(2, 3, 2, 2)),
    "abs absolute": lambda x: lifted(x).abs(),
    "avg_pool1d": lambda x: functional.avg_pool1d(x, 2),
    "avg_pool2d": lambda x: functional.avg_pool2d(image(x), (3, 2), padding=1),
    "avg_pool3d": lambda x: functional.avg_pool3d(volume(x), 2),
    "adaptive_avg_pool1d": lambda x: functional.adaptive_avg_pool1d(x, 3),
    "adaptive_avg_pool2d": lambda x: functional.adaptive_avg_pool2d(image(x), (2, 3)),
    "adaptive_avg_pool3d": lambda x: functional.adaptive_avg_pool3d(volume(x), 1),
}
NEVER = {
    "angle": torch.angle,
    "sgn": torch.sgn,
    "vdot": lambda x: torch.vdot(x[0, 0], W),
    "norm": lambda x: x.norm(),
    "relu": lambda x: torch.relu(x),
    "clamp": lambda x: torch.clamp(x, 0),
}


def lifted(x):
    """A complex function of a real argument."""
    return torch.exp((1 + 0.5j) * x)


def slope(f, v):
    return lambda x: directional_derivative(f, x, v)[1]


def by_cauchy(f, z, v, radius=0.3):
    modes = fourier_coefficients(
        lambda t: torch.stack([f(z + s * v) for s in t]), 0, radius, samples=16
    )
    power = radius ** torch.arange(ORDER + 1, dtype=torch.float64)
    return modes[8 : 9 + ORDER] / power.view(-1, *[1] * (modes.ndim - 1))


def test_the_tables_hold_every_rule():
    names = [name for key in (*TABLE, *REAL, *NEVER) for name in key.split()]
    assert sorted(names) == sorted(MAPS)


@each("name", TABLE)
def test_along_a_complex_line(name):
    def f(z):
        return TABLE[name](z * z - 2 * z)  # three coefficients

    found = jet(f, Z, V, ORDER)
    torch.testing.assert_close(found, by_cauchy(f, Z, V), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(found[0], f(Z), rtol=1e-14, atol=1e-14)
    for order in (0, 1, 2):
        torch.testing.assert_close(jet(f, Z, V, order), found[: order + 1])


@each("name", REAL)
def test_along_a_real_line(name):
    x, v = Z.real, V.real

    def f(x):
        return REAL[name](x * x - 2 * x)

    found = jet(f, x, v, 3)
    expected, factorial = f, 1
    for k in range(4):
        values = expected(x).resolve_conj()
        torch.testing.assert_close(found[k], values / factorial, rtol=1e-9, atol=1e-9)
        factorial *= k + 1
        expected = slope(expected, v)


@each("name", NEVER)
@each("points", ["real", "complex"])
def test_what_is_never_analytic_is_refused(name, points):
    z = Z if points == "complex" else Z.real
    with pytest.raises(NotHolomorphicError, match=rf"torch\.{name} is not"):
        jet(NEVER[name], z, z, 2)


@each("name", ["conj", "adjoint", "H", "mH", "view_as_real", "resolve_conj"])
def test_conjugates_along_a_complex_line_are_refused(name):
    with pytest.raises(NotHolomorphicError, match="is not"):
        jet(REAL[name], Z, V, 2)


def test_the_modulus_of_a_real_jet_is_refused():
    with pytest.raises(NotHolomorphicError, match="corner"):
        jet(torch.abs, Z.real, V.real, 2)


@pytest.mark.filterwarnings("ignore:Casting complex values:UserWarning")
def test_dropping_the_imaginary_part_is_refused():
    with pytest.raises(NotHolomorphicError, match=r"drops the imaginary part"):
        jet(lambda z: z.to(torch.float64), Z, V, 2)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: functional.linear(M53 * x[0, 0, 0], M44[:3, :3] * x[0, 0, 1], W[:3]),
        lambda x: functional.conv1d(x, FILTERS * x[0, 0, 1], BIAS),
        lambda x: functional.linear(Z, M44 * x[0, 0, 0], W),
    ],
)
def test_weights_may_depend_on_z(f):
    found = jet(f, Z, V, ORDER)
    torch.testing.assert_close(found, by_cauchy(f, Z, V), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("f", "match"),
    [
        (lambda x: functional.linear(x, M44, x[0, 0]), "bias that depends on z"),
        (lambda x: torch.einsum("bij,bij,bij->b", x, x, x), "3 jets"),
        (lambda x: torch.where(x, x, 1.0), "condition"),
    ],
)
def test_what_has_no_rule_is_refused(f, match):
    with pytest.raises(InputTypeError, match=match):
        jet(f, Z, V, 2)
