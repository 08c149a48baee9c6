"""Linear maps: by two real products equal to those with complex weights."""

import torch
from torch import nn
from torch.nn import functional

from cases import some_of
from continuations import assert_continuation
from holonet.continuation import extend
from holonet.continuation.linear import affine, by_parts, complex_factors, product

W = torch.linspace(-1, 1, 60, dtype=torch.float64)
A, B, MATRICES = W[:24].view(6, 4), W[20:36].view(4, 4), W[:48].view(3, 4, 4)
EYE = 9 * torch.eye(4, dtype=torch.float64)

VECTORS = {
    "mm": lambda x: x @ B,
    "rmatmul": lambda x: (A @ x.T).T,
    "matrix on the left of a vector": lambda x: torch.stack([A @ row for row in x]),
    "more axes on the right": lambda x: (x[:, None, None] @ MATRICES).flatten(1),
    "many matrices": lambda x: torch.matmul(x, MATRICES).permute(1, 0, 2),
    "bmm": lambda x: torch.bmm(x[:, None], x[:, :, None]),
    "inner": lambda x: torch.inner(x, A),
    "addmm": lambda x: torch.addmm(W[:4], x, B, beta=2, alpha=0.5),
    "addmv": lambda x: torch.stack([torch.addmv(W[:6], A, row) for row in x]),
    "baddbmm": lambda x: torch.baddbmm(x[:, None], x[:, None], B.expand(len(x), 4, 4)),
    "einsum": lambda x: torch.einsum("bi,oi->bo", x, A),
    "einsum of two": lambda x: torch.einsum("bi,bj,ij->bi", x, x, B),
    "outer": lambda x: torch.stack([torch.outer(row, row) for row in x]),
    "bilinear": lambda x: functional.bilinear(x, x, MATRICES, W[:3]),
    "bilinear of one": lambda x: functional.bilinear(x, torch.ones_like(x.detach()), MATRICES),
    "linear without bias": lambda x: functional.linear(x, A),
    "weights of the input": lambda x: torch.stack([functional.linear(r, r.outer(r)) for r in x]),
    "matrices": lambda x: torch.linalg.solve(EYE + x[:, None].mT * x[:, None], x),
    "inverse": lambda x: torch.linalg.inv(EYE + x[:, None].mT * x[:, None]),
    "mse": lambda x: functional.mse_loss(x, 2 * x * x, reduction="none"),
}
IMAGES = {
    "convolution": lambda: nn.Conv2d(2, 4, 3, stride=2, padding="valid", groups=2),
    "circular": lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
    "transposed": lambda: nn.ConvTranspose2d(2, 3, 3, stride=2, output_padding=1),
    "one axis": lambda: nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 3, 4)),
    "three axes": lambda: nn.Sequential(nn.Unflatten(2, (2, 3)), nn.Conv3d(2, 3, 2)),
    "pooling": lambda: nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d((2, 1))),
    "bilinear": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
    "bicubic": lambda: nn.Upsample(scale_factor=2, mode="bicubic"),
    "nearest": lambda: nn.Upsample(scale_factor=2),
    "unfold": lambda: nn.Sequential(nn.Unfold(3), nn.Linear(16, 2)),
}


@some_of("name", [*VECTORS], slice(None, None, 4))
def test_products(name: str) -> None:
    assert_continuation(VECTORS[name], torch.randn(3, 4, dtype=torch.float64))


@some_of("name", [*IMAGES], slice(None, None, 4))
def test_layers_for_images(name: str) -> None:
    model = IMAGES[name]().double()
    assert_continuation(model, torch.randn(2, 2, 6, 6, dtype=torch.float64))
    z = torch.randn(2, 2, 6, 6, dtype=torch.complex128)
    parts = (model(z.real), model(z.imag) - model(torch.zeros_like(z.real)))
    torch.testing.assert_close(extend(model)(z), torch.complex(*parts))


def test_example_without_a_batch() -> None:
    model, z = nn.Conv2d(2, 3, 3).double(), torch.randn(1, 2, 5, 5, dtype=torch.complex128)
    torch.testing.assert_close(extend(model)(z[0]), extend(model)(z)[0])


def test_helpers_are_those_of_complex_weights() -> None:
    z = torch.randn(3, 4, dtype=torch.complex128)
    a = A.to(torch.complex128)
    torch.testing.assert_close(affine(z, A, W[:6]), z @ a.mT + W[:6])
    torch.testing.assert_close(product(A, z.mT), a @ z.mT)
    torch.testing.assert_close(product(z[0], A.mT), z[0] @ a.mT)
    assert torch.equal(by_parts(lambda part: 2 * part, z), 2 * z)
    assert complex_factors(z, [A, None])[1][0].dtype is torch.complex128
