"""A small share of the file fuzzer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="every case is a forked process")
def test_no_damaged_file_is_believed_or_a_traceback() -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "files.py"), "--count", "10", "--limit", "60"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
