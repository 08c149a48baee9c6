"""Whether a model is holomorphic, or has a holomorphic continuation; and if not, where."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from holonet._subject import Subject
from holonet._types import TensorFunction
from holonet.calculus.examples import lengths
from holonet.continuation import extend
from holonet.diagnostics.diagnosis import DiagnosisSection
from holonet.diagnostics.first_violation import first_violation
from holonet.diagnostics.holomorphy import HolomorphyCheck, holomorphy_check
from holonet.diagnostics.prepared import FAILURES, Prepared, Settings
from holonet.diagnostics.violations_by_module import violations_by_module
from holonet.errors import HolonetError, InputTypeError, NotHolomorphicError
from holonet.nn.replacements import way_out_for

__all__ = ["holomorphy_section"]

EXAMPLES = 8
SAMPLES = 64  # on the circle of each example, which are passed at once
HALVINGS = 10  # of the circles of a continuation: from 2 to 0.002 times the spread of the data
DIRECTIONS = 8  # along which the reach of a frozen piece is measured
WITNESSES = "three witnesses"


def holomorphy_section(model: Prepared, settings: Settings) -> DiagnosisSection:
    """The three witnesses on a complex model, or on the continuation of a real one.

    A pole inside a circle is no violation: circles are halved until the witnesses pass, unless
    `first_violation` finds a layer at fault.
    """
    if model.holomorphic is not None:
        with torch.no_grad():
            values = model.holomorphic(model.z[:1])
        if values.is_complex():
            return _holomorphic(model, model.holomorphic, settings)
        return _up_to_a_readout(model, model.holomorphic, settings)
    try:
        f = extend(model.model)
        _try(f, model)
    except NotHolomorphicError as error:
        return _refused(model, settings, error)
    except InputTypeError as error:
        return DiagnosisSection(
            "holomorphy",
            "undecided",
            f"its operations cannot be followed into the complex domain: {_reason(error)}",
            advice=("see the table of operations in docs/continuation.md",),
        )
    return _continued(model, settings, f)


def _examples(model: Prepared) -> int:
    """Fewer of large ones."""
    return max(1, min(EXAMPLES, model.chunk // SAMPLES))


def _holomorphic(model: Prepared, f: TensorFunction, settings: Settings) -> DiagnosisSection:
    z = model.z[: _examples(model)]
    check = holomorphy_check(f, z, seed=settings.seed)
    settings.on_step()
    violation, layers = None, []
    if isinstance(getattr(f, "__self__", f), nn.Module):
        layers = [one.to_json() for one in violations_by_module(f, z, seed=settings.seed)]
        if not check.passed:
            violation = first_violation(f, z, seed=settings.seed)
    radius = Subject(f, z).radius
    if not check.passed and violation is None and check.dbar <= check.tolerance:
        check, radius = _smaller(f, z, radius / 2, settings.seed)
    numbers = {
        "check": _numbers(check),
        "radius": radius,
        "first_violation": None if violation is None else violation.to_json(),
        "layers": layers,
    }
    where = f"on discs of radius {1.5 * radius:.3g} about {len(z)} examples"
    if violation is not None:
        return DiagnosisSection(
            "holomorphy",
            "no",
            f"not holomorphic: {violation}",
            lines=(str(check),),
            advice=(violation.suggestion,),
            numbers=numbers,
        )
    if check.passed:
        verdict = f"no violation of holomorphy found by {WITNESSES} {where}; that is no proof"
        return DiagnosisSection("holomorphy", "yes", verdict, (str(check),), numbers=numbers)
    answer = "no" if str(check).startswith("not") else "undecided"
    return DiagnosisSection("holomorphy", answer, f"{check}, {where}", numbers=numbers)


def _up_to_a_readout(model: Prepared, f: TensorFunction, settings: Settings) -> DiagnosisSection:
    """Real values of complex points: whether all in front of the last step is holomorphic."""
    z = model.z[: _examples(model)]
    violation = first_violation(f, z, seed=settings.seed)
    settings.on_step()
    layers = violations_by_module(f, z, seed=settings.seed)
    numbers = {
        "first_violation": None if violation is None else violation.to_json(),
        "layers": [one.to_json() for one in layers],
        "tolerance": None if violation is None else violation.tolerance,
    }
    if violation is None:
        verdict = "real values that do not vary, as far as is seen"
        return DiagnosisSection("holomorphy", "undecided", verdict, numbers=numbers)
    last = [one.path for one in layers if one.path][-1:]
    at_the_end = violation.inside and violation.before is None and violation.path == ""
    if at_the_end or (violation.path in last and _gives_real_values(f, z, violation.path)):
        where = "its last operation" if at_the_end else f"its readout {violation.path!r}"
        return DiagnosisSection(
            "holomorphy",
            "yes",
            f"the logits are real, and no violation of holomorphy was found in front of {where} "
            f"({violation.type_name}) at {len(z)} examples; that is no proof",
            numbers=numbers,
        )
    return DiagnosisSection(
        "holomorphy",
        "no",
        f"not holomorphic in front of its readout: {violation}",
        advice=(violation.suggestion,),
        numbers=numbers,
    )


@torch.no_grad()
def _gives_real_values(f: TensorFunction, z: Tensor, path: str) -> bool:
    """Whether a module of f takes what reaches it to real numbers."""
    module = getattr(f, "__self__", f)
    found: list[bool] = []

    def look(_: object, __: object, output: object) -> None:
        found.append(isinstance(output, Tensor) and not output.is_complex())

    hook = dict(module.named_modules())[path].register_forward_hook(look)  # pyright: ignore
    try:
        f(z)
    finally:
        hook.remove()
    return all(found)


def _continued(model: Prepared, settings: Settings, f: TensorFunction) -> DiagnosisSection:
    z = model.z[: _examples(model)]
    check, radius = _smaller(f, z, Subject(f, z).radius, settings.seed)
    settings.on_step()
    numbers = {"check": _numbers(check), "radius": radius}
    where = f"on discs of radius {1.5 * radius:.3g} about {len(z)} examples"
    if check.passed:
        return DiagnosisSection(
            "holomorphy",
            "yes",
            f"a real model with a holomorphic continuation: no violation found by {WITNESSES} "
            f"{where}; that is no proof",
            (str(check),),
            numbers=numbers,
        )
    answer = "no" if check.dbar > check.tolerance else "undecided"
    return DiagnosisSection(
        "holomorphy", answer, f"the continuation of a real model: {check}, {where}", numbers=numbers
    )


def _smaller(
    f: TensorFunction, z: Tensor, radius: float, seed: int
) -> tuple[HolomorphyCheck, float]:
    """The check on the largest of ever smaller circles that passes, or on the smallest."""
    check = holomorphy_check(f, z, radius=radius, seed=seed)
    for _ in range(HALVINGS):
        if check.passed or check.dbar > check.tolerance:
            break
        radius /= 2
        check = holomorphy_check(f, z, radius=radius, seed=seed)
    return check, radius


def _refused(model: Prepared, settings: Settings, error: NotHolomorphicError) -> DiagnosisSection:
    """A model of pieces: the module at fault, all such modules, and how far its pieces reach."""
    modules = _modules_without_continuation(model.model, model.z.dtype)
    lines = []
    if modules:
        places = ", ".join(f"{path} ({kind})" for path, kind in modules.items())
        lines.append(f"modules without a continuation: {places}")
    numbers: dict = {"refusal": _reason(error), "modules": modules}
    try:
        reach = _reach(model, settings)
        numbers["reach"] = reach.tolist()
        low, middle, high = reach.quantile(torch.tensor([0.0, 0.5, 1.0], dtype=reach.dtype))
        lines.append(
            f"extend(model, pieces='frozen') continues the piece at each example: in "
            f"{DIRECTIONS} random directions it reaches {float(middle):.3g} in the median "
            f"({float(low):.3g} to {float(high):.3g}), where the data spread over "
            f"{model.spread:.3g}"
        )
    except (HolonetError, RuntimeError) as reason:
        lines.append(f"its pieces cannot be frozen: {_reason(reason)}")
    settings.on_step()
    return DiagnosisSection(
        "holomorphy",
        "no",
        f"a real model without a holomorphic continuation: {_reason(error)}",
        tuple(lines),
        advice=(f"replace what is made of pieces: {_reason(error)}",),
        numbers=numbers,
    )


def _modules_without_continuation(model: object, dtype: torch.dtype) -> dict[str, str]:
    """The paths of the modules that are refused on their own, with their types."""
    found = {}
    leaves = model.named_modules() if isinstance(model, nn.Module) else ()
    for path, module in leaves:
        if next(module.children(), None) is None and way_out_for(type(module)):
            try:
                extend(module)(torch.full((1, 2, 4, 4), 0.5 + 0.1j, dtype=dtype))
            except NotHolomorphicError:
                found[path] = type(module).__name__
            except FAILURES:  # it takes other shapes, or has a precision of its own
                continue
    return found


def _reach(model: Prepared, settings: Settings) -> Tensor:
    """How far the frozen pieces at the examples reach, for each example and direction."""
    subject = Subject(model.model, model.x[: _examples(model)], lift=False)
    f = extend(subject.f, "frozen")
    generator = torch.Generator().manual_seed(settings.seed)
    reaches = []
    for _ in range(DIRECTIONS):
        v = torch.randn(subject.z.shape, generator=generator, dtype=torch.float64)
        v = v.to(subject.z.device)
        v = v / lengths(v).view(-1, *[1] * (v.ndim - 1))
        reaches.append(f.reach(subject.z, v).cpu())
    return torch.stack(reaches, 1).flatten()


@torch.no_grad()
def _try(f: Callable, model: Prepared) -> None:
    f(model.z[:2] + 1e-3j * model.spread / math.sqrt(model.x[0].numel()))


def _numbers(check: HolomorphyCheck) -> dict[str, object]:
    return {
        "passed": check.passed,
        "dbar": check.dbar,
        "negative_modes": check.negative_modes,
        "derivative": check.derivative,
        "tolerance": check.tolerance,
        "modes": check.modes.tolist(),
    }


def _reason(error: Exception) -> str:
    """The first paragraph of a message, without the name of the function that raised it."""
    return str(error).strip().split("\n")[0].removeprefix("extend: ")
