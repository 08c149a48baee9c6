"""Margins of small random networks of squares as expansions, and how small they become."""

import itertools

import torch
from enclosed import F64

from holonet import nn
from holonet.certify import EXACT, read
from holonet.certify.expansion import SquareNetwork
from holonet.certify.quadratic import BALL, CUBE

__all__ = ["expansion", "least"]


def _network(seed, layers, entries):
    torch.manual_seed(seed)
    found, widths = [], [entries, 8, 7, 5, 6][: layers + 1]
    for inner, outer in itertools.pairwise(widths):
        found += [nn.Linear(inner, outer, dtype=F64), nn.Square()]
    model = nn.Sequential(*found, nn.Linear(widths[-1], 3, dtype=F64))
    for p in model.parameters():
        if p.ndim == 1:
            torch.nn.init.normal_(p, std=0.5)
    return model


def expansion(seed, layers=2, region=CUBE, radius=0.5, entries=6):
    """The margin of a random network over one class, where it is 0 at the center, and itself."""
    model = _network(seed, layers, entries)
    center = torch.randn(entries, dtype=F64)
    logits = model(center)
    model[-1].bias.data -= logits.detach()
    squares = SquareNetwork(read(model), torch.Size((entries,)))
    length = torch.full_like(center, radius)
    e = squares.expand(center, length, 0, [1], EXACT, in_ball=region is BALL)

    def values(t):
        logits = model(center + radius * t)
        return logits[:, 0] - logits[:, 1]

    return e, values


def least(values, region, count=4000, entries=6):
    """The least of many points of the set, and behind a descent from the best of them."""
    t = torch.randn(count, entries, dtype=F64)
    t = t.clamp(-1, 1) if region is CUBE else t / t.norm(dim=1, keepdim=True).clamp(min=1)
    t[::2] = t[::2].sign() if region is CUBE else t[::2] / t[::2].norm(dim=1, keepdim=True)
    with torch.no_grad():
        found = values(t)
    best, t = found.min().item(), t[found.argsort()[:50]].requires_grad_()
    for step in range(100):
        (slope,) = torch.autograd.grad(values(t).sum(), t)
        moved = t.detach() - 0.3 / (1 + step) * slope / slope.norm(dim=1, keepdim=True)
        inside = moved.clamp(-1, 1)
        if region is BALL:
            inside = moved / moved.norm(dim=1, keepdim=True).clamp(min=1)
        t = inside.requires_grad_()
        best = min(best, values(t).min().item())
    return best
