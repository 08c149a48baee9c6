"""Identities are simplified in a process of their own, which is killed in time."""

import subprocess
import sys
import time

import pytest
import sympy

from holonet.symbolic import zero_test
from holonet.symbolic.zero_test import ZeroTest, is_zero, simplifies_to_zero

Z = sympy.Symbol("z")
ZERO = [
    sympy.Integer(0),
    sympy.sin(Z) ** 2 + sympy.cos(Z) ** 2 - 1,
    (Z + 1) ** 3 - Z**3 - 3 * Z**2 - 3 * Z - 1,
    sympy.tanh(Z) - 1 + 2 / (sympy.exp(2 * Z) + 1),
    1 / (Z - 1) - 1 / (Z + 1) - 2 / (Z**2 - 1),
]
NONZERO = [Z, sympy.sqrt(Z**2) - Z, sympy.log(Z**2) - 2 * sympy.log(Z), sympy.sin(Z) ** 2 - 1]


@pytest.mark.parametrize("e", ZERO, ids=str)
def test_identities_simplify_to_zero(e):
    assert simplifies_to_zero(e)


@pytest.mark.parametrize("e", NONZERO, ids=str)
def test_other_formulas_do_not_simplify_to_zero(e):
    assert not simplifies_to_zero(e)


def test_is_zero_needs_every_expression_to_be_zero():
    assert is_zero(ZERO, 60) is ZeroTest.ZERO
    assert is_zero([*ZERO[:2], NONZERO[1]], 60) is ZeroTest.OPEN


def test_the_process_is_killed_in_time():
    slow = sympy.Integer(1)
    for k in range(20):
        slow = sympy.sin(slow * Z + k) * sympy.cos(Z * k + slow) + slow
    start = time.monotonic()
    assert is_zero([slow], 0.5) is ZeroTest.TIMEOUT
    assert time.monotonic() - start < 5
    assert is_zero(ZERO, -1) is ZeroTest.TIMEOUT


def test_a_process_that_fails_has_shown_nothing(monkeypatch):
    zero_test._WORKER.stop()
    monkeypatch.setattr(zero_test.sys, "executable", "/nowhere/python")
    assert is_zero(ZERO, 60) is ZeroTest.OPEN


def test_the_process_stays_and_is_started_again():
    assert is_zero(ZERO[:2], 60) is ZeroTest.ZERO
    first = zero_test._WORKER.process
    assert is_zero([Z], 60) is ZeroTest.OPEN
    assert zero_test._WORKER.process is first
    first.kill()
    first.wait()
    assert is_zero(ZERO[:2], 60) is ZeroTest.ZERO


def test_what_sympy_stumbles_over_is_open(monkeypatch):
    failing = sympy.Function("f")(Z) + sympy.Mod(Z, 0, evaluate=False)
    assert is_zero([failing], 60) is ZeroTest.OPEN
    assert is_zero(ZERO[:2], 60) is ZeroTest.ZERO


def test_the_script_needs_nothing_but_sympy():
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", zero_test.__file__],
        input=b"",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stdout == b""  # it was asked nothing
    assert b" torch" not in done.stderr


def test_an_interrupted_question_does_not_answer_the_next(monkeypatch):
    assert is_zero(ZERO[:2], 60) is ZeroTest.ZERO

    def interrupt(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(zero_test.select, "select", interrupt)
        with pytest.raises(KeyboardInterrupt):
            is_zero(ZERO[:2], 60)
    assert is_zero([Z], 60) is ZeroTest.OPEN
