"""Many cases in one item: all are run, each fault is named, and marks and fixtures stay."""

import inspect

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cases import each, some_of


def test_every_fault_is_named_and_every_case_is_run():
    visited = []

    @each("a, b", [(1, 2), (3, 3), (4, 5), (6, 6)])
    def equal(a, b):
        visited.append(a)
        assert a != b

    with pytest.raises(ExceptionGroup, match=r"2 of 4 cases fail: 1\) 3, 3, 2\) 6, 6") as raised:
        equal()
    assert visited == [1, 3, 4, 6]
    assert [e.__notes__ for e in raised.value.exceptions] == [["case 3, 3"], ["case 6, 6"]]


def test_what_does_not_raise_and_skips_are_counted():
    @each("name", ["a", "b"], ids=["first", "second"])
    def silent(name):
        if name == "a":
            pytest.skip("nothing to see")
        with pytest.raises(ValueError, match="never"):
            pass

    with pytest.raises(BaseExceptionGroup, match=r"1 of 2 cases fail: 1\) second"):
        silent()

    @each("name", ["a", "b"])
    def nothing(name):
        pytest.skip(name)

    with pytest.raises(pytest.skip.Exception, match="a"):
        nothing()


@each("x", [1, 2])
@each("y", [3, 4])
@pytest.mark.filterwarnings("error")
def nested(x, y, tmp_path):
    assert (x, y) != (2, 3)


def test_tables_are_nested_and_fixtures_and_marks_are_left_to_pytest(tmp_path):
    assert list(inspect.signature(nested).parameters) == ["tmp_path"]
    assert [mark.name for mark in nested.pytestmark] == ["filterwarnings"]
    with pytest.raises(ExceptionGroup, match=r"1 of 2 cases fail: 1\) 2"):
        nested(tmp_path=tmp_path)


def test_examples_are_divided_among_the_cases():
    count = dict.fromkeys(range(20), 0)

    @each("k", count)
    @settings(max_examples=40)
    @given(x=st.integers())
    def law(k, x):
        count[k] += 1

    law()
    assert set(count.values()) == {6}

    @each("k", [1])
    @settings(max_examples=4)
    @given(x=st.integers())
    def few(k, x):
        count[0] += 1

    few()
    assert count[0] == 6 + 4


def test_the_seed_is_the_same_for_each():
    numbers = []

    @each("k", range(3))
    def draw(k):
        numbers.append(float(torch.rand(())))

    draw()
    assert len(set(numbers)) == 1


def test_some_cases_are_run_and_all_where_slow_tests_are(tmp_path):
    seen = []

    @some_of("n", range(7), slice(1, None, 3))
    @pytest.mark.filterwarnings("ignore")
    def test(n, tmp_path):
        seen.append(n)
        assert n != 5

    assert list(inspect.signature(test).parameters) == ["tmp_path", "share"]
    kept, shares = test.pytestmark
    assert (kept.name, shares.args[0]) == ("filterwarnings", "share")
    some, whole = shares.args[1]
    test(share=some, tmp_path=tmp_path)
    assert seen == [1, 4]
    assert [mark.name for mark in whole.marks] == ["slow"]
    with pytest.raises(ExceptionGroup, match=r"1 of 7 cases fail: 1\) 5"):
        test(share=whole.values[0], tmp_path=tmp_path)
    assert seen == [1, 4, *range(7)]
