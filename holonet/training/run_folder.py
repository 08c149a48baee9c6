"""The folder of a run: config.toml, metrics.jsonl, checkpoints/, model.safetensors."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from torch import nn

from holonet._arguments import checked
from holonet._cache import code_digest
from holonet._files import LOCK, folder_lock, remove_leftovers, write_atomically
from holonet.attacks.worst_case import ATTACKS, STRONG
from holonet.data import Dataset, load_dataset
from holonet.errors import CheckpointError, ConfigError, DataError, RunExistsError
from holonet.training.checkpoint import kept_steps, load_state, load_tensors, remove_checkpoints
from holonet.training.config import DataConfig, ModelConfig, RuleConfig, RunConfig
from holonet.training.identity import kept_config, of_other_data

__all__ = [
    "build_model",
    "finished_run",
    "forget_run",
    "load",
    "load_data",
    "load_run",
    "open_run",
    "require_fitting",
    "require_inside",
    "require_trained_on",
]

logger = logging.getLogger(__name__)

CONFIG = "config.toml"
CHECKPOINTS = "checkpoints"
JOURNAL = "metrics.jsonl"
WEIGHTS = "model.safetensors"
EVENTS = "tensorboard"
RESULTS = ("evaluation", "attacks", "certificates", EVENTS)
LAST = "last.safetensors"
TRAINED = (WEIGHTS, f"{WEIGHTS}.sha256", LAST, f"{LAST}.sha256", JOURNAL)

_LEFTOVER = r"\.config\.toml\.[0-9a-f]+\.tmp"
_NORM = "(Linf|L2|L1|polydisc|complex_ball)"
_RADIUS = rf"{_NORM}-\d[\d.e+-]*"
_BATCHES = r"[0-9a-f]{16}/(batch-\d+\.npz|identity\.json)"
_ATTACKS = "|".join(map(re.escape, {*ATTACKS, *STRONG, "autoattack"}))
_TOOLKITS = r"(torchattacks|foolbox|art)-[\w.-]+"
_RESULTS = re.compile(
    rf"evaluation\.(json|png)|evaluation/({_BATCHES}|{_RADIUS}\.npz)"
    rf"|attacks/{_RADIUS}/(batches/{_BATCHES}|attack\.json|(examples|transfer)\.png"
    rf"|({_ATTACKS}|{_TOOLKITS})\.npz)"
    rf"|certification\.(json|png)|certificates/((files/)?{_RADIUS}|{_NORM}-radius)\.jsonl"
    rf"|certificates/files/(network|{_RADIUS})\.npz"
    rf"|{EVENTS}/events\.out\.tfevents\.[\w.-]+"
)
"""Names that holonet evaluate, attack and certify write in a run folder, and TensorBoard's."""


@checked
@contextmanager
def open_run(
    folder: str | Path, config: RunConfig, *, resume: bool = False, overwrite: bool = False
) -> Iterator[None]:
    """Make the folder ready, write config.toml, and hold the folder until the end.

    Args:
        folder: made if it does not exist.
        config: of the run.
        resume: the folder holds a run with the same configuration, to go on with.
        overwrite: forget a run that the folder holds. Files that are not a run's stay, and where
            there is no run nothing is removed.

    Raises:
        RunExistsError: the folder holds a run, and neither resume nor overwrite was asked; it
            holds files that are not a run's; another process has it.
        ConfigError: resume with another configuration, the message says what differs; resume and
            overwrite at once.
    """
    folder = Path(folder)
    _require_room(folder, config, resume, overwrite)
    with folder_lock(folder, RunExistsError):
        _require_room(folder, config, resume, overwrite)  # another process may have come between
        stored = folder / CONFIG
        if not (resume and stored.exists()):
            if stored.exists():
                forget_run(folder)  # before the configuration: a crash must not mix two runs
            remove_leftovers(stored)
            write_atomically(stored, config.to_toml())
        yield


