"""Estimators: scikit-learn's own checks, and what people do with estimators."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from cases import each
from holonet.attacks import ThreatModel, worst_case
from holonet.attacks.worst_case import ATTACKS
from holonet.errors import ConfigError
from holonet.interop.sklearn import HolomorphicClassifier, HolomorphicRegressor

NOT_HERE = {"check_array_api_input": "asks for SCIPY_ARRAY_API in the environment"}
"""Checks that scikit-learn itself skips here; those that need pandas are skipped without it."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "estimator",
    [
        HolomorphicClassifier(epochs=4, lr=0.05),
        HolomorphicRegressor(epochs=6, lr=0.05),
        pytest.param(HolomorphicClassifier(), marks=pytest.mark.slow),
        pytest.param(HolomorphicRegressor(), marks=pytest.mark.slow),
    ],
    ids=repr,
)
def test_every_check_of_scikit_learn_passes(estimator: Any) -> None:
    results = check_estimator(estimator, on_skip=None, on_fail=None)
    faults = [
        f"{r['check_name']}: {r['exception']!r}"
        for r in results
        if r["status"] not in ("passed", "skipped")
        or (
            r["status"] == "skipped"
            and r["check_name"] not in NOT_HERE
            and "pandas" not in str(r["exception"])
        )
    ]
    assert len(results) > 40
    assert not faults, "\n".join(faults)


def test_a_grid_search_over_rule_and_radius_in_a_pipeline() -> None:
    x, y = load_digits(return_X_y=True)
    x, y = x[:300], y[:300]
    pipeline = make_pipeline(MinMaxScaler(), HolomorphicClassifier(epochs=8))
    name = HolomorphicClassifier.__name__.lower()
    grid = {f"{name}__rule": ["standard", "linearized"], f"{name}__eps": [0.01, 3.0]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(x, y)
    scores = search.cv_results_["mean_test_score"]
    rules = [(p[f"{name}__rule"], p[f"{name}__eps"]) for p in search.cv_results_["params"]]
    by_rule = dict(zip(rules, scores, strict=True))
    assert by_rule["standard", 0.01] == by_rule["standard", 3.0] > 0.7  # it has no radius
    assert by_rule["linearized", 0.01] > 0.7
    assert by_rule["linearized", 3.0] < 0.5  # a radius of three ranges
    assert search.best_params_[f"{name}__eps"] == 0.01


def test_the_radius_reaches_the_training() -> None:
    """Under attack at its radius the linearized rule leaves more than the standard one."""
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16)[:600], y[:600]
    robust = []
    for rule in ("standard", "linearized"):
        model = HolomorphicClassifier(rule=rule, eps=0.1, bounds=(0.0, 1.0), epochs=10).fit(x, y)
        points, labels = torch.tensor(x[:100], dtype=torch.float32), torch.tensor(y[:100])
        result = worst_case(
            model.model_,
            points,
            labels,
            ThreatModel("Linf", eps=0.1),
            attacks={"fgsm": ATTACKS["fgsm"]},
            seed=0,
        )
        robust.append(result.accuracy)
    assert robust[1] > robust[0] + 0.2


def test_norm_and_box_reach_the_training() -> None:
    x, y = load_digits(return_X_y=True)
    x, y = (x / 16)[:100], y[:100]
    options: list[dict[str, Any]] = [{}, {"norm": "L2"}, {"bounds": (0.0, 1.0)}]
    models = [HolomorphicClassifier(rule="fgsm", eps=0.3, epochs=2, **o).fit(x, y) for o in options]
    first, *others = [model.decision_function(x) for model in models]
    assert [bool(np.allclose(first, other, atol=1e-3)) for other in others] == [False, False]


def test_labels_of_any_kind_are_given_back() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = make_pipeline(StandardScaler(), HolomorphicClassifier(epochs=15)).fit(x, names)
    assert model.score(x, names) > 0.9
    assert set(model.predict(x)) <= set(names)
    probabilities = model.predict_proba(x)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert (model.classes_[probabilities.argmax(1)] == model.predict(x)).all()
    assert model.decision_function(x).shape == (150, 3)


@each("kind", [HolomorphicClassifier, HolomorphicRegressor])
def test_clones_and_pickles_are_the_same(kind: type) -> None:
    x, y = load_iris(return_X_y=True)
    model = kind(hidden=(5, 4), epochs=2, activation="tanh", random_state=3).fit(x, y)
    again = clone(model).fit(x, y)
    loaded = pickle.loads(pickle.dumps(model))
    for other in (again, loaded):
        np.testing.assert_array_equal(other.predict(x), model.predict(x))
    assert not hasattr(clone(model), "model_")
    assert [m.out_features for m in model.model_.modules() if hasattr(m, "out_features")][:2] == [
        5,
        4,
    ]


def rotated(count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Complex numbers of two classes that differ in the phase of a product alone."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(count, 2)) + 1j * rng.normal(size=(count, 2))
    return z, ((z[:, 0] * z[:, 1]).real > 0).astype(int)


def test_complex_features_are_taken_where_they_are_asked_for() -> None:
    z, y = rotated()
    model = HolomorphicClassifier(features="complex", rule="standard", epochs=40).fit(z, y)
    assert model.score(z, y) > 0.95
    assert model.n_features_in_ == 2
    assert model.decision_function(z).shape == (200,)
    assert HolomorphicClassifier(features="complex", epochs=5).fit(z, y).score(z, y) > 0.5
    assert model.predict(z.real).shape == (200,)
    regressor = HolomorphicRegressor(features="complex").fit(z, (z[:, 0] * z[:, 1]).real)
    assert regressor.score(z, (z[:, 0] * z[:, 1]).real) > 0.95
    with pytest.raises(ValueError, match="Complex data not supported"):
        HolomorphicClassifier().fit(z, y)
    with pytest.raises(ValueError, match="NaN"):
        model.predict(z * complex(0, np.nan))
    with pytest.raises(ValueError, match="3 features"):
        model.predict(np.ones((4, 3)) * 1j)


def test_regression_of_several_targets_in_their_units() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (300, 3))
    y = np.stack([1e3 * x[:, 0] * x[:, 1] + 5e3, 1e-3 * x[:, 2], np.full(300, 7.0)], 1)
    model = HolomorphicRegressor().fit(x, y)
    assert model.predict(x).shape == y.shape
    error = np.abs(model.predict(x) - y).mean(0)
    assert (error < [1, 1e-6, 1e-3]).all()
    one = HolomorphicRegressor().fit(x, y[:, 0])
    assert one.predict(x).shape == (300,)
    assert cross_val_score(one, x, y[:, 0], cv=2).mean() > 0.9


@each(
    ("options", "words"),
    [
        ({"rule": "robust"}, "name"),
        ({"eps": -1.0}, "eps"),
        ({"activation": "relu6"}, "activation"),
        ({"features": "quaternion"}, "features='quaternion': choose 'real' or 'complex'"),
        ({"epochs": 0}, "epochs"),
    ],
    ids=str,
)
def test_parameters_out_of_range_are_refused_by_name(options: dict[str, Any], words: str) -> None:
    x, y = load_iris(return_X_y=True)
    with pytest.raises(ConfigError) as refused:
        HolomorphicClassifier(**options).fit(x, y)
    assert words in str(refused.value)


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(ValueError, match="one class alone, 4"):
        HolomorphicClassifier().fit(np.ones((3, 2)), [4, 4, 4])
