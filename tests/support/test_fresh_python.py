"""A forked program is what a new interpreter would make of it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import fresh_python

SEEN = """
import json, os, sys
print(json.dumps([sys.argv[1:], os.getcwd(), os.environ["SEEN"], sys.stdin.read()]))
print([name for name in sys.modules if name.split(".")[0] in ("holonet", "pytest")])
print(__name__, sys.modules["__main__"].SEEN, file=sys.stderr)
raise SystemExit(3)
"""


def test_arguments_streams_folder_environment_and_code_are_those_of_a_process(
    tmp_path: Path,
) -> None:
    program = SEEN.replace("import json", "SEEN = 1\nimport json", 1)
    (tmp_path / "program.py").write_text(program)
    environment = {**os.environ, "SEEN": "yes"}
    for arguments in (("-c", program, "a"), (str(tmp_path / "program.py"), "a", "b"),
                      ("-m", "program", "a")):  # fmt: skip
        own = fresh_python.run(*arguments, input="in", cwd=tmp_path, env=environment)
        other = subprocess.run(
            [sys.executable, *arguments], input="in", capture_output=True, text=True, check=False,
            cwd=tmp_path, env=environment,
        )  # fmt: skip
        assert (own.returncode, own.stdout, own.stderr) == (3, other.stdout, other.stderr)
        assert other.returncode == 3


def test_programs_know_nothing_of_each_other_and_may_die() -> None:
    code = "import os, sys; sys.modules['holonet'] = None; import {}; os.kill(os.getpid(), 9)"
    failed, killed = (fresh_python.run("-c", code.format(m)) for m in ("holonet", "json"))
    assert failed.returncode == 1
    assert "ModuleNotFoundError" in failed.stderr
    assert killed.returncode == -signal.SIGKILL
    done = fresh_python.run("-c", "import holonet, torch; print(torch.get_num_threads())")
    assert (done.returncode, done.stdout) == (0, "1\n")
