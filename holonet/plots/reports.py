"""Reports: tables, figures and provenance as one HTML file that needs nothing else."""

import base64
import io
import re
from importlib import resources
from pathlib import Path

import matplotlib
from jinja2 import Environment, StrictUndefined
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from holonet._arguments import checked
from holonet._files import write_atomically
from holonet._page import Cell, Report, Section, Table

__all__ = ["Cell", "Report", "Section", "Table", "render_report", "write_report"]


@checked
def write_report(report: Report, path: str | Path) -> Path:
    """Write the report as one HTML file, whole or not at all, and return its path.

    Missing folders are made; a reader of an older file at `path` sees it until the new one is
    complete.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_report(Report("Run 1", "It works."), f"{folder}/report.html").name
        'report.html'
    """
    return write_atomically(Path(path), render_report(report))


@checked
def render_report(report: Report) -> str:
    """The report as the text of an HTML page: styles and figures inside, no scripts, no links out.

    Every text is escaped; halves of characters, as in names of files that are no UTF-8, are written
    with a backslash. A figure that holds pixels becomes a PNG at twice its size, any other
    an SVG.
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
    page = environment.from_string(source).render(report=report)
    return page.encode("utf-8", "backslashreplace").decode("utf-8")


def _paragraphs(text: str) -> list[str]:
    """The paragraphs of a plain text."""
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


_NUMBER = re.compile(r"[<>≤≥≈~±+\-−]?\s*\d[\d\s.,eE+\-−–±/%()\[\]×^]*")
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


def _embed(figure: Figure) -> str:
    """The figure as a data URI."""
    buffer = io.BytesIO()
    if figure.findobj(AxesImage):
        figure.savefig(buffer, format="png", dpi=2 * figure.dpi, metadata={"Software": None})
        kind = "image/png"
    else:
        with matplotlib.rc_context({"svg.hashsalt": "holonet"}):
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        kind = "image/svg+xml"
    return f"data:{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _describe(figure: Figure, text: str) -> str:
    """What a figure shows, for those who cannot see it: the text, then each panel's axes."""
    panels = [
        " against ".join(filter(None, (ax.get_ylabel(), ax.get_xlabel())))
        for ax in figure.axes
        if ax.get_xlabel() or ax.get_ylabel()
    ]
    return f"{text.strip().rstrip('.')}. Axes: {'; '.join(panels)}." if panels else text.strip()
