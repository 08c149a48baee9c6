import base64
import io
import os
import re
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from holonet.errors import ShapeError
from holonet.plots.phase_portrait import phase_portrait
from holonet.plots.reports import Report, Section, Table, render_report, write_report
from holonet.plots.style import label_axes, new_figure


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
        {"seed": 3, "command": "holonet demo"},
        headline=Table(["model", "clean"], [["a", 97.5], ["b", None]], "Accuracy."),
        notes=["One seed."],
    )


def test_page_shows_every_part_in_order() -> None:
    text = Page(render_report(full_report())).text
    parts = [
        *("Run 7", "It holds.", "Table 1. Accuracy.", "model", "97.5", "–"),
        *("Curves", "First.", "Second.", "Figure 1. A curve.", "Portrait", "Figure 2. Portrait"),
        *("Note", "Small.", "Table 2. Errors.", "1e-16", "Notes and limits", "One seed."),
        *("Provenance", "seed", "3", "command", "holonet demo"),
    ]
    place = 0
    for part in parts:
        place = text.index(part, place) + len(part)


def test_page_without_parts_has_no_empty_headings() -> None:
    page = Page(render_report(Report("T", "S")))
    assert page.text == "T T S"  # once in the browser's tab
    assert not page.all("table") + page.all("footer") + page.all("section") + page.all("aside")


def test_page_is_self_contained() -> None:
    text = render_report(full_report())
    page = Page(text)
    assert not page.all("script") + page.all("link") + page.all("iframe")
    for _, attributes in page.tags:
        for name in ("src", "href", "srcset", "data"):
            assert (attributes.get(name) or "data:").startswith("data:")
    outside = re.sub(r'src="data:[^"]*"', "", text)
    assert "http:" not in outside
    assert "https:" not in outside
    assert "url(" not in outside
    assert "@import" not in outside


def test_figures_are_embedded_with_alternative_text() -> None:
    line, portrait = Page(render_report(full_report())).all("img")
    assert line["alt"] == "A curve. Axes: accuracy (%) against eps."
    assert portrait["alt"] == "Portrait. Axes: Im z against Re z."
    kind, data = line["src"].split(",")
    assert kind == "data:image/svg+xml;base64"
    svg = base64.b64decode(data).decode()
    assert "<svg" in svg
    assert not re.search(r'(href|src)="(?!#)', svg)  # what is drawn refers to itself alone
    kind, data = portrait["src"].split(",")
    assert kind == "data:image/png;base64"
    width = imread(io.BytesIO(base64.b64decode(data))).shape[1]
    figure = full_report().sections[1].figure
    assert width == pytest.approx(2 * figure.dpi * figure.get_figwidth(), abs=2)


def test_page_is_the_same_every_time() -> None:
    assert render_report(full_report()) == render_report(full_report())


hostile = st.text(
    st.sampled_from(list("<>&\"'{}%#/= abi\n"))
    | st.characters(codec="utf-8", exclude_categories="C"),
    min_size=1,
    max_size=20,
)


@given(hostile)
def test_text_is_escaped_everywhere(word: str) -> None:
    evil = f"<script>{word}</script><img src=x onerror=y>\"'>&amp; {{{{ 1 + 1 }}}} {{% x %}}"
    table = Table([evil], [[evil]], evil)
    section = Section(evil, evil, table, new_figure(1, 1)[0], evil, evil)
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


@pytest.mark.parametrize(
    ("column", "numeric"),
    [
        ([1, 2.5, None], True),
        (["97.3 %", "81.2 [78.6, 83.5]", "–"], True),
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


@pytest.mark.parametrize(
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


def test_write_report_makes_folders_and_leaves_one_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "report.html"
    assert write_report(full_report(), path) == path
    assert os.listdir(path.parent) == ["report.html"]
    assert path.read_text("utf-8") == render_report(full_report())
    write_report(Report("Later", "Replaced."), str(path))
    assert os.listdir(path.parent) == ["report.html"]
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
