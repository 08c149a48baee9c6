"""The real form: the same function, in real tensors alone, or a refusal by name."""

from typing import Any

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.errors import InputTypeError
from holonet.functions import CATALOGUE, FunctionClass, polynomial
from holonet.interop import to_real
from holonet.testing import random_network
from holonet.testing.networks import COEFFICIENTS

LOOSE = {torch.complex64: 3e-4, torch.complex128: 1e-12}
"""Rounding times the condition of random networks."""


def real(z: Tensor) -> Tensor:
    return torch.view_as_real(z.resolve_conj()) if z.is_complex() else z


def assert_same(model: tnn.Module, x: Tensor, loose: float = 1e-5) -> tnn.Module:
    """The form equals the model at x, with real tensors alone."""
    form = to_real(model, complex_input=x.is_complex())
    found, wanted = form(real(x)), real(model(x))
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    assert not any(t.is_complex() for t in form.state_dict().values())
    finite = wanted.isfinite()  # a random network may overflow at real points
    scale = max(1.0, float(wanted[finite].detach().abs().max()))
    assert torch.equal(found.isfinite(), finite)
    assert float((found - wanted)[finite].detach().abs().max()) <= loose * scale
    return form


@settings(max_examples=8)
@example(seed=120, coefficients="real", dtype=torch.complex128)
@given(
    seed=st.integers(0, 10**6),
    coefficients=st.sampled_from(COEFFICIENTS),
    dtype=st.sampled_from(sorted(LOOSE, key=str)),
)
def test_the_form_of_a_random_network_is_the_network(
    seed: int, coefficients: str, dtype: torch.dtype
) -> None:
    network, points = random_network(seed, coefficients=coefficients, dtype=dtype)
    assert_same(network, points, LOOSE[dtype])
    if coefficients != "complex":
        assert_same(network, points.real, LOOSE[dtype])
    for readout in (nn.RealPart(), nn.Modulus(), nn.LogModulus(0.5)):
        assert_same(nn.HolomorphicClassifier(network, readout), points.real, LOOSE[dtype])


@each(
    ("readout", "is_complex"),
    [
        (readout, is_complex)
        for readout in (nn.RealPart(), nn.ImagPart(), nn.Modulus(), nn.LogModulus())
        for is_complex in (True, False)
    ],
)
def test_readouts(readout: tnn.Module, is_complex: bool) -> None:
    z = torch.tensor([[3 - 4j, -1e-30j], [1e25 + 1e25j, -2 + 0j]], dtype=torch.complex64)
    if is_complex:
        assert_same(readout, z)
    elif not isinstance(readout, nn.ImagPart):
        assert_same(readout, z.real + 1)
    else:
        with pytest.raises(InputTypeError, match="the imaginary part of real numbers is 0"):
            to_real(readout)


def convolutions() -> list[tnn.Module]:
    """Every convolution, of holonet and of torch, complex and real, with every option."""
    options: list[dict[str, Any]] = [
        {},
        {"stride": 2, "padding": 1, "dilation": 2},
        {"groups": 2, "bias": False},
        {"padding": "same", "padding_mode": "circular"},
    ]
    made: list[tnn.Module] = []
    for dtype in (torch.complex64, torch.float32):
        made += [nn.Conv2d(2, 4, 3, dtype=dtype, **o) for o in options]
        made += [tnn.Conv2d(2, 4, 3, dtype=dtype, **options[0])]
        made += [
            nn.ConvTranspose2d(2, 4, 3, stride=2, output_padding=1, groups=g, dtype=dtype)
            for g in (1, 2)
        ]
    return made


@each("layer", convolutions(), ids=str)
def test_convolutions(layer: tnn.Module) -> None:
    x = torch.randn(3, 2, 9, 9, dtype=torch.complex64)
    bias = layer.get_parameter("bias") if getattr(layer, "bias", None) is not None else None
    if bias is not None:
        torch.nn.init.normal_(bias)
    weight = layer.get_parameter("weight")
    if isinstance(layer, nn.DeclaredModule) or weight.is_complex():
        assert_same(layer, x)
    if isinstance(layer, nn.DeclaredModule) or not weight.is_complex():
        assert_same(layer, x.real)


