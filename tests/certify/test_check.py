"""The independent check: it confirms true certificates and nothing else."""

import bisect
import itertools
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from enclosed import F64, exact_margins, linf, quartics, sampled
from torch import nn as tnn

import holonet
from cases import each
from holonet import nn
from holonet.certify import METHODS, certify, save_certificate, save_network
from holonet.data import load_digits

flint = pytest.importorskip("flint")
check = pytest.importorskip("holonet.certify.check")

FILE = Path(holonet.__file__).parent / "certify" / "check.py"
REAL_QUARTICS = ("dense", "threshold", "convolution")
RADII = {
    "intervals": [0.02],
    "schwarz_pick": [0.02 / 3**i for i in range(6)],
    "tangents": [0.05],
    "second_order": [0.1],
    "tangent_splits": [r / 100 for r in range(4, 40)],
    "splits": [r / 100 for r in range(18, 40)],
}
WHOLE = {"splits": "second_order", "tangent_splits": "tangents"}
"""Splits -> what they are without a split."""


def dense(*widths, front=()):
    """Linear layers with squares between them."""
    layers = [*front]
    for inner, outer in itertools.pairwise(widths):
        layers += [nn.Linear(inner, outer, dtype=F64), nn.Square()]
    return with_biases(nn.HolomorphicClassifier(nn.Sequential(*layers[:-1])))


def with_biases(model):
    for p in model.parameters():
        if p.ndim == 1:
            torch.nn.init.normal_(p, std=0.3)
    return model


def filed(folder, model, x, method, radii):
    """The network as a file, and certificates by one method, each at the largest of the radii.

    Splits are tried at the least of the radii where second order is not enough.
    """
    y, radii = model(x).argmax(1), sorted(radii)
    digest, paths = save_network(model, x, folder / "network.npz"), []
    own = replace(METHODS[method], nodes=16) if method in WHOLE else method
    for i in range(len(x)):
        example = x[i : i + 1], y[i : i + 1]

        def opened(eps, example=example):
            cheaper = WHOLE.get(method, method)
            return not certify(model, *example, linf(eps), [cheaper])[0].holds

        place = bisect.bisect_left(radii, True, key=opened) - (method not in WHOLE)
        if 0 <= place < len(radii):
            (proof,) = certify(model, *example, linf(radii[place]), [own])
            if proof.holds:
                path = folder / f"{method}-{i}.npz"
                paths.append(save_certificate(proof, example[0], digest, path))
    return check.Network(str(folder / "network.npz")), paths


def certified(folder, names):
    """Folders of networks and of their certificates by the methods that are for them."""
    torch.manual_seed(2)
    table = quartics()
    examples = torch.rand(12, 6, dtype=F64)
    table = {name: table[name] for name in REAL_QUARTICS}
    table |= {"deep": (dense(6, 7, 6, 5, 3), (6,)), "single": (dense(6, 7, 3), (6,))}
    table["affine"] = dense(6, 3), (6,)
    known = {"dense": 6, "affine": 3}
    for name in names:
        model, shape = table[name]
        x = examples if shape == (6,) else torch.rand(8, *shape, dtype=F64)
        (folder / name).mkdir()
        for method in [*RADII][: known.get(name, 5)]:
            some = x[3::2] if method in WHOLE else x[:5]
            _, paths = filed(folder / name, model, some, method, RADII[method])
            for path in paths[4:]:
                path.unlink()
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("files"), ("dense", "threshold", "affine"))


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    return certified(tmp_path_factory.mktemp("others"), ("convolution", "deep", "single"))


def files_of(folder, name, method="*", count=6):
    paths = sorted((folder / name).glob(f"{method}-*.npz"))[:count]
    assert paths
    return check.Network(str(folder / name / "network.npz")), paths


def first(folder, name, method):
    return files_of(folder, name, method)[1][0]


def claim_of(path):
    return json.loads(str(np.load(path)["claim"]))


def altered(path, target, **changes):
    """A copy of a certificate with another claim."""
    with np.load(path) as file:
        arrays = dict(file)
    claim = json.loads(str(arrays["claim"]))
    arrays |= {key: changes.pop(key) for key in ("example", "margins") if key in changes}
    np.savez(target, **{**arrays, "claim": json.dumps({**claim, **changes})})
    return str(target)


