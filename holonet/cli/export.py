"""`holonet export`: a trained network for other tools."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from holonet._progress import progress_bar
from holonet.cli.options import LATEST, JsonFlag, RunArgument
from holonet.cli.terminal import say
from holonet.interop import export as export_to
from holonet.training.run_folder import finished_run

__all__ = ["Kind", "export"]

SUFFIXES = {"onnx": ".onnx", "torch-export": ".pt2", "safetensors": ".safetensors"}
EXAMPLES = 64  # that the file is compared on


class Kind(StrEnum):
    """What a network can be written as."""

    ONNX = "onnx"
    TORCH_EXPORT = "torch-export"
    SAFETENSORS = "safetensors"


def export(
    run: RunArgument = LATEST,
    to: Annotated[Kind, typer.Option(help="Kind of the file.")] = Kind.ONNX,
    out: Annotated[
        Path | None, typer.Option(help="The file.", show_default="the run's name, in this folder")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a trained network as ONNX, torch.export or safetensors, and compare the file with it.

    onnx and torch-export hold real tensors alone, with a free batch size; complex examples have
    their parts on a last axis. safetensors holds the weights. The difference is measured on random
    numbers with parts from 0 to 1.

    [dim]holonet export runs/digits --to onnx --out digits.onnx[/dim]
    [dim]holonet export runs/digits --to torch-export[/dim]
    """
    config, network, about = finished_run(run)
    del config
    path = out or Path(f"{run.resolve().name}{SUFFIXES[to.value]}")
    generator = torch.Generator().manual_seed(0)
    shape = about["examples"]["shape"]
    x = torch.rand(EXAMPLES, *shape, generator=generator)
    if about["examples"].get("complex", False):
        x = torch.complex(x, torch.rand(EXAMPLES, *shape, generator=generator))
        shape = [*shape, 2]
    with progress_bar(not as_json) as bar:
        bar.add_task(f"writing {path.name}", total=None)
        found = export_to(network, x, path, to.value)
    result = {"run": str(run), "to": to.value, "file": str(path), "difference": found.difference}
    if as_json:
        typer.echo(json.dumps(result))
        return
    say(
        f"{path}: input x of shape (batch, {', '.join(map(str, shape))}), output logits.\n"
        f"Its outputs differ from the network's by {found.difference:.1e} of the largest."
    )
