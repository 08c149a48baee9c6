"""Batches from memory and from loaders: the same run, resumed bit by bit, or refused in words."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, Sampler, TensorDataset
from torch.utils.data import Dataset as TorchDataset

from cases import each
from holonet.data import Dataset, load_digits
from holonet.errors import ConfigError, DataError, InputTypeError
from holonet.training import EmpiricalRisk, TrainConfig, fit
from holonet.training.sources import InMemory, source_of

DIGITS = load_digits().subset(train=90, test=20).flattened()
TRAIN = TensorDataset(DIGITS.x_train, DIGITS.y_train)
TEST = DataLoader(TensorDataset(DIGITS.x_test, DIGITS.y_test), batch_size=8)
CONFIG = TrainConfig(epochs=2, log_every=1, checkpoint_every=2, accelerator="cpu", seed=3)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(64, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 10))


def trained(data: Any, config: TrainConfig = CONFIG, **options: Any) -> tuple[Any, Any]:
    """The weights, and the records without what need not be the same."""
    model = network()
    records = fit(model, data, EmpiricalRisk(), config, **options)
    left_out = ("seconds", "train_accuracy", "warning")  # a loader's are of its first batch
    timeless = [{k: v for k, v in r.items() if k not in left_out} for r in records]
    return [p.detach() for p in model.parameters()], timeless


def require_same(one: tuple[Any, Any], other: tuple[Any, Any]) -> None:
    assert all(map(torch.equal, one[0], other[0]))
    assert one[1] == other[1]


class InOrderOf(Sampler[int]):
    """The order of an in-memory source, by its epochs."""

    def __init__(self, source: InMemory) -> None:
        self.source, self.epoch = source, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return iter(self.source.rows(self.epoch).tolist())

    def __len__(self) -> int:
        return self.source.size


class Noisy(TorchDataset[tuple[Tensor, Tensor]]):
    """Examples that are changed at random when they are loaded."""

    def __init__(self, noise: Callable[[], Any] = lambda: torch.rand(64)) -> None:
        self.noise = noise

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return DIGITS.x_train[index] + 0.1 * torch.as_tensor(self.noise()).float(), TRAIN[index][1]

    def __len__(self) -> int:
        return len(TRAIN)


class Streamed(IterableDataset[Any]):
    """The examples, one after the other, with a length that may be wrong."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __iter__(self) -> Iterator[Any]:
        return iter(TRAIN)

    def __len__(self) -> int:
        return self.length


class Endless(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return itertools.cycle(TRAIN)


def test_a_loader_in_the_order_of_a_data_set_trains_the_same_weights() -> None:
    config = CONFIG.model_copy(update={"batch_size": 20})
    order = InOrderOf(InMemory(DIGITS, config))
    one = trained((DataLoader(TRAIN, batch_size=20, sampler=order), TEST), config)
    require_same(one, trained(DIGITS, config))


@given(fraction=st.floats(0.01, 0.99), seed=st.integers(0, 2**63 - 1), epoch=st.integers(0, 9))
def test_held_out_examples_are_in_no_epoch_and_all_others_are(fraction, seed, epoch):
    config = TrainConfig(validation=fraction, seed=seed, batch_size=16)
    source = InMemory(DIGITS, config)
    learned, held_out = (
        torch.cat([x for x, _ in part]) for part in (source.epoch(epoch), source.validation())
    )
    both = torch.cat([learned, held_out])
    assert sorted(both.tolist()) == sorted(DIGITS.x_train.tolist())
    assert len(learned) == source.size
    assert len(source.examples(16)[0]) == min(16, source.size)


def test_tensors_are_a_data_set() -> None:
    tensors = (DIGITS.x_train, DIGITS.y_train, DIGITS.x_test, DIGITS.y_test)
    require_same(trained(tensors), trained(DIGITS))


def seeded(**options: Any) -> DataLoader:
    return DataLoader(Noisy(), batch_size=20, shuffle=True, **options)


class Stop(BaseException):
    pass


@each("stop", [1, 4, 5, 7])
@pytest.mark.parametrize("own", [False, True], ids=["global stream", "own generator"])
def test_a_run_with_loaders_is_resumed_bit_by_bit(tmp_path: Path, own: bool, stop: int) -> None:
    def loaders(seed: int) -> tuple[DataLoader, DataLoader]:
        generator = torch.Generator().manual_seed(seed) if own else None
        return seeded(generator=generator), TEST

    def on_step(step: int) -> None:
        if step == stop:
            raise Stop

    torch.manual_seed(0)
    whole = trained(loaders(1))
    folder = tmp_path / str(stop)
    with pytest.raises(Stop):
        trained(loaders(2), run_dir=folder, on_step=on_step)
    torch.manual_seed(7)  # of a new process
    require_same(trained(loaders(3), run_dir=folder, resume=True), whole)


def test_each_epoch_has_its_own_order_and_the_global_stream_is_left_alone() -> None:
    state = torch.get_rng_state()
    source = source_of((seeded(), TEST), network(), CONFIG, repeatable=True)
    epochs = [torch.cat([y for _, y in source.epoch(k)]) for k in (0, 0, 1)]
    assert torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0], epochs[2])
    assert torch.equal(epochs[0].sort().values, epochs[2].sort().values)
    assert torch.equal(torch.get_rng_state(), state)
    x, y = next(source.epoch(0))
    assert torch.equal(source.examples(1000)[0], x)
    late = list(source.epoch(1, 3))
    assert torch.equal(torch.cat([y for _, y in late]), epochs[2][60:])
    other = CONFIG.model_copy(update={"seed": 4})
    reseeded = source_of((seeded(), TEST), network(), other, repeatable=True)
    assert not torch.equal(next(reseeded.epoch(0))[1], y)
    assert reseeded.fingerprint() != source.fingerprint()


