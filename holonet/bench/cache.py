"""How large the processor's last cache is, which what streams from memory must exceed."""

from pathlib import Path

__all__ = ["last_level_cache"]

CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
USUAL = 32 * 2**20


def last_level_cache(caches: Path = CACHES) -> int:
    """Bytes of the first processor's largest cache; 32 MiB where the system does not tell.

    Args:
        caches: where Linux lists them, index0/size and so on, each as "32768K".
    """
    found = [path.read_text().strip() for path in caches.glob("index*/size")]
    sizes = [int(text[:-1]) * 2**10 for text in found if text[:-1].isdigit() and text[-1] == "K"]
    return max(sizes, default=USUAL)
