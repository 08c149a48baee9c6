"""Damage the files that holonet reads, one at a time, and see what the command makes of them.

Run: python tests/fuzz/files.py [--count 1000] [--seed 0] [--only KIND] [--case NUMBER]

Every case puts one damage (bits, cuts, other files, pipes, links, owners, hostile headers with
right digests, bombs) on one file that holonet wrote or that is a user's own, and runs the command
that reads it in a forked process. It must find the same result as without the damage, or end with
an error of holonet: one line, exit code 2 to 5. Another result, a traceback, more than 10 seconds,
or more than 1 GiB of memory is a failure. Prints every failure, and counts by kind.
"""

import argparse
import collections
import json
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from random import Random

os.environ["OMP_NUM_THREADS"] = "1"  # a process with threads of OpenMP cannot be forked

import torch
from damage import GENERIC, NOBODY, OF_OTHERS, OF_OWNERS, restore_access
from rich.console import Console
from rich.table import Table
from subjects import SUBJECTS, Subject, prepare

from holonet.errors import HolonetError

GIB = 1 << 30
SAME, OWN_ERROR, TOLD = "same result", "own error", "left out, with a word"
OTHER, TRACEBACK, HANG, MEMORY = "ANOTHER RESULT", "TRACEBACK", "HANG", "OVER 1 GiB"
FREE = "other data"
CLASSES = (SAME, OWN_ERROR, TOLD, FREE, OTHER, TRACEBACK, HANG, MEMORY)


@dataclass(frozen=True)
class Outcome:
    """What became of one case."""

    number: int
    kind: str
    damage: str
    found: str
    seconds: float
    bytes: int
    said: str


class Bench:
    """A folder in which every case finds its files as holonet made them."""

    def __init__(self, root: Path) -> None:
        self.root, self.work = root, root / "work"
        self.expected: dict[str, object] = {}

    def build(self, subject: Subject) -> None:
        """Make the files, and those of something else, and read them undamaged."""
        for name, seed in (("other", 1), ("own", 0)):
            if not self._kept(subject, name).exists():  # kinds that are in one folder share it
                self._clear()
                self.work.mkdir()
                subject.build(self.work, seed)
                self.work.rename(self._kept(subject, name))
        self._put_in_place(subject)
        found = subject.read(self.work)
        if not subject.data:
            self._put_in_place(subject)
            assert found == subject.read(self.work), f"{subject.name}: not the same twice"
        self.expected[subject.name] = json.loads(json.dumps(found))

    def run(self, subject: Subject, number: int, seed: int, limit: float) -> Outcome:
        """One case."""
        chance = Random(f"{seed}:{number}")
        self._put_in_place(subject)
        file = chance.choice(subject.files(self.work))
        others = [*subject.files(self._kept(subject, "other")), *subject.files(self.work)]
        others = [other for other in others if other != file]
        hostile = () if file.suffix == ".sha256" else subject.hostile * 2
        damages = [*GENERIC, *hostile, *OF_OWNERS]
        chosen = chance.choice([d for d in damages if not (subject.alone and d in OF_OTHERS)])
        if chosen in OF_OWNERS:
            _give_away(self.work)
        told = f"{file.relative_to(self.work)}: {chosen(file, others, chance)}"
        if chosen in OF_OWNERS and os.geteuid() == 0:
            os.chown(file, 0, 0)
        found, seconds, peak, said = self._read(subject, chosen in OF_OWNERS, limit)
        return Outcome(number, subject.name, told, found, seconds, peak, said)

    def _kept(self, subject: Subject, name: str) -> Path:
        builds = [other.build for other in SUBJECTS]
        return self.root / f"{builds.index(subject.build)}-{name}"

    def _clear(self) -> None:
        if self.work.exists():
            restore_access(self.work)
            shutil.rmtree(self.work)

    def _put_in_place(self, subject: Subject) -> None:
        self._clear()
        shutil.copytree(self._kept(subject, "own"), self.work, symlinks=True)

    def _read(self, subject: Subject, as_nobody: bool, limit: float) -> tuple[str, float, int, str]:
        out, err = self.root / "out", self.root / "err"
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            _child(subject, self.work, out, err, as_nobody)
        hung = False
        while True:
            done, status, usage = os.wait4(child, os.WNOHANG)
            if done:
                break
            if time.monotonic() - began > limit and not hung:
                hung = True
                os.kill(child, signal.SIGKILL)
            time.sleep(0.002)
        seconds = time.monotonic() - began
        base = int((self.root / "base").read_text())  # what the child began with
        peak = max(0, 1024 * usage.ru_maxrss - base)
        said = err.read_text(errors="replace")
        found = HANG if hung else self._judge(subject, os.waitstatus_to_exitcode(status), out, said)
        if found not in (HANG, TRACEBACK) and peak > GIB:
            found = MEMORY
        return found, seconds, peak, said

    def _judge(self, subject: Subject, code: int, out: Path, said: str) -> str:
        last = said.strip().splitlines()[-1:] or [""]
        if "Traceback (most recent call last)" in said or code not in (0, 2, 3, 4, 5):
            return TRACEBACK
        if code:
            told = last[0].startswith("error: ") or "Invalid value for" in said  # of usage
            return OWN_ERROR if told else TRACEBACK
        found, expected = json.loads(out.read_text()), self.expected[subject.name]
        if found == expected:
            return SAME
        if subject.data:
            return FREE
        if (
            isinstance(found, dict)
            and isinstance(expected, dict)
            and found.keys() < expected.keys()
        ):
            rest = {key: expected[key] for key in found}
            lost = expected.keys() - found.keys()
            named = all(
                f"{key}." in said or not (self.work / f"{key}.csv").exists() for key in lost
            )
            return TOLD if found == rest and named else OTHER
        return OTHER


