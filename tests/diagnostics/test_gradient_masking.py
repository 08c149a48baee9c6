"""Each way to hide from attacks is caught by the check that is there for it."""

import json
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet.attacks import ThreatModel
from holonet.data import load_dataset
from holonet.diagnostics import GradientMaskingCheck
from holonet.diagnostics import gradient_masking_checks as whole_list
from holonet.errors import ConfigError, DataError
from holonet.nn import holomorphic_mlp, real_mlp

NAMES = [
    "deterministic",
    "gradient",
    "precision",
    "scale-free loss",
    "steps",
    "black box",
    "radius",
]
THREAT = ThreatModel("Linf", 0.1)
gradient_masking_checks = partial(whole_list, steps=8, queries=100)


class Behind(nn.Module):
    """A network behind a mask: before(x) goes in, after(logits) comes out."""

    def __init__(
        self,
        network: nn.Module,
        before: Callable[[Tensor], Tensor] = lambda x: x,
        after: Callable[[Tensor], Tensor] = lambda z: z,
    ) -> None:
        super().__init__()
        self.network, self.before, self.after = network, before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.network(self.before(x)))


def trained(network: nn.Module) -> nn.Module:
    data = load_dataset("digits")
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    generator = torch.Generator().manual_seed(0)
    for _ in range(40):
        for rows in torch.randperm(len(data.x_train), generator=generator).split(128):
            optimizer.zero_grad()
            logits = network(data.x_train[rows])
            nn.functional.cross_entropy(logits, data.y_train[rows]).backward()
            optimizer.step()
    return network.requires_grad_(False)


@pytest.fixture(scope="module")
def examples() -> tuple[Tensor, Tensor]:
    data = load_dataset("digits")
    return data.x_test[:40], data.y_test[:40]


@pytest.fixture(scope="module")
def holomorphic() -> nn.Module:
    return trained(holomorphic_mlp(64, [16], 10, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(scope="module")
def real() -> nn.Module:
    return trained(real_mlp(64, [32], 10, generator=torch.Generator().manual_seed(0)))


def verdicts(checks: list[GradientMaskingCheck]) -> dict[str, bool | None]:
    assert [check.name for check in checks] == NAMES
    return {check.name: check.passed for check in checks}


def failed(model: Any, examples: tuple[Tensor, Tensor], threat: ThreatModel = THREAT) -> set[str]:
    found = verdicts(gradient_masking_checks(model, *examples, threat))
    assert None not in found.values()
    return {name for name, passed in found.items() if not passed}


@pytest.mark.parametrize("norm", ["Linf", "L2"])
@pytest.mark.parametrize("kind", ["holomorphic", "real"])
def test_a_healthy_network_passes_everything(
    kind: str, norm: str, request: pytest.FixtureRequest, examples: tuple[Tensor, Tensor]
) -> None:
    network = request.getfixturevalue(kind)
    assert failed(network, examples, ThreatModel(norm, 0.1 if norm == "Linf" else 0.5)) == set()


MASKS = {
    "logits times 30": ({"after": lambda z: 30 * z}, {"gradient", "precision", "scale-free loss"}),
    "logits times 1e6": ({"after": lambda z: 1e6 * z}, {"gradient", "scale-free loss"}),
    "rounded input": (
        {"before": lambda x: (4 * x).round() / 4},
        {"gradient", "black box", "radius"},
    ),
    "noise": ({"before": lambda x: x + 0.05 * torch.randn_like(x)}, {"deterministic"}),
    "clipped input": ({"before": lambda x: x.clamp(0.499, 0.501)}, {"gradient"}),
}


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_is_seen_through(
    mask: str, holomorphic: nn.Module, examples: tuple[Tensor, Tensor]
) -> None:
    parts, expected = MASKS[mask]
    x, y = examples
    network = Behind(holomorphic, **parts)
    if mask == "clipped input":
        y = network(x).argmax(1)
    assert expected <= failed(network, (x, y))


def test_one_answer_everywhere_is_not_robustness(examples: tuple[Tensor, Tensor]) -> None:
    linear = nn.Linear(64, 10)
    linear.weight.data *= 1e-3
    linear.bias.data = torch.arange(10.0)
    model = nn.Sequential(nn.Flatten(), linear)
    x, y = examples
    found = {c.name: c for c in gradient_masking_checks(model, x, torch.full_like(y, 9), THREAT)}
    assert not found["radius"].passed
    assert set(found["radius"].numbers["accuracy"]) == {1.0}
    assert found["radius"].numbers["eps"] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.0])


