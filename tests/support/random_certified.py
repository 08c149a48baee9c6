"""Random networks with examples and sets, and oracles that look for a wrong certificate.

The oracles know nothing of the bounds: executed layers at points of the set, mpmath with 60 digits,
and signed gradient steps.
"""

import copy
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import mpmath
import numpy as np
import torch
from torch import nn as tnn

from holonet import nn
from holonet.certify import EXACT, METHODS, Semantics, certify, methods_for, read, threat_set
from holonet.certify.splits import Splits
from holonet.certify.step import Residual
from holonet.certify.unrolled import unrolled
from holonet.functions import CATALOGUE, blaschke, moebius, polynomial
from holonet.threats import ThreatModel

F32, F64 = torch.float32, torch.float64
COMPLEX = {F32: torch.complex64, F64: torch.complex128}
FAMILIES = (
    polynomial([0.1, 1, 0.3, -0.2]),
    polynomial([0.5, -1, 0, 2]),
    polynomial([1e-3, 1, -1e2, 0, 1e3]),
    polynomial([1j, 2, -0.5, 1 - 1j]),
    moebius(1, -1, 0.5, 2),
    moebius(1, 2j, 0.5, 1 - 1j),
    moebius(1j, 0, 0.25j, 1j),
    blaschke([0.5]),
    blaschke([0.9, 0.95j, -0.3], 1.0),
    blaschke([0.4, -0.6]),
)
RECORDS = (*CATALOGUE.values(), *FAMILIES)
BOUNDS = ((0.0, 1.0), (0.0, 1.0), (-0.4242, 2.8215), None)


@dataclass(frozen=True)
class Case:
    """A network with examples about which something is to be certified."""

    seed: int
    model: tnn.Module
    x: torch.Tensor
    y: torch.Tensor
    threat: ThreatModel
    dtype: torch.dtype

    @property
    def executed(self) -> Semantics:
        """What the dtype of the network returns."""
        return Semantics(self.dtype)

    def __str__(self) -> str:
        layers = " ".join(
            getattr(getattr(layer, "function", None), "formula", type(layer).__name__)
            for _, layer in unrolled(self.model)
        )
        return f"seed {self.seed}: {layers}, {self.dtype}, {self.threat}"

    def methods(self):
        """All that are for the network, splits with a small budget."""
        names = {"intervals", "tangents", *methods_for(self.model, self.x, self.y, self.threat)}
        if self.threat.norm in METHODS["tangent_splits"].norms:
            names.add("tangent_splits")
        ladder = [METHODS[name] for name in METHODS if name in names]
        return [replace(m, nodes=8) if isinstance(m, Splits) else m for m in ladder]

    def at(self, eps: float) -> "Case":
        """With another radius."""
        return replace(self, threat=replace(self.threat, eps=eps))


