"""Reports: tables, figures and provenance as one HTML file that needs nothing else."""

import base64
import io
import json
import re
from importlib import resources
from pathlib import Path

import matplotlib
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure

from holonet._arguments import checked
from holonet._files import write_atomically
from holonet._page import CITATION, Cell, Report, Section, Table, numbers_csv, strict_json
from holonet.plots.style import GRID, INK, MUTED

__all__ = ["Cell", "Report", "Section", "Table", "render_report", "write_report"]

JSON, CSV = "results.json", "results.csv"
RESERVED = ("notes", "numbers", "cite", "provenance")  # anchors of the page's own sections


@checked
def write_report(report: Report, path: str | Path) -> Path:
    """Write the report as one HTML file, whole or not at all, and return its path.

    Its numbers, if there are any, are written beside it as results.json and results.csv. Missing
    folders are made; a reader of an older file at `path` sees it until the new one is complete.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_report(Report("Run 1", "It works."), f"{folder}/report.html").name
        'report.html'
    """
    path = Path(path)
    if report.numbers is not None:
        numbers = strict_json(report.numbers)
        text = json.dumps(numbers, indent=1, allow_nan=False)
        write_atomically(path.with_name(JSON), text + "\n")
        write_atomically(path.with_name(CSV), numbers_csv(numbers["cells"]))
    return write_atomically(path, render_report(report))


@checked
def render_report(report: Report) -> str:
    """The report as the text of an HTML page: styles and figures inside, no scripts.

    It links to its own sections and to its numbers beside it. Every text is escaped; halves of
    characters, as in names of files that are no UTF-8, are written with a backslash.
    """
    source = resources.files("holonet.plots").joinpath("report.html.j2").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["paragraphs"] = _paragraphs
    environment.filters["cell"] = _cell
    environment.globals["numeric_columns"] = _numeric_columns
    environment.globals["embed"] = _embed
    environment.globals["describe"] = _describe
    page = environment.from_string(source).render(
        report=report,
        anchors=_anchors([section.title for section in report.sections]),
        files=(JSON, CSV) if report.numbers is not None else (),
        citations=[CITATION, *report.citations],
    )
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _anchors(titles: list[str]) -> list[str]:
    """A name for each title, of lower-case letters, digits and dashes; no two are equal.

    Example:
        >>> _anchors(["Training", "Is it so?", "Training"])
        ['training', 'is-it-so', 'training-3']
    """
    anchors: list[str] = []
    for number, title in enumerate(titles, 1):
        name = "-".join(re.findall(r"[a-z0-9]+", title.lower())) or f"section-{number}"
        anchors.append(f"{name}-{number}" if name in {*anchors, *RESERVED} else name)
    return anchors


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]


def _cell(value: Cell) -> str:
    """A value as the reader sees it."""
    match value:
        case None:
            return "–"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.4g}"
        case _:
            return str(value)


_NUMBER = re.compile(r"[<>≤≥≈~±+\-−]?\s*\d(?:[\d\s.,eE+\-−–±/%()\[\]×^]|\bto\b)*")
_BLANK = {"", "-", "–", "—"}


def _numeric_columns(table: Table) -> list[bool]:
    """For each column, whether it holds numbers (with %, ± or an interval) and nothing else."""
    columns = []
    for index in range(len(table.headers)):
        texts = [_cell(row[index]).strip() for row in table.rows]
        filled = [text for text in texts if text not in _BLANK]
        numbers = (
            _NUMBER.fullmatch(text) or text.lower() in {"nan", "inf", "-inf"} for text in filled
        )
        columns.append(bool(filled) and all(numbers))
    return columns


_DARK = {
    "#ffffff": "#1c2027",
    INK: "#e6e8ec",
    MUTED: "#9aa3b2",
    GRID: "#343a45",
    "#000000": "#f5f7fa",
    "#0072b2": "#56b4e9",
}
"""Colors of lines, texts and backgrounds in dark mode; those of pixels stay."""


def _embed(figure: Figure) -> str:
    """The figure as the data URI of an SVG that follows the reader's dark mode."""
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "holonet"}):
        figure.savefig(buffer, format="svg", dpi=2 * figure.dpi, metadata={"Date": None})
    rules = "".join(
        f'[style*="{what}: {light.lower()}"]{{{what}:{dark}!important}}'
        for light, dark in _DARK.items()
        for what in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    text = buffer.getvalue().replace("</defs>", f"</defs>{style}", 1)
    return f"data:image/svg+xml;base64,{base64.b64encode(text.encode()).decode('ascii')}"


def _describe(figure: Figure, text: str) -> str:
    """What a figure shows, for those who cannot see it: the text, then each panel's axes."""
    panels = [
        " against ".join(filter(None, (ax.get_ylabel(), ax.get_xlabel())))
        for ax in figure.axes
        if ax.get_xlabel() or ax.get_ylabel()
    ]
    return f"{text.strip().rstrip('.')}. Axes: {'; '.join(panels)}." if panels else text.strip()