def test_test_examples_are_counted_over_all_batches() -> None:
    (weights, records), model = trained((seeded(), TEST)), network()
    for parameter, value in zip(model.parameters(), weights, strict=True):
        parameter.data = value
    right = model.eval()(DIGITS.x_test).argmax(1) == DIGITS.y_test
    assert records[-1]["test_accuracy"] == pytest.approx(float(right.float().mean()))


def batches(*given: Any) -> DataLoader:
    """A loader of these batches."""
    return DataLoader(list(given), batch_size=None, collate_fn=lambda batch: batch)


X, Y = torch.rand(4, 64), torch.arange(4)


@each(
    ("train", "test", "error", "message"),
    [
        (
            DataLoader(Endless()),
            TEST,
            ConfigError,
            "no length, .*give its data set a method __len__",
        ),
        (
            DataLoader(Streamed(100), batch_size=10),
            TEST,
            DataError,
            "length of 10 and ended after 9",
        ),
        (batches({"x": X, "y": Y}), TEST, DataError, r"batch 1 of the training loader is a dict"),
        (batches((X, Y, Y)), TEST, DataError, r"is a tuple of 3, and must be a pair \(x, y\)"),
        (batches((X.numpy(), Y)), TEST, DataError, "has a ndarray for x, and must have a tensor"),
        (batches((X, Y), (X[:, 1:], Y)), TEST, DataError, r"batch 2 .* \(63,\) .* had \(64,\)"),
        (batches((X, Y), (X.double(), Y)), TEST, DataError, r"batch 2 .* torch.float64"),
        (batches((X, Y), (X / 0, Y)), TEST, DataError, r"batch 2 of .*: x has .* infinite values"),
        (batches((X, Y), (X, 4 * Y)), TEST, DataError, r"batch 2 .* label 12 at index 3"),
        (batches((X, 4 * Y)), TEST, DataError, r"batch 1 of the training .* label 12 at index 3"),
        (batches((X, Y[:3])), TEST, DataError, r"y has shape \(3,\)"),
        (batches((X, Y.float())), TEST, DataError, "labels are int64"),
        (batches(((255 * X).byte(), Y)), TEST, DataError, r"x.float\(\) / 255"),
        (batches((X, Y)), batches((X[:, :5], Y)), DataError, "batch 1 of the test loader has ex"),
        (batches(), TEST, DataError, "the training loader gives no batch"),
        (batches((X, Y)), batches(), DataError, "the test loader gives no batch"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_loaders_that_give_something_else(
    train: DataLoader, test: DataLoader, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        trained((train, test))


def test_the_loader_has_the_batch_size() -> None:
    asked = TrainConfig(batch_size=32, epochs=1)
    with pytest.raises(ConfigError, match=r"batch_size = 32, and the training loader .* of 20"):
        trained((seeded(), TEST), asked)
    assert len(trained((seeded(), TEST), TrainConfig(batch_size=20, epochs=1, log_every=1))[1]) == 6


@each(
    ("loader", "message"),
    [
        (seeded(num_workers=1, persistent_workers=True), "set persistent_workers=False"),
        (DataLoader(Noisy(lambda: np.random.default_rng().random(64))), "gave two batches"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_loaders_that_cannot_be_resumed_are_refused_where_a_run_is_kept(
    tmp_path: Path, loader: DataLoader, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        trained((loader, TEST), run_dir=tmp_path)
    assert not list(tmp_path.iterdir())
    if not loader.persistent_workers:
        assert trained((loader, TEST))


@each(
    ("data", "message"),
    [
        (TEST, "data is a DataLoader and must be a Dataset; four tensors"),
        ((TEST,), r"a tuple of 1 \(DataLoader\) and must be"),
        ((TEST, TRAIN), r"a tuple of 2 \(DataLoader, TensorDataset\)"),
        ((X, Y, X.numpy(), Y), r"a tuple of 4 \(Tensor, Tensor, ndarray, Tensor\)"),
        (None, "data is a NoneType and must be a Dataset"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_data(data: object, message: str) -> None:
    with pytest.raises(InputTypeError, match=message):
        trained(data)


def test_wrong_tensors_are_refused_as_a_data_set_does() -> None:
    with pytest.raises(DataError, match=r"y_train has shape \(3,\)"):
        trained((X, Y[:3], X, Y))
    assert isinstance(source_of((X, Y, X, Y), network(), CONFIG, repeatable=True), InMemory)
    assert isinstance(DIGITS, Dataset)
