"""A report's accuracies, and its file."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from holonet._files import write_with_digest
from holonet.attacks import Alarm, AlarmKind, ThreatModel
from holonet.diagnostics import RobustnessReport, merge_alarms
from holonet.errors import CheckpointError, DataError, ShapeError
from holonet.statistics import wilson_interval

NAMES = ("one", "two", "three")
ALARM = Alarm(AlarmKind.ZERO_GRADIENT, 2, 5, "look: \N{GREEK SMALL LETTER EPSILON}")


def made(
    broken_by: list[str], alarms: tuple[Alarm, ...] = (), threat: ThreatModel | None = None
) -> RobustnessReport:
    """A report with numbers that fit these verdicts."""
    n = len(broken_by)
    clean = torch.tensor([-1.0 if by == "clean" else 2.0 for by in broken_by])
    return RobustnessReport(
        threat=ThreatModel("Linf", 0.1) if threat is None else threat,
        attacks=NAMES,
        seed=7,
        y=torch.arange(n) % 3,
        predicted=torch.arange(n) % 3,
        clean_margin=clean,
        margin=torch.tensor([-0.5 if by else 1.0 for by in broken_by]),
        broken_by=tuple(broken_by),
        x_adv=torch.rand(n, 2, 3, generator=torch.Generator().manual_seed(0)),
        alarms=alarms,
    )


verdicts = st.lists(st.sampled_from(["", "clean", *NAMES, "an earlier ensemble"]), min_size=1)


@given(verdicts)
def test_accuracy_falls_from_clean_to_robust(broken_by: list[str]) -> None:
    report = made(broken_by)
    left = [report.clean.correct, *(p.correct for p in report.after.values())]
    assert left == sorted(left, reverse=True)
    assert list(report.after) == list(NAMES)
    assert left[-1] == report.robust.correct == broken_by.count("") == int(report.robust_mask.sum())
    assert report.clean.correct == len(broken_by) - broken_by.count("clean")
    assert left[1] == sum(by in ("", "two", "three") for by in broken_by)
    assert {p.examples for p in report.after.values()} == {len(broken_by)}
    assert report.robust.eps == 0.1


def same(a: RobustnessReport, b: RobustnessReport) -> bool:
    return all(
        torch.equal(x, y) and x.dtype == y.dtype if isinstance(x, Tensor) else x == y
        for x, y in ((getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    )


@given(
    broken_by=verdicts,
    alarms=st.sampled_from([(), (ALARM, replace(ALARM, kind=AlarmKind.NOT_FINITE))]),
    threat=st.sampled_from([ThreatModel(), ThreatModel("L2", 0.5, None), ThreatModel("L2", 0.0)]),
    dtype=st.sampled_from([torch.float32, torch.float64, torch.complex64, torch.complex128]),
)
def test_what_is_saved_is_read_back(tmp_path_factory, broken_by, alarms, threat, dtype):
    report = made(broken_by, alarms, threat)
    margin = report.margin.clone()
    margin[0] = -math.inf if broken_by[0] else math.inf
    report = replace(report, margin=margin, x_adv=report.x_adv.to(dtype))
    path = tmp_path_factory.mktemp("report") / "deep" / "report.npz"
    assert report.save(path) == path
    assert same(RobustnessReport.load(path), report)


@given(st.lists(verdicts, min_size=1, max_size=3))
def test_joining_batches(batches: list[list[str]]) -> None:
    joined = RobustnessReport.join([made(b, (ALARM,)) for b in batches])
    whole = [by for batch in batches for by in batch]
    assert joined.broken_by == tuple(whole)
    assert joined.robust.correct == whole.count("")
    assert len(joined.x_adv) == len(joined.y) == len(whole)
    assert joined.alarms == (replace(ALARM, count=2 * len(batches), examples=len(whole)),)


def test_alarms_are_merged_by_kind_and_advice() -> None:
    other, kind = replace(ALARM, advice="else"), replace(ALARM, kind=AlarmKind.NOT_FINITE)
    assert merge_alarms([ALARM, other, kind, ALARM]) == (
        replace(ALARM, count=4, examples=10),
        other,
        kind,
    )


def test_a_report_prints_accuracies_after_each_attack() -> None:
    lines = str(made(["", "clean", "one", "three"], (ALARM,))).splitlines()
    assert lines[0] == "accuracy under Linf at eps=0.1, in %"
    assert lines[1].startswith("  clean: 75.0 (")
    assert [line.split(":")[0] for line in lines[2:5]] == [f"  after {name}" for name in NAMES]
    assert lines[5].startswith("  worst case: 25.0 (4.6 to 69.9), 1 of 4")
    assert lines[6] == f"  doubt: {ALARM}"


def test_a_report_says_where_the_attacks_searched() -> None:
    report = replace(made(["", "clean", "one", "three"]), searched_in="a box")
    assert report.clean.searched_in == ""
    assert {point.searched_in for point in (report.robust, *report.after.values())} == {"a box"}
    assert str(report).splitlines()[-1].endswith("1 of 4, searched in a box")
    found = report.to_json()
    assert found["searched_in"] == found["robust"]["searched_in"] == "a box"


def test_json_has_the_numbers_and_their_intervals() -> None:
    report = made(["", "clean", "one", "three"], (ALARM,))
    found = json.loads(json.dumps(report.to_json()))
    assert found["clean"]["accuracy"] == 0.75
    assert found["robust"]["accuracy"] == 0.25
    assert found["robust"]["interval"] == list(wilson_interval(1, 4).ends)
    assert [found["after"][name]["correct"] for name in NAMES] == [2, 2, 1]
    assert found["threat"] == {"norm": "Linf", "eps": 0.1, "bounds": [0.0, 1.0]}
    assert (found["seed"], found["examples"]) == (7, 4)
    assert found["alarms"][0]["kind"] == "zero gradient"
    assert found["alarms"][0]["text"] == str(ALARM)


@given(st.data())
def test_no_flipped_bit_is_read(tmp_path_factory, data):
    path = made(["", "one"]).save(tmp_path_factory.mktemp("report") / "report.npz")
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"report\.npz is damaged"):
        RobustnessReport.load(path)


HEADERS: dict[str, object] = {
    "longer": {"broken_by": ["", "one", "one"]},
    "disagrees": {"broken_by": ["one", ""]},
    "threat": {"threat": {"norm": "Linf", "eps": -1.0, "bounds": None}},
    "types": {"broken_by": 3},
    "no bounds": {"threat": {}},
    "list": [],
    "deep": None,
}


@pytest.mark.parametrize("damage", HEADERS)
def test_what_fits_its_digest_and_is_no_report_is_refused(tmp_path: Path, damage: str) -> None:
    path = made(["", "one"]).save(tmp_path / "report.npz")
    with np.load(path) as file:
        arrays = dict(file)
    header, change = json.loads(str(arrays["header"])), HEADERS[damage]
    text = json.dumps({**header, **change} if isinstance(change, dict) else change)
    arrays["header"] = np.array("[" * 10**5 if damage == "deep" else text)
    np.savez(path, allow_pickle=False, **arrays)
    write_with_digest(path, path.read_bytes())
    with pytest.raises(CheckpointError, match=r"report\.npz is damaged"):
        RobustnessReport.load(path)


@pytest.mark.parametrize("damage", ["compressed", "lengths", "shape"])
def test_arrays_that_are_no_reports_are_refused(tmp_path: Path, damage: str) -> None:
    path = made(["", "one"]).save(tmp_path / "report.npz")
    with np.load(path) as file:
        arrays = dict(file)
    if damage == "lengths":
        arrays["margin"] = arrays["margin"][:1]
    elif damage == "shape":
        arrays["margin"] = arrays["margin"][:, None]
    save = np.savez_compressed if damage == "compressed" else np.savez
    save(path, allow_pickle=False, **arrays)
    write_with_digest(path, path.read_bytes())
    with pytest.raises(CheckpointError, match=r"report\.npz is damaged"):
        RobustnessReport.load(path)


def test_a_report_of_something_else_is_refused(tmp_path: Path) -> None:
    path = made(["", "one"]).save(tmp_path / "report.npz", {"batch": 1})
    assert len(RobustnessReport.load(path, {"batch": 1}).y) == 2
    assert len(RobustnessReport.load(path).y) == 2
    with pytest.raises(CheckpointError, match="batch is 1, not 2"):
        RobustnessReport.load(path, {"batch": 2})


def test_a_report_agrees_with_itself() -> None:
    report = made(["", "one"])
    with pytest.raises(DataError, match="broken_by and margin disagree"):
        replace(report, broken_by=("one", "one"))
    with pytest.raises(ShapeError, match="one entry for each example"):
        replace(report, y=report.y[:1])


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "other arrays", "pickle"])
def test_damaged_files_are_refused(tmp_path: Path, damage: str) -> None:
    path = made(["", "one"]).save(tmp_path / "report.npz")
    content = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[content.index(b"x_adv.npy") + 160] ^= 1
        path.write_bytes(content)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("{}")
    elif damage == "other arrays":
        np.savez(path, header=np.array("{}"))
    else:
        np.savez(path, header=np.array([{"a": 1}], dtype=object))
    with pytest.raises(CheckpointError, match=r"report\.npz is damaged"):
        RobustnessReport.load(path)


def test_no_file() -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        RobustnessReport.load(Path("/no/such/report.npz"))
