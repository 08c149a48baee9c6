"""Arguments of the wrong type are refused in words, and all others pass."""

import importlib
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from beartype import beartype
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import Float, Int, jaxtyped
from torch import Tensor, nn

from cases import each
from holonet._arguments import checked, fits
from holonet._types import IntTensor
from holonet.data import two_rings
from holonet.errors import DomainError, InputTypeError

UNITS = (
    "attacks",
    "calculus",
    "data",
    "diagnostics",
    "domains",
    "functions",
    "interop",
    "nn",
    "plots",
    "regularizers",
    "symbolic",
    "testing",
    "training",
)


def is_edge(item: Any) -> bool:
    """Whether users call it: functions, and classes that are no records, enums or interfaces."""
    if not isinstance(item, type):
        return inspect.isfunction(item)
    return inspect.getsource(item).startswith("@checked")


def public(unit: str) -> list[Callable[..., Any]]:
    """What a unit exports and users call."""
    module = importlib.import_module(f"holonet.{unit}")
    return [item for item in (getattr(module, name) for name in module.__all__) if is_edge(item)]


EDGES = [item for unit in UNITS for item in public(unit)]


def parameters(item: Callable[..., Any]) -> dict[str, Any]:
    """The parameters of a function or a constructor that have annotations."""
    function = item.__init__ if isinstance(item, type) else item
    hints = typing.get_type_hints(function)
    return {k: hints[k] for k in inspect.signature(function).parameters if k in hints}


class Foreign:
    """Nothing that holonet takes."""


def test_everything_public_names_the_parameter_that_got_something_foreign() -> None:
    for item in EDGES:
        for name, hint in parameters(item).items():
            if fits(Foreign(), hint):
                continue  # takes anything
            with pytest.raises(InputTypeError, match=rf"^{item.__name__}: {name} is a Foreign and"):
                item(**{name: Foreign()})


def test_an_object_alone_is_refused_by_everything_that_needs_an_argument() -> None:
    for item in EDGES:
        needed = [
            p
            for p in inspect.signature(item).parameters.values()
            if p.default is p.empty and p.kind in (p.POSITIONAL_OR_KEYWORD, p.POSITIONAL_ONLY)
        ]
        if needed:
            with pytest.raises(InputTypeError):
                item(*[Foreign() for _ in needed])


TAKEN: list[tuple[Any, list[Any], list[Any]]] = [
    (int, [0, np.int64(3)], [1.0, True, "1", None, torch.tensor(1)]),
    (float, [0, 1.5, np.float32(2)], [1j, True, "1", None]),
    (complex, [0, 1.5, 2j], ["1", None]),
    (bool, [True, np.bool_(False)], [0, 1, None]),
    (str, ["a"], [b"a", Path("a"), None]),
    (Path, [Path("a")], ["a", 1]),
    (str | Path, ["a", Path("a")], [1, None]),
    (int | None, [1, None], [1.5]),
    (Literal["a", "b"], ["a"], ["c", 1]),
    (Tensor, [torch.zeros(2)], [np.zeros(2), [0.0], None]),
    (nn.Module, [nn.Identity()], [torch.tanh, nn.Identity]),
    (Callable[[Tensor], Tensor], [torch.tanh, nn.Identity()], [1, None]),
    (Sequence[float], [[1, 2.5], (), (1.0,)], ["12", [1, "2"], {1.0}, torch.zeros(2)]),
    (tuple[float, float], [(1, 2.0)], [(1,), (1, 2, 3), [1, 2], (1, "2")]),
    (tuple[int, ...], [(), (1, 2)], [(1, 2.5), [1]]),
    (Mapping[str, int], [{"a": 1}, {}], [{"a": "b"}, {1: 1}, [("a", 1)]]),
    (type[nn.Module], [nn.ReLU], [nn.ReLU()]),
    (Float[Tensor, "..."], [torch.zeros(2)], [torch.zeros(2, dtype=torch.int64), [0.0]]),
    (Int[Tensor, "..."], [torch.tensor([1])], [torch.zeros(2), [1], torch.tensor([True])]),
    (Float[Tensor, "batch 2"], [torch.zeros(3, 2)], [torch.zeros(3), torch.zeros(3, 1)]),
    (Any, [1, None, Foreign()], []),
]


