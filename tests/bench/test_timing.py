"""Interleaved timing with a clock that does not depend on the machine."""

import pytest

from holonet.bench.timing import Timing, interleave, ratio
from holonet.errors import ConfigError


class Clock:
    """A clock that contenders move by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds):
        def run():
            self.now += seconds

        return run


def test_times_and_ratios_are_those_of_the_clock():
    clock = Clock()
    found = interleave(
        {"slow": clock.work(3.0), "fast": clock.work(0.5)}, rounds=4, warmup=1, clock=clock
    )
    assert found["slow"].samples == (3.0,) * 4
    assert ratio(found["slow"], found["fast"]).quartiles == (6.0, 6.0, 6.0)


def test_short_calls_are_repeated_and_warm_up_does_not_count():
    clock, calls = Clock(), []

    def run():
        calls.append(clock.now)
        clock.now += 1.0 if not calls[1:] else 2.0**-13

    (found,) = interleave({"it": run}, rounds=2, warmup=2, clock=clock).values()
    assert max(found.samples) == 2.0**-13
    assert len(calls) == 1 + 1 + 2 * 17  # 2 ms take 17 calls of 1/8192 s


def test_the_order_changes_from_round_to_round():
    clock, seen = Clock(), []

    def named(name):
        def run():
            seen.append(name)
            clock.now += 1.0

        return run

    interleave({n: named(n) for n in "abc"}, rounds=12, warmup=0, clock=clock)
    rounds = {"".join(seen[k : k + 3]) for k in range(0, 36, 3)}
    assert all(sorted(order) == list("abc") for order in rounds)
    assert len(rounds) > 2


def test_quartiles():
    assert Timing((1.0, 2.0, 3.0, 4.0, 5.0)).quartiles == (2.0, 3.0, 4.0)
    assert Timing((7.0,)).quartiles == (7.0, 7.0, 7.0)
    assert Timing((1.0, 9.0, 2.0)).quartiles[1] == 2.0


@pytest.mark.parametrize("arguments", [{"rounds": 0}, {"warmup": -1}])
def test_nonsense_is_refused(arguments):
    with pytest.raises(ConfigError, match="at least 1 and 0"):
        interleave({}, **arguments)
