"""A thread of its own: nothing active there, results and errors come back."""

import threading

import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode
from torch.utils.flop_counter import FlopCounterMode

from holonet.ops.apart import apart


def test_nothing_is_active_there():
    def look():
        return (
            _get_current_dispatch_mode(),
            torch._C._are_functorch_transforms_active(),
            torch.is_autocast_enabled("cpu"),
            torch.is_inference_mode_enabled(),
            torch.empty(1).device.type,
        )

    seen = []

    def note(x):
        seen.append(apart(look))
        return x

    with FlopCounterMode(display=False), torch.autocast("cpu"), torch.device("meta"):
        torch.vmap(note)(torch.zeros(2, device="cpu"))
    with torch.inference_mode():
        note(None)
    assert seen == [(None, False, False, False, "cpu")] * 2


def test_errors_come_back_and_threads_end():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        apart(lambda: 1 // 0)
    assert apart(lambda: apart(lambda: 42)) == 42
    assert threading.active_count() == before
