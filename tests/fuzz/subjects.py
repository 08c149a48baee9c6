"""The kinds of files that holonet reads, each in a folder made by holonet, with what reads it."""

import contextlib
import gzip
import hashlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import damage
import numpy as np
import torch

import holonet.cli.attack
import holonet.cli.bench
import holonet.cli.evaluate
import holonet.papers.registry
from holonet._files import digest_path
from holonet._provenance import provenance
from holonet.attacks import ThreatModel, pgd
from holonet.bench import Case, Row, write_rows
from holonet.data import Dataset, load_dataset
from holonet.diagnostics import RobustnessReport, evaluate_robustness
from holonet.errors import CheckpointError
from holonet.statistics import Interval
from holonet.studies.claims import Claim
from holonet.studies.evidence import Criterion, Evidence
from holonet.studies.results import Result
from holonet.studies.study import Cell, Study
from holonet.training import EmpiricalRisk, ModelConfig, TrainConfig, accuracy, fit
from holonet.training.checkpoint import load_tensors

TIMES = {"seconds", "train_seconds", "step_ms", "versions", "hardware"}
SMALL = ["--hidden", "6", "--batch-size", "40", "--checkpoint-every", "1", "--json"]
EVALUATE = ["--examples", "30", "--attack", "fgsm,pgd", "--steps", "2", "--no-sanity", "--json"]


@dataclass(frozen=True)
class Subject:
    """A kind of files.

    Args:
        name: of the kind.
        build: makes a folder with the files, and a folder of the same for something else.
        targets: patterns of the files that are damaged.
        read: reads them by a command, and gives what it finds.
        hostile: damages of this kind alone.
        data: the files are the user's own: other contents are other data, which nothing is
            compared with.
        alone: a file stands for nothing but itself: a whole other one in its place is no fault.
    """

    name: str
    build: Callable[[Path, int], None]
    targets: tuple[str, ...]
    read: Callable[[Path], Any]
    hostile: tuple[damage.Damage, ...] = ()
    data: bool = False
    alone: bool = False

    def files(self, folder: Path) -> list[Path]:
        """What is damaged, in this folder."""
        return sorted({file for pattern in self.targets for file in folder.glob(pattern)})


def command(*arguments: str) -> Any:
    """What a command of holonet prints as JSON, without times.

    Raises:
        SystemExit: its exit code is not 0.
    """
    from holonet.cli.main import main

    sys.argv = ["holonet", *arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out:
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
    text = out.getvalue().strip()
    return _timeless(json.loads(text.splitlines()[-1])) if text.endswith(("}", "]")) else text


def prepare() -> None:
    """Small batches, no pictures, a study and a suite that take no time."""
    holonet.cli.evaluate.BATCH = holonet.cli.attack.BATCH = 10
    for module in (holonet.cli.evaluate, holonet.cli.attack):
        module.save_picture = lambda path, draw: None  # nothing reads pictures
    holonet.cli.bench.require_green = lambda: ""
    case = Case("a case", {"holonet": int}, {"copy": int})
    holonet.cli.bench.SUITES = {"pointwise": lambda quick: iter([case])}
    holonet.papers.registry.STUDIES = {"small": Small}
    # what is imported for a message of usage, which an ordinary user may not be able to read
    with contextlib.suppress(SystemExit), contextlib.redirect_stderr(io.StringIO()):
        command("train", "--resume", "--run-dir", "/dev/null/x", "--nonsense")


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items() if k not in TIMES}
    return [_timeless(v) for v in value] if isinstance(value, list) else value


def _weights(path: Path) -> str:
    tensors, _ = load_tensors(path)
    return str({name: tensors[name].tolist() for name in sorted(tensors)})


# data


def _dataset(seed: int) -> Dataset:
    data = load_dataset("digits", seed=seed).subset(train=120, test=30)
    return data


def _npz(folder: Path, seed: int) -> None:
    data = _dataset(seed)
    arrays = {
        name: getattr(data, name).numpy() for name in ("x_train", "y_train", "x_test", "y_test")
    }
    np.savez(folder / "data.npz", **arrays)


def _idx(folder: Path, seed: int, packed: bool) -> None:
    data = _dataset(seed)
    folder = folder / "idx"
    folder.mkdir()
    for part, name in (("train", "train"), ("test", "t10k")):
        images = (255 * getattr(data, f"x_{part}")[:, 0].numpy()).astype(np.uint8)
        labels = getattr(data, f"y_{part}").numpy().astype(np.uint8)
        for kind, array in (("images", images), ("labels", labels)):
            head = bytes([0, 0, 8, array.ndim]) + b"".join(
                n.to_bytes(4, "big") for n in array.shape
            )
            content = head + array.tobytes()
            path = folder / f"{name}-{kind}-idx{array.ndim}-ubyte"
            if packed:
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(content, mtime=0))
            else:
                path.write_bytes(content)


