"""Pages of the site that are made of the code: one for each unit, and the gallery."""

import importlib
import inspect
import io
import pkgutil
from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

import holonet

HIDDEN = {"cli"}  # a command, not an interface of Python
OPTIONAL = {"interop": ["holonet.interop.sklearn"]}  # not in `__all__`: its package is optional
PIXELS = 240
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
    return files


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
