"""`holonet train` and `holonet evaluate`: one run, and what it withstands."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from holonet._files import write_atomically
from holonet.attacks import ThreatModel
from holonet.attacks.threat import Norm
from holonet.diagnostics import robustness_curve
from holonet.nn import real_parameter_count
from holonet.training import RunConfig, build_model, fit, load_data, load_run, prepare_run

__all__ = ["evaluate", "train"]

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout instead of text.")]


def train(
    run_dir: Annotated[
        Path, typer.Option(help="Folder of the run: configuration, metrics, checkpoints, weights.")
    ] = Path("runs/latest"),
    config: Annotated[
        Path | None, typer.Option(help="TOML file; options given here go before it.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="digits (default), mnist, or the path of an .npz file.")
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder with the files of the data set (mnist).")
    ] = None,
    train_size: Annotated[int | None, typer.Option(help="Only the first so many.")] = None,
    test_size: Annotated[int | None, typer.Option(help="Only the first so many.")] = None,
    model: Annotated[
        str | None, typer.Option(help="holomorphic (default), real, or real-twin.")
    ] = None,
    hidden: Annotated[
        str | None, typer.Option(help="Widths of the hidden layers, e.g. 256,256.")
    ] = None,
    activation: Annotated[
        str | None, typer.Option(help="See `holonet list activations`; square is the default.")
    ] = None,
    readout: Annotated[
        str | None, typer.Option(help="real (default), imag, modulus, log-modulus.")
    ] = None,
    gain: Annotated[float | None, typer.Option(help="E|w|^2 = gain^2/fan_in at the start.")] = None,
    rule: Annotated[str | None, typer.Option(help="analytic (default) or standard.")] = None,
    weight: Annotated[float | None, typer.Option(help="Of the Dirichlet energy.")] = None,
    on: Annotated[str | None, typer.Option(help="logits (default), probabilities, loss.")] = None,
    probes: Annotated[str | None, typer.Option(help="Random directions, or exact.")] = None,
    mode: Annotated[str | None, typer.Option(help="reverse (default) or forward.")] = None,
    epochs: Annotated[int | None, typer.Option()] = None,
    batch_size: Annotated[int | None, typer.Option(help="Of all processes together.")] = None,
    lr: Annotated[float | None, typer.Option(help="Peak of the one-cycle schedule.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and probes.")] = None,
    checkpoint_every: Annotated[int | None, typer.Option(help="Steps between two.")] = None,
    log_every: Annotated[int | None, typer.Option(help="Steps between two records.")] = None,
    accelerator: Annotated[str | None, typer.Option(help="auto, cpu, cuda.")] = None,
    devices: Annotated[int | None, typer.Option(help="Processes, one for each device.")] = None,
    backend: Annotated[str | None, typer.Option(help="auto, gloo, nccl.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a network and keep everything in a run folder.

    A run that was cut off goes on from its last whole checkpoint with --resume and ends with the
    same weights to the bit.

    [dim]holonet train --run-dir runs/digits --epochs 20 --batch-size 64[/dim]
    [dim]holonet train --data mnist --data-root ~/data --hidden 256,256 --run-dir runs/mnist[/dim]
    [dim]holonet train --resume --run-dir runs/mnist[/dim]
    """
    base = _base(config, run_dir if resume else None)
    given = {
        "data": {"name": data, "root": data_root, "train": train_size, "test": test_size},
        "model": {
            "kind": model,
            "hidden": None if hidden is None else hidden.split(","),
            "activation": activation,
            "readout": readout,
            "gain": gain,
        },
        "rule": {"name": rule, "weight": weight, "on": on, "probes": probes, "mode": mode},
        "train": {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "seed": seed,
            "checkpoint_every": checkpoint_every,
            "log_every": log_every,
            "accelerator": accelerator,
            "devices": devices,
            "backend": backend,
        },
    }
    run = _override(base, given)
    if _is_first_process():  # further processes find the folder that this one made
        prepare_run(run_dir, run, resume=resume, overwrite=overwrite)
    dataset = load_data(run.data)
    network = build_model(run, dataset)
    records = fit(
        network,
        dataset,
        run.rule.build(),
        run.train,
        run_dir=run_dir,
        resume=resume,
        progress=not as_json,
    )
    if not _is_first_process():
        return
    last = records[-1]
    summary = {
        "run": str(run_dir),
        "parameters": real_parameter_count(network),
        "test_accuracy": last["test_accuracy"],
        "steps": last["step"],
        "train_seconds": last["seconds"],
    }
    if as_json:
        typer.echo(json.dumps(summary))
        return
    typer.echo(
        f"test accuracy {100 * last['test_accuracy']:.2f}% after {last['step']} steps "
        f"({last['seconds']:.1f} s). The run is in {run_dir}.\n"
        f"Next: holonet evaluate {run_dir} --eps 0.1"
    )


