"""A labelled data set in two splits, checked once at construction and immutable after."""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from jaxtyping import Inexact, Int, Integer
from torch import Tensor

from holonet._arguments import checked
from holonet._types import Labels, Points
from holonet.errors import DataError, DomainError

__all__ = ["Dataset", "check_examples", "count_classes", "stratified_split"]

logger = logging.getLogger(__name__)

ROUNDING = 1e-5
"""How far outside of [0, 1] an entry may lie by rounding; a gray level of 256 is 400 times that."""

MOST_CLASSES = 2**31 - 1

_FEATURE_DTYPES = (torch.float32, torch.float64, torch.complex64, torch.complex128)


@checked
@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Examples with class labels, split into a training and a test part.

    Law: whatever is constructed is finite, has labels in 0..num_classes-1, the same feature shape
        and dtype in both splits, and at least one example in each. Real features that lie in
        [0, 1] but for rounding errors lie in it: they are clipped, with a logged warning.

    Args:
        x_train, x_test: features (N, ...), float32 in [0, 1] where they are images; float64,
            complex64 and complex128 are kept as they are.
        y_train, y_test: labels (N,), integers of any width, kept as int64.
        num_classes: how many classes there are, even where a split lacks some.
        name: what reports call the data.

    Raises:
        DataError: the tensors break the law; the message names the first offender.

    Example:
        >>> x, y = torch.rand(4, 2), torch.tensor([0, 1, 0, 1])
        >>> Dataset(x, y, x[:2], y[:2], num_classes=2, name="toy")
        Dataset('toy': 4 train, 2 test, features (2,) float32, 2 classes)
    """

    argument_advice: ClassVar[str] = (
        "all in memory: Dataset(x_train, y_train, x_test, y_test, num_classes, name). Loaders are "
        "taken by training.fit"
    )

    x_train: Annotated[Tensor, Inexact[Tensor, "train *feature"]]
    y_train: Annotated[Tensor, Integer[Tensor, " train"]]
    x_test: Annotated[Tensor, Inexact[Tensor, "test *feature"]]
    y_test: Annotated[Tensor, Integer[Tensor, " test"]]
    num_classes: int
    name: str

    def __post_init__(self) -> None:
        for split in ("train", "test"):
            x, y = getattr(self, f"x_{split}").detach(), _as_int64(getattr(self, f"y_{split}"))
            object.__setattr__(self, f"x_{split}", x)
            object.__setattr__(self, f"y_{split}", y)
            check_examples(x, y, self.num_classes, f"x_{split}", f"y_{split}")
        for what in ("shape", "dtype"):
            train, test = _feature(self.x_train, what), _feature(self.x_test, what)
            if train != test:
                raise DataError(
                    f"x_train has feature {what} {train} and x_test {test}: "
                    "both splits must have the same"
                )
        self._clip_rounding_errors()

    def _clip_rounding_errors(self) -> None:
        if self.is_complex:
            return
        splits = {"x_train": self.x_train, "x_test": self.x_test}
        beyond = max(max(-float(x.min()), float(x.max()) - 1) for x in splits.values())
        if not 0 < beyond <= ROUNDING:
            return
        logger.warning(
            "%r: entries lie up to %.1g outside of [0, 1], as rounding does, and are clipped to it",
            self.name,
            beyond,
        )
        for name, x in splits.items():
            object.__setattr__(self, name, x.clamp(0, 1))

    def __repr__(self) -> str:
        dtype = str(self.x_train.dtype).removeprefix("torch.")
        return (
            f"Dataset({self.name!r}: {len(self.x_train)} train, {len(self.x_test)} test, "
            f"features {self.feature_shape} {dtype}, {self.num_classes} classes)"
        )

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(self.x_train.shape[1:])

    @property
    def is_complex(self) -> bool:
        """Whether the features are native complex numbers."""
        return self.x_train.is_complex()

    @property
    def bounds(self) -> tuple[float, float] | None:
        """(0.0, 1.0) where both splits are real and lie in [0, 1], None otherwise."""
        if self.is_complex:
            return None
        inside = all(x.min() >= 0 and x.max() <= 1 for x in (self.x_train, self.x_test))
        return (0.0, 1.0) if inside else None

    @checked
    def subset(self, train: int | None = None, test: int | None = None) -> "Dataset":
        """The first `train` training and `test` test examples; None keeps a split whole.

        Raises:
            DataError: a split has fewer examples than asked, or none are asked for.
        """
        keep = {"train": train, "test": test}
        for split, count in keep.items():
            available = len(getattr(self, f"x_{split}"))
            if count is not None and not 1 <= count <= available:
                raise DataError(
                    f"subset({split}={count}) of {self.name!r}, which has {available} {split} "
                    f"examples: choose 1 to {available}, or None for all"
                )
        return dataclasses.replace(
            self,
            x_train=self.x_train[:train],
            y_train=self.y_train[:train],
            x_test=self.x_test[:test],
            y_test=self.y_test[:test],
        )

    @checked
    def hold_out(self, count: int) -> "Dataset":
        """The last `count` training examples in place of the test set, for choosing settings.

        Raises:
            DataError: no example would be held out, or none left to train on.
        """
        rest = len(self.x_train) - count
        if count < 1 or rest < 1:
            raise DataError(
                f"hold_out({count}) of {self.name!r}, which has {len(self.x_train)} training "
                f"examples: choose 1 to {len(self.x_train) - 1}"
            )
        return dataclasses.replace(
            self,
            x_train=self.x_train[:rest],
            y_train=self.y_train[:rest],
            x_test=self.x_train[rest:],
            y_test=self.y_train[rest:],
        )

    def flattened(self) -> "Dataset":
        """The same examples with each feature tensor as a vector."""
        return dataclasses.replace(
            self, x_train=self.x_train.flatten(1), x_test=self.x_test.flatten(1)
        )

    def fingerprint(self) -> str:
        """16 hexadecimal digits of a SHA-256 over all that training and testing can see.

        Law: equal for equal contents whatever their memory layout, device or `name`; different as
            soon as one entry, a shape, a dtype or `num_classes` differs.
        """
        digest = hashlib.sha256(str(self.num_classes).encode())
        for tensor in (self.x_train, self.y_train, self.x_test, self.y_test):
            digest.update(f"|{tensor.dtype}{tuple(tensor.shape)}|".encode())
            plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
            digest.update(plain.flatten().view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]


def check_examples(
    x: Points, y: Labels, num_classes: int, x_name: str = "x", y_name: str = "y"
) -> None:
    """Refuse features and labels that no data set may hold.

    Raises:
        DataError: wrong dtype, layout or shape, no examples, a NaN or infinity, a label out of
            range; says which and where.
    """
    _require_entries(x, x_name)
    _require_entries(y, y_name)
    if x.dtype not in _FEATURE_DTYPES:
        known = ", ".join(str(dtype).removeprefix("torch.") for dtype in _FEATURE_DTYPES)
        raise DataError(
            f"{x_name} has dtype {x.dtype}, and features are one of {known}: "
            "convert them, bytes by x.float() / 255"
        )
    if y.dtype != torch.int64:
        raise DataError(f"{y_name} has dtype {y.dtype}, and labels are int64: use y.long()")
    if x.ndim < 2:
        raise DataError(
            f"{x_name} has shape {tuple(x.shape)}, and features are (N, ...) with at least one "
            "feature axis: use x.reshape(N, -1)"
        )
    if tuple(y.shape) != (len(x),):
        raise DataError(
            f"{y_name} has shape {tuple(y.shape)} and {x_name} {tuple(x.shape)}: labels are one "
            f"class index for each example, shape ({len(x)},)"
        )
    if x.numel() == 0:
        raise DataError(
            f"{x_name} is empty, shape {tuple(x.shape)}: a split needs at least one example "
            "of at least one feature"
        )
    _check_finite(x, x_name)
    if not 1 <= num_classes <= MOST_CLASSES:
        raise DataError(f"num_classes={num_classes}: choose 1 to {MOST_CLASSES}")
    outside = (y < 0) | (y >= num_classes)
    if outside.any():
        first = int(outside.nonzero()[0])
        raise DataError(
            f"{y_name} has label {int(y[first])} at index {first} ({int(outside.sum())} of "
            f"{len(y)} labels are out of range): labels run from 0 to {num_classes - 1} "
            f"for num_classes={num_classes}"
        )


def count_classes(
    labels: Sequence[Int[Tensor, " _examples"]], source: str, at_least: int = 1
) -> int:
    """The largest label plus one; classes that no example has are told in a logged warning.

    Raises:
        DataError: that is more classes than there are labels, as of one that stands for "none".
    """
    classes = max([0, *(int(y.max()) + 1 for y in labels if y.numel())])
    examples = sum(y.numel() for y in labels)
    if classes > max(examples, at_least):
        raise DataError(
            f"the largest label in {source} is {classes - 1}, which makes {classes} classes of "
            f"{examples} examples: number the classes from 0, or give num_classes"
        )
    present = set(torch.cat([y.flatten() for y in labels]).tolist())
    absent = [label for label in range(classes) if label not in present]
    if absent or classes == 1:
        state = f"no example of {_some(absent)}" if absent else "one class alone"
        logger.warning(
            "%s has %s, and %d classes are counted: are the labels 0, 1, 2 and so on?",
            source,
            state,
            max(classes, at_least),
        )
    return max(classes, at_least)


@checked
def stratified_split(
    labels: Int[Tensor, "examples"], *, test_fraction: float = 0.2, seed: int = 0
) -> tuple[Int[Tensor, "train"], Int[Tensor, "test"]]:
    """Indices of a shuffled training and test part, each class cut in the same proportion.

    Law: the two parts are disjoint and together are all indices; of a class with n examples,
        the test part has within one of test_fraction * n; a class with two examples or more is
        in both parts, a single example is for training. The same seed gives the same parts.

    Raises:
        DomainError: `test_fraction` is not strictly between 0 and 1.

    Example:
        >>> train, test = stratified_split(torch.tensor([0, 0, 0, 0, 1, 1, 1, 1]))
        >>> len(train), len(test)
        (6, 2)
    """
    if not 0 < test_fraction < 1:
        raise DomainError(f"test_fraction={test_fraction}: choose a number between 0 and 1")
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    shuffled = labels[order]
    for label in shuffled.unique():
        members = (shuffled == label).nonzero().flatten()
        wanted = max(round(test_fraction * len(members)), 1)
        is_test[members[: min(wanted, len(members) - 1)]] = True
    return order[~is_test], order[is_test]


def _some(numbers: Sequence[int]) -> str:
    """The first few, and how many more."""
    more = f" and {len(numbers) - 3} more" if len(numbers) > 3 else ""
    return f"label {', '.join(map(str, numbers[:3]))}{more}"


def _as_int64(y: Tensor) -> Tensor:
    """Labels of any width as int64; what is refused later as it is."""
    if y.dtype.is_floating_point or y.dtype.is_complex or y.dtype == torch.bool:
        return y
    return y.long()


def _require_entries(value: Tensor, name: str) -> None:
    """Refuse a tensor whose entries cannot be looked at one by one."""
    if value.is_meta or value.layout != torch.strided:
        kind = "has no entries (device meta)" if value.is_meta else f"is {value.layout}"
        raise DataError(f"{name} {kind}, and a data set holds dense tensors: use x.to_dense()")


def _check_finite(x: Tensor, name: str) -> None:
    broken = ~torch.isfinite(x)
    if not broken.any():
        return
    nans = int(torch.isnan(x).sum())
    first = tuple(broken.nonzero()[0].tolist())
    raise DataError(
        f"{name} has {nans} NaN and {int(broken.sum()) - nans} infinite values, the first at index "
        f"{first}: drop or repair those examples"
    )


def _feature(x: Tensor, what: str) -> tuple[int, ...] | torch.dtype:
    return x.dtype if what == "dtype" else tuple(x.shape[1:])