def drawn(seed, records=RECORDS, squares=None, batch=3):
    """A case, the same one for the same seed.

    Args:
        seed: of everything.
        records: those to draw from.
        squares: networks with layers of squares alone, or never; by chance unless given.
        batch: examples.
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return _drawn(random.Random(seed), seed, records, squares, batch)


def _drawn(chance, seed, records, squares, batch):
    dtype = chance.choice((F32, F64))
    bounds = chance.choice(BOUNDS)
    low, high = bounds or (0.0, 1.0)
    eps = 10 ** chance.uniform(*chance.choice(((-12, 1), (-3, -0.5))))
    eps = 0.0 if chance.random() < 0.04 else eps
    norm = "L2" if chance.random() < 0.2 else "Linf"
    if bounds is not None:
        eps = min(eps, high - low)
    image = chance.random() < 0.35
    shape = (chance.choice((1, 2)), *[chance.choice((3, 4, 5))] * 2) if image else ()
    shape = shape or (chance.randint(1, 6),)
    squares = chance.random() < 0.3 if squares is None else squares
    model = _network(chance, dtype, shape, records, squares)
    x = low + (high - low) * torch.rand(batch, *shape, dtype=F64)
    if chance.random() < 0.5:  # near to the bounds, and at them
        ends = torch.where(torch.rand(x.shape) < 0.5, low, high).double()
        near = ends + (x - ends) * 10.0 ** -torch.randint(1, 14, x.shape)
        kind = torch.rand(x.shape)
        x = torch.where(kind < 0.3, ends, torch.where(kind < 0.7, near, x))
    x = x.to(dtype)
    if bounds is not None:  # rounding may pass an end
        inner = torch.tensor([low, high], dtype=dtype)
        past = torch.tensor([inner[0].item() < low, inner[1].item() > high])
        towards = torch.tensor([math.inf, -math.inf], dtype=dtype)
        inner = torch.where(past, torch.nextafter(inner, towards), inner)
        x = x.clamp(inner[0].item(), inner[1].item())
    with torch.no_grad():
        logits = model(x)
    y = logits.nan_to_num(0, 0, 0).argmax(1)
    return Case(seed, model, x, y, ThreatModel(norm, eps, bounds), dtype)


def _network(chance, dtype, shape, records, squares):
    """1 to 4 affine layers with what may stand between them."""
    kind = chance.choice(("real", "real", "complex", "mixed", "torch"))
    if squares and kind != "complex":
        kind = "real"
    depth = chance.choice((1, 2, 2, 3, 3, 4))
    layers, front, complex_yet, shared = [], [], False, {}
    if chance.random() < 0.35:
        channels = shape[0] if chance.random() < 0.5 else None
        slope, middle = 10 ** chance.uniform(-0.5, 2), chance.uniform(0, 1)
        front.append(nn.Threshold(slope, middle, channels=channels, dtype=dtype))
    elif chance.random() < 0.1:
        front.append(nn.Activation(chance.choice(("tanh", "cube", "sigmoid"))))
    convolutional = len(shape) == 3 and chance.random() < 0.8
    if len(shape) == 3 and not convolutional:
        front.append(nn.Flatten())
        shape = (math.prod(shape),)
    for position in range(depth):
        complex_yet |= kind == "complex" or (kind == "mixed" and chance.random() < 0.5)
        whole = COMPLEX[dtype] if complex_yet else dtype
        last = position == depth - 1
        if len(shape) == 3 and (last or chance.random() < 0.3):
            if chance.random() < 0.4 and shape[1] > 1:
                pool = (nn if kind != "torch" else tnn).AvgPool2d(2, padding=chance.choice((0, 1)))
                layers.append(pool)
                shape = tuple(pool(torch.zeros(1, *shape)).shape[1:])
            layers.append(nn.Flatten() if kind != "torch" else tnn.Flatten())
            shape = (math.prod(shape),)
        classes = chance.randint(2, 4)
        if len(shape) == 3:
            layer, shape = _convolution(chance, kind, whole, shape)
            layers.append(layer)
        else:
            width = classes if last else chance.randint(1, 7)
            maker = tnn.Linear if kind == "torch" else nn.Linear
            layers.append(maker(shape[0], width, bias=chance.random() < 0.85, dtype=whole))
            shape = (width,)
        _scaled(chance, layers[-1], position)
        if last:
            break
        if kind != "torch" and chance.random() < 0.2:
            axis = -1 if len(shape) == 1 else -3
            layers.append(_normalizer(shape[0], axis, whole))
        record = CATALOGUE["square"] if squares else _record(chance, records, complex_yet)
        if kind == "torch":
            layers.append(shared.setdefault("relu", tnn.ReLU()))
        else:
            _based(layers, record)
            activation = nn.Activation(record)
            if chance.random() < 0.5:  # one layer in several places
                activation = shared.setdefault(record.formula, activation)
            layers.append(activation)
        if not squares and kind != "torch" and len(shape) == 1 and chance.random() < 0.15:
            width, inner = shape[0], chance.randint(1, 4)
            body = nn.Sequential(
                nn.Linear(width, inner, dtype=whole),
                nn.Activation(_record(chance, records, complex_yet)),
                nn.Linear(inner, width, dtype=whole),
            )
            layers.append(nn.Residual(body))
    layers = [*front, *layers]
    if kind == "torch":
        return tnn.Sequential(*layers)
    takes_part = complex_yet and chance.random() < 0.3
    readout = nn.ImagPart() if takes_part else nn.RealPart()
    return nn.HolomorphicClassifier(nn.Sequential(*layers), readout)


def _convolution(chance, kind, dtype, shape):
    stride, pad = chance.choice((1, 1, 2)), chance.choice((0, 1))
    kernel = min(chance.choice((1, 2, 3)), shape[1] + 2 * pad)
    channels = chance.choice((1, 2, 3))
    maker = tnn.Conv2d if kind == "torch" else nn.Conv2d
    layer = maker(shape[0], channels, kernel, stride=stride, padding=pad, dtype=dtype)
    size = (shape[1] + 2 * pad - kernel) // stride + 1
    return layer, (channels, size, size)


def _normalizer(count, axis, dtype):
    layer = nn.FrozenNorm(count, feature_axis=axis, dtype=dtype)
    with torch.no_grad():
        layer.weight.normal_()
        layer.mean.copy_(torch.randn(count, dtype=dtype))
        layer.scale.uniform_(0.3, 2.0)
    return layer


def _record(chance, records, complex_yet):
    fitting = [r for r in records if complex_yet or r.real_on_real]
    return chance.choice(fitting)


def _based(layers, record):
    """Pre-activations about the record's base point, where it has singularities."""
    affine = next(m for m in reversed(layers) if hasattr(m, "weight"))
    if record.obstacles and affine.bias is not None:
        base = record.base_point if affine.bias.is_complex() else record.base_point.real
        affine.bias.data += base


