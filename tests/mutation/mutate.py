"""Plant faults in the mathematics, one at a time, and see whether the tests notice.

Run: python tests/mutation/mutate.py [--count 60] [--seed 0] [--jobs 2] [--out FILE] [--again FILE]

Every place in the given units where a sign could be flipped, a conjugate dropped, real and
imaginary part swapped, or a factor lost is a candidate; a random sample of them, spread over the
files, is tried in copies of the repository. A mutant is killed if a test fails: those of its own
file first, then those of its unit and those that lean on it, the laws included. `--out` writes one
line of JSON for each mutant; `--again` tries the ones that such a file says were killed, wherever
their line is today, which shows whether a changed suite is as strong as the earlier one.
"""

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).parents[2]
UNITS = ("attacks", "calculus", "functions", "nn", "ops", "regularizers", "symbolic")
LEANING = {
    "attacks": ["tests/training/rules", "tests/laws/test_labels.py"],
    "calculus": [
        "tests/testing/test_assertions.py",
        "tests/testing/test_harmonicity.py",
        "tests/impostors",
        "tests/laws/test_calculus.py",
    ],
    "functions": ["tests/nn", "tests/laws"],
    "nn": ["tests/laws/test_modules.py", "tests/training/config"],
    "ops": ["tests/functions", "tests/laws/test_functions.py", "tests/laws/test_values.py"],
    "regularizers": ["tests/training/rules"],
    "symbolic": ["tests/laws/test_formulas.py", "tests/laws/test_values.py"],
}
SWAPPED = {"real": "imag", "imag": "real"}
EQUIVALENT = {
    ("holonet/calculus/checks.py", "math.pi / 16"): "where a search starts that then refines",
    ("holonet/calculus/contour.py", "w.real"): "asked for its dtype and device only",
    (
        "holonet/calculus/harmonic_part.py",
        "64 * torch.finfo(modes.dtype).eps",
    ): "a rounding threshold",
    ("holonet/regularizers/dirichlet.py", "1j"): "|J^H w| is the same for i and -i",
    ("holonet/regularizers/hardy.py", "z + step * v"): "the same circle, begun at its other end",
    ("holonet/regularizers/laplacian.py", "1j"): "D2u[iv, iv] = D2u[-iv, -iv]",
    (
        "holonet/calculus/taylor.py",
        "2 * fit.slope_error + settling",
    ): "the margin is taken with both signs; without the drift a test fails",
}
"""Changes that change nothing: (file, old) -> why; judged by hand, tried and reported apart."""

TIME_LIMIT = 1200  # seconds for one run of tests


@dataclass(frozen=True)
class Mutant:
    """One change: `old` becomes `new` at a line and column of a file."""

    path: str
    line: int
    start: int
    end: int
    old: str
    new: str
    text: str  # the line without its indentation, by which it is found again
    offset: int  # of `start` in it

    def __str__(self) -> str:
        return f"{self.path}:{self.line}  {self.old}  ->  {self.new}"


def candidates(path: Path) -> Iterator[Mutant]:
    """All changes of one line that the operators propose."""
    source = path.read_text()
    lines = source.splitlines()
    tree = ast.parse(source)
    skipped = {id(n) for top in ast.walk(tree) for n in _not_mathematics(top)}

    def change(node: ast.expr, new: str) -> Iterator[Mutant]:
        if node.lineno != node.end_lineno or not lines[node.lineno - 1].isascii():
            return
        old = lines[node.lineno - 1][node.col_offset : node.end_col_offset]
        where = path.relative_to(ROOT).as_posix()
        line = lines[node.lineno - 1]
        offset = node.col_offset - (len(line) - len(line.lstrip()))
        start, end = node.col_offset, node.end_col_offset or 0
        yield Mutant(where, node.lineno, start, end, old, new, line.strip(), offset)

    def text(node: ast.expr) -> str:
        found = ast.get_source_segment(source, node) or ""
        return f"({found})" if isinstance(node, ast.BinOp | ast.UnaryOp) else found

    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        match node:
            case ast.Constant(value=0j) | ast.BinOp(right=ast.Constant(value=0j)):
                pass  # its sign is that of a zero
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                yield from change(node, f"{text(left)} - {text(right)}")
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                yield from change(node, f"{text(left)} + {text(right)}")
            case ast.BinOp(left=left, op=ast.Mult() | ast.Div(), right=ast.Constant()):
                yield from change(node, text(left))
            case ast.BinOp(left=ast.Constant(), op=ast.Mult(), right=right):
                yield from change(node, text(right))
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=1)):
                pass  # an axis, as a rule
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                yield from change(node, text(operand))
            case ast.Constant(value=complex()):
                yield from change(node, f"(-{text(node)})")
            case ast.Call(func=ast.Attribute(value=inner, attr="conj"), args=[]):
                yield from change(node, text(inner))
            case ast.Attribute(value=inner, attr="real" | "imag"):
                yield from change(node, f"{text(inner)}.{SWAPPED[node.attr]}")


