"""Names and options of calls."""

import pytest
import torch

from cases import each
from holonet.continuation.calls import is_in_place, name_of, options, out_of_place, replaced
from holonet.continuation.operation import Refusal


@each(
    ("func", "name"),
    [
        (torch.Tensor.add_, "add_"),
        (torch.Tensor.__radd__, "radd"),
        (torch.Tensor.__float__, "item"),
        (torch.Tensor.shape.__get__, "shape"),
        (torch.Tensor.data.__set__, "data="),
        (torch.ops.aten.relu.default, "relu"),
    ],
)
def test_name_has_no_underscores_in_front(func, name) -> None:
    assert name_of(func) == name


def test_changes_in_place_are_known_by_name_or_option() -> None:
    assert is_in_place("add_", {})
    assert is_in_place("imul", {})
    assert is_in_place("silu", {"inplace": True})
    assert not is_in_place("silu", {"inplace": False})
    assert out_of_place("add", None) is torch.Tensor.add
    assert out_of_place("silu", None) is torch.nn.functional.silu
    with pytest.raises(Refusal, match="out="):
        is_in_place("add", {"out": torch.ones(1)})


def test_options_have_torchs_names() -> None:
    assert options({"axis": 1, "keepdims": True, "inplace": True}) == {"dim": 1, "keepdim": True}


def test_leaves_are_replaced_in_lists_tuples_and_dictionaries() -> None:
    given = ([1, (2,)], {"a": [3]})
    assert replaced(given, lambda x: -x) == ([-1, (-2,)], {"a": [-3]})
