"""Which layers of complextorch are holomorphic: measured, class by class.

Every layer is built small, brought to double precision, moved off its initial parameters and
shown a few batches in train mode, so that running statistics leave their start. Then the three
witnesses of `calculus` look at it in eval mode, and in train mode where the output differs. Where
examples of a batch depend on each other, or random numbers are drawn, a whole batch with a frozen
draw is one point. A violation is a number; none found is not a proof.
"""

import copy
import json
import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from holonet._files import write_with_digest
from holonet._provenance import provenance
from holonet._types import ComplexTensor, TensorFunction
from holonet.audit.complextorch import SPECS, LayerSpec, Verdict
from holonet.calculus import Probes, holomorphy_witnesses
from holonet.calculus.examples import lengths, nonzero
from holonet.calculus.witnesses import DIFFERENCE_NOISE, tangents
from holonet.errors import NotHolomorphicError, NumericalError, UnknownNameError
from holonet.functions import FunctionClass
from holonet.nn import declared_class, to_precision
from holonet.nn.module import layer_singularities

__all__ = [
    "PACKAGES",
    "AuditRow",
    "Measurement",
    "as_record",
    "audit",
    "audit_layer",
    "package_specs",
    "write_audit",
]

PACKAGES: Mapping[str, tuple[LayerSpec, ...]] = MappingProxyType({"complextorch": SPECS})
"""What can be audited."""

EXAMPLES = 256  # at which derivatives are taken
CIRCLES = 4  # examples with a circle
BATCH, BATCHES = 4, 4  # examples in a batch that is one point, and the number of such points
TRAINING_BATCHES = 5


@dataclass(frozen=True)
class Measurement:
    """What the witnesses say in one mode, each at its worst point.

    Args:
        mode: "eval", "train", or "both" where the output is the same.
        residual: largest |df/dzbar conj(v)| over output entries, for directions v of random
            phases; for a function that acts entry by entry that is the largest |df/dzbar|.
        dbar: |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|).
        negative_modes: amplitude fraction of negative Fourier modes on circles in random complex
            lines; it also sees what is holomorphic only piece by piece.
        derivative: disagreement of autograd's derivatives with Cauchy's integral.
        how: where derivatives came from, and whether a whole batch was one point.
        tolerance: what rounding may leave of the last two.
        dbar_tolerance: what rounding, or central differences, may leave of the first.
        real: whether the output is real.
    """

    mode: str
    residual: float
    dbar: float
    negative_modes: float
    derivative: float
    how: str
    tolerance: float
    dbar_tolerance: float
    real: bool

    @property
    def verdict(self) -> Verdict:
        """What these numbers come to."""
        if self.real:
            return Verdict.REAL
        if self.dbar > self.dbar_tolerance:
            return Verdict.NOT_HOLOMORPHIC
        if self.negative_modes > self.tolerance:
            return Verdict.PIECEWISE
        if self.derivative > self.tolerance:
            return Verdict.WRONG_DERIVATIVE
        return Verdict.HOLOMORPHIC


