"""A pytest plugin: assertions as fixtures, and every error that was measured in the summary.

Switch it on in a conftest.py at the top of your tests:

    pytest_plugins = ["holonet.testing.plugin"]

and ask for a fixture where you need it:

    def test_my_model(assert_holomorphic):
        assert_holomorphic(my_model)
"""

from collections.abc import Callable
from typing import Any

import pytest

from holonet.testing import assertions, harmonicity

__all__ = ["assert_harmonic", "assert_holomorphic", "assert_pluriharmonic"]

_KEY = "holonet"


@pytest.fixture
def assert_holomorphic(record_property: Callable[[str, object], None]) -> Callable[..., float]:
    """`holonet.testing.assert_holomorphic`, which adds its error to the summary."""
    return _recording(assertions.assert_holomorphic, record_property)


@pytest.fixture
def assert_harmonic(record_property: Callable[[str, object], None]) -> Callable[..., float]:
    """`holonet.testing.assert_harmonic`, which adds its error to the summary."""
    return _recording(harmonicity.assert_harmonic, record_property)


@pytest.fixture
def assert_pluriharmonic(record_property: Callable[[str, object], None]) -> Callable[..., float]:
    """`holonet.testing.assert_pluriharmonic`, which adds its error to the summary."""
    return _recording(harmonicity.assert_pluriharmonic, record_property)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was measured: a check that passes still has a number."""
    lines = [
        f"{report.nodeid}: {name.removeprefix(_KEY + '.')} = {value}"
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
        if name.startswith(_KEY + ".")
    ]
    if lines:
        terminalreporter.section("holomorphy and harmonicity, errors measured")
        for line in lines:
            terminalreporter.write_line(line)


def _recording(
    assertion: Callable[..., float], record: Callable[[str, object], None]
) -> Callable[..., float]:
    def run(*args: Any, **options: Any) -> float:
        error = assertion(*args, **options)
        record(f"{_KEY}.{assertion.__name__}", f"{error:.1e}")
        return error

    return run
