"""Every declared layer of torch and complextorch is what it was declared to be."""

import math

import complextorch.nn as ctnn
import pytest
import torch
from torch import nn as tnn

from cases import each
from holonet import nn
from holonet.calculus import fourier_coefficients, negative_mode_fraction
from holonet.errors import NotHolomorphicError
from holonet.functions import FunctionClass, get_function

C128 = torch.complex128
CFLOAT = {"dtype": torch.cfloat}

AFFINE = {
    tnn.Identity: (lambda: tnn.Identity(), (3,)),
    tnn.Flatten: (lambda: tnn.Flatten(), (2, 3)),
    tnn.Unflatten: (lambda: tnn.Unflatten(1, (2, 3)), (6,)),
    tnn.Linear: (lambda: tnn.Linear(3, 2, **CFLOAT), (3,)),
    tnn.Conv1d: (lambda: tnn.Conv1d(2, 3, 2, **CFLOAT), (2, 5)),
    tnn.Conv2d: (lambda: tnn.Conv2d(2, 3, 2, padding=1, **CFLOAT), (2, 4, 4)),
    tnn.Conv3d: (lambda: tnn.Conv3d(2, 3, 2, **CFLOAT), (2, 3, 3, 3)),
    tnn.ConvTranspose1d: (lambda: tnn.ConvTranspose1d(2, 3, 2, **CFLOAT), (2, 5)),
    tnn.ConvTranspose2d: (lambda: tnn.ConvTranspose2d(2, 3, 2, **CFLOAT), (2, 4, 4)),
    tnn.ConvTranspose3d: (lambda: tnn.ConvTranspose3d(2, 3, 2, **CFLOAT), (2, 3, 3, 3)),
    tnn.ZeroPad1d: (lambda: tnn.ZeroPad1d(1), (2, 3)),
    tnn.ZeroPad2d: (lambda: tnn.ZeroPad2d(1), (2, 3, 3)),
    tnn.ZeroPad3d: (lambda: tnn.ZeroPad3d(1), (2, 3, 3, 3)),
    tnn.ConstantPad1d: (lambda: tnn.ConstantPad1d(1, 2.0), (2, 3)),
    tnn.ConstantPad2d: (lambda: tnn.ConstantPad2d(1, 2.0), (2, 3, 3)),
    tnn.ConstantPad3d: (lambda: tnn.ConstantPad3d(1, 2.0), (2, 3, 3, 3)),
    tnn.CircularPad1d: (lambda: tnn.CircularPad1d(1), (2, 3)),
    tnn.CircularPad2d: (lambda: tnn.CircularPad2d(1), (2, 3, 3)),
    tnn.CircularPad3d: (lambda: tnn.CircularPad3d(1), (2, 3, 3, 3)),
    tnn.ReflectionPad1d: (lambda: tnn.ReflectionPad1d(1), (2, 3)),
    tnn.ReflectionPad2d: (lambda: tnn.ReflectionPad2d(1), (2, 3, 3)),
    tnn.ReflectionPad3d: (lambda: tnn.ReflectionPad3d(1), (2, 3, 3, 3)),
    tnn.ReplicationPad1d: (lambda: tnn.ReplicationPad1d(1), (2, 3)),
    tnn.ReplicationPad2d: (lambda: tnn.ReplicationPad2d(1), (2, 3, 3)),
    tnn.ReplicationPad3d: (lambda: tnn.ReplicationPad3d(1), (2, 3, 3, 3)),
    tnn.ChannelShuffle: (lambda: tnn.ChannelShuffle(2), (4, 3, 3)),
    tnn.PixelShuffle: (lambda: tnn.PixelShuffle(2), (4, 3, 3)),
    tnn.PixelUnshuffle: (lambda: tnn.PixelUnshuffle(2), (1, 4, 4)),
    tnn.Fold: (lambda: tnn.Fold((4, 5), (2, 2)), (4, 12)),
    tnn.Unfold: (lambda: tnn.Unfold((2, 2)), (3, 4, 4)),
    ctnn.Linear: (lambda: ctnn.Linear(3, 2), (3,)),
    ctnn.Conv1d: (lambda: ctnn.Conv1d(2, 3, 2), (2, 5)),
    ctnn.Conv2d: (lambda: ctnn.Conv2d(2, 3, 2), (2, 4, 4)),
    ctnn.Conv3d: (lambda: ctnn.Conv3d(2, 3, 2), (2, 3, 3, 3)),
    ctnn.ConvTranspose1d: (lambda: ctnn.ConvTranspose1d(2, 3, 2), (2, 5)),
    ctnn.ConvTranspose2d: (lambda: ctnn.ConvTranspose2d(2, 3, 2), (2, 4, 4)),
    ctnn.ConvTranspose3d: (lambda: ctnn.ConvTranspose3d(2, 3, 2), (2, 3, 3, 3)),
    ctnn.gauss.Linear: (lambda: ctnn.gauss.Linear(3, 2), (3,)),
    ctnn.AvgPool1d: (lambda: ctnn.AvgPool1d(2), (2, 4)),
    ctnn.AvgPool2d: (lambda: ctnn.AvgPool2d(2), (2, 4, 4)),
    ctnn.AvgPool3d: (lambda: ctnn.AvgPool3d(2), (2, 4, 4, 4)),
    ctnn.AdaptiveAvgPool1d: (lambda: ctnn.AdaptiveAvgPool1d(2), (2, 5)),
    ctnn.AdaptiveAvgPool2d: (lambda: ctnn.AdaptiveAvgPool2d(2), (2, 5, 5)),
    ctnn.AdaptiveAvgPool3d: (lambda: ctnn.AdaptiveAvgPool3d(2), (2, 5, 5, 5)),
    ctnn.SpectralPool1d: (lambda: ctnn.SpectralPool1d(3), (2, 6)),
    ctnn.SpectralPool2d: (lambda: ctnn.SpectralPool2d(3), (2, 6, 6)),
    ctnn.SpectralPool3d: (lambda: ctnn.SpectralPool3d(2), (2, 4, 4, 4)),
    ctnn.PhaseShift: (lambda: ctnn.PhaseShift(3), (3, 4)),
    ctnn.ComplexScaling: (lambda: ctnn.ComplexScaling(3), (3, 4)),
    ctnn.FFTBlock: (lambda: ctnn.FFTBlock(), (3, 4)),
    ctnn.IFFTBlock: (lambda: ctnn.IFFTBlock(), (3, 4)),
    ctnn.S4D: (lambda: ctnn.S4D(2, 4), (5, 2)),
    ctnn.DSS: (lambda: ctnn.DSS(2, 4), (5, 2)),
    ctnn.SinusoidalPositionalEncoding: (lambda: ctnn.SinusoidalPositionalEncoding(4), (5, 4)),
}

