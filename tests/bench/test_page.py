"""The page of tables."""

from holonet.bench.page import performance_page
from holonet.bench.results import Row, write_rows


def test_tables_by_file_and_suite(tmp_path):
    found = [
        Row("step", "sin", "holonet", "contender", "ms", 2.0, 1.0, 3.0, 1.0, 1.0, 1.0, 5),
        Row("step", "sin", "torch", "contender", "ms", 4.0, 3.0, 5.0, 2.0, 1.9, 2.1, 5),
        Row("rules", "sin", "pgd", "contender", "ms", 9.0, 8.0, 9.5, 8.5, 8.4, 8.6, 5),
        Row("rules", "sin", "standard step", "lower bound", "ms", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5),
        Row("memory", "sin", "pgd", "contender", "MiB", 8.0, 8.0, 8.0, 2.5, 2.5, 2.5, 1),
    ]
    page = performance_page([write_rows(tmp_path / "cpu.csv", found, {"torch": "2.13.0"})])
    assert "## cpu\n\n`cpu.csv`: torch 2.13.0." in page
    assert "| sin | holonet | 2 | 1.00 | 1.00 to 1.00 |\n|  | torch | 4 | 2.00 |" in page
    assert "in units of a standard step" in page
    assert "*standard step*" in page
    assert "| case | contender | MiB | ratio | quartiles |" in page


def test_roofline_is_the_share_of_the_bounds_rate(tmp_path):
    times = {"holonet": 2.0, "torch": 40.0, "copy": 1.0}
    found = [
        Row(
            *("pointwise", "tanh", name, "lower bound" if name == "copy" else "contender", "ms"),
            *(ms, ms, ms, 1.0, 1.0, 1.0, 5, 2e7 if name == "copy" else 3e7, "B"),
        )
        for name, ms in times.items()
    ]
    page = performance_page([write_rows(tmp_path / "cpu.csv", found, {})])
    assert "| tanh | 30 MB | holonet | 15 GB/s | 75% |" in page
    assert "|  |  | torch | 750 MB/s | 4% |" in page
    assert "|  |  | *copy* | 20 GB/s | 100% |" in page
    cut_off = performance_page([write_rows(tmp_path / "cpu.csv", found[:2], {})])
    assert "GB/s" not in cut_off
