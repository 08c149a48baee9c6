"""Operations with nothing to continue are refused also with frozen pieces."""

import pytest
import torch
from torch.nn import functional

from cases import each
from holonet.continuation import extend
from holonet.continuation.refused import REFUSED
from holonet.errors import NotHolomorphicError

FUNCTIONS = {
    "sign": torch.sign,
    "round": lambda x: x.round(),
    "floor division": lambda x: x // 2,
    "remainder": lambda x: x % 2,
    "equality": lambda x: x == 1,
    "long": lambda x: x.long(),
    "bool": lambda x: x.bool(),
    "median": lambda x: x.median(),
    "l1": lambda x: functional.l1_loss(x, x),
    "tolist": lambda x: x.tolist(),
    "backward": lambda x: x.sum().backward(),
}


@each("name", FUNCTIONS)
def test_refused(name: str) -> None:
    for pieces in ("refused", "frozen"):
        with pytest.raises(NotHolomorphicError):
            extend(FUNCTIONS[name], pieces)(torch.ones(2, dtype=torch.complex64))


def test_all_say_why_and_what_instead() -> None:
    assert all(row.formula and row.remark and row.rule is None for row in REFUSED.values())