def _scaled(chance, layer, position):
    """Weights from 1e-3 to 1e3 times the usual, now and then."""
    if chance.random() < 0.3:
        layer.weight.data *= 10 ** chance.uniform(-3, 3 if position == 0 else 1)
    if layer.bias is not None:
        layer.bias.data += 0.3 * torch.randn_like(layer.bias)


def layers_of(case) -> list[tnn.Module]:
    """In the order of the steps."""
    return [layer for _, layer in unrolled(case.model)]


def walked(steps, layers, value, shuffles=False) -> Iterator[tuple]:
    """(step, what reaches it, what leaves it), residual blocks with what is inside of them.

    Sums of linear layers are formed one after the other in a random order if it `shuffles`.
    """
    for step, layer in zip(steps, layers, strict=True):
        if isinstance(step, Residual):
            inside = [one for _, one in unrolled(layer.body)]
            inner = value
            for inner_step, reached, inner in walked(step.body, inside, value, shuffles):
                yield inner_step, reached, inner
            image = value + inner
        else:
            image = _summed(layer, value) if shuffles else layer(value)
        yield step, value, image
        value = image


def _summed(layer, value):
    if not isinstance(layer, tnn.Linear):
        return layer(value)
    terms = [value[:, [j]] * layer.weight[:, j] for j in range(value.shape[1])]
    terms += [] if layer.bias is None else [layer.bias.expand(terms[0].shape)]
    random.shuffle(terms)
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def parts_of(value, count):
    """(points, ...) real or complex -> (parts, points, ...) in float64, of that many parts."""
    found = torch.stack([value.real, value.imag] if value.is_complex() else [value]).double()
    if len(found) < count:
        found = torch.cat([found, torch.zeros_like(found)])
    return found


def points_of(case, count):
    """Points of the set in the case's dtype (count, batch, ...): corners, edges, faces, inside."""
    x = case.x
    share = 2 * torch.rand(count, *x.shape, dtype=case.dtype) - 1
    kind = torch.randint(4, (count,) + (1,) * x.ndim)
    sign = share.sign()
    one = torch.rand(count, *x.shape) < 1.5 / max(1, x[0].numel())
    share = torch.where(kind == 0, sign, share)
    share = torch.where(kind == 1, sign * one, share)
    share = torch.where((kind == 2) & one, sign, share)
    return moved(case, share)


def moved(case, share):
    """The points of the set at shares of the radius from the examples, in the case's dtype."""
    if case.threat.norm == "L2":
        wide = share.double().flatten(2)
        share = (wide / wide.norm(dim=2, keepdim=True).clamp(min=1)).view(share.shape)
        share = share.to(case.dtype)
    return within(case, case.x + share * case.threat.eps)


def within(case, points):
    """Inside of the bounds, as rounded by the dtype."""
    if case.threat.bounds is None:
        return points
    return points.clamp(*case.threat.bounds)


