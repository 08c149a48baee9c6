"""Errors: one tree, and messages that help."""

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cases import each
from holonet import errors

KNOWN = ["tanh", "sigmoid", "softplus", "reciprocal"]


WARNINGS = ["AttackWarning"]


@pytest.mark.parametrize("name", WARNINGS)
def test_warnings_are_for_users(name: str) -> None:
    assert issubclass(getattr(errors, name), UserWarning)


@each("name", [name for name in errors.__all__ if name not in WARNINGS])
def test_every_error_is_ours_and_a_standard_one(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, errors.HolonetError)
    if kind is not errors.HolonetError:
        standard = [b for b in inspect.getmro(kind) if b.__module__ == "builtins"]
        assert len(standard) > 3, f"{name} is no standard exception besides Exception"


@given(st.sampled_from(KNOWN), st.data())
def test_one_slip_of_the_finger_is_recognized(name: str, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, len(name) - 1))
    slip = name[:k] + data.draw(st.sampled_from("abcxyz")) + name[k + 1 :]
    error = errors.UnknownNameError("activation", slip, KNOWN)
    assert name in error.near_misses
    assert repr(slip) in str(error)


def test_far_names_get_the_whole_list() -> None:
    error = errors.UnknownNameError("data set", "???", ["digits", "mnist"])
    assert error.near_misses == ()
    assert "Known: digits, mnist" in str(error)


def test_missing_dependency_says_what_to_install() -> None:
    error = errors.MissingDependencyError("matplotlib", "plots", "Drawing")
    assert "pip install 'holonet[plots]'" in str(error)
    assert isinstance(error, ImportError)


def test_near_misses_do_not_mind_the_case_of_letters() -> None:
    assert "did you mean 'shaham2015'?" in str(
        errors.UnknownNameError("study", "SHAHAM2015", ["barati2022", "shaham2015"])
    )