def _require_room(folder: Path, config: RunConfig, resume: bool, overwrite: bool) -> None:
    if resume and overwrite:
        raise ConfigError(
            "resume and overwrite (--resume, --overwrite): the one resumes a run, the other "
            "replaces it; choose one"
        )
    if folder.exists() and not folder.is_dir():
        raise RunExistsError(f"{folder} is a file: choose a folder for the run")
    require_inside(folder)
    stored = folder / CONFIG
    if not os.path.lexists(stored):
        _require_no_files_of_others(folder, overwrite)
    elif resume:
        differing = RunConfig.read(stored).differences(config)
        if differing:
            raise ConfigError(
                f"cannot resume {folder}: it was started with another configuration (stored and "
                f"asked: {'; '.join(differing)}). Drop those options, or choose a new folder"
            )
    elif not overwrite:
        raise RunExistsError(
            f"{folder} already holds a run: go on with it (--resume), replace it (--overwrite), "
            "or choose another folder (--run-dir)"
        )
    else:
        try:
            RunConfig.read(stored)
        except ConfigError as error:
            raise RunExistsError(
                f"{folder} holds a {CONFIG} that is not a run's, and nothing is removed for that "
                f"reason: move it away, or choose another folder (--run-dir). {error}"
            ) from None


def require_inside(folder: Path) -> None:
    """Refuse a run with a folder that is a link out of it: another run's files may lie there.

    Nothing is removed or written through such a link. Files that are links are no danger, since
    a file is replaced as a whole.

    Raises:
        RunExistsError: it names the links.
    """
    home = os.path.realpath(folder)
    places = [folder / name for name in (CHECKPOINTS, *RESULTS)]
    for name in RESULTS:
        places += [Path(p, d) for p, dirs, _ in os.walk(folder / name) for d in dirs]
    links = [
        f"{place} to {target}"
        for place in places
        if place.is_symlink() and not Path(target := os.path.realpath(place)).is_relative_to(home)
    ]
    if links:
        raise RunExistsError(
            f"{folder} has links that lead out of it ({', '.join(links)}), and a run writes "
            "and removes in its own folder alone: remove the links, or choose another folder"
        )


def _require_no_files_of_others(folder: Path, overwrite: bool) -> None:
    """Refuse a folder without a run that has other things in it, which a run might replace."""
    names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    names = {name for name in names if name != LOCK and not re.fullmatch(_LEFTOVER, name)}
    if names and not overwrite:
        raise RunExistsError(
            f"{folder} is not empty and holds no run: choose a new folder (--run-dir), or add a "
            "run beside what is there (--overwrite, which removes nothing where there is no run)"
        )
    replaced = sorted(names & {*TRAINED})
    if kept_steps(folder / CHECKPOINTS):
        replaced.append(CHECKPOINTS)
    if replaced:
        raise RunExistsError(
            f"{folder} has no {CONFIG}, hence no run to replace, but {', '.join(replaced)}, which "
            "a run would replace: move them away, or choose another folder (--run-dir)"
        )


def forget_run(folder: Path) -> None:
    """Remove what training wrote, the weights first, and what was found out about a run.

    Only files whose names a run and the commands write are removed, folders only where they are
    empty then, results only beside a config.toml. The configuration stays.
    """
    for name in TRAINED:
        (folder / name).unlink(missing_ok=True)
    remove_checkpoints(folder / CHECKPOINTS)
    if not (folder / CONFIG).exists():
        return
    for name in RESULTS:
        for parent, _, files in os.walk(folder / name, topdown=False):
            _forget_results(folder, Path(parent), files)
    _forget_results(folder, folder, [p.name for p in folder.iterdir() if p.is_file()])


def _forget_results(folder: Path, parent: Path, files: list[str]) -> None:
    """Remove the results among the files of a folder, and the folder where it is empty then."""
    for file in files:
        written = re.sub(r"^\.(.+)\.[0-9a-f]{16}\.tmp$", r"\1", file)  # or left by a killed writer
        name = (parent / written.removesuffix(".sha256")).relative_to(folder).as_posix()
        if _RESULTS.fullmatch(name):
            (parent / file).unlink(missing_ok=True)
    if parent != folder:
        with suppress(OSError):  # it holds something else, or is a link
            parent.rmdir()


