"""A checkpoint comes back to the bit, or is refused."""

import hashlib
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from holonet._files import digest_path, write_with_digest
from holonet.errors import CheckpointError
from holonet.nn import holomorphic_mlp, to_precision
from holonet.training import latest_checkpoint, load_weights, read_checkpoint, save_weights
from holonet.training.checkpoint import (
    kept_steps,
    load_state,
    load_tensors,
    remove_checkpoints,
    save_checkpoint,
    save_tensors,
)

DTYPES = [
    torch.complex64,
    torch.complex128,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int64,
    torch.bool,
]
STATE = {"text": "é", "rate": 0.1 + 0.2, "nested": [1, {"a": None}]}


def tensors(seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(3, 4, dtype=torch.complex64, generator=generator)
    return {
        "conjugate": z.conj(),
        "adjoint": z.mH,
        "negated": z.conj().imag,
        "every other": z[:, ::2],
        "row": z[1],
        "same row": z[1],
        "scalar": z[0, 0],
        "none": z[:0],
        "double": z.to(torch.complex128) / 3,
        "flag": torch.tensor(True),
        "count": torch.tensor([2**40, -1]),
        "half": torch.tensor([0.1, -0.0], dtype=torch.bfloat16),
    }


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and torch.equal(a[k], b[k]) for k in a
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_tensors(tmp_path / "file.safetensors", tensors(), STATE)


def test_views_of_every_kind_come_back(saved: Path) -> None:
    found, state = load_tensors(saved)
    assert same(found, tensors())
    assert state == STATE


@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(0, 3), max_size=3),
    seed=st.integers(0, 2**32),
)
def test_round_trip_is_exact(dtype, shape, seed):
    generator = torch.Generator().manual_seed(seed)
    planar = torch.randn(*shape, 2, dtype=torch.float64, generator=generator)
    value = torch.view_as_complex(planar).to(dtype) if dtype.is_complex else planar.to(dtype)
    with tempfile.TemporaryDirectory() as folder:
        found, _ = load_tensors(save_tensors(Path(folder) / "file.safetensors", {"x": value}, {}))
    assert same(found, {"x": value})


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [save_tensors(tmp_path / f"{k}.safetensors", tensors(), STATE) for k in range(8)]
    assert len({f.read_bytes() for f in files}) == 1


def test_digest_is_in_the_format_of_sha256sum(saved: Path) -> None:
    digest = hashlib.sha256(saved.read_bytes()).hexdigest()
    assert digest_path(saved).read_text() == f"{digest}  {saved.name}\n"


@pytest.mark.parametrize("work", ["save", "remove"])
def test_a_crash_between_the_two_files_leaves_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, work: str
) -> None:
    if work == "save":
        replace, done = os.replace, []

        def crash(*paths: Path) -> None:
            if done:
                raise KeyboardInterrupt
            done.append(replace(*paths))

        monkeypatch.setattr(os, "replace", crash)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path, 1, {}, {})
    else:
        save_checkpoint(tmp_path, 1, {}, {})
        unlink, done = Path.unlink, []

        def crash_too(path: Path, missing_ok: bool = False) -> None:
            if done:
                raise KeyboardInterrupt
            done.append(unlink(path, missing_ok))

        monkeypatch.setattr(Path, "unlink", crash_too)
        with pytest.raises(KeyboardInterrupt):
            remove_checkpoints(tmp_path)
    assert os.listdir(tmp_path) == ["step-00000001.safetensors.sha256"]
    assert latest_checkpoint(tmp_path) is None


@given(data=st.data(), kind=st.sampled_from(["", ".sha256"]))
def test_any_cut_or_altered_byte_is_refused(data, kind):
    with tempfile.TemporaryDirectory() as folder:
        saved = save_tensors(Path(folder) / "file.safetensors", tensors(), STATE)
        path = saved.with_name(f"{saved.name}{kind}")
        content = bytearray(path.read_bytes())
        position = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            path.write_bytes(content[:position])
        else:
            content[position] ^= data.draw(st.integers(1, 255))
            path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"file\.safetensors is damaged"):
            load_tensors(saved)


@pytest.mark.parametrize("kind", ["", ".sha256"])
def test_a_missing_file_is_named(saved: Path, kind: str) -> None:
    saved.with_name(f"{saved.name}{kind}").unlink()
    with pytest.raises(CheckpointError, match=rf"file\.safetensors{kind} does not exist"):
        load_tensors(saved)


@pytest.mark.parametrize("metadata", [None, {"holonet": "{}"}, {"holonet": "nothing"}])
def test_a_foreign_file_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "foreign.safetensors"
    path.write_bytes(safetensors.torch.save({"x": torch.ones(2)}, metadata))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    digest_path(path).write_text(f"{digest}  {path.name}\n")
    with pytest.raises(CheckpointError, match="was not written by holonet"):
        load_tensors(path)


PLANAR = '{"complex": [%s], "state": %s}'


@pytest.mark.parametrize(
    "header",
    [
        PLANAR % ('"y"', "{}"),
        PLANAR % ('"x"', "{}"),  # an odd last axis
        PLANAR % ("[1]", "{}"),
        PLANAR % ("", "3"),
        PLANAR % ("", '[["a", 1, 2]]'),
        '{"complex": 3, "state": {}}',
        "[]",
        "[" * 9_999,
        "9" * 5_000,
    ],
    ids=lambda header: header[:30],
)
def test_a_hostile_header_with_a_right_digest_is_refused(tmp_path: Path, header: str) -> None:
    content = safetensors.torch.save({"x": torch.ones(3)}, {"holonet": header})
    path = write_with_digest(tmp_path / "file.safetensors", content)
    with pytest.raises(CheckpointError, match="was not written by holonet"):
        load_tensors(path)


