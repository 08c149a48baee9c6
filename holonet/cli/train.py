"""`holonet train`: one run in a folder of its own."""

import functools
import json
import logging
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from holonet.cli.options import RULE_NAMES, JsonFlag, require_used
from holonet.cli.terminal import say
from holonet.data import Dataset
from holonet.errors import ConfigError
from holonet.nn import real_parameter_count
from holonet.training import RunConfig, build_model, fit, load_data
from holonet.training.checkpoint import kept_steps
from holonet.training.run_folder import CHECKPOINTS, CONFIG, open_run

__all__ = ["train"]


def _option(panel: str, text: str, default: object) -> Any:
    """An option whose default stands in the configuration, so that a file may change it."""
    return typer.Option(help=f"{text} [dim](default {default})[/dim]", rich_help_panel=panel)


logger = logging.getLogger(__name__)

_DEFAULT = RunConfig()
_data = functools.partial(_option, "Data")
_model = functools.partial(_option, "Network")
_rule = functools.partial(_option, "Rule")
_train = functools.partial(_option, "Training")


def train(
    run_dir: Annotated[
        Path, typer.Option(help="Folder of the run: configuration, metrics, checkpoints, weights.")
    ] = Path("runs/latest"),
    config: Annotated[
        Path | None, typer.Option(help="TOML file; options given here go before it.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the run; files of others stay.")
    ] = False,
    as_json: JsonFlag = False,
    data: Annotated[
        str | None, _data("digits, mnist, rings, or the path of an .npz file.", _DEFAULT.data.name)
    ] = None,
    data_root: Annotated[Path | None, _data("Folder with the files of mnist.", "none")] = None,
    train_size: Annotated[int | None, _data("Train on the first so many.", "all")] = None,
    test_size: Annotated[int | None, _data("Test on the first so many.", "all")] = None,
    model: Annotated[
        str | None,
        _model("holomorphic, real, real-parameter-matched, real-mac-matched.", _DEFAULT.model.kind),
    ] = None,
    family: Annotated[str | None, _model("mlp or convnet.", _DEFAULT.model.family)] = None,
    hidden: Annotated[
        str | None,
        _model("Widths of a perceptron's layers.", ",".join(map(str, _DEFAULT.model.hidden))),
    ] = None,
    channels: Annotated[
        str | None, _model("Of a convnet.", ",".join(map(str, _DEFAULT.model.channels)))
    ] = None,
    dense: Annotated[
        str | None,
        _model("Widths behind its convolutions.", ",".join(map(str, _DEFAULT.model.dense))),
    ] = None,
    activation: Annotated[
        str | None, _model("See `holonet list activations`.", _DEFAULT.model.activation)
    ] = None,
    readout: Annotated[
        str | None, _model("real, imag, modulus, log-modulus.", _DEFAULT.model.readout)
    ] = None,
    gain: Annotated[
        str | None,
        _model("Weights start with E|w|^2 = gain^2/fan_in, or data.", _DEFAULT.model.gain),
    ] = None,
    rule: Annotated[str | None, _rule(RULE_NAMES, _DEFAULT.rule.name)] = None,
    norm: Annotated[
        str | None, _rule("Linf, L2 or L1, of rules with a radius.", _DEFAULT.rule.norm)
    ] = None,
    eps: Annotated[float | None, _rule("Their radius.", _DEFAULT.rule.eps)] = None,
    steps: Annotated[int | None, _rule("Of pgd and trades.", _DEFAULT.rule.steps)] = None,
    beta: Annotated[float | None, _rule("Of trades.", _DEFAULT.rule.beta)] = None,
    weight: Annotated[float | None, _rule("Of the Dirichlet energy.", _DEFAULT.rule.weight)] = None,
    on: Annotated[
        str | None, _rule("Energy of logits, probabilities or loss.", _DEFAULT.rule.on)
    ] = None,
    probes: Annotated[
        str | None, _rule("Random directions, or exact.", _DEFAULT.rule.probes)
    ] = None,
    mode: Annotated[
        str | None, _rule("reverse or forward differentiation.", _DEFAULT.rule.mode)
    ] = None,
    schedule: Annotated[
        str | None,
        _rule("How weights and radii rise: constant, linear, cosine.", _DEFAULT.rule.schedule),
    ] = None,
    warm_up: Annotated[
        float | None, _rule("Fraction of training until they are there.", _DEFAULT.rule.warm_up)
    ] = None,
    epochs: Annotated[
        int | None, _train("Passes over the training set.", _DEFAULT.train.epochs)
    ] = None,
    batch_size: Annotated[
        int | None, _train("Of all processes together.", _DEFAULT.train.batch_size)
    ] = None,
    lr: Annotated[
        float | None, _train("Peak of the one-cycle schedule.", _DEFAULT.train.lr)
    ] = None,
    weight_decay: Annotated[
        float | None, _train("Times the weights, joins gradients.", _DEFAULT.train.weight_decay)
    ] = None,
    seed: Annotated[
        int | None, _train("Of weights, order and probes.", _DEFAULT.train.seed)
    ] = None,
    checkpoint_every: Annotated[
        int | None, _train("Steps between checkpoints.", _DEFAULT.train.checkpoint_every)
    ] = None,
    log_every: Annotated[
        int | None, _train("Steps between records.", _DEFAULT.train.log_every)
    ] = None,
    accelerator: Annotated[
        str | None, _train("auto, cpu, cuda.", _DEFAULT.train.accelerator)
    ] = None,
    devices: Annotated[
        int | None, _train("Processes, one for each device.", _DEFAULT.train.devices)
    ] = None,
    backend: Annotated[str | None, _train("auto, gloo, nccl.", _DEFAULT.train.backend)] = None,
) -> None:
    """Train a network and keep everything in a run folder.

    A run that was cut off goes on from its last whole checkpoint with --resume and ends with the
    same weights to the bit.

    [dim]holonet train --run-dir runs/digits --epochs 20 --batch-size 64[/dim]
    [dim]holonet train --data mnist --data-root ~/data --hidden 256,256 --run-dir runs/mnist[/dim]
    [dim]holonet train --rule linearized --eps 0.1 --run-dir runs/linearized[/dim]
    [dim]holonet train --resume --run-dir runs/mnist[/dim]
    """
    if resume and overwrite:
        raise ConfigError("--resume goes on with a run, --overwrite replaces it: choose one")
    base = _base(config, run_dir if resume else None)
    given = {
        "data": {"name": data, "root": data_root, "train": train_size, "test": test_size},
        "model": {
            "kind": model,
            "family": family,
            "hidden": _split(hidden),
            "channels": _split(channels),
            "dense": _split(dense),
            "activation": activation,
            "readout": readout,
            "gain": gain,
        },
        "rule": {
            "name": rule,
            "norm": norm,
            "eps": eps,
            "steps": steps,
            "beta": beta,
            "weight": weight,
            "on": on,
            "probes": probes,
            "mode": mode,
            "schedule": schedule,
            "warm_up": warm_up,
        },
        "train": {
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "weight_decay": weight_decay,
            "seed": seed,
            "checkpoint_every": checkpoint_every,
            "log_every": log_every,
            "accelerator": accelerator,
            "devices": devices,
            "backend": backend,
        },
    }
    run = _override(base, given)
    first = _is_first_process(run.train.devices)  # further ones find the folder that it made
    with _saying_how_to_go_on(run_dir) if first else nullcontext():
        _train_in(run_dir, run, first, resume, overwrite, as_json)


