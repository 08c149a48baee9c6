"""Every annotation of the package is enforced, with and without shapes, nested functions too."""

from typing import Literal

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import Float, Inexact, TypeCheckError
from torch import Tensor

import holonet
from annotations import DEFINITIONS, _has_shape
from holonet.calculus.probes import Probes


def test_annotations_with_sizes_have_shapes():
    for annotation in (Float[Tensor, "batch n"], Float[Tensor, "*event"] | None, "AnyTensor"):
        assert _has_shape(annotation)
    for annotation in (
        int,
        Inexact[Tensor, "..."],
        tuple[int, ...],
        Float[Tensor, ""],
        None,
        Literal["n"],
    ):
        assert not _has_shape(annotation)


def test_functions_without_shapes_are_enforced():
    with pytest.raises(BeartypeCallHintViolation):
        holonet.ops.dispatch._named(3)


def enforce(source):
    """The namespace of a module that the import hook decorates like the package."""
    import jaxtyping
    from beartype import beartype

    names = {"enforced": jaxtyping.jaxtyped(typechecker=beartype), "Float": Float, "Tensor": Tensor}
    exec(source, names)
    return names


def test_sizes_of_one_name_agree_and_results_are_checked():
    names = enforce(
        "@enforced\n"
        "def add(a: Float[Tensor, 'n'], b: Float[Tensor, 'n']) -> Float[Tensor, 'n']:\n"
        "    return (a.sum() + b.sum())[None].expand(len(a) + (len(a) == 3))\n"
        "@enforced\n"
        "def text() -> str:\n    return 1\n"
    )
    names["add"](torch.ones(2), torch.ones(2))
    for a, b in ((2, 4), (3, 3)):
        with pytest.raises(TypeCheckError):
            names["add"](torch.ones(a), torch.ones(b))
    with pytest.raises(BeartypeCallHintViolation):
        names["text"]()


def test_nested_functions_are_enforced_the_first_times():
    names = enforce(
        "def outer():\n"
        "    @enforced\n"
        "    def inner(x: int) -> int:\n"
        "        return x\n"
        "    return inner\n"
    )
    for _ in range(DEFINITIONS):
        with pytest.raises(BeartypeCallHintViolation):
            names["outer"]()("1")
    assert names["outer"]()("1") == "1"


def test_the_package_is_enforced():
    with pytest.raises((TypeCheckError, BeartypeCallHintViolation)):
        Probes.like(Probes(1), 3)