@pytest.mark.parametrize("state", [{}, {"step": "1"}, {"step": -1}, {"step": None}])
def test_a_checkpoint_without_a_step_is_refused(tmp_path: Path, state: dict[str, Any]) -> None:
    path = save_tensors(tmp_path / "step-00000001.safetensors", {}, state)
    with pytest.raises(CheckpointError, match="has no step"):
        read_checkpoint(path)


def test_checkpoints_that_cannot_be_looked_for_are_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(CheckpointError, match="cannot be read: Not a directory"):
        latest_checkpoint(tmp_path / "checkpoints")


def test_kept_steps_are_told_from_other_files(tmp_path: Path) -> None:
    for step in (100, 20, 123456789):
        save_checkpoint(tmp_path, step, {}, {}, keep=9)
    for name in (
        "step-9.safetensors",
        "step-final.safetensors",
        "step-00000007.safetensors.sha256",
    ):
        (tmp_path / name).touch()
    assert kept_steps(tmp_path) == [20, 123456789]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    model = nn.Linear(2, 1)
    nn.init.constant_(model.bias, bad)
    path = save_weights(tmp_path / "model.safetensors", model)
    before = nn.Linear(2, 1)
    weight = before.weight.detach().clone()
    with pytest.raises(CheckpointError, match="infinite or NaN entries in bias"):
        load_weights(str(path), before)
    assert torch.equal(before.weight, weight)


def test_a_checkpoint_has_step_tensors_and_state(tmp_path: Path) -> None:
    found = read_checkpoint(save_checkpoint(tmp_path, 7, tensors(), STATE))
    assert found.step == 7
    assert found.state == STATE
    assert same(found.tensors, tensors())


def steps(folder: Path) -> list[int]:
    return sorted(int(p.stem.removeprefix("step-")) for p in folder.glob("step-*.safetensors"))


@given(
    keep=st.integers(1, 4),
    written=st.lists(st.integers(1, 10**9), min_size=1, max_size=8, unique=True).map(sorted),
)
def test_the_newest_are_kept(keep, written):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for step in written:
            save_checkpoint(folder, step, {}, {}, keep)
        assert steps(folder) == written[-keep:]
        assert len(os.listdir(folder)) == 2 * min(keep, len(written))
        found = latest_checkpoint(folder)
        assert found is not None
        assert found.step == written[-1]


def test_a_run_that_went_back_keeps_its_own_checkpoints(tmp_path: Path) -> None:
    for step in (10, 20, 30):
        save_checkpoint(tmp_path, step, {}, {}, keep=1)
    save_checkpoint(tmp_path, 25, {}, {}, keep=1)
    assert steps(tmp_path) == [25]


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / ".step-00000001.safetensors.00ff.tmp").write_text("left by a crash")
    (tmp_path / "step-00000009.safetensors.sha256").write_text("left by a crash")
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {}, {}, keep=1)
    assert len(os.listdir(tmp_path)) == 3
    remove_checkpoints(tmp_path)
    assert os.listdir(tmp_path) == ["notes.txt"]
    remove_checkpoints(tmp_path / "nowhere")


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def test_a_damaged_one_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (1, 2, 3):
        save_checkpoint(tmp_path, step, {}, {}, keep=3)
    damage(tmp_path / "step-00000003.safetensors")
    (tmp_path / "step-00000002.safetensors.sha256").unlink()
    with caplog.at_level(logging.WARNING):
        found = latest_checkpoint(tmp_path)
    assert found is not None
    assert found.step == 1
    assert "step-00000003.safetensors is damaged" in caplog.text
    assert "step-00000002.safetensors.sha256 does not exist" in caplog.text


def test_all_damaged_is_an_error_and_none_at_all_is_not(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "nowhere") is None
    for step in (1, 2):
        damage(save_checkpoint(tmp_path, step, {}, {}))
    with pytest.raises(CheckpointError, match=r"step-00000002.safetensors, step-00000001.saf"):
        latest_checkpoint(tmp_path)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_weights_come_back(tmp_path: Path, dtype: torch.dtype) -> None:
    model, other = (
        to_precision(holomorphic_mlp(4, [3], 2), dtype).requires_grad_(True) for _ in range(2)
    )
    assert not same(model.state_dict(), other.state_dict())
    load_weights(save_weights(tmp_path / "model.safetensors", model), other)
    assert same(model.state_dict(), other.state_dict())
    assert all(p.requires_grad for p in other.parameters())


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            nn.Linear(3, 2, dtype=torch.cfloat),
            r"weight is complex64\(2, 4\), not complex64\(2, 3\)",
        ),
        (nn.Linear(4, 2), r"bias is complex64\(2,\), not float32\(2,\)"),
        (nn.Linear(4, 2, bias=False, dtype=torch.cfloat), "unknown bias"),
        (nn.Sequential(nn.Linear(4, 2, dtype=torch.cfloat)), "missing 0.bias"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, other: nn.Module, message: str
) -> None:
    path = save_weights(tmp_path / "model.safetensors", nn.Linear(4, 2, dtype=torch.cfloat))
    before = {k: v.clone() for k, v in other.state_dict().items()}
    with pytest.raises(CheckpointError, match=message):
        load_weights(path, other)
    assert same(other.state_dict(), before)


def test_the_source_of_foreign_tensors_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"^the old run is of another network"):
        load_state(nn.Linear(1, 1), {}, "the old run")


def test_a_moved_file_needs_its_digest(saved: Path, tmp_path: Path) -> None:
    for kind in ("", ".sha256"):
        shutil.copy(f"{saved}{kind}", tmp_path / f"copy.safetensors{kind}")
    with pytest.raises(CheckpointError):  # as sha256sum -c would say
        load_tensors(tmp_path / "copy.safetensors")
