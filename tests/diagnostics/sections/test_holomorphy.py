"""Complex models, continuations of real ones, and models of pieces."""

import complextorch
import torch
from torch import Tensor, nn

from cases import each
from holonet import nn as hnn
from holonet.diagnostics.prepared import Settings, prepare
from holonet.diagnostics.sections import holomorphy_section


class Modulus(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return z.abs()


class Real(nn.Module):
    """Its last operation is a readout."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(*layers)

    def forward(self, z: Tensor) -> Tensor:
        return self.net(z).real


class Two(nn.Module):
    """A layer that is not holomorphic, and a readout behind it in the forward."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = linear(), complextorch.nn.CTanh()

    def forward(self, z: Tensor) -> Tensor:
        return self.second(self.first(z)).real


def linear(dtype: torch.dtype = torch.cfloat) -> nn.Module:
    return nn.Linear(4, 4, dtype=dtype)


def section(model: nn.Module, scale: float = 1.0):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x = scale * torch.rand(6, 4)
    return holomorphy_section(prepare(model, x), Settings())


@each(
    "layers",
    [
        (linear(), linear()),
        (linear(), hnn.Sin(), linear()),
        (linear(), hnn.Tanh(), linear()),  # its poles are inside of the largest circles
        (linear(), linear(), Modulus()),
        (Real(linear(), linear()),),
    ],
    ids=str,
)
def test_complex_models_that_are_holomorphic_up_to_a_readout(layers: tuple[nn.Module, ...]) -> None:
    found = section(nn.Sequential(*layers) if len(layers) > 1 else layers[0], 3.0)
    assert found.answer == "yes", found.verdict
    assert "no proof" in found.verdict


@each(
    ("layers", "path"),
    [
        ((linear(), complextorch.nn.CTanh(), linear()), "1"),
        ((linear(), complextorch.nn.CReLU(), linear(), Modulus()), "1"),
        ((Real(linear(), complextorch.nn.CTanh()),), "net.1"),
        ((Two(),), "second"),
        ((Modulus(), linear(torch.float32)), "0"),
    ],
    ids=str,
)
def test_the_layer_at_fault_is_named(layers: tuple[nn.Module, ...], path: str) -> None:
    found = section(nn.Sequential(*layers) if len(layers) > 1 else layers[0])
    if path == "0":  # real points pass: a real model with a modulus
        assert found.answer == "no"
        assert "abs" in found.verdict
        return
    assert found.answer == "no"
    assert found.numbers is not None
    assert found.numbers["first_violation"]["path"] == path
    assert found.advice
    paths = [layer["path"] for layer in found.numbers["layers"]]
    defects = [layer["defect"] for layer in found.numbers["layers"]]
    at = paths.index(path)
    assert max(defects[:at]) < 1e-10
    assert defects[at] > 1e-3


@each("activation", [nn.GELU(), nn.Tanh(), nn.SiLU(), nn.Softplus()], ids=str)
def test_a_real_analytic_model_continues(activation: nn.Module) -> None:
    layers = (nn.Linear(4, 6), activation, nn.LayerNorm(6), nn.Linear(6, 3))
    found = section(nn.Sequential(*layers))
    assert found.answer == "yes", found.verdict
    assert "real model with a holomorphic continuation" in found.verdict


def test_circles_are_halved_until_a_near_pole_is_outside() -> None:
    x = torch.zeros(2, 1, dtype=torch.float64)
    found = holomorphy_section(prepare(lambda x: torch.tanh(20 * x), x), Settings())
    assert found.answer == "yes"
    assert found.numbers is not None
    # the poles are pi / 40 = 0.079 away, and the first circle has radius 0.5
    assert 0.02 < found.numbers["radius"] < 0.16


def test_a_model_of_pieces_names_them_and_their_reach() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 5), nn.LeakyReLU())
    found = section(model)
    assert found.answer == "no"
    assert "1 (ReLU)" in found.verdict
    assert found.numbers is not None
    assert found.numbers["modules"] == {"1": "ReLU", "3": "LeakyReLU"}
    assert len(found.numbers["reach"]) == 6 * 8
    assert min(found.numbers["reach"]) > 0
    assert "GELU" in found.advice[0]


def test_the_reach_of_one_relu_is_the_distance_to_its_kink_over_the_cosine() -> None:
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 2.0]]))
    x = torch.tensor([[1.0, 0.5], [1.0, 0.5]])
    found = holomorphy_section(prepare(nn.Sequential(layer, nn.ReLU()), x), Settings())
    assert found.numbers is not None
    reach = [r for r in found.numbers["reach"] if r is not None and r < float("inf")]
    assert reach
    assert min(reach) >= 0.5


def test_torchscript_is_refused_in_words() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.trace(nn.Sequential(nn.Linear(4, 2), nn.Tanh()), torch.rand(3, 4))
    found = section(script)
    assert found.answer == "undecided"
    assert "TorchScript" in found.verdict
