"""Rows of the table and how they are entered."""

import pytest
import torch

from holonet.continuation.operation import Family, Refusal, plain_call


def test_one_row_has_all_its_names() -> None:
    family = Family("Shapes")

    @family("flip fliplr", "z turned", "exact")
    def rule(func, input):
        return func(input)

    family.enter("clone", "z", rule=plain_call)
    assert list(family) == ["flip", "fliplr", "clone"]
    assert len(family) == 3
    assert family["flip"] is family["fliplr"]
    assert family["flip"].rule is rule
    assert family["flip"].refusal == "z turned. exact"
    assert plain_call(torch.neg, torch.ones(1)) == -1


def test_refusal_is_no_type_error() -> None:
    """An operator of Python would ask the other operand."""
    with pytest.raises(Refusal) as info:
        raise Refusal("no", holomorphic=True)
    assert info.value.holomorphic
    assert not isinstance(info.value, TypeError)
