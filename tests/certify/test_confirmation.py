"""The check of a run's certificates: a file and a record of each, once."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from enclosed import F64, linf, quartics
from torch import nn as tnn

from holonet import nn
from holonet.certify import EXACT, METHODS, Confirmation, certify_recorded, files
from holonet.errors import InputTypeError, MissingDependencyError

check = pytest.importorskip("holonet.certify.check")

LADDER = [METHODS["intervals"], METHODS["tangents"], METHODS["second_order"]]
LADDER.append(replace(METHODS["splits"], nodes=8))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A network, examples, and the records of those that are certified."""
    torch.manual_seed(2)
    model, shape = quartics()["dense"]
    x = torch.rand(6, *shape, dtype=F64)
    y, broken = model(x).argmax(1), torch.zeros(6, dtype=torch.bool)
    path = tmp_path_factory.mktemp("run") / "records.jsonl"
    records = certify_recorded(
        model, x, y, linf(0.1), LADDER, EXACT, path, broken, lambda count: None
    )
    return model, x, y, [record for record in records if record["certified"]]


def confirmed(run, folder, certified=None, done=None):
    model, x, y, records = run
    confirmation = Confirmation(model, x[:1], folder)
    return confirmation.confirm(
        x,
        y,
        linf(0.1),
        LADDER,
        EXACT,
        records if certified is None else certified,
        "Linf-0.1",
        (done if done is not None else []).append,
    )


def test_every_certificate_has_a_file_that_the_check_confirms(run, tmp_path):
    done = []
    found = confirmed(run, tmp_path, done=done)
    assert len(found) == len(run[3]) == sum(done) > 2
    assert all(record["confirmed"] for record in found)
    network = check.Network(str(tmp_path / "network.npz"))
    for record in run[3]:
        path = tmp_path / f"Linf-0.1-{record['key']['index']}.npz"
        assert check.confirm(network, str(path))[0]
        assert np.nanmin(np.load(path)["margins"]) == pytest.approx(record["margin"], rel=1e-9)


def test_what_was_confirmed_is_not_done_again_and_what_was_not_is(run, tmp_path, monkeypatch):
    true, paths = check.confirm, []

    def second_fails(network, path):
        paths.append(path)
        return (False, "planted") if len(paths) == 2 else true(network, path)

    with monkeypatch.context() as patch:
        patch.setattr(check, "confirm", second_fails)
        first = confirmed(run, tmp_path)
    assert [r["words"] for r in first if not r["confirmed"]] == ["planted"]
    with monkeypatch.context() as patch:
        patch.setattr(check, "confirm", lambda *file: paths.append(file[1]) or true(*file))
        second = confirmed(run, tmp_path)
    assert all(record["confirmed"] for record in second)
    assert len(paths) == len(run[3]) + 1
    assert paths[-1] == paths[1]


def test_another_check_or_network_has_its_own_records(run, tmp_path, monkeypatch):
    confirmed(run, tmp_path)
    lines = len((tmp_path / "Linf-0.1.jsonl").read_text().splitlines())
    altered = tmp_path / "check.py"
    altered.write_text("# another")
    monkeypatch.setattr(check, "__file__", str(altered))
    confirmed(run, tmp_path)
    assert len((tmp_path / "Linf-0.1.jsonl").read_text().splitlines()) == 2 * lines


def test_a_record_that_is_not_proved_again_or_refused_is_not_confirmed(run, tmp_path, monkeypatch):
    record = run[3][0]
    key = {**record["key"], "index": record["key"]["index"]}
    wrong = {"key": key, "method": "intervals"}
    (found,) = confirmed(run, tmp_path / "a", [wrong | {"key": {**key, "index": hard(run)}}])
    assert not found["confirmed"]
    assert found["words"] == "the method does not prove it again"

    def refuses(*_):
        raise check.RefusalError("planted")

    monkeypatch.setattr(check, "confirm", refuses)
    (found,) = confirmed(run, tmp_path / "b", [record])
    assert (found["confirmed"], found["words"]) == (False, "planted")


def hard(run):
    """An example that intervals do not prove."""
    return next(r["key"]["index"] for r in run[3] if r["method"] != "intervals")


def test_networks_that_files_do_not_hold_are_refused(tmp_path):
    model = tnn.Sequential(tnn.Linear(4, 3), nn.Tanh())
    with pytest.raises(InputTypeError, match="Tanh"):
        Confirmation(model, torch.rand(1, 4), tmp_path)


def test_without_flint_the_extra_is_named_before_any_work(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    monkeypatch.setattr(files, "read", lambda *_: pytest.fail("work began"))
    with pytest.raises(MissingDependencyError, match=r"pip install 'holonet\[check\]'"):
        Confirmation(run[0], run[1][:1], tmp_path / "files")
    assert not (tmp_path / "files").exists()
