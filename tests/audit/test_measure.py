"""The audit finds what is known of complextorch's layers, and what is planted."""

import json
import math
import warnings
from dataclasses import replace
from pathlib import Path

import complextorch.nn as ctnn
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from holonet.audit.complextorch import SPECS, LayerSpec, Verdict
from holonet.audit.measure import (
    AuditRow,
    audit,
    audit_layer,
    package_specs,
    write_audit,
)
from holonet.errors import UnknownNameError
from holonet.functions import FunctionClass
from holonet.nn import declare
from holonet.nn.module import DECLARATIONS


class Map(nn.Module):
    """A function as a layer, another one in train mode if given."""

    def __init__(self, value, trained=None) -> None:
        super().__init__()
        self.value, self.trained = value, trained

    def forward(self, z: Tensor) -> Tensor:
        return (self.trained or self.value)(z) if self.training else self.value(z)


def planted(value, trained=None, **options) -> LayerSpec:
    return LayerSpec("planted", "planted", lambda: Map(value, trained), (3,), **options)


def found(value, trained=None, **options) -> AuditRow:
    return audit_layer(planted(value, trained, **options))


LOOKED_AT = (
    *("Linear", "Dropout", "Bilinear", "CVSigmoid", "CReLU", "GTReLU", "EquivariantPhaseReLU"),
    *("MagMinMaxNorm", "LayerNorm", "BatchNorm1d", "NaiveBatchNorm1d", "MagBatchNorm1d"),
    *("GRU(batch_first=True)", "PhaseDivConv1d", "relevance.LinearVD"),
)
"""Labels of layers that tests name."""


@pytest.fixture(scope="module", params=["a share", pytest.param("all", marks=pytest.mark.slow)])
def specs(request: pytest.FixtureRequest) -> tuple[LayerSpec, ...]:
    """All, or those that tests name and those whose supremum is known, on short sequences."""
    if request.param == "all":
        return SPECS
    chosen = (s for s in SPECS if s.label in {*LOOKED_AT, *SUPREMA})
    return tuple(replace(s, shape=(2, 2)) if "BatchNorm" in s.label else s for s in chosen)


@pytest.fixture(scope="module")
def rows(specs) -> dict[str, AuditRow]:
    return {row.label: row for row in audit(specs)}


def test_every_layer_of_complextorch_is_what_it_is_known_to_be(specs, rows) -> None:
    assert len(rows) == len(specs)
    assert {row.verdict for row in rows.values()} == {spec.expected for spec in SPECS}
    surprises = [(r.label, r.verdict, r.note) for r in rows.values() if not r.as_expected]
    assert not surprises


def test_no_declaration_is_refuted(rows) -> None:
    assert not [r.label for r in rows.values() if r.declaration_holds is False]
    assert rows["Linear"].declaration_holds
    assert rows["Dropout"].declaration_holds  # smooth promises nothing
    assert rows["Bilinear"].declaration_holds is None


SUPREMA = {
    "CVSplitTanh": (0.49, 0.5),  # (sech^2 x - sech^2 y)/2
    "CVSplitSigmoid": (0.11, 0.125),
    "CVSplitAbs": (1.0, 1.0),
    "CVSplitReLU": (0.5, 0.5),
    "CVSplitGELU": (0.6, 0.65),
    "CVCardiod": (0.249, 0.25),
    "CVSigLog": (0.12, 0.125),
    "CVPolarTanh": (0.2, 0.22),
    "CVPolarSquash": (0.12, 0.126),
    "modReLU": (0.45, 0.5),
    "Mod": (0.5, 0.5),
    "zReLU": (0.0, 0.0),
    "zLeakyReLU": (0.0, 0.0),
    "zAbsReLU(a_init=0.8)": (0.0, 0.0),
    "MagMaxPool2d": (0.0, 0.0),
}


@pytest.mark.parametrize(("label", "bounds"), SUPREMA.items(), ids=str)
def test_the_largest_dbar_of_activations(rows, label: str, bounds: tuple[float, float]) -> None:
    low, high = bounds
    assert low - 1e-12 <= rows[label].measurements[0].residual <= high + 1e-12


def test_margins_between_the_verdicts_are_wide(rows) -> None:
    for row in rows.values():
        for m in row.measurements:
            if m.verdict is Verdict.HOLOMORPHIC:
                assert max(m.dbar, m.negative_modes, m.derivative) < 2e-13
            elif m.verdict is Verdict.PIECEWISE:
                assert m.negative_modes > 1e-2
            elif "PhaseDiv" in row.label:  # x conj(g) / (|g|^2 + 1e-7)
                assert 1e-8 < m.dbar < 1e-1
            else:
                assert min(m.dbar, m.negative_modes) > 1e-3


