"""Small networks of every known layer, points of their threat sets, and margins there."""

import functools
import math
from fractions import Fraction

import torch
from torch import nn as tnn

from holonet import nn
from holonet.certify import EXACT, certify, splits, threat_set
from holonet.functions import polynomial
from holonet.threats import ThreatModel

F64, C128 = torch.float64, torch.complex128


@functools.cache
def networks(single=False):
    """Name -> (model, shape of an example), in double precision or in single; not to be changed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _networks(single)


def _networks(single):
    real, whole = (torch.float32, torch.complex64) if single else (F64, C128)
    norm = nn.FrozenNorm(6, dtype=whole)
    torch.nn.init.normal_(norm.weight)
    norm.mean.copy_(torch.randn(6, dtype=whole))
    norm.scale.copy_(torch.rand(6, dtype=real) + 0.5)
    channels = nn.FrozenNorm(3, feature_axis=-3, dtype=real)
    channels.mean.normal_()

    def dense(name, dtype, inner=4):
        return nn.HolomorphicClassifier(
            nn.Sequential(
                nn.Linear(inner, 6, dtype=dtype),
                nn.Activation(name),
                nn.Linear(6, 5, dtype=dtype),
                nn.Activation(name),
                nn.Linear(5, 3, dtype=dtype),
            )
        )

    table = {f"real {name}": dense(name, real) for name in REAL}
    table |= {f"complex {name}": dense(name, whole) for name in COMPLEX}
    table["polynomial"] = dense(polynomial([0.1, 1, 0.3, -0.2]), real)
    table["affine"] = nn.HolomorphicClassifier(nn.Linear(4, 3, dtype=whole))
    table["relu"] = tnn.Sequential(
        tnn.Linear(4, 6), tnn.ReLU(), tnn.Linear(6, 5), tnn.ReLU(), tnn.Linear(5, 3)
    ).to(real)
    table["threshold"] = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Threshold(20.0, 0.46, dtype=real),
            nn.Linear(4, 6, dtype=real),
            nn.Square(),
            nn.Linear(6, 3, dtype=real),
        )
    )
    table["norm and residual"] = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Linear(4, 6, dtype=real),
            norm,
            nn.Square(),
            nn.Residual(nn.Sequential(nn.Linear(6, 6, dtype=whole), nn.Tanh())),
            nn.Linear(6, 3, dtype=whole),
        ),
        nn.ImagPart(),
    )
    shapes = dict.fromkeys(table, (4,))
    table["convolution"] = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Threshold(6.0, 0.5, channels=2, dtype=real),
            nn.Conv2d(2, 3, 3, stride=2, padding=1, dtype=real),
            channels,
            nn.Softplus(),
            nn.Conv2d(3, 2, 2, dtype=whole),
            nn.Square(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(2, 3, dtype=whole),
        )
    )
    table["torch's convolution"] = tnn.Sequential(
        tnn.Conv2d(2, 4, 3, padding=1, groups=2),
        tnn.ReLU(),
        tnn.AvgPool2d(2, padding=1),
        tnn.Flatten(),
        tnn.Identity(),
        tnn.Linear(36, 3),
    ).to(real)
    shapes |= {"convolution": (2, 6, 6), "torch's convolution": (2, 4, 4)}
    for model in table.values():
        for p in model.parameters():
            if p.ndim == 1:
                torch.nn.init.normal_(p, std=0.1)
    return {name: (model, shapes[name]) for name, model in table.items()}


REAL = ["square", "cube", "exp", "tanh", "sigmoid", "softplus", "silu", "gelu", "erf", "sin"]
REAL += ["cos", "sinh", "cosh", "atan", "asinh"]
COMPLEX = ["square", "cube", "exp", "tanh", "sigmoid", "sin", "gelu", "erf", "silu"]


def quartics(single=False):
    """Name -> (model, shape of an example): one to four layers of squares, real and complex."""
    real, whole = (torch.float32, torch.complex64) if single else (F64, C128)

    def dense(*front):
        return nn.HolomorphicClassifier(
            nn.Sequential(
                *front,
                nn.Linear(6, 7, dtype=real),
                nn.Square(),
                nn.Linear(7, 5, dtype=real),
                nn.Square(),
                nn.Linear(5, 3, dtype=real),
            )
        )

    table = {"dense": dense(), "threshold": dense(nn.Threshold(20.0, 0.46, dtype=real))}
    table["convolution"] = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Threshold(6.0, 0.5, channels=1, dtype=real),
            nn.Conv2d(1, 3, 3, stride=2, padding=1, dtype=real),
            nn.Square(),
            nn.AvgPool2d(2),
            nn.Conv2d(3, 4, 2, padding=1, dtype=real),
            nn.Square(),
            nn.Flatten(),
            nn.Linear(16, 5, dtype=real),
            nn.Linear(5, 3, dtype=real),
        )
    )
    for model in table.values():
        for p in model.parameters():
            if p.ndim == 1:
                torch.nn.init.normal_(p, std=0.3)
    with torch.random.fork_rng():  # what comes next does not depend on these
        table |= _other_squares(real, whole)
    shapes = {name: (1, 4, 4) if "convolution" in name else (6,) for name in table}
    return {name: (model, shapes[name]) for name, model in table.items()}


def _other_squares(real, whole):
    """One layer, four of them, and complex ones."""
    table = {}
    for depth in (1, 4):
        layers = [nn.Threshold(9.0, 0.5, dtype=real)] if depth == 1 else []
        for _ in range(depth):
            layers += [nn.Linear(6, 6, dtype=real), nn.Square()]
        table[f"{depth} layers"] = nn.HolomorphicClassifier(
            nn.Sequential(*layers, nn.Linear(6, 3, dtype=real))
        )
    table["complex"] = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Linear(6, 5, dtype=whole),
            nn.Square(),
            nn.Linear(5, 4, dtype=whole),
            nn.Square(),
            nn.Linear(4, 3, dtype=whole),
        )
    )
    table["complex convolution"] = nn.HolomorphicClassifier(
        nn.Sequential(
            nn.Conv2d(1, 2, 3, stride=2, padding=1, dtype=whole),
            nn.Square(),
            nn.Conv2d(2, 2, 2, padding=1, dtype=whole),
            nn.Square(),
            nn.AvgPool2d(2),
            nn.Conv2d(2, 2, 1, dtype=whole),
            nn.Square(),
            nn.Flatten(),
            nn.Linear(2, 3, dtype=whole),
        )
    )
    for model in table.values():
        for p in model.parameters():
            if p.ndim == 1:
                torch.nn.init.normal_(p, std=0.3)
    return table


def sampled(x, threat, count, semantics=EXACT):
    """Points of the enclosed set in float64: corners, faces and the inside (count, batch, ...)."""
    box = threat_set(x, threat, semantics)
    low, high = box.low[0], box.high[0]
    share = torch.rand(count, *low.shape, dtype=F64)
    kind = torch.randint(3, (count,)).view(-1, *[1] * low.ndim)
    share = torch.where(kind == 0, share.round(), share)
    return torch.minimum(torch.maximum(low + share * (high - low), low), high)


def on_sphere(x, threat, count):
    """Projections of far points in random directions, a third sparse (count, batch, ...)."""
    step = torch.randn(count, *x.shape, dtype=x.dtype)
    step[::3] *= torch.rand(step[::3].shape) < 0.3
    repeated = x.repeat(count, *[1] * (x.ndim - 1))
    points = threat.project(repeated + 1e4 * threat.eps * step.flatten(0, 1), repeated)
    return points.unflatten(0, step.shape[:2])


def descended(model, x, y, threat, points, steps=15):
    """The least margins (batch, classes) that signed gradient steps find from points."""
    low, high = (x - threat.eps).clamp(0, 1), (x + threat.eps).clamp(0, 1)
    found = margins(model, points, y)
    best = found.amin(0)
    for k in range(found.shape[2]):
        moved = points
        for step in range(steps):
            moved = moved.detach().requires_grad_()
            logits = model(moved.flatten(0, 1)).unflatten(0, points.shape[:2])
            margin = logits.gather(2, y.expand(len(points), -1)[..., None])[..., 0] - logits[..., k]
            best[:, k] = torch.minimum(best[:, k], margin.detach().amin(0).double())
            (gradient,) = torch.autograd.grad(margin.sum(), moved)
            size = threat.eps * (1.0 if step < steps // 2 else 0.1)
            moved = torch.minimum(torch.maximum(moved - size * gradient.sign(), low), high)
    return best


def margins(model, points, y):
    """z_y - z_k at each point (count, batch, classes), of logits in the model's precision."""
    with torch.no_grad():
        logits = model(points.flatten(0, 1)).double().unflatten(0, points.shape[:2])
    return logits.gather(2, y.expand(len(points), -1)[..., None]) - logits