# runs


def _run(folder: Path, seed: int, *data: str) -> None:
    train = ["train", "--run-dir", str(folder / "run"), "--epochs", "2", "--seed", str(seed)]
    command(*train, *SMALL, *data)


def _npz_run(folder: Path, seed: int) -> None:
    _npz(folder, 0)
    _run(folder, seed, "--data", str(folder / "data.npz"))


def _broken_off_run(folder: Path, seed: int) -> None:
    """A run with two checkpoints before the end."""
    _npz(folder, 0)
    (folder / "keep.toml").write_text("[train]\nkeep_checkpoints = 3\n")
    _run(folder, seed, "--data", str(folder / "data.npz"), "--config", str(folder / "keep.toml"))
    run = folder / "run"
    newest = max((run / "checkpoints").glob("step-*.safetensors"))
    for file in (run / "model.safetensors", newest):
        file.unlink()
        digest_path(file).unlink()


def _evaluate(folder: Path) -> Any:
    return command("evaluate", str(folder / "run"), "--eps", "0.05,0.1", *EVALUATE)


def _resume(folder: Path) -> Any:
    found = command("train", "--resume", "--run-dir", str(folder / "run"), "--json")
    return [found, _weights(folder / "run" / "model.safetensors")]


def _evaluated_run(folder: Path, seed: int) -> None:
    _npz_run(folder, seed)
    _evaluate(folder)


def _attack(folder: Path) -> Any:
    options = ["--attack", "fgsm,pgd", "--examples", "30", "--steps", "2", "--json"]
    return command("attack", str(folder / "run"), *options)


def _attacked_run(folder: Path, seed: int) -> None:
    _npz_run(folder, seed)
    _attack(folder)


def _report(folder: Path, seed: int) -> None:
    torch.manual_seed(seed)
    model, data = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)), _dataset(seed)
    report = evaluate_robustness(
        model, data.x_test[:20], data.y_test[:20], ThreatModel(), attacks={"pgd": pgd}
    )
    report.save(folder / "report.npz")


def _load_report(folder: Path) -> Any:
    report = RobustnessReport.load(folder / "report.npz")
    return [report.to_json(), report.x_adv.tolist(), report.broken_by]


def _train_on_npz(folder: Path) -> Any:
    data = ["--data", str(folder / "data.npz"), "--epochs", "1"]
    return command("train", "--run-dir", str(folder / "new"), *data, *SMALL)


def _idx_run(packed: bool) -> Callable[[Path, int], None]:
    def build(folder: Path, seed: int) -> None:
        _idx(folder, seed, packed)
        _run(folder, 0, "--data", "mnist", "--data-root", str(folder / "idx"))

    return build


# experiments


def _compare(folder: Path) -> Any:
    return command(
        *("compare", "--out", str(folder / "compared"), "--data", str(folder / "data.npz")),
        *("--epochs", "2", "--networks", "complex-square,real-relu,real-gelu", "--match", "macs"),
        *("--thresholds", "none,channel", "--rules", "standard"),
        *("--examples", "30", "--steps", "2", "--restarts", "1", *SMALL[:4], "--json"),
    )


def _compared(folder: Path, seed: int) -> None:
    _npz(folder, seed)
    _compare(folder)


@dataclass(frozen=True)
class Seed:
    """The settings of a cell of `Small`."""

    seed: int
    data: str


def _learned(results: Any) -> Evidence:
    clean = {key: Interval(r["clean"], 0.5, 1.0, 1, "none") for key, r in results.items()}
    return Evidence([Criterion(clean, "above")])


class Small(Study):
    """One small network for each seed."""

    name: ClassVar[str] = "small"
    title: ClassVar[str] = "A small study"
    claims: ClassVar[tuple[Claim, ...]] = (
        Claim("learns", "It learns.", "School.", "Trained.", _learned),
    )

    def cells(self, quick: bool) -> Sequence[Cell]:
        assert self.data is not None
        data = self.data.fingerprint()
        return [Cell(f"seed{n}", Seed(n, data)) for n in range(self.seeds or 3)]

    def run_cell(self, cell: Cell, folder: Path, on_progress: Callable[[float], None]) -> Result:
        data, seed = self.data, cell.settings.seed
        assert data is not None
        relu = ModelConfig(coefficients="real", activation="relu", hidden=(5,))
        model = relu.build((1, 8, 8), 10, seed=seed)
        config = TrainConfig(epochs=2, batch_size=40, seed=seed, checkpoint_every=3)
        fit(model, data, EmpiricalRisk(), config, run_dir=folder, resume=True)
        return {"clean": accuracy(model, data.x_test, data.y_test), "seed": seed}