def test_differences_and_whole_batches_where_they_are_needed(rows) -> None:
    by_differences = {
        (r.name, m.mode) for r in rows.values() for m in r.measurements if "differences" in m.how
    }
    norms = {
        (name, "train")
        for name in (f"{k}BatchNorm{d}d" for k in ("", "Naive", "Mag") for d in (1, 2, 3))
        if name in rows
    }
    assert len(norms) >= 3
    assert by_differences == {("GTReLU", "both"), ("EquivariantPhaseReLU", "both")} | norms
    coupled = {r.name for r in rows.values() for m in r.measurements if "whole batches" in m.how}
    assert {"BatchNorm1d", "Dropout", "relevance.LinearVD", "MagMinMaxNorm"} <= coupled
    assert not {"Linear", "LayerNorm", "GRU"} & coupled
    assert [m.mode for m in rows["Dropout"].measurements] == ["eval", "train"]
    assert [m.mode for m in rows["Linear"].measurements] == ["both"]


def test_inplace_relu_overwrites_its_input(rows) -> None:
    assert {r.label for r in rows.values() if r.overwrites_input} == {"CVSplitReLU", "CReLU"}


def test_points_are_kept_from_layers_that_overwrite_them() -> None:
    def spoil(z: Tensor) -> Tensor:
        value = z.square()
        z.zero_()
        return value

    row = found(spoil)
    assert row.overwrites_input
    assert row.verdict is Verdict.HOLOMORPHIC
    assert [m.mode for m in row.measurements] == ["both"]


def test_a_random_draw_is_the_same_at_every_call() -> None:
    row = found(lambda z: z * torch.rand(z.shape))
    assert row.verdict is Verdict.HOLOMORPHIC


@settings(max_examples=5)
@given(st.floats(1e-9, 10))
def test_planted_conjugates_are_measured_exactly(eps: float) -> None:
    row = found(lambda z: z + eps * z.conj())
    (m,) = row.measurements
    assert row.verdict is Verdict.NOT_HOLOMORPHIC
    assert m.residual == pytest.approx(eps, rel=1e-6, abs=1e-15)
    assert m.dbar == pytest.approx(eps / (1 + eps), rel=1e-6, abs=1e-15)
    assert m.negative_modes == pytest.approx(eps / math.hypot(1, eps), rel=1e-5)


def test_verdicts_on_planted_functions() -> None:
    assert found(torch.sin).verdict is Verdict.HOLOMORPHIC
    assert found(lambda z: z**40, scale=0.5).verdict is Verdict.HOLOMORPHIC  # aliases at first
    assert found(torch.abs).verdict is Verdict.REAL
    assert found(torch.conj).verdict is Verdict.NOT_HOLOMORPHIC
    assert found(lambda z: torch.where(z.real > 0, z, -z)).verdict is Verdict.PIECEWISE
    assert found(torch.sin, torch.conj).verdict is Verdict.EVAL_ONLY
    assert found(torch.conj, torch.sin).verdict is Verdict.NOT_HOLOMORPHIC
    assert found(torch.sin, lambda z: 2 * z).verdict is Verdict.HOLOMORPHIC
    one_entry = torch.tensor([0.0, 0.0, 1e-8])
    assert found(lambda z: z + one_entry * z.conj()).verdict is Verdict.NOT_HOLOMORPHIC


def test_a_conjugated_neighbor_in_the_batch_is_seen() -> None:
    row = found(lambda z: z + z.roll(1, 0).conj())
    assert row.verdict is Verdict.NOT_HOLOMORPHIC
    assert "whole batches" in row.measurements[0].how
    assert row.measurements[0].residual == pytest.approx(1.0)


def test_without_forward_mode_differences_are_taken() -> None:
    class Old(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z.square()

        @staticmethod
        def backward(ctx, gradient):
            (z,) = ctx.saved_tensors
            return gradient * (2 * z).conj()

    row = found(Old.apply)
    (m,) = row.measurements
    assert m.how == "central differences"
    assert row.verdict is Verdict.HOLOMORPHIC
    assert 0 < m.dbar < 1e-8
    conjugate = found(lambda z: z + Old.apply(z) - z.square() + 0.25 * z.conj())
    assert conjugate.measurements[0].residual == pytest.approx(0.25, rel=1e-6)
    assert conjugate.verdict is Verdict.NOT_HOLOMORPHIC


def test_a_wrong_backward_is_seen() -> None:
    class Lying(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            return z.square()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    row = found(Lying.apply)
    assert row.verdict is Verdict.WRONG_DERIVATIVE
    assert row.measurements[0].derivative > 0.1


def test_single_precision_has_its_own_tolerance() -> None:
    row = found(lambda z: z.to(torch.complex64).sin())
    assert row.verdict is Verdict.HOLOMORPHIC
    assert row.measurements[0].how == "in single precision, forward mode"
    assert row.measurements[0].derivative > 1e-12
    assert row.measurements[0].tolerance > 1e-4


def test_running_statistics_are_moved_before_eval_mode_is_judged() -> None:
    def build() -> nn.Module:
        return ctnn.BatchNorm1d(2, affine=False)

    row = audit_layer(LayerSpec("norm", "norm", build, (2, 2)))
    evaluated = row.measurements[0]
    assert evaluated.mode == "eval"
    assert evaluated.dbar > 0.1  # at its start it is z, up to a factor


def test_parameters_are_moved_before_the_layer_is_judged() -> None:
    def build() -> nn.Module:
        layer = ctnn.AdaptiveModReLU(3)
        nn.init.zeros_(next(layer.parameters()))  # relu(|z| + 0) z/|z| = z
        return layer

    assert audit_layer(LayerSpec("relu", "relu", build, (3,))).measurements[0].dbar > 1e-3


def broken(z: Tensor) -> Tensor:
    raise KeyError("first line\nsecond line")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (broken, "KeyError: 'first line"),
        (lambda z: z / 0, "NumericalError: "),
        (lambda z: torch.sqrt(z - z.detach()), "NumericalError: derivatives are not finite"),
        (lambda z: z.to(torch.complex64).unknown, "AttributeError: "),
    ],
    ids=["raises", "infinite", "infinite slope", "no such attribute"],
)
def test_a_failing_layer_gets_a_row_that_says_so(value, message: str) -> None:
    first, second = audit([planted(value), planted(torch.sin)])
    assert first.verdict is Verdict.FAILS
    assert first.note.startswith(message)
    assert "\n" not in first.note
    assert not first.measurements
    assert not first.as_expected
    assert second.verdict is Verdict.HOLOMORPHIC