def test_too_few_steps_are_noticed() -> None:
    """The worst point is halfway to the corner that a single step jumps to."""

    class Halfway(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            margin = (x - 0.05).abs().mean(1) / 0.1 - 0.3
            return torch.stack([margin, torch.zeros_like(margin)], 1)

    x, y = torch.zeros(20, 20), torch.zeros(20, dtype=torch.int64)
    found = gradient_masking_checks(Halfway(), x, y, ThreatModel("Linf", 0.1, None), steps=1)[4]
    assert found.numbers == {"1": 1.0, "10": 0.0}
    assert found.passed is False


def test_what_cannot_be_converted_is_not_judged(
    holomorphic: nn.Module, examples: tuple[Tensor, Tensor]
) -> None:
    x, y = examples
    checks = gradient_masking_checks(lambda v: holomorphic(v), x, y, THREAT, steps=2)
    as_function = {c.name: c for c in checks}
    assert as_function["precision"].passed is None

    single = Behind(real_mlp(64, [4], 10), before=lambda v: v.float())
    checks = gradient_masking_checks(
        single, x, single(x).argmax(1), ThreatModel("Linf", 0.001), steps=2
    )
    check = {c.name: c for c in checks}["precision"]
    assert check.passed is None
    assert "double precision" in check.explanation


def test_not_finite_gradients_are_counted() -> None:
    class Kinked(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            root = (x[:, 0] - 0.5).clamp(min=0).sqrt() + 1
            return torch.stack([root, torch.zeros_like(root)], 1)

    x = torch.tensor([[0.5], [0.9], [0.8]])
    y = torch.zeros(3, dtype=torch.int64)
    checks = gradient_masking_checks(Kinked(), x, y, ThreatModel("Linf", 0.01), steps=2)
    assert checks[1].numbers == {"zero": 0, "not finite": 1, "examples": 3}
    assert checks[1].passed is False


def test_the_numbers_repeat_and_are_told(
    holomorphic: nn.Module, examples: tuple[Tensor, Tensor]
) -> None:
    told: list[int] = []
    x, y = examples[0][:20], examples[1][:20]
    state = torch.get_rng_state()
    one = gradient_masking_checks(
        holomorphic, x, y, THREAT, steps=3, on_check=lambda: told.append(1)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert one == gradient_masking_checks(holomorphic, x, y, THREAT, steps=3)
    assert len(told) == len(one) == len(NAMES)
    assert json.loads(json.dumps([c.to_json() for c in one]))[4]["numbers"].keys() == {"3", "30"}
    assert holomorphic.training


@pytest.mark.parametrize(("passed", "word"), [(True, "passed"), (False, "FAILED"), (None, "not")])
def test_a_check_reads_as_a_sentence(passed: bool | None, word: str) -> None:
    numbers = {"40": 0.505, "eps": [0.1, 1 / 3]}
    text = str(GradientMaskingCheck("steps", passed, numbers, "What to do.", ("40",)))
    assert text.startswith(word)
    advice = "" if passed else ". What to do."  # which a check that passed needs not
    assert text.endswith(f"steps (40 50.5%, eps [0.1, 0.333]){advice}")


@each(
    "options",
    [
        {"threat": ThreatModel("Linf", 0.0)},
        {"x": torch.zeros(0, 64), "y": torch.zeros(0, dtype=torch.int64)},
        {"steps": 0},
        {"tolerance": 1.0},
        {"tolerance": math.nan},
        {"y": torch.full((40,), 11)},
    ],
)
def test_bad_input(
    options: dict[str, Any], holomorphic: nn.Module, examples: tuple[Tensor, Tensor]
) -> None:
    if "y" in options and len(options["y"]) == 40:
        options = {"y": (holomorphic(examples[0]).argmax(1) + 1) % 10}
    asked = {"model": holomorphic, "x": examples[0], "y": examples[1], "threat": THREAT, **options}
    with pytest.raises((ConfigError, DataError)):
        gradient_masking_checks(**asked)
