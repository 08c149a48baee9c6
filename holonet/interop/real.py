"""The same network with real tensors alone, for tools that know no complex numbers."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Inexact
from torch import Tensor
from torch import nn as tnn

from holonet import nn
from holonet._arguments import checked
from holonet.errors import InputTypeError
from holonet.functions import get_function
from holonet.interop.real_layers import (
    Affine,
    Chain,
    Constant,
    EachPart,
    Formula,
    Joined,
    Lift,
    Product,
    Residual,
    Scaled,
)
from holonet.nn.coefficients import real_dtype, takes_real
from holonet.nn.declare import join_path, layers_in_order
from holonet.ops.elementary import ELEMENTARY, modulus
from holonet.ops.planar import Planar, Real, Sheet
from holonet.ops.tracing import UntranslatableError, trace

__all__ = ["RealForm", "to_real"]

Converted = tuple[tnn.Module, bool]
"""A layer on real tensors, and whether it gives the parts of complex numbers."""

LINEAR = (
    *(getattr(tnn, f"{name}{d}d") for name in ("Conv",) for d in (1, 2, 3)),
    tnn.ConvTranspose2d,
    tnn.Linear,
)
"""Layers of torch, and what holonet derives from them, that multiply by a weight."""

PARTWISE = (
    *(getattr(tnn, f"{kind}AvgPool{d}d") for kind in ("", "Adaptive") for d in (1, 2, 3)),
    *(getattr(tnn, f"{kind}Pad{d}d") for kind in ("Zero", "Circular") for d in (1, 2, 3)),
    *(getattr(tnn, f"{kind}Pad{d}d") for kind in ("Reflection", "Replication") for d in (1, 2, 3)),
    tnn.ChannelShuffle,
    tnn.Flatten,
    tnn.Fold,
    tnn.Identity,
    tnn.PixelShuffle,
    tnn.PixelUnshuffle,
    tnn.Unflatten,
    tnn.Unfold,
)
"""Layers of torch, and what holonet derives from them, that are linear with real numbers."""


class RealForm(tnn.Module):
    """What `to_real` makes: real tensors in and out, parts of complex numbers on a last axis."""

    def __init__(self, body: tnn.Module, complex_input: bool, dtype: torch.dtype | None) -> None:
        super().__init__()
        self.body, self.complex_input, self.dtype = body, complex_input, dtype

    def forward(self, x: Inexact[Tensor, "batch *event"]) -> Inexact[Tensor, "batch *out"]:
        """The model's value."""
        x = x if self.dtype is None else x.to(self.dtype)
        value = self.body((x[..., 0], x[..., 1]) if self.complex_input else x)
        return value if isinstance(value, Tensor) else torch.stack(value, -1)


@checked
def to_real(model: tnn.Module, *, complex_input: bool = False) -> RealForm:
    """The same function with real tensors only: for torch.export, ONNX, netron and quantizers.

    Complex layers become pairs of torch's own real ones, activations the real arithmetic of their
    parts. Layers that meet real numbers only stay as they are. Weights are copied; the form is in
    eval mode. On branch cuts another toolkit may take the other side.

    Args:
        model: of layers of holonet, and of torch's where they meet real numbers.
        complex_input: whether the model is meant to take complex tensors. The form takes
            `torch.view_as_real(z)` then.

    Law: to_real(model)(x) is model(x) to rounding. Complex values are `torch.view_as_real` of them.

    Raises:
        InputTypeError: a layer has no real form; the message names it by its path.

    Example:
        >>> model = nn.holomorphic_mlp(4, [3], 2)
        >>> x = torch.rand(5, 4)
        >>> bool(torch.allclose(to_real(model)(x), model(x), atol=1e-6))
        True
    """
    found = next((p.dtype for p in model.parameters()), None)
    dtype = None if found is None else real_dtype(found)
    body, _ = _Converter(dtype == torch.float64).convert(model, complex_input, "")
    return RealForm(body, complex_input, dtype).eval()


