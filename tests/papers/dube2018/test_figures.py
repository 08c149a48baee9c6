"""Every claim has a figure of the made-up numbers."""

from typing import Any

import pytest

from holonet.papers.dube2018 import evidence
from holonet.papers.dube2018.claims import CLAIMS


@pytest.fixture(autouse=True)
def small_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of random matrices."""
    monkeypatch.setattr(evidence, "ORDERS", (1, 2, 3))


def test_every_claim_has_a_figure_with_a_caption(made_up: Any) -> None:
    sections = {claim.key: claim.section(made_up()) for claim in CLAIMS}
    for key, section in sections.items():
        assert section.figure is not None, key
        assert section.caption.endswith("."), key


def test_accuracies_stand_beside_the_norms(made_up: Any) -> None:
    (section,) = [c.section(made_up()) for c in CLAIMS if c.key == "fields"]
    assert section.table is not None
    assert len(section.table.rows) == 6
    assert section.table.rows[0] == [
        "rough",
        "real-relu",
        "16: 90.0, 64: 90.0, 256: 90.0, 1024: 90.0",
    ]


def test_curves_are_norms_over_the_root_of_n(made_up: Any) -> None:
    claims = {c.key: c for c in CLAIMS}
    for key, factor in (("random-rms", 1 / 4), ("random-euclidean", 1.0)):
        (ax, *_) = claims[key].section(made_up()).figure.axes
        line = next(line for line in ax.lines if line.get_label() == "real-relu")
        start = sum(1 + 0.01 * seed for seed in range(5)) / 5
        assert abs(line.get_ydata()[0] - start * factor) < 0.01


def test_histograms_are_of_the_index_over_the_dimension(made_up: Any) -> None:
    (section,) = [c.section(made_up()) for c in CLAIMS if c.key == "holomorphic-index"]
    panels = {ax.get_title(loc="left"): ax for ax in section.figure.axes}
    on_c = panels["real-square, C^n (60)"]
    (bar,) = [p for p in on_c.patches if p.get_height()]
    assert bar.get_height() == 60
    assert bar.get_x() < 0.5 < bar.get_x() + bar.get_width()
