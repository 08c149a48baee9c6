"""Formulas of records and networks are what torch computes."""

import mpmath
import pytest
import sympy
import torch
from torch import nn as tnn
from torch.nn.utils import parametrizations

from cases import each, some_of
from holonet import nn
from holonet.errors import ConfigError, NumericalError, ShapeError
from holonet.functions import CATALOGUE, FunctionClass, moebius
from holonet.symbolic import from_sympy, to_sympy

C128 = torch.complex128


def numeric(matrix, z):
    """The formulas at one example, by mpmath."""
    names = [sympy.Symbol(f"z_{k}") for k in range(z.numel())]
    f = sympy.lambdify([names], list(matrix), "mpmath")
    with mpmath.workdps(30):
        return torch.tensor(
            [complex(v) for v in f([mpmath.mpc(p) for p in z.flatten().tolist()])], dtype=C128
        )


def backbone():
    return nn.Sequential(
        nn.Linear(2, 3, dtype=C128),
        nn.Tanh(),
        nn.Residual(nn.Linear(3, 3, dtype=C128)),
        nn.Product(
            nn.Linear(3, 2, dtype=C128), tnn.Sequential(tnn.Identity(), nn.Linear(3, 2, dtype=C128))
        ),
    )


def small():
    return nn.Sequential(nn.Linear(2, 2, dtype=C128), nn.Square())


class Calibrated(nn.FrozenNorm):
    """A subclass with the same forward."""


NETWORKS = {
    "backbone": (backbone, (2,)),
    "real": (lambda: nn.Sequential(*small(), nn.RealPart()), (2,)),
    "imag": (lambda: nn.Sequential(*small(), nn.ImagPart()), (2,)),
    "modulus": (lambda: nn.Sequential(*small(), nn.Modulus()), (2,)),
    "log": (lambda: nn.Sequential(*small(), nn.LogModulus()), (2,)),
    "log eps": (lambda: nn.Sequential(*small(), nn.LogModulus(0.5)), (2,)),
    "classifier": (lambda: nn.HolomorphicClassifier(small(), nn.ImagPart()), (2,)),
    "no bias": (lambda: nn.Linear(3, 2, bias=False, dtype=C128), (3,)),
    "torch": (lambda: tnn.Sequential(tnn.Linear(2, 2, dtype=C128), tnn.Flatten()), (2,)),
    "entry": (lambda: nn.Activation("gelu"), (1,)),
    "own": (lambda: nn.Activation(moebius(1, 2j, 0.25, 1)), (1,)),
    "derived": (lambda: nn.Activation(from_sympy("z*exp(-z**2)")), (1,)),
    "flatten": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 1, dtype=C128)), (2, 3)),
    "norm": (lambda: calibrated(Calibrated(3, dtype=C128), (3,)), (3,)),
    "norm axis": (lambda: calibrated(nn.FrozenNorm(2, -3, dtype=C128), (2, 1, 2)), (2, 1, 2)),
    "threshold": (lambda: nn.Threshold(1.5, 0.25, dtype=torch.float64), (3,)),
    "threshold of channels": (lambda: of_channels(), (2, 1, 2)),
    "partial flatten": (
        lambda: nn.Sequential(nn.Flatten(2), nn.Linear(2, 1, dtype=C128)),
        (2, 1, 2),
    ),
}


def of_channels():
    layer = nn.Threshold(channels=2, dtype=torch.float64)
    with torch.no_grad():
        layer.log_slope.copy_(torch.tensor([-0.5, 0.5]))
        layer.center.copy_(torch.tensor([0.25, -1.0]))
    return layer


def calibrated(layer, shape):
    layer.measure(torch.randn(50, *shape, dtype=C128) + 3)
    with torch.no_grad():
        layer.weight.copy_(torch.randn_like(layer.weight))
        layer.bias.copy_(torch.randn_like(layer.bias))
    return layer


@some_of("name", [*NETWORKS], slice(None, None, 4))
def test_the_formulas_are_what_the_network_computes(name):
    build, shape = NETWORKS[name]
    network = build()
    z = 0.5 * torch.randn(1, *shape, dtype=C128)
    formulas = to_sympy(network, shape=shape)
    got = numeric(formulas, z[0])
    torch.testing.assert_close(got.to(C128), network(z).flatten().to(C128), rtol=1e-12, atol=1e-12)
    assert formulas.shape == (network(z).numel(), 1)
    assert not formulas.atoms(sympy.Float)


