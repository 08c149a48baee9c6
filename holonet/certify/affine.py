"""Affine layers on enclosures and on linear forms, errors included, without extra products.

Errors ride in the radius: with gamma the relative error of the sums,
|W x + b - (W c + b)| <= |W| (r + gamma (|c| + r)) + gamma |b|. This holds for every order of
summation, and for the exact and the executed layer alike.
"""

import itertools
import math
from collections.abc import Callable

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

from holonet._types import OwnShape
from holonet.certify.enclosure import EXACT, Ball, Enclosure, Semantics, moduli
from holonet.certify.rows import Rows, total
from holonet.certify.step import Step, Trace, stored
from holonet.errors import InputTypeError, NumericalError
from holonet.functions.rounding import margin
from holonet.nn import FrozenNorm

__all__ = ["Affine", "convolution", "linear", "mean_pooling", "normalizer"]

Parts = Float64[Tensor, "parts n *event"]
Values = Float64[Tensor, "out_parts n *out"]

_GAUSS = 4
"""What three products after Gauss round, over what one product of both sums of moduli does."""

conv2d_transposed: Callable[..., Tensor] = conv2d_input
"""The transposed convolution for a size of the input; torch's annotations are narrower."""

Product = Callable[
    [Float64[Tensor, "n *event"], Float64[Tensor, "*weight"]], Float64[Tensor, "n *out"]
]
Transposed = Callable[
    [Float64[Tensor, "n *out"], Float64[Tensor, "*weight"], torch.Size],
    Float64[Tensor, "n *event"],
]


