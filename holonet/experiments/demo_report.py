"""The page of the demo: what both networks withstand, and a verdict that follows the numbers."""

import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version

import torch
from torch import Tensor

from holonet._page import Report, Section, Table
from holonet.attacks import ThreatModel, pgd
from holonet.data import Dataset
from holonet.diagnostics import HolomorphyCheck, holomorphy_check
from holonet.experiments.comparison import Outcome
from holonet.experiments.demo import EPS
from holonet.experiments.protocol import Protocol
from holonet.nn import HolomorphicClassifier
from holonet.plots import complex_line, phase_portrait, plot_modes, plot_robustness, plot_training
from holonet.training import TrainConfig

__all__ = ["demo_report"]


def demo_report(
    outcomes: Sequence[Outcome],
    model: HolomorphicClassifier,
    data: Dataset,
    protocol: Protocol,
    train: TrainConfig,
    command: str,
) -> Report:
    """The report.

    Args:
        outcomes: of the real network and of the holomorphic one.
        model: the holomorphic one, trained.
        data: what both were trained on.
        protocol: how both were attacked.
        train: how both were trained.
        command: what makes the report again.
    """
    plain, holomorphic = outcomes
    check = holomorphy_check(model.backbone, data.x_test[:32])
    return Report(
        title="A holomorphic classifier under the linearized rule",
        summary=_verdict(plain, holomorphic, check),
        headline=_headline(outcomes, protocol),
        sections=[
            _robustness_section(outcomes, protocol),
            _training_section(outcomes),
            _portrait_section(model, data, protocol),
            _holomorphy_section(check),
        ],
        notes=[
            "One seed: differences of a point or two between single runs mean little.",
            "The learning rate 0.01 was picked from a sweep on these images, for another rule. "
            "The linearized rule has no weight to pick: its radius is that of the attack.",
            "Projected gradient attacks give upper bounds on robust accuracy, never guarantees.",
            "The linearized rule is the loss of the worst logits to first order: the runner-up is "
            "raised by eps times the l_1 norm of the gradient of its lead over the label.",
            "The two networks differ in architecture and in rule; this page does not say which of "
            "the two is responsible. holonet compare separates them.",
        ],
        facts={
            "command": command,
            "data": f"{data.name}, {len(data.x_train)} training and {len(data.x_test)} test "
            f"examples, fingerprint {data.fingerprint()}",
            "seed": train.seed,
            "training": f"{train.epochs} epochs, batches of {train.batch_size}, Adam, one-cycle "
            f"to {train.lr:g}, gradient norm clipped at {train.clip}",
            "versions": f"holonet {version('holonet')}, torch {torch.__version__}, "
            f"Python {platform.python_version()}",
            "hardware": f"{platform.processor() or platform.machine()}, "
            f"{torch.get_num_threads()} threads, {sys.platform}",
        },
    )


def _verdict(plain: Outcome, holomorphic: Outcome, check: HolomorphyCheck) -> str:
    """What happened, in words that follow the numbers whichever way they fall."""
    a, b = plain.at(EPS), holomorphic.at(EPS)
    if b.interval[0] > a.interval[1]:
        outcome = "withstands more"
    elif b.interval[1] < a.interval[0]:
        outcome = "withstands less"
    else:
        outcome = "cannot be told apart from the real one (the intervals overlap)"
    violation = (
        "no violation of holomorphy was found" if check.passed else ("its holomorphy check FAILED")
    )
    return (
        f"Under an l_inf attack of size {EPS:g} the holomorphic network, trained by the linearized "
        f"rule without any attack, {outcome}: {_percent(b.accuracy)} of the attacked test images "
        f"are still right, against {_percent(a.accuracy)} for a plain real network of equal "
        f"parameter count. Clean accuracy is {_percent(holomorphic.clean)} against "
        f"{_percent(plain.clean)}; a training step takes "
        f"{holomorphic.step_ms / plain.step_ms:.1f} times as long. In the trained network "
        f"{violation}."
    )


def _headline(outcomes: Sequence[Outcome], protocol: Protocol) -> Table:
    return Table(
        headers=[
            "network, rule",
            "real parameters",
            "clean %",
            f"PGD % at {EPS:g}",
            "95% interval",
            "ms a step",
        ],
        rows=[
            [
                o.label,
                o.parameters,
                f"{100 * o.clean:.1f}",
                f"{100 * o.at(EPS).accuracy:.1f}",
                " to ".join(f"{100 * end:.1f}" for end in o.at(EPS).interval),
                f"{o.step_ms:.1f}",
            ]
            for o in outcomes
        ],
        caption=f"PGD on the margin, {protocol.steps} steps, {protocol.restarts} restarts, "
        f"l_inf {EPS:g} in [0, 1], {outcomes[0].at(EPS).examples} test images.",
    )


