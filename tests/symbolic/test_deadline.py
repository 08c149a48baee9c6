"""Time limits stop what runs too long, and leave nothing behind."""

import threading
import time
import weakref

import pytest

from holonet.errors import ConfigError
from holonet.symbolic.deadline import within


def forever():
    while True:
        try:
            time.sleep(0)
        except Exception:  # an ordinary handler does not get in the way
            raise AssertionError from None


def test_what_ends_in_time_is_returned_and_errors_pass():
    assert within(60, lambda: 3, TimeoutError) == 3
    with pytest.raises(KeyError):
        within(60, lambda: {}[0], TimeoutError)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_limit_may_be_as_large_as_one_likes():
    for seconds in (1e10, 1e300, float("inf")):
        assert within(seconds, lambda: time.sleep(0.02) or 3, TimeoutError) == 3


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_limit_is_above_0(seconds):
    with pytest.raises(ConfigError, match="above 0"):
        within(seconds, lambda: 3, TimeoutError)


def test_what_does_not_end_is_stopped():
    with pytest.raises(TimeoutError, match="too late"):
        within(0.05, forever, lambda: TimeoutError("too late"))


def test_the_outer_limit_holds_inside_of_an_inner_one():
    with pytest.raises(TimeoutError, match="outer"):
        within(
            0.05,
            lambda: within(60, forever, lambda: TimeoutError("inner")),
            lambda: TimeoutError("outer"),
        )


def test_in_a_thread_of_ones_own():
    seen = []

    def run():
        try:
            within(0.05, forever, TimeoutError)
        except TimeoutError:
            seen.append(threading.current_thread())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [thread]


def test_nothing_comes_after_the_block_is_left():
    """Blocks that end close to their limit, a few hundred times."""
    for _ in range(300):
        began = time.perf_counter()

        def busy(until=began + 0.002):
            while time.perf_counter() < until:
                pass

        try:
            within(0.0019, busy, TimeoutError)
        except TimeoutError:
            continue
    sum(range(10**6))
    for thread in threading.enumerate():
        if thread.name == "holonet-time-limit":
            thread.join(60)
            assert not thread.is_alive()


def test_a_limit_that_is_reached_in_a_callback_is_asked_for_again():
    """Python ignores what is raised there, with a word on the error stream."""

    class Thing:
        """May be referred to weakly."""

    def busy():
        while True:
            thing = Thing()
            kept = weakref.ref(thing, lambda _: sum(range(100)))
            del thing
            assert kept() is None

    with pytest.raises(TimeoutError):
        within(0.05, busy, TimeoutError)
