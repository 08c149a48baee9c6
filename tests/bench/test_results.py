"""Rows of a file: written, read back, refused."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holonet._files import digest_path, write_with_digest
from holonet.bench.case import Case, Least, MemoryCase
from holonet.bench.memory import Peak
from holonet.bench.page import performance_page
from holonet.bench.results import (
    Row,
    files_beside,
    measure,
    read_rows,
    write_rows,
)
from holonet.errors import DataError

ABOUT = {"processor": "a fast one: 3 GHz", "threads": "2"}
times = st.floats(1e-6, 1e6).map(lambda x: float(f"{x:.6g}"))
rows = st.builds(
    Row,
    suite=st.sampled_from(["pointwise", "step"]),
    case=st.text("abc, 0", min_size=1).map(str.strip).filter(bool),
    contender=st.sampled_from(["holonet", "torch"]),
    role=st.sampled_from(["contender", "lower bound"]),
    unit=st.sampled_from(["ms", "MiB"]),
    median=times,
    low=times,
    high=times,
    ratio=times,
    ratio_low=times,
    ratio_high=times,
    rounds=st.integers(1, 99),
    least=times,
    least_unit=st.sampled_from(["B", "flop"]),
)


@given(found=st.lists(rows, min_size=1, max_size=4))
def test_what_is_written_is_read(tmp_path_factory, found):
    path = write_rows(tmp_path_factory.mktemp("bench") / "rows.csv", found, ABOUT)
    assert read_rows(path) == (found, ABOUT)


@pytest.mark.parametrize(
    "content",
    [b"a,b\n1,2\n", b"", b"\xff\xfe\x00", b"# processor: x\nsuite,case\n" + b"9" * 200000],
)
def test_another_file_is_refused(tmp_path, content):
    path = write_with_digest(tmp_path / "other.csv", content)
    if content:
        with pytest.raises(DataError, match=r"other.csv holds no rows"):
            read_rows(path)
    else:
        assert read_rows(path) == ([], {})


def test_a_median_of_nothing_is_refused(tmp_path):
    row = Row("step", "sin", "torch", "contender", "ms", 0.0, 3.0, 5.0, 2.0, 1.9, 2.1, 15)
    with pytest.raises(DataError, match="not positive"):
        read_rows(write_rows(tmp_path / "rows.csv", [row], ABOUT))


def test_what_is_left_out_of_the_page_is_named(tmp_path, caplog):
    row = Row("step", "sin", "torch", "contender", "ms", 4.0, 3.0, 5.0, 2.0, 1.9, 2.1, 15)
    good, *bad = (write_rows(tmp_path / f"{name}.csv", [row], ABOUT) for name in "abcdefg")
    cut, altered, binary, folder, dangling, bare = bad
    cut.write_bytes(cut.read_bytes()[:-5])
    altered.write_text(altered.read_text().replace(",4,", ",1,"))
    binary.write_bytes(bytes(range(256)))
    folder.unlink()
    folder.mkdir()
    dangling.unlink()
    dangling.symlink_to(tmp_path / "nowhere")
    digest_path(bare).unlink()
    with caplog.at_level(logging.WARNING):
        assert files_beside(good) == [good]
    for path in bad:
        assert path.stem in caplog.text
    assert caplog.text.count("left out") == len(bad)


def test_peaks_have_two_rows_a_contender(monkeypatch):
    peaks = {"pgd": Peak(6 * 2**20, 3 * 2**20), "unit": Peak(4 * 2**20, 2**20)}
    monkeypatch.setattr("holonet.bench.results.peak", lambda build: peaks[build()])
    case = MemoryCase("one", {"pgd": lambda: "pgd"}, {"unit": lambda: "unit"})
    found = list(measure("memory", iter([case]), rounds=3))
    assert [(r.case, r.contender, r.role, r.unit, r.median, r.ratio) for r in found] == [
        ("one, whole", "pgd", "contender", "MiB", 6.0, 1.5),
        ("one, whole", "unit", "lower bound", "MiB", 4.0, 1.0),
        ("one, activations", "pgd", "contender", "MiB", 3.0, 3.0),
        ("one, activations", "unit", "lower bound", "MiB", 1.0, 1.0),
    ]
    assert {r.rounds for r in found} == {1}


def test_a_baseline_that_fails_is_a_row_and_stops_nothing(tmp_path):
    def fails():
        raise TypeError("no kernel")

    case = Case("one", {"holonet": int, "torch": fails}, {"copy": int})
    found = list(measure("step", iter([case]), rounds=2))
    assert [(r.contender, r.role, r.rounds) for r in found] == [
        ("torch", "does not run", 0),
        ("holonet", "contender", 2),
        ("copy", "lower bound", 2),
    ]
    path = write_rows(tmp_path / "rows.csv", found, ABOUT)
    assert "| torch | does not run | | |" in performance_page([path])
    with pytest.raises(TypeError, match="no kernel"):
        list(measure("step", iter([Case("ours", {"holonet": fails}, {})]), rounds=2))


def test_the_unit_is_holonet_or_the_lower_bound():
    def nothing():
        return sum(range(10))

    with_us = Case("one", {"holonet": nothing, "torch": nothing}, {"copy": nothing})
    without = Case("two", {"pgd": nothing}, {"standard step": nothing})
    names = []
    found = list(measure("s", iter([with_us, without]), rounds=3, on_case=names.append))
    assert names == ["one", "two"]
    assert [(r.contender, r.role) for r in found[:3]] == [
        ("holonet", "contender"),
        ("torch", "contender"),
        ("copy", "lower bound"),
    ]
    assert found[0].ratio == found[4].ratio == 1.0
    assert all(r.low <= r.median <= r.high for r in found)


def test_only_the_bound_of_the_roofline_has_work_among_lower_bounds():
    least = Least("B", 3, "copy", 2)
    case = Case("one", {"holonet": int, "torch": int}, {"copy": int, "other": int}, least)
    found = {r.contender: (r.least, r.least_unit) for r in measure("s", iter([case]), rounds=1)}
    ours = (3.0, "B")
    assert found == {"holonet": ours, "torch": ours, "copy": (2.0, "B"), "other": (0.0, "")}