def _robustness_section(outcomes: Sequence[Outcome], protocol: Protocol) -> Section:
    curves = {
        o.label: (
            [p.accuracy for p in o.curve],
            [p.interval[0] for p in o.curve],
            [p.interval[1] for p in o.curve],
        )
        for o in outcomes
    }
    return Section(
        title="Robust accuracy against the size of the attack",
        text="Each image may change by at most eps in every pixel. An image that was broken at "
        "one size counts as broken at every larger one.",
        figure=plot_robustness(protocol.eps, curves, xlabel="eps (l_inf)"),
        caption="Accuracy under PGD; the bands are Wilson intervals at 95%.",
    )


def _training_section(outcomes: Sequence[Outcome]) -> Section:
    histories = {
        o.label: [
            {"epoch": r["epoch"], "loss": r["train_loss"], "test accuracy": r["test_accuracy"]}
            for r in o.records
            if r["kind"] == "epoch"
        ]
        for o in outcomes
    }
    return Section(
        title="Training",
        text="The linearized rule takes the loss of raised logits, so the two losses are not on "
        "one scale.",
        figure=plot_training(histories, metrics=("loss", "test accuracy")),
        caption="Training loss (mean over the epoch) and clean test accuracy after each epoch.",
    )


def _portrait_section(model: HolomorphicClassifier, data: Dataset, protocol: Protocol) -> Section:
    image, label, rival, direction = _attack_line(model, data, protocol)

    def difference(z: Tensor) -> Tensor:
        values = model.holomorphic_map(z.to(model.dtype))
        return values[:, label] - values[:, rival]

    f = complex_line(difference, image, direction)
    return Section(
        title="A logit difference on a complex line",
        text=f"The complex line runs through a test image of class {label}, at z = 0, and through "
        f"what the attack of size {EPS:g} made of it, at z = 1; no real image lies off the real "
        f"axis. Drawn is g(z), the holomorphic logit of class {label} minus that of class "
        f"{rival}. Colors give its argument, rings its modulus; all colors meet at the zeros. "
        "The classifier decides by the sign of Re g on the real axis.",
        figure=phase_portrait(
            f,
            domain=(-4.0, 4.0, -3.0, 3.0),
            marks={"image": [0j], "attack": [1 + 0j]},
        ),
        caption=f"Phase portrait of g about a test image of class {label}.",
        note="A holomorphic function turns through the colors in the same sense about every "
        "zero; a zero met in the opposite sense would be a violation.",
    )


def _attack_line(
    model: HolomorphicClassifier, data: Dataset, protocol: Protocol
) -> tuple[Tensor, int, int, Tensor]:
    """The test image whose margin an attack brings nearest to 0, its rival class, the direction."""
    x, y = data.x_test[:100], data.y_test[:100]
    threat = ThreatModel(protocol.threat.norm, EPS, data.bounds)
    result = pgd(model, x, y, threat, steps=protocol.steps)
    with torch.no_grad():
        logits = model(result.x_adv)
    pick = int(result.margin.abs().argmin())
    label = int(y[pick])
    logits[pick, label] = -torch.inf
    return x[pick], label, int(logits[pick].argmax()), result.x_adv[pick] - x[pick]


def _holomorphy_section(check: HolomorphyCheck) -> Section:
    return Section(
        title="Is the trained network holomorphic?",
        text="Two witnesses look at the map in front of the readout, near test images, in double "
        "precision. The first is pointwise: the part of the derivative that is antilinear. The "
        "second looks for negative Fourier modes on off-center circles in random complex lines; "
        "it also sees functions that are holomorphic only piece by piece.",
        table=Table(
            headers=["witness", "largest relative violation", "rounding may leave"],
            rows=[
                ["derivative in conj z", f"{check.dbar:.1e}", f"{check.tolerance:.1e}"],
                ["negative Fourier modes", f"{check.negative_modes:.1e}", f"{check.tolerance:.1e}"],
            ],
            caption="No violation found." if check.passed else "A VIOLATION WAS FOUND.",
        ),
        figure=plot_modes(check.modes),
        caption="Fourier modes of the logits on the worst circle: a polynomial network has as "
        "many positive modes as its degree, and no negative ones.",
        note="Finding no violation is evidence, not proof. The first number can be exactly zero: "
        "multiplying by i only swaps and negates parts, so sums and products commute with it "
        "without any rounding.",
    )


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.1f}%"
