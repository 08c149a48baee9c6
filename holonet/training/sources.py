"""Where the examples of a run come from: tensors in memory, or loaders that stream them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import torch
from jaxtyping import Int
from torch import Tensor, nn
from torch.utils.data import DataLoader

from holonet._cache import tensor_digest
from holonet._types import Labels, OwnShape, Points
from holonet.attacks.objectives import logits_of
from holonet.data import Dataset
from holonet.data.dataset import MOST_CLASSES, check_examples, count_classes, stratified_split
from holonet.errors import ConfigError, DataError, InputTypeError
from holonet.nn.modes import evaluating
from holonet.training.config import TrainConfig
from holonet.training.randomness import drawing, mix_seed

__all__ = ["GivenData", "InMemory", "Loaders", "Source", "TrainingData", "source_of"]

TrainingData = Dataset | Sequence[OwnShape | DataLoader]
"""A data set; the tensors x_train, y_train, x_test, y_test; or loaders of training and test, and of
held-out examples."""

GivenData = Annotated[object, TrainingData]
"""What a user gives for `TrainingData`: `source_of` says what is wrong with it."""

Batch = tuple[Points, Labels]

ORDER, LOADING, TESTING, VALIDATING = 1, 4, 5, 6  # streams of random numbers
CPU = torch.device("cpu")  # loaders draw there


class Source(ABC):
    """The batches of a run, the same ones for a seed and an epoch.

    Args:
        shape: of one example.
        classes: how many there are.
        steps: batches of an epoch.
        holds_out: whether there are held-out examples.
    """

    def __init__(self, shape: Sequence[int], classes: int, steps: int, holds_out: bool) -> None:
        self.holds_out = holds_out
        self.feature_shape = tuple(shape)
        self.num_classes = classes
        self.steps_per_epoch = steps

    @abstractmethod
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell these data from others."""

    @abstractmethod
    def class_counts(self) -> Int[Tensor, " classes"] | None:
        """How many training examples each class has; None where nobody has counted."""

    @abstractmethod
    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, counted from 0, from one position on."""

    @abstractmethod
    def examples(self, count: int) -> Batch:
        """At most this number of training examples, the same ones in every epoch."""

    @abstractmethod
    def test(self) -> Iterator[Batch]:
        """The test examples."""

    @abstractmethod
    def validation(self) -> Iterator[Batch]:
        """The held-out training examples, which no epoch has."""


class InMemory(Source):
    """A data set, shuffled anew in each epoch e by (seed, e).

    A fraction `config.validation` of the training examples of each class is held out, drawn from
    the seed.

    Raises:
        ConfigError: no class has an example that could be held out.
    """

    def __init__(self, data: Dataset, config: TrainConfig) -> None:
        self.learned = torch.arange(len(data.x_train))
        self.held_out = self.learned[:0]
        if config.validation > 0:
            self.learned, self.held_out = stratified_split(
                data.y_train, test_fraction=config.validation, seed=config.seed
            )
            if not len(self.held_out):
                raise ConfigError(
                    f"train.validation = {config.validation}: each class has one training example "
                    "alone, and none can be held out; set train.validation = 0"
                )
        self.size = len(self.learned)
        steps = -(-self.size // config.batch_size)
        holds_out = len(self.held_out) > 0
        super().__init__(data.feature_shape, data.num_classes, steps, holds_out)
        self.data = data
        self.config = config

    def fingerprint(self) -> str:
        """The data set's, which sees every entry."""
        return self.data.fingerprint()

    def class_counts(self) -> Int[Tensor, " classes"]:
        """Of those that are trained on."""
        return self.data.y_train[self.learned].bincount(minlength=self.num_classes)

    def rows(self, number: int) -> Int[Tensor, " examples"]:
        """The positions of the training examples in the order of an epoch."""
        generator = torch.Generator().manual_seed(mix_seed(self.config.seed, ORDER, number))
        return self.learned[torch.randperm(self.size, generator=generator)]

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Full batches but for the last one."""
        for rows in self.rows(number).split(self.config.batch_size)[first:]:
            yield self._at(rows)

    def _at(self, rows: Int[Tensor, " batch"]) -> Batch:
        return self.data.x_train[rows], self.data.y_train[rows]

    def examples(self, count: int) -> Batch:
        """The first ones."""
        return self._at(self.learned[:count])

    def test(self) -> Iterator[Batch]:
        """All of them at once."""
        yield self.data.x_test, self.data.y_test

    def validation(self) -> Iterator[Batch]:
        """In batches, always the same."""
        for rows in self.held_out.split(self.config.batch_size) if self.holds_out else ():
            yield self._at(rows)


class Loaders(Source):
    """Loaders, whose examples need not fit into memory.

    In front of each batch torch's global stream is seeded by (seed, step), and the generators of
    the loader and of its samplers by (seed, epoch). What a sampler or a data set draws elsewhere,
    from a numpy generator of its own for example, is not. `set_epoch` of a sampler is called.

    Args:
        train: gives batches (x, y) and has a length; its batch size is that of the run.
        test: gives batches (x, y).
        held_out: gives batches (x, y) of examples that are not trained on, if there are any.
        model: by the number of its logits the classes are counted.
        config: of the run.
        repeatable: refuse a training loader that could not be resumed.

    Raises:
        ConfigError: a loader without length, or of another batch size than one that was asked for;
            one that cannot be resumed.
        DataError: a loader that gives no batch, or something else than examples and labels.
        InputTypeError, ShapeError, DomainError: the model does not answer the examples with logits.
    """

    def __init__(
        self,
        train: DataLoader,
        test: DataLoader,
        held_out: DataLoader | None,
        model: nn.Module,
        config: TrainConfig,
        *,
        repeatable: bool,
    ) -> None:
        self.loaders = {"training": train, "test": test}
        if held_out is not None:
            self.loaders["validation"] = held_out
        self.config = config
        self._require_no_fraction()
        steps = _length(train)
        self._require_batch_size(train)
        self.num_classes = MOST_CLASSES  # until the model has answered
        self.first = x, y = self._first("training", LOADING)
        device = next(model.parameters(), x).device
        with evaluating(model), torch.no_grad():
            classes = logits_of(model, x[:1].to(device), y[:1].to(device)).shape[1]
        super().__init__(x.shape[1:], classes, steps, held_out is not None)
        self.first_test = self._first("test", TESTING)
        if held_out is not None:
            self._first("validation", VALIDATING)
        if repeatable:
            self._require_repeatable(train)

    def _require_no_fraction(self) -> None:
        """Refuse to cut a stream in two."""
        if self.config.validation > 0:
            raise ConfigError(
                f"train.validation = {self.config.validation} with loaders: no fraction of a "
                "loader can be held out. Leave it out, and give three loaders (train, test, "
                "validation)"
            )

    def _require_batch_size(self, train: DataLoader) -> None:
        asked = self.config.batch_size
        if "batch_size" in self.config.model_fields_set and train.batch_size not in (None, asked):
            raise ConfigError(
                f"train.batch_size = {asked}, and the training loader gives batches of "
                f"{train.batch_size}: the loader decides, leave batch_size out or make them agree"
            )

    def _require_repeatable(self, train: DataLoader) -> None:
        """Refuse a loader whose batches are not those of a seed: resuming would not go on."""
        advice = "so that a killed run could not be resumed bit by bit. Leave run_dir out, or "
        if train.persistent_workers:
            raise ConfigError(
                "the training loader has persistent_workers, whose random numbers depend on the "
                f"epochs that they have served, {advice}set persistent_workers=False"
            )
        again = self._first("training", LOADING)
        if not all(
            a.shape == b.shape and a.equal(b) for a, b in zip(self.first, again, strict=True)
        ):
            raise ConfigError(
                "the training loader, asked twice for its first batch from the same seed, gave two "
                f"batches, {advice}let its sampler and its data set draw from torch's global "
                "stream or from the loader's generator (DataLoader(..., shuffle=True) does)"
            )

    def fingerprint(self) -> str:
        """Of the first batches and the number of batches: nobody can look at all examples."""
        tensors = (*self.first, *self.first_test)
        return tensor_digest(tensors, [str(len(self.loaders["training"]))])[:16]

    def _first(self, which: str, stream: int) -> Batch:
        batch = next(self.loaded(which, stream, 0), None)
        if batch is None:
            raise DataError(f"the {which} loader gives no batch: is its data set empty?")
        return batch

    def class_counts(self) -> None:
        """It would take an epoch."""
        return

    def loaded(self, which: str, stream: int, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of a loader, checked, from one position on; those before are passed over."""
        loader, seed = self.loaders[which], self.config.seed
        for generator in _generators(loader):
            generator.manual_seed(mix_seed(seed, stream, epoch))
        for sampler in (loader.sampler, loader.batch_sampler):
            if callable(set_epoch := getattr(sampler, "set_epoch", None)):
                set_epoch(epoch)
        number = epoch * _length(loader) if stream == LOADING else 0
        with drawing(mix_seed(seed, stream, number), CPU):
            batches = iter(loader)
        position = 0
        while True:
            with drawing(mix_seed(seed, stream, number + position), CPU):
                batch: Any = next(batches, None)
            if batch is None:
                return
            if position >= first:
                yield self._checked(batch, f"batch {position + 1} of the {which} loader")
            position += 1

    def _checked(self, batch: Any, what: str) -> Batch:
        """Examples and labels, of the shape and dtype of the first ones.

        Raises:
            DataError: it is something else.
        """
        if not isinstance(batch, Sequence) or len(batch) != 2:
            kind = type(batch).__name__
            size = f" of {len(batch)}" if isinstance(batch, Sequence) else ""
            raise DataError(
                f"{what} is a {kind}{size}, and must be a pair (x, y) of examples and labels: let "
                "the data set give pairs, or give the loader a collate_fn that does"
            )
        x, y = batch
        for name, value in (("x", x), ("y", y)):
            if not isinstance(value, Tensor):
                raise DataError(
                    f"{what} has a {type(value).__name__} for {name}, and must have a tensor: "
                    "convert it in the data set, or in a collate_fn"
                )
        if y.dtype in (torch.uint8, torch.int8, torch.int16, torch.int32):
            y = y.long()
        check_examples(x, y, self.num_classes, f"{what}: x", f"{what}: y")
        like = getattr(self, "first", (x, y))[0]
        if x.shape[1:] != like.shape[1:] or x.dtype != like.dtype:
            raise DataError(
                f"{what} has examples of shape {tuple(x.shape[1:])} and {x.dtype}, and the first "
                f"training batch had {tuple(like.shape[1:])} and {like.dtype}: let all examples "
                "have one shape and one dtype"
            )
        return x.detach(), y

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """Those of the training loader, the first `len(loader)` ones.

        Raises:
            DataError: there are fewer.
        """
        count = first
        for batch in self.loaded("training", LOADING, number, first):
            if count == self.steps_per_epoch:
                return
            yield batch
            count += 1
        if count < self.steps_per_epoch:
            raise DataError(
                f"the training loader has a length of {self.steps_per_epoch} and ended after "
                f"{count} batches: let the data set's __len__ count what it gives, in each epoch "
                "anew"
            )

    def examples(self, count: int) -> Batch:
        """Of the first batch of the first epoch."""
        x, y = self.first
        return x[:count], y[:count]

    def test(self) -> Iterator[Batch]:
        """Those of the test loader, in the same order each time."""
        return self.loaded("test", TESTING, 0)

    def validation(self) -> Iterator[Batch]:
        """Those of the third loader, in the same order each time."""
        return self.loaded("validation", VALIDATING, 0) if self.holds_out else iter(())


