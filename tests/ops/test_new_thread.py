"""A new thread: nothing is active there, results and errors come back."""

import threading

import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode
from torch.utils.flop_counter import FlopCounterMode

from holonet.ops.new_thread import in_new_thread


def test_nothing_is_active_there():
    def look():
        return (
            _get_current_dispatch_mode(),
            torch._C._are_functorch_transforms_active(),
            torch.is_autocast_enabled("cpu"),
            torch.is_inference_mode_enabled(),
            torch.empty(1).device.type,
        )

    states = []

    def note(x):
        states.append(in_new_thread(look))
        return x

    with FlopCounterMode(display=False), torch.autocast("cpu"), torch.device("meta"):
        torch.vmap(note)(torch.zeros(2, device="cpu"))
    with torch.inference_mode():
        note(None)
    assert states == [(None, False, False, False, "cpu")] * 2


def test_errors_come_back_and_threads_end():
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError):
        in_new_thread(lambda: 1 // 0)
    assert in_new_thread(lambda: in_new_thread(lambda: 42)) == 42
    assert threading.active_count() == before
