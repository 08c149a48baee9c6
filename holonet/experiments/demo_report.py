"""The page of the demo: what each network withstands, and a verdict that follows the numbers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from holonet._page import Report, Section, Table
from holonet._provenance import provenance
from holonet.attacks import ThreatModel, pgd
from holonet.data import Dataset
from holonet.diagnostics import HolomorphyCheck, holomorphy_check
from holonet.experiments.comparison import Outcome
from holonet.experiments.demo import EPS, Certified, certified_table
from holonet.experiments.protocol import Protocol
from holonet.nn import HolomorphicClassifier
from holonet.plots import complex_line, phase_portrait, plot_modes, plot_robustness, plot_training
from holonet.plots.attacks import curve_of
from holonet.training import TrainConfig

__all__ = ["demo_report"]


def demo_report(
    outcomes: Sequence[Outcome],
    certified: Sequence[Certified],
    model: HolomorphicClassifier,
    data: Dataset,
    protocol: Protocol,
    train: TrainConfig,
    command: str,
) -> Report:
    """The report.

    Args:
        outcomes: of `DEMO`, in its order.
        certified: what is proved of each.
        model: the last one, trained.
        data: training and test data of all.
        protocol: the attack on all.
        train: epochs, batches and rates of all.
        command: what makes the report again.
    """
    check = holomorphy_check(model, data.x_test[:32])
    facts = {
        "command": command,
        "data": f"{data.name}, {len(data.x_train)} training and {len(data.x_test)} test "
        f"examples, fingerprint {data.fingerprint()}",
        "seed": train.seed,
        "training": f"{train.epochs} epochs, batches of {train.batch_size}, Adam, one-cycle "
        f"to {train.lr:g}, gradient norm clipped at {train.clip}",
        **provenance(),
    }
    return Report(
        title="A holomorphic classifier and its controls",
        summary=_verdict(outcomes, check),
        headline=_headline(outcomes, protocol),
        sections=[
            _robustness_section(outcomes, protocol),
            _certified_section(certified),
            _training_section(outcomes),
            _portrait_section(model, data, protocol),
            _holomorphy_section(check),
        ],
        notes=[
            "The network with real coefficients and the square is holomorphic too. The last two "
            "sections are about the network with complex coefficients.",
            "One seed: differences of a point or two between single runs mean little. holonet "
            "compare --seeds trains more.",
            "The learning rate 0.01 was picked from a sweep on these images, for another rule. "
            "The linearized rule has no weight to pick: its radius is that of the attack.",
            "Projected gradient attacks give upper bounds on robust accuracy, never guarantees.",
            "The linearized rule is the loss of the worst logits to first order: the runner-up is "
            "raised by eps times the l_1 norm of the gradient of its lead over the label.",
        ],
        facts=facts,
        numbers={
            "facts": facts,
            "cells": {o.label: o.to_json() for o in outcomes},
            "certified": [one.to_json() for one in certified],
        },
    )


def _verdict(outcomes: Sequence[Outcome], check: HolomorphyCheck) -> str:
    """What each step did, then the accuracies, in words that follow the numbers."""
    plain, control, real, complex_ = outcomes
    under = [f"{o.at(EPS).accuracy:.1%}" for o in outcomes]
    clean = [f"{o.clean:.1%}" for o in outcomes]
    accuracies = f"{', '.join(clean[:-1])} and {clean[-1]}" if len({*clean}) > 1 else clean[0]
    times = [f"{o.step_ms / plain.step_ms:.1f}" for o in outcomes]
    return (
        f"Under an l_inf attack of size {EPS:g} the linearized rule {_effect(plain, control)}, "
        f"an analytic activation {_effect(control, real)}, and a change to complex coefficients "
        f"{_effect(real, complex_)}. The real ReLU network under the standard rule keeps "
        f"{under[0]} of the test images. Under the linearized rule, which runs no attack, it keeps "
        f"{under[1]}. With the square in place of ReLU the network keeps {under[2]}, with complex "
        f"coefficients as well {under[3]}. All have the same number of real parameters. Their "
        f"clean accuracy is {accuracies}. A training step takes "
        f"{times[1]}, {times[2]} and {times[3]} times as long as that of the first network. "
        + (
            "No violation of holomorphy was found in the trained network."
            if check.passed
            else "The holomorphy check of the trained network FAILED."
        )
    )


def _effect(before: Outcome, after: Outcome) -> str:
    """The difference at the demo's radius where the intervals are apart."""
    a, b = before.at(EPS), after.at(EPS)
    points = 100 * (b.accuracy - a.accuracy)
    if b.interval[0] > a.interval[1]:
        return f"adds {points:.1f} points"
    if b.interval[1] < a.interval[0]:
        return f"costs {-points:.1f} points"
    return "makes no measurable difference (the intervals overlap)"


