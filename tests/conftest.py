"""Hypothesis profiles, one thread a worker, a seed for every test, and the backend.

torch is imported where tests run: not by the process that hands them to the workers.
"""

import gc
import importlib
import multiprocessing
import os
from collections.abc import Generator, Iterator
from typing import Any

gc.disable()  # what is imported and collected lives until the end
os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of numpy and scipy: each worker has one core

import pytest  # noqa: E402
from _pytest.doctest import DoctestModule  # noqa: E402

REMEMBERING: list[Any] = []


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("dist", "no") == "no" or hasattr(config, "workerinput"):
        _prepare()


def _prepare() -> None:
    """Before anything of holonet is imported."""
    import torch
    from hypothesis import HealthCheck, settings

    import annotations
    import zero_tangents

    if not torch.cuda.is_available():
        # Triton's kernels run in its interpreter, which is chosen when they are defined
        os.environ["TRITON_INTERPRET"] = "1"
        # torch keeps the stack of each call, for a card that is asked for later: a millisecond
        torch.manual_seed = lambda seed: torch.default_generator.manual_seed(int(seed))
    # it looks at all modules for each of its operators, and imports Triton: now there are few
    importlib.import_module("torch._dynamo")

    settings.register_profile("dev", max_examples=30, deadline=None)
    settings.register_profile("ci", max_examples=20, deadline=None, derandomize=True)
    settings.register_profile(
        "deep", max_examples=5000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

    torch.set_num_threads(1)

    annotations.install()
    REMEMBERING.append(zero_tangents.install())


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Docstrings of tests have no examples: their files are not imported to look for some."""
    collectors = yield
    return [found for found in collectors if not isinstance(found, DoctestModule)]


def pytest_collectstart(collector: pytest.Collector) -> None:
    """What a module draws when it is imported does not depend on the modules before it."""
    if isinstance(collector, pytest.Module):
        import torch

        torch.manual_seed(0)


def pytest_collection_finish() -> None:
    """Collect garbage again, but none of what there is, and seldom."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    gc.enable()


@pytest.fixture(scope="module", autouse=True)
def backend() -> Iterator[None]:
    """The backend "reference", here and in processes: what is compiled is the subject of tests/ops.

    A module whose subject is the backends has a fixture of this name that does nothing.
    """
    from holonet.ops import dispatch  # not before annotations are enforced

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(dispatch.VARIABLE, "reference")
        dispatch._from_environment.cache_clear()
        yield
    dispatch._from_environment.cache_clear()


@pytest.fixture(autouse=True)
def _seed() -> None:
    import torch

    torch.manual_seed(0)


@pytest.fixture
def forked_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that the test starts are forked from one that has imported torch already.

    They see the environment of the first test that asked for it. Others are spawned, as for users.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        server = multiprocessing.get_context("forkserver")
        server.set_forkserver_preload(["holonet.studies.runner", "holonet.interop.autoattack"])
        monkeypatch.setattr(multiprocessing, "get_context", lambda _: server)
