"""Where numbers come from: commit, date, machine and versions."""

import functools
import platform
import subprocess
from datetime import date
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import torch

__all__ = ["last_level_cache", "provenance", "versions"]

PACKAGE = Path(__file__).resolve().parent
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL_CACHE = 32 * 2**20  # bytes


def provenance() -> dict[str, str]:
    """Commit, date, processor, its last cache, threads, the card if there is one, versions."""
    about = {
        "commit": _own_commit(),
        "date": date.today().isoformat(),
        "processor": _processor(),
        "cache": f"{last_level_cache() / 2**20:g} MiB",
        "threads": str(torch.get_num_threads()),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "system": f"{platform.system()} {platform.machine()}",
        **versions(),
    }
    if torch.cuda.is_available():
        about |= {"card": torch.cuda.get_device_name(), "cuda": str(torch.version.cuda)}
        if find_spec("triton"):
            about["triton"] = metadata.version("triton")
    return about


def versions() -> dict[str, str]:
    """The versions that a result depends on."""
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "complextorch": metadata.version("complextorch"),
        "holonet": metadata.version("holonet"),
    }


def last_level_cache(caches: Path = CACHES) -> int:
    """Bytes of the first processor's largest cache; 32 MiB where the system does not tell.

    Args:
        caches: where Linux lists them, index0/size and so on, each as "32768K".
    """
    texts = [path.read_text().strip() for path in caches.glob("index*/size")]
    sizes = [int(text[:-1]) * 2**10 for text in texts if text[:-1].isdigit() and text[-1] == "K"]
    return max(sizes, default=USUAL_CACHE)


def _processor() -> str:
    """The model's name, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(": ", 1)[1] for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown")


@functools.cache
def _own_commit() -> str:
    """Asked of git once: what a process has imported does not change with the files."""
    return _commit(PACKAGE)


def _commit(package: Path) -> str:
    """The commit of the checkout that a package stands in, with + if a file of it was changed."""

    def git(*args: str) -> str:
        command = ["git", "-C", str(package), *args]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:  # no git
            return ""
        return done.stdout.strip() if done.returncode == 0 else ""

    # an environment may lie in the checkout of something else
    if not git("ls-files", "__init__.py"):
        return "not a checkout"
    return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", "--", "."))