def leaves(witness):
    halves = witness.get("halves")
    return [leaf for half in halves for leaf in leaves(half)] if halves else [witness]


@pytest.mark.parametrize(
    ("fixture", "methods"), [("folder", 6), pytest.param("others", 5, marks=pytest.mark.slow)]
)
def test_certificates_of_all_methods_are_confirmed(fixture, methods, request):
    folder = request.getfixturevalue(fixture)
    counts = dict.fromkeys([*RADII][:methods], 0)
    for place in sorted(folder.iterdir()):
        network, paths = files_of(folder, place.name, count=99)
        for path in paths:
            holds, words = check.confirm(network, str(path))
            assert holds, (path, words)
            counts[claim_of(path)["method"]] += 1
    assert min(counts.values()) > 1


def test_it_runs_without_the_package(folder):
    files = [str(first(folder, "dense", method)) for method in RADII]
    code = (
        "import runpy, sys; sys.modules['holonet'] = None; "
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    network = str(folder / "dense" / "network.npz")
    line = [sys.executable, "-c", code, str(FILE), network, *files]
    ran = subprocess.run(line, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count(": confirmed: every point has class") == len(RADII)


@pytest.mark.parametrize("method", RADII)
def test_a_larger_claim_is_not_confirmed(method, folder, tmp_path):
    # of units the check has bounds of its own, which are a little better, and of discs intervals
    more = {"schwarz_pick": 0.5, "second_order": 0.01, "splits": 0.01}.get(method)
    for name in ("dense",) if method == "splits" else ("threshold", "dense"):
        network, paths = files_of(folder, name, method, 3)
        for path in paths:
            claim, margins = claim_of(path), np.load(path)["margins"]
            grown = margins + (more or 1e-6 * margins)
            label, others = (claim["label"] + 1) % 3, np.arange(3)[np.isfinite(margins)]
            own = next(iter(claim["witness"].values()), None)
            witness = dict.fromkeys("012", own) if own else {}
            changes = [
                {"eps": 0.9},
                {"label": label, "witness": witness, "margins": np.roll(margins, 1)},
                *({"margins": np.where(np.arange(3) == k, grown, margins)} for k in others),
                {"margins": margins * np.nan},
            ]
            for change in changes:
                wide = altered(path, tmp_path / "wide.npz", **change)
                assert not check.confirm(network, wide)[0], change
            if claim["witness"]:  # without it intervals are tried
                lost = altered(path, tmp_path / "lost.npz", witness={})
                assert not check.confirm(network, lost)[0]
                lost = altered(path, tmp_path / "lost.npz", witness={"3": {}})
                with pytest.raises(KeyError):
                    check.confirm(network, lost)


def test_what_tangents_prove_is_not_confirmed_of_intervals(folder, tmp_path):
    network, paths = files_of(folder, "dense", "tangents")
    held = [
        check.confirm(network, altered(path, tmp_path / "c.npz", method="intervals"))[0]
        for path in paths
    ]
    assert not all(held)


@pytest.fixture(autouse=True)
def precise():
    """For what tests compute themselves."""
    with flint.ctx.workprec(96):
        yield


def linear_bounds(network, *arguments):
    return [bound for (bound,) in network.linear_bounds(*arguments)]


def test_the_precision_that_others_set_does_not_matter(folder):
    for method in RADII:
        network, (path, *_) = files_of(folder, "dense", method)
        with flint.ctx.workprec(12):
            assert check.confirm(network, str(path))[0]
            assert flint.ctx.prec == 12
            assert check.Network(str(folder / "dense" / "network.npz")).digest == network.digest


def test_discs_prove_no_more_than_intervals_on_real_squares(folder, tmp_path):
    """So the check needs nothing else for them."""
    network, paths = files_of(folder, "dense", "schwarz_pick")
    for path in paths:
        as_intervals = altered(path, tmp_path / "c.npz", method="intervals")
        assert check.confirm(network, as_intervals)[0]


@pytest.mark.parametrize("back", [False, True])
def test_linear_bounds_are_below_sampled_margins_and_near_to_them(back, tmp_path):
    """At a point they are the margins."""
    torch.manual_seed(1)
    for widths in ((5, 6, 4, 3), (5, 6, 6, 4, 3), (5, 4, 3), (5, 3)):
        model, x = dense(*widths), torch.rand(4, 5, dtype=F64)
        save_network(model, x, tmp_path / "net.npz")
        network = check.Network(str(tmp_path / "net.npz"))
        logits = model(sampled(x, linf(0.1), 400).flatten(0, 1)).unflatten(0, (400, 4)).detach()
        for i, point in enumerate(x):
            low, high = (point - 0.1).clamp(0, 1).tolist(), (point + 0.1).clamp(0, 1).tolist()
            bounds = linear_bounds(network, (low, high), 0, [1, 2], back)
            least = (logits[:, i, :1] - logits[:, i, 1:]).amin(0).tolist()
            assert all(b < value + 1e-9 for b, value in zip(bounds, least, strict=True))
            bounds = linear_bounds(network, (point.tolist(),) * 2, 0, [1, 2], back)
            exact = exact_margins(model.backbone, point, 0)[1:]
            for bound, value in zip(bounds, exact, strict=True):
                assert float(abs(bound - flint.arb(flint.fmpq(*value.as_integer_ratio())))) < 1e-20


def test_linear_bounds_of_one_square_are_the_known_ones(tmp_path):
    model = tnn.Sequential(tnn.Linear(1, 1), nn.Square(), tnn.Linear(1, 2)).double()
    with torch.no_grad():
        for layer, weights, biases in ((model[0], [[1.0]], [0.0]), (model[2], [[1], [0]], [0, 0])):
            layer.weight.copy_(torch.tensor(weights))
            layer.bias.copy_(torch.tensor(biases))
    save_network(model, torch.zeros(1, 1), tmp_path / "net.npz")
    network = check.Network(str(tmp_path / "net.npz"))
    for low, high, label, least in (
        (1.0, 3.0, 0, 1.0),
        (-1.0, 3.0, 0, 0.0),
        (1.0, 3.0, 1, -9.0),
        (-3.0, 1.0, 1, -9.0),
    ):
        for back in (False, True):
            (bound,) = linear_bounds(network, ([low], [high]), label, [1 - label], back)
            assert float(bound.mid()) == pytest.approx(least, abs=1e-25)
    # through another square the line below is taken: x^2 >= 4 x - 4 on [1, 3]
    rows, constant = flint.arb_mat([[1]]), flint.arb_mat([[0]])
    boxes = [check.halves(flint.arb_mat([[1]]), flint.arb_mat([[3]]))] * 2
    network.weights[0] = flint.arb_mat([[1]])
    low, high = network._ends(boxes, rows, constant, True)
    assert (float(low[0, 0].mid()), float(high[0, 0].mid())) == (1.0, 9.0)


def test_half_of_a_box_is_no_proof(folder, tmp_path):
    network, (path, *_) = files_of(folder, "dense", "splits")
    claim = claim_of(path)
    for witness in claim["witness"].values():
        if "halves" in witness:
            witness["halves"] = witness["halves"][:1]
    lost = altered(path, tmp_path / "lost.npz", witness=claim["witness"])
    with pytest.raises(ValueError, match="zip"):
        check.confirm(network, lost)


def test_a_half_that_is_not_proved_is_no_proof(folder, tmp_path):
    """The witness of a small piece does not stand for the whole box."""
    network, paths = files_of(folder, "dense", "splits")
    for path in paths:
        claim = claim_of(path)
        claim["witness"] = {k: leaves(tree)[0] for k, tree in claim["witness"].items()}
        whole = altered(path, tmp_path / "whole.npz", witness=claim["witness"])
        assert not check.confirm(network, whole)[0]


@pytest.mark.parametrize("half", [0, 1])
def test_both_halves_are_looked_at(half, folder, tmp_path):
    network, paths = files_of(folder, "dense", "splits")
    held = []
    for path in paths:
        witness = claim_of(path)["witness"]
        for tree in witness.values():
            if "halves" in tree:  # moduli alone do not prove it
                tree["halves"][half] = {**leaves(tree)[0], "dual": []}
        held.append(check.confirm(network, altered(path, tmp_path / "c.npz", witness=witness))[0])
    assert not any(held)


def witnesses(folder):
    """The network, the path and the witness of each polynomial certificate, and its leaves."""
    for method in ("second_order", "splits"):
        network, paths = files_of(folder, "dense", method)
        for path in paths:
            witness = claim_of(path)["witness"]
            yield network, path, witness, [w for tree in witness.values() for w in leaves(tree)]


def outcomes(folder, target, key, change):
    """Of the check, where each piece that has anything under a key is changed."""
    held = []
    for network, path, witness, pieces in witnesses(folder):
        chosen = [piece for piece in pieces if piece[key]]
        for piece in chosen:
            change(piece)
        if chosen:
            held.append(check.confirm(network, altered(path, target, witness=witness))[0])
    assert len(held) > 1
    return held


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_other_shares_do_not_prove_the_same(factor, folder, tmp_path):
    def change(piece):
        piece["units"] = [[[factor * n, s] for n, s in layer] for layer in piece["units"]]

    assert not all(outcomes(folder, tmp_path / "c.npz", "dual", change))


@pytest.mark.parametrize(
    ("widths", "seed"),
    [
        ((3, 5, 7, 3), 3),
        ((4, 6, 4, 5, 3), 7),
        ((4, 10, 4, 6, 3), 132),
        pytest.param((6, 8, 4, 10, 6, 3), 129, marks=pytest.mark.slow),
        pytest.param((6, 10, 6, 10, 3), 141, marks=pytest.mark.slow),
    ],
)
def test_products_are_confirmed_where_units_are_more_and_in_deeper_networks(widths, seed, tmp_path):
    torch.manual_seed(seed)
    model = dense(*widths)
    x, found = torch.rand(8, widths[0], dtype=F64), 0
    radii = [0.4 / 1.3**i for i in range(14)]
    network, paths = filed(tmp_path, model, x, "second_order", radii)
    for path in paths:
        if any(witness["products"] for witness in claim_of(path)["witness"].values()):
            assert check.confirm(network, str(path))[0]
            found += 1
    assert found


def test_units_of_deeper_layers_are_within_their_rest(tmp_path):
    torch.manual_seed(3)
    model, wide = dense(4, 6, 5, 4, 3), 0
    save_network(model, torch.rand(1, 4, dtype=F64), tmp_path / "net.npz")
    network = check.Network(str(tmp_path / "net.npz"))
    piece = check.Piece(network, ([-0.5] * 4, [1.5] * 4), [0, 1, 2, 3])
    t = 2 * torch.rand(4000, 4, dtype=F64) - 1
    t[::2] = t[::2].sign()
    first, second = torch.triu_indices(4, 4)
    x = torch.where(first < second, t[:, first] * t[:, second], 2 * t[:, first] * t[:, second] - 1)
    z, linear = 0.5 + t, [part for part in model.backbone if isinstance(part, nn.Linear)]
    for layer, part in zip(piece.bent, linear, strict=False):
        z = part(z).detach()
        center, rows, bends, rest = (
            torch.from_numpy(check.middle(v))
            for v in (layer.center, layer.rows, layer.bends, layer.rest)
        )
        known = center.T + t @ rows.T + x @ bends[:, :-1].T + bends[:, -1]
        away = (z - known).abs().amax(0)
        assert (away <= rest[:, 0] + 1e-12).all()
        wide += int((away > rest[:, 0] / 4 + 1e-12).sum())
        z = z * z
    assert wide  # a rest that is a quarter is found


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_other_multipliers_of_products_do_not_prove_the_same(factor, folder, tmp_path):
    """Smaller ones cost less and allow larger bends, larger ones cost more."""

    def change(piece):
        piece["products"] = [factor * v for v in piece["products"]]

    assert not any(outcomes(folder, tmp_path / "c.npz", "products", change))


@pytest.mark.parametrize("number", [0.0, -0.5, float("nan"), float("inf"), None])
def test_multipliers_that_are_not_positive_or_too_few_are_refused(number, folder, tmp_path):
    for network, path, witness, pieces in witnesses(folder):
        if lifted := [piece for piece in pieces if piece["products"]]:
            products = lifted[0]["products"]
            products[-1:] = [] if number is None else [number]
            with pytest.raises(check.RefusalError, match="of products"):
                check.confirm(network, altered(path, tmp_path / "m.npz", witness=witness))
            return
    raise AssertionError("no certificate has products")


@pytest.mark.parametrize("number", [0.0, -0.5, float("nan"), float("inf")])
def test_a_share_that_is_not_positive_or_not_finite_is_refused(number, folder, tmp_path):
    network, (path, *_) = files_of(folder, "dense", "second_order")
    claim = claim_of(path)
    for witness in claim["witness"].values():
        witness["units"][0][0][0] = number
    with pytest.raises(check.RefusalError, match="share"):
        check.confirm(network, altered(path, tmp_path / "s.npz", witness=claim["witness"]))


def test_too_few_shares_are_refused(folder, tmp_path):
    network, (path, *_) = files_of(folder, "dense", "second_order")
    claim = claim_of(path)
    for witness in claim["witness"].values():
        witness["units"][0].pop()
    with pytest.raises(ValueError, match=r"zip|shape"):
        check.confirm(network, altered(path, tmp_path / "s.npz", witness=claim["witness"]))


def test_a_cut_outside_of_the_box_is_refused(folder, tmp_path):
    network, (path, *_) = files_of(folder, "dense", "splits")
    claim = claim_of(path)
    for witness in claim["witness"].values():
        if "halves" in witness:
            witness["middle"] = 7.0
    with pytest.raises(check.RefusalError, match="outside of the box"):
        check.confirm(network, altered(path, tmp_path / "cut.npz", witness=claim["witness"]))


def test_a_dual_point_with_a_negative_entry_is_refused(folder, tmp_path):
    found = 0
    for network, path, witness, pieces in witnesses(folder):
        duals = [piece["dual"] for piece in pieces if piece["dual"]]
        for dual in duals:
            dual[0] = -1e-3
        if duals:
            found += 1
            with pytest.raises(check.RefusalError, match="negative entry"):
                check.confirm(network, altered(path, tmp_path / "d.npz", witness=witness))
    assert found


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"network": "0" * 64}, "another network"),
        ({"label": 3}, "no such class"),
        ({"margins": np.ones(4)}, "no such class"),
        ({"eps": -0.1}, "radius"),
        ({"eps": float("nan")}, "radius"),
        ({"example": np.full(6, 1.5)}, "outside of the bounds"),
        ({"example": np.full(6, np.nan)}, "outside of the bounds"),
        ({"example": np.zeros(5)}, "another size"),
    ],
    ids=str,
)
def test_files_of_something_else_are_refused(changes, match, folder, tmp_path):
    network, (path, *_) = files_of(folder, "dense", "second_order")
    path = altered(path, tmp_path / "c.npz", **changes)
    with pytest.raises(check.RefusalError, match=match):
        check.confirm(network, path)