def _reproduce(folder: Path) -> Any:
    data = ["--data", str(folder / "data.npz")]
    found = command("reproduce", "small", "--out", str(folder / "study"), *data, "--json")
    if found["failed"]:  # which is told, and no result
        raise CheckpointError(str(found["failed"]))
    return found["findings"]


def _reproduced(folder: Path, seed: int) -> None:
    _npz(folder, seed)
    _reproduce(folder)
    shutil.rmtree(folder / "study" / "cells" / "seed1")  # as one that others may throw away


def _broken_off_study(folder: Path, seed: int) -> None:
    _npz(folder, seed)
    _reproduce(folder)
    for name in (
        "seed1.json",
        "seed1.json.sha256",
        "seed1/model.safetensors",
        "seed1/model.safetensors.sha256",
    ):
        (folder / "study" / "cells" / name).unlink()


def _tables(folder: Path, seed: int) -> None:
    for number, name in enumerate("ab"):
        rows = [
            Row("step", case, "holonet", "contender", "ms", 2.0 + number + seed, *[1.0] * 5, 5)
            for case in ("sin", "exp, 64")
        ]
        write_rows(folder / f"{name}.csv", rows, provenance())


def _page(folder: Path) -> Any:
    """The tables by file, but that of the file that was measured just now."""
    page = folder / "page.md"
    command("bench", "pointwise", "--rounds", "1", "--out", str(folder / "z.csv"),
            "--page", str(page), "--json")  # fmt: skip
    parts = page.read_text().split("\n## ")[1:]
    return {part.splitlines()[0]: part for part in parts if not part.startswith("z\n")}


KEPT = ("**/batch-*", "**/identity.json")
SUBJECTS = (
    Subject("config.toml", _npz_run, ("run/config.toml",), _evaluate, (damage.hostile_toml,) * 3),
    Subject("weights", _npz_run, ("run/model.*",), _evaluate, (damage.hostile_tensors,) * 3),
    Subject("weights, resumed", _npz_run, ("run/model.*",), _resume, (damage.hostile_tensors,) * 3),
    Subject(
        *("checkpoints", _broken_off_run, ("run/checkpoints/*",), _resume),
        (damage.hostile_tensors,) * 3,
    ),
    Subject(
        *("metrics.jsonl", _npz_run, ("run/metrics.jsonl",), _resume), (damage.hostile_lines,) * 3
    ),
    Subject(
        *("metrics.jsonl, cut off", _broken_off_run, ("run/metrics.jsonl",), _resume),
        (damage.hostile_lines,) * 3,
    ),
    Subject(
        *("evaluate's batches", _evaluated_run, ("run/evaluation/**/batch-*",), _evaluate),
        (damage.hostile_arrays, damage.hostile_zip) * 2,
    ),
    Subject(
        *("attack's batches", _attacked_run, ("run/attacks/**/batch-*",), _attack),
        (damage.hostile_arrays, damage.hostile_zip) * 2,
    ),
    Subject(
        "evaluation.json",
        _evaluated_run,
        ("run/evaluation.json", "run/evaluation/*.*", "run/evaluation/*/identity.json"),
        _evaluate,
    ),
    Subject(
        *("reports", _report, ("report.*",), _load_report),
        (damage.hostile_arrays, damage.hostile_zip) * 2,
        alone=True,
    ),
    Subject("IDX", _idx_run(False), ("idx/*",), _evaluate, (damage.hostile_idx,) * 4),
    Subject("IDX, gz", _idx_run(True), ("idx/*",), _evaluate, (damage.hostile_idx,) * 4),
    Subject(
        *(".npz of a run", _npz_run, ("data.npz",), _evaluate),
        (damage.hostile_arrays,) * 3 + (damage.hostile_zip,),
    ),
    Subject(
        *(".npz", _npz, ("data.npz",), _train_on_npz),
        (damage.hostile_arrays,) * 3 + (damage.hostile_zip,),
        data=True,
    ),
    Subject(
        *("compare's JSON", _compared, ("compared/*/result.*", "compared/*/identity.*"), _compare),
        (damage.hostile_json,) * 3,
    ),
    Subject(
        *("compare's weights", _compared, ("compared/*/model.*",), _compare),
        (damage.hostile_tensors,) * 3,
    ),
    Subject(
        *("cells", _reproduced, ("study/cells/*.*", "study/cells/*/identity.*"), _reproduce),
        (damage.hostile_json,) * 3,
    ),
    Subject(
        "broken-off cells",
        _broken_off_study,
        ("study/cells/seed1/*.*", "study/cells/seed1/checkpoints/*"),
        _reproduce,
    ),
    Subject("bench CSV", _tables, ("*.*",), _page, (damage.hostile_csv,) * 3, alone=True),
)


def digest_of(value: Any) -> str:
    """To compare what was found."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
