"""Certify examples by methods tried in turn, each on those that are still open."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf

import torch
from torch import nn

from holonet._arguments import checked
from holonet._cache import module_digest, tensor_digest
from holonet._types import GivenLabels, GivenPoints, Labels, Numbers, Points
from holonet.calculus.checks import require_count
from holonet.certify.certificate import Certificate
from holonet.certify.enclosure import EXACT, Ball, Enclosure, Polydisc, Semantics, moduli
from holonet.certify.methods import INTERVALS, TANGENTS, Method
from holonet.certify.network import Network, read
from holonet.certify.schwarz_pick import SCHWARZ_PICK
from holonet.certify.second_order import SECOND_ORDER
from holonet.certify.splits import SPLITS, TANGENT_SPLITS
from holonet.errors import ConfigError, DomainError, InputTypeError, ShapeError, UnknownNameError
from holonet.functions.rounding import margin
from holonet.threats import ThreatModel

__all__ = ["METHODS", "certify", "ladder_of", "methods_for", "readable", "threat_set"]

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (INTERVALS, SCHWARZ_PICK, TANGENTS, TANGENT_SPLITS, SECOND_ORDER, SPLITS)
}
"""Name -> method."""


@checked
@torch.no_grad()
def certify(
    model: nn.Module,
    x: GivenPoints,
    y: GivenLabels,
    threat: ThreatModel,
    methods: Sequence[str | Method] = ("intervals",),
    semantics: Semantics = EXACT,
    batch_size: int = 128,
) -> list[Certificate]:
    """A certificate for each example, by the first method that proves its class on the whole set.

    The bounds are computed on the CPU in float64, wherever the model is. An example that no method
    proves has the certificate of the method with the largest least margin, which does not hold.

    Args:
        model: a chain of known layers (`certify.read`).
        x: examples, inside of the bounds of the threat.
        y: their classes.
        threat: of norm Linf or L2, for complex examples polydisc or complex_ball; splits know no
            Euclidean one.
        methods: names in `METHODS`, or methods such as `replace(METHODS["splits"], nodes=500)`,
            tried in this order.
        semantics: exact arithmetic, or what a dtype may return.
        batch_size: examples at once.

    Law: where a certificate holds, no point of the set has another class; its margins are lower
        bounds. They do not grow with eps.

    Raises:
        ConfigError: a norm that a method does not know, no method, or a batch size below 1.
        DomainError: an example is NaN or outside of the bounds of the data, or a class that the
            model does not have.
        InputTypeError: a layer that certificates do not know, integer examples, a norm of complex
            data for real ones and vice versa, or numbers or settings that the semantics do not
            cover; subnormal numbers are flushed to 0.
        NumericalError: a weight is NaN or infinite.
        UnknownNameError: no such method.

    Example:
        >>> model = nn.Linear(2, 2)
        >>> _ = model.weight.data.copy_(torch.eye(2)), model.bias.data.zero_()
        >>> x, y = torch.tensor([[0.8, 0.2]]), torch.tensor([0])
        >>> proof = certify(model, x, y, ThreatModel("Linf", 0.1))[0]
        >>> proof.holds, round(proof.margin, 5)
        (True, 0.4)
    """
    whole = threat_set(x, threat, semantics)
    ladder = ladder_of(methods, threat)
    require_count("batch_size", batch_size, 1, "certify")
    network = readable(model, x, y, semantics)
    weights, labels = module_digest(model), y.detach().cpu().long()
    certificates: list[Certificate] = []
    for index in torch.arange(len(x)).split(batch_size) if len(x) else ():
        best: dict[int, Certificate] = {}
        remaining = index
        for method in ladder:
            margins, notes, witnesses = method.margins(
                network, whole.at(remaining), labels[remaining], semantics
            )
            margins.scatter_(1, labels[remaining, None], inf)
            for row, i in enumerate(remaining.tolist()):
                new = Certificate(
                    label=int(labels[i]),
                    threat=threat,
                    margins=tuple(margins[row].tolist()),
                    method=method.name,
                    semantics=str(semantics),
                    theorem=method.theorem,
                    hypotheses=method.hypotheses,
                    notes=tuple(note.text for note in notes if note.example == row),
                    weights=weights,
                    example=tensor_digest([x[i]]),
                    witness=witnesses[row],
                )
                if i not in best or new.margin > best[i].margin:
                    best[i] = new
            remaining = torch.tensor([i for i in remaining.tolist() if not best[i].holds])
            if not len(remaining):
                break
        certificates += [best[i] for i in index.tolist()]
    return certificates


@checked
def methods_for(model: nn.Module, x: GivenPoints, y: GivenLabels, threat: ThreatModel) -> list[str]:
    """Names of the methods to try in turn: second order and splits where they fit.

    Elsewhere tangents stand in their place.

    Args:
        model, x, y, threat: as `certify` takes them; one example is enough.

    Raises:
        As `certify` with intervals alone.
    """
    point = threat.scaled(0.0)
    certify(model, x, y, point, ["intervals"])
    try:
        certify(model, x, y, point, ["second_order"])
    except InputTypeError:
        return ["intervals", "tangents"]
    wanted = INTERVALS, SECOND_ORDER, SPLITS
    return [method.name for method in wanted if threat.norm in method.norms]


@checked
def threat_set(
    x: GivenPoints,
    threat: ThreatModel,
    semantics: Semantics = EXACT,
    radii: Numbers | None = None,
) -> Enclosure:
    """The threat set about each example, with what its dtype and the model's round it to.

    A real ball is cut with the bounds of the data, and the center is that of what is left. Behind
    the box, which holds the set, there is the l_2 ball or the polydisc itself.

    Args:
        x, threat, semantics: as `certify` takes them.
        radii: one for each example, instead of that of the threat.

    Raises:
        ConfigError: a norm that no method knows.
        DomainError: an example is NaN, infinite or outside of the bounds.
        InputTypeError: integer examples, or a norm of complex data for real ones and vice versa.

    Example:
        >>> threat_set(torch.tensor([[0.05]]), ThreatModel("Linf", 0.1)).center.round(decimals=6)
        tensor([[[0.0750]]], dtype=torch.float64)
    """
    _require_set(x, threat)
    points = torch.stack([x.real, x.imag] if x.is_complex() else [x]).detach().cpu().double()
    low, high = threat.bounds or (-inf, inf)
    unit = torch.finfo(x.dtype).eps / 2 + semantics.unit
    each = (-1, *[1] * (x.ndim - 1))
    eps = torch.full((len(x),), threat.eps, dtype=torch.float64)
    eps = eps if radii is None else radii.cpu().double()
    if threat.norm == "Linf":
        ball = None
        slack = 2 * unit * (points.abs() + eps.view(each))
        reach = eps.view(each) + slack + margin(slack + points.abs() + eps.view(each))
    else:
        order = inf if threat.norm == "polydisc" else 2
        size = torch.linalg.vector_norm(moduli(points).flatten(1), order, dim=1)
        size = size * (1 + EXACT.gamma(points[:, :1].numel() + 8))
        # a projection in the dtype rounds a norm, a quotient, a product and a sum
        length = eps + 8 * unit * (size + eps)
        length = length + margin(length)
        ball = (Polydisc if threat.norm == "polydisc" else Ball)(points, length)
        reach = length.view(each).expand_as(points)
    # an example by itself is rounded to the dtype of the network alone
    reach = torch.where(eps.view(each) > 0, reach, semantics.unit * points.abs())
    ends = torch.stack([points - reach, points + reach])
    # bounds that both dtypes hold exactly are not passed by rounding
    dtypes = {x.dtype, semantics.dtype or x.dtype}
    exact = [all(float(torch.tensor(b, dtype=d).real) == b for d in dtypes) for b in (low, high)]
    floor = low if exact[0] else low - 2 * unit * abs(low)
    top = high if exact[1] else high + 2 * unit * abs(high)
    ends = ends.clamp(floor, top)
    # the example itself may be a bound as its dtype rounds it
    box = Enclosure.between(torch.minimum(ends[0], points), torch.maximum(ends[1], points))
    return replace(box, ball=ball)


def _require_set(x: GivenPoints, threat: ThreatModel) -> None:
    """Refuse examples that the norm does not perturb, or that are outside of the bounds."""
    if threat.norm not in ("Linf", "L2", "polydisc", "complex_ball"):
        raise ConfigError(
            "certificates are for norms 'Linf' and 'L2', of complex data 'polydisc' and "
            f"'complex_ball', not {threat.norm!r}"
        )
    if not (x.is_floating_point() or x.is_complex()):
        raise InputTypeError(f"certify takes floating-point examples and got {x.dtype}: x.float()")
    if x.is_complex() != threat.is_complex:
        fitting = "'polydisc' or 'complex_ball'" if x.is_complex() else "'Linf' or 'L2'"
        raise InputTypeError(
            f"{threat.norm} is a norm of {'complex' if threat.is_complex else 'real'} data, and "
            f"the examples are {x.dtype}: give a ThreatModel with {fitting}"
        )
    low, high = threat.bounds or (-inf, inf)
    inside = x.isfinite() if x.is_complex() else (x >= low) & (x <= high) & x.isfinite()
    if not bool(inside.all()):
        raise DomainError(
            f"certify got examples that are NaN, infinite or outside of the bounds {threat.bounds} "
            "of the data: scale them, or give the ThreatModel other bounds"
        )


def ladder_of(methods: Sequence[str | Method], threat: ThreatModel) -> list[Method]:
    """The methods, each of which knows the norm.

    Raises:
        ConfigError: none, or one that does not know the norm.
        UnknownNameError: no such method.
    """
    if not methods:
        raise ConfigError(f"certify(methods=()): choose from {', '.join(METHODS)}")
    for name in methods:
        if isinstance(name, str) and name not in METHODS:
            raise UnknownNameError("method", name, METHODS)
    ladder = [METHODS[m] if isinstance(m, str) else m for m in methods]
    if other := [m.name for m in ladder if threat.norm not in m.norms]:
        known = ", ".join(name for name, m in METHODS.items() if threat.norm in m.norms)
        raise ConfigError(f"{other[0]} does not know the norm {threat.norm!r}: choose from {known}")
    return ladder


def readable(model: nn.Module, x: Points, y: Labels, semantics: Semantics) -> Network:
    """The network, of which certificates of these semantics can be made here and now.

    Raises:
        As `certify`.
    """
    network = read(model)
    _require_subnormals()
    _require_semantics(network, model, semantics)
    if len(y) != len(x):
        raise ShapeError(f"certify got {len(x)} examples and {len(y)} labels")
    if y.is_floating_point() or y.is_complex():
        raise InputTypeError(f"certify takes the numbers of classes and got {y.dtype}: y.long()")
    return network


def _require_subnormals() -> None:
    """Weights are read as they are stored: execution may flush small ones to 0, a proof may not."""
    if not bool(torch.full((), 1e-40).double()):
        raise InputTypeError(
            "torch.set_flush_denormal(True) reads small weights as 0, and a certificate of them "
            "would be of another network: torch.set_flush_denormal(False) to certify. Executed "
            "semantics cover execution with it"
        )


def _require_semantics(network: Network, model: nn.Module, semantics: Semantics) -> None:
    """Refuse to speak of an execution that the bounds do not cover, or that there is none of."""
    if semantics.dtype is None and len(network.dtypes) < 2:
        return
    if network.dtypes - {semantics.dtype} or len(network.dtypes) > 1:
        names = ", ".join(sorted(map(str, network.dtypes)))
        raise InputTypeError(
            f"semantics '{semantics}' of a network that holds {names}: bring all of it to one "
            "precision with nn.to_precision, and certify that"
        )
    on_card = any(p.is_cuda for p in model.parameters())
    if torch.get_float32_matmul_precision() != "highest" or (
        on_card and torch.backends.cudnn.allow_tf32
    ):
        raise InputTypeError(
            f"semantics '{semantics}' exclude TF32 and bfloat16 products, which torch is set to "
            "use: torch.set_float32_matmul_precision('highest') and, on a card, "
            "torch.backends.cudnn.allow_tf32 = False"
        )
    if torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda"):
        raise InputTypeError(f"semantics '{semantics}' exclude torch.autocast: certify outside")