def test_an_altered_weight_or_shape_is_another_network(folder, tmp_path):
    with np.load(folder / "dense" / "network.npz") as file:
        arrays = dict(file)
    longer = np.append(arrays["log_slope"], 0.0), np.append(arrays["middle"], 0.5)
    for name, change in (
        ("weight2", arrays["weight2"] + np.eye(5, 7) * 1e-9),
        ("squares", np.array([1.0, 0.0, 0.0])),
        ("log_slope", longer[0]),
    ):
        threshold = {"middle": longer[1]} if name == "log_slope" else {}
        np.savez(tmp_path / "net.npz", **{**arrays, name: change, **threshold})
        network = check.Network(str(tmp_path / "net.npz"))
        for method in RADII:
            with pytest.raises(check.RefusalError, match="another network"):
                check.confirm(network, str(first(folder, "dense", method)))


def test_networks_that_end_with_squares_or_are_not_finite_are_refused(folder, tmp_path):
    with np.load(folder / "dense" / "network.npz") as file:
        arrays = dict(file)
    for change, match in (
        ({"squares": np.ones(3)}, "not affine"),
        ({"bias1": arrays["bias1"] * np.inf}, "bias1 holds no real .* not finite"),
    ):
        np.savez(tmp_path / "net.npz", **{**arrays, **change})
        with pytest.raises(check.RefusalError, match=match):
            check.Network(str(tmp_path / "net.npz"))


