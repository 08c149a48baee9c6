"""Continuations of whole models, and what is refused at the edge."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

import holonet.nn as hnn
from cases import each, some_of
from continuations import assert_continuation, assert_jets
from holonet.continuation import Continuation, extend
from holonet.errors import ConfigError, InputTypeError, NotHolomorphicError, ShapeError

SMOOTH = {
    "Tanh": nn.Tanh(),
    "Sigmoid": nn.Sigmoid(),
    "SiLU": nn.SiLU(),
    "SiLU in place": nn.SiLU(inplace=True),
    "GELU": nn.GELU(),
    "GELU tanh": nn.GELU("tanh"),
    "Softplus": nn.Softplus(),
    "Softplus beta": nn.Softplus(2.0),
    "Mish": nn.Mish(),
    "LogSigmoid": nn.LogSigmoid(),
    "Tanhshrink": nn.Tanhshrink(),
    "Softmax": nn.Softmax(-1),
    "Softmin": nn.Softmin(-1),
    "LogSoftmax": nn.LogSoftmax(-1),
    "GLU": nn.GLU(),
}


class Residual(nn.Module):
    """Two convolutions with batch norm and SiLU, added to the input in place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.SiLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.body(x)
        out += x
        return functional.silu(out, inplace=True)


class ConvNextBlock(nn.Module):
    """Depthwise convolution, layer norm over channels, GELU, a scale for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.up, self.down = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.scale * self.down(functional.gelu(self.up(y)))
        return x + y.permute(0, 3, 1, 2)


def mlp(activation: nn.Module) -> nn.Module:
    width = 4 if isinstance(activation, nn.GLU) else 8
    layers = (nn.Linear(5, 8), copy.deepcopy(activation), nn.Linear(width, 3))
    return nn.Sequential(*layers).double()


def residual_network() -> nn.Module:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), Residual(4), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    ).double()
    with torch.no_grad():
        model(torch.randn(16, 3, 6, 6, dtype=torch.float64))  # running statistics
    return model.eval()


def convnext() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 2, 2), ConvNextBlock(6), nn.Flatten()).double()


def encoder_layer(norm_first: bool) -> nn.Module:
    return (
        nn.TransformerEncoderLayer(
            8, 2, 16, activation="gelu", batch_first=True, norm_first=norm_first
        )
        .double()
        .eval()
    )


IMAGE, SEQUENCE, POINTS = (2, 3, 6, 6), (2, 4, 8), (3, 5)
MODELS = {
    "residual network": (residual_network, IMAGE),
    "ConvNeXt block": (convnext, IMAGE),
    "encoder layer": (lambda: encoder_layer(False), SEQUENCE),
    "encoder layer, norm first": (lambda: encoder_layer(True), SEQUENCE),
    "GRU cell": (lambda: nn.GRUCell(5, 3).double(), POINTS),
    "LSTM": (lambda: nn.LSTM(8, 3, batch_first=True).double(), SEQUENCE),
}


def points(shape: tuple[int, ...]) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64)


@some_of("name", [*SMOOTH], slice(None, None, 4))
def test_mlp_with_each_smooth_activation(name: str) -> None:
    assert_continuation(mlp(SMOOTH[name]), points(POINTS))


@some_of("name", [*MODELS], slice(None, None, 2))
def test_networks(name: str) -> None:
    make, shape = MODELS[name]
    assert_continuation(make(), points(shape))


@each("name", [name for name in SMOOTH if "place" not in name])
def test_jets_of_mlps_are_the_derivatives_of_the_real_model(name: str) -> None:
    assert_jets(mlp(SMOOTH[name]), points(POINTS))


@some_of("name", [*MODELS], slice(1, None, 4))
def test_jets_of_networks_are_the_derivatives_of_the_real_model(name: str) -> None:
    make, shape = MODELS[name]
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):  # the others have first derivatives only
            assert_jets(make(), points(shape))
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def test_model_of_holonet_with_real_coefficients_has_its_own_continuation() -> None:
    layers = (
        hnn.Linear(4, 5, dtype=torch.float64),
        hnn.Tanh(),
        hnn.Linear(5, 2, dtype=torch.float64),
    )
    model = hnn.Sequential(*layers)
    z = torch.randn(3, 4, dtype=torch.complex128)
    torch.testing.assert_close(extend(model)(z), model(z), rtol=1e-14, atol=1e-14)


def test_real_points_are_the_models_own() -> None:
    model, x = mlp(nn.GELU()), points(POINTS)
    assert torch.equal(extend(model)(x), model(x))
    assert not extend(model)(x).is_complex()


def test_exported_program() -> None:
    model, x = encoder_layer(True), points(SEQUENCE)
    program = torch.export.export(model, (x,)).module()
    z = torch.complex(x, 0.2 * torch.randn_like(x))
    torch.testing.assert_close(extend(program)(z), extend(model)(z), rtol=1e-12, atol=1e-12)


def test_every_tensor_argument_is_continued() -> None:
    z, w = (torch.randn(3, dtype=torch.complex128) for _ in range(2))
    assert torch.equal(extend(lambda x, y, c: c * x * y)(z, w, c=2.0), 2 * z * w)


def test_single_precision() -> None:
    model = nn.Sequential(nn.Linear(5, 3), nn.GELU())
    z = torch.randn(3, 5, dtype=torch.complex64)
    assert extend(model)(z).dtype is torch.complex64
    with pytest.raises(InputTypeError, match=r"parameters of torch\.float32"):
        extend(model)(z.to(torch.complex128))


def test_gradients_in_parameters_and_points() -> None:
    model = mlp(nn.Tanh())
    z = torch.randn(3, 5, dtype=torch.complex128, requires_grad=True)
    extend(model)(z).abs().sum().backward()
    assert z.grad is not None
    assert z.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.dtype is torch.float64 for p in model.parameters())


def test_without_gradients_the_values_are_the_same() -> None:
    model, z = mlp(nn.Tanh()), torch.randn(3, 5, dtype=torch.complex128)
    with torch.no_grad():
        value = extend(model)(z)
    assert not value.requires_grad
    assert torch.equal(value, extend(model)(z))


def test_transforms_of_torch_func_go_through() -> None:
    model = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.GELU(), nn.LogSoftmax(-1)).double()
    f, z = extend(model), torch.randn(3, 5, dtype=torch.complex128)
    torch.testing.assert_close(torch.func.vmap(f)(z), f(z))
    v = torch.randn_like(z)
    along, turned = (torch.func.jvp(f, (z,), (w,))[1] for w in (v, 1j * v))
    torch.testing.assert_close(turned, 1j * along)
    doubled = {name: 2 * p for name, p in f.named_parameters()}
    changed = torch.func.functional_call(f, doubled, (z,))
    assert not torch.allclose(changed, f(z))


def test_model_and_points_are_left_as_they_are() -> None:
    model = residual_network()
    model[0].train()
    before = copy.deepcopy(model.state_dict())
    modes = [m.training for m in model.modules()]
    z = torch.randn(IMAGE, dtype=torch.complex128)
    kept = z.clone()
    extend(lambda x: model(x.mul_(2)))(z)
    assert torch.equal(z, kept)
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_modes_are_left_where_an_operation_is_refused() -> None:
    model = nn.Sequential(nn.Linear(5, 5), nn.Dropout(), nn.ReLU()).double()
    model[0].eval()
    with pytest.raises(InputTypeError, match=r"1 \(Dropout\).*model\.eval\(\)"):
        extend(model)(torch.randn(3, 5, dtype=torch.complex128))
    assert [m.training for m in model] == [False, True, True]


def test_error_names_the_path_of_the_module() -> None:
    model = nn.Sequential(nn.Linear(5, 5), nn.Sequential(nn.Tanh(), nn.ReLU())).double()
    with pytest.raises(NotHolomorphicError, match=r"extend: 1\.1 \(ReLU\): torch\.relu .* GELU"):
        extend(model)(torch.randn(3, 5, dtype=torch.complex128))


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_edge_refuses() -> None:
    with pytest.raises(InputTypeError, match="frozen"):
        extend(nn.Tanh(), pieces="guessed")  # pyright: ignore[reportArgumentType]
    with pytest.raises(InputTypeError, match="weight is complex"):
        extend(nn.Linear(2, 2, dtype=torch.complex64))
    with pytest.raises(InputTypeError, match="TorchScript"):
        extend(torch.jit.trace(nn.Tanh(), torch.zeros(2)))
    with pytest.raises(InputTypeError, match="integers"):
        extend(nn.Tanh())(torch.arange(3))
    with pytest.raises(ConfigError, match="frozen"):
        extend(nn.Tanh())(torch.zeros(2, dtype=torch.complex64), base=torch.zeros(2))
    frozen, z = extend(nn.ReLU(), pieces="frozen"), torch.zeros(2, dtype=torch.complex64)
    with pytest.raises(ShapeError, match="base point"):
        frozen(z, base=torch.zeros(3))
    with pytest.raises(ConfigError, match="reach"):
        extend(nn.Tanh()).reach(torch.zeros(2, 1), torch.zeros(2, 1))
    with pytest.raises(ShapeError, match="direction"):
        frozen.reach(torch.zeros(2, 1), torch.zeros(2))
    with pytest.raises(ShapeError, match="not the batch"):
        extend(lambda x: x if x.sum() > 0 else -x, "frozen").reach(torch.ones(2), torch.ones(2))


def test_frozen_pieces_are_affine_for_a_rectifier_network() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))
    f, x = extend(model.double(), pieces="frozen"), points((1, 4))
    z = torch.randn(5, 4, dtype=torch.complex128)
    weight = torch.func.jacrev(model)(x[0]).to(torch.complex128)
    expected = model(x) + (z - x) @ weight.mT
    torch.testing.assert_close(f(z, base=x), expected, rtol=1e-12, atol=1e-12)
    assert torch.equal(f(x.to(torch.complex128)).real, model(x))


def test_reach_is_where_the_affine_piece_ends() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 8), nn.LeakyReLU()
    ).double()
    f, x, v = extend(model, pieces="frozen"), points((4, 2, 6, 6)), points((4, 2, 6, 6))
    reach = f.reach(x, v).reshape(-1, 1, 1, 1)
    assert (reach > 0).all()

    def error(t: torch.Tensor) -> torch.Tensor:
        y = x + t * v
        return (f(y.to(torch.complex128), base=x) - model(y)).abs().amax(1)

    assert error(0.999 * reach).max() < 1e-13
    assert error(reach + 1e-3).min() > 1e-8


def test_reach_without_kinks_is_infinite() -> None:
    f = extend(nn.Linear(3, 2), pieces="frozen")
    assert torch.isinf(f.reach(torch.randn(2, 3), torch.randn(2, 3))).all()


def test_frozen_continuation_is_holomorphic_for_a_fixed_base() -> None:
    model = nn.Sequential(nn.Linear(4, 6), nn.ELU(), nn.LayerNorm(6), nn.Hardswish()).double()
    x = points((1, 4))
    f = extend(model, pieces="frozen")
    assert_continuation(model, x, f=lambda z: f(z, base=x))


def test_continuation_is_a_module() -> None:
    f = extend(nn.Linear(2, 2))
    assert isinstance(f, Continuation)
    assert [name for name, _ in f.named_parameters()] == ["model.weight", "model.bias"]