@pytest.mark.parametrize("error", [OSError(28, "full"), MemoryError()])
def test_what_the_system_refuses_is_no_verdict_on_a_layer(error: Exception) -> None:
    def build() -> nn.Module:
        raise error

    with pytest.raises(type(error)):
        audit_layer(replace(SPECS[0], build=build))


def test_a_layer_that_warns_has_not_failed() -> None:
    def warn(z: Tensor) -> Tensor:
        warnings.warn("mind", UserWarning, stacklevel=1)
        return z

    assert found(warn).verdict is Verdict.HOLOMORPHIC


@pytest.mark.parametrize(
    ("declared", "value", "holds"),
    [
        (FunctionClass.AFFINE, torch.conj, False),
        (FunctionClass.ENTIRE, torch.sin, True),
        (FunctionClass.SMOOTH, torch.conj, True),
        (FunctionClass.SMOOTH, torch.sin, False),
        (FunctionClass.PIECEWISE, torch.conj, True),
    ],
    ids=["conj", "sin", "conj as smooth", "sin as smooth", "conj as piecewise"],
)
def test_declarations_are_compared(declared, value, holds, monkeypatch) -> None:
    monkeypatch.setitem(DECLARATIONS, Map, None)  # restored afterwards
    declare(Map, declared)
    row = found(value)
    assert row.declared == declared.value
    assert row.declaration_holds is holds


def test_a_declared_singularity_makes_it_meromorphic(rows) -> None:
    assert rows["CVSigmoid"].verdict is Verdict.MEROMORPHIC
    assert rows["CVSigmoid"].declaration_holds
    wide = replace(package_specs("complextorch", "CVSigmoid")[0], scale=6.0)
    m = audit_layer(wide).measurements[0]  # circles about poles
    assert m.dbar == 0
    assert m.negative_modes > 1e-3


def test_rows_depend_on_the_seed_alone() -> None:
    chosen = package_specs("complextorch", "modReLU")
    torch.manual_seed(5)
    expected = torch.get_rng_state()
    first = audit(chosen)
    assert torch.equal(torch.get_rng_state(), expected)
    torch.manual_seed(6)
    assert list(reversed(audit(tuple(reversed(chosen))))) == first
    assert audit(chosen, seed=1) != first


def test_rows_are_handed_on_as_they_are_done() -> None:
    seen = []
    chosen = package_specs("complextorch", "zReLU")
    assert audit(chosen, on_row=seen.append) == seen


def test_the_file_holds_every_row(rows, tmp_path: Path) -> None:
    kept = [*rows.values(), found(broken)]
    record = json.loads(write_audit(tmp_path / "sub" / "audit.json", kept, seed=0).read_text())
    assert record["package"] == "complextorch"
    assert record["seed"] == 0
    assert sum(record["verdicts"].values()) == len(kept)
    assert [row["label"] for row in record["rows"]] == [row.label for row in kept]
    assert record["rows"][0]["declaration_holds"] is True
    assert record["provenance"]["torch"] == torch.__version__


def test_packages_and_layers_are_looked_up() -> None:
    assert package_specs("complextorch") == SPECS
    assert {s.name for s in package_specs("complextorch", "BATCHnorm1D")} == {
        *("BatchNorm1d", "NaiveBatchNorm1d", "MagBatchNorm1d")
    }
    with pytest.raises(UnknownNameError, match=r"unknown package 'torchcvnn'.*Known: complextorch"):
        package_specs("torchcvnn")
    with pytest.raises(UnknownNameError, match=r"unknown layer 'zRELUU': did you mean 'zReLU'"):
        package_specs("complextorch", "zRELUU")
