"""A model and its points are brought together, or the message says what to do."""

import warnings

import pytest
import torch
from torch import Tensor, nn

from cases import each
from holonet.diagnostics import diagnose
from holonet.diagnostics.prepared import prepare
from holonet.errors import DataError, InputTypeError, ShapeError
from holonet.nn import holomorphic_mlp


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Dropout(), nn.Linear(5, 3))


def complex_net() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 5, dtype=torch.cfloat), nn.Linear(5, 3, dtype=torch.cfloat))


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.calls


class Noisy(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


class OfTheBatch(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


def test_the_model_is_left_as_it_is() -> None:
    model = mlp().train()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    x, state = torch.rand(5, 4), torch.get_rng_state()
    found = prepare(model, x)
    assert [module.training for module in model.modules()] == modes
    assert not found.logits.training
    assert found.model is not model
    assert torch.equal(torch.get_rng_state(), state)


def test_points_get_the_precision_of_the_parameters() -> None:
    found = prepare(mlp().double(), torch.rand(5, 4))
    assert found.x.dtype == torch.float64
    assert not found.is_complex
    assert found.notes == ()
    assert found.outputs == 3


def test_images_are_flattened_for_a_model_of_vectors_and_that_is_said() -> None:
    found = prepare(mlp(), torch.rand(5, 1, 2, 2))
    assert found.x.shape == (5, 4)
    assert found.notes == ("each example as a vector of 4 numbers",)


def test_real_points_are_lifted_for_a_complex_model() -> None:
    model = complex_net()
    found = prepare(model, torch.rand(5, 2, 2))
    assert found.is_complex
    assert found.lifted
    assert found.x.shape == (5, 4)
    assert "real points as complex ones" in found.notes[0]
    logits = found.logits(found.x)
    assert torch.equal(logits, model(found.z).real)
    assert torch.equal(found.logits(found.z), logits)


def test_of_a_classifier_the_map_in_front_of_the_readout_is_holomorphic() -> None:
    model = holomorphic_mlp(4, (5,), 3)
    found = prepare(model, torch.rand(5, 4))
    assert found.logits is found.model
    assert not found.lifted
    assert found.holomorphic is not None
    assert found.holomorphic(found.z).is_complex()


def test_a_function_is_taken_as_it_is() -> None:
    found = prepare(lambda x: (x**2).sum(1), torch.rand(4, 2))
    assert found.logits(found.x).shape == (4, 1)


@each(
    ("model", "words"),
    [
        (Counting(), "in a second call"),
        (Noisy(), "in a second call"),
        (OfTheBatch(), "others in its batch"),
        (Pair(), "it gives a tuple"),
        (nn.Linear(7, 2), "takes no points of shape"),
        (
            nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4, track_running_stats=False)),
            "without others",
        ),
    ],
    ids=lambda case: type(case).__name__,
)
def test_what_is_no_function_of_one_example_is_refused(model: nn.Module, words: str) -> None:
    with pytest.raises(InputTypeError, match=words):
        prepare(model, torch.rand(5, 4))


def test_state_that_a_refused_model_changes_is_that_of_a_copy() -> None:
    model = Counting()
    with pytest.raises(InputTypeError):
        prepare(model, torch.rand(5, 4))
    assert float(model.calls) == 0


def test_integers_no_examples_and_wrong_labels_are_refused() -> None:
    with pytest.raises(InputTypeError, match="behind the embedding"):
        prepare(nn.Embedding(3, 2), torch.zeros(4, 2).long())
    with pytest.raises(DataError, match="0 examples"):
        prepare(mlp(), torch.rand(0, 4))
    with pytest.raises(ShapeError):
        prepare(mlp(), torch.rand(3, 4), torch.zeros(2).long())


def test_an_exported_program_takes_batches_of_any_size_or_says_how() -> None:
    x = torch.rand(4, 4)
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    model = nn.Sequential(nn.Linear(4, 5), nn.GELU(), nn.Linear(5, 3)).eval()
    program = torch.export.export(model, (x,), dynamic_shapes=dynamic).module()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = prepare(program, x)
    assert torch.allclose(found.logits(x), model(x))
    fixed = torch.export.export(model, (x,)).module()
    with pytest.raises(InputTypeError, match="dynamic_shapes"):
        prepare(fixed, x[:3])


def test_the_spread_is_the_distance_from_the_mean() -> None:
    x = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    assert prepare(nn.Identity(), x).spread == 1.0
    assert prepare(nn.Identity(), torch.full((3, 4), 2.0)).spread == 4.0


def test_large_points_are_passed_in_small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holonet.diagnostics.prepared.NUMBERS", 256)
    sizes: list[int] = []

    def f(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return torch.stack([x.sum(1).tanh(), (x**2).sum(1)], 1)

    x, y = torch.rand(70, 4, dtype=torch.float64), torch.arange(70) % 2
    assert prepare(f, x).chunk == 64
    names = ["harmonicity", "analyticity", "energy", "robustness", "slices"]
    found = diagnose(f, x, y, examples=1, eps=[0.05], sections=names)
    assert [one.name for one in found.sections if one.answer == "not applicable"] == []
    assert max(sizes) == 64