class Affine(Step):
    """W z + b, on real or complex z.

    Args:
        name: the path of the layer.
        weight, bias: their parts, one or two, in float64; the bias broadcasts against the value.
        terms: products in one entry of the value, and in one entry of a form pulled back.
        product: (x, W) -> W x on a batch (n, *event) of real numbers, bilinear.
        transposed: (v, W, event) -> W^T v on (n, *out).
        bias_size: bounds of the terms that the bias is the sum of, its moduli unless given.
        mixes_parts: torch forms complex products by three real ones, after Gauss, as its
            convolutions do; each part then has the rounding of both.
        is_rounded: entries of the matrix or the bias are rounded results, no stored numbers.
    """

    def __init__(
        self,
        name: str,
        weight: tuple[OwnShape, ...],
        bias: tuple[OwnShape, ...] | None,
        terms: tuple[int, int],
        product: Product,
        transposed: Transposed,
        bias_size: tuple[OwnShape, ...] | None = None,
        mixes_parts: bool = False,
        is_rounded: bool = False,
    ) -> None:
        super().__init__(name)
        self.weight, self.moduli = weight, tuple(w.abs() for w in weight)
        self.bias, self.is_rounded = bias, is_rounded
        self.bias_size = bias_size or (bias and tuple(b.abs() for b in bias))
        self.terms = tuple(len(weight) * count + 8 for count in terms)
        self._product, self._transposed = product, transposed
        self._mixes_parts = mixes_parts and len(weight) == 2

    def image(self, enclosure: Enclosure, trace: Trace) -> Enclosure:
        """The image of the box, exact but for rounding: for complex numbers in each part.

        The points of a ball are within |W_i|_2 length of the image of its middle.
        """
        image = self._image(enclosure.center, enclosure.radius, 0.0, enclosure, trace.semantics)
        if (ball := enclosure.ball) is None:
            return image
        nothing, rises = torch.zeros_like(ball.middle), self._rises(ball)
        around = self._image(ball.middle, nothing, rises, enclosure, trace.semantics)
        return image.cut(around)

    def _image(
        self,
        center: Tensor,
        radius: Tensor,
        rise: Tensor | float,
        enclosure: Enclosure,
        semantics: Semantics,
    ) -> Enclosure:
        """Within |W| radius + rise of the value at a center, for the numbers of an enclosure."""
        gamma, tiny, size = self._gamma(semantics), self._tiny(semantics, enclosure), enclosure.size
        spread = radius + gamma * size + semantics.tiny
        center = self._applied(center, self.weight, -1)
        radius = self._applied(spread, self.moduli, 1) + rise
        if self.bias is not None and self.bias_size is not None:
            center = _added(center, self.bias)
            radius = _added(radius, tuple(gamma * size for size in self.bias_size))
        if mixing := self._mixing(semantics, len(size)):
            radius = radius + mixing * self._product(size.sum(0), self.moduli[0] + self.moduli[1])
            radius = radius + mixing * sum(self.bias_size or (0.0,))
        radius = radius * (1 + 2 * EXACT.gamma(self.terms[0])) + self.terms[0] * tiny
        return Enclosure(center, radius)

    def pull(self, rows: Rows, trace: Trace) -> Rows:
        """By the transposed matrix, which is not the conjugate one."""
        gamma, tiny = self._gamma(trace.semantics), trace.semantics.tiny
        lost = self._tiny(trace.semantics, trace.inputs[self]).flatten()[:, None]
        event = trace.inputs[self].center.shape[2:]
        parts = len(trace.inputs[self].center)
        error = rows.error + gamma * rows.value.abs()
        value = self._pulled(rows.value, self.weight, -1, event, parts)
        wide = self._pulled(error, self.moduli, 1, event, parts)
        mixing, both = self._mixing(trace.semantics, parts), rows.value.abs().sum(0)
        if mixing:
            mixed = self._transposed(both.flatten(0, 1), self.moduli[0] + self.moduli[1], event)
            wide = wide + mixing * mixed.unflatten(0, both.shape[:2])
        wide = wide * (1 + 2 * EXACT.gamma(self.terms[1]))
        moduli = total(rows.value.abs() + rows.error)
        # |W|^T |v| is at most the new error over gamma
        slack = self.terms[0] * lost * moduli + tiny * total(wide) / gamma
        pulled = Rows(value, wide, rows.constant, rows.slack + 2 * slack)
        if self.bias is None or self.bias_size is None:
            return pulled
        bias, size = (
            torch.stack([b.expand(rows.value.shape[3:]) for b in side])[:, None, None]
            for side in (self.bias, self.bias_size)
        )
        count = EXACT.gamma(math.prod(rows.value.shape[3:]) * len(bias) + 8)
        used = rows.value[: len(bias)]
        slack = total((error[: len(bias)] + count * used.abs()) * size) * (1 + count)
        if mixing:
            slack = slack + 2 * mixing * total(both[None] * size.sum(0, keepdim=True))
        return pulled.plus(total(used * bias), slack)

    def linear(self, x: Parts, moduli: bool, executed: bool = False) -> Values:
        """W x; with moduli |W| x, as executed what rounding of its products is relative to."""
        if moduli and executed and self._mixes_parts and len(x) == 2:
            both = self._product(x.sum(0), self.moduli[0] + self.moduli[1])
            return _GAUSS * torch.stack([both, both])
        return self._applied(x, self.moduli if moduli else self.weight, 1 if moduli else -1)

    def plus_bias(self, value: Parts, sizes: bool = False) -> Parts:
        """With the bias added, or what bounds its terms."""
        bias = self.bias_size if sizes else self.bias
        if bias is None:
            return value
        if sizes and self._mixes_parts:
            bias = (_GAUSS * torch.stack(bias).sum(0),) * 2
        return _added(value, bias)

    def transposed(self, v: Values, event: torch.Size, parts: int) -> Parts:
        """W^T v on inputs of a shape, of one part or two."""
        return self._pulled(v[:, None], self.weight, -1, event, parts)[:, 0]

    def _rises(self, ball: Ball) -> Tensor:
        """Of each entry of the value; for complex points both parts depend on both of W."""
        ones, sizes = torch.ones_like(ball.middle[0, :1]), self.moduli
        if len(ball.middle) == 2:
            sizes = (moduli(torch.stack(sizes)),) * 2
        sums = (self._product(ones, ball.summand(w)) for w in sizes)
        return torch.stack([ball.rise(s, self.terms[0]) for s in sums])

    def _gamma(self, semantics: Semantics) -> float:
        return semantics.gamma(max(self.terms))

    def _tiny(self, semantics: Semantics, enclosure: Enclosure) -> Float64[Tensor, "1 batch *ones"]:
        """What a product of each example loses to underflow: it or its weight is flushed to 0."""
        size = enclosure.size.masked_fill(enclosure.size.isinf(), 0.0)
        largest = size.flatten(2).amax((0, 2)).view(1, -1, *[1] * (size.ndim - 2))
        # 4 for products of sums of parts
        return 4 * semantics.tiny * (1 + largest)

    def _mixing(self, semantics: Semantics, parts: int) -> float:
        """Error of three products over the product of the sums of moduli, where they are formed."""
        formed = self._mixes_parts and parts == 2 and semantics.dtype is not None
        return 3 * self._gamma(semantics) if formed else 0.0

    def _applied(self, x: Tensor, weight: tuple[Tensor, ...], sign: int) -> Tensor:
        products = [[self._product(part, w) for w in weight] for part in x]
        return torch.stack(_multiplied(products, sign))

    def _pulled(
        self, v: Tensor, weight: tuple[Tensor, ...], sign: int, event: torch.Size, parts: int
    ) -> Tensor:
        flat = v.flatten(1, 2)
        products = [[self._transposed(part, w, event) for w in weight] for part in flat]
        if len(weight) == 1:
            found = [row[0] for row in products]
        else:  # for W = A + i B the real matrix is [[A, -B], [B, A]]
            (au, bu), (av, bv) = products
            found = [au + bv, sign * bu + av][:parts]
        return torch.stack(found).unflatten(1, v.shape[1:3])


