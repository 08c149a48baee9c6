"""Whether glibc keeps freed memory, for benchmarks.

By its defaults glibc hands the end of its heap back to the system when that is larger than a
threshold, and the next call takes page faults there. Whether a model's memory reaches the
threshold hangs on sizes: it can meet one of two contenders and not the other.
"""

import argparse
import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # <malloc.h>


def add_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--glibc-defaults", action="store_true", help="let glibc hand freed memory back"
    )


def keep_freed_memory() -> str:
    """Tell glibc so; what was done, in words."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return "freed memory: as the system does it"
    mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(M_MMAP_THRESHOLD, 2**25)
    return "freed memory: kept by glibc"
