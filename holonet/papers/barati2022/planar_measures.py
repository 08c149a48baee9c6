"""How far a function of the plane is from a closed form, and from harmonic."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from holonet._types import RealTensor, TensorFunction
from holonet.calculus import harmonic_part, second_directional_derivative, winding_number
from holonet.data import DiscMode, HarmonicProblem, RingPotential
from holonet.papers.barati2022.conditions import Condition, OneVariable, Problem, closed_form
from holonet.regularizers import DirichletEnergy

__all__ = ["harmonic_defect", "measure_planar", "profile", "profile_radii"]


def measure_planar(
    model: nn.Module, problem: Problem, condition: Condition, seed: int
) -> dict[str, Any]:
    """Compare a network in double precision with the closed forms.

    Returns:
        distance: root mean square over the domain of network minus closed form (of this condition's
        own minimizer), over the same of the closed form minus its mean; distance_hard: with the
        harmonic extension of the given values instead; boundary_error: root mean square of what
        is missed on the boundary; energy_ratio: energy over that of the harmonic extension;
        defect and defect_of_form: see `harmonic_defect`; profile: see `profile`. Where there is
        an energy in the objective, excess: objective over its least value, minus 1. On a disc,
        own_distance: from the harmonic function with the network's own boundary values. With a
        log-modulus on the ring, winding: how often the holomorphic map winds about 0.
    """
    generator = torch.Generator().manual_seed(seed + 10**6)
    inside, edge = problem.domain.sample(4000, generator=generator), problem.domain.boundary(1000)
    x, form = torch.view_as_real(inside), closed_form(problem, condition)
    with torch.no_grad():
        u, on_edge = (model(torch.view_as_real(z)).squeeze(1) for z in (inside, edge))
    measures: dict[str, Any] = {
        "distance": _relative(u, form(x).squeeze(1)),
        "distance_hard": _relative(u, problem.solution(inside)),
        "boundary_error": float((on_edge - problem.solution(edge)).square().mean().sqrt()),
        "energy_ratio": _energy(model, x) / problem.energy,
        "defect": harmonic_defect(model, x[:500]),
        "defect_of_form": harmonic_defect(form, x[:500]),
        "profile": profile(model, problem),
    }
    if condition.weight:
        paid = inside if condition.filled else edge
        own, least = (_objective(f, problem, condition, inside, paid) for f in (model, form))
        measures["excess"] = own / least - 1
    if isinstance(problem, DiscMode):
        with torch.no_grad():
            own = harmonic_part(
                lambda z: model(torch.view_as_real(z))[:, 0], inside, 0, 1, samples=512
            )
        measures["own_distance"] = _relative(u, own)
    elif "log-modulus" in condition.network and isinstance(model, OneVariable):
        middle = problem.harmonic_boundary
        measures["winding"] = winding_number(
            lambda z: model.net.holomorphic_map(z[:, None])[:, 0], 0, middle
        )
    return measures


@torch.no_grad()
def profile(u: TensorFunction, problem: Problem) -> list[float]:
    """How much of the boundary values is in u at each of `profile_radii`.

    On a disc that is the amplitude of cos(k t), r^k for the harmonic extension; on the ring the
    mean over the circle.
    """
    angle = torch.arange(128, dtype=torch.float64) * (2 * math.pi / 128)
    points = torch.polar(profile_radii(problem)[:, None], angle[None])
    values = u(torch.view_as_real(points).reshape(-1, 2)).reshape(points.shape)
    if isinstance(problem, DiscMode):
        values = 2 * values * torch.cos(problem.k * angle)
    return values.mean(1).tolist()


def profile_radii(problem: Problem) -> Float[Tensor, "33"]:
    """33 radii from the inside of the domain to its outer circle."""
    start = problem.inner if isinstance(problem, RingPotential) else 0.01
    stop = problem.outer if isinstance(problem, RingPotential) else 1.0
    return torch.linspace(start, stop, 33, dtype=torch.float64)


def harmonic_defect(u: TensorFunction, x: Float[Tensor, "points 2"]) -> float:
    """How far u is from harmonic: mean of (u_xx + u_yy)^2 over 2 mean ||Hessian||^2, in [0, 1].

    Law: 0 exactly where u is harmonic at the points, or has no second derivative other than 0;
        1 where every Hessian is a multiple of the identity; unchanged by scaling u or the plane.

    Example:
        >>> x = torch.rand(5, 2)
        >>> harmonic_defect(lambda x: x.square().sum(1, keepdim=True), x)
        1.0
        >>> harmonic_defect(lambda x: x.prod(1, keepdim=True), x)
        0.0
    """
    e, f = (torch.tensor(v, dtype=x.dtype).expand_as(x).contiguous() for v in ([1, 0], [0, 1]))
    xx, xy, yy = (
        second_directional_derivative(u, x, v, w)[1].detach() for v, w in ((e, e), (e, f), (f, f))
    )
    whole = 2 * (xx.square() + 2 * xy.square() + yy.square()).mean()
    return float((xx + yy).square().mean() / whole) if whole > 0 else 0.0


def _objective(
    u: TensorFunction, problem: HarmonicProblem, condition: Condition, inside: Tensor, paid: Tensor
) -> float:
    """Risk plus weighted energy of a function of the plane."""
    error = u(torch.view_as_real(paid)).squeeze(1).detach() - problem.solution(paid)
    return float(error.square().mean()) + condition.weight * _energy(u, torch.view_as_real(inside))


def _energy(u: TensorFunction, x: RealTensor) -> float:
    return float(DirichletEnergy(count=None)(u, x).detach())


def _relative(u: RealTensor, form: RealTensor) -> float:
    """Root mean square difference, over the root mean square of the form about its mean."""
    return float((u - form).square().mean().sqrt() / form.std(correction=0))
