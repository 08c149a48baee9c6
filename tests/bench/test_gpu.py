"""The cases for a card, run small and on the CPU: their contenders do the same work."""

import pytest
import torch

from holonet.bench import gpu
from holonet.errors import ConfigError


@pytest.fixture
def cases(monkeypatch):
    monkeypatch.setattr(gpu, "ENTRIES", 1024)
    monkeypatch.setattr(gpu, "PRODUCT", 16)
    monkeypatch.setattr(gpu, "LAYERS", (8, (8, 8), 4))
    return list(gpu._cases("cpu", ("tanh", "square")))


def tensors(found):
    return found if isinstance(found, tuple) else (found,)


def test_contenders_agree(cases):
    for case in cases:
        results = {who: run() for who, run in {**case.contenders, **case.lower_bounds}.items()}
        if case.name.startswith("step"):
            continue
        baseline = next(found for who, found in results.items() if who.startswith("torch"))
        loose = 0.05 if "bfloat16" in case.name else 1e-5
        for ours, theirs in zip(tensors(results["holonet"]), tensors(baseline), strict=True):
            assert (ours - theirs).norm() <= loose * theirs.norm()
    assert len(cases) == 2 * 2 + 2 + 2


def test_all_have_a_roofline(cases):
    assert all(case.least.bound in case.lower_bounds for case in cases)


def test_tf32_is_allowed_inside_only():
    matmul, seen = torch.backends.cuda.matmul, []
    gpu._in_tf32(lambda: seen.append(matmul.allow_tf32))()
    assert seen == [True]
    assert matmul.allow_tf32 is False


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card")
def test_without_a_card_it_says_what_is_needed():
    with pytest.raises(ConfigError, match="needs a CUDA device"):
        next(gpu.gpu_cases())
