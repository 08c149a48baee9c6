"""Attacks of other toolkits, their points checked before they count."""

import inspect
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from holonet._arguments import checked
from holonet._optional import NoExtraError, is_installed
from holonet._types import IntTensor, Labels, Points
from holonet.attacks import Alarm, AlarmKind, Attack, AttackResult, ThreatModel
from holonet.attacks.alarms import warn_about
from holonet.attacks.image_box import on_image_box
from holonet.attacks.objectives import Model
from holonet.attacks.search import WorstPoints, where_examples
from holonet.errors import (
    ConfigError,
    InputTypeError,
    ShapeError,
    UnknownNameError,
)
from holonet.interop.layout import ImageLayout
from holonet.nn.modes import evaluating

__all__ = [
    "Finder",
    "accept",
    "external",
    "from_art",
    "from_foolbox",
    "from_torchattacks",
    "require_toolkit",
]

Finder = Callable[[nn.Module, Points, Labels, ThreatModel], Points]
"""(model in eval mode, examples, labels, threat) -> one perturbed example for each."""


@checked
def external(find: Finder, *, name: str) -> Attack:
    """An `Attack` from any function that perturbs examples.

    What the function returns is checked: points outside the threat set are moved back into
    it, with an alarm, and every point is judged by a forward pass of the model. Where the clean
    example is the worse one for the model, it is the result. The global random streams of torch,
    numpy and Python are seeded for the function and put back afterwards.

    Args:
        find: the function.
        name: what messages call it.

    Law: x_adv is in the threat set; the margin is that of x_adv and at most the clean one.

    Raises:
        InputTypeError, ShapeError: when the attack is called and `find` returns something else
            than a point for each example.

    Example:
        >>> shift = external(lambda model, x, y, threat: x + 1, name="shift")
        >>> x, y = torch.zeros(1, 2), torch.tensor([0])
        >>> result = shift(lambda x: x * torch.tensor([-1, 1]), x, y, ThreatModel(), seed=0)
        >>> result.x_adv, result.alarms[0].count
        (tensor([[0.1000, 0.1000]]), 1)
    """

    @on_image_box
    def attack(
        model: Model, x: Tensor, y: IntTensor, threat: ThreatModel, *, seed: int = 0
    ) -> AttackResult:
        module = model if isinstance(model, nn.Module) else _Called(model)
        x = x.detach()
        with evaluating(module), _seeded(seed):
            points = find(module, x, y, threat)
        result = accept(model, x, y, threat, points, name)
        warn_about(result.alarms)
        return result

    attack.__qualname__ = f"external({name})"
    return attack


def accept(
    model: Model, x: Points, y: Labels, threat: ThreatModel, points: object, name: str
) -> AttackResult:
    """The result of an attack that returned `points`: moved into the set and judged anew.

    Points as far outside as rounding explains are moved in without a word.

    Raises:
        InputTypeError: the points are no tensor of numbers like the examples.
        ShapeError: they are not as many and as large as the examples.
    """
    if not isinstance(points, Tensor) or points.is_complex() != x.is_complex():
        what = points.dtype if isinstance(points, Tensor) else type(points).__name__
        raise InputTypeError(
            f"{name} returned {what} for {x.dtype} examples: return a tensor of perturbed examples"
        )
    if points.shape != x.shape:
        raise ShapeError(
            f"{name} returned points of shape {tuple(points.shape)} for examples of shape "
            f"{tuple(x.shape)}: return one perturbed example for each"
        )
    worst = WorstPoints(model, x, y, threat)
    points = points.detach().to(x)
    undefined = ~points.isfinite().flatten(1).all(1)
    points = where_examples(undefined, worst.x, points)
    inside = threat.project(points, worst.x)
    # single precision, whatever the model's: most toolkits compute in it
    slack = 1e-5 * (1 + worst.x.abs().flatten(1).amax(1))
    outside = (inside - points).abs().flatten(1).amax(1) > slack
    margin = worst.goal.margin(worst.logits_at(inside, y))
    worst.update(torch.arange(len(y), device=points.device), inside, margin)
    alarms = []
    for doubtful, kind, advice in (
        (outside, AlarmKind.HEURISTIC, f"{name} left the threat set and was moved back into it"),
        (undefined, AlarmKind.NOT_FINITE, f"{name} returned points that are not finite"),
    ):
        if doubtful.any():
            text = f"{advice}: check its norm, radius and box; another attack may find more"
            alarms.append(Alarm(kind, int(doubtful.sum()), len(x), text))
    return AttackResult(worst.x_adv, worst.margin, tuple(alarms))


@checked
def from_torchattacks(
    make: str | Callable[[nn.Module, ThreatModel], Any], **options: Any
) -> Attack:
    """An attack of torchattacks, by name or made from (model, threat).

    By name, `eps` and `norm` are passed if the attack takes them, and `options` as they are. Many
    of its attacks know one norm alone, "PGD" Linf and "PGDL2" L2 for example: what they find for
    another is moved into the set and alarmed.

    Raises:
        ConfigError: when called on a box other than [0, 1], the only one that torchattacks knows.
        UnknownNameError: when called and torchattacks has no such attack.
        MissingDependencyError: when called by name and torchattacks is not installed.

    References:
        Kim (2020), Torchattacks.
    """
    title = make if isinstance(make, str) else getattr(make, "__name__", "attack")
    name = f"torchattacks.{title}"

    def find(model: nn.Module, x: Tensor, y: Tensor, threat: ThreatModel) -> Tensor:
        if threat.bounds != (0.0, 1.0):
            raise ConfigError(
                f"{name} on bounds={threat.bounds}: torchattacks knows the box [0, 1] alone; scale "
                "the data to it, inside of the model as well"
            )
        layout = ImageLayout(model, x).eval()
        if isinstance(make, str):
            with _needed("torchattacks", name):
                import torchattacks  # pyright: ignore[reportMissingImports]
            attack = _build(_kind_named(torchattacks, make), (layout,), threat, options)
        else:
            attack = make(layout, threat)
        return layout.gather(attack(layout.spread(x), y))

    return external(find, name=name)


