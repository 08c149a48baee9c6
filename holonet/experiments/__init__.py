"""Networks compared over rules and seeds, and the demo."""

from holonet.experiments.comparison import (
    Contender,
    Outcome,
    accuracy_difference,
    compare,
    relative_cost,
)
from holonet.experiments.demo import DEMO, EPS, Certified, certified_table, run_demo
from holonet.experiments.protocol import ATTACKERS, Protocol
from holonet.experiments.tables import (
    accuracy_table,
    difference_table,
    pairs_table,
    places_searched,
)
from holonet.experiments.targets import Target, load_target

__all__ = [
    "ATTACKERS",
    "DEMO",
    "EPS",
    "Certified",
    "Contender",
    "Outcome",
    "Protocol",
    "Target",
    "accuracy_difference",
    "accuracy_table",
    "certified_table",
    "compare",
    "difference_table",
    "load_target",
    "pairs_table",
    "places_searched",
    "relative_cost",
    "run_demo",
]
