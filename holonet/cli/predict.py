"""`holonet predict`: what a trained network says of examples."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.table import Table
from torch import nn

from holonet._files import require_place, write_atomically
from holonet._progress import progress_bar
from holonet._types import Logits, Points
from holonet.attacks.objectives import logits_of
from holonet.cli.attack import percent
from holonet.cli.options import LATEST, DataOption, JsonFlag, RootOption, RunArgument
from holonet.cli.terminal import literal, say, show
from holonet.data import Inputs, load_inputs
from holonet.errors import ConfigError, NumericalError
from holonet.training import load_run
from holonet.training.run_folder import finished_run

__all__ = ["predict"]

BATCH = 500  # examples at once
SHOWN = 10  # rows without --out
SUFFIXES = (".csv", ".json", ".npz")


def predict(
    run: RunArgument = LATEST,
    data: DataOption = None,
    data_root: RootOption = None,
    out: Annotated[
        Path | None, typer.Option(help=f"File of the answers: {', '.join(SUFFIXES)}.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Label examples by a trained network, with probabilities and margins.

    The data are a data set's test examples, those of the run unless given; the examples x_test, or
    x, of an .npz file, with or without labels; or all images in a folder, of the run's size. The
    margin is the largest logit less the second largest one. Pixels are divided by 255.

    [dim]holonet predict runs/digits --out answers.csv[/dim]
    [dim]holonet predict runs/mine --data new.npz --out answers.npz[/dim]
    [dim]holonet predict runs/photographs --data images/ --json[/dim]
    """
    if out is not None:
        if out.suffix.lower() not in SUFFIXES:
            raise ConfigError(f"--out {out}: choose a name that ends in {', '.join(SUFFIXES)}")
        require_place(out)
    config, network, about = finished_run(run)
    if data is None:
        own = load_run(run)[1]
        inputs = Inputs(own.x_test, own.y_test)
    else:
        shape = about["examples"]["shape"]
        inputs = load_inputs(data, shape, root=data_root, seed=config.data.seed)
    logits = _logits(network, inputs.x, shown=not as_json)
    answers = _answers(logits, inputs)
    right = None if inputs.y is None else float(np.mean(answers["predicted"] == answers["label"]))
    result = {
        "run": str(run),
        "data": data or config.data.name,
        "examples": len(logits),
        "accuracy": right,
        "answers": list(_rows(answers)),
    }
    if out is not None:
        write_atomically(out, _content(out, answers, result))
    if as_json:
        typer.echo(json.dumps(result))
        return
    if out is None:
        show(_table(answers))
        if len(logits) > SHOWN:
            say(f"{SHOWN} of {len(logits)} examples: --out answers.csv keeps all.")
    if right is not None:
        say(f"accuracy {percent(right)}% on {len(logits)} examples")
    if out is not None:
        say(f"The answers are in {out}.")


@torch.no_grad()
def _logits(network: nn.Module, x: Points, shown: bool) -> Logits:
    """The logits of all examples.

    Raises:
        NumericalError: some are not finite.
    """
    found = []
    with progress_bar(shown) as bar:
        task = bar.add_task("predicting", total=len(x))
        for batch in x.split(BATCH):
            found.append(logits_of(network, batch, torch.zeros(len(batch), dtype=torch.int64)))
            bar.advance(task, len(batch))
    logits = torch.cat(found)
    lost = (~logits.isfinite()).any(1).nonzero()
    if len(lost):
        raise NumericalError(
            f"the logits of example {int(lost[0])}, and of {len(lost)} in all, are not finite: are "
            "they scaled as the training data were?"
        )
    return logits


def _answers(logits: Logits, inputs: Inputs) -> dict[str, np.ndarray]:
    """The columns of the answers, as numpy.savez takes them."""
    best = logits.topk(min(2, logits.shape[1]), dim=1)
    names = [str(k) for k in range(len(logits))] if inputs.names is None else list(inputs.names)
    answers = {
        "example": np.array(names),
        "predicted": best.indices[:, 0].numpy(),
        "margin": (best.values[:, 0] - best.values[:, -1]).numpy(),
    }
    if inputs.y is not None:
        answers["label"] = inputs.y.numpy()
    return answers | {"probabilities": logits.softmax(1).numpy()}


def _rows(answers: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    for k in range(len(answers["example"])):
        yield {name: column[k].tolist() for name, column in answers.items()}


def _content(out: Path, answers: dict[str, np.ndarray], result: dict[str, Any]) -> bytes | str:
    """The file, by its suffix."""
    if out.suffix.lower() == ".json":
        return json.dumps(result, indent=1) + "\n"
    if out.suffix.lower() == ".npz":
        archive = io.BytesIO()
        np.savez(archive, **answers)  # type: ignore[arg-type]
        return archive.getvalue()
    text = io.StringIO(newline="")
    names = [name for name in answers if name != "probabilities"]
    classes = range(answers["probabilities"].shape[1])
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *(f"probability_{k}" for k in classes)])
    for row in _rows(answers):
        digits = (f"{number:.9g}" for number in (row["margin"], *row["probabilities"]))
        row["margin"] = next(digits)
        writer.writerow([*(row[name] for name in names), *digits])
    return text.getvalue()


def _table(answers: dict[str, np.ndarray]) -> Table:
    table = Table()
    names = [name for name in answers if name != "probabilities"]
    for name in (*names, "probability"):
        table.add_column(name, justify="left" if name == "example" else "right", overflow="fold")
    for row in list(_rows(answers))[:SHOWN]:
        row["margin"] = f"{row['margin']:.4g}"
        cells = (literal(row[name]) for name in names)
        table.add_row(*cells, f"{max(row['probabilities']):.3f}")
    return table
