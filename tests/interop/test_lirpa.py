"""auto_LiRPA as a referee: its bounds and those of certify stand beside executed points.

What is a law of two relaxations is asserted. Lines of x^2 and tanh differ, so that either side may
have the better bound of a single margin; tests/benchmarks/referee.py counts how often.
"""

import math
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch import nn as tnn

import fresh_python
from cases import each
from holonet import nn
from holonet.attacks import ThreatModel
from holonet.certify import certify
from holonet.errors import (
    ConfigError,
    DomainError,
    InputTypeError,
    MissingDependencyError,
    ShapeError,
    UnknownNameError,
)
from holonet.interop import LIRPA_METHODS, lirpa_margins
from old_lirpa import make_importable

pytest.importorskip("appdirs")  # what auto_LiRPA needs
LOOSE = 1e-4  # of single precision, as a part of the larger bound or of 1
BOX = ThreatModel("Linf", 0.1)
FEW = 3  # examples of a case: the network is traced for every bound
KINDS = ("x^2", "ReLU", "tanh", "z^2", "convolutions of x^2", "convolutions of z^2")
SHARE = ("x^2", "ReLU", "tanh", "convolutions of z^2")
"""Every activation, dense layers and convolutions, real and complex coefficients."""
THREATS = [ThreatModel(norm, eps) for norm in ("Linf", "L2") for eps in (0.01, 0.1, 0.4)]


@pytest.fixture(autouse=True, scope="module")
def _library() -> None:
    make_importable()