def evaluate(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    eps: Annotated[str, typer.Option(help="Radii, e.g. 0.05,0.1.")] = "0.1",
    norm: Annotated[str, typer.Option(help="Linf or L2.")] = "Linf",
    steps: Annotated[int, typer.Option(help="Of projected gradient ascent.")] = 40,
    restarts: Annotated[int, typer.Option(help="Random starts.")] = 3,
    examples: Annotated[int, typer.Option(help="First so many of the test set.")] = 1000,
    seed: Annotated[int, typer.Option(help="Of the starts.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Clean accuracy, and accuracy under PGD on the margin, with Wilson intervals at 95%.

    The numbers are also kept in evaluation.json in the run folder. PGD gives an upper bound on
    robust accuracy, never a guarantee.

    [dim]holonet evaluate runs/mnist --eps 0.1,0.2 --restarts 3[/dim]
    """
    radii = _numbers(eps, "--eps")
    threat = ThreatModel(norm=cast("Norm", norm), eps=max(radii))  # refuses what is out of range
    for radius in radii:
        ThreatModel(norm=cast("Norm", norm), eps=radius)
    _, dataset, network = load_run(run_dir)
    if dataset.bounds is None:
        threat = ThreatModel(norm=threat.norm, eps=threat.eps, bounds=None)
    x, y = dataset.x_test[:examples], dataset.y_test[:examples]
    radii = sorted({0.0, *radii})
    with Progress(console=Console(stderr=True), disable=as_json) as bar:
        task = bar.add_task("attacking", total=len(radii) * -(-len(y) // 500))
        curve = robustness_curve(
            network,
            x,
            y,
            radii,
            threat=threat,
            steps=steps,
            restarts=restarts,
            seed=seed,
            on_batch=lambda: bar.advance(task),
        )
    result: dict[str, Any] = {
        "run": str(run_dir),
        "attack": {"norm": norm, "steps": steps, "restarts": restarts, "seed": seed},
        "curve": [
            {**asdict(p), "accuracy": p.accuracy, "interval": list(p.interval)} for p in curve
        ],
    }
    write_atomically(run_dir / "evaluation.json", json.dumps(result, indent=1))
    if as_json:
        typer.echo(json.dumps(result))
        return
    table = Table(title=f"{run_dir}: PGD-{steps}, {restarts} restarts, {norm}")
    for header in ("eps", "accuracy %", "95% interval", "examples"):
        table.add_column(header, justify="right")
    for p in curve:
        low, high = p.interval
        table.add_row(
            f"{p.eps:g}",
            f"{100 * p.accuracy:.1f}",
            f"{100 * low:.1f} to {100 * high:.1f}",
            str(p.examples),
        )
    Console(width=max(80, shutil.get_terminal_size().columns)).print(table)


def _base(file: Path | None, resumed: Path | None) -> RunConfig:
    """The configuration to start from: the file, that of the run to resume, or the defaults."""
    if file is not None:
        return RunConfig.read(file)
    if resumed is not None and (resumed / "config.toml").exists():
        return RunConfig.read(resumed / "config.toml")
    return RunConfig()


def _is_first_process() -> bool:
    """Whether this is the process that a person started, and not one of its helpers."""
    return int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))) == 0


def _override(base: RunConfig, given: dict[str, dict[str, Any]]) -> RunConfig:
    """The configuration with the options that were given, validated again."""
    values = base.model_dump(exclude_none=True)
    for section, options in given.items():
        values[section] |= {k: v for k, v in options.items() if v is not None}
    return RunConfig.from_mapping(values, "options")


def _numbers(text: str, option: str) -> Sequence[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a list of numbers: write {option} 0.05,0.1"
        ) from None
