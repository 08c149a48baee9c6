"""The checks that follow from declarations: true ones pass, false ones fail."""

import dataclasses

import complextorch.nn as ctnn
import pytest
import torch
from torch import nn as torch_nn

from cases import each
from holonet import nn
from holonet.errors import InputTypeError, NotHolomorphicError
from holonet.functions import CATALOGUE, FunctionClass
from holonet.nn import DeclaredModule
from holonet.testing.checks import checks_for

MODULES = {
    **{name: lambda name=name: nn.Activation(name) for name in CATALOGUE},
    "Linear": lambda: nn.Linear(3, 2),
    "a network": lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)),
    "Linear with real coefficients": lambda: nn.Linear(3, 2, dtype=torch.float32),
    "ConvTranspose2d with real coefficients": lambda: nn.Sequential(
        nn.Linear(4, 4, dtype=torch.float32),
        torch_nn.Unflatten(1, (1, 2, 2)),
        nn.ConvTranspose2d(1, 2, 2, dtype=torch.float32),
        nn.AvgPool2d(2),
        nn.FrozenNorm(2, -3, dtype=torch.float32),
    ),
    "a network with real coefficients": lambda: nn.Sequential(
        nn.Linear(3, 4, dtype=torch.float32), nn.Tanh(), nn.Linear(4, 2, dtype=torch.float32)
    ),
    "a network with both": lambda: nn.Sequential(
        nn.Linear(3, 4, dtype=torch.float32), nn.Tanh(), nn.Linear(4, 2)
    ),
    "a classifier with real coefficients": lambda: nn.holomorphic_mlp(
        3, [4], 2, coefficients="real"
    ),
    "Residual": lambda: nn.Residual(nn.Square()),
    "Product": lambda: nn.Product(nn.Sin(), nn.Square()),
    "a classifier": lambda: nn.HolomorphicClassifier(nn.Linear(3, 2)),
    "RealPart": nn.RealPart,
    "ImagPart": nn.ImagPart,
    "Modulus": nn.Modulus,
    "LogModulus": lambda: nn.LogModulus(0.1),
    "torch's Linear": lambda: torch_nn.Linear(3, 2, dtype=torch.cfloat),
    "complextorch's CVSigmoid": ctnn.CVSigmoid,
}


def family(name):
    return CATALOGUE[name].function_class, bool(CATALOGUE[name].obstacles)


# the first record of each class, with and without singularities
KINDS = {family(name): name for name in reversed(list(CATALOGUE))}.values()


ALIKE = {"a network", "a network with real coefficients", "Linear with real coefficients"}
SOME = [name for name in MODULES if (name not in CATALOGUE or name in KINDS) and name not in ALIKE]


@each("name", SOME)
def test_true_declarations_pass(name):
    passes(name)


@pytest.mark.slow
@each("name", [name for name in MODULES if name not in SOME])
def test_true_declarations_of_other_modules_pass(name):
    passes(name)


def passes(name):
    checks = list(checks_for(MODULES[name]()))
    assert len(checks) >= 3
    for check in checks:
        check()


class Declared(DeclaredModule):
    def __init__(self, function_class, f):
        super().__init__()
        self.function_class = function_class
        self.f = f

    def forward(self, z):
        return self.f(z)


F = FunctionClass
FALSE_CLAIMS = {
    "conj is affine over R": (F.AFFINE, torch.conj, "three witnesses"),
    "square is not affine": (F.AFFINE, torch.square, "affine"),
    "modulus squared is not harmonic": (F.HARMONIC, lambda z: z.abs() ** 2, "harmonic"),
    "minus the modulus is superharmonic": (F.SUBHARMONIC, lambda z: -z.abs(), "subharmonic"),
    "a saddle is not subharmonic": (F.SUBHARMONIC, lambda z: z.real**2 - 2 * z.imag**2, "subharm"),
    "centering mixes examples": (F.AFFINE, lambda z: z - z.mean(0), "each example"),
    "a detour through single precision": (
        F.SUBHARMONIC,
        lambda z: z.abs().float(),
        "precision",
    ),
}


@each("name", FALSE_CLAIMS)
def test_false_declarations_fail_their_check(name):
    claimed, f, by = FALSE_CLAIMS[name]
    failed = []
    for check in checks_for(Declared(claimed, f)):
        try:
            check()
        except AssertionError:
            failed.append(check.name)
    assert any(by in check for check in failed), failed


def test_a_record_with_a_false_derivative_fails():
    record = dataclasses.replace(CATALOGUE["sin"], name="sine", derivative=torch.sin)
    (check,) = [c for c in checks_for(nn.Activation(record)) if "record" in c.name]
    with pytest.raises(AssertionError, match="not the derivative"):
        check()


def test_nothing_is_guessed():
    with pytest.raises(NotHolomorphicError, match="declare"):
        list(checks_for(torch_nn.Bilinear(1, 1, 1)))


def test_a_real_module_is_told_what_to_ask() -> None:
    with pytest.raises(InputTypeError, match=r"continuation\.extend"):
        list(checks_for(torch_nn.Linear(3, 2)))
