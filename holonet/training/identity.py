"""What a run is of: its data, rule and configuration, kept with its weights and compared later."""

import re
from typing import Any

from torch import nn

from holonet._cache import code_digest, tensor_digest
from holonet.data import Dataset
from holonet.errors import CheckpointError, ConfigError
from holonet.training.config import RunConfig, TrainConfig
from holonet.training.rules import Rule
from holonet.training.sources import Source

__all__ = ["identity_of", "kept_config", "of_other_data", "with_defaults"]

FREE = {
    f"train.{key}"
    for key in (
        "checkpoint_every",
        "keep_checkpoints",
        "log_every",
        "accelerator",
        "devices",
        "num_nodes",
        "backend",
    )
}
"""Settings that the trajectory does not depend on."""


def identity_of(
    data: Dataset | Source,
    rule: Rule,
    config: TrainConfig,
    run: RunConfig | None = None,
    network: nn.Module | None = None,
) -> dict[str, Any]:
    """All that a run depends on, as JSON; equal for runs that end with the same weights.

    Args:
        data: by their fingerprint.
        rule: by its repr.
        config: of the training, without what the trajectory does not depend on.
        run: the configuration that data, network and rule were made from, if one was.
        network: by its repr, which tells networks with weights of the same shapes apart, and one's
            own (`model.module`) by the code of its classes too.
    """
    identity = {
        "data": data.fingerprint(),
        "rule": repr(rule),
        "train": _trained(config),
    }
    if network is not None:
        plain = re.sub(r" at 0x[0-9a-f]+", "", repr(network))  # the same in every process
        identity["network"] = tensor_digest([], [plain])[:16]
        if run is not None and run.model.module is not None:
            identity["code"] = code_digest(network)
    if run is not None:
        identity["run"] = _sections(run)
    return identity


def _trained(config: TrainConfig) -> dict[str, Any]:
    values = config.model_dump(mode="json")
    return {k: v for k, v in values.items() if f"train.{k}" not in FREE}


def _sections(run: RunConfig) -> dict[str, dict[str, Any]]:
    return {
        section: {k: v for k, v in values.items() if f"{section}.{k}" not in FREE}
        for section, values in run.model_dump(mode="json", exclude_none=True).items()
    }


def with_defaults(identity: object) -> object:
    """An identity with the defaults of the settings that are younger than it.

    They are those under which a run of an older version was trained: a new setting's default
    changes nothing.

    Example:
        >>> with_defaults({"train": {"epochs": 3}})["train"]["precision"]
        'full'
    """
    if not isinstance(identity, dict) or not isinstance(identity.get("train"), dict):
        return identity
    filled = {**identity, "train": {**_trained(TrainConfig()), **identity["train"]}}
    if isinstance(run := identity.get("run"), dict):
        defaults = _sections(RunConfig())
        sections = {k: {**defaults.get(k, {}), **v} for k, v in run.items() if isinstance(v, dict)}
        filled["run"] = defaults | run | sections
    return filled


def kept_config(identity: object, source: str) -> RunConfig:
    """The configuration in an identity.

    Raises:
        CheckpointError: it holds none, or none that there can be.
    """
    try:
        return RunConfig.from_mapping(identity["run"])  # type: ignore[index]
    except (LookupError, TypeError):
        raise CheckpointError(
            f"{source} does not say which configuration its weights are of: holonet train does, "
            "and fit(..., run=...). Build the network and use load_weights"
        ) from None
    except ConfigError as error:
        raise CheckpointError(f"{source} is of an impossible configuration: {error}") from None


def of_other_data(kept: RunConfig, asked: RunConfig) -> tuple[list[str], list[str]]:
    """Differences of two configurations: those of the data, and those that always count."""
    differing = [d for d in kept.differences(asked) if d.split(":")[0] not in FREE]
    of_data = [d for d in differing if d.startswith("data.")]
    return of_data, [d for d in differing if d not in of_data]
