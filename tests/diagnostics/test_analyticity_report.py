"""The report of analyticity: words, JSON, rank correlation with censoring."""

import json
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from holonet.diagnostics import Analyticity, analyticity
from holonet.diagnostics.analyticity_report import NONE_WITHIN, UNRESOLVED, joined
from holonet.errors import ConfigError


def report(examples: int = 6) -> Analyticity:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    return analyticity(net, torch.randn(examples, 3), directions=["random", "gradient"])


def with_distances(distance: Tensor, boundary: Tensor) -> Analyticity:
    base = report(len(distance))
    place = torch.complex(torch.zeros_like(distance), distance)[:, None].expand(-1, 2).clone()
    return replace(
        base,
        state=torch.zeros_like(base.state),
        place=place,
        boundary=boundary[:, None].expand(-1, 2).clone(),
        reach=100.0,
    )


def test_json_is_plain_and_has_the_verdict() -> None:
    found = report()
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["verdict"] == str(found).splitlines()[0]
    assert plain["directions"] == ["random", "gradient"]
    assert len(plain["place"]) == 6
    assert plain["kinds"] == found.kinds
    assert set(plain["rank_correlation"]) == {"random", "gradient"}


def test_the_verdict_names_the_nearest_with_its_kind() -> None:
    found = report()
    assert "the nearest of all is a pole at t = " in str(found)
    assert "first change of the answer" in str(found)
    assert "strip over |Re t|" in str(found)


def test_rank_correlation_counts_what_is_not_found_as_farther() -> None:
    d = torch.arange(1.0, 9.0, dtype=torch.float64)
    found = with_distances(d, d**2)
    assert found.rank_correlation().estimate == pytest.approx(1.0)
    assert with_distances(d, -d + 10).rank_correlation().estimate == pytest.approx(-1.0)
    state = found.state.clone()
    state[-1] = NONE_WITHIN
    censored = replace(found, state=state)
    assert float(censored.distance[-1, 0]) == math.inf
    assert censored.rank_correlation().estimate == pytest.approx(1.0)
    state[0] = UNRESOLVED
    assert replace(found, state=state).rank_correlation().count == 7


def test_rank_correlation_is_none_where_it_is_not_defined() -> None:
    d = torch.arange(1.0, 5.0, dtype=torch.float64)
    assert with_distances(d, d).rank_correlation() is None
    d = torch.arange(1.0, 8.0, dtype=torch.float64)
    assert with_distances(d, 0 * d + 1).rank_correlation() is None
    with pytest.raises(ConfigError, match="was not looked at"):
        report().rank_correlation("class")


def test_groups_are_joined_along_the_examples() -> None:
    one = report()
    both = joined([one, one])
    assert both.state.shape == (12, 2)
    assert both.directions == one.directions