def source_of(data: object, model: nn.Module, config: TrainConfig, *, repeatable: bool) -> Source:
    """The batches of what a user gives.

    Args:
        data: a `TrainingData`.
        model: by the number of its logits the classes of loaders are counted.
        config: of the run.
        repeatable: whether the run may be resumed.

    Raises:
        InputTypeError: something else; the message says what is taken.
        ConfigError, DataError: as `Loaders` and `Dataset`.
    """
    if isinstance(data, Dataset):
        return InMemory(data, config)
    parts = tuple(data) if isinstance(data, tuple | list) else ()
    if len(parts) in (2, 3) and all(isinstance(part, DataLoader) for part in parts):
        train, test, held_out = parts if len(parts) == 3 else (*parts, None)
        return Loaders(train, test, held_out, model, config, repeatable=repeatable)
    if len(parts) == 4 and all(isinstance(part, Tensor) for part in parts):
        x_train, y_train, x_test, y_test = parts
        classes = count_classes((y_train, y_test), "the labels", 2)
        return InMemory(Dataset(x_train, y_train, x_test, y_test, classes, "tensors"), config)
    kinds = ", ".join(type(part).__name__ for part in parts)
    given = f"{type(data).__name__}" + (f" of {len(parts)} ({kinds})" if parts else "")
    raise InputTypeError(
        f"fit: data is a {given} and must be a Dataset; four tensors (x_train, y_train, x_test, "
        "y_test); or two or three torch DataLoaders (train, test, validation). "
        "data.stratified_split cuts examples into training and test"
    )


def _generators(loader: DataLoader) -> list[torch.Generator]:
    """The generators that a loader and its samplers draw from, each once."""
    inner = getattr(loader.batch_sampler, "sampler", None)
    places = (loader, loader.sampler, loader.batch_sampler, inner)
    found = (getattr(place, "generator", None) for place in places)
    return list({id(g): g for g in found if isinstance(g, torch.Generator)}.values())


def _length(train: DataLoader) -> int:
    """How many batches it has.

    Raises:
        ConfigError: nobody knows.
    """
    try:
        return len(train)
    except TypeError:
        raise ConfigError(
            "the training loader has no length, and the schedules need the number of steps: give "
            "its data set a method __len__, the number of examples of an epoch"
        ) from None
