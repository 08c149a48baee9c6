"""The table of units: who may import whom, and where optional packages may be imported."""

import ast
import runpy
import sys
from pathlib import Path

import pytest

from cases import each

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "holonet"

ROWS = {
    "errors": 0,
    "_types": 1,
    "_files": 1,
    "_optional": 1,
    "_page": 1,
    "_progress": 1,
    "_arguments": 1,
    "_provenance": 1,
    "_named_object": 1,
    "_cache": 2,
    "statistics": 2,
    "domains": 2,
    "functions": 3,
    "calculus": 4,
    "ops": 4,
    "nn": 5,
    "data": 5,
    "singularities": 5,
    "regularizers": 6,
    "threats": 6,
    "_subject": 6,
    "symbolic": 6,
    "audit": 6,
    "continuation": 6,
    "attacks": 7,
    "certify": 7,
    "training": 8,
    "diagnostics": 8,
    "testing": 8,
    "interop": 9,
    "bench": 9,
    "plots": 9,
    "studies": 10,
    "experiments": 10,
    "papers": 11,
    "cli": 12,
}

# optional or heavy package -> the places (relative to holonet/) that may import it
CORNERS = {
    "matplotlib": ("plots/",),
    "jinja2": ("plots/",),
    "sympy": ("symbolic/",),
    "hypothesis": ("testing/strategies.py",),
    "mpmath": ("symbolic/",),  # what sympy computes with
    "triton": (),
    "flint": ("certify/check.py",),
    "PIL": ("data/image_folder.py",),
    "sklearn": ("data/images.py", "data/photographs.py", "interop/"),
    "skrf": ("data/reflections.py",),
    "complextorch": ("nn/", "audit/", "interop/complextorch.py"),
    "captum": (),
    "lightning": (),
    "pyautoattack": ("interop/",),
    "auto_LiRPA": ("interop/lirpa.py",),
    "torchattacks": ("interop/",),
    "foolbox": ("interop/",),
    "art": ("interop/",),
    "typer": ("cli/",),
    "pydantic": ("training/config/",),
    "tensorboard": (),  # torch.utils.tensorboard imports it, in training/tensorboard.py
    "lightning_fabric": ("training/parallel.py",),
    "onnxruntime": ("interop/",),
    "safetensors": ("training/checkpoint.py", "interop/export.py"),
    "tomli_w": ("training/config/run.py",),
    "threadpoolctl": ("studies/processes.py",),
}

# where torch is asked to differentiate: functions, a real number in the examples of an attack;
# operations that declare their own derivatives; and measurements
SEAM = ("calculus/wirtinger.py", "attacks/objectives.py", "functions/analytic.py", "ops/", "bench/")
SEAM_NAMES = {"jvp", "vjp", "jacfwd", "jacrev", "hessian", "linearize", "forward_ad", "functional"}
SEAM_NAMES |= {"grad", "grad_and_value"}


def violations(source: str, path: str) -> list[str]:
    """What a file at `path` (relative to holonet/) imports that it must not."""
    unit = path.split("/", maxsplit=1)[0].removesuffix(".py")
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                found.append(f"{path}: relative import")
                continue
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            if any(alias.name == "*" for alias in node.names):
                found.append(f"{path}: star import from {node.module}")
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            first = node.args[0] if node.args else None
            if not isinstance(first, ast.Constant):
                if unit == "__init__":
                    continue  # the root imports its units when they are asked for
                found.append(f"{path}: import of a computed name")
                continue
            names = [str(first.value)]
        elif isinstance(node, ast.Attribute):
            if _differentiates(ast.unparse(node)) and not path.startswith(SEAM):
                found.append(f"{path}: {ast.unparse(node)} outside of calculus")
            continue
        else:
            continue
        for name in names:
            found += _judge(name, unit, path)
            if _differentiates(name) and not path.startswith(SEAM):
                found.append(f"{path}: {name} outside of calculus")
    return found


def _differentiates(name: str) -> bool:
    """Whether a dotted name is one of torch's functions for derivatives."""
    parts = name.split(".")
    home = parts[-2] if len(parts) > 1 else ""
    return home in ("torch", "autograd", "func") and parts[-1] in SEAM_NAMES


def _called(node: ast.Call) -> str:
    return ast.unparse(node.func).split(".")[-1]


