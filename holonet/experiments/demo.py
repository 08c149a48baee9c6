"""The demo: what the linearized rule does, an analytic activation, and complex coefficients."""

from pathlib import Path

from holonet.data import Dataset
from holonet.errors import ConfigError
from holonet.experiments.comparison import Contender, Outcome, compare
from holonet.experiments.protocol import Protocol
from holonet.nn import HolomorphicClassifier
from holonet.training import DataConfig, ModelConfig, RuleConfig, TrainConfig, load_weights
from holonet.training.run_folder import WEIGHTS

__all__ = ["DEMO", "EPS", "run_demo"]

HIDDEN = (64, 64)
EPS = 0.1

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


def run_demo(
    data: Dataset,
    folder: Path,
    *,
    source: DataConfig | None = None,
    seed: int = 0,
    epochs: int = 40,
    command: str = "holonet demo",
    progress: bool = False,
) -> tuple[list[Outcome], Path]:
    """Train and attack the contenders, write the report; return outcomes and its path.

    Args:
        data: real data in [0, 1].
        folder: of the runs, report.html, results.json and results.csv.
        source: what `data` were loaded from, as `compare` takes it.
        seed: of weights, batches, probes and attacks.
        epochs: of each training.
        command: what makes the report again.
        progress: draw progress bars on stderr.

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
    model = _trained(outcomes[-1], data, train)
    report = demo_report(outcomes, model, data, protocol, train, command)
    return outcomes, write_report(report, folder / "report.html")


def _trained(outcome: Outcome, data: Dataset, train: TrainConfig) -> HolomorphicClassifier:
    contender = next(c for c in DEMO if c.label == outcome.label)
    model = contender.model.build(
        data.x_train.shape[1:], data.num_classes, seed=train.seed, examples=data.x_train
    )
    if not isinstance(model, HolomorphicClassifier):
        raise ConfigError(f"{outcome.label} is not a holomorphic classifier")
    load_weights(outcome.folder / WEIGHTS, model)
    return model.eval()
