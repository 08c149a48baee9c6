"""A package that offers objects by entry points, as one that is installed beside holonet does."""

from collections.abc import Mapping
from pathlib import Path

import pytest

__all__ = ["offer"]


def offer(
    folder: Path, patch: pytest.MonkeyPatch, offers: Mapping[str, Mapping[str, str]], **modules: str
) -> None:
    """Put a package on the path of imports, for as long as the patch holds.

    Args:
        folder: of the package.
        patch: of the path.
        offers: the place of each object, `module:attribute`, by group and name.
        modules: the code of each module of the package, by its name.
    """
    metadata = folder / "offers-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: offers\nVersion: 1\n")
    lines = []
    for group, places in offers.items():
        lines += [f"[{group}]", *(f"{name} = {place}" for name, place in places.items())]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    for name, code in modules.items():
        (folder / f"{name}.py").write_text(code)
    patch.syspath_prepend(folder)