def test_exit_codes_and_one_line(folder, tmp_path, monkeypatch, capsys):
    path = first(folder, "dense", "second_order")
    wide = altered(path, tmp_path / "wide.npz", eps=0.9)
    for files, code in (([str(path)], 0), ([str(path), wide], 1), (["none.npz"], 2)):
        network = str(folder / "dense" / "network.npz")
        monkeypatch.setattr(sys, "argv", ["check.py", network, *files])
        assert check.main() == code
    assert capsys.readouterr().err.startswith("error: none.npz: [Errno 2] No such file")


def cut_off(content):
    return content[:200]


def changed(content):
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


@each(
    ("damage", "words"),
    [
        (cut_off, "damaged (BadZipFile: "),
        (changed, "damaged ("),
        (lambda content: b"", "damaged (EOFError: "),
        (lambda content: b"a page of text", "damaged (ValueError: "),
        ({"witness": 5}, "damaged (TypeError: "),
        ({"bounds": ["a", "b"]}, "damaged (TypeError: "),
        ({"label": None}, "damaged (TypeError: "),
        ({"example": np.ones(6) + 1j}, "the example holds no real numbers"),
    ],
    ids=lambda case: getattr(case, "__name__", str(case)),
)
def test_a_damaged_file_is_named_and_no_certificate(
    damage, words, folder, tmp_path, monkeypatch, capsys
):
    path, bad = first(folder, "dense", "second_order"), tmp_path / "bad.npz"
    if isinstance(damage, dict):
        altered(path, bad, **damage)
    else:
        bad.write_bytes(damage(path.read_bytes()))
    monkeypatch.setattr(sys, "argv", ["check.py", str(folder / "dense" / "network.npz"), str(bad)])
    assert check.main() == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {bad}: ")
    assert words in error


