"""Everything that is measured of one model, section by section, in one object."""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from torch import nn

from holonet._arguments import checked
from holonet._cache import Identity, keep, module_digest, read_kept, recall, tensor_digest
from holonet._types import GivenLabels, GivenPoints, TensorFunction
from holonet.calculus.checks import require_count
from holonet.diagnostics.diagnosis import Diagnosis, DiagnosisSection
from holonet.diagnostics.prepared import Prepared, Settings, prepare
from holonet.diagnostics.sections import (
    analyticity_section,
    energy_section,
    harmonicity_section,
    holomorphy_section,
    robustness_section,
    slices_section,
)
from holonet.diagnostics.untrained import untrained_twin
from holonet.errors import HolonetError, InputTypeError, UnknownNameError

__all__ = ["SECTIONS", "diagnose"]

SECTIONS: Mapping[str, Callable[[Prepared, Settings], DiagnosisSection]] = MappingProxyType(
    {
        "holomorphy": holomorphy_section,
        "harmonicity": harmonicity_section,
        "analyticity": analyticity_section,
        "energy": energy_section,
        "robustness": robustness_section,
        "slices": slices_section,
    }
)
"""The sections by name, in their order."""

FORMAT = 1
"""Of kept sections: raised where a section measures something else than before."""


@checked
def diagnose(
    model: TensorFunction,
    x: GivenPoints,
    y: GivenLabels | None = None,
    *,
    baseline: Literal["untrained"] | TensorFunction | None = "untrained",
    sections: Sequence[str] | None = None,
    examples: int = 16,
    attacked: int = 200,
    eps: Sequence[float | int] | None = None,
    seed: int = 0,
    folder: Path | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Diagnosis:
    """What a model is: holomorphic or continued, harmonic or not, how steep, how robust.

    It is looked at in eval mode, as a copy, on the device that it is on; its modes, gradients and
    statistics stay as they are. A section that does not apply says why. What a section cannot
    measure of this model is a line in the result and no error.

    Args:
        model: any module, real or complex, or a function of batches. It gives one row of logits
            for each example; of complex ones the real parts are the logits.
        x: the examples, (batch, *event); in the shape that the model takes, or flattened where it
            takes vectors. Real ones become complex ones where it takes complex ones alone.
        y: labels, which robustness needs.
        baseline: "untrained" for the same architecture with new parameters, a model, or None.
        sections: names of `SECTIONS`; None for all.
        examples: the first ones, that derivatives and spheres are taken at.
        attacked: the first ones, that are attacked.
        eps: radii of attacks; None takes 0.02, 0.05 and 0.1 times the range of the data.
        seed: of everything random.
        folder: where each finished section is kept, under a digest of model, data and settings. A
            second call with the same ones takes it from there.
        on_step: called with the name of the section, at its start and after each part of it.

    Law: an interrupted call that is repeated gives the same object.

    Raises:
        DataError: there are no examples.
        InputTypeError: the model takes these points in no form, or is no function of one example;
            a folder for a model that is no module.
        UnknownNameError: a section of another name.
        ConfigError: `examples` or `attacked` below 1.
        ShapeError, DomainError: labels that do not fit.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2))
        >>> found = diagnose(net, torch.rand(8, 2), sections=["holomorphy"])
        >>> found["holomorphy"].answer
        'yes'
    """
    chosen = tuple(SECTIONS) if sections is None else tuple(sections)
    for name in chosen:
        if name not in SECTIONS:
            raise UnknownNameError("section", name, list(SECTIONS))
    for name, count in (("examples", examples), ("attacked", attacked)):
        require_count(name, count, 1, "diagnose")
    prepared = prepare(model, x, y)
    settings = _settings(prepared, baseline, seed)
    radii = None if eps is None else tuple(map(float, eps))
    settings = replace(settings, examples=examples, attacked=attacked, eps=radii)
    asked = {"examples": examples, "attacked": attacked, "eps": radii, "seed": seed}
    home = identity = None
    if folder is not None:
        identity = _identity(prepared, settings, asked)
        home = folder / tensor_digest([], [json.dumps(identity, sort_keys=True)])[:16]
    found = []
    for name in chosen:
        if on_step is not None:
            on_step(name)
            settings = replace(settings, on_step=functools.partial(on_step, name))
        path = None if home is None else home / f"{name}.json"
        found.append(_section(name, prepared, settings, path, identity))
    return Diagnosis(_about(prepared, settings), asked, tuple(found))


def _section(
    name: str, model: Prepared, settings: Settings, path: Path | None, identity: Identity | None
) -> DiagnosisSection:
    """A section that was kept, or a new one, which is kept."""
    if path is None or identity is None:
        return _measured(name, model, settings)

    def read(path: Path) -> DiagnosisSection:
        return DiagnosisSection.from_json(read_kept(path, identity)["section"])

    section = recall(path, read)
    if section is None:
        section = _measured(name, model, settings)
        keep(path, identity, section=section.to_json())
        section = DiagnosisSection.from_json(section.to_json())
    return section


def _measured(name: str, model: Prepared, settings: Settings) -> DiagnosisSection:
    """The section; where the model cannot be measured, the reason in words."""
    try:
        return SECTIONS[name](model, settings)
    except (HolonetError, RuntimeError, NotImplementedError) as error:
        reason = (str(error).strip() or type(error).__name__).split("\n")[0]
        return DiagnosisSection(name, "not applicable", f"could not be measured: {reason}")


def _settings(
    model: Prepared, baseline: Literal["untrained"] | TensorFunction | None, seed: int
) -> Settings:
    """The baseline's logits, or why there is none."""
    if baseline is None:
        return Settings(seed=seed)
    if not isinstance(baseline, str):
        other = prepare(baseline, model.x)
        if other.outputs != model.outputs:
            raise InputTypeError(
                f"the baseline gives {other.outputs} outputs and the model {model.outputs}: give "
                "one that answers the same question"
            )
        return Settings(other.logits, "baseline", seed=seed)
    logits = model.logits
    if not isinstance(logits, nn.Module) or not any(True for _ in logits.parameters()):
        return Settings(no_baseline="a function without parameters has no untrained twin")
    try:
        return Settings(untrained_twin(logits, seed=seed).model, "untrained", seed=seed)
    except HolonetError as error:
        return Settings(no_baseline=str(error).split(":")[0], seed=seed)


def _identity(model: Prepared, settings: Settings, asked: Mapping[str, Any]) -> dict[str, Any]:
    """All that a section depends on."""
    if not isinstance(model.model, nn.Module):
        raise InputTypeError(
            f"diagnose(folder=...) of {model.name}, which is no module: results are kept with a "
            "digest of the weights, so wrap the function in an nn.Module, or pass folder=None"
        )
    beside = settings.baseline
    return {
        "format": FORMAT,
        "model": module_digest(model.model),
        "data": tensor_digest([model.x, *([] if model.y is None else [model.y])]),
        "baseline": module_digest(beside) if isinstance(beside, nn.Module) else repr(beside),
        **asked,
    }


def _about(model: Prepared, settings: Settings) -> dict[str, Any]:
    parameters = list(model.model.parameters()) if isinstance(model.model, nn.Module) else []
    return {
        "model": model.name,
        "kind": "complex" if model.is_complex else "real",
        "parameters": sum(p.numel() for p in parameters),
        "outputs": model.outputs,
        "examples": f"{len(model.x)} of shape {tuple(model.x.shape[1:])}, {model.x.dtype}",
        "device": str(model.x.device),
        "baseline": settings.baseline_name or settings.no_baseline or "none",
        **({"changed": ", ".join(model.notes)} if model.notes else {}),
    }