def network(kind: str, seed: int, layers: int = 2) -> tuple[tnn.Module, Tensor, Tensor]:
    """A random network with examples and labels."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    hidden = [4, 3][:layers]
    if kind.startswith("convolutions"):
        coefficients = "real" if "x^2" in kind else "complex"
        model: tnn.Module = nn.holomorphic_convnet(
            (1, 6, 6), (2,), 3, kernel_size=3, coefficients=coefficients, generator=generator
        )
    elif kind == "ReLU":
        widths = [6, *hidden]
        affine = [tnn.Linear(a, b) for a, b in zip(widths, [*hidden, 3], strict=True)]
        model = tnn.Sequential(*[f for a in affine for f in (a, tnn.ReLU())][:-1])
    elif kind == "z^2":
        model = nn.holomorphic_mlp(6, hidden, 3, generator=generator)
    else:
        activation = "tanh" if kind == "tanh" else "square"
        model = nn.holomorphic_mlp(
            6, hidden, 3, activation=activation, coefficients="real", generator=generator
        )
    scale = 0.5 + 2 * float(torch.rand((), generator=generator))
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.mul_(scale)
            if name.endswith("bias"):
                p.add_(0.5 * torch.randn(p.shape, generator=generator))
    shape = (4, 1, 6, 6) if kind.startswith("convolutions") else (4, 6)
    return model, torch.rand(shape, generator=generator), torch.tensor([0, 1, 2, 0])


def ours(model: tnn.Module, x: Tensor, y: Tensor, threat: ThreatModel, method: str) -> Tensor:
    return torch.tensor([proof.margins for proof in certify(model, x, y, threat, [method])])


def shortfall(bound: Tensor, other: Tensor) -> float:
    """How far a bound is below another one, at most, as a part of the larger one or of 1."""
    known = other.isfinite()
    size = 1 + torch.maximum(bound[known].abs(), other[known].abs())
    return float(((other - bound)[known] / size).max())


def executed(model: tnn.Module, x: Tensor, y: Tensor, threat: ThreatModel) -> Tensor:
    """The least margins z_y - z_k of points of the set: random ones, and one step of descent."""
    points = [x, *(threat.random_point(x) for _ in range(20))]
    for k in range(3):
        at = x.clone().requires_grad_()
        logits = model(at)
        sink = (logits[:, k] - logits.gather(1, y[:, None])[:, 0]).sum()
        (gradient,) = torch.autograd.grad(sink, at)
        points.append(threat.maximizer(gradient, x))
    with torch.no_grad():
        values = torch.stack([model(p) for p in points])
    return (values.gather(2, y.expand(len(points), -1)[..., None]) - values).amin(0)


def assert_below_what_is_executed(
    kind: str, seed: int, threat: ThreatModel, optimized: bool
) -> None:
    model, x, y = network(kind, seed)
    reached = executed(model, x, y, threat)
    methods = LIRPA_METHODS if optimized else LIRPA_METHODS[:2]
    bounds = {m: lirpa_margins(model, x, y, threat, m) for m in methods}
    known = ["intervals", "tangents", *(["second_order"] if "^2" in kind else [])]
    bounds |= {m: ours(model, x, y, threat, m) for m in known}
    for method, bound in bounds.items():
        assert bound.shape == (4, 3)
        assert bool(bound.gather(1, y[:, None]).isposinf().all())
        inner = torch.where(bound.isposinf(), -math.inf, bound)
        assert shortfall(reached, inner) < LOOSE, method


@each("kind", SHARE)
@settings(max_examples=2)
@given(seed=st.integers(0, 10**6), threat=st.sampled_from(THREATS))
def test_no_executed_margin_is_below_a_bound_of_either_side(
    kind: str, seed: int, threat: ThreatModel
) -> None:
    assert_below_what_is_executed(kind, seed, threat, optimized=kind == "ReLU")


@pytest.mark.slow
@each("kind", KINDS)
@settings(max_examples=3 * FEW)
@given(seed=st.integers(0, 10**6), threat=st.sampled_from(THREATS))
def test_no_executed_margin_of_any_kind_is_below_a_bound_of_either_side(
    kind: str, seed: int, threat: ThreatModel
) -> None:
    # squares have no lines to choose, and take seconds
    assert_below_what_is_executed(kind, seed, threat, optimized=kind in ("ReLU", "tanh"))


@each("threat", [BOX, ThreatModel("L2", 0.3, None)], ids=str)
@settings(max_examples=FEW)
@given(seed=st.integers(0, 10**6))
def test_margins_of_affine_networks_are_exact_on_both_sides(threat: ThreatModel, seed: int) -> None:
    torch.manual_seed(seed)
    model, x, y = tnn.Linear(6, 3), 0.2 + 0.6 * torch.rand(4, 6), torch.tensor([0, 1, 2, 0])
    rows = model.weight[y][:, None] - model.weight
    length = rows.norm(p=1 if threat.norm == "Linf" else 2, dim=2)
    logits = model(x)
    exact = (logits.gather(1, y[:, None]) - logits - threat.eps * length).detach()
    exact.scatter_(1, y[:, None], math.inf)
    for method in LIRPA_METHODS:
        torch.testing.assert_close(
            lirpa_margins(model, x, y, threat, method), exact, atol=1e-5, rtol=1e-5
        )
    torch.testing.assert_close(ours(model, x, y, threat, "tangents"), exact, atol=1e-5, rtol=1e-5)


@each("kind", SHARE)
@settings(max_examples=2)
@given(seed=st.integers(0, 10**6), threat=st.sampled_from(THREATS))
def test_intervals_are_never_below_ibp(kind: str, seed: int, threat: ThreatModel) -> None:
    """Both take the exact range of each entry; the last affine layers are one form in ours."""
    model, x, y = network(kind, seed)
    bound, other = ours(model, x, y, threat, "intervals"), lirpa_margins(model, x, y, threat, "IBP")
    assert shortfall(bound, other) < LOOSE


@settings(max_examples=FEW)
@given(seed=st.integers(0, 10**6), eps=st.sampled_from([0.01, 0.1, 0.4]))
def test_tangents_of_one_layer_of_relu_are_crown(seed: int, eps: float) -> None:
    """The ranges in front are exact, and both take the same lines."""
    model, x, y = network("ReLU", seed, layers=1)
    threat = ThreatModel("Linf", eps)
    bound, other = ours(model, x, y, threat, "tangents"), lirpa_margins(model, x, y, threat)
    assert max(shortfall(bound, other), shortfall(other, bound)) < LOOSE


@settings(max_examples=FEW)
@given(seed=st.integers(0, 10**6), threat=st.sampled_from(THREATS))
def test_alpha_crown_is_never_below_crown(seed: int, threat: ThreatModel) -> None:
    model, x, y = network("ReLU", seed)
    bound = lirpa_margins(model, x, y, threat, "alpha-CROWN")
    assert shortfall(bound, lirpa_margins(model, x, y, threat)) < LOOSE


@each(
    ("slope", "crown", "tangents", "second_order"),
    [(0.0, 0.01, -0.03, 0.01), (-0.6, -0.258, -0.102, -0.09)],
)
def test_either_tangent_of_a_square_may_be_the_better_one(
    slope: float, crown: float, tangents: float, second_order: float
) -> None:
    """Of z^2 + slope z on [0.1, 0.5]: CROWN's touches at the end next to 0, ours at the center."""
    model = tnn.Sequential(tnn.Linear(1, 2), nn.Square(), tnn.Linear(2, 2))
    with torch.no_grad():  # as a sum of multiples of z^2 and (z + 1)^2
        model[0].weight.fill_(1.0)
        model[0].bias.copy_(torch.tensor([0.0, 1.0]))
        model[2].weight.copy_(torch.tensor([[1 - slope / 2, slope / 2], [0.0, 0.0]]))
        model[2].bias.copy_(torch.tensor([-slope / 2, 0.0]))
    x, y, threat = torch.tensor([[0.3]]), torch.tensor([0]), ThreatModel("Linf", 0.2)
    assert float(lirpa_margins(model, x, y, threat)[0, 1]) == pytest.approx(crown, abs=1e-6)
    for method, value in (("tangents", tangents), ("second_order", second_order)):
        assert float(ours(model, x, y, threat, method)[0, 1]) == pytest.approx(value, abs=1e-6)


