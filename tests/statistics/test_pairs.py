"""Correlations over pairs of networks, with dependence taken seriously."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from holonet.errors import DataError, DomainError, ShapeError
from holonet.statistics import node_effects, pair_correlation, pair_test

SEEDS = st.integers(0, 10**6)


def matrix(count, seed, levels=None):
    generator = torch.Generator().manual_seed(seed)
    if levels:
        return torch.randint(levels, (count, count), generator=generator).double()
    return torch.randn(count, count, generator=generator, dtype=torch.float64)


def off(m):
    return m[~torch.eye(len(m), dtype=torch.bool)].tolist()


@given(st.integers(4, 9), SEEDS, st.sampled_from([None, 3]))
def test_without_controls_it_is_spearman_of_the_pairs(count, seed, levels) -> None:
    x, y = matrix(count, seed, levels), matrix(count, seed + 1)
    found = pair_correlation(x, y, resamples=20)
    assert found.estimate == pytest.approx(spearmanr(off(x), off(y)).statistic, abs=1e-12)
    assert found.count == count


@settings(max_examples=5)
@given(st.integers(5, 9), SEEDS)
def test_ranks_alone_matter_and_signs_mirror(count, seed) -> None:
    x, y, control = (matrix(count, seed + k) for k in range(3))
    first = pair_correlation(x, y, [control], resamples=40)
    assert pair_correlation(x.exp(), y**3, [control.atan()], resamples=40) == first
    mirrored = pair_correlation(-x, y, [control], resamples=40)
    assert mirrored.estimate == pytest.approx(-first.estimate, abs=1e-9)
    assert (mirrored.low, mirrored.high) == pytest.approx((-first.high, -first.low), abs=1e-9)
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    renumbered = [m[shuffled][:, shuffled] for m in (x, y, control)]
    assert pair_correlation(
        *renumbered[:2], renumbered[2:], resamples=20
    ).estimate == pytest.approx(first.estimate, abs=1e-9)


@given(SEEDS)
def test_the_diagonal_is_not_looked_at(seed) -> None:
    x, y = matrix(6, seed), matrix(6, seed + 1)
    expected = pair_correlation(x, y, resamples=20)
    assert (
        pair_correlation(x + 1e6 * torch.eye(6), y - 1e6 * torch.eye(6), resamples=20) == expected
    )


@settings(max_examples=10)
@given(SEEDS)
def test_a_confounder_is_taken_out(seed) -> None:
    """Both follow the control and are otherwise independent."""
    control = matrix(14, seed)
    x, y = (control + 0.3 * matrix(14, seed + k) for k in (1, 2))
    assert pair_correlation(x, y, resamples=20).estimate > 0.7
    assert abs(pair_correlation(x, y, [control], resamples=20).estimate) < 0.4


@settings(max_examples=10)
@given(SEEDS)
def test_effects_of_source_and_target_are_taken_out(seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    source, target = (3 * torch.randn(14, generator=generator, dtype=torch.float64) for _ in "ab")
    effects = source[:, None] + target
    x, y = (effects + matrix(14, seed + k) for k in (1, 2))
    left = pair_correlation(x, y, node_effects(14), resamples=20).estimate
    assert abs(left) < abs(pair_correlation(x, y, resamples=20).estimate)
    assert abs(left) < 0.5
    with pytest.raises(DataError, match="undefined"):  # of a sum of effects nothing is left
        pair_correlation(node_effects(14)[0], y, node_effects(14), resamples=20)


def test_the_interval_knows_that_pairs_share_networks() -> None:
    """Effects of networks alone: an interval over pairs is far too short, this one covers 0."""
    short, covered, runs = 0, 0, 40
    for seed in range(runs):
        generator = torch.Generator().manual_seed(seed)
        a, b = torch.randn(2, 14, generator=generator, dtype=torch.float64)
        x, y = a[:, None] + a + 0.1 * matrix(14, seed), b[:, None] + b + 0.1 * matrix(14, seed + 99)
        found = pair_correlation(x, y, resamples=200)
        covered += not (found.is_above(0) or found.is_below(0))
        naive = 1.96 / (14 * 13) ** 0.5
        short += abs(found.estimate) > naive
    assert short > 0.4 * runs
    assert covered > 0.85 * runs


def test_what_is_no_set_of_pairs_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(3, 4\)"):
        pair_correlation(torch.zeros(3, 4), torch.zeros(3, 4))
    with pytest.raises(DomainError, match="resamples=3"):
        pair_correlation(matrix(4, 0), matrix(4, 1), resamples=3)
    with pytest.raises(ShapeError, match="one size"):
        pair_correlation(matrix(4, 0), matrix(5, 0))
    with pytest.raises(DataError, match="over 3 networks"):
        pair_correlation(matrix(3, 0), matrix(3, 1))
    with pytest.raises(DataError, match="undefined"):
        pair_correlation(torch.ones(5, 5), matrix(5, 1))


def simulated(count, seed, effect, shared=1.0):
    """Pairs with effects of their networks in x and in y, a common cause, and a planted effect."""
    generator = torch.Generator().manual_seed(seed)
    own = shared * torch.randn(4, count, generator=generator, dtype=torch.float64)
    noise = torch.randn(3, count, count, generator=generator, dtype=torch.float64)
    control = noise[2]
    x = own[0][:, None] + own[1] + control + noise[0]
    y = own[2][:, None] + own[3] + control + noise[1] + effect * noise[0]
    return x, y, [control]


def found_rate(effect, shared=1.0, studies=150):
    tests = [
        pair_test(x, y, controls, resamples=59, seed=seed).above <= 0.05
        for seed in range(studies)
        for x, y, controls in [simulated(9, seed, effect, shared)]
    ]
    return sum(tests) / studies


def test_a_planted_effect_is_found_beside_what_networks_share() -> None:
    assert found_rate(0.0, studies=2) == 0
    assert found_rate(2.5, studies=2) == 1


@pytest.mark.slow
def test_pairs_that_share_a_network_give_no_false_positives() -> None:
    """Treated as independent, the same pairs give three times the nominal rate."""
    assert found_rate(0.0) < 0.1
    assert found_rate(2.5, studies=40) > 0.8
    naive = []
    for seed in range(150):
        x, y, [control] = simulated(9, seed, 0.0, 2.0)
        rest = (torch.tensor(off(m - control)) for m in (x, y))
        naive.append(spearmanr(*rest, alternative="greater").pvalue <= 0.05)
    assert sum(naive) / 150 > 0.13


@settings(max_examples=5)
@given(SEEDS)
def test_the_test_depends_on_ranks_alone_and_mirrors(seed) -> None:
    x, y, controls = simulated(6, seed, 0.5)
    found = pair_test(x, y, controls, resamples=39)
    assert pair_test(x.exp(), y**3, controls, resamples=39) == found
    mirrored = pair_test(-x, y, controls, resamples=39)
    assert (mirrored.above, mirrored.below) == (found.below, found.above)
    assert pair_test(x, y, [*controls, *controls], resamples=39) == found  # nothing is lost twice


def test_a_test_needs_resamples_and_square_matrices() -> None:
    with pytest.raises(DomainError, match="resamples=0"):
        pair_test(matrix(5, 0), matrix(5, 1), resamples=0)
    with pytest.raises(ShapeError):
        pair_test(matrix(5, 0), matrix(6, 1))