def excess(model, x, y, threat, methods, semantics=EXACT, count=200, points=None):
    """How far a bound lies above a margin found by sampling, at most; certificates too."""
    proofs = certify(model, x, y, threat, methods, semantics)
    bounds = torch.tensor([p.margins for p in proofs], dtype=F64)
    bounds[bounds == torch.inf] = -torch.inf  # at the label
    points = sampled(x, threat, count, semantics) if points is None else points
    found = margins(model, points, y)
    above = torch.where(bounds == -torch.inf, bounds, bounds - found)  # what may overflow has none
    return above.amax().item(), proofs


def l2(eps, bounds=(0.0, 1.0)):
    return ThreatModel("L2", eps, bounds)


def linf(eps, bounds=(0.0, 1.0)):
    return ThreatModel("Linf", eps, bounds)


def exact_margins(model, point, y):
    """Of a chain of linear layers and squares, in fractions."""
    z = [Fraction(v) for v in point.tolist()]
    for layer in model:
        if isinstance(layer, tnn.Linear):
            weight, bias = layer.weight.tolist(), layer.bias.tolist()
            z = [
                sum((Fraction(w) * v for w, v in zip(row, z, strict=True)), Fraction(b))
                for row, b in zip(weight, bias, strict=True)
            ]
        elif isinstance(layer, nn.Square):
            z = [v * v for v in z]
    return [z[y] - v for v in z]


