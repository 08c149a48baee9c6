"""Every annotation of the package is enforced: shapes, results, dataclasses, nested functions."""

from typing import Any, Literal

import pytest
from jaxtyping import Float, TypeCheckError
from torch import Tensor, jit, ones

import holonet
from annotations import DEFINITIONS
from holonet.calculus.probes import Probes
from holonet.errors import ShapeError


def enforce(source: str) -> dict[str, Any]:
    """The namespace of a module that the import hook decorates like the package."""
    from jaxtyping import jaxtyped

    names = {
        "__name__": __name__,
        "enforced": jaxtyped(typechecker=None),
        "Float": Float,
        "Literal": Literal,
        "Tensor": Tensor,
    }
    exec("from dataclasses import dataclass\n" + source, names)
    return names


def test_sizes_of_one_name_agree_and_results_are_checked():
    names = enforce(
        "@enforced\n"
        "def add(a: Float[Tensor, 'n'], b: Float[Tensor, 'n']) -> Float[Tensor, 'n']:\n"
        "    return (a.sum() + b.sum())[None].expand(len(a) + (len(a) == 3))\n"
        "@enforced\n"
        "def text() -> str:\n    return 1\n"
    )
    names["add"](ones(2), ones(2))
    for a, b in ((2, 4), (3, 3)):
        with pytest.raises(TypeCheckError):
            names["add"](ones(a), ones(b))
    with pytest.raises(TypeCheckError):
        names["text"]()


def test_names_of_sizes_are_those_of_one_call():
    names = enforce(
        "@enforced\n"
        "def outer(a: Float[Tensor, 'n']) -> Float[Tensor, 'n']:\n"
        "    return a + inner(a[1:])\n"
        "@enforced\n"
        "def inner(a: Float[Tensor, 'n']) -> Float[Tensor, '']:\n"
        "    return a.sum()\n"
    )
    assert names["outer"](ones(3)).tolist() == [3, 3, 3]


def test_nested_functions_are_enforced_the_first_times():
    names = enforce(
        "def outer():\n"
        "    @enforced\n"
        "    def inner(x: int) -> int:\n"
        "        return x\n"
        "    return inner\n"
    )
    for _ in range(DEFINITIONS):
        with pytest.raises(TypeCheckError):
            names["outer"]()("1")
    assert names["outer"]()("1") == "1"


def test_fields_of_dataclasses_agree_in_size():
    names = enforce(
        "@enforced\n@dataclass\nclass Pair:\n    a: Float[Tensor, 'n']\n    b: Float[Tensor, 'n']\n"
    )
    names["Pair"](ones(2), ones(2))
    with pytest.raises(TypeCheckError):
        names["Pair"](ones(2), ones(3))


def test_the_package_is_enforced():
    with pytest.raises(TypeCheckError):
        Probes.like(Probes(1), 3)
    with pytest.raises(TypeCheckError):
        holonet.ops.dispatch._named(3)


def test_a_function_refuses_wrong_arguments_in_its_own_words():
    names = enforce(
        "from holonet.errors import ShapeError\n"
        "@enforced\n"
        "def length(a: Float[Tensor, 'n']) -> int:\n"
        "    if a.ndim == 2:\n        raise ShapeError('a matrix')\n"
        "    return a.shape[0]\n"
    )
    with pytest.raises(ShapeError, match="a matrix"):
        names["length"](ones(2, 2))
    for wrong in (ones(2, 2, 2), ones(())):  # the body returns, the body fails
        with pytest.raises(TypeCheckError):
            names["length"](wrong)


def test_what_users_may_give_is_narrowed():
    names = enforce(
        "from typing import Annotated\n"
        "@enforced\n"
        "def length(a: Annotated[Tensor, Float[Tensor, 'n']] | None = None) -> int:\n"
        "    return 0\n"
    )
    assert names["length"]() == names["length"](ones(2)) == 0
    with pytest.raises(TypeCheckError):
        names["length"](ones(2, 2))
    assert "Annotated" in str(names["length"].__annotations__["a"])


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_nothing_is_checked_while_torch_traces():
    names = enforce(
        "@enforced\n"
        "def double(a: Float[Tensor, 'n m']) -> Float[Tensor, 'm n']:\n"
        "    return 2 * a\n"
    )
    traced: Any = jit.trace(names["double"], ones(3, 2), check_trace=False)
    assert traced(ones(4, 5)).shape == (4, 5)
    with pytest.raises(TypeCheckError):
        names["double"](ones(3, 2))


def test_what_looks_like_a_call_that_passed_is_checked_in_its_result():
    names = enforce(
        "results = []\n"
        "@enforced\n"
        "def popped(a: Float[Tensor, 'n'], s: Literal['x'] = 'x') -> Float[Tensor, 'n']:\n"
        "    return results.pop()\n"
        "@enforced\n"
        "def longest(a: list[Float[Tensor, 'n']]) -> Float[Tensor, 'n']:\n"
        "    return results.pop()\n"
    )
    for argument, function in ((ones(2), "popped"), ([ones(2)], "longest")):
        for good in (True, True, False, True, False):
            names["results"].append(ones(2 if good else 3))
            if good:
                names[function](argument)
                continue
            with pytest.raises(TypeCheckError):
                names[function](argument)
    for wrong in ((ones(2).int(),), (ones(2, 2),), (ones(2), "y"), (ones(2), True)):
        with pytest.raises(TypeCheckError):
            names["popped"](*wrong)
