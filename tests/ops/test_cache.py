"""A folder that nobody else can write to, or none."""

import os
import stat

import pytest

from holonet.ops import cache
from holonet.ops.cache import CacheError, folder, private_folder, require_own_file

posix = pytest.mark.skipif(os.name == "nt", reason="there are no modes")


def give_away(path, monkeypatch):
    """Make another user the owner, or let it look so where that is not allowed."""
    other = os.getuid() + 1
    if os.getuid() == 0:
        os.chown(path, 65534, 65534)
        return
    look = os.lstat

    def lstat(name, **kwargs):
        found = look(name, **kwargs)
        if os.path.abspath(name) != str(path):
            return found
        return os.stat_result([*found[:4], other, *found[5:]])

    monkeypatch.setattr(os, "lstat", lstat)


@posix
@pytest.mark.parametrize("umask", [0o022, 0o000, 0o077])
def test_a_folder_that_is_made_is_closed(tmp_path, umask):
    before = os.umask(umask)
    try:
        made = private_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    for path in (made, made.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert private_folder(made) == made


@posix
@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777, 0o755, 0o750])
def test_a_folder_that_is_open_is_refused(tmp_path, mode):
    path = tmp_path / "open"
    path.mkdir()
    path.chmod(mode)
    with pytest.raises(CacheError, match="chmod 700"):
        private_folder(path)


@posix
@pytest.mark.parametrize(("mode", "safe"), [(0o777, False), (0o1777, True), (0o755, True)])
def test_others_must_not_be_able_to_exchange_it(tmp_path, mode, safe):
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(mode)
    if safe:
        assert private_folder(above / "within" / "mine").is_dir()
    else:
        with pytest.raises(CacheError, match="others may write to it"):
            private_folder(above / "within" / "mine")


@posix
def test_a_group_may_write_above_it_only_if_it_is_the_users_alone(tmp_path, monkeypatch):
    above = tmp_path / "above"
    above.mkdir()
    above.chmod(0o770)
    look = os.lstat
    for group, safe in ((os.getuid(), True), (0, True), (os.getuid() + 7, False)):

        def lstat(name, group=group, **kwargs):
            found = look(name, **kwargs)
            if os.path.abspath(name) != str(above):
                return found
            return os.stat_result([*found[:5], group, *found[6:]])

        monkeypatch.setattr(os, "lstat", lstat)
        if safe:
            private_folder(above / "mine")
        else:
            with pytest.raises(CacheError, match="others may write"):
                private_folder(above / "mine")


@posix
def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "above" / "mine"
    private_folder(path)
    give_away(path, monkeypatch)
    with pytest.raises(CacheError, match="belongs to user"):
        private_folder(path)
    monkeypatch.undo()
    give_away(path.parent, monkeypatch)
    with pytest.raises(CacheError, match="belongs to"):
        private_folder(path)


@posix
def test_links_and_files_are_refused_in_its_place(tmp_path):
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("link", "file", "loop", "nul\0"):
        with pytest.raises(CacheError):
            private_folder(tmp_path / name)
    assert private_folder(tmp_path / "link" / "a") == tmp_path / "real" / "a"
    with pytest.raises(CacheError, match="cannot be used"):
        private_folder(tmp_path / "file" / "a")


@posix
def test_files_of_others_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "library.so"
    with pytest.raises(CacheError, match="cannot be read"):
        require_own_file(path)
    path.touch()
    require_own_file(path)
    (tmp_path / "link").symlink_to(path)
    for other in (tmp_path, tmp_path / "link"):
        with pytest.raises(CacheError, match="no regular file"):
            require_own_file(other)
    give_away(path, monkeypatch)
    with pytest.raises(CacheError, match="belongs to user"):
        require_own_file(path)


def test_variables_choose_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("HOLONET_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert folder() == tmp_path / "home" / ".cache" / "holonet" / "compiled"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert folder() == tmp_path / "home" / ".cache" / "holonet" / "compiled"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert folder() == tmp_path / "caches" / "holonet" / "compiled"
    monkeypatch.setenv("HOLONET_CACHE_DIR", "~/here")
    assert folder() == tmp_path / "home" / "here" / "compiled"


@posix
def test_without_a_safe_place_the_process_has_one_of_its_own(tmp_path, monkeypatch, caplog):
    path = tmp_path / "shared"
    (path / "compiled").mkdir(parents=True)
    path.chmod(0o777)
    monkeypatch.setenv(cache.VARIABLE, str(path))
    cache._temporary.cache_clear()
    try:
        found = folder()
        assert folder() == found
        assert path not in found.parents
        assert stat.S_IMODE(found.stat().st_mode) == 0o700
        (warning,) = [r.getMessage() for r in caplog.records]
        assert "others may write to it" in warning
        assert "Set HOLONET_CACHE_DIR" in warning
        cache._remove(found, os.getpid() + 1)  # in a process that was forked
        assert found.is_dir()
        cache._remove(found, os.getpid())
        assert not found.exists()
    finally:
        cache._temporary.cache_clear()
