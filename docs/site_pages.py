"""What the site has of the code: a page for each unit, the gallery, and charts of timings."""

import importlib
import inspect
import io
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import holonet

HIDDEN = {"cli"}  # a command, not an interface of Python
OPTIONAL = {"interop": ["holonet.interop.sklearn"]}  # not in `__all__`: its package is optional
PIXELS = 240
BENCHMARKS = Path(__file__).parent / "benchmarks"
SIZE = "{ width=160 style='max-width: none' }"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Append the units to the navigation."""
    pages = [{unit: f"api/{unit}.md"} for unit in units()]
    config.nav = [*(config.nav or []), {"Python": pages}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made here."""
    for unit in units():
        files.append(File.generated(config, f"api/{unit}.md", content=unit_page(unit)))
    files.append(File.generated(config, "gallery.md", content=gallery_page()))
    for name, picture in portraits():
        files.append(File.generated(config, f"gallery/{name}.png", content=picture))
    for name, picture in charts():
        files.append(File.generated(config, f"performance/{name}.png", content=picture))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """On the page of timings a chart stands before each table, and the table can be opened."""
    del config, files
    return with_charts(markdown) if page.file.src_path == "performance.md" else markdown


def units() -> list[str]:
    """The public packages of holonet, and its one public module."""
    found = (m.name for m in pkgutil.iter_modules(holonet.__path__) if not m.name.startswith("_"))
    return sorted(set(found) - HIDDEN)


def unit_page(unit: str) -> str:
    """All public names of a unit, as its `__all__` has them."""
    module = importlib.import_module(f"holonet.{unit}")
    lines = [f"# holonet.{unit}", "", f"::: holonet.{unit}", "    options:", "      members:"]
    submodules = {m.name for m in pkgutil.iter_modules(getattr(module, "__path__", []))}
    apart = list(OPTIONAL.get(unit, []))
    for name in module.__all__:
        value = getattr(module, name)
        where = value.__name__ if inspect.ismodule(value) else getattr(value, "__module__", "")
        if where.endswith(f".{name}") or name in submodules:  # which static analysis would take
            apart.append(where if inspect.ismodule(value) else f"{where}.{name}")
        else:
            lines.append(f"        - {name}")
    for path in apart:
        lines += ["", f"::: {path}", "    options:"]
        lines += ["      show_root_heading: true", "      show_root_toc_entry: true"]
    return "\n".join(lines) + "\n"


def gallery_page() -> str:
    """A row for each function of the catalogue."""
    from holonet.functions import CATALOGUE

    lines = [
        "# Gallery of activations",
        "",
        "Phase portraits for -4 < Re z, Im z < 4. The hue is the argument of f(z). Lines are",
        "contours of argument and modulus. All hues meet at zeros and poles. Along cuts the hue",
        "jumps.",
        "",
        "| name | f(z) | class | singularities | portrait |",
        "|---|---|---|---|---|",
    ]
    for name, record in CATALOGUE.items():
        kinds = ", ".join(sorted({f"{s.kind.value}s" for s in record.singularities})) or "none"
        picture = f"![Phase portrait of {name}](gallery/{name}.png){SIZE}"
        row = f"`{name}`", f"`{record.formula}`", record.function_class.value, kinds, picture
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    return "\n".join(lines) + "\n"


def portraits() -> Iterator[tuple[str, bytes]]:
    """PNG files."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    from holonet.functions import CATALOGUE
    from holonet.plots import phase_portrait

    for name, record in CATALOGUE.items():
        _, axes = plt.subplots(figsize=(1.6, 1.6), layout="constrained")
        figure = phase_portrait(record, domain=(-4, 4, -4, 4), resolution=PIXELS, ax=axes)
        axes.set(xlabel="", ylabel="")
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=150)
        plt.close(figure)
        yield name, file.getvalue()


def with_charts(markdown: str) -> str:
    """The page of timings with a chart for each suite of each file, its table folded behind it."""
    lines: list[str] = []
    for part in re.split(r"^(?=##)", markdown, flags=re.MULTILINE):
        if title := re.match(r"## (\w+)$", part, flags=re.MULTILINE):
            file = title[1]
        if suite := re.match(r"### (\w+), in units of .*\n", part):
            head, table = part[: suite.end()], part[suite.end() :].strip()
            picture = f"![Ratios of {suite[1]}](performance/{file}-{suite[1]}.png)"
            folded = f"<details markdown><summary>Table</summary>\n\n{table}\n\n</details>"
            lines.append(f"{head}\n{picture}\n\n{folded}\n\n")
        else:
            lines.append(part)
    return "".join(lines)


def charts() -> Iterator[tuple[str, bytes]]:
    """PNG files of ratios with their quartiles: rows are cases, marks are contenders."""
    from matplotlib.ticker import LogLocator, NullFormatter

    from holonet.bench.results import read_rows
    from holonet.plots.style import add_legend, color, label_axes, marker, new_figure

    for path in sorted(BENCHMARKS.glob("*.csv")):
        rows = [row for row in read_rows(path)[0] if row.rounds]
        for suite in dict.fromkeys(row.suite for row in rows):
            shown = [row for row in rows if row.suite == suite]
            cases = list(dict.fromkeys(row.case for row in shown))
            figure, (axes,) = new_figure(8.0, 1.2 + 0.19 * len(cases))
            for k, contender in enumerate(dict.fromkeys(row.contender for row in shown)):
                these = [row for row in shown if row.contender == contender]
                ratios = [row.ratio for row in these]
                ends = (
                    [row.ratio - row.ratio_low for row in these],
                    [row.ratio_high - row.ratio for row in these],
                )
                axes.errorbar(
                    ratios,
                    [cases.index(row.case) for row in these],
                    xerr=ends,
                    fmt=marker(k),
                    color=color(k),
                    markersize=4,
                    label=contender,
                )
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.xaxis.set_minor_formatter(NullFormatter())
            axes.set_yticks(range(len(cases)), cases)
            axes.set_ylim(len(cases) - 0.5, -0.5)
            label_axes(axes, "ratio", "")
            add_legend(axes, loc="lower center", ncols=3, bbox_to_anchor=(0.3, 1.0))
            file = io.BytesIO()
            figure.savefig(file, format="png", dpi=120, bbox_inches="tight")
            yield f"{path.stem}-{suite}", file.getvalue()