PIECEWISE = {
    ctnn.zReLU: (lambda: ctnn.zReLU(), (3,)),
    ctnn.zLeakyReLU: (lambda: ctnn.zLeakyReLU(), (3,)),
    ctnn.zAbsReLU: (lambda: ctnn.zAbsReLU(), (3,)),
    ctnn.CReLU: (lambda: ctnn.CReLU(inplace=False), (3,)),
    ctnn.CPReLU: (lambda: ctnn.CPReLU(), (3,)),
    ctnn.tReLU: (lambda: ctnn.tReLU(), (3,)),
    ctnn.modReLU: (lambda: ctnn.modReLU(), (3,)),
    ctnn.MagMaxPool1d: (lambda: ctnn.MagMaxPool1d(2), (2, 4)),
    ctnn.MagMaxPool2d: (lambda: ctnn.MagMaxPool2d(2), (2, 4, 4)),
    ctnn.MagMaxPool3d: (lambda: ctnn.MagMaxPool3d(2), (2, 4, 4, 4)),
}
REFUSE_COMPLEX = {
    tnn.ReLU: (lambda: tnn.ReLU(), (3,)),
    tnn.LeakyReLU: (lambda: tnn.LeakyReLU(), (3,)),
    tnn.MaxPool1d: (lambda: tnn.MaxPool1d(2), (2, 4)),
    tnn.MaxPool2d: (lambda: tnn.MaxPool2d(2), (2, 4, 4)),
}

SMOOTH = {
    ctnn.CVCardiod: (lambda: ctnn.CVCardiod(), (3,)),
    ctnn.CVSigLog: (lambda: ctnn.CVSigLog(), (3,)),
    ctnn.CTanh: (lambda: ctnn.CTanh(), (3,)),
    ctnn.CSigmoid: (lambda: ctnn.CSigmoid(), (3,)),
    ctnn.CGELU: (lambda: ctnn.CGELU(), (3,)),
    ctnn.CVPolarTanh: (lambda: ctnn.CVPolarTanh(), (3,)),
    ctnn.CVPolarSquash: (lambda: ctnn.CVPolarSquash(), (3,)),
    ctnn.CVPolarLog: (lambda: ctnn.CVPolarLog(), (3,)),
    ctnn.BatchNorm1d: (lambda: ctnn.BatchNorm1d(2), (2, 3)),
    ctnn.BatchNorm2d: (lambda: ctnn.BatchNorm2d(2), (2, 3, 3)),
    ctnn.BatchNorm3d: (lambda: ctnn.BatchNorm3d(2), (2, 3, 3, 3)),
    ctnn.LayerNorm: (lambda: ctnn.LayerNorm(4), (3, 4)),
    ctnn.GroupNorm: (lambda: ctnn.GroupNorm(2, 4), (4, 3)),
    ctnn.RMSNorm: (lambda: ctnn.RMSNorm(4), (3, 4)),
    ctnn.Dropout: (lambda: ctnn.Dropout(0.5), (6,)),
}


def name(case):
    return f"{case[0].__module__.split('.')[0]}.{case[0].__name__}"


def built(build):
    """The layer in double precision, its parameters moved off their initial values."""
    layer = nn.to_precision(build(), C128)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return layer


