"""The page of tables."""

from holonet.experiments.bench.page import performance_page
from holonet.experiments.bench.results import Row, write_rows


def test_tables_by_file_and_suite(tmp_path):
    found = [
        Row("step", "sin", "holonet", "contender", "ms", 2.0, 1.0, 3.0, 1.0, 1.0, 1.0, 5),
        Row("step", "sin", "torch", "contender", "ms", 4.0, 3.0, 5.0, 2.0, 1.9, 2.1, 5),
        Row("rules", "sin", "pgd", "contender", "ms", 9.0, 8.0, 9.5, 8.5, 8.4, 8.6, 5),
        Row("rules", "sin", "standard step", "floor", "ms", 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 5),
        Row("memory", "sin", "pgd", "contender", "MiB", 8.0, 8.0, 8.0, 2.5, 2.5, 2.5, 1),
    ]
    page = performance_page([write_rows(tmp_path / "cpu.csv", found, {"torch": "2.13.0"})])
    assert "## cpu\n\n`cpu.csv`: torch 2.13.0." in page
    assert "| sin | holonet | 2 | 1.00 | 1.00 to 1.00 |\n|  | torch | 4 | 2.00 |" in page
    assert "in units of a standard step" in page
    assert "*standard step*" in page
    assert "| case | contender | MiB | ratio | quartiles |" in page