@dataclass(frozen=True)
class AuditRow:
    """The result for one layer.

    Args:
        label, name, expected: as in `LayerSpec`.
        verdict: over both modes.
        note: why, in a few words; the first line of the error where it fails.
        declared: the class that `nn.declared_class` gives it, None if it is not declared.
        overwrites_input: whether a call changes the tensor that it is given.
        measurements: one or two; none where it fails.
    """

    label: str
    name: str
    verdict: Verdict
    expected: Verdict
    note: str
    declared: str | None
    overwrites_input: bool
    measurements: tuple[Measurement, ...]

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the known one."""
        return self.verdict is self.expected

    @property
    def declaration_holds(self) -> bool | None:
        """Whether the verdict is compatible with our declaration; None where there is none.

        A class that is not holomorphic promises nothing, so that a layer that is holomorphic in
        eval mode alone may carry it. One that is holomorphic in both modes should not.
        """
        if self.declared is None or self.verdict is Verdict.FAILS:
            return None
        good = self.verdict in (Verdict.HOLOMORPHIC, Verdict.MEROMORPHIC)
        return good == FunctionClass(self.declared).is_holomorphic


def package_specs(package: str, only: str = "") -> tuple[LayerSpec, ...]:
    """The layers of a package, those alone whose label contains `only` in any case.

    Raises:
        UnknownNameError: no such package, or no such layer in it.

    Example:
        >>> [spec.label for spec in package_specs("complextorch", "zleaky")]
        ['zLeakyReLU']
    """
    if package not in PACKAGES:
        raise UnknownNameError("package", package, PACKAGES)
    specs = PACKAGES[package]
    chosen = tuple(spec for spec in specs if only.lower() in spec.label.lower())
    if not chosen:
        raise UnknownNameError("layer", only, {spec.name for spec in specs})
    return chosen


def audit(
    specs: Sequence[LayerSpec] = SPECS,
    *,
    seed: int = 0,
    on_row: Callable[[AuditRow], None] | None = None,
) -> list[AuditRow]:
    """Audit the layers one by one; a layer that raises gets a row that says so.

    Args:
        specs: the layers.
        seed: of everything random. Every layer starts from it, so that a row does not depend on
            the layers before.
        on_row: called with every row as it is done.

    Law: the same seed gives the same rows, and torch's global random state is left alone.
    """
    rows = []
    for spec in specs:
        rows.append(audit_layer(spec, seed=seed))
        if on_row is not None:
            on_row(rows[-1])
    return rows


def audit_layer(spec: LayerSpec, *, seed: int = 0) -> AuditRow:
    """Audit one layer.

    Raises:
        OSError, MemoryError: the system refuses; that is no verdict on the layer.

    Example:
        >>> row = audit_layer(package_specs("complextorch", "zLeakyReLU")[0])
        >>> row.verdict, row.measurements[0].residual
        (<Verdict.PIECEWISE: 'piecewise'>, 0.0)
    """
    declared, overwrites = None, False
    measurements: tuple[Measurement, ...] = ()
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a foreign layer that warns has not failed
        # not torch.manual_seed, which reseeds every device, and is slow
        torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
        try:
            layer = spec.build()
            declared = _declared(layer)
            _settle(spec, layer)
            overwrites = _overwrites_input(spec, layer)
            measurements = _measure_modes(spec, layer)
            verdict, note = _verdict(measurements, bool(layer_singularities(layer))), spec.reason
        except (OSError, MemoryError):  # of this machine, not of the layer
            raise
        except Exception as error:  # whatever a foreign layer raises is its result
            verdict, note = Verdict.FAILS, f"{type(error).__name__}: {error}".splitlines()[0]
    return AuditRow(
        label=spec.label,
        name=spec.name,
        verdict=verdict,
        expected=spec.expected,
        note=note,
        declared=declared,
        overwrites_input=overwrites,
        measurements=measurements,
    )


def as_record(rows: Sequence[AuditRow], *, package: str, seed: int) -> dict[str, Any]:
    """The rows in plain types, with what they hold for."""
    return {
        "package": package,
        "version": version(package),
        "seed": seed,
        "provenance": provenance(),
        "verdicts": dict(Counter(str(row.verdict) for row in rows)),
        "rows": [
            asdict(row)
            | {"as_expected": row.as_expected, "declaration_holds": row.declaration_holds}
            for row in rows
        ],
    }


def write_audit(
    path: Path, rows: Sequence[AuditRow], *, package: str = "complextorch", seed: int = 0
) -> Path:
    """Write `as_record` of the rows as JSON, with its digest beside it."""
    record = as_record(rows, package=package, seed=seed)
    return write_with_digest(path, json.dumps(record, indent=1) + "\n")


def _declared(layer: nn.Module) -> str | None:
    try:
        return declared_class(layer).value
    except NotHolomorphicError:
        return None


def _verdict(measurements: Sequence[Measurement], poles: bool) -> Verdict:
    """Over both modes: the worse one, but holomorphic in eval only is a verdict of its own."""
    verdicts = {m.mode: m.verdict for m in measurements}
    if set(verdicts.values()) == {Verdict.HOLOMORPHIC}:
        return Verdict.MEROMORPHIC if poles else Verdict.HOLOMORPHIC
    if verdicts.get("eval") is Verdict.HOLOMORPHIC:
        return Verdict.EVAL_ONLY
    worst_first = (
        Verdict.REAL,
        Verdict.NOT_HOLOMORPHIC,
        Verdict.PIECEWISE,
        Verdict.WRONG_DERIVATIVE,
    )
    return next(verdict for verdict in worst_first if verdict in verdicts.values())


@torch.no_grad()
def _settle(spec: LayerSpec, layer: nn.Module) -> None:
    """Bring it to double precision, and off its initial parameters and running statistics."""
    to_precision(layer, torch.complex128).train()
    for parameter in layer.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    for _ in range(TRAINING_BATCHES):
        z = torch.randn(16, *spec.shape, dtype=torch.complex128)
        spec.apply(layer, torch.complex(2 * z.real + 1, z.imag / 2))  # off-center, not circular


@torch.no_grad()
def _overwrites_input(spec: LayerSpec, layer: nn.Module) -> bool:
    z = torch.randn(BATCH, *spec.shape, dtype=torch.complex128)
    given = z.clone()
    spec.apply(layer, given)
    return not torch.equal(given, z)


@torch.no_grad()
def _measure_modes(spec: LayerSpec, layer: nn.Module) -> tuple[Measurement, ...]:
    """In eval mode, and in train mode too where the same draw gives another output."""
    z = spec.scale * torch.randn(EXAMPLES, *spec.shape, dtype=torch.complex128)
    functions = {
        mode: _frozen(spec, copy.deepcopy(layer).train(mode == "train"))
        for mode in ("eval", "train")
    }
    evaluated, trained = (f(z[:BATCH]) for f in functions.values())
    if torch.equal(evaluated, trained):
        return (_measure(functions["eval"], z, spec.scale / 2, "both"),)
    return tuple(_measure(f, z, spec.scale / 2, mode) for mode, f in functions.items())


def _frozen(spec: LayerSpec, layer: nn.Module) -> TensorFunction:
    """The layer as a function: every call draws the same numbers and leaves its input alone."""

    def f(z: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):  # which puts the random state back
            return spec.apply(layer, z.clone())

    return f


def _measure(f: TensorFunction, z: ComplexTensor, radius: float, mode: str) -> Measurement:
    """The witnesses of f at the points z, on circles of about that radius in each entry."""
    value = f(z[:BATCH])
    real, how = not value.is_complex(), []
    g = (lambda z: f(z).to(value.dtype.to_complex())) if real else f
    if value.dtype not in (torch.float64, torch.complex128):
        how.append("in single precision")
    circles, samples = CIRCLES, 64
    if mode == "train" or not _independent(g, z[:BATCH]):
        how.append("whole batches")
        g, z = _stacked(g), z[: BATCHES * BATCH].unflatten(0, (BATCHES, BATCH))
        circles, samples = 1, 16  # a call for each sample
    v = Probes(0).like(z)
    along, across, forward = tangents(g, z, v)
    how.append("forward mode" if forward else "central differences")
    antilinear = float((along + 1j * across).abs().max()) / 2
    dtype = value.dtype.to_complex()
    witnesses = holomorphy_witnesses(
        g, z[:circles].to(dtype), v[:circles].to(dtype), radius=radius, samples=samples
    )
    decided = bool(witnesses.decided.all())
    against, linear = lengths(along + 1j * across), lengths(along - 1j * across)
    dbar = float((against / nonzero(against + linear)).max())
    negative = float(witnesses.negative_modes.max())
    derivative, tolerance = float(witnesses.derivative.max()), witnesses.tolerance
    if not all(map(math.isfinite, (antilinear, dbar, negative, derivative))):
        raise NumericalError(f"derivatives are not finite (mode: {mode})")
    dbar_tolerance = tolerance if forward else max(tolerance, DIFFERENCE_NOISE)
    if dbar <= dbar_tolerance and not decided:
        raise NumericalError(f"no circle could be resolved (mode: {mode})")
    return Measurement(
        mode,
        antilinear,
        dbar,
        negative,
        derivative,
        ", ".join(how),
        tolerance,
        dbar_tolerance,
        real,
    )


def _stacked(f: TensorFunction) -> TensorFunction:
    """The function that takes a whole batch for one example."""

    def g(batches: Tensor) -> Tensor:
        try:
            return torch.vmap(f, randomness="same")(batches)
        except (RuntimeError, ValueError):  # running statistics, or a branch on values
            return torch.stack([f(batch) for batch in batches.unbind(0)])

    return g


def _independent(f: TensorFunction, z: ComplexTensor) -> bool:
    """Whether the last example's value does not change with the others, nor with a draw."""
    together, alone = f(z)[-1:], f(z[-1:])
    return together.shape == alone.shape and torch.allclose(together, alone, atol=1e-6)
