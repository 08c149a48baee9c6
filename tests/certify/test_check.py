"""The independent check: it confirms true certificates and nothing else."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from enclosed import F64, linf, quartics

import holonet
from holonet.certify import METHODS, certify, save_certificate, save_network

pytest.importorskip("flint")

from holonet.certify import check

FILE = Path(holonet.__file__).parent / "certify" / "check.py"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of networks, with and without a threshold, and of certificates of both methods."""
    torch.manual_seed(2)
    folder = tmp_path_factory.mktemp("files")
    for name in ("threshold", "dense"):
        model, shape = quartics()[name]
        x = torch.rand(14, *shape, dtype=F64)
        y = model(x).argmax(1)
        digest = save_network(model, x, folder / f"{name}.npz")
        for method, eps in (("second_order", 0.1), ("splits", 0.2)):
            methods = ["second_order", replace(METHODS["splits"], nodes=20)]
            for i, proof in enumerate(certify(model, x, y, linf(eps), methods)):
                if proof.holds and proof.method == method:
                    save_certificate(
                        proof, x[i : i + 1], digest, folder / f"{name}-{method}-{i}.npz"
                    )
    return folder


def first(folder, pattern):
    return sorted(folder.glob(pattern))[0]


def altered(path, target, **changes):
    """A copy of a certificate with another claim."""
    with np.load(path) as file:
        arrays = dict(file)
    claim = json.loads(str(arrays["claim"]))
    arrays |= {key: changes.pop(key) for key in ("example",) if key in changes}
    np.savez(target, **{**arrays, "claim": json.dumps({**claim, **changes})})
    return str(target)


def leaves(witness):
    halves = witness.get("halves")
    return [leaf for half in halves for leaf in leaves(half)] if halves else [witness]


@pytest.mark.parametrize("name", ["threshold", "dense"])
def test_certificates_of_both_methods_are_confirmed(name, folder):
    network = check.Network(str(folder / f"{name}.npz"))
    counts = {}
    for method in ("second_order", "splits"):
        files = sorted(folder.glob(f"{name}-{method}-*.npz"))[:8]
        assert files
        for path in files:
            holds, words = check.confirm(network, str(path))
            assert holds, (path, words)
        counts[method] = len(files)
    assert sum(counts.values()) > 5


def test_it_runs_without_the_package(folder):
    files = [str(first(folder, f"dense-{method}-*.npz")) for method in ("second_order", "splits")]
    code = (
        "import runpy, sys; sys.modules['holonet'] = None; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    line = [sys.executable, "-c", code, str(FILE), str(folder / "dense.npz"), *files]
    ran = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count(": confirmed: every point has class") == 2


@pytest.mark.parametrize("name", ["threshold", "dense"])
def test_a_larger_claim_is_not_confirmed(name, folder, tmp_path):
    network = check.Network(str(folder / f"{name}.npz"))
    for path in sorted(folder.glob(f"{name}-second_order-*.npz"))[:4]:
        claim = json.loads(str(np.load(path)["claim"]))
        wide = altered(path, tmp_path / "wide.npz", eps=0.9)
        assert not check.confirm(network, wide)[0]
        label = (claim["label"] + 1) % 3
        witness = {str(k): next(iter(claim["witness"].values())) for k in range(3)}
        other = altered(path, tmp_path / "other.npz", label=label, witness=witness)
        assert not check.confirm(network, other)[0]
        none = altered(path, tmp_path / "none.npz", witness={})
        assert not check.confirm(network, none)[0]


def test_half_of_a_box_is_no_proof(folder, tmp_path):
    network = check.Network(str(folder / "dense.npz"))
    path = first(folder, "dense-splits-*.npz")
    claim = json.loads(str(np.load(path)["claim"]))
    for witness in claim["witness"].values():
        if "halves" in witness:
            witness["halves"] = witness["halves"][:1]
    lost = altered(path, tmp_path / "lost.npz", witness=claim["witness"])
    with pytest.raises(ValueError, match="not enough values"):
        check.confirm(network, lost)


def test_a_cut_outside_of_the_box_is_refused(folder, tmp_path):
    network = check.Network(str(folder / "dense.npz"))
    path = first(folder, "dense-splits-*.npz")
    claim = json.loads(str(np.load(path)["claim"]))
    for witness in claim["witness"].values():
        if "halves" in witness:
            witness["middle"] = 7.0
    with pytest.raises(check.RefusalError, match="outside of the box"):
        check.confirm(network, altered(path, tmp_path / "cut.npz", witness=claim["witness"]))


def test_a_dual_point_with_a_negative_entry_is_refused(folder, tmp_path):
    network, found = check.Network(str(folder / "dense.npz")), 0
    for path in sorted(folder.glob("dense-*.npz")):
        claim = json.loads(str(np.load(path)["claim"]))
        duals = [w["dual"] for tree in claim["witness"].values() for w in leaves(tree) if w["dual"]]
        for dual in duals:
            dual[0] = -1e-3
        if duals:
            found += 1
            with pytest.raises(check.RefusalError, match="negative entry"):
                check.confirm(network, altered(path, tmp_path / "d.npz", witness=claim["witness"]))
    assert found


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"network": "0" * 64}, "another network"),
        ({"label": 3}, "no such class"),
        ({"eps": -0.1}, "radius"),
        ({"eps": float("nan")}, "radius"),
        ({"example": np.full(6, 1.5)}, "outside of the bounds"),
        ({"example": np.full(6, np.nan)}, "outside of the bounds"),
        ({"example": np.zeros(5)}, "another size"),
    ],
    ids=str,
)
def test_files_of_something_else_are_refused(changes, match, folder, tmp_path):
    network = check.Network(str(folder / "dense.npz"))
    path = altered(first(folder, "dense-second_order-*.npz"), tmp_path / "c.npz", **changes)
    with pytest.raises(check.RefusalError, match=match):
        check.confirm(network, path)


def test_an_altered_weight_is_another_network(folder, tmp_path):
    with np.load(folder / "dense.npz") as file:
        arrays = dict(file)
    arrays["weight2"][0, 0] += 1e-9
    np.savez(tmp_path / "net.npz", **arrays)
    network = check.Network(str(tmp_path / "net.npz"))
    with pytest.raises(check.RefusalError, match="another network"):
        check.confirm(network, str(first(folder, "dense-second_order-*.npz")))


def test_exit_codes_and_one_line(folder, tmp_path, monkeypatch, capsys):
    path = first(folder, "dense-second_order-*.npz")
    wide = altered(path, tmp_path / "wide.npz", eps=0.9)
    for files, code in (([str(path)], 0), ([str(path), wide], 1), (["none.npz"], 2)):
        monkeypatch.setattr(sys, "argv", ["check.py", str(folder / "dense.npz"), *files])
        assert check.main() == code
    assert capsys.readouterr().err.startswith("error: FileNotFoundError")
