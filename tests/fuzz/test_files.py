"""A small share of the file fuzzer."""

import os
from pathlib import Path

import pytest

import fresh_python

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="every case is a forked process")
@pytest.mark.parametrize("count", [6, pytest.param(19, marks=pytest.mark.slow)])
def test_no_damaged_file_is_believed_or_a_traceback(count: int) -> None:
    """A case of each of the first kinds, which share two runs; of every kind in the slow one."""
    script = str(Path(__file__).parent / "files.py")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = fresh_python.run(script, "--count", str(count), "--limit", "60", env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