@checked
def load_data(config: DataConfig) -> Dataset:
    """The data set that a configuration names, cut to size."""
    data = load_dataset(config.name, config.root, seed=config.seed)
    if config.holdout is not None:
        data = data.hold_out(config.holdout)
    return data.subset(train=config.train, test=config.test)


def require_fitting(model: ModelConfig, rule: RuleConfig, data: Dataset) -> None:
    """Refuse a network and a rule that real or complex data do not fit.

    Raises:
        ConfigError: ReLU, a threshold, or a rule with a norm of real data, for complex data; real
            data that are to be taken apart.
    """
    if not data.is_complex:
        if model.takes_pairs:
            raise ConfigError(
                f"model.lift = {model.lift!r} for {data.name!r}, which is real: there is nothing "
                "to take apart, choose model.lift = 'none'"
            )
        return
    own = model.module is not None
    if not (own or model.is_holomorphic or model.takes_pairs):
        raise ConfigError(
            f"model.activation = {model.activation!r} for {data.name!r}, which is complex: ReLU "
            "takes real numbers, choose model.lift = 'pair' (--lift pair), or an activation of "
            "holonet list activations"
        )
    if model.threshold != "none" and not own:
        raise ConfigError(
            f"model.threshold = {model.threshold!r} for {data.name!r}, which is complex: a "
            "threshold is one of real numbers, choose model.threshold = 'none'"
        )
    if "norm" not in sum(rule.ignored().values(), ()) and rule.norm in ("Linf", "L2", "L1"):
        raise ConfigError(
            f"rule.norm = {rule.norm!r} for {data.name!r}, which is complex: choose rule.norm = "
            "'polydisc' (the modulus of each entry) or 'complex_ball' (--norm; --train-norm of "
            "holonet compare)"
        )


@checked
def build_model(config: RunConfig, data: Dataset) -> nn.Module:
    """The untrained network for a data set, its weights drawn from the training seed.

    Raises:
        ConfigError: as `require_fitting`.
    """
    require_fitting(config.model, config.rule, data)
    return config.model.build(
        data.x_train.shape[1:], data.num_classes, seed=config.train.seed, examples=data.x_train
    )


@checked
def load(path: str | Path, weights: Literal["best", "last"] = "best") -> nn.Module:
    """The trained network of a finished run, in eval mode; its data are not needed.

    Where training examples were held out (`train.validation`), the best weights are those of the
    epoch with the least loss on them, and a logged line says which; else they are the last ones.

    A network of one's own (`model.module`) is made by its function, whose module is imported and
    must be found: in the working folder, in that of its file, or on PYTHONPATH. If the code of
    its classes is not that of the training, a logged warning says so.

    Args:
        path: the folder of the run, or its model.safetensors, with the digest beside it.
        weights: the best ones, which all commands take, or the last ones.

    Raises:
        ConfigError: the folder holds no run; the last weights are asked for of a file.
        CheckpointError: the run is not finished; the weights are damaged, or not of the
            configuration beside them.
    """
    path = Path(path)
    if not path.is_dir():
        if weights == "last":
            raise ConfigError(
                f"load({str(path)!r}, weights='last'): the file has the weights that it has, give "
                f"the folder of the run, or its {LAST}"
            )
        return _model_in(path)[1]
    _, model, about = finished_run(path)
    if "best" not in about:
        return model
    if weights == "last":
        tensors, last = load_tensors(path / LAST)
        if last.get("identity") != about["identity"]:
            raise CheckpointError(f"{path / LAST} is of another run than {path / WEIGHTS}")
        load_state(model, tensors, str(path / LAST))
        return model
    best = about["best"]
    logger.info(
        "%s: the weights of epoch %d, with the least loss on held-out examples (%.4g); load(..., "
        "weights='last') gives the last ones",
        path,
        best["epoch"],
        best["loss"],
    )
    return model


def require_trained_on(path: Path, data: Dataset) -> None:
    """Refuse a finished run that was trained on other data than these.

    Args:
        path: as `load` takes it.
        data: by their fingerprint.

    Raises:
        ConfigError, CheckpointError: as `load`.
        DataError: the run is of other data.
    """
    _, _, about = finished_run(path) if path.is_dir() else _model_in(path)
    if about["identity"]["data"] != data.fingerprint():
        raise DataError(
            f"{path} was not trained on {data!r}: choose runs on the same data, or say that others "
            "are meant (--other-data)"
        )


