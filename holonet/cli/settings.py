"""Options for the settings of a run: each field of the configuration is one."""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer

from holonet._named_object import installed_objects
from holonet.data import DATASETS, Dataset
from holonet.data.catalogue import GROUP as DATA
from holonet.errors import ConfigError
from holonet.functions import CATALOGUE
from holonet.functions.catalogue import GROUP as FUNCTIONS
from holonet.training import RunConfig

__all__ = [
    "FIELDS",
    "NAMES",
    "configured",
    "described",
    "fitted",
    "require_used",
    "takes_settings",
]

FIELDS: Mapping[str, Any] = {  # pydantic FieldInfo
    f"{section}.{name}": field
    for section, kind in RunConfig.model_fields.items()
    for name, field in kind.annotation.model_fields.items()  # type: ignore[union-attr]
}
PANELS = {"data": "Data", "model": "Network", "rule": "Rule", "train": "Training"}
NAMES = MappingProxyType(
    {
        "data.name": "data",
        "data.root": "data-root",
        "data.train": "train-size",
        "data.test": "test-size",
        "data.seed": "data-seed",
        "model.module": "model",
        "rule.name": "rule",
        "train.schedule": "lr-schedule",
    }
)
"""Options that are not called like their field."""
NAMED = {
    "data.name": ([*DATASETS], DATA),
    "model.activation": ([*CATALOGUE, "relu"], FUNCTIONS),
}
"""What a shell completes for fields without choices: names, and the entry points of others."""


def takes_settings(
    names: Mapping[str, str] = MappingProxyType({}),
    *,
    only: Sequence[str] | None = None,
    without: Sequence[str] = (),
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator: the command gets what was typed, by dotted key, as its argument `settings`.

    Args:
        names: of options, where they are not those of holonet train.
        only: keys that are options; without it all are, and --set is one too.
        without: keys that are no options.
    """
    keys = [key for key in only or FIELDS if key not in without]
    names = {key: (NAMES | names).get(key, key.split(".")[1].replace("_", "-")) for key in keys}
    extra = {
        name: inspect.Parameter(
            name.replace("-", "_"),
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[str | None, _option(key, name)],
        )
        for key, name in names.items()
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**arguments: Any) -> None:
            typed = {k: arguments.pop(name.replace("-", "_")) for k, name in names.items()}
            assigned = _assignments(arguments.pop("set_", None), without)
            given = {key: text for key, text in typed.items() if text is not None}
            command(**arguments, settings=given | assigned)

        own = [p for p in inspect.signature(command).parameters.values() if p.name != "settings"]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        parameters += [*extra.values(), *([] if only else [_SET])]
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


_SET = inspect.Parameter(
    "set_",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Any setting by its key in a file: rule.bounds=none. See holonet list settings.",
        ),
    ],
)


def described(key: str) -> tuple[str, str]:
    """The help of a setting with its choices, and its default as it is typed.

    Example:
        >>> described("train.optimizer")
        ('Optimizer: adam, sgd.', 'adam')
    """
    field = FIELDS[key]
    text = " ".join((field.description or "").split())
    if get_origin(field.annotation) is Literal:
        text = f"{text.removesuffix('.')}: {', '.join(get_args(field.annotation))}."
    default = field.default
    if isinstance(default, tuple):
        default = ",".join(f"{part:g}" for part in default)
    return text, "none" if default is None else str(default)


def configured(base: RunConfig, settings: Mapping[str, str]) -> RunConfig:
    """The configuration with settings as they were typed, validated again.

    Raises:
        ConfigError: an unknown key, or a value that is not valid.

    Example:
        >>> configured(RunConfig(), {"rule.bounds": "none", "model.hidden": "8,4"}).model.hidden
        (8, 4)
    """
    values = base.model_dump(exclude_none=True)
    for key, text in settings.items():
        section, _, name = key.partition(".")
        values.setdefault(section, {})[name] = _value(key, text)
    return RunConfig.from_mapping(values, "options")


def fitted(run: RunConfig, settings: Mapping[str, str], data: Dataset) -> RunConfig:
    """The configuration with a norm of complex data for them, unless a norm was typed.

    Args:
        run: a configuration of defaults and settings.
        settings: those that were typed.
        data: which may be complex.
    """
    if not data.is_complex or "rule.norm" in settings or "rule.norm" in run.unused():
        return run
    return configured(run, {"rule.norm": "polydisc"})


def require_used(keys: Iterable[str], runs: Sequence[RunConfig]) -> None:
    """Refuse settings that change nothing in any of the runs.

    Raises:
        ConfigError: it names them, and what ignores each.
    """
    unused = [run.unused() for run in runs]
    idle = [
        f"{key} changes nothing with {' or '.join(dict.fromkeys(u[key] for u in unused))}"
        for key in keys
        if all(key in u for u in unused)
    ]
    if idle:
        raise ConfigError(f"options: {'; '.join(idle)}. Leave them out, or choose what uses them")


def _option(key: str, name: str) -> Any:
    text, default = described(key)
    kinds = {int: "INTEGER", float: "NUMBER"}
    metavar = next((kinds[k] for k in _alternatives(key) if k in kinds), "TEXT")
    choices = [choice for choice in _alternatives(key) if isinstance(choice, str)]

    def complete(incomplete: str) -> list[str]:
        own, group = NAMED.get(key, (choices, ""))
        return [c for c in (*own, *installed_objects(group)) if c.startswith(incomplete)]

    return typer.Option(
        f"--{name}",
        metavar=metavar,
        autocompletion=complete if choices or key in NAMED else None,
        help=f"{text} [dim](default {default})[/dim]",
        rich_help_panel=PANELS[key.split(".", maxsplit=1)[0]],
    )


def _assignments(texts: Sequence[str] | None, without: Sequence[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts or ()]
    for key, equals, _ in pairs:
        if not equals or "." not in key:
            raise ConfigError("--set takes KEY=VALUE, such as --set rule.bounds=none")
        if key in without:
            raise ConfigError(f"--set {key}: this command has an option of its own for that")
    return {key: value for key, _, value in pairs}


def _value(key: str, text: str) -> object:
    """What the validator is given for a text: None, the choice that it is, a list, or the text."""
    alternatives = _alternatives(key) if key in FIELDS else []
    if text.lower() == "none" and NoneType in alternatives:
        return None
    for choice in alternatives:
        if isinstance(choice, str) and choice.lower() == text.lower():
            return choice
    if tuple in alternatives:
        return text.split(",") if text else []
    return text


def _alternatives(key: str) -> list[Any]:
    """The types and the choices of a setting.

    Example:
        >>> _alternatives("rule.probes")
        [<class 'int'>, 'exact']
    """

    def parts(annotation: Any) -> Iterator[Any]:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Literal:
            yield from arguments
        elif origin in (Annotated, Union, UnionType):
            for argument in arguments[:1] if origin is Annotated else arguments:
                yield from parts(argument)
        else:
            yield origin or annotation

    return list(parts(FIELDS[key].annotation))