def corners_towards(case, most=12):
    """Where on the set entries of each layer are largest and least, to first order."""
    network, layers, found = read(case.model), layers_of(case), []
    x = case.x.clone().requires_grad_()
    for _, _, image in walked(network.steps, layers, x):
        if not image.requires_grad:
            continue
        rows = torch.view_as_real(image) if image.is_complex() else image
        rows = rows.flatten(1)
        for k in torch.randperm(rows.shape[1])[:most].tolist():
            (slope,) = torch.autograd.grad(rows[:, k].sum(), x, retain_graph=True)
            slope = slope.nan_to_num(0, 0, 0)
            largest = slope.abs().max().clamp(min=1e-30)
            found.append(slope.sign() if case.threat.norm == "Linf" else slope / largest)
    if not found:
        return case.x[None]
    shares = torch.stack(found)
    return moved(case, torch.cat([shares, -shares]))


@dataclass
class Findings:
    """What oracles counted, and how near they came.

    Args:
        points: points at which a network was executed or computed exactly.
        values: numbers that were held beside an enclosure.
        outside: numbers outside of theirs.
        attacks: descents towards another class.
        on_certified: those of them on margins that are certified.
        below: margins below their bound.
        slack: the least distance from the end of an enclosure over its radius.
        gap: the least of margin - bound, over the moduli of both.
        faults: the cases of violations.
    """

    points: int = 0
    values: int = 0
    outside: int = 0
    attacks: int = 0
    on_certified: int = 0
    below: int = 0
    slack: float = math.inf
    gap: float = math.inf
    faults: list[str] = field(default_factory=list)

    def __iadd__(self, other: "Findings") -> "Findings":
        for name in ("points", "values", "outside", "attacks", "on_certified", "below", "faults"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slack, self.gap = min(self.slack, other.slack), min(self.gap, other.gap)
        return self

    @property
    def violations(self) -> int:
        """Numbers outside and margins below."""
        return self.outside + self.below

    @property
    def summary(self) -> str:
        """The counts in one line."""
        return (
            f"{self.points:,} points, {self.values:,} values, {self.outside} outside (least slack "
            f"{self.slack:.2g} of the radius); {self.attacks:,} attacks, {self.on_certified:,} on "
            f"certified margins, {self.below} below (least gap {self.gap:.2g} of their size)"
        )

    def compare(self, case, step, box, value, what):
        """Hold values (parts, count, batch, ...) beside an enclosure; a NaN is in no finite one."""
        low, high = box.low[:, None], box.high[:, None]
        known = box.radius[:, None].isfinite().expand(value.shape)
        inside = (value >= low) & (value <= high)
        wrong = int((known & ~inside).sum())
        self.values += int(known.sum())
        self.outside += wrong
        room = torch.minimum(value - low, high - value) / box.radius[:, None].clamp(min=1e-300)
        room = torch.where(known & inside, room, math.inf)
        self.slack = min(self.slack, room.min().item())
        if wrong:
            self.faults.append(f"{what} of {step.name}: {wrong} outside; {case}")

    def bound(self, case, method, bounds, margins, what):
        """Hold margins (count, batch, classes) beside bounds (batch, classes)."""
        known = bounds.isfinite().expand(margins.shape)
        wrong = known & ~(margins >= bounds)
        self.below += int(wrong.sum())
        size = (margins.abs() + bounds.abs()).clamp(min=1e-300)
        gap = torch.where(known & ~wrong, (margins - bounds) / size, math.inf)
        self.gap = min(self.gap, gap.min().item())
        if wrong.any():
            worst = torch.where(wrong, bounds - margins, 0).max().item()
            self.faults.append(f"{method.name} {what}: {worst:.3g} below its bound; {case}")


def margins_of(logits, y):
    """z_y - z_k of logits (count, batch, classes), in float64."""
    wide = logits.double()
    return wide.gather(2, y.expand(len(wide), -1)[..., None]) - wide


@torch.no_grad()
def executed_findings(case, count, methods=None, shuffles=False):
    """Every layer's values at points of the set beside its enclosures, and margins beside bounds.

    Enclosures are those of intervals and those that forms sharpen.

    Args:
        case: what is executed.
        count: points about each example, beside corners towards entries of each layer.
        methods: those whose bounds are held beside the margins, all unless given.
        shuffles: linear layers are summed in a random order.
    """
    found, network, layers = Findings(), read(case.model), layers_of(case)
    with torch.enable_grad():
        corners = corners_towards(case)
    points = torch.cat([points_of(case, count), corners])
    found.points = points.shape[0] * points.shape[1]
    box = threat_set(case.x, case.threat, case.executed)
    traces = [network.enclose(box, case.executed, sharpen)[1] for sharpen in (False, True)]
    rows = points.flatten(0, 1)
    last = rows
    for step, value, image in walked(network.steps, layers, rows, shuffles):
        last = image
        for trace in traces:
            pairs = ((trace.inputs[step], value, "input"), (trace.images[step], image, "value"))
            for enclosure, numbers, what in pairs:
                parts = parts_of(numbers, len(enclosure.center))
                parts = parts.unflatten(1, points.shape[:2])
                found.compare(case, step, enclosure, parts, what)
    if not shuffles and not torch.equal(last.nan_to_num(), case.model(rows).nan_to_num()):
        found.outside += 1
        found.faults.append(f"the layers as they were read are another network: {case}")
    margins = margins_of(last.unflatten(0, points.shape[:2]), case.y)
    for method in _all(case, methods):
        found.bound(case, method, bounds_of(case, method), margins, "at a point")
    return found


def _all(case, methods):
    return case.methods() if methods is None else methods


def bounds_of(case, method, semantics=None):
    """The margins of certificates (batch, classes); none at the label."""
    semantics = semantics or case.executed
    proofs = certify(case.model, case.x, case.y, case.threat, [method], semantics)
    bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
    return bounds.masked_fill(bounds == math.inf, -math.inf)


NAMES = ("exp", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asinh", "atan", "log", "sqrt", "erf")
FUNCTIONS = {name: getattr(mpmath, name) for name in NAMES} | {"I": mpmath.mpc(0, 1)}


def exactly(layer, z):
    """A layer at one point, an array of mpmath's numbers, to the digits of the context."""
    if isinstance(layer, nn.Activation):
        formula = compile(layer.function.formula, layer.function.name, "eval")
        return np.vectorize(lambda t: eval(formula, {**FUNCTIONS, "z": t}), otypes=[object])(z)
    if isinstance(layer, nn.Residual):
        value = z
        for _, inner in unrolled(layer.body):
            value = exactly(inner, value)
        return z + value
    if isinstance(layer, nn.Flatten | tnn.Flatten):
        return z.reshape(-1)
    if isinstance(layer, tnn.ReLU):
        return np.where(z > 0, z, mpmath.mpf(0))
    if isinstance(layer, nn.RealPart | nn.ImagPart):
        part = mpmath.re if isinstance(layer, nn.RealPart) else mpmath.im
        return np.vectorize(part, otypes=[object])(z)
    if isinstance(layer, nn.Threshold):
        slope, middle = (_numbers(p, z) for p in (layer.log_slope, layer.center))
        function = np.vectorize(lambda a, b, t: (1 + mpmath.erf(mpmath.exp(a) * (t - b))) / 2)
        return function(slope, middle, z).astype(object)
    if isinstance(layer, nn.FrozenNorm):
        weight, mean, scale, bias = (
            _numbers(p, z) for p in (layer.weight, layer.mean, layer.scale, layer.bias)
        )
        return (z - mean) * weight / scale + bias
    return _affinely(layer, z)


def _numbers(tensor, z):
    """Parameters as mpmath's numbers, along the axis of features."""
    to = mpmath.mpc if tensor.is_complex() else mpmath.mpf
    flat = np.array([to(v) for v in tensor.detach().reshape(-1).tolist()], dtype=object)
    return flat.reshape((-1,) + (1,) * (z.ndim - 1)) if tensor.ndim else flat[0]


def _affinely(layer, z):
    """A linear or convolutional layer or a mean, by its matrix, which unit vectors read exactly."""
    mean = isinstance(layer, nn.AvgPool2d | tnn.AvgPool2d)
    unit = torch.eye(z.size, dtype=F64).view(z.size, *z.shape)
    with torch.no_grad():
        columns = layer(unit) if mean else _columns(layer, unit)
    dtype = columns.dtype
    shape = columns.shape[1:]
    share = mpmath.mpf(1) / math.prod(_pair(layer.kernel_size)) if mean else None
    entries = z.reshape(-1)
    total = np.array([mpmath.mpf(0)] * math.prod(shape), dtype=object)
    to = mpmath.mpc if dtype.is_complex else mpmath.mpf
    for column, entry in zip(columns.flatten(1).tolist(), entries, strict=True):
        for k, number in enumerate(column):
            if number:
                total[k] += entry * (share if mean else to(number))
    total = total.reshape(tuple(shape))
    if not mean and layer.bias is not None:
        total = total + _numbers(layer.bias, total)
    return total


def _columns(layer, unit):
    """The images of unit vectors without the bias; of complex weights by their parts, exactly."""
    weight, bare = layer.weight.detach(), copy.deepcopy(layer)
    bare.bias, columns = None, []
    for part in (weight.real, weight.imag) if weight.is_complex() else (weight,):
        bare.weight = tnn.Parameter(part.double())
        columns.append(bare(unit))
    return torch.complex(*columns) if weight.is_complex() else columns[0]


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


@torch.no_grad()
def exact_findings(case, count, methods=None):
    """As `executed_findings`, in 60 digits beside what is claimed of exact arithmetic."""
    found, network, layers = Findings(), read(case.model), layers_of(case)
    box = threat_set(case.x, case.threat, EXACT)
    traces = [network.enclose(box, EXACT, sharpen)[1] for sharpen in (False, True)]
    ladder = [(m, bounds_of(case, m, EXACT)) for m in _all(case, methods)]
    points = torch.cat([case.x[None], points_of(case, count)]).double()
    with mpmath.workdps(60):
        for row in points:
            for i, point in enumerate(row):
                found.points += 1
                _compare_exactly(found, case, network, layers, traces, ladder, i, point)
    return found


def _compare_exactly(found, case, network, layers, traces, ladder, i, point):
    value = np.array([mpmath.mpf(v) for v in point.reshape(-1).tolist()], dtype=object)
    value = value.reshape(tuple(point.shape))
    for step, layer in zip(network.steps, layers, strict=True):
        try:
            image = exactly(layer, value)
        except (ZeroDivisionError, ValueError):  # at a singularity, where nothing is claimed
            if any(bool(t.images[step].radius[:, i].isfinite().all()) for t in traces):
                found.outside += 1
                found.faults.append(f"a singularity inside of {step.name}; {case}")
            return
        for trace in traces:
            _held(found, case, step, trace.images[step], i, image)
        value = image
    logits = list(value)
    for method, bounds in ladder:
        for k, bound in enumerate(bounds[i].tolist()):
            if k != int(case.y[i]) and math.isfinite(bound):
                gap = logits[int(case.y[i])] - logits[k] - mpmath.mpf(bound)
                size = abs(gap) + abs(bound) + mpmath.mpf("1e-300")
                if gap < 0:
                    found.below += 1
                    found.faults.append(f"{method.name} exactly: {float(gap):.3g}; {case}")
                else:
                    found.gap = min(found.gap, float(gap / size))


def _held(found, case, step, box, i, image):
    flat = image.reshape(-1)
    sides = [[mpmath.re(v) for v in flat], [mpmath.im(v) for v in flat]][: len(box.center)]
    for part, numbers in enumerate(sides):
        centers = box.center[part, i].flatten().tolist()
        radii = box.radius[part, i].flatten().tolist()
        for number, center, radius in zip(numbers, centers, radii, strict=True):
            if not math.isfinite(radius):
                continue
            found.values += 1
            room = mpmath.mpf(radius) - abs(number - mpmath.mpf(center))
            if not room >= 0:
                found.outside += 1
                found.faults.append(f"exactly {step.name}: {float(room):.3g}; {case}")
            elif radius:
                found.slack = min(found.slack, float(room / radius))


def attack_findings(case, starts, steps=12, methods=None):
    """Signed gradient descent of every margin, from points of the set and of its image box.

    Args:
        case: its radius is that of the attack.
        starts: descents on each margin, half of them in the image box where layers are in front.
        steps: of each descent.
        methods: those whose bounds are held beside the margins.
    """
    found, network, layers = Findings(), read(case.model), layers_of(case)
    box = threat_set(case.x, case.threat, case.executed)
    ladder = [(m, bounds_of(case, m)) for m in _all(case, methods)]
    best = torch.stack([bounds for _, bounds in ladder]).amax(0)
    low = within(case, case.x - case.threat.eps)
    high = within(case, case.x + case.threat.eps)
    is_box = case.threat.norm == "Linf"

    def nearest(points):
        points = torch.minimum(torch.maximum(points, low), high)
        if is_box:
            return points
        x = case.x.expand(points.shape).flatten(0, 1)
        return case.threat.project(points.flatten(0, 1), x).view(points.shape)

    searches = [(layers, low, high, nearest)]
    if network.front and is_box:
        _, trace = network.enclose(box, case.executed)
        image = trace.inputs[network.steps[network.front]]
        if not image.is_complex and bool(image.radius.isfinite().all()):
            ends = _rounded_in(image.low[0], image.high[0], case.dtype)
            searches.append((layers[network.front :], *ends, None))
    for body, below, above, inside in searches:
        count = max(1, starts // len(searches))
        margins = _descended(body, below, above, case.y, count, steps, inside)
        known = best.isfinite()
        found.attacks += count * int(known.sum())
        found.on_certified += count * int((best > 0).sum())
        for method, bounds in ladder:
            found.bound(case, method, bounds, margins[None], "attacked")
    return found


def _rounded_in(low, high, dtype):
    """The ends in a dtype, rounded into the box; in the middle of it where it is too thin."""
    below, above = low.to(dtype), high.to(dtype)
    up, down = torch.full_like(below, math.inf), torch.full_like(below, -math.inf)
    below = torch.where(below.double() < low, torch.nextafter(below, up), below)
    above = torch.where(above.double() > high, torch.nextafter(above, down), above)
    return below, torch.maximum(below, above)


def _descended(layers, low, high, y, count, steps, nearest):
    """The least margins (batch, classes) from that many starts for each class, in a box or set."""
    nearest = nearest or (lambda points: torch.minimum(torch.maximum(points, low), high))

    def logits(points):
        value = points.flatten(0, 1)
        for layer in layers:
            value = layer(value)
        return value.unflatten(0, points.shape[:2])

    with torch.no_grad():
        classes = logits(low[None]).shape[2]
    share = torch.rand(classes * count, *low.shape, dtype=low.dtype)
    share[::3] = share[::3].round()
    points = low + share * (high - low)
    target = torch.arange(classes).repeat_interleave(count)[:, None, None].expand(-1, len(y), 1)
    best = torch.full((len(y), classes), math.inf, dtype=F64)
    for step in range(steps + 1):
        points = nearest(points).detach().requires_grad_()
        values = logits(points)
        best = torch.minimum(best, margins_of(values.detach(), y).nan_to_num(math.inf).amin(0))
        aims = values.gather(2, y.expand(len(points), -1)[..., None]) - values.gather(2, target)
        (slope,) = torch.autograd.grad(aims.sum(), points)
        size = (high - low) * (0.5 if step < steps // 2 else 0.5 ** (step - steps // 2 + 1))
        points = points - size * slope.nan_to_num(0).sign()
    return best


def largest_certified(case, methods=None, tries=7):
    """The radius up to which some example is certified, by halving in the exponent; 0 if none."""
    methods = _all(case, methods)
    low, high = -12.0, 0.0

    def holds(exponent):
        at = case.at(10.0**exponent)
        proofs = certify(at.model, at.x, at.y, at.threat, methods, at.executed)
        return any(p.holds for p in proofs)

    if not holds(low):
        return 0.0
    for _ in range(tries):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return 10.0**low


BLOCK = 50
"""Cases of one block, each of them executed and attacked."""


def block_findings(block, points=8400, starts=28, cases=BLOCK):
    """What the oracles find in the cases of a block: 9 blocks have 10^7 points and 10^5 attacks.

    Every case is executed with its own radius, and attacked with it and at the largest radius at
    which an example is certified. Every fifth is summed in random orders, and every fifth computed
    in 60 digits too.
    """
    found = Findings()
    for seed in range(block * cases, (block + 1) * cases):
        torch.manual_seed(seed)
        case = drawn(seed)
        found += executed_findings(case, points)
        for radius in (case.threat.eps, largest_certified(case)):
            found += attack_findings(case.at(radius), starts)
        if seed % 5 == 0:
            random.seed(seed)
            found += executed_findings(case, 50, shuffles=True)
            found += exact_findings(drawn(seed, batch=2), 2)
    return found
