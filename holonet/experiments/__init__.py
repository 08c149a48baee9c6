"""Studies that run from one command: contenders compared over seeds, and the demo."""

from holonet.experiments.comparison import Contender, Outcome, Protocol, compare
from holonet.experiments.demo import DEMO, run_demo

__all__ = ["DEMO", "Contender", "Outcome", "Protocol", "compare", "run_demo"]