def square_network(layers=1):
    hidden = [part for _ in range(layers) for part in (nn.Linear(7, 7, dtype=F64), nn.Square())]
    return tnn.Sequential(*hidden, nn.Linear(7, 4, dtype=F64))


def worst_in_fractions(method, semantics=EXACT, layers=1, seeds=12):
    """Bound minus exact margin at single points and at corners of tiny boxes, at most."""
    worst = -math.inf
    for seed in range(seeds):
        torch.manual_seed(seed)
        model = square_network(layers)
        x, y = torch.rand(2, 7, dtype=F64), torch.tensor([0, 3])
        for eps in (0.0, 1e-13):
            threat = linf(eps)
            box = threat_set(x, threat, semantics)
            proofs = certify(model, x, y, threat, [method], semantics)
            for i, proof in enumerate(proofs):
                exact = exact_margins(model, (box.center if eps == 0 else box.low)[0, i], int(y[i]))
                for k in range(4):
                    if k != int(y[i]):
                        worst = max(worst, float(Fraction(proof.margins[k]) - exact[k]))
    return worst


@functools.cache
def complex_networks(single=False):
    """Name -> (model, shape of an example) for complex examples; not to be changed."""
    real, whole = (torch.float32, torch.complex64) if single else (F64, C128)

    def dense(name, readout, *front, dtype=whole, inner=4):
        layers = nn.Linear(inner, 6, dtype=dtype), nn.Activation(name), nn.Linear(6, 3, dtype=dtype)
        return nn.HolomorphicClassifier(nn.Sequential(*front, *layers), readout)

    with torch.random.fork_rng():
        torch.manual_seed(1)
        table = {
            "affine": nn.HolomorphicClassifier(nn.Linear(4, 3, dtype=whole)),
            "square": dense("square", nn.RealPart()),
            "real square": dense("square", nn.RealPart(), dtype=real),
            "modulus": dense("square", nn.Modulus()),
            "log-modulus": dense("sin", nn.LogModulus(0.1)),
            "pole": dense("square", nn.LogModulus()),
            "twin": tnn.Sequential(
                nn.RealPairs(), tnn.Linear(8, 6), nn.Square(), tnn.Linear(6, 3)
            ).to(real),
            "relu twin": tnn.Sequential(
                nn.RealPairs(), tnn.Linear(8, 6), tnn.ReLU(), tnn.Linear(6, 3)
            ).to(real),
            "convolution": nn.HolomorphicClassifier(
                nn.Sequential(
                    nn.Conv2d(2, 3, 2, padding=1, dtype=whole),
                    nn.Square(),
                    nn.Flatten(),
                    nn.Linear(27, 3, dtype=whole),
                ),
                nn.Modulus(),
            ),
        }
        for model in table.values():
            for p in model.parameters():
                if p.ndim == 1:
                    torch.nn.init.normal_(p, std=0.3)
    return {name: (m, (2, 2, 2) if name == "convolution" else (4,)) for name, m in table.items()}


def in_complex_set(x, threat, count):
    """Points of the set about x in its dtype: on the torus, in some entries alone, inside."""
    far = torch.randn(count, *x.shape, dtype=x.dtype) * 1e4 * threat.eps
    kind = torch.randint(3, (count,) + (1,) * x.ndim)
    some = torch.rand(far.shape) < 0.3
    far = torch.where((kind == 1) & ~some, 0, far)
    far = torch.where(kind == 2, far * 1e-4, far)
    repeated = x.repeat(count, *[1] * (x.ndim - 1))
    return threat.project(repeated + far.flatten(0, 1), repeated).unflatten(0, far.shape[:2])


def lose_a_piece(patch):
    """Plant a fault in splits: of two halves of a piece only the first is looked at."""
    true = splits._halves

    def first_alone(piece):
        place, middle, halves = true(piece)
        return place, middle, halves and [ends[:, :1] for ends in halves]

    patch.setattr(splits, "_halves", first_alone)