@checked
def from_foolbox(make: str | Callable[[ThreatModel], Any], **options: Any) -> Attack:
    """An attack of foolbox, by the name it has in `foolbox.attacks` or made from the threat.

    Raises:
        ConfigError: when called without a box, which foolbox needs.
        UnknownNameError: when called and foolbox has no such attack.
        MissingDependencyError: when called and foolbox is not installed.

    References:
        Rauber, Brendel and Bethge (2017), Foolbox.
    """
    title = make if isinstance(make, str) else getattr(make, "__name__", "attack")
    name = f"foolbox.{title}"

    def find(model: nn.Module, x: Tensor, y: Tensor, threat: ThreatModel) -> Tensor:
        if threat.bounds is None:
            raise ConfigError(f"{name} needs a box: give ThreatModel(bounds=(low, high))")
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # else it fails where git is absent
        with _needed("foolbox", name):
            import foolbox  # pyright: ignore[reportMissingImports]
        wrapped = foolbox.PyTorchModel(model, bounds=threat.bounds, device=x.device)
        if isinstance(make, str):
            attack = _kind_named(foolbox.attacks, make)(**options)
        else:
            attack = make(threat)
        _, points, _ = attack(wrapped, x, y.long(), epsilons=threat.eps)
        return points

    return external(find, name=name)


@checked
def from_art(make: str | Callable[[Any, ThreatModel], Any], **options: Any) -> Attack:
    """An attack of the Adversarial Robustness Toolbox, by name or made from (estimator, threat).

    By name, as in `art.attacks.evasion`; `eps` and `norm` are passed if the attack takes them.

    Raises:
        UnknownNameError: when called and it has no such attack.
        MissingDependencyError: when called and adversarial-robustness-toolbox is not installed.

    References:
        Nicolae et al. (2018), Adversarial Robustness Toolbox.
    """
    title = make if isinstance(make, str) else getattr(make, "__name__", "attack")
    name = f"art.{title}"

    def find(model: nn.Module, x: Tensor, y: Tensor, threat: ThreatModel) -> Tensor:
        with _needed("art", name):
            from art.attacks import evasion  # pyright: ignore[reportMissingImports]
            from art.estimators import classification  # pyright: ignore[reportMissingImports]
        with torch.no_grad():
            classes = model(x[:1]).shape[1]
        estimator = classification.PyTorchClassifier(
            model,
            loss=nn.CrossEntropyLoss(),
            input_shape=tuple(x.shape[1:]),
            nb_classes=classes,
            clip_values=threat.bounds,
            device_type="gpu" if x.is_cuda else "cpu",
        )
        if isinstance(make, str):
            norms = {"Linf": np.inf, "L2": 2, "L1": 1}
            kind = _kind_named(evasion, make)
            attack = _build(kind, (estimator,), threat, options, norms.get(threat.norm))
        else:
            attack = make(estimator, threat)
        return torch.from_numpy(attack.generate(x=x.cpu().numpy(), y=y.cpu().numpy()))

    return external(find, name=name)


@checked
def require_toolkit(module: str, name: str) -> None:
    """Refuse to begin what will need an attack toolkit where it is not installed.

    Args:
        module: torchattacks, foolbox or art.
        name: the attack, for the message.

    Raises:
        MissingDependencyError: the toolkit is not installed.
    """
    if not is_installed(module):
        raise _missing(module, name, "it is not installed")


@contextmanager
def _needed(module: str, name: str) -> Iterator[None]:
    """Say of imports that fail what to install."""
    try:
        yield
    except ImportError as error:
        raise _missing(module, name, error) from None


def _kind_named(module: Any, name: str) -> Any:
    """What a toolkit calls by that name."""
    if not hasattr(module, name):
        known = [key for key in dir(module) if key[:1].isupper()]
        raise UnknownNameError(f"attack of {module.__name__}", name, known)
    return getattr(module, name)


def _missing(module: str, name: str, error: ImportError | str) -> NoExtraError:
    package = "adversarial-robustness-toolbox" if module == "art" else module
    return NoExtraError(f"{name} needs {package}, and {error}: pip install {package}")


class _Called(nn.Module):
    """A plain function as a module."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """What the function gives."""
        return self.function(x)


def _build(
    kind: Any,
    arguments: tuple[Any, ...],
    threat: ThreatModel,
    options: dict[str, Any],
    norm: Any = None,
) -> Any:
    """The attack object, with the radius and the norm of the threat if it takes them."""
    taken = inspect.signature(kind).parameters
    given = {"eps": threat.eps, "norm": threat.norm if norm is None else norm}
    return kind(*arguments, **{k: v for k, v in given.items() if k in taken} | options)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed every global random stream, and put each back where it was."""
    python, numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count())
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