def test_layers_of_a_network() -> None:
    x = torch.rand(4, 3, 8, 8)
    norm = nn.FrozenNorm(6, feature_axis=-3)
    network = nn.Sequential(
        nn.Threshold(channels=3),
        tnn.ZeroPad2d(1),
        nn.Conv2d(3, 6, 3),
        norm,
        nn.Threshold(slope=0.5, channels=6),
        nn.AvgPool2d(2),
        nn.Residual(nn.Sequential(nn.Conv2d(6, 6, 1), nn.Sin())),
        nn.Flatten(),
        nn.Product(nn.Linear(96, 5), nn.Linear(96, 5, dtype=torch.float32)),
        tnn.Sequential(tnn.Identity(), nn.Linear(5, 4)),
    )
    nn.calibrate(network, x)
    with torch.no_grad():
        norm.weight.mul_(0.3 + 0.2j)
        norm.bias.add_(0.3 - 0.2j)
    assert_same(nn.HolomorphicClassifier(network), x)
    assert_same(network, x + 0.1j * torch.rand_like(x))
    assert_same(network, x)


@each("name", CATALOGUE)
def test_activations_of_real_and_complex_numbers(name: str) -> None:
    x = CATALOGUE[name].base_point.real + 0.3 * torch.randn(20, 3)
    assert_same(nn.Activation(name), x)
    assert_same(nn.Activation(name), x + 0.2j * torch.randn(20, 3))


def test_networks_of_torch_that_meet_real_numbers_stay_as_they_are() -> None:
    network = nn.real_convnet((3, 8, 8), (4,), 5)
    form = assert_same(network, torch.rand(2, 3, 8, 8))
    assert {type(m) for m in network.modules()} - {tnn.Sequential} <= {
        type(m) for m in form.modules()
    }
    real_network = nn.holomorphic_mlp(6, (4,), 3, activation="softplus", coefficients="real")
    form = assert_same(real_network, torch.rand(2, 6))
    assert sum(p.numel() for p in form.parameters()) == nn.real_parameter_count(real_network)


def test_a_shared_layer_is_in_each_of_its_places() -> None:
    layer, square = nn.Linear(3, 3), nn.Square()
    network = nn.Sequential(layer, square, layer, nn.Product(layer, layer), square, nn.RealPart())
    assert_same(network, torch.rand(2, 3))


def test_the_form_is_a_copy_in_eval_mode_in_the_precision_of_the_model() -> None:
    model = tnn.Sequential(tnn.Linear(3, 3), tnn.Dropout(0.5)).train()
    form = to_real(model)
    before = form(torch.ones(2, 3))
    with torch.no_grad():
        model[0].weight.zero_()
    assert torch.equal(form(torch.ones(2, 3)), before)
    assert not form.training
    assert model.training
    classifier = nn.holomorphic_mlp(4, (3,), 2)
    assert_same(classifier, torch.rand(2, 4, dtype=torch.float64))


def test_a_classifier_lifts_real_numbers_for_a_backbone_that_takes_none() -> None:
    turned = nn.Activation(polynomial([1j, 1 + 1j, 0.5]))
    model = nn.HolomorphicClassifier(nn.Sequential(turned, nn.Linear(3, 2)))
    assert_same(model, torch.rand(4, 3))
    with pytest.raises(InputTypeError, match="polynomial of real numbers is complex"):
        to_real(turned)


class Own(tnn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).real


class Doubled(nn.Linear):
    function_class = nn.Linear.function_class

    def forward(self, input: Tensor) -> Tensor:
        return 2 * super().forward(input)


class Shifted(nn.Activation):
    function_class = FunctionClass.ENTIRE

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


def test_what_has_no_real_form_is_refused_by_name() -> None:
    with pytest.raises(InputTypeError, match=r"^a Own has no real form"):
        to_real(Own())
    with pytest.raises(InputTypeError, match=r"layer 'backbone\.1', a Doubled, has no real form"):
        to_real(nn.HolomorphicClassifier(nn.Sequential(nn.Linear(3, 3), Doubled(3, 2))))
    with pytest.raises(InputTypeError, match="layer '1', a ReLU,"):
        to_real(tnn.Sequential(nn.Linear(3, 3), tnn.ReLU()))
    with pytest.raises(InputTypeError, match="a Shifted has no real form"):
        to_real(Shifted("sin"), complex_input=True)
    linear = nn.Linear(3, 2)
    linear.forward = lambda z: z
    with pytest.raises(InputTypeError, match="a Linear has no real form"):
        to_real(linear)
    log = nn.Activation("log")
    assert to_real(log, complex_input=True) is not None


def test_quantizers_find_real_linear_layers() -> None:
    form = to_real(nn.holomorphic_mlp(64, (16,), 10))
    assert sum(type(m) is tnn.Linear for m in form.modules()) == 4
