"""Examples, labels and answers in the forms that users have them: right, or refused in words."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet import regularizers
from holonet.attacks import ThreatModel, apgd, apgd_targeted, fgsm, pgd, square, worst_case
from holonet.diagnostics import (
    evaluate_radii,
    evaluate_robustness,
    gradient_masking_checks,
    minimum_norm_perturbations,
    robustness_curve,
    transfer_matrix,
)
from holonet.errors import DomainError, HolonetError, InputTypeError, ShapeError
from holonet.regularizers import DirichletEnergy, GradientNorm
from holonet.training import (
    AnalyticRule,
    EmpiricalRisk,
    LinearizedRobustOptimization,
    RobustOptimization,
    Trades,
)

THREAT = ThreatModel("Linf", 0.05)

# everything that takes a model, examples and labels
TAKERS: dict[str, Callable[[Any, Any, Any], object]] = {
    "fgsm": lambda f, x, y: fgsm(f, x, y, THREAT),
    "pgd": lambda f, x, y: pgd(f, x, y, THREAT, steps=2),
    "apgd": lambda f, x, y: apgd(f, x, y, THREAT, steps=2),
    "apgd_targeted": lambda f, x, y: apgd_targeted(f, x, y, THREAT, steps=2),
    "square": lambda f, x, y: square(f, x, y, THREAT, queries=2),
    "worst_case": lambda f, x, y: worst_case(f, x, y, THREAT, {"fgsm": fgsm}),
    "robustness_curve": lambda f, x, y: robustness_curve(f, x, y, [0.0, 0.1], steps=2),
    "minimum_norm_perturbations": lambda f, x, y: minimum_norm_perturbations(
        f, x, y, THREAT, steps=2, rounds=2
    ),
    "gradient_masking_checks": lambda f, x, y: gradient_masking_checks(
        f, x, y, THREAT, steps=2, queries=2
    ),
    "evaluate_robustness": lambda f, x, y: evaluate_robustness(
        f, x, y, THREAT, attacks={"fgsm": fgsm}
    ),
    "evaluate_radii": lambda f, x, y: evaluate_radii(
        f, x, y, [0.05], THREAT, attacks={"fgsm": fgsm}
    ),
    "transfer_matrix": lambda f, x, y: transfer_matrix({"a": f}, x, y, THREAT, attack=fgsm),
    "EmpiricalRisk": lambda f, x, y: EmpiricalRisk()(f, x, y),
    "AnalyticRule": lambda f, x, y: AnalyticRule()(f, x, y),
    "RobustOptimization": lambda f, x, y: RobustOptimization(THREAT)(f, x, y),
    "Trades": lambda f, x, y: Trades(THREAT, steps=1)(f, x, y),
    "Linearized": lambda f, x, y: LinearizedRobustOptimization(THREAT)(f, x, y),
}

X, Y = torch.rand(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2] * 2)
BAD_LABELS = {
    "one-hot": (torch.eye(3)[Y], ShapeError),
    "one-hot integers": (torch.eye(3)[Y].long(), ShapeError),
    "a column": (Y[:, None], ShapeError),
    "too few": (Y[:3], ShapeError),
    "a number": (torch.tensor(1), ShapeError),
    "real numbers": (Y + 0.9, InputTypeError),
    "a list": (Y.tolist(), InputTypeError),
    "an array": (Y.numpy(), InputTypeError),
    "nothing": (None, InputTypeError),
    "from 1 on": (Y + 1, DomainError),
    "negative": (Y - 1, DomainError),
}


def model() -> nn.Module:
    torch.manual_seed(0)
    network = nn.Linear(4, 3)
    nn.init.orthogonal_(network.weight)
    return network


class Pair(nn.Module):
    """A network that also returns its features."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.linear(x), x


@each("name", TAKERS)
@pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")
def test_labels_are_one_class_index_for_each_example_or_refused(name: str) -> None:
    network, wrong = model(), []
    TAKERS[name](network, X, network(X).argmax(1).int())  # any integers will do
    for kind, (labels, error) in BAD_LABELS.items():
        try:
            TAKERS[name](network, X, labels)
        except error as refused:
            if not isinstance(refused, HolonetError) or len(str(refused)) < 30:
                wrong.append(f"{kind}: {refused!r}")
        except Exception as other:
            wrong.append(f"{kind}: {other!r}")
        else:
            wrong.append(f"{kind} taken")
    assert not wrong


@each("name", TAKERS)
@pytest.mark.filterwarnings("ignore::holonet.errors.AttackWarning")
def test_models_and_examples_that_do_not_fit_are_refused(name: str) -> None:
    cases: dict[str, tuple[Any, Any]] = {
        "images as an array": (model(), X.numpy()),
        "no model": ("model", X),
        "a pair": (Pair(), X),
        "a list": (lambda x: model()(x).tolist(), X),
        "double images": (model(), X.double()),
    }
    wrong = []
    for kind, (network, examples) in cases.items():
        try:
            TAKERS[name](network, examples, Y)
        except HolonetError:
            continue
        except Exception as other:
            wrong.append(f"{kind}: {other!r}")
        else:
            wrong.append(f"{kind} taken")
    assert not wrong


@pytest.mark.parametrize(
    "name", ["minimum_norm_perturbations", "robustness_curve", "worst_case", "pgd"]
)
def test_examples_outside_the_box_are_refused(name: str) -> None:
    for examples in (X + 5, X * torch.nan):
        with pytest.raises(DomainError, match="6 of 6 examples are outside the box"):
            TAKERS[name](model(), examples, Y)


def test_no_examples_cost_nothing() -> None:
    def holomorphic(z: Tensor) -> Tensor:
        return z * z

    points = X[:0].to(torch.complex64)
    for penalty in (
        DirichletEnergy(),
        DirichletEnergy(count=None),
        GradientNorm(),
        GradientNorm(count=None),
        regularizers.LaplacianPenalty(),
        regularizers.MeanValuePenalty(0.1),
    ):
        assert penalty(model(), X[:0]).item() == 0
    for penalty in (regularizers.CauchyRiemannPenalty(), regularizers.HardyPenalty(0.1)):
        assert penalty(holomorphic, points).item() == 0
    assert regularizers.PluriharmonicPenalty()(lambda z: z.real, points).item() == 0
