"""Paths of data hold anywhere."""

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from holonet.errors import ConfigError
from holonet.training import (
    DataConfig,
    RunConfig,
)


def test_paths_hold_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name, root in [("d.NPZ", "raw"), ("~/d.NPZ", "~/raw"), ("./a/../d.NPZ", Path("raw"))]:
        base = tmp_path / "home" if "~" in name else tmp_path
        config = DataConfig(name=name, root=root)  # type: ignore[arg-type]
        assert (config.name, config.root) == (str(base / "d.NPZ"), base / "raw")
        again = RunConfig.from_mapping(tomllib.loads(RunConfig(data=config).to_toml()))
        assert again.data == config
    assert DataConfig(name="MNIST").name == "mnist"
    faults: list[dict[str, Any]] = [{"root": Path(os.fsdecode(b"\xff"))}]
    for fault in [*faults, {"name": os.fsdecode(b"\xff.npz")}]:
        with pytest.raises(ConfigError, match="utf-8"):
            DataConfig(**fault)