def test_layers_in_front_that_are_monotone_are_left_to_the_exact_image() -> None:
    model = tnn.Sequential(nn.Threshold(), tnn.Linear(6, 3))
    x, y = torch.rand(4, 6), torch.tensor([0, 1, 2, 0])
    expected = ours(model, x, y, BOX, "tangents")
    for method in LIRPA_METHODS:
        found = lirpa_margins(model, x, y, BOX, method)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_the_network_stays_as_it_is() -> None:
    model, x, y = network("ReLU", 0)
    model = model.train().double()
    found = lirpa_margins(model, x.double(), y, BOX, "alpha-CROWN")
    assert model.training
    assert all(p.requires_grad and p.dtype == torch.float64 for p in model.parameters())
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert lirpa_margins(model, x[:0].double(), y[:0], BOX).shape == (0, 3)


@each(
    ("activation", "method", "operation"),
    [("softplus", "CROWN", "BoundSoftplus"), ("gelu", "IBP", "onnx::Erf")],
)
def test_an_unknown_operation_is_named(activation: str, method: str, operation: str) -> None:
    model = nn.holomorphic_mlp(6, [4], 3, activation=activation, coefficients="real")
    x, y = torch.rand(2, 6), torch.tensor([0, 1])
    with pytest.raises(InputTypeError, match=f"auto_LiRPA .* by {method}: .*{operation}"):
        lirpa_margins(model, x, y, BOX, method)


def test_a_bias_that_overflows_is_no_bound() -> None:
    model = tnn.Sequential(tnn.Linear(1, 2), nn.Square(), tnn.Linear(2, 2))
    with torch.no_grad():
        model[0].weight.fill_(1e21)
    with pytest.raises(InputTypeError, match="inf value in the bias"):
        lirpa_margins(model, torch.tensor([[0.5]]), torch.tensor([0]), BOX)


@each(
    ("change", "error", "message"),
    [
        ({"threat": ThreatModel("L1", 0.1)}, ConfigError, "'Linf' or 'L2'"),
        ({"method": "crown"}, UnknownNameError, "'CROWN'"),
        ({"x": 2 + torch.zeros(2, 6)}, DomainError, "outside the box"),
        ({"y": torch.tensor([0, 3])}, DomainError, "labels from 0 to 3"),
        ({"y": torch.tensor([0])}, ShapeError, "2 examples and 1 labels"),
        ({"model": nn.Linear(6, 3)}, InputTypeError, "complex logits"),
    ],
)
def test_wrong_arguments_are_refused(change: dict, error: type[Exception], message: str) -> None:
    given = {"model": tnn.Linear(6, 3), "x": torch.rand(2, 6), "y": torch.tensor([0, 1])}
    with pytest.raises(error, match=message):
        lirpa_margins(**{**given, "threat": BOX, **change})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "auto_LiRPA", None)
    with pytest.raises(MissingDependencyError, match=r"auto_LiRPA, which is not installed: .*"):
        lirpa_margins(tnn.Linear(6, 3), torch.rand(1, 6), torch.tensor([0]), BOX)


def test_a_package_that_does_not_import_is_told_from_a_missing_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "auto_LiRPA").mkdir()
    (tmp_path / "auto_LiRPA/__init__.py").write_text("import numpy\nnumpy.no_such_name\n")
    monkeypatch.delitem(sys.modules, "auto_LiRPA")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingDependencyError, match=r"does not import here \(.*no_such_name"):
        lirpa_margins(tnn.Linear(6, 3), torch.rand(1, 6), torch.tensor([0]), BOX)


@pytest.mark.skipif(version("auto_LiRPA") != "0.3", reason="newer ones import")
def test_the_version_of_the_package_index_does_not_import_without_help() -> None:
    code = """
import torch
from holonet.attacks import ThreatModel
from holonet.interop import lirpa_margins
try:
    lirpa_margins(torch.nn.Linear(2, 2), torch.rand(1, 2), torch.tensor([0]), ThreatModel())
except ImportError as error:
    print(error)
"""
    done = fresh_python.run("-c", code)
    assert "does not import here" in done.stdout, done.stderr
    assert "Verified-Intelligence/auto_LiRPA" in done.stdout