@each("name", ["weight1", "bias2"])
def test_complex_weights_are_no_network(name, folder, tmp_path):
    with np.load(folder / "dense" / "network.npz") as file:
        arrays = dict(file)
    np.savez(tmp_path / "net.npz", **(arrays | {name: arrays[name] + 1j}))
    with pytest.raises(check.RefusalError, match=f"{name} holds no real"):
        check.Network(str(tmp_path / "net.npz"))


def trained(seed, widths, threshold, examples=400):
    """A small network after some steps on the bundled digits, and its test examples."""
    data = load_digits(seed)
    torch.manual_seed(seed)
    front = [nn.Flatten(), *([nn.Threshold(6.0, 0.5, dtype=F64)] if threshold else [])]
    model = dense(64, *widths, 10, front=front)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], 0.01)
    x, y = data.x_train.double(), data.y_train
    for step in range(200):
        index = torch.arange(step * 128, step * 128 + 128) % len(x)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x[index]), y[index]).backward()
        optimizer.step()
    with torch.no_grad():
        right = model(data.x_test.double()).argmax(1) == data.y_test
    assert right.double().mean() > 0.7
    return model, data.x_test.double()[right][:examples]


def small(seed):
    """A small random network with examples."""
    torch.manual_seed(seed)
    table = quartics()
    name = [*REAL_QUARTICS, "deep", "single", "wide"][seed % 6]
    shape = table[name][1] if name in table else (6,)
    model = {"deep": dense(6, 7, 6, 5, 3), "single": dense(6, 7, 3), "wide": dense(6, 12, 10, 5)}
    return model.get(name) or with_biases(table[name][0]), torch.rand(60, *shape, dtype=F64)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("method", RADII)
