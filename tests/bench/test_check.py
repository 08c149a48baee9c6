"""Wrong numbers are not timed."""

import pytest

from holonet.bench import check
from holonet.errors import NumericalError

SOME = ("square", "tanh")


@pytest.fixture
def some(monkeypatch):
    monkeypatch.setattr(check, "ACTIVATIONS", {name: check.ACTIVATIONS[name] for name in SOME})


@pytest.mark.usefixtures("some")
def test_right_operations_pass():
    check.agree()


@pytest.mark.slow
def test_all_operations_pass():
    check.agree()


@pytest.mark.usefixtures("some")
def test_a_wrong_operation_is_noticed(monkeypatch):
    right = check.pointwise
    monkeypatch.setattr(check, "pointwise", lambda record, z: right(record, z) * (1 + 1e-3))
    check.agree()  # both backends are wrong alike
    factors = iter([1.0, 1.01] * len(SOME))
    monkeypatch.setattr(check, "pointwise", lambda record, z: right(record, z) * next(factors))
    with pytest.raises(NumericalError, match="nothing to time"):
        check.agree()


@pytest.mark.usefixtures("some")
@pytest.mark.parametrize("passes", [pytest.param(True, marks=pytest.mark.slow), False])
def test_red_tests_refuse_the_timing(tmp_path, monkeypatch, passes):
    tests = tmp_path / "tests" / "ops"
    tests.mkdir(parents=True)
    (tests / "test_it.py").write_text(f"def test_it():\n    assert {passes}\n")
    if passes:
        assert "1 passed" in check.require_green(tests)
        return
    with pytest.raises(NumericalError, match="1 failed"):
        check.require_green(tests)


@pytest.mark.usefixtures("some")
def test_without_a_checkout_the_numbers_are_compared(tmp_path):
    assert "no checkout" in check.require_green(tmp_path / "none")
