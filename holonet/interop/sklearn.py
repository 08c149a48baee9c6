"""Estimators of scikit-learn: holomorphic networks in pipelines and grid searches."""

# ruff: noqa: E402 - what is missing is said before it is imported
from holonet._optional import require

require("sklearn", "scikit-learn", "interop", "holonet.interop.sklearn")

import copy
from collections.abc import Sequence
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn
from torch.nn import functional

from holonet._types import Labels, Points, Scalar
from holonet.calculus import Probes
from holonet.data import Dataset
from holonet.errors import ConfigError
from holonet.nn import to_precision
from holonet.training import ModelConfig, Rule, RuleConfig, TrainConfig, fit
from holonet.training.rules.rule import Model

__all__ = ["HolomorphicClassifier", "HolomorphicRegressor"]

BATCH = 1000  # examples that are answered at once

ArrayLike = Any
"""Arrays, lists and data frames: scikit-learn says what it does not take."""

_validate_data: Any = validate_data  # scikit-learn has no annotations
_check_array: Any = check_array


class _Network(BaseEstimator):
    """What both estimators share: the network, the features, the training."""

    model_: nn.Module

    @no_type_check  # scikit-learn forbids checks in the constructor
    def __init__(
        self,
        hidden: Sequence[int] = (32,),
        activation: str = "square",
        coefficients: str = "complex",
        features: str = "real",
        epochs: int = 40,
        batch_size: int = 64,
        lr: float = 1e-2,
        random_state: Any = 0,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.coefficients = coefficients
        self.features = features
        self.epochs = epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state

    def _points(self, X: ArrayLike, *, reset: bool = False) -> Points:
        """Features as a tensor in double precision.

        Raises:
            ConfigError: `features` is neither "real" nor "complex".
            ValueError: what scikit-learn refuses.
        """
        if self.features == "real":
            return torch.from_numpy(_validate_data(self, X, reset=reset, dtype=np.float64))
        if self.features != "complex":
            raise ConfigError(f"features={self.features!r}: choose 'real' or 'complex'")
        z: Any = np.asarray(X)
        real = _validate_data(self, X if z.dtype.kind != "c" else z.real, reset=reset, dtype=float)
        imaginary = _check_array(z.imag, dtype=float) if z.dtype.kind == "c" else 0 * real
        return torch.from_numpy(real + 1j * imaginary)

    def _train(self, x: Points, labels: Labels, classes: int, outputs: int, rule: Rule) -> None:
        """Build the network and fit it. The first example stands for a test set."""
        x = x.to(torch.complex64 if x.is_complex() else torch.float32)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        values: dict[str, Any] = {"coefficients": self.coefficients, "activation": self.activation}
        network = ModelConfig(hidden=tuple(self.hidden), **values)
        self.model_ = network.build(x.shape[1:], outputs, seed=seed, examples=x)
        data = Dataset(x, labels, x[:1], 0 * labels[:1], classes, "features")
        config = TrainConfig(
            epochs=self.epochs, batch_size=self.batch_size, lr=self.lr, seed=seed, accelerator="cpu"
        )
        fit(self.model_, data, rule, config)
        self.model_.eval()

    def _outputs(self, X: ArrayLike) -> NDArray[np.floating]:
        """What the network says, in double precision: the same alone and in a batch."""
        check_is_fitted(self)
        x, network = self._points(X), to_precision(copy.deepcopy(self.model_), torch.complex128)
        with torch.no_grad():
            return torch.cat([network(part) for part in x.split(BATCH)]).numpy()


class HolomorphicClassifier(ClassifierMixin, _Network):
    """A holomorphic classifier as an estimator of scikit-learn.

    Radii are in units of the features: put a scaler in front, in a pipeline.

    Args:
        hidden: widths of the hidden layers.
        activation, coefficients: as of `training.ModelConfig`.
        rule: of training, as of `training.RuleConfig`.
        eps: radius of the rule.
        norm: of the rule; None is "Linf", and "polydisc" for complex features.
        bounds: lowest and highest value of a feature that the rule considers; None for no box.
        features: "real", or "complex", which takes complex arrays too.
        epochs, batch_size, lr: as of `training.TrainConfig`.
        random_state: seed of the weights and of the order of the examples.

    Attributes:
        classes_: the labels.
        model_: the trained network, from tensors of features to logits.
        n_features_in_: number of features.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True)
        >>> HolomorphicClassifier(eps=0.05).fit(x, y).score(x, y) > 0.9
        True
    """

    @no_type_check  # scikit-learn forbids checks in the constructor
    def __init__(
        self,
        hidden: Sequence[int] = (32,),
        activation: str = "square",
        coefficients: str = "complex",
        rule: str = "linearized",
        eps: float = 0.1,
        norm: str | None = None,
        bounds: tuple[float, float] | None = None,
        features: str = "real",
        epochs: int = 40,
        batch_size: int = 64,
        lr: float = 1e-2,
        random_state: Any = 0,
    ) -> None:
        super().__init__(
            hidden, activation, coefficients, features, epochs, batch_size, lr, random_state
        )
        self.rule = rule
        self.eps = eps
        self.norm = norm
        self.bounds = bounds

    def fit(self, X: ArrayLike, y: ArrayLike) -> "HolomorphicClassifier":
        """Train on examples (n, features) with labels of any kind (n,).

        Raises:
            ConfigError: a parameter out of range.
            ValueError: what scikit-learn refuses; labels of one class alone.
        """
        x = self._points(X, reset=True)
        given = _vector(self, y, len(x))
        check_classification_targets(given)
        self.classes_, labels = np.unique(given, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y has one class alone, {self.classes_[0]}: a classifier needs two")
        values: dict[str, Any] = {
            "name": self.rule,
            "eps": self.eps,
            "norm": self.norm or ("polydisc" if x.is_complex() else "Linf"),
            "bounds": self.bounds or "none",
        }
        count = len(self.classes_)
        self._train(x, torch.from_numpy(labels), count, count, RuleConfig(**values).build())
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """The logits (n, classes); of two classes, that of the second less that of the first."""
        logits = self._outputs(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Probabilities (n, classes)."""
        return torch.from_numpy(self._outputs(X)).softmax(1).numpy()

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Labels (n,)."""
        best = self._outputs(X).argmax(1)
        return self.classes_[best]


class HolomorphicRegressor(RegressorMixin, _Network):
    """The real part of a holomorphic network, fitted by least squares, as an estimator.

    Targets are standardized in training. Features should be scaled, in a pipeline.

    Args:
        hidden, activation, coefficients, features, epochs, batch_size, lr, random_state: as of
            `HolomorphicClassifier`.

    Attributes:
        model_: the trained network, from tensors of features to standardized targets.
        n_features_in_: number of features.
    """

    def __sklearn_tags__(self) -> Any:
        """Several targets are taken."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> "HolomorphicRegressor":
        """Train on examples (n, features) with targets (n,) or (n, targets).

        Raises:
            ConfigError: a parameter out of range.
            ValueError: what scikit-learn refuses.
        """
        x = self._points(X, reset=True)
        given = y if y is None else np.asarray(y)
        self._is_vector = given is None or given.ndim != 2
        table = _vector(self, given, len(x))[:, None] if self._is_vector else given
        table = _check_array(table, dtype=np.float64)
        check_consistent_length(x, table)
        self._mean, self._scale = table.mean(0), table.std(0)
        self._scale[self._scale == 0] = 1
        targets = torch.from_numpy((table - self._mean) / self._scale).float()
        numbers = torch.arange(len(x))
        self._train(x, numbers, len(x), targets.shape[1], _SquaredError(targets))
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.floating]:
        """Targets (n,) or (n, targets)."""
        found = self._outputs(X) * self._scale + self._mean
        return found[:, 0] if self._is_vector else found


class _SquaredError(Rule):
    """The mean squared error; labels are the numbers of the examples, whose targets it holds."""

    def __init__(self, targets: Float[Tensor, "examples outputs"]) -> None:
        self.targets = targets

    def terms(
        self, model: Model, x: Points, y: Labels, probes: Probes | None = None
    ) -> dict[str, Scalar]:
        """The error."""
        del probes
        return {"error": functional.mse_loss(model(x), self.targets[y])}


def _vector(estimator: BaseEstimator, y: ArrayLike, examples: int) -> NDArray[Any]:
    """Targets as a vector, with scikit-learn's warning where they were a column.

    Raises:
        ValueError: there are none, or not one for each example.
    """
    if y is None:
        name = type(estimator).__name__
        raise ValueError(f"{name} requires y to be passed, but the target y is None")
    vector = column_or_1d(y, warn=True)
    assert_all_finite(vector)
    check_consistent_length(np.empty(examples), vector)
    return vector
