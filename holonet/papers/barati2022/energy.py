"""Energy against robustness: one rule, a range of weights, three families of networks."""

from pathlib import Path

from holonet.attacks import ThreatModel, pgd
from holonet.data import Dataset
from holonet.papers.barati2022.networks import (
    logit_energy,
    mean_value_defect,
    train_network,
)
from holonet.papers.barati2022.settings import EnergySettings
from holonet.training import accuracy

__all__ = ["run_energy"]


def run_energy(settings: EnergySettings, data: Dataset, folder: Path) -> dict[str, float]:
    """Train one network and attack it.

    Args:
        settings: of the network, its training and its attack.
        data: what it is trained and tested on.
        folder: for checkpoints.

    Returns:
        clean: accuracy on the whole test set; robust: on the first `examples` of it under
            projected gradient ascent on the margin; energy: of the logits there (see
            `logit_energy`); defect: see `mean_value_defect`, at the radius of a corner of the
            attack's box.
    """
    attack, seed = settings.attack, settings.network.seed
    model = train_network(settings.network, settings.training, data, folder)
    x, y = data.x_test[: attack.examples], data.y_test[: attack.examples]
    threat = ThreatModel("Linf", attack.eps, data.bounds)
    result = pgd(model, x, y, threat, steps=attack.steps, restarts=attack.restarts, seed=seed)
    radius = attack.eps * x[0].numel() ** 0.5
    return {
        "clean": accuracy(model, data.x_test, data.y_test),
        "robust": result.accuracy,
        "energy": logit_energy(model, x),
        "defect": mean_value_defect(model, x[:100], radius, seed=seed),
    }