def _multiplied(products: list[list[Tensor]], sign: int) -> list[Tensor]:
    """The parts of (A + i B)(u + i v) of the products of parts; the sign is that of i^2."""
    if len(products) == 1 or len(products[0]) == 1:
        return list(itertools.chain(*products))
    (au, bu), (av, bv) = products
    return [au + sign * bv, bu + av]


def _added(value: Tensor, bias: tuple[Tensor, ...]) -> Tensor:
    """With a bias of fewer parts, or of the same number."""
    first = value[: len(bias)] + torch.stack([b.expand(value.shape[2:]) for b in bias])[:, None]
    return torch.cat([first, value[len(bias) :]])


def linear(name: str, layer: nn.Linear) -> Affine:
    """torch.nn.Linear and ours."""
    return Affine(
        name,
        stored(name, layer.weight),
        None if layer.bias is None else stored(name, layer.bias),
        (layer.in_features, layer.out_features),
        functional.linear,
        lambda v, w, event: v @ w,
    )


def convolution(name: str, layer: nn.Conv2d) -> Affine:
    """torch.nn.Conv2d and ours, with zero padding."""
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise InputTypeError(
            f"{name}: certificates know convolutions with zero padding given in numbers, not "
            f"padding={layer.padding!r} with padding_mode={layer.padding_mode!r}"
        )
    bias = None if layer.bias is None else stored(name, layer.bias)
    kernel = math.prod(layer.kernel_size)
    step, pad, dilation, groups = layer.stride, layer.padding, layer.dilation, layer.groups
    return Affine(
        name,
        stored(name, layer.weight),
        bias and tuple(b[:, None, None] for b in bias),
        (layer.in_channels // groups * kernel, layer.out_channels // groups * kernel),
        lambda x, w: functional.conv2d(x, w, None, step, pad, dilation, groups),
        lambda v, w, event: conv2d_transposed((len(v), *event), w, v, step, pad, dilation, groups),
        mixes_parts=True,
    )


def mean_pooling(name: str, layer: nn.AvgPool2d) -> Affine:
    """A convolution of every channel with one constant kernel."""
    if layer.ceil_mode or layer.divisor_override or not layer.count_include_pad:
        raise InputTypeError(
            f"{name}: certificates know mean pooling with ceil_mode=False, count_include_pad=True "
            "and no divisor_override"
        )
    sizes = layer.kernel_size, layer.stride, layer.padding
    kernel, step, pad = ((s, s) if isinstance(s, int) else tuple(s) for s in sizes)
    weight = torch.full((1, 1, *kernel), 1 / math.prod(kernel), dtype=torch.float64)

    def product(x: Tensor, w: Tensor) -> Tensor:
        pooled = functional.conv2d(x.flatten(0, 1)[:, None], w, None, step, pad)
        return pooled.view(*x.shape[:2], *pooled.shape[2:])

    def transposed(v: Tensor, w: Tensor, event: torch.Size) -> Tensor:
        size = (len(v) * event[0], 1, *event[1:])
        return conv2d_transposed(size, w, v.flatten(0, 1)[:, None], step, pad).view(-1, *event)

    count = math.prod(kernel)
    rounded = bool(count & (count - 1))  # 1 / count is exact for powers of two
    return Affine(name, (weight,), None, (count, count), product, transposed, is_rounded=rounded)


def normalizer(name: str, layer: FrozenNorm) -> Affine:
    """A factor and a term for each feature, formed of the stored numbers."""
    shape = (-1,) + (1,) * (-layer.feature_axis - 1)
    (scale,) = stored(name, layer.scale)
    gain = tuple(w / scale for w in stored(name, layer.weight))
    if not all(bool(g.isfinite().all()) for g in gain):
        raise NumericalError(f"{name}: a weight over its scale is infinite: measure the scales")
    mean, bias = stored(name, layer.mean), stored(name, layer.bias)
    if len(gain) == 1:
        moved = (gain[0] * mean[0],)
        sizes = (moved[0].abs(),)
    else:
        (a, b), (u, v) = gain, mean
        moved = (a * u - b * v, a * v + b * u)
        sizes = ((a * u).abs() + (b * v).abs(), (a * v).abs() + (b * u).abs())
    # gamma times the last term is what the shift loses with a gain that is flushed to 0
    sizes = tuple(s + margin(s) + 1e-30 * (mean[0].abs() + mean[-1].abs()) for s in sizes)
    shift = tuple((b - m).view(shape) for b, m in zip(bias, moved, strict=True))
    size = tuple((b.abs() + s).view(shape) for b, s in zip(bias, sizes, strict=True))
    return Affine(
        name,
        tuple(g.view(shape) for g in gain),
        shift,
        (4, 4),
        lambda x, w: x * w,
        lambda v, w, event: v * w,
        size,
        is_rounded=True,
    )
