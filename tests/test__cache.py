"""A kept result is read back as it was written and is of what was asked, or it is no result."""

import copy
import json
import logging
import os
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from holonet._cache import (
    code_digest,
    keep,
    module_digest,
    read_kept,
    recall,
    require_identity,
    tensor_digest,
)
from holonet._files import digest_path, write_with_digest
from holonet.errors import CheckpointError

values = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
identities = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@given(identity=identities, result=values)
def test_what_is_kept_is_read_back(tmp_path_factory, identity, result):
    path = tmp_path_factory.mktemp("kept") / "deep" / "result.json"
    written = keep(path, identity, result=result)
    assert written["result"] == result
    assert read_kept(path, identity) == written
    assert recall(path, lambda path: read_kept(path, identity)) == written


@given(first=identities, second=identities)
def test_the_result_of_something_else_is_refused(tmp_path_factory, first, second):
    path = tmp_path_factory.mktemp("kept") / "result.json"
    keep(path, first)
    if json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True):
        read_kept(path, second)
    elif first != second:
        with pytest.raises(CheckpointError, match="something else"):
            read_kept(path, second)


def test_the_message_names_what_differs(tmp_path):
    asked = {"seed": 2, "threat": {"eps": 0.2, "bounds": (0, 1)}}
    with pytest.raises(
        CheckpointError, match=r"else: seed is 1, not 2; threat.eps is 0.1, not 0.2$"
    ):
        require_identity(Path("a"), {"seed": 1, "threat": {"eps": 0.1, "bounds": [0, 1]}}, asked)
    with pytest.raises(CheckpointError, match="and 2 more"):
        require_identity(Path("a"), None, dict.fromkeys("abcd", 1))
    require_identity(Path("a"), {"seed": 2, "threat": {"eps": 0.2, "bounds": [0, 1]}}, asked)


@given(st.data())
def test_a_damaged_file_gives_no_result(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("kept") / "result.json"
    keep(path, {"seed": 1}, result=[1.5, 2.5])
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    damage = data.draw(st.sampled_from(["flip", "cut", "append", "zeros"]))
    if damage == "flip":
        content[position] ^= 1 << data.draw(st.integers(0, 7))
    elif damage == "cut":
        del content[position:]
    elif damage == "append":
        content += b" "
    else:
        content[position:] = bytes(len(content) - position)
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"result.json is damaged"):
        read_kept(path, {"seed": 1})


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "dangling", "no digest", "deep"])
def test_foreign_files_are_no_results(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "result.json"
    keep(path, {}, result=1)
    if kind == "no digest":
        digest_path(path).unlink()
    elif kind == "deep":
        write_with_digest(path, "[" * 10**6)
    else:
        path.unlink()
        {
            "folder": path.mkdir,
            "pipe": lambda: os.mkfifo(path),
            "loop": lambda: path.symlink_to(path),
            "dangling": lambda: path.symlink_to(tmp_path / "nowhere"),
        }[kind]()
    with caplog.at_level(logging.WARNING):
        assert recall(path, lambda path: read_kept(path, {})) is None
    assert "done again" in caplog.text


def test_no_file_is_no_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert recall(tmp_path / "result.json", lambda path: read_kept(path, {})) is None
    assert not caplog.text


@pytest.mark.parametrize("content", ['{"identity": {}}', '{"identity": {}, "result": "x"}'])
def test_a_reader_that_stumbles_is_no_result(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_with_digest(tmp_path / "result.json", content)
    assert recall(path, lambda path: float(read_kept(path, {})["result"])) is None
    assert "is no result of holonet" in caplog.text


@pytest.mark.parametrize("dtype", [torch.float32, torch.complex128, torch.int64, torch.bool])
def test_a_digest_is_of_contents(dtype: torch.dtype) -> None:
    tensor = torch.arange(12).reshape(3, 4).to(dtype)
    digest = tensor_digest([tensor])
    assert digest == tensor_digest([tensor.T.contiguous().T])
    other = tensor.clone()
    other[0, 0] = 1
    for different in (other, tensor.T, tensor.reshape(4, 3), tensor.bool().to(torch.uint8)):
        assert tensor_digest([different]) != digest
    assert tensor_digest([tensor], ["a"]) != digest
    if dtype.is_complex:
        assert tensor_digest([tensor.conj().conj()]) == digest


class Doubling(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def test_a_module_is_known_by_weights_text_and_code() -> None:
    layer = torch.nn.Linear(2, 2)
    same = copy.deepcopy(layer)
    assert module_digest(layer) == module_digest(same)
    with torch.no_grad():
        same.bias[0] += 1
    assert module_digest(layer) != module_digest(same)
    assert module_digest(torch.nn.LeakyReLU(0.1)) != module_digest(torch.nn.LeakyReLU(0.2))
    digest = module_digest(Doubling())
    assert digest == module_digest(Doubling())
    Tripling = type("Doubling", (torch.nn.Module,), {"__module__": "elsewhere"})
    assert digest != module_digest(Tripling())
    assert code_digest(layer) == code_digest(same)  # with other weights
    assert code_digest(torch.nn.Sequential(Doubling())) != code_digest(Doubling())
    assert code_digest(Doubling()) != code_digest(Tripling())


def test_exported_programs_of_equal_weights_are_told_apart_by_their_code() -> None:
    x = torch.zeros(2, 2)
    tanh, sine = (
        torch.export.export(module, (x,)).module()
        for module in (torch.nn.Tanh(), torch.nn.Sigmoid())
    )
    assert module_digest(tanh) != module_digest(sine)
