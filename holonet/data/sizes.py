"""How large what a file announces may be, before any of it is read."""

from pathlib import Path

from holonet.errors import DataError

__all__ = ["require_reasonable"]

LARGEST = 1 << 33
FREE = 1 << 28
RATIO = 100


def require_reasonable(source: Path | str, announced: int, stored: int) -> None:
    """Refuse what no memory should be asked for.

    Args:
        source: for the message.
        announced: bytes of the content, as a header tells.
        stored: bytes in the file.

    Raises:
        DataError: more than `LARGEST` bytes; or more than `FREE` and more than `RATIO` times what
            is stored, which images do not reach and bombs do.

    Example:
        >>> require_reasonable("a.gz", 47_040_016, 9_912_422)
    """
    if announced > LARGEST:
        raise DataError(
            f"{source} announces {announced} bytes, and at most {LARGEST} are read: keep a part of "
            "the data, or is the file damaged?"
        )
    if announced > FREE and announced > RATIO * stored:
        raise DataError(
            f"{source} announces {announced} bytes in {stored} compressed ones, as bombs do: if it "
            "is meant, store it uncompressed"
        )