def seeded(layer, z):
    torch.manual_seed(1)  # the same dropout mask at every call
    with torch.no_grad():
        return layer(z)


def directional_defect(layer, z, step=1e-5):
    """||J(iv) - i J(v)|| / ||J(v)|| by central differences: 0 for a holomorphic layer."""
    v = torch.randn_like(z)

    def slope(direction):
        ahead = seeded(layer, z + step * direction)
        return (ahead - seeded(layer, z - step * direction)) / (2 * step)

    along = slope(v)
    return float((slope(1j * v) - 1j * along).norm() / along.norm())


def negative_modes(layer, z):
    """The fraction of negative modes on an off-center circle in a random complex line."""
    line = torch.randn_like(z)

    def on_line(t):
        return torch.cat([seeded(layer, z + x * line) for x in t])

    return negative_mode_fraction(fourier_coefficients(on_line, 0.4 + 0.3j, 0.8))


def test_the_tables_hold_every_declared_layer():
    assert {*AFFINE} == {*nn.AFFINE_LAYERS}
    assert {*PIECEWISE, *REFUSE_COMPLEX} == {*nn.PIECEWISE_LAYERS}
    assert {*SMOOTH} == {*nn.SMOOTH_LAYERS}


@each("train", [True, False], ids=["train", "eval"])
@each("case", AFFINE.items(), ids=name)
def test_affine_layers_are_complex_affine(case, train):
    kind, (build, shape) = case
    layer = built(build).train(train)
    assert type(layer) is kind
    assert nn.declared_class(layer) is FunctionClass.AFFINE
    z, w = torch.randn(2, 2, *shape, dtype=C128)
    t = 0.3 - 1.7j  # affine, so that no limit is needed: f(tz + (1-t)w) = t f(z) + (1-t) f(w)
    found, expected = layer(t * z + (1 - t) * w), t * layer(z) + (1 - t) * layer(w)
    assert found.dtype is C128
    assert (found - expected).norm() <= 1e-13 * expected.norm()


@each("case", SMOOTH.items(), ids=name)
def test_smooth_layers_violate_cauchy_riemann(case):
    kind, (build, shape) = case
    layer = built(build)
    assert type(layer) is kind
    assert nn.declared_class(layer) is FunctionClass.SMOOTH
    assert directional_defect(layer, torch.randn(4, *shape, dtype=C128)) > 1e-2


@each("case", PIECEWISE.items(), ids=name)
def test_piecewise_layers_violate_it_or_jump(case):
    kind, (build, shape) = case
    layer = built(build)
    assert type(layer) is kind
    assert nn.declared_class(layer) is FunctionClass.PIECEWISE
    points = 0.1 * torch.randn(8, 1, *shape, dtype=C128)
    assert max(negative_modes(layer, z) for z in points) > 1e-6


def test_the_witnesses_pass_what_is_holomorphic():
    z = torch.randn(1, 3, dtype=C128)
    assert directional_defect(torch.sin, z) < 1e-8
    assert negative_modes(torch.sin, z) < 1e-26


@pytest.mark.parametrize("case", REFUSE_COMPLEX.items(), ids=name)
def test_torchs_piecewise_layers_refuse_complex_tensors(case):
    kind, (build, shape) = case
    assert nn.declared_class(build()) is FunctionClass.PIECEWISE
    with pytest.raises((RuntimeError, NotImplementedError)):
        build()(torch.randn(2, *shape, dtype=C128))
    with pytest.raises(NotHolomorphicError, match=f"torch's {kind.__name__} is piecewise"):
        nn.Sequential(build())


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_gauss_convolutions_pad_rightly_only_with_zeros(axes):
    kind = getattr(ctnn.gauss, f"Conv{axes}d")
    z, w = torch.randn(2, 1, 2, *(4,) * axes, dtype=C128)
    t = 0.3 - 1.7j
    defects = {}
    for mode in ("zeros", "circular"):
        layer = nn.to_precision(kind(2, 3, 3, padding=1, padding_mode=mode), C128)
        expected = t * layer(z) + (1 - t) * layer(w)
        gap = layer(t * z + (1 - t) * w) - expected
        defects[mode] = (gap.norm() / expected.norm()).item()
        holomorphic = nn.declared_class(layer).is_holomorphic
        assert holomorphic == (mode == "zeros")
    assert defects["zeros"] < 1e-13
    assert defects["circular"] > 1e-2  # if this fails complextorch has repaired it


def test_the_complextorch_sigmoid_is_ours_mirrored():
    layer, record = ctnn.CVSigmoid(), get_function("sigmoid")
    z = torch.randn(50, dtype=C128)
    torch.testing.assert_close(layer(z), record(-z))
    assert nn.declared_class(layer) is FunctionClass.MEROMORPHIC
    net = nn.Sequential(tnn.Identity(), layer)
    assert net.domain is None
    assert net.singularities == record.singularities
    near_pole = torch.tensor([1j * (math.pi - 0.25), 0], dtype=C128)
    torch.testing.assert_close(
        net.margin(near_pole), torch.tensor([0.25, math.pi], dtype=torch.float64)
    )
