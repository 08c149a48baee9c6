"""Which layers of a neighboring library are holomorphic: measured, class by class.

Every layer is built small, brought to double precision, moved off its initial parameters and
shown a few batches in train mode, so that running statistics leave their start. Then two
witnesses look at it in eval mode, and in train mode where the output differs: dbar along random
directions, and the negative Fourier modes on circles about random points, none of which is a
center of symmetry. Where examples of a batch depend on each other, or random numbers are drawn, a
whole batch with a frozen draw is one point. A violation is a number; none found is not a proof.

Longer than a module should be: what is found, and how it is measured, belong together.
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
from typing import Any, get_type_hints

import torch
from torch import Tensor, nn

from holonet._files import parse_json, read_with_digest, write_with_digest
from holonet._types import ComplexTensor, TensorFunction
from holonet.audit.complextorch import SPECS, LayerSpec, Verdict
from holonet.calculus import (
    Probes,
    directional_derivative,
    fourier_coefficients,
    negative_mode_fraction,
)
from holonet.errors import DataError, NotHolomorphicError, NumericalError, UnknownNameError
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
    "read_audit",
    "write_audit",
]

PACKAGES: Mapping[str, tuple[LayerSpec, ...]] = MappingProxyType({"complextorch": SPECS})
"""What can be audited."""

EXAMPLES = 256
CIRCLES = 4
BATCH, BATCHES = 4, 4  # examples in a batch that is one point, and how many such points
STEP = 1e-5  # of central differences
DIFFERENCES_TOLERANCE = 1e-6  # what they leave of the relative dbar, with a margin
TRAINING_BATCHES = 5


@dataclass(frozen=True)
class Measurement:
    """What the witnesses found in one mode.

    Args:
        mode: "eval", "train", or "both" where the output is the same.
        residual: largest |df/dzbar conj(v)| over output entries, for directions v of random
            phases; for a function that acts entry by entry that is the largest |df/dzbar|.
        relative: largest |df/dzbar conj(v)| / (|df/dz v| + |df/dzbar conj(v)|) over examples.
        negative_modes: largest amplitude fraction of negative Fourier modes on circles about
            random points, in random complex lines: catches what is holomorphic only piece by piece.
        how: where derivatives came from, and whether a whole batch was one point.
        tolerance: what rounding, or differences, may leave of `relative`.
        rounding: what rounding may leave of `negative_modes`.
        real: whether the output is real.
    """

    mode: str
    residual: float
    relative: float
    negative_modes: float
    how: str
    tolerance: float
    rounding: float
    real: bool

    @property
    def verdict(self) -> Verdict:
        """What these numbers come to."""
        if self.real:
            return Verdict.REAL
        if self.relative > self.tolerance:
            return Verdict.NOT_HOLOMORPHIC
        if self.negative_modes > self.rounding:
            return Verdict.PIECEWISE
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
        OSError, MemoryError: the system refuses, which is no verdict on the layer.

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
    """The rows in plain types, under a head that says what they hold for."""
    return {
        "package": package,
        "version": version(package),
        "torch": str(torch.__version__),
        "seed": seed,
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


def read_audit(path: Path) -> list[AuditRow]:
    """The rows that `write_audit` wrote.

    Raises:
        DataError: the file or its digest is missing or damaged, or it is no audit.
    """
    content = parse_json(read_with_digest(path, DataError), path, DataError)
    try:
        return [_row(record) for record in content["rows"]]
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"{path} is not an audit that can be read ({type(error).__name__}: {error}): "
            "write one with `holonet audit complextorch --out PATH`"
        ) from error


def _row(record: dict[str, Any]) -> AuditRow:
    derived = {name: record[name] for name in ("as_expected", "declaration_holds")}
    fields: dict[str, Any] = {k: v for k, v in record.items() if k not in derived} | {
        "verdict": Verdict(record["verdict"]),
        "expected": Verdict(record["expected"]),
        "measurements": tuple(Measurement(**m) for m in record["measurements"]),
    }
    row = AuditRow(**fields)
    for part in (row, *row.measurements):
        _require_types(part)
    if derived != {name: getattr(row, name) for name in derived}:
        raise ValueError(f"{row.label}: {derived} does not follow from the rest")
    return row


def _require_types(part: AuditRow | Measurement) -> None:
    for name, kind in get_type_hints(type(part)).items():
        value = getattr(part, name)
        infinite = isinstance(value, float) and not math.isfinite(value)
        if infinite or not isinstance(value, tuple if name == "measurements" else kind):
            raise TypeError(f"{name} is {value!r}")


def _declared(layer: nn.Module) -> str | None:
    try:
        return declared_class(layer).value
    except NotHolomorphicError:
        return None


def _verdict(measurements: Sequence[Measurement], poles: bool) -> Verdict:
    """Over both modes: the worse one, but holomorphic in eval only is a verdict of its own."""
    found = {m.mode: m.verdict for m in measurements}
    if set(found.values()) == {Verdict.HOLOMORPHIC}:
        return Verdict.MEROMORPHIC if poles else Verdict.HOLOMORPHIC
    if found.get("eval") is Verdict.HOLOMORPHIC:
        return Verdict.EVAL_ONLY
    worst_first = (Verdict.REAL, Verdict.NOT_HOLOMORPHIC, Verdict.PIECEWISE)
    return next(verdict for verdict in worst_first if verdict in found.values())


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
    """Both witnesses of f at the points z, on circles of that radius in each entry."""
    value = f(z[:BATCH])
    real, rounding = not value.is_complex(), 1e4 * torch.finfo(value.dtype).eps
    g = _complex(f) if real else f
    how = [] if value.dtype in (torch.float64, torch.complex128) else ["in single precision"]
    samples, circles = 64, CIRCLES
    if mode == "train" or not _independent(g, z[:BATCH]):
        how.append("whole batches")
        g, z = _stacked(g), z[: BATCHES * BATCH].unflatten(0, (BATCHES, BATCH))
        samples, circles = 16, 1  # a call for each sample
    across, along, forward = _split(g, z, Probes(0).like(z))
    how.append("forward mode" if forward else "central differences")
    relative = _largest_share(across, along)
    tolerance = rounding if forward else max(rounding, DIFFERENCES_TOLERANCE)
    negative = _negative_modes(g, z[:circles], radius, samples)
    if relative <= tolerance and negative > rounding:  # jumps, or high modes that alias
        negative = _negative_modes(g, z[:circles], radius, 8 * samples)
    residual = float(across.abs().max())
    if not all(map(math.isfinite, (residual, relative, negative))):
        raise NumericalError(f"derivatives are not finite (mode: {mode})")
    return Measurement(
        mode, residual, relative, negative, ", ".join(how), tolerance, rounding, real
    )


def _complex(f: TensorFunction) -> TensorFunction:
    """The same real values, as complex numbers."""

    def g(z: Tensor) -> Tensor:
        value = f(z)
        return torch.complex(value, torch.zeros_like(value))

    return g


def _stacked(f: TensorFunction) -> TensorFunction:
    """The function that takes a whole batch for one example."""
    return lambda batches: torch.stack([f(batch) for batch in batches.unbind(0)])


def _independent(f: TensorFunction, z: ComplexTensor) -> bool:
    """Whether the last example's value does not change with the others, nor with a draw."""
    together, alone = f(z)[-1:], f(z[-1:])
    return together.shape == alone.shape and torch.allclose(together, alone, atol=1e-6)