def test_a_thousand_certificates_of_each_method_are_confirmed(method, tmp_path):
    count, seed, seconds = {"random": 0, "digits": 0}, 0, 0.0
    of_random = {"splits": 970, "schwarz_pick": 1000}.get(method, 500)  # others leave the polydisc
    for kind, wanted in {"random": of_random, "digits": 1000 - of_random}.items():
        while count[kind] < wanted:
            if kind == "digits":
                widths = ((8, 6), (10,), (8, 6, 6))[seed % 3]
                model, x = trained(seed, widths, bool(seed % 2))
                radii = [0.1 / 2**i for i in range(10)]
                if method in WHOLE:  # 16 pieces reach a little farther than one
                    x, radii = x[:20], [0.1 / 1.02**i for i in range(128)]
            else:
                model, x = small(seed)
                radii = [0.4 / 1.5**i for i in range(18 if method == "schwarz_pick" else 9)]
                if method in WHOLE:
                    radii = [0.4 / 1.02**i for i in range(128)]
            folder = tmp_path / f"{kind}-{seed}"
            folder.mkdir()
            network, paths = filed(folder, model, x, method, radii)
            for path in paths[: wanted - count[kind]]:
                start = time.process_time()
                holds, words = check.confirm(network, str(path))
                seconds += time.process_time() - start
                assert holds, (path, words)
                count[kind] += 1
            seed += 1
    print(f"{method}: {count} confirmed, {seconds / sum(count.values()):.4f} s each")