def _child(subject: Subject, work: Path, out: Path, err: Path, as_nobody: bool) -> None:
    """Read the files, and end this process."""
    code = 1
    try:
        os.dup2(os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        sys.stderr = os.fdopen(2, "w", closefd=False)
        result = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        size, resident = (
            int(pages) * resource.getpagesize()
            for pages in Path("/proc/self/statm").read_text().split()[:2]
        )
        out.with_name("base").write_text(str(resident))
        resource.setrlimit(resource.RLIMIT_AS, (size + 2 * GIB, size + 2 * GIB))
        if as_nobody and os.geteuid() == 0:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        os.chdir("/")
        text = json.dumps(subject.read(work)).encode()
        while text:
            text = text[os.write(result, text) :]
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except HolonetError as error:  # of files that no command reads
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _give_away(work: Path) -> None:
    """Let an ordinary user own the files."""
    if os.geteuid() == 0:
        for parent, _, files in os.walk(work):
            for path in (parent, *(os.path.join(parent, file) for file in files)):
                os.chown(path, NOBODY, NOBODY)


def run(
    count: int, seed: int, only: str = "", case: int | None = None, limit: float = 10.0
) -> list[Outcome]:
    """So many cases, over all kinds in turn."""
    torch.set_num_threads(1)
    prepare()
    chosen = [subject for subject in SUBJECTS if only in subject.name]
    outcomes = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # an ordinary user reads some
        bench = Bench(Path(folder))
        for number in range(count) if case is None else [case]:
            subject = chosen[number % len(chosen)]
            if subject.name not in bench.expected:
                bench.build(subject)
            outcomes.append(bench.run(subject, number, seed, limit))
        restore_access(bench.work)
    return outcomes


def failures(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that must not be."""
    return [o for o in outcomes if o.found in (OTHER, TRACEBACK, HANG, MEMORY)]


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds whose name contains this")
    parser.add_argument("--case", type=int, help="this one alone, with all that it says")
    parser.add_argument("--limit", type=float, default=10.0, help="seconds that a case may take")
    asked = parser.parse_args()
    began = time.monotonic()
    outcomes = run(asked.count, asked.seed, asked.only, asked.case, asked.limit)
    for o in failures(outcomes) if asked.case is None else outcomes:
        said = o.said if asked.case is not None else "\n    ".join(o.said.strip().splitlines()[-3:])
        print(f"case {o.number}, {o.kind}: {o.found}\n    {o.damage}\n    {said}")
    table = Table(title=f"{len(outcomes)} cases, seed {asked.seed}")
    for header in ("kind", "cases", *CLASSES, "worst s", "worst MiB"):
        table.add_column(header, justify="left" if header == "kind" else "right")
    for kind in [*dict.fromkeys(o.kind for o in outcomes), "all"]:
        own = [o for o in outcomes if kind in ("all", o.kind)]
        counts = collections.Counter(o.found for o in own)
        worst = (max(o.seconds for o in own), max(o.bytes for o in own) / 2**20)
        numbers = [str(counts[name] or "") for name in CLASSES]
        table.add_row(kind, str(len(own)), *numbers, f"{worst[0]:.2f}", f"{worst[1]:.0f}")
    Console(width=160).print(table)
    print(f"{len(failures(outcomes))} failures, {time.monotonic() - began:.0f} s")
    sys.exit(bool(failures(outcomes)))


if __name__ == "__main__":
    main()
