"""Records of certificates: found again by all they depend on, whole after a kill."""

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from enclosed import F64, linf, quartics

from holonet.certify import EXACT, METHODS, Records, Semantics, certify, certify_recorded, records
from holonet.errors import CheckpointError

LADDER = [
    METHODS["intervals"],
    METHODS["second_order"],
    replace(METHODS["splits"], nodes=10),
]


COUNT = 3


def recorded(path, eps=0.1, ladder=LADDER, semantics=EXACT, broken=None, x=None):
    torch.manual_seed(2)
    model, shape = quartics()["threshold"]
    points = torch.rand(20, *shape, dtype=F64)[[0, 1, 6]]
    y = model(points).argmax(1)
    points = points if x is None else x
    broken = torch.zeros(COUNT, dtype=torch.bool) if broken is None else broken
    done = []
    found = certify_recorded(
        model, points, y, linf(eps), ladder, semantics, path, broken, done.append
    )
    assert sum(done) == COUNT
    return found, (model, points, y)


def test_records_are_the_certificates(tmp_path: Path) -> None:
    found, (model, x, y) = recorded(tmp_path / "r.jsonl")
    proofs = certify(model, x, y, linf(0.1), LADDER)
    assert [r["certified"] for r in found] == [p.holds for p in proofs]
    assert [r["margin"] for r in found] == pytest.approx([p.margin for p in proofs], rel=1e-9)
    assert [r["margins"][r["key"]["label"]] for r in found] == [None] * COUNT
    assert [r["method"] for r in found] == [p.method for p in proofs]
    assert [r["key"]["example"] for r in found] == [p.example for p in proofs]
    assert 0 < sum(r["certified"] for r in found) < COUNT
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == COUNT


def test_what_is_there_is_not_done_again(tmp_path, monkeypatch):
    first, _ = recorded(tmp_path / "r.jsonl")

    def never(model, x, *_):
        assert not len(x)
        return []

    monkeypatch.setattr(records, "certify", never)
    assert recorded(tmp_path / "r.jsonl")[0] == first


def test_a_line_that_a_kill_cut_off_is_done_again(tmp_path, caplog):
    path = tmp_path / "r.jsonl"
    first, _ = recorded(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with caplog.at_level(logging.WARNING):
        second, _ = recorded(path)
    assert "1 lines" in caplog.text
    assert [r["margin"] for r in second] == [r["margin"] for r in first]
    assert len(path.read_text().splitlines()) == COUNT


@pytest.mark.parametrize(
    "change",
    [
        "margin",
        "no json",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("certified", "no record")),
    ],
)
def test_an_altered_line_is_done_again(change, tmp_path):
    path = tmp_path / "r.jsonl"
    first, _ = recorded(path)
    lines = path.read_text().splitlines()
    record = json.loads(lines[2])
    if change == "certified":
        record["certified"] = not record["certified"]
    elif change == "margin":
        record["margin"] = 1e6
    lines[2] = {"no json": "{", "no record": "[1]"}.get(change, json.dumps(record))
    path.write_text("\n".join(lines) + "\n")
    second, _ = recorded(path)
    assert [r["margin"] for r in second] == [r["margin"] for r in first]


def test_other_settings_weights_or_examples_have_their_own_records(tmp_path):
    path = tmp_path / "r.jsonl"
    first, (_, x, _) = recorded(path)
    count = COUNT
    for change in (
        {"eps": 0.05},
        {"ladder": LADDER[:1]},
        {"semantics": Semantics(F64)},
        {"x": x * 0.999},
        {"broken": torch.ones(COUNT, dtype=torch.bool)},
    ):
        found, _ = recorded(path, **change)
        assert len(found) == COUNT
        count += COUNT
        assert len(path.read_text().splitlines()) == count
    assert recorded(path)[0] == first


def test_broken_examples_are_tried_without_splits(tmp_path, monkeypatch):
    tried, true = [], records.certify

    def watched(model, x, y, threat, methods, semantics):
        tried.append([m.name for m in methods])
        return true(model, x, y, threat, methods, semantics)

    monkeypatch.setattr(records, "certify", watched)
    recorded(tmp_path / "r.jsonl", broken=torch.ones(COUNT, dtype=torch.bool))
    assert ["intervals", "second_order"] in tried


def test_more_pieces_are_tried_on_open_examples_alone(tmp_path, monkeypatch):
    few, many = ([*LADDER[:2], replace(METHODS["splits"], nodes=n)] for n in (1, 10))
    path, tried, true = tmp_path / "r.jsonl", [], records.certify
    first, _ = recorded(path, 0.38, few)
    opened = [r["key"]["example"] for r in first if not r["certified"]]

    def watched(model, x, *rest):
        tried.extend(proofs := true(model, x, *rest))
        return proofs

    monkeypatch.setattr(records, "certify", watched)
    second, _ = recorded(path, 0.38, many)
    assert [proof.example for proof in tried] == opened
    assert sum(r["certified"] for r in second) > sum(r["certified"] for r in first)
    fresh, _ = recorded(tmp_path / "fresh.jsonl", 0.38, many)
    assert [r["certified"] for r in second] == [r["certified"] for r in fresh]
    again, _ = recorded(path, 0.38, few)  # what took many pieces does not count for few
    assert [r["certified"] for r in again] == [r["certified"] for r in first]


def test_a_folder_at_the_path_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="regular file"):
        Records(tmp_path, {})