@each("record", CATALOGUE.values(), ids=CATALOGUE)
def test_records_are_their_formula_in_any_variable(record):
    w = sympy.Symbol("w")
    expected = sympy.sympify(record.formula, rational=True).subs(sympy.Symbol("z"), w)
    assert to_sympy(record, variable="w") == expected


def test_the_shape_is_read_off_the_first_layer():
    assert len(to_sympy(nn.Sequential(nn.Square(), nn.Linear(3, 1))).free_symbols) == 3
    assert len(to_sympy(nn.FrozenNorm(4)).free_symbols) == 4
    assert to_sympy(nn.Sin(), variable="w") == sympy.Matrix([sympy.sin(sympy.Symbol("w_0"))])


def test_weights_are_exact():
    layer = nn.Linear(1, 1, bias=False)
    (formula,) = to_sympy(layer)
    w = layer.weight.item()
    assert formula.coeff(sympy.Symbol("z_0")) == sympy.Rational(w.real) + sympy.I * sympy.Rational(
        w.imag
    )


class Doubled(nn.Linear):
    function_class = FunctionClass.AFFINE

    def forward(self, input):
        return 2 * super().forward(input)


@each(
    ("module", "shape", "error", "match"),
    [
        (Doubled(2, 2), None, ConfigError, "Doubled"),
        (tnn.ReLU(), None, ConfigError, "ReLU"),
        (nn.Sequential(nn.Linear(2, 2), nn.AvgPool1d(2)), None, ConfigError, "AvgPool1d"),
        (nn.Linear(300, 300), None, ConfigError, "20000"),
        (
            nn.Sequential(*(nn.Activation("polynomial") for _ in range(20))),
            None,
            ConfigError,
            "20000",
        ),
        (nn.Linear(2, 1), (3,), ShapeError, "2 features"),
        (nn.FrozenNorm(2), (3,), ShapeError, "2 features"),
        (nn.Threshold(channels=2), (3,), ShapeError, "2 channels"),
        (nn.Residual(nn.Linear(2, 1)), None, ShapeError, "Residual"),
    ],
)
def test_what_has_no_formula_is_refused(module, shape, error, match):
    with pytest.raises(error, match=match):
        to_sympy(module, shape=shape)


def test_layers_that_are_changed_from_outside_are_refused():
    def conjugated(layer, arguments, output):
        return output.conj()

    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    handle = network[0].register_forward_hook(conjugated)
    with pytest.raises(ConfigError, match="hooks"):
        to_sympy(network)
    handle.remove()
    before = to_sympy(network)
    handle = network[1].register_forward_pre_hook(lambda layer, arguments: arguments[0].conj())
    with pytest.raises(ConfigError, match="hooks"):
        to_sympy(network)
    handle.remove()
    assert to_sympy(network) == before
    network[1].forward = lambda z: z.conj()
    with pytest.raises(ConfigError, match="forward of its own"):
        to_sympy(network)


def test_parametrized_weights_are_read_as_they_are_in_eval_mode_and_not_changed():
    layer = parametrizations.spectral_norm(tnn.Linear(2, 2, dtype=torch.float64))
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    formulas = to_sympy(layer)
    assert layer.training
    assert all(torch.equal(before[name], tensor) for name, tensor in layer.state_dict().items())
    row = to_sympy(layer.eval())
    assert formulas == row
    (expected,) = layer(torch.tensor([[2.0, -1.0]], dtype=torch.float64)).tolist()
    at = {"z_0": 2, "z_1": -1}
    assert [float(e.subs(at)) for e in row] == pytest.approx(expected, rel=1e-14)


def test_infinite_weights_are_refused():
    layer = nn.Linear(1, 1)
    with torch.no_grad():
        layer.weight.fill_(float("nan"))
    with pytest.raises(NumericalError, match="finite"):
        to_sympy(layer)


def test_hooks_of_all_modules_are_refused_too():
    network = tnn.Sequential(nn.Linear(1, 1), nn.Tanh())
    handle = tnn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        with pytest.raises(ConfigError, match="hooks"):
            to_sympy(network)
    finally:
        handle.remove()
    assert to_sympy(network)
