"""The pages of the site: their code runs, the navigation has all of them, the code's names too."""

import importlib.util
import pkgutil
import re
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.mark import ParameterSet

import holonet
import holonet.attacks
import holonet.data
from holonet.functions import CATALOGUE
from old_lirpa import make_importable

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.relative_to(ROOT / "docs").as_posix() for path in ROOT.glob("docs/**/*.md"))


def blocks(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture(scope="module")
def site_pages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs/site_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


LONG = "getting-started.md"  # trains on all digits, and attacks as long as users would
SLOW = {
    "analyticity.md",  # searches many lines
    "complex-data.md",  # trains on 600 signals
    "images.md",  # exports to ONNX
    "neighbours.md",  # Lightning takes five seconds to import, and warns
    "use-elsewhere.md",  # exports to ONNX, and searches over settings
}


def with_marks(page: str) -> ParameterSet:
    marks = [pytest.mark.slow] if page in SLOW else []
    marks += [pytest.mark.filterwarnings("ignore")] if page == "neighbours.md" else []
    return pytest.param(page, marks=marks)


def run_blocks(page: str) -> None:
    names: dict[str, object] = {}
    for block in blocks(page):
        exec(compile(block, page, "exec"), names)


@pytest.mark.parametrize("page", [with_marks(page) for page in PAGES if blocks(page)])
def test_python_blocks_of_a_page_run_in_order(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if page == "neighbours.md":
        make_importable()
    if page == LONG:
        few = holonet.data.load_digits().subset(train=200, test=20)
        short = partial(holonet.attacks.worst_case, attacks={"fgsm": holonet.attacks.fgsm})
        monkeypatch.setattr(holonet.data, "load_digits", lambda: few)
        monkeypatch.setattr(holonet.attacks, "worst_case", short)
    run_blocks(page)


@pytest.mark.slow
def test_python_blocks_of_a_long_page_run_as_they_stand() -> None:
    run_blocks(LONG)


def test_the_navigation_has_every_page() -> None:
    settings = (ROOT / "mkdocs.yml").read_text()
    missing = [page for page in PAGES if not re.search(rf"[ :]{page}$", settings, re.MULTILINE)]
    assert not missing


def test_every_public_unit_has_a_page(site_pages: ModuleType) -> None:
    found = {m.name for m in pkgutil.iter_modules(holonet.__path__)}
    assert {"nn", "functions", "errors"} <= set(site_pages.units()) < found
    page = site_pages.unit_page("attacks")
    assert "::: holonet.attacks\n" in page
    assert "        - ThreatModel\n" in page
    assert "::: holonet.attacks.square.square\n" in page  # in a module of its name
    assert "::: holonet.interop.sklearn\n" in site_pages.unit_page("interop")


def test_the_gallery_has_every_function_of_the_catalogue(site_pages: ModuleType) -> None:
    names = re.findall(r"^\| `(\w+)` \|", site_pages.gallery_page(), flags=re.MULTILINE)
    assert names == list(CATALOGUE)
    name, picture = next(site_pages.portraits())
    assert (name, picture[:4]) == (names[0], b"\x89PNG")


def test_every_suite_of_timings_has_a_chart_before_its_table(
    site_pages: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = site_pages.with_charts((ROOT / "docs/performance.md").read_text())
    shown = re.findall(r"\]\(performance/([\w-]+)\.png\)\n\n<details", page)
    name, picture = next(site_pages.charts())
    assert (name, picture[:4]) == (shown[0], b"\x89PNG")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda *_, **__: None)
    assert shown == [name for name, _ in site_pages.charts()]
    assert page.count("<details") == page.count("</details>") == len(shown)


@pytest.mark.slow
def test_every_chart_is_a_picture(site_pages: ModuleType) -> None:
    assert all(picture[:4] == b"\x89PNG" for _, picture in site_pages.charts())


@pytest.mark.slow
def test_every_public_name_is_on_the_page_of_its_unit(
    site_pages: ModuleType, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True)
    missing = []
    for unit in site_pages.units():
        page = (tmp_path / "api" / unit / "index.html").read_text()
        names = importlib.import_module(f"holonet.{unit}").__all__
        missing += [n for n in names if not re.search(rf'id="holonet\.{unit}\.[\w.]*\b{n}"', page)]
    assert not missing
