"""Metrics survive a crash, and damage is told from a crash."""

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet.errors import CheckpointError
from holonet.training import Journal, read_journal

RECORDS = st.lists(
    st.fixed_dictionaries(
        {"step": st.integers(0, 20)},
        optional={"loss": st.floats(allow_nan=False, allow_infinity=False), "kind": st.text()},
    ),
    max_size=6,
)


@given(records=RECORDS)
def test_records_come_back_in_order(records):
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name))
        for record in records:
            journal.write(**record)
        assert read_journal(Path(name) / "metrics.jsonl") == records == journal.records


@given(records=RECORDS, cut=st.integers(0, 400))
def test_a_cut_off_last_line_is_left_out(records, cut):
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "metrics.jsonl"
        text = "".join(json.dumps(r) + "\n" for r in records)[:cut]
        path.write_text(text)
        whole = text.count("\n") + (text.endswith("}") and len(text) < cut)
        found = read_journal(path)
    assert found == records[: len(found)]
    assert len(found) >= whole  # a last line may be whole but for its line end


@given(records=RECORDS, step=st.integers(0, 20), in_memory=st.booleans())
def test_rewinding_forgets_what_came_after(records, step, in_memory):
    with tempfile.TemporaryDirectory() as name:
        folder = None if in_memory else Path(name)
        journal = Journal(folder)
        for record in records:
            journal.write(**record)
        journal.rewind(step)
        kept = [r for r in records if r["step"] <= step]
        assert journal.records == kept
        journal.write(step=step + 1)
        if folder is not None:
            assert read_journal(folder / "metrics.jsonl") == [*kept, {"step": step + 1}]


def test_rewinding_reads_what_a_killed_process_wrote(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"step": 3, "lo')
    journal = Journal(tmp_path)
    journal.rewind(1)
    journal.write(step=2)
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2}\n'


def test_clearing_starts_anew_whatever_was_there(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "metrics.jsonl").write_text("\0damaged\n\0\n")
    journal = Journal(tmp_path / "new")
    journal.clear()
    assert journal.records == read_journal(tmp_path / "new" / "metrics.jsonl") == []


@pytest.mark.parametrize(
    "line",
    [
        b'{"step": 2',
        b"",
        b"\xff\xfe",
        b"[1]",
        b'{"loss": 1}',
        b"\0\0",
        b'{"step": "2"}',
        b'{"step": true}',
        b"[" * 9999,
    ],
)
def test_a_damaged_line_inside_is_refused(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'{"step": 1}\n' + line + b'\n{"step": 3}\n')
    with pytest.raises(CheckpointError, match=r"line 2 of .*metrics\.jsonl is damaged"):
        read_journal(path)
    assert path.read_bytes().count(b"\n") == 3


def test_what_is_logged_can_be_put_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda fd: sizes.append(os.fstat(fd).st_size))
    journal = Journal(tmp_path)
    for step in (1, 2):
        journal.write(step=step)
        journal.flush_to_disk()
    Journal(None).flush_to_disk()
    assert sizes == [12, 24]


def test_a_pipe_in_its_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(CheckpointError, match="not a regular file"):
        read_journal(tmp_path / "metrics.jsonl")


def test_no_file_has_no_records(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "metrics.jsonl") == []


def test_a_digest_is_of_everything_but_times() -> None:
    def digest(**record: object) -> str:
        journal = Journal(None)
        journal.write(**record)
        return journal.digest()

    assert digest(step=1, loss=0.5, seconds=1.0) == digest(step=1, loss=0.5, seconds=2.0)
    assert digest(step=1, loss=0.5) != digest(step=1, loss=0.25)
    assert digest(step=1) != Journal(None).digest()


def test_epochs_are_forgotten_from_a_step_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for step in (1, 2):
        journal.write(kind="step", step=step)
        journal.write(kind="epoch", step=step)
    journal.forget_epochs_from(2)
    assert [(r["kind"], r["step"]) for r in read_journal(tmp_path / "metrics.jsonl")] == [
        ("step", 1),
        ("epoch", 1),
        ("step", 2),
    ]
