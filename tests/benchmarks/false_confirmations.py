"""How often does the study of the hypothesis confirm a claim that is false, or miss a true one?

python tests/benchmarks/false_confirmations.py [--studies 1000] [--planted 100]: results of whole
studies are simulated without any training. Networks of a seed, of a rule, and pairs that share a
network have much in common. In null studies no claim is true: a claim's uncorrected p-value is to
be at most 0.05 in at most 5% of them, and any claim confirmed in at most 5%, with every size of an
effect counted. In planted studies all claims are true: how often each is confirmed is its power.
"""

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from holonet.statistics import wilson_interval
from holonet.studies.evidence import Verdict
from holonet.studies.hypothesis import evidence
from holonet.studies.hypothesis.claims import TESTS
from simulated_hypothesis import simulated

PLANTED = {
    "analytic": 0.02,
    "complex_": 0.02,
    "macs": 0.02,
    "mixture": 0.02,
    "measures": 3.0,
    "transfer": 1.0,
}
"""Two points of robust accuracy, where networks of a seed deviate by one."""


def main() -> None:
    """Simulate, judge, count."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--planted", type=int, default=100)
    parser.add_argument("--permutations", type=int, default=199)
    arguments = parser.parse_args()
    evidence.PERMUTATIONS, evidence.RESAMPLES = arguments.permutations, 20
    evidence.POINT = evidence.CORRELATION = 1e-9  # every effect counts
    for name, effects, count in (
        ("null", {}, arguments.studies),
        ("planted", PLANTED, arguments.planted),
    ):
        small: Counter[str] = Counter()
        confirmed: Counter[str] = Counter()
        for seed in range(count):
            results = simulated(seed, **effects)
            known = {key: test(results) for key, test in TESTS.items()}
            for key, own in known.items():
                p = max(effect.test.above for effect in own.tested.values())
                small[key] += p <= evidence.LEVEL
            again = {key: (lambda results, own=own: own) for key, own in known.items()}
            found = evidence.judged(again, results, tuple(TESTS))
            yes = [f.claim for f in found if f.verdict is Verdict.CONFIRMED]
            confirmed.update([*yes, *(["any"] if yes else [])])
            if (seed + 1) % 50 == 0 or seed + 1 == count:
                print(f"{name}, {seed + 1} studies")
                for key in TESTS:
                    print(f"  {key}: p <= 0.05 {share(small[key], seed + 1)}", end="")
                    print(f"; confirmed {share(confirmed[key], seed + 1)}")
                print(f"  any: confirmed {share(confirmed['any'], seed + 1)}", flush=True)


def share(count: int, of: int) -> str:
    """A percentage with Wilson's interval."""
    low, high = wilson_interval(count, of).ends
    return f"{100 * count / of:.1f}% ({100 * low:.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    main()