def _split(
    f: TensorFunction, z: ComplexTensor, v: ComplexTensor
) -> tuple[ComplexTensor, ComplexTensor, bool]:
    """The antilinear and the complex-linear part of Df(z)[v], and whether by forward mode.

    Where torch refuses that (running statistics, functions without a jvp) by differences.
    """
    directions = (v, 1j * v)
    try:
        along, turned = (directional_derivative(f, z, w)[1] for w in directions)
        forward = True
    except (RuntimeError, NotImplementedError):
        along, turned = ((f(z + STEP * w) - f(z - STEP * w)) / (2 * STEP) for w in directions)
        forward = False
    return (along + 1j * turned) / 2, (along - 1j * turned) / 2, forward


def _largest_share(across: ComplexTensor, along: ComplexTensor) -> float:
    """The largest |across| / (|across| + |along|) over examples, 0 where both vanish."""
    a, b = (torch.linalg.vector_norm(t.flatten(1), dim=1) for t in (across, along))
    return float((a / (a + b).clamp(min=torch.finfo(a.dtype).tiny)).max())


def _negative_modes(f: TensorFunction, z: ComplexTensor, radius: float, samples: int) -> float:
    """The largest amplitude fraction of negative modes on circles about the points z."""
    fractions = []
    for point, line in zip(z, Probes(1).like(z), strict=True):

        def on_line(t: Tensor, point: Tensor = point, line: Tensor = line) -> Tensor:
            return f(point + t.view(-1, *[1] * point.ndim) * line)

        modes = fourier_coefficients(on_line, 0, radius, samples=samples)
        fractions.append(negative_mode_fraction(modes))
    return math.sqrt(torch.tensor(fractions, dtype=torch.float64).max())
