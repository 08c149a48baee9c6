"""The demo: what the linearized rule does, an analytic activation, and complex coefficients."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from holonet._page import Table
from holonet._progress import progress_bar
from holonet.attacks import ThreatModel
from holonet.certify import Semantics, certify, methods_for
from holonet.data import Dataset
from holonet.diagnostics import RobustnessPoint, robustness_curve
from holonet.errors import ConfigError
from holonet.experiments.comparison import Contender, Outcome, compare
from holonet.experiments.protocol import Protocol
from holonet.nn import HolomorphicClassifier
from holonet.training import DataConfig, ModelConfig, RuleConfig, TrainConfig, load_weights
from holonet.training.run_folder import WEIGHTS

__all__ = ["DEMO", "EPS", "Certified", "certified_table", "run_demo"]

HIDDEN = (64, 64)
EPS = 0.1
CERTIFIED_EPS = 0.02
PROVED = 100  # examples, the first ones
MOST_ENTRIES = 256  # of an example, for second order: more take minutes

RELU = ModelConfig(coefficients="real", activation="relu", match="parameters", hidden=HIDDEN)
REAL = ModelConfig(coefficients="real", match="parameters", hidden=HIDDEN)
COMPLEX = ModelConfig(hidden=HIDDEN)
LINEARIZED = RuleConfig(name="linearized", eps=EPS)

DEMO = (
    Contender("real relu, standard", RELU, RuleConfig(name="standard")),
    Contender("real relu, linearized", RELU, LINEARIZED),
    Contender("real square, linearized", REAL, LINEARIZED),
    Contender("complex square, linearized", COMPLEX, LINEARIZED),
)
"""Networks of equal real parameter count, each different from the one before in one thing."""


@dataclass(frozen=True)
class Certified:
    """What is proved of a network, as float32 executes it.

    Args:
        label: of the contender.
        methods: tried in turn.
        clean, attacked, proved: correct ones among the same examples; attacked at the radius of
            `proved`, which counts certificates.
    """

    label: str
    methods: tuple[str, ...]
    clean: RobustnessPoint
    attacked: RobustnessPoint
    proved: RobustnessPoint

    def to_json(self) -> dict[str, Any]:
        """Counts, accuracies and intervals."""
        return asdict(self) | {
            name: getattr(self, name).to_json() for name in ("clean", "attacked", "proved")
        }


def certified_table(certified: Sequence[Certified]) -> Table:
    """Certified beside attacked and clean accuracy of each network."""
    eps, examples = certified[0].proved.eps, certified[0].proved.examples
    return Table(
        headers=["network, rule", "certified %", "95% interval", "PGD %", "clean %"],
        rows=[
            [
                one.label,
                f"{100 * one.proved.accuracy:.1f}",
                " to ".join(f"{100 * end:.1f}" for end in one.proved.interval),
                f"{100 * one.attacked.accuracy:.1f}",
                f"{100 * one.clean.accuracy:.1f}",
            ]
            for one in certified
        ],
        caption=f"Certified, attacked and clean accuracy at l_inf {eps:g} in [0, 1], of the first "
        f"{examples} test images.",
    )


def run_demo(
    data: Dataset,
    folder: Path,
    *,
    source: DataConfig | None = None,
    seed: int = 0,
    epochs: int = 40,
    command: str = "holonet demo",
    progress: bool = False,
) -> tuple[list[Outcome], list[Certified], Path]:
    """Train, attack and certify the contenders, write the report.

    Args:
        data: real data in [0, 1].
        folder: of the runs, report.html, results.json and results.csv.
        source: what `data` were loaded from, as `compare` takes it.
        seed: of weights, batches, probes and attacks.
        epochs: of each training.
        command: what makes the report again.
        progress: draw progress bars on stderr.

    Returns:
        Outcomes, what is proved, and the path of the report.

    Raises:
        MissingDependencyError: there is nothing to draw with; before any training.
    """
    from holonet.experiments.demo_report import demo_report  # before the work: it may be missing
    from holonet.plots import write_report

    train = TrainConfig(epochs=epochs, batch_size=64, lr=1e-2, seed=seed)
    protocol = Protocol()
    outcomes = compare(
        DEMO,
        data,
        train,
        protocol,
        folder=folder / "runs",
        source=source,
        seeds=(seed,),
        progress=progress,
    )
    models = [_trained(outcome, data, train) for outcome in outcomes]
    certified = []
    with progress_bar(progress) as bar:
        task = bar.add_task("certifying", total=len(models))
        for outcome, model in zip(outcomes, models, strict=True):
            certified.append(_certified(outcome.label, model, data, protocol))
            bar.advance(task)
    last = models[-1]
    if not isinstance(last, HolomorphicClassifier):
        raise ConfigError(f"{outcomes[-1].label} is not a holomorphic classifier")
    report = demo_report(outcomes, certified, last, data, protocol, train, command)
    return outcomes, certified, write_report(report, folder / "report.html")


def _certified(label: str, model: nn.Module, data: Dataset, protocol: Protocol) -> Certified:
    """The cheaper methods; second order of small examples, where it fits, on what they leave."""
    x, y = data.x_test[:PROVED], data.y_test[:PROVED]
    threat = ThreatModel("Linf", CERTIFIED_EPS, data.bounds)
    methods = ["intervals", "tangents"]
    fitting = methods_for(model, x[:1], y[:1], threat)
    if "second_order" in fitting and x[0].numel() <= MOST_ENTRIES:
        methods.append("second_order")
    proofs = certify(model, x, y, threat, methods, Semantics(torch.float32))
    clean, attacked = robustness_curve(
        model,
        x,
        y,
        (0.0, CERTIFIED_EPS),
        threat=threat,
        steps=protocol.steps,
        restarts=protocol.restarts,
    )
    proved = RobustnessPoint(CERTIFIED_EPS, sum(proof.holds for proof in proofs), len(y))
    return Certified(label, tuple(methods), clean, attacked, proved)


def _trained(outcome: Outcome, data: Dataset, train: TrainConfig) -> nn.Module:
    contender = next(c for c in DEMO if c.label == outcome.label)
    model = contender.untrained(data, train.seed)
    load_weights(outcome.folder / WEIGHTS, model)
    return model.eval()
