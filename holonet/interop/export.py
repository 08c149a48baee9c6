"""A network in a file of ONNX, torch.export or safetensors, read back and compared."""

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import safetensors.torch
import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._files import require_place, write_atomically
from holonet._named_object import first_sentence
from holonet._optional import require
from holonet._types import Points
from holonet.errors import ConfigError, NumericalError
from holonet.interop.real import RealForm, to_real

__all__ = ["FORMATS", "Exported", "Format", "export"]

Format = Literal["onnx", "torch-export", "safetensors"]

FORMATS: tuple[Format, ...] = get_args(Format)
"""What `export` writes."""

SAME = 1e-5
"""The difference from the network that an exported one may have, of the largest output."""


class Exported(NamedTuple):
    """What was written.

    Args:
        path: of the file.
        difference: largest difference of its outputs from the network's, as a part of the largest
            output or of 1, whichever is more.
    """

    path: Path
    difference: float


@checked
def export(model: nn.Module, x: Points, path: str | Path, to: Format | str = "onnx") -> Exported:
    """Write a network for other tools, and compare what was written with it on examples.

    "onnx" and "torch-export" hold the real form (`to_real`) with a free batch size: input "x" and
    output "logits", planar where they are complex. "safetensors" holds the state dict as it is,
    complex64 as C64.

    Args:
        model: in eval mode afterwards.
        x: at least two examples; complex ones for a model of complex data.
        path: of the file.
        to: one of `FORMATS`.

    Raises:
        ConfigError: an unknown format, fewer than two examples, or what torch cannot export.
        InputTypeError: a layer has no real form.
        MissingDependencyError: onnx, onnxscript or onnxruntime is not installed.
        NumericalError: what was written differs by more than `SAME`. The file is not kept.
    """
    if to not in FORMATS:
        raise ConfigError(f"export(to={to!r}): choose one of {', '.join(FORMATS)}")
    if len(x) < 2:
        raise ConfigError(
            f"export of a model with {len(x)} examples: give two, to leave the batch free"
        )
    path = Path(path)
    require_place(path)
    model.eval()
    content, run = _WRITERS[to](model, x)
    with torch.no_grad():
        wanted = model(x)
    found = run(x)
    wanted = torch.view_as_real(wanted) if wanted.is_complex() else wanted
    scale = max(1.0, float(wanted.abs().max()))
    difference = float((found - wanted).abs().max()) / scale
    if not difference <= SAME:
        raise NumericalError(
            f"{path.name} would differ from the network by {difference:.1e} of the largest output: "
            "nothing was written. Export in double precision (nn.to_precision), or as safetensors"
        )
    return Exported(write_atomically(path, content), difference)


Written = tuple[bytes, Callable[[Tensor], Tensor]]
"""The content of a file, and what runs it."""


def _program(model: nn.Module, x: Tensor) -> tuple[RealForm, torch.export.ExportedProgram]:
    form = to_real(model, complex_input=x.is_complex())
    batch = torch.export.Dim("batch")
    try:
        with _quiet():
            return form, torch.export.export(form, (_planar(x),), dynamic_shapes={"x": {0: batch}})
    except Exception as error:  # of any kind: torch runs the model of others
        raise ConfigError(
            f"torch.export cannot follow {type(model).__name__}: {first_sentence(error)}"
        ) from error


def _planar(x: Points) -> Tensor:
    """What the real form takes."""
    return torch.view_as_real(x.resolve_conj()) if x.is_complex() else x


def _torch_export(model: nn.Module, x: Tensor) -> Written:
    _, program = _program(model, x)
    file = io.BytesIO()
    with _quiet():
        torch.export.save(program, file)
        file.seek(0)
        read = torch.export.load(file).module()
    return file.getvalue(), lambda x: read(_planar(x)).detach()


def _onnx(model: nn.Module, x: Tensor) -> Written:
    for package in ("onnx", "onnxscript", "onnxruntime"):
        require(package, package, "onnx", "Export to ONNX")
    import onnxruntime

    _, program = _program(model, x)
    try:
        with _quiet():
            made: Any = torch.onnx.export(
                program, input_names=["x"], output_names=["logits"], verbose=False
            )
    except torch.onnx.OnnxExporterError as error:
        raise ConfigError(f"torch.onnx cannot write this network: {_cause(error)}") from error
    content = made.model_proto.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(x: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"x": _planar(x).numpy()})[0])

    return content, run


def _safetensors(model: nn.Module, x: Tensor) -> Written:
    plain = {k: v.detach().resolve_conj().cpu().contiguous() for k, v in model.state_dict().items()}
    content = safetensors.torch.save(plain)
    read = safetensors.torch.load(content)

    def run(x: Tensor) -> Tensor:
        with torch.no_grad():
            value = torch.func.functional_call(model, read, (x,))
        return _planar(value)

    return content, run


_WRITERS: Mapping[str, Callable[[nn.Module, Tensor], Written]] = {
    "onnx": _onnx,
    "torch-export": _torch_export,
    "safetensors": _safetensors,
}


def _cause(error: BaseException) -> str:
    """The first sentence of the deepest cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_sentence(error) if isinstance(error, Exception) else str(error)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's warnings about its own exporters."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)