def _judge(name: str, unit: str, path: str) -> list[str]:
    top, *rest = name.split(".")
    if top in CORNERS:
        allowed = any(
            Path(path).match(place) if "*" in place else path.startswith(place)
            for place in CORNERS[top]
        )
        return [] if allowed else [f"{path}: {top} outside of its corner"]
    if top != "holonet" or unit in {"__init__", "__main__"}:
        return []
    if not rest or rest[0] not in ROWS:
        return [f"{path}: imports the root package"]
    target = rest[0]
    if target == unit or ROWS[target] < ROWS[unit]:
        return []
    way = "sideways" if ROWS[target] == ROWS[unit] else "upward"
    return [f"{path}: {way} import of {target}"]


def test_every_file_keeps_the_order() -> None:
    found = [
        v
        for file in sorted(PACKAGE.rglob("*.py"))
        for v in violations(file.read_text(), file.relative_to(PACKAGE).as_posix())
    ]
    assert not found, "\n".join(found)


def test_every_unit_has_a_row() -> None:
    units = {p.name.removesuffix(".py") for p in PACKAGE.iterdir() if p.suffix in ("", ".py")}
    assert units - {"__init__", "__pycache__", "__main__"} <= set(ROWS)


@each("folder", ["benchmarks", "mutation"])
def test_what_scripts_of_the_tests_import_is_there(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = ROOT / "tests" / folder
    monkeypatch.setattr(sys, "path", [str(place), *sys.path])
    scripts = sorted(place.glob("*.py"))
    assert scripts
    for script in scripts:
        runpy.run_path(str(script), run_name=script.stem)


def test_no_file_of_fixtures_imports_holonet_or_torch_at_the_top() -> None:
    """pytest imports those of folders that are named before annotations are enforced."""
    for path in sorted(ROOT.glob("tests/**/conftest.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {name.name for name in node.names} | {getattr(node, "module", None) or ""}
                found = {name.split(".")[0] for name in names} & {"holonet", "torch"}
                assert not found, f"{path.relative_to(ROOT)}: import {found} inside of the fixture"


def test_root_imports_no_optional_package() -> None:
    import subprocess

    code = (
        "import sys, holonet; print([m for m in ('matplotlib', 'sympy.plotting', 'sklearn', "
        "'typer', 'lightning_fabric', 'hypothesis') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@each(
    ("path", "source", "fault"),
    [
        ("calculus/hardy.py", "from holonet.nn import Linear", "upward"),
        ("nn/linear.py", "from holonet.data import embed", "sideways"),
        ("regularizers/dirichlet.py", "import holonet", "root"),
        ("threats/threat_model.py", "from holonet import nn as n", "allowed"),
        ("threats/threat_model.py", "from holonet import attacks", "upward"),
        ("functions/record.py", "def f():\n    from holonet.calculus import dbar", "upward"),
        (
            "domains/base.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import holonet.functions",
            "upward",
        ),
        ("nn/conv.py", "from . import linear", "relative"),
        ("nn/conv.py", "from ..data import embed", "relative"),
        ("diagnostics/robustness.py", "from holonet.training import fit", "sideways"),
        ("nn/init.py", "import importlib\nimportlib.import_module('holonet.cli')", "upward"),
        ("nn/init.py", "import importlib\nimportlib.import_module(name)", "computed"),
        ("training/loop.py", "import matplotlib.figure", "corner"),
        ("ops/pointwise/reference.py", "import triton", "corner"),
        ("nn/linear.py", "from torch import *", "star"),
        ("regularizers/dirichlet.py", "import torch\ntorch.func.jvp", "outside of calculus"),
        ("attacks/gradient.py", "import torch\ntorch.autograd.grad(a, b)", "outside of calculus"),
        ("nn/linear.py", "from torch.autograd import forward_ad", "outside of calculus"),
        ("nn/linear.py", "from torch import autograd\nautograd.grad(a, b)", "outside of calculus"),
        ("nn/linear.py", "from torch.func import vjp", "outside of calculus"),
        ("attacks/objectives.py", "import torch\ntorch.autograd.grad(a, b)", "allowed"),
        ("nn/linear.py", "from torch.nn import functional", "allowed"),
    ],
)
def test_planted_violations_are_found(path: str, source: str, fault: str) -> None:
    found = violations(source, path)
    if fault == "allowed":
        assert not found
    else:
        assert len(found) == 1
        assert fault in found[0]