class _Converter:
    """Makes forms of layers: each for real input, or for the parts of complex input.

    Args:
        double: whether in double precision.
    """

    def __init__(self, double: bool) -> None:
        self.double = double
        self.rules: dict[type, Callable[[Any, bool, str], Converted]] = {
            nn.Activation: self.activation,
            nn.FrozenNorm: self.norm,
            nn.HolomorphicClassifier: self.classifier,
            nn.ImagPart: lambda layer, c, path: self.readout(layer, c, path, lambda z: z.im),
            nn.LogModulus: self.log_modulus,
            nn.Modulus: lambda layer, c, path: self.readout(layer, c, path, modulus),
            nn.Product: self.product,
            nn.RealPairs: self.pairs,
            nn.RealPart: lambda layer, c, path: self.readout(layer, c, path, lambda z: z.re),
            nn.Residual: self.residual,
            nn.Sequential: self.chain,
            nn.Threshold: self.threshold,
            tnn.Sequential: self.chain,
        }

    def convert(self, layer: tnn.Module, is_complex: bool, path: str) -> Converted:
        """The form of a layer, and whether it gives parts."""
        if "forward" not in vars(layer):
            for kind, rule in self.rules.items():
                if isinstance(layer, kind) and type(layer).forward is kind.forward:
                    return rule(layer, is_complex, path)
            known = type(layer).forward.__module__.split(".")[0] in ("torch", "holonet")
            if known and isinstance(layer, LINEAR):
                return self.affine(layer, is_complex)
            if known and isinstance(layer, PARTWISE):
                return EachPart(copy.deepcopy(layer)), is_complex
        foreign = not any(isinstance(m, nn.DeclaredModule) for m in layer.modules())
        numbers = (*layer.parameters(), *layer.buffers())
        if foreign and not is_complex and not any(t.is_complex() for t in numbers):
            return copy.deepcopy(layer), False
        raise _no_form(layer, path, "nothing is known of what it does to complex numbers")

    def chain(self, layer: Any, is_complex: bool, path: str) -> Converted:
        forms = []
        for name, child in layers_in_order(layer):
            form, is_complex = self.convert(child, is_complex, join_path(path, name))
            forms.append(form)
        return Chain(*forms), is_complex

    def classifier(self, layer: Any, is_complex: bool, path: str) -> Converted:
        lifts = not is_complex and not takes_real(layer.backbone)
        backbone, inner = self.convert(
            layer.backbone, is_complex or lifts, join_path(path, "backbone")
        )
        readout, outer = self.convert(layer.readout, inner, join_path(path, "readout"))
        return Chain(*([Lift()] if lifts else []), backbone, readout), outer

    def residual(self, layer: Any, is_complex: bool, path: str) -> Converted:
        body, inner = self.convert(layer.body, is_complex, join_path(path, "body"))
        return Residual(body), inner or is_complex

    def product(self, layer: Any, is_complex: bool, path: str) -> Converted:
        inside = join_path(path, "branches")
        forms = [
            self.convert(branch, is_complex, join_path(inside, name))
            for name, branch in layers_in_order(layer.branches)
        ]
        return Product([form for form, _ in forms]), any(found for _, found in forms)

    def affine(self, layer: Any, is_complex: bool) -> Converted:
        weight = layer.weight.detach()
        if not (is_complex or weight.is_complex()):
            return copy.deepcopy(layer), False
        parts = [weight.real, weight.imag] if weight.is_complex() else [weight]
        axis = -1 if isinstance(layer, tnn.Linear) else -1 - len(layer.kernel_size)
        bias = None if layer.bias is None else Constant(layer.bias, axis)
        return Affine([_torch_layer(layer, part) for part in parts], bias), True

    def norm(self, layer: nn.FrozenNorm, is_complex: bool, path: str) -> Converted:
        del path
        gain = (layer.weight / layer.scale).detach()
        shift = (layer.bias - gain * layer.mean).detach()
        axis = layer.feature_axis
        return Scaled(Constant(gain, axis), Constant(shift, axis)), is_complex or gain.is_complex()

    def threshold(self, layer: nn.Threshold, is_complex: bool, path: str) -> Converted:
        if not is_complex:
            return copy.deepcopy(layer), False
        slope = layer.log_slope.detach().exp()
        scaled = Scaled(Constant(slope, 1), Constant(-slope * layer.center.detach(), 1))
        erf = get_function("erf").value
        return Chain(scaled, self.formula(layer, lambda u: 0.5 * (1 + erf(u)), path)), True

    def activation(self, layer: nn.Activation, is_complex: bool, path: str) -> Converted:
        record = layer.function
        if is_complex:
            return self.formula(layer, record.value, path), True
        if not record.real_on_real:
            raise _no_form(layer, path, f"{record.name} of real numbers is complex")
        if record.real is not None:
            return copy.deepcopy(layer), False
        return self.formula(layer, record.value, path, real=True), False

    def pairs(self, layer: nn.RealPairs, is_complex: bool, path: str) -> Converted:
        if not is_complex:
            raise _no_form(layer, path, "it takes complex numbers (to_real(complex_input=True))")
        return Joined(), False

    def log_modulus(self, layer: nn.LogModulus, is_complex: bool, path: str) -> Converted:
        def value(z: Planar) -> Real:
            eps = z.re.sheet.constant(layer.eps)
            return ELEMENTARY["log"](Planar(modulus(z), eps) if layer.eps else z).re

        return self.readout(layer, is_complex, path, value)

    def readout(
        self, layer: tnn.Module, is_complex: bool, path: str, value: Callable[[Planar], Real]
    ) -> Converted:
        z = self.number(real=not is_complex)
        if not is_complex and isinstance(layer, nn.ImagPart):
            raise _no_form(layer, path, "the imaginary part of real numbers is 0")
        return Formula(value(z)), False

    def formula(
        self,
        layer: tnn.Module,
        function: Callable[[Any], Any],
        path: str,
        *,
        real: bool = False,
    ) -> Formula:
        try:
            value = trace(function, self.number(real=real))
        except UntranslatableError as error:
            raise _no_form(layer, path, str(error)) from error
        return Formula(value.re if real else value)

    def number(self, *, real: bool) -> Planar:
        """The input of a formula."""
        sheet = Sheet(self.double)
        x = sheet.input("z_re")
        return Planar(x, sheet.constant(0.0) if real else sheet.input("z_im"))


def _torch_layer(layer: Any, weight: Tensor) -> tnn.Module:
    """Torch's own layer with a real weight and without bias."""
    kind: Any = next(kind for kind in LINEAR if isinstance(layer, kind))
    if kind is tnn.Linear:
        made = kind(layer.in_features, layer.out_features, bias=False, device="meta")
    else:
        names = ["stride", "padding", "dilation", "groups", "padding_mode"]
        names += ["output_padding"] if layer.transposed else []
        options = {name: getattr(layer, name) for name in names}
        sizes = layer.in_channels, layer.out_channels, layer.kernel_size
        made = kind(*sizes, bias=False, device="meta", **options)
    made.weight = tnn.Parameter(weight.clone())
    return made


def _no_form(layer: tnn.Module, path: str, reason: str) -> InputTypeError:
    place = f"layer {path!r}, a {type(layer).__name__}," if path else f"a {type(layer).__name__}"
    return InputTypeError(
        f"{place} has no real form: {reason}. Replace it by layers of holonet.nn, or convert the "
        "parts of the network in front of it and behind it"
    )