def _train_in(
    folder: Path, run: RunConfig, first: bool, resume: bool, overwrite: bool, as_json: bool
) -> None:
    dataset = load_data(run.data)
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
            progress=not as_json,
            on_step=steps.append,
        )
    if not first:
        return
    last = records[-1]
    summary = {
        "run": str(folder),
        "parameters": real_parameter_count(network),
        "test_accuracy": last["test_accuracy"],
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
        f"test accuracy {100 * last['test_accuracy']:.2f}% after {last['step']} steps "
        f"({last['seconds']:.1f} s). The run is in {folder}.\n"
        f"Next: holonet evaluate {folder} --eps 0.1"
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


def _split(numbers: str | None) -> list[str] | None:
    return None if numbers is None else numbers.split(",")


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


def _is_first_process(devices: int) -> bool:
    """Whether this is the process that a person started, and not one of its helpers.

    One device needs no helpers, whatever the environment says; where there are several, a rank is
    read where Fabric reads it.
    """
    if devices == 1:
        return True
    name = "RANK" if "TORCHELASTIC_RUN_ID" in os.environ else "LOCAL_RANK"
    rank = os.environ.get(name, "0")
    if not rank.isdecimal():
        raise ConfigError(f"{name}={rank!r} in the environment is no number of a process: unset it")
    return int(rank) == 0


def _override(base: RunConfig, given: dict[str, dict[str, Any]]) -> RunConfig:
    """The configuration with the options that were given, validated again.

    Raises:
        ConfigError: an option that is not valid, or that the chosen network, rule or data ignore.
    """
    values = base.model_dump(exclude_none=True)
    chosen = {s: {k: v for k, v in o.items() if v is not None} for s, o in given.items()}
    for section, options in chosen.items():
        values[section] |= options
    run = RunConfig.from_mapping(values, "options")
    given_keys = [f"{section}.{key}" for section, options in chosen.items() for key in options]
    require_used(given_keys, [run])
    return run