@each(("hint", "taken", "refused"), TAKEN, ids=lambda v: str(v)[:30])
def test_what_fits_an_annotation(hint: Any, taken: list[Any], refused: list[Any]) -> None:
    def function(value):
        return value

    function.__annotations__["value"] = hint
    edge = checked(function)
    for value in taken:
        assert fits(value, hint)
        assert edge(value) is value
        assert edge(value=value) is value
    for value in refused:
        assert not fits(value, hint)
        for call in (lambda v: edge(v), lambda v: edge(value=v)):
            with pytest.raises(InputTypeError, match=r"^function: value is .* and must be "):
                call(value)


@given(st.integers() | st.floats(allow_nan=False) | st.text() | st.none() | st.booleans())
def test_a_union_takes_what_one_of_its_members_takes(value: object) -> None:
    members = (int, str, None)
    assert fits(value, int | str | None) == any(fits(value, m) for m in members)


def test_names_of_sizes_in_the_callers_annotations_say_nothing_about_ours() -> None:
    @checked
    def norms(x: Float[Tensor, "batch n"]) -> Tensor:
        return x.norm(dim=1)

    @jaxtyped(typechecker=beartype)
    def of_halves(x: Float[Tensor, "batch n"]) -> Tensor:
        return norms(x[::2])

    assert of_halves(torch.ones(4, 3)).shape == (2,)


def test_messages_say_what_was_given_and_what_is_taken() -> None:
    @checked
    def f(x: Tensor, y: IntTensor, name: Literal["a", "b"] = "a") -> None: ...

    x, y = torch.zeros(2), torch.tensor([1])
    for arguments, said in [
        (([0.0], y), r"f: x is a list and must be a tensor: torch\.as_tensor\(x\)"),
        ((None, y), "f: x is None and must be a tensor$"),
        ((x, x), r"f: y is a tensor of shape \(2,\) and dtype float32 and must be an integer tens"),
        ((x, y, "c"), "f: name is 'c' and must be 'a' or 'b'"),
    ]:
        with pytest.raises(InputTypeError, match=said):
            f(*arguments)


def test_a_class_is_checked_where_it_is_made_and_where_it_is_called() -> None:
    @checked
    class Scale:
        def __init__(self, factor: float) -> None:
            self.factor = factor

        def __call__(self, x: Tensor) -> Tensor:
            return self.factor * x

    assert Scale(2)(torch.ones(1)).item() == 2
    with pytest.raises(InputTypeError, match="Scale: factor is '2' and must be a real number"):
        Scale("2")  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match="Scale: x is 3 and must be a tensor"):
        Scale(2)(3)  # type: ignore[arg-type]


def test_nothing_is_checked_while_compiling() -> None:
    @checked
    def double(x: Tensor) -> Tensor:
        return 2 * x

    compiled = torch.compile(lambda x: double(x) + 1, backend="eager", fullgraph=True)
    assert compiled(torch.ones(2)).tolist() == [3, 3]


@pytest.mark.parametrize("seed", [2**63, -(2**63) - 1, 10**400])
def test_a_seed_is_one_that_a_generator_can_start_from(seed: int) -> None:
    with pytest.raises(DomainError, match=r"two_rings: seed is .* below 2\*\*63 in size"):
        two_rings(seed=seed)


@pytest.mark.parametrize("seed", [0, -1, 2**63 - 1, -(2**63)])
def test_every_other_seed_is_one(seed: int) -> None:
    assert two_rings(2, 2, seed=seed).num_classes == 2


def test_a_type_may_say_what_to_give_instead() -> None:
    class Recipe:
        argument_advice = "such as Recipe()"

    @checked
    def cook(recipe: Recipe) -> None:
        del recipe

    with pytest.raises(InputTypeError, match=r"cook: recipe is 'x' and must be .*, such as Rec"):
        cook("x")  # type: ignore[arg-type]
