"""The last cache, where the system tells and where it does not."""

import pytest

from holonet.bench.cache import last_level_cache


def test_the_largest_counts(tmp_path):
    for k, size in enumerate(["48K", "32K", "2048K", "107520K"]):
        (tmp_path / f"index{k}").mkdir()
        (tmp_path / f"index{k}" / "size").write_text(f"{size}\n")
    assert last_level_cache(tmp_path) == 105 * 2**20


@pytest.mark.parametrize("text", [None, "", "unknown\n"])
def test_unknown_is_32_mib(tmp_path, text):
    if text is not None:
        (tmp_path / "index0").mkdir()
        (tmp_path / "index0" / "size").write_text(text)
    assert last_level_cache(tmp_path) == 32 * 2**20
