"""`holonet train`: one run in a folder of its own."""

import json
import logging
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from holonet.cli.options import LATEST, JsonFlag, RunOption
from holonet.cli.settings import configured, fitted, require_used, takes_settings
from holonet.cli.terminal import say
from holonet.data import Dataset
from holonet.errors import ConfigError
from holonet.nn import real_parameter_count
from holonet.training import RunConfig, build_model, fit, load_data
from holonet.training.checkpoint import kept_steps
from holonet.training.parallel import is_first_process
from holonet.training.run_folder import CHECKPOINTS, CONFIG, open_run
from holonet.training.tensorboard import require_tensorboard

__all__ = ["train"]


logger = logging.getLogger(__name__)


@takes_settings()
def train(
    run_dir: RunOption = LATEST,
    config: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with sections data, model, rule and train; options go before it. "
            "Its keys: holonet list settings."
        ),
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run; files of others stay.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write scalars for tensorboard --logdir, too.")
    ] = False,
    as_json: JsonFlag = False,
    *,
    settings: Mapping[str, str],
) -> None:
    """Train a network and keep everything in a run folder.

    Interrupt it at any time: --resume continues from the last whole checkpoint, and the final
    weights are bit-identical. An .npz file has the arrays x_train, y_train, x_test and
    y_test, or x and y, which are split.

    [dim]holonet train --run-dir runs/digits[/dim]
    [dim]holonet train --data my.npz --family convnet --epochs 10 --run-dir runs/mine[/dim]
    [dim]holonet train --data mnist --data-root ~/data --hidden 256,256 --run-dir runs/mnist[/dim]
    [dim]holonet train --rule linearized --eps 0.1 --run-dir runs/linearized[/dim]
    [dim]holonet train --activation 'z*exp(-z**2)' --run-dir runs/formula[/dim]
    [dim]holonet train --model mymodels:net --data my.npz --run-dir runs/own[/dim]
    [dim]holonet train --validation 0.1 --patience 5 --run-dir runs/stopped[/dim]
    [dim]holonet train --resume --run-dir runs/mnist[/dim]
    """
    if resume and overwrite:
        raise ConfigError("--resume resumes a run, --overwrite replaces it: choose one")
    base = _base(config, run_dir if resume else None)
    run = configured(base, settings)
    require_used(settings, [run])
    first = is_first_process(run.train)  # further ones find the folder that it made
    with _saying_how_to_go_on(run_dir) if first else nullcontext():
        if tensorboard:
            require_tensorboard()  # before anything is written
        dataset = load_data(run.data)
        if config is None and not resume:
            run = fitted(run, settings, dataset)
        _train_in(run_dir, run, dataset, first, resume, overwrite, tensorboard, as_json)


def _train_in(
    folder: Path,
    run: RunConfig,
    dataset: Dataset,
    first: bool,
    resume: bool,
    overwrite: bool,
    tensorboard: bool,
    as_json: bool,
) -> None:
    network = build_model(run, dataset)
    if first and not as_json:
        say(f"{dataset!r}, {_box(dataset)}")
    steps: list[int] = []
    with open_run(folder, run, resume=resume, overwrite=overwrite) if first else nullcontext():
        records = fit(
            network,
            dataset,
            run.rule.build(),
            run_dir=folder,
            resume=resume,
            run=run,
            tensorboard=tensorboard,
            progress=not as_json,
            on_step=steps.append,
        )
    if not first:
        return
    last, kept = records[-1], _kept_epoch(records)
    summary = {
        "run": str(folder),
        "parameters": real_parameter_count(network),
        "test_accuracy": kept["test_accuracy"],
        "train_accuracy": last.get("train_accuracy"),
        "warning": last.get("warning"),
        "kept_epoch": kept["epoch"],
        "steps": last["step"],
        "train_seconds": last["seconds"],
        "box": dataset.bounds,
    }
    if as_json:
        typer.echo(json.dumps(summary))
        return
    if not steps:
        say(f"The run in {folder} is finished: nothing was left to train.")
    say(
        f"test accuracy {100 * kept['test_accuracy']:.2f}% after {last['step']} steps "
        f"({last['seconds']:.1f} s){_which(kept, last)}. The run is in {folder}.\n"
        f"Next: holonet evaluate {folder} --eps 0.1"
    )


def _kept_epoch(records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The record of the epoch whose weights the run ends with."""
    judged = [r for r in records if math.isfinite(r.get("validation_loss", math.nan))]
    return min(judged, key=lambda r: r["validation_loss"]) if judged else records[-1]


def _which(kept: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """Which weights were kept, in words, where examples were held out."""
    if "validation_loss" not in kept:
        return ""
    return (
        f", with the weights of epoch {kept['epoch']} of {last['epoch']}, which has the least loss "
        f"on the held-out examples ({kept['validation_loss']:.4g})"
    )


def _box(data: Dataset) -> str:
    """In words, where attacks on the data stay."""
    if data.is_complex:
        return "complex: attacks have no box"
    if data.bounds is not None:
        return "in [0, 1]: attacks stay in that box"
    low = min(float(x.min()) for x in (data.x_train, data.x_test))
    high = max(float(x.max()) for x in (data.x_train, data.x_test))
    return f"from {low:.4g} to {high:.4g}, not in [0, 1]: attacks have no box"


@contextmanager
def _saying_how_to_go_on(folder: Path) -> Iterator[None]:
    """Where Ctrl-C, or an exit on a signal, ends the work, say what is kept and how to resume."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        with suppress(OSError):  # the terminal is closed
            typer.echo(_kept(folder), err=True)
        raise


def _kept(folder: Path) -> str:
    if not (folder / CONFIG).exists():
        return "no run was begun"
    steps = kept_steps(folder / CHECKPOINTS)
    kept = f"kept up to step {steps[-1]}" if steps else "no step is kept yet"
    return f"{kept}; go on with holonet train --resume --run-dir {shlex.quote(str(folder))}"


def _base(file: Path | None, resumed: Path | None) -> RunConfig:
    """The configuration to start from: the file, that of the run to resume, or the defaults.

    Raises:
        ConfigError: there is no run to resume, which would silently start one on the defaults.
    """
    if resumed is not None and not (resumed / "config.toml").exists():
        raise ConfigError(f"{resumed} holds no run to resume: start it without --resume")
    if file is not None:
        config, plain = RunConfig.read(file), RunConfig().model_dump()
        for key, reason in config.unused().items():
            section, name = key.split(".")
            if (value := getattr(getattr(config, section), name)) != plain[section][name]:
                logger.warning("%s: %s = %s changes nothing with %s", file, key, value, reason)
        return config
    return RunConfig() if resumed is None else RunConfig.read(resumed / "config.toml")
