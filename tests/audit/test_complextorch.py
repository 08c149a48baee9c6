"""The table of complextorch's layers is complete, and every entry can be built and called."""

import importlib
import inspect
import pkgutil

import complextorch
import pytest
import torch
from torch import nn as tnn

from cases import each, some_of
from holonet import nn
from holonet.audit.complextorch import EXCLUDED, SPECS, Verdict, layer_types
from holonet.errors import NotHolomorphicError

GOOD = {Verdict.HOLOMORPHIC, Verdict.MEROMORPHIC}


def imported_types() -> set[type[tnn.Module]]:
    """Every public module class in every file of complextorch, each file imported."""
    found = set()
    for info in pkgutil.walk_packages(complextorch.__path__, "complextorch."):
        for name, value in vars(importlib.import_module(info.name)).items():
            if inspect.isclass(value) and issubclass(value, tnn.Module) and name[0] != "_":
                found |= {value} if value.__module__.startswith("complextorch.") else set()
    return found


def test_every_class_is_found() -> None:
    found = layer_types()
    assert set(found.values()) == imported_types()
    exported = (getattr(complextorch.nn, name) for name in complextorch.nn.__all__)
    classes = {c for c in exported if inspect.isclass(c) and issubclass(c, tnn.Module)}
    assert classes <= set(found.values())
    assert found["Linear"] is complextorch.nn.Linear
    assert found["gauss.Linear"] is complextorch.nn.gauss.Linear
    assert found["models.CVKAN"] is complextorch.models.CVKAN


def test_every_class_is_audited_or_excluded_with_a_reason() -> None:
    found, audited = set(layer_types()), {spec.name for spec in SPECS}
    assert not found - audited - set(EXCLUDED), "complextorch has gained these classes"
    assert not (audited | set(EXCLUDED)) - found, "complextorch has lost these classes"
    assert not audited & set(EXCLUDED)
    assert all(EXCLUDED.values())
    assert all(spec.reason for spec in SPECS)


@pytest.mark.parametrize("home", ["nn.modules.conv", "nn.masked.linear", "models.kan"])
def test_a_new_class_would_be_noticed(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module(f"complextorch.{home}")
    new = type("NewLayer", (tnn.Module,), {"__module__": module.__name__})
    monkeypatch.setattr(module, "NewLayer", new, raising=False)
    gained = set(layer_types()) - {spec.name for spec in SPECS} - set(EXCLUDED)
    assert len(gained) == 1
    assert gained.pop().endswith("NewLayer")


def test_labels_are_unique_and_open_with_the_name() -> None:
    labels = [spec.label for spec in SPECS]
    assert len(labels) == len(set(labels))
    assert all(spec.label.split("(")[0] == spec.name for spec in SPECS)


@some_of("spec", SPECS, slice(None, None, 5))
def test_layers_are_built_and_called_in_double_precision(spec) -> None:
    layer = nn.to_precision(spec.build(), torch.complex128)
    assert type(layer) is layer_types()[spec.name]
    for mode in (True, False):
        value = spec.apply(layer.train(mode), torch.randn(3, *spec.shape, dtype=torch.complex128))
        assert len(value) == 3
        assert value.isfinite().all()
        assert value.is_complex() == (spec.expected is not Verdict.REAL)
        assert value.dtype in (torch.float64, torch.complex128)


@each("spec", SPECS, ids=lambda spec: spec.label)
def test_what_is_known_agrees_with_what_is_declared(spec) -> None:
    layer = spec.build()
    try:
        declared = nn.declared_class(layer)
    except NotHolomorphicError:
        declared = None
    if declared is not None:
        assert declared.is_holomorphic == (spec.expected in GOOD)


def test_building_depends_on_the_random_seed_alone() -> None:
    spec = next(s for s in SPECS if s.name == "masked.LinearMasked")
    torch.manual_seed(3)
    first = spec.build().state_dict()
    torch.manual_seed(3)
    second = spec.build().state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert set(first["mask"].unique().tolist()) == {0.0, 1.0}
