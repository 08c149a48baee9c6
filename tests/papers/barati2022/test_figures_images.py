"""Every claim on images has its figure."""

import pytest

from holonet.errors import DataError
from holonet.papers.barati2022.claims import CLAIMS

CLAIM = {claim.key: claim for claim in CLAIMS[5:-1]}


@pytest.fixture(scope="module")
def results(energies, transfers):
    return {**energies(lambda f, w: 0.4 + 0.2 * w), **transfers(lambda d, f, s: 0.3 + s / 2)}


def test_every_claim_has_one(results) -> None:
    for claim in CLAIM.values():
        section = claim.section(results)
        assert section.title
        assert section.caption
        assert section.figure.axes[0].get_xlabel()


def test_points_are_those_of_the_results(results) -> None:
    ax = CLAIM["energy-robustness"].figure(results).figure.axes[0]
    drawn = {line.get_label(): (line.get_xdata(), line.get_ydata()) for line in ax.lines}
    relu = [r for r in results.values() if r.get("family") == "relu"]
    assert list(drawn["relu"][0]) == [r["energy"] for r in relu]
    assert list(drawn["relu"][1]) == [100 * r["robust"] for r in relu]
    pairs = CLAIM["transfer-distance"].figure(results).figure.axes[0]
    assert sum(len(line.get_xdata()) for line in pairs.lines) == 14 * 13


def test_means_over_seeds(results) -> None:
    ax = CLAIM["energy-helps"].figure(results).figure.axes[0]
    lines = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert lines["relu, robust"] == pytest.approx([40.15, 42.15, 60.15])


def test_the_table_leaves_the_diagonal_to_its_own_column(results) -> None:
    rows = CLAIM["transfer-distance"].figure(results).table.rows
    rates, networks = results["transfer"]["rates"], results["transfer"]["networks"]
    mine = [k for k, n in enumerate(networks) if n["family"] == "relu"]
    own = sum(rates[k][k] for k in mine) / len(mine)
    out = [rates[k][j] for k in mine for j in range(14) if j != k]
    into = [rates[j][k] for k in mine for j in range(14) if j != k]
    row = next(row for row in rows if row[0] == "relu")
    expected = [own, sum(out) / len(out), sum(into) / len(into), 0.01]
    assert [float(v) for v in row[2:]] == pytest.approx([100 * v for v in expected], abs=0.06)


def test_nothing_left_is_an_error() -> None:
    for claim in CLAIM.values():
        with pytest.raises(DataError):
            claim.figure({})