def _not_mathematics(node: ast.AST) -> Iterator[ast.AST]:
    """Messages, annotations, indices and what is raised: no change of a law is in there."""
    roots: list[ast.AST | None] = []
    match node:
        case ast.Raise() | ast.JoinedStr() | ast.Slice():
            roots = [node]
        case ast.Subscript(slice=index):
            roots = [index]
        case ast.FunctionDef(args=arguments, returns=returns):
            roots = [arguments, returns]
        case ast.AnnAssign(annotation=annotation):
            roots = [annotation]
        case ast.BinOp(left=ast.Constant(value=str())) | ast.BinOp(right=ast.Constant(value=str())):
            roots = [node]
        case _:
            pass
    for root in roots:
        if root is not None:
            yield from ast.walk(root)


def sample(units: list[str], count: int, seed: int) -> list[Mutant]:
    """Mutants spread over the files: one of each in turn, in random order."""
    draw = random.Random(seed)
    piles = []
    for unit in units:
        for path in sorted((ROOT / "holonet" / unit).rglob("*.py")):
            pile = list(candidates(path))
            draw.shuffle(pile)
            piles.append(pile)
    draw.shuffle(piles)
    chosen: list[Mutant] = []
    while len(chosen) < count and any(piles):
        chosen += [pile.pop() for pile in piles if pile]
    return chosen[:count]


def found_again(mutant: Mutant) -> Mutant | None:
    """The same change in today's code, in the file of that name first; None if its line is gone."""
    files = sorted((ROOT / "holonet").rglob("*.py"), key=lambda path: path.name)
    named = [path for path in files if path.name == Path(mutant.path).name]
    for path in [*named, *files]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.strip() == mutant.text:
                start = line.index(mutant.text) + mutant.offset
                where = path.relative_to(ROOT).as_posix()
                end = start + mutant.end - mutant.start
                return replace(mutant, path=where, line=number, start=start, end=end)
    return None


def killed_by(mutant: Mutant, copy: Path) -> str:
    """The first group of tests that fails with the mutant in place, or ''."""
    path = copy / mutant.path
    original = path.read_text()
    lines = original.splitlines(keepends=True)
    line = lines[mutant.line - 1]
    lines[mutant.line - 1] = line[: mutant.start] + mutant.new + line[mutant.end :]
    path.write_text("".join(lines))
    unit, *rooms = Path(mutant.path).parts[1:-1]
    own = "/".join(["tests", unit, *rooms, f"test_{Path(mutant.path).stem}.py"])
    groups = [[own]] if (copy / own).exists() else []
    groups += [[f"tests/{unit}", mutant.path], LEANING[unit]]
    try:
        for group in groups:
            if _fails(group, copy):
                return " ".join(group)
    finally:
        path.write_text(original)
    return ""


def _fails(tests: list[str], copy: Path) -> bool:
    options = ["-x", "-q", "-m", "not slow", "-p", "no:cacheprovider", "-p", "no:xdist"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    environment = {**os.environ, "PYTHONPATH": str(copy), "HYPOTHESIS_PROFILE": "ci"}
    try:
        done = subprocess.run(
            command,
            cwd=copy,
            env=environment,
            capture_output=True,
            timeout=TIME_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode in (1, 2)


def main() -> None:
    """Sample, run, and print survivors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("units", nargs="*", default=UNITS, help="units of holonet to mutate")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="only say what would be tried")
    parser.add_argument("--out", type=Path, help="a line of JSON for each mutant")
    parser.add_argument("--again", type=Path, help="the mutants that this file says were killed")
    chosen = parser.parse_args()
    if chosen.again:
        lines = map(json.loads, chosen.again.read_text().splitlines())
        before = [Mutant(**line["mutant"]) for line in lines if line["killed_by"]]
        mutants = [today for m in before if (today := found_again(m))]
        print("\n".join(f"its line is gone: {m}" for m in before if not found_again(m)))
    else:
        mutants = sample(list(chosen.units), chosen.count, chosen.seed)
    if chosen.list:
        print("\n".join(map(str, mutants)))
        return
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for k in range(chosen.jobs):
            copy = Path(folder) / f"copy{k}"
            ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", "reports", "runs")
            shutil.copytree(ROOT, copy, ignore=ignored)
            copies.put(copy)

        def run(mutant: Mutant) -> tuple[Mutant, str, float]:
            copy, start = copies.get(), time.perf_counter()
            try:
                return mutant, killed_by(mutant, copy), time.perf_counter() - start
            finally:
                copies.put(copy)

        survivors = []
        with ThreadPoolExecutor(chosen.jobs) as pool:
            for done, (mutant, by, seconds) in enumerate(pool.map(run, mutants), 1):
                verdict = f"killed by {by}" if by else "SURVIVED"
                print(f"[{done}/{len(mutants)}] {mutant}  {verdict}  ({seconds:.0f} s)", flush=True)
                if chosen.out:
                    line = {"mutant": asdict(mutant), "killed_by": by}
                    with chosen.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                if not by:
                    survivors.append(mutant)
    harmless = [m for m in survivors if (m.path, m.old) in EQUIVALENT]
    killed, tried = len(mutants) - len(survivors), len(mutants) - len(harmless)
    print(f"\n{killed} of {tried} killed ({100 * killed / max(1, tried):.1f}%)")
    for mutant in survivors:
        why = EQUIVALENT.get((mutant.path, mutant.old), "")
        print(f"survived: {mutant}{why and f'  (equivalent: {why})'}")


if __name__ == "__main__":
    main()
