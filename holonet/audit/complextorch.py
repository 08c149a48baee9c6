"""The layers of complextorch, each with how to build it and what it is known to be.

Longer than a module should be: it is one list.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from types import ModuleType
from typing import Any

import complextorch
import torch
from complextorch import nn as ctnn
from jaxtyping import Inexact
from torch import Tensor, nn

from holonet._types import InexactEntries

__all__ = ["EXCLUDED", "SPECS", "LayerSpec", "Verdict", "layer_types"]

Out = Inexact[Tensor, "*out"]


class Verdict(StrEnum):
    """What an audit of a layer comes to.

    PIECEWISE means that dbar was 0 at all points, and yet there were negative modes: jumps
    between holomorphic pieces. WRONG_DERIVATIVE means that autograd's derivative is not that of
    the values. MEROMORPHIC is HOLOMORPHIC, with declared singularities.
    """

    HOLOMORPHIC = "no violation found"
    MEROMORPHIC = "meromorphic (poles)"
    EVAL_ONLY = "holomorphic in eval only"
    PIECEWISE = "piecewise"
    WRONG_DERIVATIVE = "wrong derivative"
    NOT_HOLOMORPHIC = "not holomorphic"
    REAL = "real-valued"
    FAILS = "fails"


def _plain(layer: nn.Module, z: InexactEntries) -> Out:
    return layer(z)


def _first(layer: nn.Module, z: InexactEntries) -> Out:
    return layer(z)[0]


def _spread(layer: nn.Module, z: InexactEntries) -> Out:
    """A layer of several inputs, at the slices of z: it is jointly holomorphic or it is not."""
    return layer(*z.unbind(1))


def _sequence_and_state(layer: nn.Module, z: InexactEntries) -> Out:
    """A recurrent layer at a sequence, batch first, whose last entry is the initial state."""
    return layer(z[:, :-1], z[:, -1].unsqueeze(0))[0]


@dataclass(frozen=True)
class LayerSpec:
    """One layer to audit.

    Args:
        label: name and telling arguments, "Bilinear(conjugate=False)"; unique.
        name: its path below complextorch.nn ("gauss.Linear"), or "models.CVKAN".
        build: makes it, small.
        shape: of one example, without the batch.
        expected: the verdict that complextorch 2.1.1 is known to deserve.
        reason: why, in a few words.
        apply: how it is called on one tensor of examples.
        scale: root mean square modulus of the entries to try it at.
    """

    label: str
    name: str
    build: Callable[[], nn.Module]
    shape: tuple[int, ...]
    expected: Verdict = Verdict.HOLOMORPHIC
    reason: str = ""
    apply: Callable[[nn.Module, InexactEntries], Out] = _plain
    scale: float = 1.5


def layer_types() -> dict[str, type[nn.Module]]:
    """Every public nn.Module class that complextorch brings, by its path.

    Example:
        >>> layer_types()["gauss.Linear"].__module__
        'complextorch.nn.gauss.linear'
    """
    types: dict[str, type[nn.Module]] = {}
    visited: set[str] = set()

    def visit(module: ModuleType) -> None:
        visited.add(module.__name__)
        for name, value in vars(module).items():
            if inspect.ismodule(value):
                if value.__name__.startswith("complextorch.") and value.__name__ not in visited:
                    visit(value)
            elif inspect.isclass(value) and issubclass(value, nn.Module):
                inside = value.__module__.startswith("complextorch.")
                if inside and not name.startswith("_") and name == value.__name__:
                    types[_path(value)] = value

    visit(complextorch)
    return types


def _path(layer: type[nn.Module]) -> str:
    """complextorch.nn.modules.conv.Conv1d is Conv1d, complextorch.models.kan.CVKAN models.CVKAN."""
    _, *packages = layer.__module__.split(".")
    if packages[0] == "nn":
        packages = packages[1:]
    return layer.__name__ if packages[0] == "modules" else f"{packages[0]}.{layer.__name__}"


def _type(name: str) -> Callable[..., nn.Module]:
    """The inverse of `_path`; looked up when a layer is built, so that one that is gone fails."""
    home: Any = complextorch if name.startswith("models.") else ctnn
    return reduce(getattr, name.split("."), home)


def _spec(
    name: str,
    shape: tuple[int, ...],
    *sizes: object,
    build: Callable[[], nn.Module] | None = None,
    apply: Callable[[nn.Module, InexactEntries], Out] = _plain,
    scale: float = 1.5,
    **telling: object,
) -> LayerSpec:
    """The layer `name` built from `sizes` and from the `telling` arguments, which its label has."""
    said = ", ".join(f"{key}={value!r}" for key, value in telling.items())
    return LayerSpec(
        label=f"{name}({said})" if said else name,
        name=name,
        build=build if build is not None else lambda: _type(name)(*sizes, **telling),
        shape=shape,
        apply=apply,
        scale=scale,
    )


def _known(expected: Verdict, reason: str, specs: Iterable[LayerSpec]) -> tuple[LayerSpec, ...]:
    return tuple(replace(spec, expected=expected, reason=reason) for spec in specs)


def _encoder() -> nn.Module:
    return ctnn.TransformerEncoder(ctnn.TransformerEncoderLayer(4, 2, 8), 1)


def _decoder() -> nn.Module:
    return ctnn.TransformerDecoder(ctnn.TransformerDecoderLayer(4, 2, 8), 1)


def _half_dropped(name: str, *sizes: int, **options: bool) -> Callable[[], nn.Module]:
    """A layer of complextorch.nn.masked; it refuses to run before a mask is set."""

    def build() -> nn.Module:
        layer = _type(name)(*sizes, **options)
        layer.mask = torch.rand(layer.get_parameter("weight").shape).round()
        return layer

    return build


_IMAGE = {1: (2, 6), 2: (2, 6, 6), 3: (2, 4, 4, 4)}  # channels, then the axes
_DIMENSIONS = (1, 2, 3)

_HOLOMORPHIC = [
    _spec("Linear", (4,), 4, 3),
    _spec("gauss.Linear", (4,), 4, 3),
    _spec("Bilinear", (2, 4), 4, 4, 3, apply=_spread, conjugate=False),
    *(_spec(f"Conv{d}d", _IMAGE[d], 2, 3, 2) for d in _DIMENSIONS),
    *(_spec(f"ConvTranspose{d}d", _IMAGE[d], 2, 3, 2) for d in _DIMENSIONS),
    *(_spec(f"gauss.Conv{d}d", _IMAGE[d], 2, 3, 2, padding=1) for d in _DIMENSIONS),
    *(_spec(f"gauss.ConvTranspose{d}d", _IMAGE[d], 2, 3, 2) for d in _DIMENSIONS),
    *(_spec(f"AvgPool{d}d", _IMAGE[d], 2) for d in _DIMENSIONS),
    *(_spec(f"AdaptiveAvgPool{d}d", _IMAGE[d], 2) for d in _DIMENSIONS),
    *(_spec(f"SpectralPool{d}d", _IMAGE[d], 3) for d in _DIMENSIONS),
    *(_spec(f"Dropout{d}d", _IMAGE[d]) for d in _DIMENSIONS),
    *(
        _spec(f"masked.{k}", s, build=_half_dropped(f"masked.{k}", 2, 3, *size))
        for k, s, size in (
            ("LinearMasked", (2,), ()),
            *((f"Conv{d}dMasked", _IMAGE[d], (2,)) for d in _DIMENSIONS),
        )
    ),
    _spec(
        "masked.BilinearMasked",
        (2, 4),
        build=_half_dropped("masked.BilinearMasked", 4, 4, 3, conjugate=False),
        apply=_spread,
        conjugate=False,
    ),
    _spec("Upsample", _IMAGE[2], scale_factor=2),
    _spec("PolarUpsample", _IMAGE[2], scale_factor=2),  # mode="nearest" only copies entries
    _spec("PhaseShift", (3, 4), 3),
    _spec("ComplexScaling", (3, 4), 3),
    _spec("RealToComplex", (4,), dtype=torch.complex128),
    _spec("FFTBlock", (4,)),
    _spec("IFFTBlock", (4,)),
    _spec("STFT", (16,), 4),
    _spec("InverseSTFT", (4, 5), 4),
    _spec("ComplexGaborConv1d", (2, 8), 2, 3, 4),
    _spec("MorletConv1d", (2, 8), 2, 3, 4),
    _spec("RotaryEmbedding", (5, 4), 4),
    _spec("SinusoidalPositionalEncoding", (5, 4), 4),
    _spec("CoPE", (5, 4), 4),
    _spec("S4D", (5, 2), 2, 4),
    _spec("DSS", (5, 2), 2, 4),
]
_EVAL_ONLY = [
    _spec("Dropout", (8,)),
    *(_spec(f"relevance.Linear{k}", (4,), 4, 3) for k in ("VD", "ARD")),
    *(
        _spec(f"relevance.Conv{d}d{k}", _IMAGE[d], 2, 3, 2)
        for d in _DIMENSIONS
        for k in ("VD", "ARD")
    ),
    *(
        _spec(f"relevance.Bilinear{k}", (2, 4), 4, 4, 3, apply=_spread, conjugate=False)
        for k in ("VD", "ARD")
    ),
]
_PIECEWISE = [
    _spec("zReLU", (16,)),
    _spec("zLeakyReLU", (16,)),
    _spec("zAbsReLU", (16,), a_init=0.8),
    *(_spec(f"MagMaxPool{d}d", _IMAGE[d], 2) for d in _DIMENSIONS),
]
_SPLIT = [
    *(
        _spec(name, (16,))
        for name in (
            *("CVSplitReLU", "CReLU", "CPReLU", "CVSplitTanh", "CTanh", "CVSplitSigmoid"),
            *("CSigmoid", "CVSplitAbs", "CVSplitELU", "CELU", "CVSplitCELU", "CCELU"),
            *("CVSplitGELU", "CGELU"),
        )
    ),
    _spec("GeneralizedSplitActivation", (16,), nn.Tanh(), nn.Tanh()),
    _spec("CVSoftMax", (16,), -1),
    _spec("models.SteinmetzNetwork", (4,), 4, 6, 3),
    _spec("models.AnalyticNeuralNetwork", (4,), 4, 6, 3),
]
_POLAR = [
    *(
        _spec(name, (16,))
        for name in (
            *("CVCardiod", "CVSigLog", "CVPolarTanh", "CVPolarSquash", "CVPolarLog", "modReLU"),
            *("tReLU", "ComplexRatioMask", "PhaseSigmoid", "MagMinMaxNorm"),
        )
    ),
    _spec("AdaptiveModReLU", (16,), 16),
    _spec("GeneralizedPolarActivation", (16,), nn.Tanh(), nn.Identity()),
    _spec("GTReLU", (4, 4), 4),
    _spec("EquivariantPhaseReLU", (6, 3), 6),
    _spec("PhaseSoftMax", (16,), -1),
    _spec("PolarUpsample", _IMAGE[2], scale_factor=2, mode="bilinear"),
    _spec("wFMReLU", (3, 4), 3),
    _spec("wFMConv1d", _IMAGE[1], 2, 3, 2),
    _spec("wFMConv2d", _IMAGE[2], 2, 3, (2, 2)),
    _spec("wFMConvStrict2d", _IMAGE[2], 2, 3, 2),
    _spec("CVKANLayer", (3,), 3, 2, 4),
    _spec("models.CVKAN", (3,), [3, 2, 2], 4),
]
_NORMS = [
    *(
        _spec(f"{kind}BatchNorm{d}d", _IMAGE[d], 2)
        for kind in ("", "Naive", "Mag")
        for d in _DIMENSIONS
    ),
    _spec("LayerNorm", (3, 4), 4),
    _spec("RMSNorm", (3, 4), 4),
    _spec("GroupNorm", (4, 3), 2, 4),
]
_CONJUGATING = [
    _spec("Bilinear", (2, 4), 4, 4, 3, apply=_spread),
    _spec(
        "masked.BilinearMasked",
        (2, 4),
        build=_half_dropped("masked.BilinearMasked", 4, 4, 3),
        apply=_spread,
    ),
    *(_spec(f"relevance.Bilinear{k}", (2, 4), 4, 4, 3, apply=_spread) for k in ("VD", "ARD")),
    *(_spec(f"PhaseConjConv{d}d", _IMAGE[d], 2, 2) for d in _DIMENSIONS),
    *(_spec(f"PhaseDivConv{d}d", _IMAGE[d], 2, 2) for d in _DIMENSIONS),
]
_ATTENTION = [
    _spec("ScaledDotProductAttention", (3, 4, 4), 2.0, apply=_spread),
    _spec("HolographicAttention", (3, 4, 4), 2.0, apply=_spread),
    _spec("MultiheadAttention", (3, 4, 4), 2, 4, 2, 2, apply=_spread),
    *(_spec(f"EfficientChannelAttention{d}d", _IMAGE[d], 2) for d in _DIMENSIONS),
    *(_spec(f"MaskedChannelAttention{d}d", _IMAGE[d], 2) for d in _DIMENSIONS),
    _spec("TransformerEncoderLayer", (3, 4), 4, 2, 8),
    _spec("TransformerEncoder", (3, 4), build=_encoder),
    _spec("TransformerDecoderLayer", (2, 3, 4), 4, 2, 8, apply=_spread),
    _spec("TransformerDecoder", (2, 3, 4), build=_decoder, apply=_spread),
    _spec("Transformer", (2, 3, 4), 4, 2, 1, 1, 8, apply=_spread),
]
_RECURRENT = [
    _spec("GRUCell", (2, 4), 4, 4, apply=_spread),
    _spec("LSTMCell", (4,), 4, 3, apply=_first),
    _spec("GRU", (4, 3), 3, 3, batch_first=True, apply=_sequence_and_state),
    _spec("LSTM", (3, 4), 4, 3, batch_first=True, apply=_first),
    _spec("UnitaryRNNCell", (2, 4), 4, 4, apply=_spread),
    _spec("UnitaryRNN", (4, 3), 3, 3, batch_first=True, apply=_sequence_and_state),
    _spec("S4DBlock", (4, 2), 2, 4),
    _spec("MambaBlock", (4, 2), 2, 4),
]
_GAUSS_PADDED = [
    _spec(f"gauss.Conv{d}d", _IMAGE[d], 2, 3, 3, padding=1, padding_mode="circular")
    for d in _DIMENSIONS
]
_REAL = [
    _spec("Mod", (16,)),
    _spec("MagSoftMax", (16,), -1),
    _spec("ComplexToInterleaved", (4,)),
    _spec("ComplexToConcatenated", (4,)),
    _spec("PrototypeDistance", (4,), 4, 3),
    _spec("wFMDistanceLinear", (4,), 4),
]
_SIGMOID = [_spec("CVSigmoid", (16,), scale=0.3)]  # the nearest pole is at i pi

_NOT = Verdict.NOT_HOLOMORPHIC
SPECS: tuple[LayerSpec, ...] = (
    *_known(Verdict.MEROMORPHIC, "1/(1 + exp(z)), which is sigmoid(-z)", _SIGMOID),
    *_known(Verdict.PIECEWISE, "holomorphic on each piece, jumps between them", _PIECEWISE),
    *_known(_NOT, "treats real and imaginary part apart", _SPLIT),
    *_known(_NOT, "uses the modulus or the phase", _POLAR),
    *_known(_NOT, "divides by real statistics of the data", _NORMS),
    *_known(_NOT, "conjugates; PhaseDivConv only up to its eps", _CONJUGATING),
    *_known(_NOT, "softmax, masks and norms of real quantities", _ATTENTION),
    *_known(_NOT, "split gates, or modReLU", _RECURRENT),
    *_known(_NOT, "pads only two of its three products", _GAUSS_PADDED),
    *_known(Verdict.REAL, "real output; holomorphic only if constant", _REAL),
    *_known(Verdict.EVAL_ONLY, "noise of the parts or scaled by the modulus", _EVAL_ONLY),
    *_known(Verdict.HOLOMORPHIC, "complex-affine or complex-bilinear", _HOLOMORPHIC),
)
"""Every layer that takes complex tensors, with telling variants."""

_REASONS = {
    "a loss: its value is real": (
        *("AnalyticSignalLoss", "CVCauchyError", "CVFourthPowError", "CVLogCoshError"),
        *("CVLogError", "CVQuadError", "GeneralizedPolarLoss", "GeneralizedSplitLoss"),
        *("HolographicReconstructionLoss", "MSELoss", "PerpLossSSIM", "SSIM", "SplitL1"),
        *("SplitMSE", "SplitSSIM"),
    ),
    "takes real tensors: there is no complex variable": (
        *("InterleavedToComplex", "ConcatenatedToComplex"),
    ),
    "an abstract base or mixin without a forward of its own": (
        *("SSMBase", "masked.BaseMasked", "masked.MaskedWeightMixin", "relevance.BaseARD"),
        "utils.SparsityStats",
    ),
    "a whole network of layers that are audited by themselves": (
        *("models.ViT", "models.ViTLayer", "models.CDSEquivariant", "models.CDSInvariant"),
        "models.CDSMSTAR",
    ),
    "prepares one sample of a data set, no layer of a network": tuple(
        f"transforms.{name}"
        for name in (
            *("Amplitude", "CenterCrop", "FFT2", "FFTResize", "HWC2CHW", "IFFT2", "LogAmplitude"),
            *("Normalize", "PadIfNeeded", "PolSAR", "RandomPhase", "RealImaginary"),
            *("SpatialResize", "ToImaginary", "ToReal", "ToTensor", "Unsqueeze"),
        )
    ),
}
EXCLUDED: dict[str, str] = {name: why for why, names in _REASONS.items() for name in names}
"""Every layer type that is not audited, with the reason."""
