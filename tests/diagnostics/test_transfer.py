"""The transfer matrix against counts by hand, its control and its alarm."""

import json
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.attacks import AlarmKind, AttackResult, ThreatModel, margin_of, pgd
from holonet.diagnostics import Rate, transfer_matrix
from holonet.errors import AttackWarning, ConfigError, DataError, ShapeError
from holonet.nn import Threshold, holomorphic_mlp, real_mlp
from holonet.statistics import wilson_interval


def nets(seed: int) -> tuple[dict[str, nn.Module], Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first = holomorphic_mlp(6, [5], 3, generator=generator)
    x = torch.rand(12, 6, generator=generator)
    models = {"first": first, "second": holomorphic_mlp(6, [5], 3, generator=generator)}
    second = models["second"]
    for own, theirs in zip(second.parameters(), first.parameters(), strict=True):
        own.data = theirs.data + 0.1 * own.data  # alike, so that they agree on most points
    return models, x, first(x).argmax(1)


@settings(max_examples=6)
@given(
    seed=st.integers(0, 50),
    norm=st.sampled_from(["Linf", "L2"]),
    batch_size=st.sampled_from([4, 500]),
)
def test_the_matrix_is_what_counting_gives(seed: int, norm: str, batch_size: int) -> None:
    models, x, y = nets(seed)
    threat = ThreatModel(norm, 0.1)

    def attack(*arguments: object, seed: int) -> AttackResult:
        return pgd(*arguments, steps=2, random_start=False, seed=seed)  # pyright: ignore

    found = transfer_matrix(models, x, y, threat, attack=attack, seed=seed, batch_size=batch_size)
    common = torch.stack([m(x).argmax(1) == y for m in models.values()]).all(0)
    x, y = x[common], y[common]
    assert found.examples == len(y)
    assert found.names == ("first", "second")
    assert found.threat == threat
    for s, source in enumerate(models.values()):
        points = pgd(source, x, y, threat, steps=2, random_start=False, seed=seed).x_adv
        own = source(points).argmax(1)
        for t, target in enumerate(models.values()):
            theirs = target(points).argmax(1)
            both = (own != y) & (theirs != y)
            same = both & (own == theirs)
            assert found.fooled[s][t] == Rate(int((theirs != y).sum()), len(y))
            assert found.fooled_if_source[s][t] == Rate(int(both.sum()), int((own != y).sum()))
            assert found.same_mistake[s][t] == Rate(int(same.sum()), int(both.sum()))
        assert found.fooled_if_source[s][s].value in (1.0, None)
        assert found.cosine[s][s] == pytest.approx(1.0)
    assert found.cosine[0][1] == pytest.approx(found.cosine[1][0])
    directions = []
    for model in models.values():
        point = x.clone().requires_grad_()
        margin_of(model(point), y).sum().backward()
        assert point.grad is not None
        directions.append(point.grad)
    cosine = torch.cosine_similarity(*directions, dim=1).mean()
    assert found.cosine[0][1] == pytest.approx(float(cosine), abs=1e-4)


def planes(*weights: tuple[float, float]) -> dict[str, nn.Module]:
    """Two classes each, split by a line through the origin."""
    models: dict[str, nn.Module] = {}
    for number, weight in enumerate(weights):
        model = nn.Linear(2, 2, bias=False)
        model.weight.data = torch.tensor([weight, (-weight[0], -weight[1])])
        models[f"plane {number}"] = model
    return models


def test_perpendicular_planes_do_not_transfer() -> None:
    x, y = torch.tensor([[0.5, 0.5], [0.3, 0.9]]), torch.zeros(2, dtype=torch.int64)
    threat = ThreatModel("L2", 1.0, None)
    found = transfer_matrix(planes((1.0, 0.0), (0.0, 1.0), (2.0, 0.0)), x, y, threat)
    assert [[rate.successes for rate in row] for row in found.fooled] == [
        [2, 0, 2],
        [0, 2, 0],
        [2, 0, 2],
    ]
    for row, expected in zip(found.cosine, ((1, 0, 1), (0, 1, 0), (1, 0, 1)), strict=True):
        assert row == pytest.approx(expected, abs=1e-6)
    assert found.alarms == ()


@pytest.mark.parametrize(("norm", "eps"), [("Linf", 0.2), ("L2", 0.3), ("L1", 0.8)])
def test_the_control_has_the_norm_of_the_attack(norm: str, eps: float) -> None:
    seen: list[Tensor] = []

    class Watched(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.detach())
            return torch.stack([x[:, 0] + 1, 0 * x[:, 0]], 1)

    x, y = torch.full((50, 3), 0.5), torch.zeros(50, dtype=torch.int64)
    threat = ThreatModel(norm, eps)
    transfer_matrix(
        {"a": Watched()}, x, y, threat, attack=lambda *a, seed: AttackResult(a[1], torch.ones(50))
    )
    distances = [threat.distance(points, x) for points in seen]
    (noise,) = (d for d in distances if (d > 0).any())
    torch.testing.assert_close(noise, torch.full((50,), eps))
    noisy = next(points for points in seen if (points != x).any())
    assert 0.3 < ((noisy - x) > 0).double().mean() < 0.7
    assert (noisy - x).abs().std() < 1e-6


def test_the_control_of_complex_examples_turns_by_random_phases() -> None:
    seen: list[Tensor] = []

    class Watched(nn.Module):
        def forward(self, z: Tensor) -> Tensor:
            seen.append(z.detach())
            return torch.stack([z[:, 0].real + 9, 0 * z[:, 0].real], 1)

    z, y = torch.zeros(40, 2, dtype=torch.complex64), torch.zeros(40, dtype=torch.int64)
    threat = ThreatModel("polydisc", 0.2, None)
    found = transfer_matrix(
        {"a": Watched()}, z, y, threat, attack=lambda *a, seed: AttackResult(a[1], torch.ones(40))
    )
    noisy = next(points for points in seen if (points != z).any())
    torch.testing.assert_close(noisy.abs(), torch.full((40, 2), 0.2))
    assert noisy.mean().abs() < 0.1
    assert found.cosine[0][0] == pytest.approx(1.0)


def rounded(model: nn.Module) -> nn.Module:
    class Rounded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return model((8 * x).round() / 8)

    return Rounded()


def test_a_target_that_falls_to_others_more_than_to_itself_is_alarmed() -> None:
    models, x, y = nets(3)
    hidden = models["hidden"] = rounded(models["first"])
    y = hidden(x).argmax(1)
    with pytest.warns(AttackWarning):
        found = transfer_matrix(models, x, y, ThreatModel("Linf", 0.3))
    (alarm,) = found.alarms
    assert alarm.kind is AlarmKind.BLACK_BOX_WINS
    assert "'hidden' falls more often" in alarm.advice
    rates = [row[2].successes for row in found.fooled]
    assert alarm.count == max(rates) - rates[2] > 0
    assert alarm.examples == found.examples


def test_nan_counts_as_fooled_and_as_wrong() -> None:
    class Holed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logits = torch.stack([x[:, 0], 0 * x[:, 0]], 1)
            return torch.where((x[:, :1] - 0.5).abs() < 0.05, logits, torch.nan)

    x, y = torch.tensor([[0.5], [0.9], [0.52]]), torch.zeros(3, dtype=torch.int64)
    found = transfer_matrix(
        {"a": Holed()},
        x,
        y,
        ThreatModel("Linf", 0.3),
        attack=lambda m, x, y, t, seed: AttackResult(x + 0.2, torch.ones(len(x))),
    )
    assert found.examples == 2
    assert found.fooled[0][0] == Rate(2, 2)


def test_a_rate_has_a_value_and_an_interval() -> None:
    assert Rate(3, 4).value == 0.75
    assert Rate(3, 4).interval == wilson_interval(3, 4).ends
    assert Rate(0, 0).value is Rate(0, 0).interval is None


def test_json_and_progress_and_repetition() -> None:
    models, x, y = nets(1)
    models["real"] = real_mlp(6, [4], 3)
    y = torch.stack([m(x).argmax(1) for m in models.values()]).mode(0).values
    calls: list[int] = []
    state = torch.get_rng_state()
    found = transfer_matrix(
        models, x, y, ThreatModel("Linf", 0.05), on_batch=lambda: calls.append(1)
    )
    assert torch.equal(state, torch.get_rng_state())
    assert len(calls) == 3
    assert found == transfer_matrix(models, x, y, ThreatModel("Linf", 0.05))
    as_json = json.loads(json.dumps(found.to_json()))
    assert as_json["names"] == ["first", "second", "real"]
    assert as_json["fooled"][0][1]["successes"] == found.fooled[0][1].successes
    assert as_json["control"][2]["trials"] == found.examples
    assert as_json["cosine"][0][0] == pytest.approx(1)


def test_the_matrix_says_where_each_attack_searched() -> None:
    models, x, y = nets(2)
    models["behind"] = nn.Sequential(Threshold(), models["second"])
    y = torch.stack([m(x).argmax(1) for m in models.values()]).mode(0).values
    threat, attack = ThreatModel("Linf", 0.05), partial(pgd, steps=2)
    found = transfer_matrix(models, x, y, threat, attack=attack, batch_size=1)
    assert found.searched_in == ("", "", "the image box of Threshold")
    assert found.to_json()["searched_in"] == list(found.searched_in)


def test_bad_input() -> None:
    models, x, y = nets(0)
    with pytest.raises(ConfigError, match="of 0 models"):
        transfer_matrix({}, x, y, ThreatModel())
    with pytest.raises(ConfigError, match="batch_size=0"):
        transfer_matrix(models, x, y, ThreatModel(), batch_size=0)
    with pytest.raises(ShapeError, match="12 examples and 3 labels"):
        transfer_matrix(models, x, y[:3], ThreatModel())
    with pytest.raises(DataError, match="first, second"):
        transfer_matrix(models, x, (y + 1) % 3, ThreatModel())
