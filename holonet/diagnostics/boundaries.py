"""What crosses the boundaries of modules in a forward pass, as a function of the model's input."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Complex
from torch import Tensor, nn

from holonet._subject import Subject
from holonet._types import ComplexPoints, GivenPoints, TensorFunction
from holonet.calculus.circle import unit_circle
from holonet.calculus.witnesses import CIRCLE_CENTER
from holonet.domains import Plane
from holonet.errors import InputTypeError, NotHolomorphicError
from holonet.nn.discs import SAFETY
from holonet.nn.module import DECLARATIONS, forward_hooks, layer_domain, of_this_thread
from holonet.nn.replacements import way_out_for

__all__ = ["Boundary", "Call", "Recorder", "calls_of", "is_from_library", "is_whole", "recorded"]

PROBED = 16  # points of a circle at which the domains are asked

Kept = Complex[Tensor, "boundaries width"]


@dataclass(frozen=True)
class Boundary:
    """A module is entered, or left."""

    path: str
    entered: bool


@dataclass
class Call:
    """One call of a module: the positions of its two boundaries, and the calls inside."""

    path: str
    number: int
    enter: int
    leave: int = -1
    children: list["Call"] = field(default_factory=list)


class Recorder:
    """The model as a function of its input that gives all that crosses its boundaries.

    Args:
        f: the module, or a bound method of it.
        module: it or what it belongs to.
    """

    def __init__(self, f: TensorFunction, module: nn.Module) -> None:
        self._f = f
        self.modules = dict(module.named_modules())
        self.boundaries: list[Boundary] = []
        self._signs: dict[int, Tensor] = {}

    def __call__(self, z: ComplexPoints, width: int) -> Kept:
        """One row for each boundary: all numbers of what crosses it, or sums of them.

        Args:
            z: one batch, which may be followed by forward mode.
            width: numbers in a row. More than that are added with random signs, which keeps their
                energy up to a relative standard deviation of sqrt(2 / width), and what is
                holomorphic in them.

        Raises:
            NotHolomorphicError: other modules are called than at the first batch.
        """
        boundaries: list[Boundary] = []
        rows: list[Tensor] = []

        def cross(path: str, entered: bool, crossing: object) -> None:
            boundaries.append(Boundary(path, entered))
            rows.append(self._kept(crossing, width, z))

        def watch(path: str, module: nn.Module) -> Iterator[Any]:
            def enter(module: nn.Module, args: object, kwargs: object) -> None:
                cross(path, True, (args, kwargs))

            def leave(module: nn.Module, args: object, kwargs: object, output: object) -> None:
                cross(path, False, output)

            pre, post = of_this_thread(enter), of_this_thread(leave)
            yield module.register_forward_pre_hook(pre, with_kwargs=True)
            yield module.register_forward_hook(post, with_kwargs=True)

        inner = ((path, module) for path, module in self.modules.items() if path)
        handles = itertools.chain.from_iterable(watch(*one) for one in inner)
        cross("", True, z)
        with forward_hooks(handles):
            cross("", False, self._run(z))
        self._require_same(boundaries)
        return torch.stack(rows)

    def _require_same(self, boundaries: list[Boundary]) -> None:
        self.boundaries = self.boundaries or boundaries
        if boundaries != self.boundaries:
            pairs = zip(boundaries, self.boundaries, strict=False)
            other = next((one.path for one, first in pairs if one != first), "")
            raise NotHolomorphicError(
                f"the model calls other modules at other points, first at {other!r}: what depends "
                "on the values in this way is made of pieces. Decide by the shape of the input, or "
                "ask about one piece"
            )

    def _kept(self, crossing: object, width: int, z: ComplexPoints) -> Complex[Tensor, " width"]:
        """The numbers in what crosses; of many, sums with random signs, of the same energy."""
        parts = [t.to(z.device, z.dtype).flatten() for t in _tensors(crossing)]
        flat = torch.cat([*parts, z.new_zeros(0)])
        count = flat.numel()
        missing = -count % width if count else width
        if count > width:
            if count not in self._signs:
                generator = torch.Generator().manual_seed(count)
                bits = torch.randint(0, 2, (count,), generator=generator)
                self._signs[count] = (2.0 * bits - 1.0).to(z.device, z.dtype.to_real())
            flat = flat * self._signs[count]
        return torch.cat([flat, z.new_zeros(missing)]).view(-1, width).sum(0)

    def reach(self, z: ComplexPoints, step: ComplexPoints) -> int:
        """The first boundary at which a layer gets no disc inside of its domain, or their number.

        The disc is z + (center + w) step, |w| <= 1. As in `admissible_radius` what reaches a layer
        may move by its clearance at the center.
        """
        entered = [at for at, boundary in enumerate(self.boundaries) if boundary.entered]
        reach, position = len(self.boundaries), 0
        centers: dict[int, Tensor] = {}

        def look(module: nn.Module, args: tuple[object, ...]) -> None:
            nonlocal reach, position
            position += 1  # from 1: the model itself has no hook
            domain, reached = layer_domain(module), next(_tensors(args), None)
            if entered[position] >= reach or reached is None or isinstance(domain, Plane | None):
                return
            center = centers.setdefault(position, reached.to(z.dtype, copy=True))
            moved = SAFETY * (reached - center).abs()
            if not bool((moved < domain.clearance(center)).all()):
                reach = entered[position]

        hook = of_this_thread(look)
        for point in (CIRCLE_CENTER, *(CIRCLE_CENTER + unit_circle(PROBED, 0.0, z))):
            position = 0
            inner = (module for path, module in self.modules.items() if path)
            with forward_hooks(module.register_forward_pre_hook(hook) for module in inner):
                self._run(z + point * step)
        return reach

    def _run(self, z: ComplexPoints) -> object:
        """The output of the model, with the same random draws at every call."""
        devices = [z.device] if z.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            return self._f(z.clone())


def _tensors(value: object) -> Iterator[Tensor]:
    """The tensors in nested tuples, lists and mappings, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from itertools.chain.from_iterable(map(_tensors, value.values()))
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from itertools.chain.from_iterable(map(_tensors, value))


def calls_of(boundaries: list[Boundary]) -> Call:
    """The tree of calls, from the boundaries in their order."""
    numbers: Counter[str] = Counter()
    root = Call("", 1, 0)
    stack: list[Call] = []
    for position, boundary in enumerate(boundaries):
        if not boundary.entered:
            stack.pop().leave = position
            continue
        numbers[boundary.path] += 1
        call = Call(boundary.path, numbers[boundary.path], position) if stack else root
        if stack:
            stack[-1].children.append(call)
        stack.append(call)
    return root


def recorded(
    model: TensorFunction, z: GivenPoints | None, radius: float | None, seed: int, name: str
) -> tuple[Subject, Recorder]:
    """The subject in double precision, and its recorder.

    Raises:
        InputTypeError: it is no module, or takes real points only.
    """
    subject = Subject(model, z, radius=radius, seed=seed)
    if subject.module is None:
        raise InputTypeError(
            f"{name} of {subject.name}, which is no module: give a torch.nn.Module, or a "
            "bound method of one; a function is a question for holomorphy_check"
        )
    subject.require_complex_input()
    return subject, Recorder(subject.f, subject.module)


def is_whole(module: nn.Module) -> bool:
    """Whether it is a layer of a library or of a declared type, which nobody takes apart."""
    known = is_from_library(module) and bool(way_out_for(type(module)))
    return type(module) in DECLARATIONS or known


def is_from_library(module: nn.Module) -> bool:
    """Whether its forward is not the user's to change."""
    return type(module).__module__.split(".")[0] in ("torch", "complextorch")