def _headline(outcomes: Sequence[Outcome], protocol: Protocol) -> Table:
    return Table(
        headers=[
            "network, rule",
            f"PGD % at {EPS:g}",
            "95% interval",
            "clean %",
            "real parameters",
            "ms a step",
        ],
        rows=[
            [
                o.label,
                f"{100 * o.at(EPS).accuracy:.1f}",
                " to ".join(f"{100 * end:.1f}" for end in o.at(EPS).interval),
                f"{100 * o.clean:.1f}",
                o.parameters,
                f"{o.step_ms:.1f}",
            ]
            for o in outcomes
        ],
        caption=f"Accuracy under PGD on the margin, {protocol.steps} steps, {protocol.restarts} "
        f"restarts, l_inf {EPS:g} in [0, 1], {outcomes[0].at(EPS).examples} test images.",
    )


def _robustness_section(outcomes: Sequence[Outcome], protocol: Protocol) -> Section:
    curves = {o.label: curve_of(o.curve) for o in outcomes}
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
        text="The linearized rule takes the loss of raised logits, so losses are comparable "
        "under one rule alone.",
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
    witnesses = {
        "derivative in conj z": check.dbar,
        "negative Fourier modes": check.negative_modes,
        "autograd against Cauchy's integral": check.derivative,
    }
    return Section(
        title="Is the trained network holomorphic?",
        text="Three witnesses look at the map in front of the readout, near test images, in double "
        "precision. The first is pointwise: the part of the derivative that is antilinear. The "
        "second looks for negative Fourier modes on off-center circles in random complex lines; "
        "it also sees functions that are holomorphic only piece by piece. The third compares "
        "autograd's derivative with Cauchy's integral over the same circles; it sees a backward "
        "pass that is wrong.",
        table=Table(
            headers=["witness", "largest relative violation", "rounding may leave"],
            rows=[[name, f"{v:.1e}", f"{check.tolerance:.1e}"] for name, v in witnesses.items()],
            caption="No violation found." if check.passed else "A VIOLATION WAS FOUND.",
        ),
        figure=plot_modes(check.modes),
        caption="Fourier modes of the logits on the worst circle: a polynomial network has as "
        "many positive modes as its degree, and no negative ones.",
        note="Finding no violation is evidence, not proof. The first number can be exactly zero: "
        "multiplying by i only swaps and negates parts, so sums and products commute with it "
        "without any rounding.",
    )


def _certified_section(certified: Sequence[Certified]) -> Section:
    shared = [name for name in certified[0].methods if all(name in c.methods for c in certified)]
    more = {name: None for c in certified for name in c.methods if name not in shared}
    return Section(
        title="What is proved",
        text="A certificate is a lower bound of every margin on the whole set, so that no attack "
        "can succeed there. Certified accuracy is a lower bound of robust accuracy, accuracy under "
        "an attack an upper one. The networks are those that float32 executes. "
        "At larger radii the bounds prove less; holonet certify takes any run and radius.",
        table=certified_table(certified),
        note=f"Methods: {', '.join(shared)}"
        + "".join(f", and {name} for squares" for name in more),
    )
