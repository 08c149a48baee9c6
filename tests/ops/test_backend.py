"""How a backend is asked for."""

import threading

import pytest

from holonet.errors import UnknownNameError
from holonet.ops import BACKENDS, use
from holonet.ops.backend import VARIABLE, _from_environment, chosen


@pytest.fixture(autouse=True)
def _environment_read_anew():
    _from_environment.cache_clear()
    yield
    _from_environment.cache_clear()


def test_the_context_manager_wins_over_the_environment(monkeypatch):
    assert chosen() == "auto"
    _from_environment.cache_clear()
    monkeypatch.setenv(VARIABLE, "reference")
    assert chosen() == "reference"
    with use("compiled"):
        assert chosen() == "compiled"
        with use("auto"):
            assert chosen() == "auto"
        assert chosen() == "compiled"
    assert chosen() == "reference"


def test_it_ends_with_an_error():
    with pytest.raises(ZeroDivisionError), use("reference"):
        raise ZeroDivisionError
    assert chosen() == "auto"


def test_other_threads_are_left_alone():
    seen = []
    with use("reference"):
        other = threading.Thread(target=lambda: seen.append(chosen()))
        other.start()
        other.join()
    assert seen == ["auto"]


def test_unknown_names(monkeypatch):
    with pytest.raises(UnknownNameError, match="did you mean 'compiled'"), use("compild"):
        pass
    monkeypatch.setenv(VARIABLE, "gpu")
    with pytest.raises(UnknownNameError, match=", ".join(sorted(BACKENDS))):
        chosen()
