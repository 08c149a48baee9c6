"""The rule of the plane, its data, and a run from end to end."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holonet.data import DiscMode, RingPotential
from holonet.errors import ConfigError
from holonet.papers.barati2022.conditions import CONDITIONS, PROBLEMS, as_complex, closed_form
from holonet.papers.barati2022.planar import PlanarRule, planar_data, run_planar
from holonet.papers.barati2022.settings import PlanarSettings, PlanarTraining


def half(x):
    """Half of Re z^2."""
    return (as_complex(x) ** 2).real[:, None] / 2


@given(st.floats(0.01, 2.0), st.integers(0, 100))
def test_terms_are_means_over_their_points(weight, seed) -> None:
    data = planar_data(DiscMode(2), filled=False, count=400, seed=seed)
    terms = PlanarRule(DiscMode(2), weight)(half, data.x_train, data.y_train)
    parts = PlanarRule(DiscMode(2), weight).terms(half, data.x_train, data.y_train)
    free = data.x_train[data.y_train == 0]
    # on the circle half of cos 2t is missed; |grad|^2 of (x^2 - y^2) / 2 is r^2
    assert float(parts["risk"]) == pytest.approx(1 / 8, rel=1e-4)
    assert float(parts["energy"]) == pytest.approx(
        weight * float(free.square().sum(1).mean()) / 2, rel=1e-4
    )
    assert float(terms) == pytest.approx(float(sum(parts.values())), rel=1e-6)


@settings(max_examples=6)
@given(st.integers(1, 60), st.integers(0, 100))
def test_batches_average_to_the_whole(size, seed) -> None:
    data = planar_data(RingPotential(), filled=False, count=60, seed=seed)
    rule = PlanarRule(RingPotential(), 0.3)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(seed))
    whole = rule(half, data.x_train, data.y_train)
    parts = [
        len(rows) / 60 * rule(half, data.x_train[rows], data.y_train[rows])
        for rows in order.split(size)
        if (data.y_train[rows] == 0).any()
    ]
    skipped = [
        len(rows)
        / 60
        * PlanarRule(RingPotential(), 0.0)(half, data.x_train[rows], data.y_train[rows])
        for rows in order.split(size)
        if not (data.y_train[rows] == 0).any()
    ]
    torch.testing.assert_close(torch.stack(parts + skipped).sum(), whole, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("filled", [True, False])
@pytest.mark.parametrize("problem", [DiscMode(3), RingPotential()])
def test_points_lie_where_they_should(problem, filled) -> None:
    data = planar_data(problem, filled, 100, 0)
    z = as_complex(data.x_train.double())
    assert data.y_train.sum() == 50
    inside = problem.domain.clearance(z) > 1e-6
    assert inside[data.y_train == 0].all()
    assert bool(inside[data.y_train == 1].all()) == filled


def test_rules_that_make_no_sense_are_refused_and_others_tell_themselves_apart() -> None:
    for weight, share in ((-1.0, 0.5), (1.0, 1.0), (1.0, 0.0), (float("inf"), 0.5)):
        with pytest.raises(ConfigError, match="choose weight >= 0"):
            PlanarRule(DiscMode(1), weight, share)
    names = {
        repr(PlanarRule(problem, weight))
        for problem in (DiscMode(1), DiscMode(2))
        for weight in (0.0, 1.0)
    }
    assert len(names) == 4


def test_a_run_from_end_to_end(tmp_path) -> None:
    training = PlanarTraining(epochs=20, width=4, points=1024)
    chosen = PlanarSettings("disc-2", "one-variable", 0.0, 0, training)
    found = run_planar(chosen, tmp_path)
    assert found["distance"] < 0.05
    assert found["defect"] < 1e-12
    assert run_planar(chosen, tmp_path) == found  # read back from its checkpoint


def test_the_closed_form_is_where_the_rule_is_least() -> None:
    """Scaled up or down it does no better."""
    condition, problem = CONDITIONS["energy"], PROBLEMS["disc-2"]
    data = planar_data(problem, filled=False, count=4000, seed=0)
    form, rule = closed_form(problem, condition), PlanarRule(problem, condition.weight)
    scale = torch.ones((), requires_grad=True)
    loss = rule(lambda x: scale * form(x), data.x_train, data.y_train)
    (slope,) = torch.autograd.grad(loss, scale)
    assert abs(float(slope)) < 5e-3
    assert float(loss.detach()) > 0.01