@checked
def load_run(
    folder: str | Path, *, other_data: bool = False
) -> tuple[RunConfig, Dataset, nn.Module]:
    """The configuration, the data and the trained network of a finished run.

    Law: data, network and configuration are those of the training, or the run is refused.

    Args:
        folder: of the run.
        other_data: what the data's path now holds, or config.toml now names, is meant, whatever
            the network was trained on.

    Raises:
        ConfigError: the folder holds no run.
        CheckpointError: the run is not finished; the weights are damaged, or not of the
            configuration beside them.
        DataError: the data are missing, or others than in training.
    """
    folder = Path(folder)
    config, model, about = finished_run(folder)
    try:
        data = load_data(config.data)
    except DataError as error:
        raise DataError(
            f"{error}. The weights of {folder} are whole: holonet.load needs no data"
        ) from None
    shape, classes = tuple(about["examples"]["shape"]), about["examples"]["classes"]
    if data.feature_shape != shape or data.num_classes > classes:
        raise DataError(
            f"{data!r} does not fit the network in {folder}, which takes features {shape} and "
            f"knows {classes} classes: give the data that it was trained on, or alike ones"
        )
    if not other_data and data.fingerprint() != about["identity"]["data"]:
        moved, _ = of_other_data(kept_config(about["identity"], str(folder)), config)
        why = f"trained and now: {'; '.join(moved)}" if moved else "the files were changed"
        raise DataError(
            f"the data of {folder} are not those that it was trained on ({why}): put them back, "
            "or say that other data are meant (load_run(..., other_data=True), --other-data)"
        )
    return config, data, model


def finished_run(folder: Path) -> tuple[RunConfig, nn.Module, dict]:
    """What is in config.toml and in the weights, which belong together but for the data.

    The last part has the identity of the run, the shape and classes of its examples, and the
    versions that it was begun with.
    """
    if not (folder / CONFIG).exists():
        if (folder / WEIGHTS).exists():
            raise ConfigError(
                f"{folder} has {WEIGHTS} and no {CONFIG}: holonet train writes both, fit the "
                "weights alone. Build the network and use load_weights, or, where fit was given "
                f"run=..., holonet.load({str(folder / WEIGHTS)!r})"
            )
        raise ConfigError(
            f"{folder} holds no run, it has no {CONFIG}: give the folder that a run was told to "
            f"use, or train one with holonet train --run-dir {folder}"
        )
    config = RunConfig.read(folder / CONFIG)
    weights = folder / WEIGHTS
    if not weights.exists():
        raise CheckpointError(
            f"{folder} is not finished, it has no {weights.name}: "
            f"holonet train --resume --run-dir {folder}"
        )
    kept, model, about = _model_in(weights)
    _, differing = of_other_data(kept, config)
    if differing:
        raise CheckpointError(
            f"{weights} is of another run than {folder / CONFIG} (trained and now: "
            f"{'; '.join(differing)}): put back the files that belong together, or train anew "
            "(--overwrite)"
        )
    return config, model, about


def _model_in(weights: Path) -> tuple[RunConfig, nn.Module, dict]:
    """The network in a file of weights, its configuration, and what else is kept with it."""
    tensors, about = load_tensors(weights)
    kept = kept_config(about.get("identity"), str(weights))
    own = kept.model.module
    try:
        shape, classes = tuple(about["examples"]["shape"]), about["examples"]["classes"]
        model = kept.model.blank(shape, classes)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        if own is not None:
            raise CheckpointError(
                f"{weights} has the weights of {own}, which cannot be made here: {error}. "
                f"load_weights({str(weights)!r}, network) loads them into the network as it was"
            ) from None
        raise CheckpointError(f"{weights} holds no network ({error}): train it again") from None
    load_state(model, tensors, str(weights))
    if own is not None and about["identity"].get("code") != code_digest(model):
        logger.warning(
            "the code of %s is not that which %s was trained with: the weights fit, but what the "
            "network computes may differ",
            own,
            weights,
        )
    return kept, model.eval(), about
