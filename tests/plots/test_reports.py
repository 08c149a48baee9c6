import base64
import io
import json
import os
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread

from cases import each
from holonet.errors import ShapeError
from holonet.plots.phase_portrait import phase_portrait
from holonet.plots.reports import (
    RESERVED,
    Report,
    Section,
    Table,
    _anchors,
    _embed,
    render_report,
    write_report,
)
from holonet.plots.style import GRID, INK, MUTED, PALETTE, label_axes, new_figure


class Page(HTMLParser):
    """The tags, attributes and text of a page; fails on tags that do not nest."""

    void = frozenset({"meta", "img", "link", "br", "hr"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def line_figure():
    figure, (ax,) = new_figure()
    ax.plot([0, 1], [1, 0])
    label_axes(ax, "eps", "accuracy (%)")
    return figure


def full_report() -> Report:
    return Report(
        "Run 7",
        "It holds.",
        [
            Section("Curves", "First.\n\nSecond.", figure=line_figure(), caption="A curve."),
            Section("Portrait", figure=phase_portrait(lambda z: z, resolution=8), note="Small."),
            Section("Table", table=Table(["layer", "error"], [["one", 1e-16]], "Errors.")),
        ],
        {"seed": 3, "command": "holonet demo", "date": "2026-01-02"},
        headline=Table(["model", "clean"], [["a", 97.5], ["b", None]], "Accuracy."),
        notes=["One seed."],
        numbers={"cells": {"a": {"clean": 97.5, "curve": [1, None]}}},
        citations=["@misc{run7}"],
    )


@pytest.fixture(scope="module")
def full_page() -> str:
    return render_report(full_report())


def test_page_shows_every_part_in_order(full_page: str) -> None:
    text = Page(full_page).text
    parts = [
        *("Run 7", "It holds.", "Table 1. Accuracy.", "model", "97.5", "–"),
        *("Curves", "Portrait", "Table"),  # contents
        *("Curves", "First.", "Second.", "Figure 1. A curve.", "Portrait", "Figure 2. Portrait"),
        *("Note", "Small.", "Table 2. Errors.", "1e-16", "Notes and limits", "One seed."),
        *("Raw numbers", "results.json", "How to cite", "@software{holonet", "@misc{run7}"),
        *("Provenance", "seed", "3", "command", "holonet demo"),
    ]
    place = 0
    for part in parts:
        place = text.index(part, place) + len(part)


def test_page_without_parts_has_no_empty_headings() -> None:
    page = Page(render_report(Report("T", "S")))
    assert page.text == "T T S"  # once in the browser's tab
    assert not page.all("table") + page.all("footer") + page.all("section") + page.all("aside")


def test_page_is_self_contained(full_page: str) -> None:
    page = Page(full_page)
    assert not page.all("script") + page.all("link") + page.all("iframe")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data"):
            target = attributes.get(name) or "#"
            assert target.startswith(("data:", "#")) or target in ("results.json", "results.csv")
    outside = re.sub(r'src="data:[^"]*"', "", full_page)
    assert "http:" not in outside
    assert "https:" not in outside
    assert "url(" not in outside
    assert "@import" not in outside


def test_figures_are_embedded_with_alternative_text(full_page: str) -> None:
    line, portrait = Page(full_page).all("img")
    assert line["alt"] == "A curve. Axes: accuracy (%) against eps."
    assert portrait["alt"] == "Portrait. Axes: Im z against Re z."
    for image in (line, portrait):
        kind, data = (image["src"] or "").split(",")
        assert kind == "data:image/svg+xml;base64"
        svg = base64.b64decode(data).decode()
        assert "<svg" in svg
        assert not re.search(r'(href|src)="(?!#|data:)', svg)  # it refers to itself alone
        ElementTree.fromstring(svg)


def test_pixels_of_a_figure_are_twice_as_many_as_its_size() -> None:
    figure = full_report().sections[1].figure
    svg = base64.b64decode(_embed(figure).split(",")[1]).decode()
    widest = max(
        imread(io.BytesIO(base64.b64decode(data))).shape[1]
        for data in re.findall(r'"data:image/png;base64,([^"]*)"', svg)
    )
    box = figure.axes[0].get_position().width * figure.get_figwidth()
    assert widest == pytest.approx(2 * figure.dpi * box, abs=2)


def test_figures_follow_dark_mode() -> None:
    svg = base64.b64decode(_embed(line_figure()).split(",")[1]).decode()
    assert "@media (prefers-color-scheme:dark)" in svg
    for name in (INK, MUTED, GRID, "#ffffff", PALETTE[0]):
        for what in re.findall(rf"(fill|stroke): {name.lower()}", svg):
            assert f'[style*="{what}: {name.lower()}"]{{{what}:#' in svg
    assert svg.count("fill: #ffffff") >= 1


def test_contents_lead_to_every_section(full_page: str) -> None:
    page = Page(full_page)
    places = [a["id"] for _, a in page.tags if "id" in a]
    targets = [(a["href"] or "")[1:] for a in page.all("a") if (a["href"] or "").startswith("#")]
    assert {"curves", "portrait", "table", "numbers"} <= set(targets) <= set(places)
    assert len(places) == len(set(places))


@given(st.lists(st.sampled_from(["A b", "a B", "Notes", "?", "ζ", "A b 2", "cite"]), max_size=8))
def test_anchors_differ_and_need_no_escape(titles: list[str]) -> None:
    anchors = _anchors(titles)
    assert len({*anchors, *RESERVED}) == len(titles) + len(RESERVED)
    assert all(re.fullmatch(r"[a-z0-9-]+", anchor) for anchor in anchors)


def test_tables_can_be_scrolled_by_keys_and_name_their_columns(full_page: str) -> None:
    page = Page(full_page)
    scrolled = [a for a in page.all("div") if "scroll" in (a.get("class") or "")]
    assert len(scrolled) == len(page.all("img")) + len(page.all("table")) - 1  # not the facts
    assert all(a["tabindex"] == "0" and a["aria-label"] for a in scrolled)
    cells = [a["data-header"] for a in page.all("td") if "data-header" in a]
    assert cells == ["model", "clean"] * 2 + ["layer", "error"]


def test_numbers_are_written_beside_the_page(tmp_path: Path) -> None:
    report = Report("T", "S", numbers=full_report().numbers)
    write_report(report, tmp_path / "report.html")
    assert sorted(os.listdir(tmp_path)) == ["report.html", "results.csv", "results.json"]
    content = json.loads((tmp_path / "results.json").read_text())
    assert content == {"cells": {"a": {"clean": 97.5, "curve": [1, None]}}}
    lines = (tmp_path / "results.csv").read_text().splitlines()
    assert lines == ["cell,quantity,value", "a,clean,97.5", "a,curve.0,1", "a,curve.1,"]


def test_date_and_commit_stand_below_the_title() -> None:
    facts = {"date": "2026-01-02", "commit": "abc1234"}
    text = Page(render_report(Report("T", "S", facts=facts))).text
    assert text.startswith("T T 2026-01-02, commit abc1234 S")


def test_page_is_the_same_every_time(full_page: str) -> None:
    assert render_report(full_report()) == full_page


hostile = st.text(
    st.sampled_from(list("<>&\"'{}%#/= abi\n"))
    | st.characters(codec="utf-8", exclude_categories="C"),
    min_size=1,
    max_size=20,
)


@settings(max_examples=5)
@given(hostile)
def test_text_is_escaped_everywhere(word: str) -> None:
    evil = f"<script>{word}</script><img src=x onerror=y>\"'>&amp; {{{{ 1 + 1 }}}} {{% x %}}"
    table = Table([evil], [[evil]], evil)
    section = Section(evil, evil, table, Figure((1, 1)), evil, evil)  # without axes: quickly drawn
    page = Page(render_report(Report(evil, evil, [section], {evil: evil}, table, [evil])))
    assert not page.all("script")
    assert len(page.all("img")) == 1
    assert "onerror" not in page.all("img")[0]
    flat = " ".join(evil.split())
    assert page.text.count(flat) >= 10
    assert flat in " ".join((page.all("img")[0]["alt"] or "").split())


def test_template_never_switches_escaping_off() -> None:
    source = resources.files("holonet.plots").joinpath("report.html.j2").read_text("utf-8")
    assert not re.search(r"\|\s*safe|autoescape", source)


@each(
    ("column", "numeric"),
    [
        ([1, 2.5, None], True),
        (["97.3 %", "81.2 [78.6, 83.5]", "38.2 to 48.3", "–"], True),
        (["1.2 ± 0.3", "-4", "−4", "8/255", "1e-5", "< 0.1"], True),
        ([float("nan"), float("-inf"), 0], True),
        (["3x3 conv", 2], False),
        (["yes", 1], False),
        ([True, False], False),
        ([None, ""], False),
        (["e", 1], False),
    ],
)
def test_columns_of_numbers_are_set_to_the_right(column: list, numeric: bool) -> None:
    table = Table(["name", "value"], [["row", value] for value in column])
    page = Page(render_report(Report("T", "S", headline=table)))
    classes = [attributes.get("class") for attributes in page.all("td")]
    assert classes[::2] == [None] * len(column)
    assert classes[1::2] == ["number" if numeric else None] * len(column)
    heads = [attributes.get("class") for attributes in page.all("th")]
    assert heads == [None, "number" if numeric else None]


@each(
    ("value", "shown"),
    [
        (None, "–"),
        (True, "yes"),
        (False, "no"),
        (0.123456, "0.1235"),
        (123456, "123456"),
        ("x", "x"),
    ],
)
def test_cells_are_shown_as_promised(value, shown: str) -> None:
    assert Page(render_report(Report("T", "S", facts={"name": value}))).text.endswith(f" {shown}")


def test_table_refuses_ragged_rows() -> None:
    with pytest.raises(ShapeError, match="row 1 of the table 'T' has 1 cells under 2"):
        Table(["a", "b"], [[1, 2], [3]], "T")


def test_write_report_makes_folders_and_leaves_one_file(tmp_path: Path, full_page: str) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_report(full_report(), path) == path
    assert sorted(os.listdir(path.parent)) == ["report.html", "results.csv", "results.json"]
    assert path.read_text("utf-8") == full_page
    write_report(Report("Later", "Replaced."), str(path))
    assert len(os.listdir(path.parent)) == 3
    assert "Later" in path.read_text("utf-8")


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_failed_write_keeps_the_old_report(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_report(Report("Old", "Stays."), tmp_path / "report.html")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(f"holonet._files.os.{broken}", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(Report("New", "Lost."), path)
    assert os.listdir(tmp_path) == ["report.html"]
    assert "Old" in path.read_text("utf-8")


def test_halves_of_characters_are_written_with_a_backslash(tmp_path: Path) -> None:
    name = b"run-\xff".decode("utf-8", "surrogateescape")
    table = Table(["run"], [[name]])
    path = write_report(Report(name, "", [Section("Runs", table=table)]), tmp_path / "r.html")
    assert "run-\\udcff" in path.read_text("utf-8")
